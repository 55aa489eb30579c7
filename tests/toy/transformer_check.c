/* transformer_check.c - what is expected of a model, and the ways to run it; see
 * transformer_check.h. */
#include "tests/toy/transformer_check.h"

#include <math.h>
#include <stdlib.h>

#include "examples/toy/transformer.h"

static double find_gap(const double *logits, size_t count) {
  const size_t largest = oracle_largest(logits, count);
  double gap = INFINITY;
  for (size_t i = 0; i < count; i++)
    if (i != largest) gap = fmin(gap, logits[largest] - logits[i]);
  return gap;
}

/* Four times the largest error of the oracle that rounds, over these tokens. */
static double find_allowed(const char *path, const OracleBiases *biases, const Expected *e,
                           OracleRounding rounding) {
  OracleTransformer *const coarse = oracle_transformer_open(path, biases, rounding);
  assert_non_null(coarse);
  double error = 0;
  for (size_t i = 0; i < e->count; i++) {
    const double *const logits = oracle_transformer_feed(coarse, e->tokens[i]);
    for (size_t v = 0; v < e->vocabulary; v++)
      error = fmax(error, fabs(logits[v] - e->logits[i * e->vocabulary + v]));
  }
  oracle_transformer_close(coarse);
  return 4 * error;
}

Expected expect_continuation(const char *path, const OracleBiases *biases, size_t given,
                             size_t count) {
  OracleTransformer *const oracle = oracle_transformer_open(path, biases, (OracleRounding){0});
  assert_non_null(oracle);
  Expected e = {given, count, oracle_transformer_vocabulary(oracle), NULL, NULL, NULL, 0, INFINITY};
  assert_true(count <= oracle_transformer_context(oracle));
  e.tokens = new_bytes(count * sizeof *e.tokens);
  e.logits = new_bytes(count * e.vocabulary * sizeof *e.logits);
  e.gaps = new_bytes(count * sizeof *e.gaps);
  for (size_t i = 0; i < count; i++) {
    if (i < given)
      e.tokens[i] = i == 0 ? 1 : (i * 7919 + 13) % e.vocabulary;
    else
      e.tokens[i] = oracle_largest(e.logits + (i - 1) * e.vocabulary, e.vocabulary);
    const double *const logits = oracle_transformer_feed(oracle, e.tokens[i]);
    for (size_t v = 0; v < e.vocabulary; v++) e.logits[i * e.vocabulary + v] = logits[v];
    e.gaps[i] = find_gap(logits, e.vocabulary);
    if (i + 1 >= given) e.smallest = fmin(e.smallest, e.gaps[i]);
  }
  oracle_transformer_close(oracle);
  e.allowed = find_allowed(path, biases, &e, (OracleRounding){.in_float = true});
  return e;
}

void expected_free(Expected *e) {
  free(e->tokens), free(e->logits), free(e->gaps);
}

/* A way to run the model. */
typedef struct Way {
  Engine engine;
  size_t threads, chunk;
  AttendStorage storage;
  double allowed;
} Way;

/* Compares the logits after token i, and the choice where no error that is allowed can change
 * it. */
static void check_logits(const Way *way, const Expected *e, size_t i, const float *logits) {
  const double *const expected = e->logits + i * e->vocabulary;
  size_t largest = 0;
  for (size_t v = 0; v < e->vocabulary; v++) {
    if (logits[v] > logits[largest]) largest = v;
    if (is_close((double)logits[v], expected[v], way->allowed)) continue;
    fail_msg("%s %s, %s over %s, %zu threads, chunks of %zu: logit %zu after token %zu is %.9g, "
             "expected %.9g within %.2g",
             attend_path_name(way->engine.path), attend_isa_name(way->engine.isa),
             attend_precision_name(way->engine.precision), attend_storage_name(way->storage),
             way->threads, way->chunk, v, i, (double)logits[v], expected[v], way->allowed);
  }
  if (e->gaps[i] > 2 * way->allowed)
    assert_int_equal(largest, oracle_largest(expected, e->vocabulary));
}

static void run(ReadModel read, const char *path, const Expected *e, const Way *way) {
  AttendContext *context = engine_open(way->engine, way->threads);
  Complaint complaint = {""};
  Model *const model = new_bytes(sizeof *model);
  Transformer *const transformer = new_bytes(sizeof *transformer);
  if (!read(path, context, way->storage, model, &complaint) ||
      !transformer_open(transformer, model, context, e->count, way->chunk, &complaint) ||
      !transformer_feed(transformer, e->tokens, e->given, &complaint))
    fail_msg("%s", complaint.text);
  assert_int_equal(model->vocabulary, e->vocabulary);
  check_logits(way, e, e->given - 1, transformer->logits);
  for (size_t i = e->given; i < e->count; i++) {
    if (!transformer_feed(transformer, &e->tokens[i], 1, &complaint))
      fail_msg("%s", complaint.text);
    check_logits(way, e, i, transformer->logits);
  }
  transformer_close(transformer);
  model_free(model);
  attend_close(&context);
  free(transformer), free(model);
}

void check_engines(ReadModel read, const char *path, const Expected *expected, const size_t *chunks,
                   size_t chunk_count) {
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  for (size_t i = 0; i < engine_count; i++)
    for (size_t c = 0; c < chunk_count; c++)
      run(read, path, expected,
          &(Way){engines[i], 1 + chunks[c] % 2, chunks[c], ATTEND_STORAGE_AUTO, expected->allowed});
}

/* What a precision and a storage round. bf16x6 and bf16x3 storage are exact to 24 bits and more. In
 * bf16x3 a product is off by 2^-15 at worst, as if both factors had 15 bits. fp16's multiples of
 * 2^-24 below 2^-14 are finer than what 11 bits lose of larger numbers. */
static OracleRounding rounding_of(const Coarseness *how) {
  static const int operands[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_BF16X3] = 15, [ATTEND_PRECISION_BF16] = 8};
  static const int stored[ATTEND_STORAGE_COUNT] = {
      [ATTEND_STORAGE_BF16] = 8, [ATTEND_STORAGE_BF16X2] = 16, [ATTEND_STORAGE_FP16] = 11};
  return (OracleRounding){true, stored[how->storage], operands[how->precision]};
}

void check_coarse(ReadModel read, const char *path, const Expected *e, size_t chunk,
                  Coarseness *how) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines_in(how->precision, engines);
  how->allowed = find_allowed(path, NULL, e, rounding_of(how));
  how->compared = 0;
  for (size_t i = e->given; i < e->count; i++) how->compared += e->gaps[i - 1] > 2 * how->allowed;
  for (size_t k = 0; k < count; k++)
    run(read, path, e, &(Way){engines[k], 1 + k % 2, chunk, how->storage, how->allowed});
}
