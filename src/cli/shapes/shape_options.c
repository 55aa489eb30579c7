/* shape_options.c - reads the sizes of `attend shapes`.
 *
 * Letters are numbered in the order batch, tokens, width, heads, dimensions, in which textbooks
 * write products, whatever the order on the command line.
 */
#include "cli/shapes/shape_options.h"

#include <ctype.h>
#include <string.h>

#include "cli/message.h"
#include "cli/util/model_choice.h"

/* A number from 1 to most, or a letter. */
static bool read_symbolic(const char *name, const char *text, size_t most, SizeLetters *letters,
                          SymbolicSize *size) {
  const Option option = {.name = name, .least = 1, .most = most};
  size_t number;
  if (symbolic_is_letter(text)) {
    *size = symbolic_letter(letters, text);
    return true;
  }
  if (isalpha((unsigned char)*text)) {
    usage_error(
        "--%s: \"%s\" is neither a number nor a letter; a letter may go on with letters, digits "
        "and _, up to %d characters, as in d_k.",
        name, text, SYMBOLIC_NAME_SIZE - 1);
    return false;
  }
  if (read_size(&option, text, &number) != EXIT_SUCCESS) return false;
  *size = symbolic_number((int64_t)number);
  return true;
}

/* The same for a size that may be left out. */
static bool read_symbolic_or(const char *name, const char *text, size_t most,
                             SymbolicSize otherwise, SizeLetters *letters, SymbolicSize *size) {
  *size = otherwise;
  return text == NULL || read_symbolic(name, text, most, letters, size);
}

/* True unless both are numbers and a rest is left. */
static bool divides(SymbolicSize divisor, SymbolicSize whole) {
  int64_t number;
  const SymbolicSize quotient = symbolic_over(whole, divisor);
  return !symbolic_is_constant(&quotient) || symbolic_get_number(&quotient, &number);
}

static bool check_heads(const ShapeTexts *texts, const ShapeSizes *sizes) {
  if (!divides(sizes->kv_heads, sizes->heads)) {
    usage_error(
        "--kv-heads %s does not divide --heads %s; each key/value head serves the same number "
        "of query heads.",
        texts->kv_heads, texts->heads);
    return false;
  }
  if (texts->head_dim == NULL && !divides(sizes->heads, sizes->width)) {
    usage_error("--heads %s does not divide --d-model %s; give --head-dim.", texts->heads,
                texts->width);
    return false;
  }
  return true;
}

static bool read_dimensions(const ShapeTexts *texts, ShapeSizes *sizes) {
  SizeLetters *const letters = &sizes->letters;
  return read_symbolic("d-model", texts->width, DIMENSION_MAX, letters, &sizes->width) &&
         read_symbolic("heads", texts->heads, DIMENSION_MAX, letters, &sizes->heads) &&
         read_symbolic_or("kv-heads", texts->kv_heads, DIMENSION_MAX, sizes->heads, letters,
                          &sizes->kv_heads) &&
         check_heads(texts, sizes) &&
         read_symbolic_or("head-dim", texts->head_dim, DIMENSION_MAX,
                          symbolic_over(sizes->width, sizes->heads), letters, &sizes->head_dim) &&
         read_symbolic_or("value-dim", texts->value_dim, DIMENSION_MAX, sizes->head_dim, letters,
                          &sizes->value_dim);
}

static SymbolicSize symbolic_of(size_t size) {
  return symbolic_number((int64_t)size);
}

static void take_model(const AttendModel *model, bool as_mha, ShapeSizes *sizes) {
  const AttendLayerShape *const shape = &model->shape;
  sizes->model = model;
  sizes->width = symbolic_of(shape->width);
  sizes->heads = symbolic_of(shape->query_heads);
  sizes->kv_heads = symbolic_of(as_mha ? shape->query_heads : shape->kv_heads);
  sizes->head_dim = symbolic_of(shape->head_dim);
  sizes->value_dim = symbolic_of(shape->value_dim);
  if (as_mha && shape->kv_heads != shape->query_heads)
    sizes->real_kv_heads = shape->kv_heads;
  else if (as_mha)
    notice("--as-mha changes nothing: %s is plain multi-head attention.", model->name);
}

int shape_read_sizes(const ShapeOptions *options, AttendModel *model, ShapeSizes *sizes) {
  const ShapeTexts *const texts = &options->texts;
  *sizes = (ShapeSizes){0};
  if (texts->batch &&
      !read_symbolic("batch", texts->batch, BATCH_MAX, &sizes->letters, &sizes->batch))
    return EXIT_USAGE;
  if (!read_symbolic("tokens", texts->tokens, TOKENS_MAX, &sizes->letters, &sizes->tokens))
    return EXIT_USAGE;
  if (texts->width) return read_dimensions(texts, sizes) ? EXIT_SUCCESS : EXIT_USAGE;
  const ModelChoice choice = {.named = options->model, .config = options->config};
  const int status = model_read_chosen(&choice, model);
  if (status == EXIT_SUCCESS) take_model(model, options->as_mha, sizes);
  return status;
}
