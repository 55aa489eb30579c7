/* shape_options.c - reads the arguments of `attend shapes`; owns its defaults and limits.
 *
 * Letters are numbered in the order batch, tokens, width, heads, dimensions, whatever the order on
 * the command line: that is the order in which textbooks write products.
 */
#include "cli/shapes/shape_options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TOKENS_MAX ((size_t)1 << 24)
#define BATCH_MAX ((size_t)1 << 16)

enum {
  OPTION_MODEL = OPTION_FIRST_OWN,
  OPTION_CONFIG,
  OPTION_TOKENS,
  OPTION_BATCH,
  OPTION_AS_MHA,
  OPTION_SECTION,
  OPTION_CAUSAL,
  OPTION_MARKDOWN,
  OPTION_JSON,
  OPTION_QUIZ,
  OPTION_KEY,
};

static const struct option shape_options[] = {
    {"help", no_argument, NULL, 'h'},
    DIMENSION_OPTIONS,
    {"model", required_argument, NULL, OPTION_MODEL},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"as-mha", no_argument, NULL, OPTION_AS_MHA},
    {"section", required_argument, NULL, OPTION_SECTION},
    {"causal", no_argument, NULL, OPTION_CAUSAL},
    {"markdown", no_argument, NULL, OPTION_MARKDOWN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiz", no_argument, NULL, OPTION_QUIZ},
    {"key", no_argument, NULL, OPTION_KEY},
    {0},
};

static bool parse_sections(const char *text, unsigned *topics) {
  unsigned chosen = 0;
  for (const char *rest = text;; rest++) {
    const size_t length = strcspn(rest, ",");
    size_t topic = 0;
    while (topic < SHAPE_TOPICS && (strlen(shape_topic_name(topic)) != length ||
                                    strncmp(shape_topic_name(topic), rest, length) != 0))
      topic++;
    if (topic == SHAPE_TOPICS) {
      usage_error(
          "--section: there is no section \"%.*s\"; they are head, block, layer, chunks and "
          "causal.",
          (int)length, rest);
      return false;
    }
    chosen |= 1u << topic;
    rest += length;
    if (*rest == '\0') break;
  }
  *topics |= chosen;
  return true;
}

static bool take_flag(ShapeOptions *options, int code) {
  switch (code) {
  case OPTION_AS_MHA:
    return options->as_mha = true;
  case OPTION_CAUSAL:
    options->topics |= 1u << SHAPE_CAUSAL;
    return true;
  case OPTION_MARKDOWN:
    return options->markdown = true;
  case OPTION_JSON:
    return options->json = true;
  case OPTION_QUIZ:
    return options->quiz = true;
  case OPTION_KEY:
    return options->key = true;
  default:
    return false;
  }
}

/* Where the text of a size is kept. */
static const char **find_text(ShapeTexts *texts, int code) {
  switch (code) {
  case OPTION_BATCH:
    return &texts->batch;
  case OPTION_TOKENS:
    return &texts->tokens;
  case OPTION_WIDTH:
    return &texts->width;
  case OPTION_HEADS:
    return &texts->heads;
  case OPTION_KV_HEADS:
    return &texts->kv_heads;
  case OPTION_HEAD_DIM:
    return &texts->head_dim;
  default:
    return &texts->value_dim;
  }
}

/* Stores one option. EXIT_SUCCESS, or the exit status with the sentence printed. */
static int take_option(ShapeOptions *options, int code, const char *value) {
  if (take_flag(options, code)) return EXIT_SUCCESS;
  switch (code) {
  case OPTION_MODEL:
    return parse_models("--model", value, &options->models) ? EXIT_SUCCESS : EXIT_USAGE;
  case OPTION_CONFIG:
    return append_config("--config", value, &options->models) ? EXIT_SUCCESS : EXIT_FAILURE;
  case OPTION_SECTION:
    return parse_sections(value, &options->topics) ? EXIT_SUCCESS : EXIT_USAGE;
  default:
    *find_text(&options->texts, code) = value;
    return EXIT_SUCCESS;
  }
}

/* A number from 1 to most, or a letter. */
static bool read_size(const char *option, const char *text, size_t most, ExtentLetters *letters,
                      SymbolicSize *extent) {
  size_t number;
  if (symbolic_is_letter(text)) {
    *extent = symbolic_letter(letters, text);
    return true;
  }
  if (isalpha((unsigned char)*text)) {
    usage_error(
        "%s: \"%s\" is neither a number nor a letter; a letter may go on with letters, digits "
        "and _, up to %d characters, as in d_k.",
        option, text, EXTENT_NAME_SIZE - 1);
    return false;
  }
  if (!parse_size(option, text, 1, most, &number)) return false;
  *extent = symbolic_number((int64_t)number);
  return true;
}

/* The same for a size that may be left out. */
static bool read_size_or(const char *option, const char *text, size_t most, SymbolicSize otherwise,
                         ExtentLetters *letters, SymbolicSize *extent) {
  *extent = otherwise;
  return text == NULL || read_size(option, text, most, letters, extent);
}

/* True unless both are numbers and a rest is left. */
static bool divides(SymbolicSize divisor, SymbolicSize whole) {
  int64_t number;
  const SymbolicSize quotient = symbolic_over(whole, divisor);
  return !symbolic_is_constant(&quotient) || symbolic_get_number(&quotient, &number);
}

static bool check_heads(const ShapeOptions *options) {
  const ShapeSizes *const sizes = &options->sizes;
  if (!divides(sizes->kv_heads, sizes->heads)) {
    usage_error(
        "--kv-heads %s does not divide --heads %s; each key/value head serves the same number "
        "of query heads.",
        options->texts.kv_heads, options->texts.heads ? options->texts.heads : "1");
    return false;
  }
  if (options->texts.head_dim == NULL && !divides(sizes->heads, sizes->width)) {
    usage_error("--heads %s does not divide --d-model %s; give --head-dim.", options->texts.heads,
                options->texts.width);
    return false;
  }
  return true;
}

static bool read_dimensions(ShapeOptions *options) {
  const ShapeTexts *const texts = &options->texts;
  ShapeSizes *const sizes = &options->sizes;
  ExtentLetters *const letters = &sizes->letters;
  if (texts->width == NULL) {
    usage_error(
        "there is no layer; give --model, --config or --d-model, as in attend shapes --model "
        "qwen2.5-0.5b --tokens 50.");
    return false;
  }
  return read_size("--d-model", texts->width, DIMENSION_MAX, letters, &sizes->width) &&
         read_size_or("--heads", texts->heads, DIMENSION_MAX, symbolic_number(1), letters,
                      &sizes->heads) &&
         read_size_or("--kv-heads", texts->kv_heads, DIMENSION_MAX, sizes->heads, letters,
                      &sizes->kv_heads) &&
         check_heads(options) &&
         read_size_or("--head-dim", texts->head_dim, DIMENSION_MAX,
                      symbolic_over(sizes->width, sizes->heads), letters, &sizes->head_dim) &&
         read_size_or("--value-dim", texts->value_dim, DIMENSION_MAX, sizes->head_dim, letters,
                      &sizes->value_dim);
}

static SymbolicSize symbolic_of(size_t size) {
  return symbolic_number((int64_t)size);
}

static bool read_model(ShapeOptions *options) {
  const ShapeTexts *const texts = &options->texts;
  ShapeSizes *const sizes = &options->sizes;
  const AttendLayerShape *const shape = &options->models.items[0].shape;
  if (options->models.count > 1) {
    usage_error("attend shapes shows one model at a time; %zu were given.", options->models.count);
    return false;
  }
  if (texts->width || texts->heads || texts->kv_heads || texts->head_dim || texts->value_dim) {
    usage_error(
        "the dimensions of %s are known; give either a model or --d-model and what goes with "
        "it.",
        options->models.items[0].name);
    return false;
  }
  sizes->model = &options->models.items[0];
  sizes->width = symbolic_of(shape->width);
  sizes->heads = symbolic_of(shape->query_heads);
  sizes->kv_heads = symbolic_of(options->as_mha ? shape->query_heads : shape->kv_heads);
  sizes->head_dim = symbolic_of(shape->head_dim);
  sizes->value_dim = symbolic_of(shape->value_dim);
  if (options->as_mha && shape->kv_heads != shape->query_heads)
    sizes->real_kv_heads = shape->kv_heads;
  else if (options->as_mha)
    notice("--as-mha changes nothing: %s is plain multi-head attention.", sizes->model->name);
  return true;
}

static bool read_sizes(ShapeOptions *options) {
  const ShapeTexts *const texts = &options->texts;
  ShapeSizes *const sizes = &options->sizes;
  ExtentLetters *const letters = &sizes->letters;
  if (texts->batch && !read_size("--batch", texts->batch, BATCH_MAX, letters, &sizes->batch))
    return false;
  if (!read_size("--tokens", texts->tokens ? texts->tokens : "N", TOKENS_MAX, letters,
                 &sizes->tokens))
    return false;
  return options->models.count ? read_model(options) : read_dimensions(options);
}

/* A model has head, layer and chunks; sizes by hand the block too, which alone says all of one
 * head. */
static unsigned default_topics(const ShapeSizes *sizes) {
  const unsigned whole = 1u << SHAPE_HEAD | 1u << SHAPE_LAYER | 1u << SHAPE_CHUNKS;
  if (sizes->model) return whole;
  const bool one = symbolic_equal(sizes->heads, symbolic_number(1));
  return one ? 1u << SHAPE_BLOCK : whole | 1u << SHAPE_BLOCK;
}

static bool check_options(const ShapeOptions *options) {
  if (options->markdown && options->json) {
    usage_error("--markdown and --json are two forms of one table; give one of them.");
    return false;
  }
  if (options->quiz && options->key) {
    usage_error("--quiz prints the questions and --key the answers; give one of them at a time.");
    return false;
  }
  if (options->as_mha && options->models.count == 0) {
    usage_error("--as-mha is for a model; leave --kv-heads out to have as many as --heads.");
    return false;
  }
  return true;
}

int shape_read_options(int argc, char **argv, ShapeOptions *options) {
  *options = (ShapeOptions){0};
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", shape_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("shapes", code, argv, shape_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    const int taken = take_option(options, code, optarg);
    if (taken != EXIT_SUCCESS) return taken;
  }
  if (optind < argc) return bad_argument("shapes", argv[optind]);
  if (!check_options(options) || !read_sizes(options)) return EXIT_USAGE;
  if (options->topics == 0) options->topics = default_topics(&options->sizes);
  return EXIT_SUCCESS;
}
