/* bench_help.c - the help text of `attend bench`; what it says of defaults is bench_options.c's. */
#include <stdio.h>

#include "cli/bench/bench_options.h"
#include "cli/util/score_options.h"

void bench_print_help(void) {
  fputs("Usage: attend bench [OPTION...]\n"
        "\n"
        "Times attention layers by model, length, threads and path, holds every output against a\n"
        "float64 oracle, and compares with what the machine can do, measured in the same run.\n"
        "Without options: qwen2.5-0.5b and llama-7b at four lengths, in one to two minutes.\n"
        "\n"
        "What is measured (lists are separated by commas):\n"
        "  --model NAME,...       presets; `attend info --models` lists them\n"
        "  --config FILE          a model's Hugging Face config.json; may be repeated\n" //
        DIMENSION_OPTIONS_HELP
        "  --tokens N,...         prefill: tokens (default 128,512,1024,2048);\n"
        "                         decode: keys (default 512,2048,8192)\n"
        "  --paths PATH,...       tiled, blas, naive (default all three)\n"
        "  --threads T,...        threads (default: OpenMP's number)\n"
        "  --isa ISA              kernels of the tiled path: auto, scalar, avx2, avx512,\n"
        "                         avx512bf16, amx\n"
        "  --precision PREC,...   of the tiled path's products: fp32 (default), bf16x6, bf16x3,\n"
        "                         bf16; the other paths have fp32\n"
        "  --storage STORAGE      of weights and caches: auto (default: as the precision reads\n"
        "                         them), fp32, bf16, bf16x2, bf16x3, fp16\n"
        "  --batch B              sequences (default 1)\n"
        "  --prefill, --decode    all tokens at once (default), or one token after N - 1 cached\n"
        "  --chunk C              prefill in calls of C tokens, with a cache\n"
        "  --part PART            layer (default), or core: attention without the projections\n"
        "  --layer L              layer of each model, whose window it has (default 0)\n"
        "  --bidirectional        no causal mask\n" //
        SCORE_OPTIONS_HELP
        "  --kernels              the kernels by themselves, on one thread, in place of all that;\n"
        "                         --isa picks one (default: every usable one)\n"
        "\n"
        "How:\n"
        "  --repeat R             samples of each row (default: 3 or more, by length)\n"
        "  --time-limit S         seconds that a row may take (default 10)\n"
        "  --memory-limit BYTES   most that score matrices may take (default 2 GiB)\n"
        "  --yardstick-time S     seconds for each limit of the machine (default 0.25; below 0.05 "
        "on\n"
        "                         smaller operands)\n"
        "  --seed SEED            of the random inputs (default 1)\n"
        "\n"
        "Output:\n"
        "  --csv, --json          in place of the table\n"
        "  --output FILE          write there in place of standard output\n"
        "  --plot FILE.svg|.png   draw time, memory and share of the peak; figures in FILE.dat\n"
        "  --explain              add the plan of each row\n"
        "\n"
        "Other:\n" COMMON_OPTIONS_HELP "\n"
        "Exit status: 0; 1 if a row failed or a file could not be written; 2 for wrong usage;\n"
        "130 if Ctrl-C ended it (143: SIGTERM), after the rows measured so far are printed.\n",
        stdout);
}
