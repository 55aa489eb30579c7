/* explain_help.c - the help text of `attend explain`. */
#include <stdio.h>

#include "cli/explain/explain_options.h"
#include "cli/lesson/builtin_lessons.h"

void explain_print_help(void) {
  fputs("Usage: attend explain EXAMPLE | FILE.json | --model NAME [OPTION...]\n"
        "\n"
        "Runs a lesson through the library and shows every matrix on the way, with its name, its\n"
        "shape and its numbers, and the plan of its size.\n"
        "\n"
        "Examples:\n",
        stdout);
  for (size_t i = 0; builtin_name_at(i) != NULL; i++) {
    printf("  %-12s  %s\n", builtin_name_at(i), builtin_about_at(i));
  }
  fputs(
      "  block-matrix  Projecting with [W_0 | W_1] against projecting with each apart\n"
      "\n"
      "A file holds X with weights, or Q, K and V (docs/lessons.md).\n"
      "\n"
      "A model's layer on random data:\n"
      "  --model NAME           a preset; `attend info --models` lists them\n"
      "  --config FILE          a model's Hugging Face config.json\n" //
      DIMENSION_OPTIONS_HELP "  --tokens N             tokens (default 50)\n"
      "  --seed SEED            of the random data (default 1)\n"
      "\n"
      "What is computed:\n"
      "  --head H               show this query head, from 0 (default: all; of a model: 0)\n"
      "  --path PATH            naive (default; it shows every matrix), blas, tiled, or all, to\n"
      "                         see how far they are apart and how long each takes\n"
      "  --threads T, --isa ISA as in attend bench\n"
      "  --causal, --bidirectional\n"
      "                         in place of what the lesson says\n"
      "  --scale S              in place of 1/sqrt(D), or of what the lesson says\n"
      "  --round DIGITS         also go on by hand with weights rounded to so many digits\n"
      "  --query Q0,Q1,...      another query, in a lesson of one query such as by-hand\n"
      "  --seek TOKEN=WEIGHT    find a query that gives the token at least that weight\n"
      "  --seek TOKEN~TOKEN     find a query that gives both the same weight\n"
      "  --plan                 only the plan: path, kernels, tiles, bytes, FLOPs, and the reason\n"
      "                         against each path not taken\n"
      "\n"
      "Output:\n"
      "  --json                 in place of the text\n"
      "  --save DIR             write every matrix as .npy into this directory\n"
      "  --draw FILE.svg|.png   draw the layer with the shapes of the lesson; text: print it\n"
      "  --heatmap FILE.svg|.png\n"
      "                         draw scores and weights of the heads that are shown\n"
      "  --color WHEN           blocks and colour by size: auto (on a terminal), always, never\n"
      "\n"
      "Other:\n" COMMON_OPTIONS_HELP "\n"
      "Exit status: 0; 1 if the lesson cannot be read or run, or a file cannot be written; 2 for\n"
      "wrong usage.\n",
      stdout);
}
