/* test_naive.c - the steps of the naive path, on numbers small enough for paper.
 *
 * D, Dv and the scale are 1, so that the score of query q and key k is q * k and a row of the output
 * is one number. The expected numbers were worked out by hand, without any program.
 */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#define LN_2 0.69314718055994531
#define LN_3 1.0986122886681098

#define MAX_FLOATS 8

typedef struct HandCase {
  const char *name;
  size_t query_tokens, key_tokens, query_heads;
  float query[MAX_FLOATS]; /* [Nq, Hq] */
  float key[MAX_FLOATS];   /* [Nk] */
  float value[MAX_FLOATS]; /* [Nk] */
  bool causal;
  int64_t q_start;
  float softcap;
  const float *alibi_slopes, *sinks;
  double out[MAX_FLOATS]; /* [Nq, Hq] */
  double lse[MAX_FLOATS]; /* [Hq, Nq] */
} HandCase;

static AttendOptions options_of(const HandCase *c) {
  AttendOptions options;
  attend_default_options(&options);
  options.scale = 1.0f;
  options.causal = c->causal;
  options.q_start = c->q_start;
  options.softcap = c->softcap;
  options.alibi_slopes = c->alibi_slopes;
  options.sinks = c->sinks;
  return options;
}

static void run_case(AttendContext *context, const HandCase *c, const AttendOptions *options,
                     float *out, float *lse) {
  const AttendShape shape = {1, c->query_tokens, c->key_tokens, c->query_heads, 1, 1, 1};
  assert_ok(context,
            attend_core_forward(context, &shape,
                                attend_view_bnhd(c->query, c->query_tokens, c->query_heads, 1),
                                attend_view_bnhd(c->key, c->key_tokens, 1, 1),
                                attend_view_bnhd(c->value, c->key_tokens, 1, 1), options,
                                attend_output_bnhd(out, c->query_tokens, c->query_heads, 1), lse));
}

static bool is_near(double got, double expected) {
  if (isinf(expected)) return got == expected;
  return fabs(got - expected) <= 1e-6 * fmax(1.0, fabs(expected));
}

static void check_cases(const HandCase *cases, size_t count) {
  AttendContext *context =
      engine_open((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
  for (size_t k = 0; k < count; k++) {
    const HandCase *const c = &cases[k];
    const AttendOptions options = options_of(c);
    float out[MAX_FLOATS], lse[MAX_FLOATS];
    for (size_t i = 0; i < MAX_FLOATS; i++) out[i] = lse[i] = NAN;
    run_case(context, c, &options, out, lse);
    for (size_t i = 0; i < c->query_tokens * c->query_heads; i++) {
      if (!is_near((double)out[i], c->out[i]))
        fail_msg("%s: out[%zu] is %.9g, expected %.9g", c->name, i, (double)out[i], c->out[i]);
      if (!is_near((double)lse[i], c->lse[i]))
        fail_msg("%s: lse[%zu] is %.9g, expected %.9g", c->name, i, (double)lse[i], c->lse[i]);
    }
  }
  attend_close(&context);
}

/* Two scores of 0 and a sink of log s: each key has 1 / (2 + s) of the weight. */
static void sinks_take_their_share(void **state) {
  (void)state;
  static const float sinks[] = {0.0f, (float)LN_2, -INFINITY};
  const HandCase cases[] = {
      {.name = "a sink of 1, of 2 and none",
       .query_tokens = 1,
       .key_tokens = 2,
       .query_heads = 3,
       .key = {5, 7},
       .value = {12, 24},
       .sinks = sinks,
       .out = {12, 9, 18},
       .lse = {LN_3, 2 * LN_2, LN_2}},
      {.name = "rows that see no key",
       .query_tokens = 1,
       .key_tokens = 2,
       .query_heads = 3,
       .key = {NAN, 7},
       .value = {12, NAN},
       .causal = true,
       .q_start = -1,
       .sinks = sinks,
       .out = {0, 0, 0},
       .lse = {0, LN_2, -INFINITY}},
      {.name = "keys whose scores are -inf",
       .query_tokens = 1,
       .key_tokens = 2,
       .query_heads = 3,
       .query = {1, 1, 1},
       .key = {-INFINITY, -INFINITY},
       .value = {12, NAN},
       .sinks = sinks,
       .out = {0, 0, 0},
       .lse = {0, LN_2, -INFINITY}},
  };
  check_cases(cases, COUNT_OF(cases));
}

/* tanh((ln 3) / 2) is 1/2: a cap of 2 makes 1 of a score of ln 3. Scores 1 and -1 are weights of
 * 1 / (1 + e^-2) = 0.880797... and the rest, and log(e + 1/e) is 1.126928... */
static void softcap_bounds_scores(void **state) {
  (void)state;
  const HandCase cases[] = {
      {.name = "ln 3 and -ln 3 under a cap of 2",
       .query_tokens = 1,
       .key_tokens = 2,
       .query_heads = 1,
       .query = {(float)LN_3},
       .key = {1, -1},
       .value = {1, 0},
       .softcap = 2,
       .out = {0.88079707797788},
       .lse = {1.12692801104297}},
      {.name = "a hidden score is -inf, not the cap",
       .query_tokens = 1,
       .key_tokens = 2,
       .query_heads = 1,
       .query = {(float)LN_3},
       .key = {1, -1},
       .value = {3, 7},
       .softcap = 2,
       .causal = true,
       .out = {3},
       .lse = {1}},
  };
  check_cases(cases, COUNT_OF(cases));
}

/* All scores are 0, and with a slope of ln 2 a key at distance n has 2^-n of its weight. */
static void alibi_lowers_by_distance(void **state) {
  (void)state;
  static const float slopes[] = {(float)LN_2, 0.0f};
  const HandCase cases[] = {
      {.name = "weights 1/7, 2/7, 4/7 of one head and 1/3 of the other",
       .query_tokens = 1,
       .key_tokens = 3,
       .query_heads = 2,
       .key = {1, 2, 3},
       .value = {7, 14, 21},
       .causal = true,
       .q_start = 2,
       .alibi_slopes = slopes,
       .out = {17, 14},
       .lse = {0.55961578793542, LN_3}},
      {.name = "keys behind the query: weights 1/4, 1/2, 1/4",
       .query_tokens = 1,
       .key_tokens = 3,
       .query_heads = 2,
       .key = {1, 2, 3},
       .value = {8, 14, 24},
       .q_start = 1,
       .alibi_slopes = slopes,
       .out = {15, 46.0 / 3.0},
       .lse = {LN_2, LN_3}},
  };
  check_cases(cases, COUNT_OF(cases));
}

/* ---- every step at once, as a tap sees it ---- */

#define KEYS 4
#define MAX_MATRICES 16

typedef struct TapLog {
  size_t count;
  struct {
    AttendMatrix matrix;
    float data[2 * KEYS];
  } matrices[MAX_MATRICES];
} TapLog;

static void keep_matrix(void *user, const AttendMatrix *matrix) {
  TapLog *const seen = user;
  assert_true(seen->count < MAX_MATRICES);
  assert_true(matrix->rows * matrix->columns <= COUNT_OF(seen->matrices->data));
  for (size_t r = 0; r < matrix->rows; r++)
    memcpy(seen->matrices[seen->count].data + r * matrix->columns,
           matrix->data + r * matrix->row_stride, matrix->columns * sizeof(float));
  seen->matrices[seen->count++].matrix = *matrix;
}

typedef struct Expected {
  const char *name;
  size_t rows, columns;
  double data[2 * KEYS];
} Expected;

/* Two queries at positions 1 and 2 whose window reaches one key back and one ahead. The mask hides
 * key 1 from both, and a bias of -inf hides key 3 from the second. Under a cap of 2 the scores ln
 * 3, 0, -ln 3 become 1, 0, -1; the slope is 1. */
static const Expected expected[] = {
    {"query", 2, 1, {LN_3, -LN_3}},
    {"key", 4, 1, {1, 1, -1, 0}},
    {"value", 4, 1, {6, 1, 3, 2}},
    {"scores", 2, 4, {LN_3, LN_3, -LN_3, 0, -LN_3, -LN_3, LN_3, 0}},
    {"capped_scores", 2, 4, {1, 1, -1, 0, -1, -1, 1, 0}},
    {"masked_scores",
     2,
     4,
     {1 - 1 + 2, -INFINITY, -1 - 1 + 4, -INFINITY, -INFINITY, -INFINITY, 1 - 0 + 4, -INFINITY}},
    {"weights", 2, 4, {0.5, 0, 0.5, 0, 0, 0, 1, 0}},
    {"context", 2, 1, {4.5, 3}},
};

static const HandCase every_step = {.query_tokens = 2,
                                    .key_tokens = 4,
                                    .query_heads = 1,
                                    .query = {(float)LN_3, -(float)LN_3},
                                    .key = {1, 1, -1, 0},
                                    .value = {6, 1, 3, 2},
                                    .q_start = 1,
                                    .softcap = 2};

static const float one_slope[] = {1};
static const float every_bias[] = {2, 9, 4, 9, 9, 9, 4, -INFINITY};
static const uint8_t every_mask[] = {1, 0, 1, 1};

static AttendOptions every_option(void) {
  AttendOptions options = options_of(&every_step);
  options.alibi_slopes = one_slope;
  options.window_left = options.window_right = 1;
  options.bias = (AttendBias){.data = every_bias, .query_stride = KEYS, .key_stride = 1};
  options.mask = (AttendMask){.data = every_mask, .key_stride = 1};
  return options;
}

/* Runs the case with tap rows first .. first + count, 0 for all, and compares what the tap saw. */
static void check_matrices(size_t first, size_t count) {
  AttendContext *context =
      engine_open((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
  const AttendOptions options = every_option();
  TapLog seen = {0};
  float out[2];
  assert_ok(context, attend_set_tap(context, keep_matrix, &seen));
  assert_ok(context, attend_set_tap_rows(context, first, count));
  run_case(context, &every_step, &options, out, NULL);
  assert_true(is_near((double)out[0], 4.5) && is_near((double)out[1], 3));
  assert_int_equal(seen.count, COUNT_OF(expected));
  for (size_t m = 0; m < seen.count; m++) {
    const Expected *const e = &expected[m];
    const AttendMatrix *const got = &seen.matrices[m].matrix;
    const bool is_restricted = count > 0 && e->columns == KEYS;
    const size_t from = is_restricted ? first : 0, rows = is_restricted ? count : e->rows;
    assert_string_equal(got->name, e->name);
    assert_int_equal(got->first_row, from);
    assert_int_equal(got->rows, rows);
    assert_int_equal(got->columns, e->columns);
    for (size_t i = 0; i < rows * e->columns; i++) {
      const double value = (double)seen.matrices[m].data[i], right = e->data[from * e->columns + i];
      if (!is_near(value, right))
        fail_msg("%s, rows from %zu: element %zu is %.9g, expected %.9g", e->name, from, i, value,
                 right);
    }
  }
  attend_close(&context);
}

static void every_step_in_order(void **state) {
  (void)state;
  check_matrices(0, 0);
}

static void rows_of_a_tap(void **state) {
  (void)state;
  check_matrices(0, 1);
  check_matrices(1, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sinks_take_their_share),
      cmocka_unit_test(softcap_bounds_scores),
      cmocka_unit_test(alibi_lowers_by_distance),
      cmocka_unit_test(every_step_in_order),
      cmocka_unit_test(rows_of_a_tap),
  };
  return cmocka_run_group_tests_name("naive", tests, NULL, NULL);
}
