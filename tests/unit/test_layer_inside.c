/* test_layer_inside.c - every matrix on the way through a layer, as taps see it.
 *
 * A case small enough to be computed by hand does without the oracle; a larger one checks the
 * order, the sizes and what holds of a mask and of weights whatever the data.
 */
#include "tests/support/layer_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the case computed by hand ---- */

static const float hand_x[] = {1, 1, 0, 1};
static const float hand_q[] = {3, -1, 1, 1};
static const float hand_k[] = {2, -2, 1, 3};
static const float hand_v[] = {2, -2, 0, 2};
static const float hand_o[] = {2, 0, 0, 1};

/* Q K^T is [[12, 4], [4, 4]], divided by sqrt(2) here; 0.9965... is 1 / (1 + exp(-8 / sqrt(2))). */
static const struct {
  const char *name;
  double data[4];
} hand_matrices[] = {
    {"query", {4, 0, 1, 1}},
    {"key", {3, 1, 1, 3}},
    {"value", {2, 0, 0, 2}},
    {"scores", {8.485281374238570, 2.828427124746190, 2.828427124746190, 2.828427124746190}},
    {"masked_scores", {8.485281374238570, 2.828427124746190, 2.828427124746190, 2.828427124746190}},
    {"weights", {0.99651867270, 0.00348132730, 0.5, 0.5}},
    {"context", {1.99303734541, 0.00696265459, 1, 1}},
    {"concat", {1.99303734541, 0.00696265459, 1, 1}},
    {"output", {3.98607469081, 0.00696265459, 2, 1}},
};

static AttendWeights *pack_hand_weights(AttendContext *context) {
  const AttendLayerShape shape = {2, 1, 1, 2, 2};
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = hand_q;
  source.key = hand_k;
  source.value = hand_v;
  source.output = hand_o;
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &shape, &source, &weights));
  return weights;
}

static void check_hand_matrix(void *user, const AttendMatrix *matrix) {
  size_t *const next = user;
  assert_true(*next < COUNT_OF(hand_matrices));
  assert_string_equal(matrix->name, hand_matrices[*next].name);
  assert_int_equal(matrix->batch, 0);
  assert_int_equal(matrix->head, 0);
  assert_int_equal(matrix->rows, 2);
  assert_int_equal(matrix->columns, 2);
  for (size_t r = 0; r < 2; r++)
    for (size_t c = 0; c < 2; c++) {
      const double got = (double)matrix->data[r * matrix->row_stride + c];
      const double expected = hand_matrices[*next].data[2 * r + c];
      if (!(fabs(got - expected) <= 1e-6 * fmax(1.0, fabs(expected))))
        fail_msg("%s (%zu, %zu) is %.9g, expected %.9g", matrix->name, r, c, got, expected);
    }
  ++*next;
}

static void hand_computed_matrices(void **state) {
  (void)state;
  AttendContext *context =
      engine_open((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
  AttendWeights *weights = pack_hand_weights(context);
  AttendOptions options;
  attend_default_options(&options);
  options.causal = false;
  size_t seen = 0;
  float y[4];
  assert_ok(context, attend_set_tap(context, check_hand_matrix, &seen));
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
  assert_int_equal(seen, COUNT_OF(hand_matrices));
  assert_ok(context, attend_set_tap(context, NULL, NULL));
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
  assert_int_equal(seen, COUNT_OF(hand_matrices));
  attend_free_weights(&weights);
  attend_close(&context);
}

/* With the causal mask the first token sees itself alone: its context is its value, [2, 0]. */
static void hand_computed_outputs(void **state) {
  (void)state;
  static const double expected[2][4] = {{4, 0, 2, 1}, {3.98607469081, 0.00696265459, 2, 1}};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_hand_weights(context);
    for (size_t bidirectional = 0; bidirectional < 2; bidirectional++) {
      AttendOptions options;
      attend_default_options(&options);
      options.causal = !bidirectional;
      float y[4] = {NAN, NAN, NAN, NAN};
      assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
      for (size_t i = 0; i < 4; i++)
        if (!(fabs((double)y[i] - expected[bidirectional][i]) <= 4e-6))
          fail_msg("path=%s isa=%s causal=%d: y[%zu] is %.9g, expected %.9g",
                   attend_path_name(engines[k].path), attend_isa_name(engines[k].isa),
                   options.causal, i, (double)y[i], expected[bidirectional][i]);
    }
    attend_free_weights(&weights);
    attend_close(&context);
  }
}

/* ---- taps ---- */

typedef struct TapLog {
  const LayerProblem *problem;
  AttendPath path;
  size_t calls_of_batch[2];
  const float *y;
} TapLog;

/* The matrices of a head, in their order, with the number of their columns. The naive path shows
 * all of them, the blas path those of scores, and the tiled path, asked for no rows, none. */
typedef struct HeadMatrix {
  const char *name;
  size_t columns;
  bool of_kv_head, of_scores;
} HeadMatrix;

static size_t list_head_matrices(const LayerCase *c, AttendPath path, HeadMatrix list[7]) {
  const AttendLayerShape *const s = &c->shape;
  const HeadMatrix all[7] = {
      {"query", s->head_dim, false, false},      {"key", s->head_dim, true, false},
      {"value", s->value_dim, true, false},      {"scores", c->tokens, false, true},
      {"masked_scores", c->tokens, false, true}, {"weights", c->tokens, false, true},
      {"context", s->value_dim, false, false}};
  size_t count = 0;
  for (size_t k = 0; k < COUNT_OF(all); k++)
    if (path == ATTEND_PATH_NAIVE || (path == ATTEND_PATH_BLAS && all[k].of_scores))
      list[count++] = all[k];
  return count;
}

/* Hidden keys have a score of -inf and no weight, and the weights of a row are a whole. */
static void check_score_row(const AttendMatrix *matrix, size_t r) {
  const float *const row = matrix->data + r * matrix->row_stride;
  const bool is_masked = strcmp(matrix->name, "masked_scores") == 0;
  double sum = 0.0;
  if (strcmp(matrix->name, "scores") == 0) return;
  for (size_t j = 0; j < matrix->columns; j++) {
    if (j > r) assert_true(row[j] == (is_masked ? -INFINITY : 0.0f));
    sum += (double)row[j];
  }
  if (!is_masked) assert_true(fabs(sum - 1.0) < 1e-5);
}

/* Which matrix the `call`th of a sequence must be, and its size. */
static void check_tap(void *user, const AttendMatrix *matrix) {
  TapLog *const log = user;
  const LayerCase *const c = &log->problem->spec;
  const AttendLayerShape *const s = &c->shape;
  HeadMatrix list[7];
  const size_t listed = list_head_matrices(c, log->path, list);
  assert_true(matrix->batch < c->batch);
  const size_t call = log->calls_of_batch[matrix->batch]++;
  assert_int_equal(matrix->rows, c->tokens);
  assert_int_equal(matrix->first_row, 0);
  if (call >= listed * s->query_heads) {
    const bool is_output = call > listed * s->query_heads;
    assert_string_equal(matrix->name, is_output ? "output" : "concat");
    assert_int_equal(matrix->head, 0);
    assert_int_equal(matrix->columns, is_output ? s->width : log->problem->columns.context);
    for (size_t r = 0; is_output && r < matrix->rows; r++)
      assert_memory_equal(matrix->data + r * matrix->row_stride,
                          log->y + (matrix->batch * c->tokens + r) * s->width,
                          s->width * sizeof(float));
    return;
  }
  const HeadMatrix *const expected = &list[call % listed];
  const size_t head = call / listed, group = s->query_heads / s->kv_heads;
  assert_string_equal(matrix->name, expected->name);
  assert_int_equal(matrix->head, expected->of_kv_head ? head / group : head);
  assert_int_equal(matrix->columns, expected->columns);
  for (size_t r = 0; expected->of_scores && r < matrix->rows; r++) check_score_row(matrix, r);
}

static void taps_see_every_matrix_in_order(void **state) {
  (void)state;
  const LayerCase spec = {.shape = {24, 4, 2, 6, 10}, .batch = 2, .tokens = 7};
  LayerProblem problem = layer_problem_new(&spec);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_form(context, &problem, (Form){ATTEND_IN_OUT, true});
    float *const y = new_bytes(2 * 7 * 24 * sizeof *y);
    TapLog log = {.problem = &problem, .path = engines[k].path, .y = y};
    HeadMatrix list[7];
    const size_t calls = 4 * list_head_matrices(&spec, engines[k].path, list) + 2;
    assert_ok(context, attend_set_tap(context, check_tap, &log));
    assert_ok(context, attend_layer_forward(context, weights, NULL, 2, 7, problem.x, NULL, y));
    assert_int_equal(log.calls_of_batch[0], calls);
    assert_int_equal(log.calls_of_batch[1], calls);
    free(y);
    attend_free_weights(&weights);
    attend_close(&context);
  }
  layer_problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hand_computed_matrices),
      cmocka_unit_test(hand_computed_outputs),
      cmocka_unit_test(taps_see_every_matrix_in_order),
  };
  return cmocka_run_group_tests_name("layer_inside", tests, NULL, NULL);
}
