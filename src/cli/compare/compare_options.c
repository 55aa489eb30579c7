/* compare_options.c - reads the arguments of `attend compare`: some of those of `attend bench`,
 * with defaults for a lesson. */
#include "cli/compare/compare_options.h"

#include <stdio.h>

static const struct option compare_options[] = {
    COMMON_OPTIONS,
    DIMENSION_OPTIONS,
    {"model", required_argument, NULL, OPTION_MODEL},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"part", required_argument, NULL, OPTION_PART},
    {"bidirectional", no_argument, NULL, OPTION_BIDIRECTIONAL},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"time-limit", required_argument, NULL, OPTION_TIME_LIMIT},
    {"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
    {"yardstick-time", required_argument, NULL, OPTION_YARDSTICK_TIME},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"plot", required_argument, NULL, OPTION_PLOT},
    {0},
};

void compare_print_help(void) {
  fputs(
      "Usage: attend compare [OPTION...]\n"
      "\n"
      "Runs one layer through the naive path on one thread, the naive path with OpenMP, the blas\n"
      "path and the tiled path, and says for each what limits it, from what was measured: shares\n"
      "of the machine's limits, time by phase, and bytes of score matrices against the caches.\n"
      "Every output is held against a float64 oracle.\n"
      "\n"
      "What is compared:\n"
      "  --model NAME           a preset (default qwen2.5-0.5b); `attend info --models` lists "
      "them\n"
      "  --config FILE          a model's Hugging Face config.json\n" //
      DIMENSION_OPTIONS_HELP "  --tokens N,...         tokens (default 128,512,1024)\n"
      "  --threads T            of all but the first (default: OpenMP's number)\n"
      "  --batch B              sequences (default 1)\n"
      "  --part PART            layer (default), or core: attention without the projections\n"
      "  --bidirectional        no causal mask\n"
      "\n"
      "How:\n"
      "  --repeat R             samples of each row (default: 3 or more, by length)\n"
      "  --time-limit S         seconds that a row may take (default 10)\n"
      "  --memory-limit BYTES   most that score matrices may take (default 2 GiB)\n"
      "  --yardstick-time S     seconds for each limit of the machine (default 0.25)\n"
      "  --seed SEED            of the random inputs (default 1)\n"
      "\n"
      "Output:\n"
      "  --csv                  in place of the table; the sentences are its last column\n"
      "  --output FILE          write there in place of standard output\n"
      "  --plot FILE.svg|.png   draw time, memory and share of the peak; figures in FILE.dat\n"
      "\n"
      "Other:\n" COMMON_OPTIONS_HELP "\n"
      "Exit status: 0; 1 if a row failed or a file could not be written; 2 for wrong usage;\n"
      "130 if Ctrl-C ended it (143: SIGTERM), after the rows measured so far are printed.\n",
      stdout);
}

static bool complete(BenchOptions *options) {
  static const SizeList lengths = {3, {128, 512, 1024}};
  const bool by_hand = dimensions_given(&options->dimensions);
  if (options->models.count + by_hand > 1) {
    usage_error("attend compare takes one model at a time; attend bench takes several.");
    return false;
  }
  if (options->threads.count > 1) {
    usage_error("--threads: attend compare takes one number; attend bench takes several.");
    return false;
  }
  if (options->models.count == 0 && !by_hand &&
      !parse_models("--model", "qwen2.5-0.5b", &options->models))
    return false;
  if (options->tokens.count == 0) options->tokens = lengths;
  return bench_complete_options(options);
}

int compare_read_options(int argc, char **argv, BenchOptions *options) {
  bench_set_defaults(options);
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", compare_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("compare", code, argv, compare_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    if (!bench_take_option(options, code, optarg))
      return code == OPTION_CONFIG ? EXIT_FAILURE : EXIT_USAGE;
  }
  if (optind < argc) return bad_argument("compare", argv[optind]);
  return complete(options) ? EXIT_SUCCESS : EXIT_USAGE;
}

void compare_fill_config(BenchOptions *options) {
  static const PathList contenders = {
      4, {ATTEND_PATH_NAIVE, ATTEND_PATH_NAIVE, ATTEND_PATH_BLAS, ATTEND_PATH_TILED}};
  static const PathList on_one_thread = {3,
                                         {ATTEND_PATH_NAIVE, ATTEND_PATH_BLAS, ATTEND_PATH_TILED}};
  static const bool serial[] = {true, false, false, false};
  bench_fill_config(options);
  const bool one = options->threads.items[0] == 1;
  options->paths = one ? on_one_thread : contenders;
  options->config.paths = options->paths.items;
  options->config.precisions = NULL;
  options->config.path_count = options->paths.count;
  options->config.serial = one ? NULL : serial;
}
