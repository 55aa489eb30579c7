/* cmd_shapes.c - `attend shapes`: every matrix of a layer with its shape, elements, bytes and
 * FLOPs.
 *
 * Owns the options and the exit status. It does not use OpenBLAS, so it never restarts the tool.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/shapes/shape_options.h"
#include "cli/util/model_choice.h"

static const char *section_name(int topic) {
  return shape_topic_name((size_t)topic);
}

static const char *section_about(int topic) {
  static const char *const abouts[SHAPE_TOPICS] = {
      [SHAPE_HEAD] = "one head, from the input to its share of the output",
      [SHAPE_BLOCK] = "the same with its weights, one product at a time",
      [SHAPE_LAYER] = "all heads, with the fused projection",
      [SHAPE_CHUNKS] = "the columns of each head in the fused projection",
      [SHAPE_CAUSAL] = "scores, mask, masked scores, weights, context",
  };
  return abouts[topic];
}

static const Choices sections = {"section", section_name, section_about, SHAPE_TOPICS};

/* Adds to what was given before. */
static int read_sections(const Option *option, const char *text, void *field) {
  ChoiceList list;
  const int status = read_choices(option, text, &list);
  if (status != EXIT_SUCCESS) return status;
  for (size_t i = 0; i < list.count; i++) *(unsigned *)field |= 1u << list.items[i];
  return EXIT_SUCCESS;
}

#define OF_DIMENSIONS                                                                              \
  .rules = {{NEEDS, "d-model", "a layer given by its dimensions needs the model's width"}}

#define OPTIONS ShapeOptions
static const Option options_table[] = {
    {HEADING("Layer (every size but a model's own may be a letter, as in --tokens N)")},
    {"model", "NAME", MODEL(model), .help = "a preset; `attend info --models` lists them",
     .rules = {{NOT_WITH, "config " DIMENSION_NAMES, "each says which sizes; give one of them"}}},
    {"config", "FILE", NAME(config), .help = "a model's Hugging Face config.json",
     .rules = {{NOT_WITH, DIMENSION_NAMES, "each says which sizes; give one of them"}}},
    {"d-model", "E", TEXT(texts.width),
     .help = "width of the model, for a layer that is no preset"},
    {"heads", "HQ", TEXT(texts.heads), .initial = "1", .help = "query heads", OF_DIMENSIONS},
    {"kv-heads", "HK", TEXT(texts.kv_heads), .derived = "HQ",
     .help = "key/value heads, a divisor of HQ", OF_DIMENSIONS},
    {"head-dim", "D", TEXT(texts.head_dim), .derived = "E / HQ",
     .help = "head dimension of Q and K", OF_DIMENSIONS},
    {"value-dim", "DV", TEXT(texts.value_dim), .derived = "D", .help = "head dimension of V",
     OF_DIMENSIONS},
    {"tokens", "N", TEXT(texts.tokens), .initial = "N", .help = "tokens of a sequence"},
    {"batch", "B", TEXT(texts.batch), .derived = "one, without a dimension of its own",
     .help = "sequences"},
    {"as-mha", NULL, FLAG(as_mha),
     .help = "show a model with fewer key/value heads as plain multi-head attention",
     .rules = {{NEEDS, "model config", "with dimensions, leave out --kv-heads"}}},
    {HEADING("What is shown")},
    {"section", "LIST", READ(topics, unsigned, read_sections), .choices = &sections,
     .derived = "head,layer,chunks for a model; block too for dimensions, and alone for one head",
     .help = "sections, separated by commas"},
    {"causal", NULL, FLAG(causal), .help = "add the section causal"},
    {HEADING("Output")},
    {"markdown", NULL, FLAG(markdown), .help = "Markdown in place of aligned text",
     .rules = {{NOT_WITH, "json", "both are forms of one table"}}},
    {"json", NULL, FLAG(json), .help = "JSON in place of aligned text"},
    {"quiz", NULL, FLAG(quiz), .help = "leave blanks to fill in, and number the rows",
     .rules = {{NOT_WITH, "key", "one has the questions, the other the answers"}}},
    {"key", NULL, FLAG(key), .help = "print the answers, with the rows numbered alike"},
    {HEADING("Other")},
    {0},
};

/* A model has head, layer and chunks; dimensions the block too, which alone says all of one
 * head. */
static unsigned default_topics(const ShapeSizes *sizes) {
  const unsigned whole = 1u << SHAPE_HEAD | 1u << SHAPE_LAYER | 1u << SHAPE_CHUNKS;
  if (sizes->model) return whole;
  const bool one = symbolic_equal(sizes->heads, symbolic_number(1));
  return one ? 1u << SHAPE_BLOCK : whole | 1u << SHAPE_BLOCK;
}

static unsigned chosen_topics(const ShapeOptions *options, const ShapeSizes *sizes) {
  const unsigned topics = options->topics | (options->causal ? 1u << SHAPE_CAUSAL : 0);
  return topics != 0 ? topics : default_topics(sizes);
}

static int print_table(const ShapeTable *table, const ShapeOptions *options) {
  const ShapePurpose purpose = options->quiz ? SHAPE_QUIZ : options->key ? SHAPE_KEY : SHAPE_WHOLE;
  if (options->json && !shape_print_json(table, purpose))
    return failure("memory for the table is missing.");
  if (!options->json) (options->markdown ? shape_print_markdown : shape_print_text)(table, purpose);
  return finish_stdout();
}

static int run(const CommandLine *line) {
  const ShapeOptions *const options = line->options;
  AttendModel model;
  ShapeSizes sizes;
  ShapeTable table;
  int status = shape_read_sizes(options, &model, &sizes);
  if (status != EXIT_SUCCESS) return status;
  switch (shape_table_open(&sizes, chosen_topics(options, &sizes), &table)) {
  case SHAPE_TOO_LARGE:
    return failure("the layer is too large: a product of its sizes is beyond 2^63.");
  case SHAPE_NO_MEMORY:
    return failure("memory for the table is missing.");
  default:
    break;
  }
  status = print_table(&table, options);
  shape_table_close(&table);
  return status;
}

const Command shapes_command = {
    .name = "shapes",
    .summary = "every matrix of a layer, its shape, bytes and FLOPs; also as a quiz",
    .synopsis = "(--model NAME | --config FILE | --d-model E) [OPTION...]",
    .about = "Shows every matrix of an attention layer: its shape, the number of its elements, its "
             "bytes in fp32, and the FLOPs of the product that makes it. Nothing is computed or "
             "measured.",
    .options = options_table,
    .options_size = sizeof(ShapeOptions),
    .needs = {{NEEDS, "model config d-model",
               "they say which layer, as in attend shapes --model qwen2.5-0.5b --tokens 50"}},
    .ending = "Exit status: 0; 1 if a file could not be read or the sizes cannot be counted; 2 for "
              "wrong usage.",
    .run = run,
};
