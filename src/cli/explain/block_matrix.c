/* block_matrix.c - projections of the library, fused and apart, held against each other.
 *
 * The library has no call for a product by itself, but a layer with a cache keeps K = X W_k as its
 * fused projection has formed it. A layer of one head whose W_k is the matrix in question therefore
 * gives any product X W by the code that `attend bench` times.
 */
#include "cli/explain/block_matrix.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain/matrix_print.h"
#include "cli/lesson/random_lesson.h"

__attribute__((format(printf, 2, 3))) static bool refuse(char *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error, LESSON_ERROR_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

/* X goes through a layer whose keys are the product, and they are read back from its cache. */
static AttendStatus project_in(AttendContext *context, const Matrix *x, const Matrix *w,
                               const AttendWeightSource *source, float *y, Matrix *product) {
  const AttendLayerShape shape = {x->columns, 1, 1, w->columns, 1};
  AttendCacheSettings cached;
  attend_default_cache_settings(&cached);
  cached.capacity = x->rows;
  AttendWeights *weights = NULL;
  AttendCache *cache = NULL;
  float *const values = malloc(x->rows * sizeof *values);
  AttendStatus status = values != NULL ? ATTEND_OK : ATTEND_STATUS_OUT_OF_MEMORY;
  if (status == ATTEND_OK) status = attend_pack_weights(context, &shape, source, &weights);
  if (status == ATTEND_OK) status = attend_open_cache(context, &shape, &cached, &cache);
  if (status == ATTEND_OK) {
    status = attend_layer_forward(context, weights, cache, 1, x->rows, x->data, NULL, y);
  }
  if (status == ATTEND_OK) {
    status = attend_read_cache(context, cache, 0, 0, x->rows,
                               attend_output_bnhd(product->data, x->rows, 1, w->columns),
                               attend_output_bnhd(values, x->rows, 1, 1));
  }
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  free(values);
  return status;
}

/* product = X W by the library. False with the sentence in error. */
static bool project(AttendContext *context, const Matrix *x, const Matrix *w, Matrix *product,
                    char *error) {
  Matrix zeros, y = {0};
  *product = (Matrix){0};
  AttendStatus status = ATTEND_STATUS_OUT_OF_MEMORY;
  if (matrix_new(1, x->columns, &zeros) && matrix_new(x->rows, x->columns, &y) &&
      matrix_new(x->rows, w->columns, product)) {
    AttendWeightSource source;
    attend_default_weight_source(&source);
    source.query = source.key = w->data;
    source.value = source.output = zeros.data;
    status = project_in(context, x, w, &source, y.data, product);
  }
  matrix_free(&zeros);
  matrix_free(&y);
  if (status == ATTEND_OK) return true;
  matrix_free(product);
  const char *const said = attend_get_error(context);
  return refuse(error, "X W could not be computed: %s",
                said[0] != '\0' ? said : attend_status_message(status));
}

static bool open_context(AttendPath path, const RunSettings *settings, AttendContext **context,
                         char *error) {
  AttendSettings library;
  attend_default_settings(&library);
  library.path = path;
  library.isa = settings->isa;
  library.threads = settings->threads;
  const AttendStatus status = attend_open(context, &library);
  if (status == ATTEND_OK) return true;
  return refuse(error, "%s", attend_status_message(status));
}

AttendModel block_class_model(void) {
  return (AttendModel){.name = "class", .shape = {64, 2, 2, 32, 32}, .layers = 1};
}

/* One head: X W_head against the head's columns of the fused product. */
static bool compare_head(AttendContext *context, const Matrix *x, const Matrix *w,
                         const Matrix *fused, size_t head, size_t dim, BlockProduct *product,
                         char *error) {
  Matrix block, apart = {0}, chunk = {0};
  bool done = matrix_copy(w->data + head * dim, w->rows, dim, w->columns, &block) &&
              matrix_copy(fused->data + head * dim, fused->rows, dim, fused->columns, &chunk);
  if (!done) refuse(error, "memory for a head's weights is missing");
  done = done && project(context, x, &block, &apart, error);
  if (done) {
    const double difference = matrix_difference(&apart, &chunk);
    if (!(difference <= product->difference)) product->difference = difference;
    const MatrixRange range = matrix_range(&apart);
    product->magnitude = fmax(product->magnitude, fmax(fabs(range.least), fabs(range.most)));
    for (size_t i = 0; i < apart.rows * apart.columns; i++) {
      product->equal += apart.data[i] == chunk.data[i];
    }
    product->elements += apart.rows * apart.columns;
  }
  matrix_free(&block);
  matrix_free(&apart);
  matrix_free(&chunk);
  return done;
}

static bool compare_product(AttendContext *context, const Lesson *lesson, size_t part,
                            BlockComparison *comparison, char *error) {
  const AttendLayerShape *const s = &lesson->shape;
  const Matrix *const x = &lesson->matrices[LESSON_X];
  const Matrix *const w = &lesson->matrices[(size_t)LESSON_W_Q + part];
  const size_t heads = part == 0 ? s->query_heads : s->kv_heads;
  const size_t dim = part == 2 ? s->value_dim : s->head_dim;
  Matrix fused;
  bool done = project(context, x, w, &fused, error);
  for (size_t h = 0; done && h < heads; h++) {
    done = compare_head(context, x, w, &fused, h, dim, &comparison->products[part], error);
  }
  matrix_free(&fused);
  return done;
}

bool block_compare(const AttendModel *model, size_t tokens, size_t seed, AttendPath path,
                   const RunSettings *settings, BlockComparison *comparison, char *error) {
  *comparison = (BlockComparison){.shape = model->shape, .tokens = tokens};
  snprintf(comparison->name, sizeof comparison->name, "%s", model->name);
  Lesson lesson;
  if (!random_lesson_fill(model, tokens, seed, &lesson)) {
    return refuse(error, "memory for the weights of %s is missing", model->name);
  }
  AttendContext *context = NULL;
  bool done = open_context(path, settings, &context, error);
  for (size_t part = 0; done && part < 3; part++) {
    done = compare_product(context, &lesson, part, comparison, error);
  }
  attend_close(&context);
  lesson_free(&lesson);
  return done;
}

void block_print_comparison(FILE *file, const BlockComparison *comparison) {
  static const char names[] = {'Q', 'K', 'V'};
  const AttendLayerShape *const s = &comparison->shape;
  fprintf(file, "\n%s: E = %zu, D = %zu, Hq = %zu, Hk = %zu, N = %zu, on random data\n",
          comparison->name, s->width, s->head_dim, s->query_heads, s->kv_heads, comparison->tokens);
  fprintf(file, "     %-3s %-17s %-17s %-20s %-18s  %s\n", "", "fused", "each head",
          "elements equal", "largest difference", "largest element");
  for (size_t part = 0; part < 3; part++) {
    const size_t heads = part == 0 ? s->query_heads : s->kv_heads;
    const size_t dim = part == 2 ? s->value_dim : s->head_dim;
    char fused[40], apart[40], equal[48];
    snprintf(fused, sizeof fused, "[%zu × %zu]", comparison->tokens, heads * dim);
    snprintf(apart, sizeof apart, "[%zu × %zu]", comparison->tokens, dim);
    snprintf(equal, sizeof equal, "%zu of %zu", comparison->products[part].equal,
             comparison->products[part].elements);
    fprintf(file, "     %c   ", names[part]);
    print_padded(file, fused, 18, false);
    print_padded(file, apart, 18, false);
    fprintf(file, "%-20s %-18.3g  %.3g\n", equal, comparison->products[part].difference,
            comparison->products[part].magnitude);
  }
}

static void join(const Matrix *left, const Matrix *right, Matrix *both) {
  for (size_t r = 0; r < left->rows; r++) {
    float *const row = both->data + r * both->columns;
    memcpy(row, left->data + r * left->columns, left->columns * sizeof *row);
    memcpy(row + left->columns, right->data + r * right->columns, right->columns * sizeof *row);
  }
}

static void print_named(FILE *file, const char *name, const Matrix *matrix, size_t chunk) {
  const MatrixStyle style = {.digits = 4, .chunk = chunk};
  fprintf(file, "\n   %s  [%zu × %zu]\n", name, matrix->rows, matrix->columns);
  matrix_print(file, matrix, &style);
}

bool block_print_identity(FILE *file, AttendPath path, const RunSettings *settings, char *error) {
  float a_data[] = {1, 1, 0, 1}, left_data[] = {3, -1, 1, 1}, right_data[] = {2, -2, 1, 3};
  float both_data[8], parts_data[8];
  const Matrix a = {2, 2, a_data}, left = {2, 2, left_data}, right = {2, 2, right_data};
  Matrix both = {2, 4, both_data}, parts = {2, 4, parts_data};
  Matrix fused = {0}, left_product = {0}, right_product = {0};
  join(&left, &right, &both);
  AttendContext *context = NULL;
  const bool done = open_context(path, settings, &context, error) &&
                    project(context, &a, &both, &fused, error) &&
                    project(context, &a, &left, &left_product, error) &&
                    project(context, &a, &right, &right_product, error);
  if (done) {
    join(&left_product, &right_product, &parts);
    fputs("A [B_0 | B_1] = [A B_0 | A B_1]: column j of a product needs column j of the right "
          "matrix\nonly, so that it does not matter what stands beside it.\n",
          file);
    print_named(file, "A", &a, 0);
    print_named(file, "[B_0 | B_1]", &both, 2);
    print_named(file, "A [B_0 | B_1], one product", &fused, 2);
    print_named(file, "A B_0", &left_product, 0);
    print_named(file, "A B_1", &right_product, 0);
    print_named(file, "[A B_0 | A B_1], side by side", &parts, 2);
    fprintf(file, "     largest difference %.3g\n", matrix_difference(&fused, &parts));
  }
  attend_close(&context);
  matrix_free(&fused);
  matrix_free(&left_product);
  matrix_free(&right_product);
  return done;
}
