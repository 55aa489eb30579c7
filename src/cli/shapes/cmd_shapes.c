/* cmd_shapes.c - `attend shapes`: every matrix of a layer with its shape, elements, bytes and
 * FLOPs.
 *
 * Owns the help text and the exit status. It computes nothing that OpenBLAS has a part in and never
 * restarts the tool.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/shapes/shape_options.h"

static void print_help(void) {
  fputs(
      "Usage: attend shapes (--model NAME | --config FILE | --d-model E) [OPTION...]\n"
      "\n"
      "Shows every matrix of an attention layer: its shape, the number of its elements, its bytes\n"
      "in fp32, and the FLOPs of the product that makes it. Nothing is computed or measured.\n"
      "\n"
      "What layer (every size but a model's own may be a letter, as in --tokens N):\n"
      "  --model NAME           a preset; `attend info --models` lists them\n"
      "  --config FILE          a model's Hugging Face config.json\n" //
      DIMENSION_OPTIONS_HELP
      "  --tokens N             tokens of a sequence (default: the letter N)\n"
      "  --batch B              sequences (default: one, without a dimension of its own)\n"
      "  --as-mha               a model with fewer key/value heads as plain multi-head attention\n"
      "\n"
      "What of it:\n"
      "  --section LIST         head    one head, from the input to its share of the output\n"
      "                         block   the same with its weights, one product at a time\n"
      "                         layer   all heads, with the fused projection\n"
      "                         chunks  the columns of each head in the fused projection\n"
      "                         causal  scores, mask, masked scores, weights, context\n"
      "                         (default: head,layer,chunks for a model; by hand block too, or\n"
      "                         block alone for a single head)\n"
      "  --causal               the section causal\n"
      "\n"
      "Output:\n"
      "  --markdown, --json     in place of aligned text\n"
      "  --quiz                 with blanks to fill in, rows numbered\n"
      "  --key                  the answers, rows numbered alike\n"
      "\n"
      "Other:\n"
      "  -h, --help             print this text\n"
      "\n"
      "Exit status: 0; 1 if a file could not be read or the sizes cannot be counted; 2 for wrong\n"
      "usage.\n",
      stdout);
}

static int print_table(const ShapeTable *table, const ShapeOptions *options) {
  const ShapePurpose purpose = options->quiz ? SHAPE_QUIZ : options->key ? SHAPE_KEY : SHAPE_WHOLE;
  if (options->json && !shape_print_json(table, purpose))
    return failure("memory for the table is missing.");
  if (!options->json) (options->markdown ? shape_print_markdown : shape_print_text)(table, purpose);
  return finish_stdout();
}

int cmd_shapes(int argc, char **argv) {
  ShapeOptions options;
  const int read = shape_read_options(argc, argv, &options);
  if (read != EXIT_SUCCESS) return read;
  if (options.help) {
    print_help();
    return finish_stdout();
  }
  ShapeTable table;
  switch (shape_table_open(&options.sizes, options.topics, &table)) {
  case SHAPE_TOO_LARGE:
    return failure("the layer is too large: a product of its sizes is beyond 2^63.");
  case SHAPE_NO_MEMORY:
    return failure("memory for the table is missing.");
  default:
    break;
  }
  const int status = print_table(&table, &options);
  shape_table_close(&table);
  return status;
}
