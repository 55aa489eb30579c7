/* test_merge.c - attention over all keys from attention over parts of them.
 *
 * Parts that the library computed itself, on every engine, against the oracle's whole; states of
 * random numbers against the formula in double; and the promises about bits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/core_problem.h"

#define MAX_PARTS 6

/* States in memory of their own, dense: out [B, Nq, Hq, Dv], lse [B, Hq, Nq]. */
typedef struct States {
  AttendShape shape;
  size_t count, floats, rows;
  float *out[MAX_PARTS], *lse[MAX_PARTS];
  AttendState parts[MAX_PARTS];
} States;

static States states_new(const AttendShape *shape, size_t count) {
  States s = {.shape = *shape, .count = count};
  s.rows = shape->batch * shape->query_heads * shape->query_tokens;
  s.floats = s.rows * shape->value_dim;
  for (size_t k = 0; k < count; k++) {
    s.out[k] = guarded_new(s.floats * sizeof(float), 4 * k);
    s.lse[k] = guarded_new(s.rows * sizeof(float), 4 * k);
    s.parts[k] = (AttendState){
        attend_view_bnhd(s.out[k], shape->query_tokens, shape->query_heads, shape->value_dim),
        s.lse[k]};
  }
  return s;
}

static void states_free(States *states) {
  for (size_t k = 0; k < states->count; k++) {
    guarded_free(states->out[k], "a part's out");
    guarded_free(states->lse[k], "a part's lse");
  }
}

static AttendOutputView dense_output(const AttendShape *s, float *out) {
  return attend_output_bnhd(out, s->query_tokens, s->query_heads, s->value_dim);
}

/* Random states; a part sees no key in a row with a chance of one in `empty` (0: never), and what
 * it then holds is NaN. */
static void fill_states(States *states, uint64_t seed, float bound, size_t empty) {
  const AttendShape *const s = &states->shape;
  for (size_t k = 0; k < states->count; k++) {
    fill_random(seed * 31 + k, 2.0f, states->out[k], states->floats);
    fill_random(seed * 37 + k, bound, states->lse[k], states->rows);
    for (size_t r = 0; empty && r < states->rows; r++) {
      if (case_draw(seed * 41 + k, r, empty) != 0) continue;
      const size_t i = r % s->query_tokens, h = r / s->query_tokens % s->query_heads;
      const size_t b = r / s->query_tokens / s->query_heads;
      float *const row =
          states->out[k] + ((b * s->query_tokens + i) * s->query_heads + h) * s->value_dim;
      states->lse[k][r] = -INFINITY;
      for (size_t d = 0; d < s->value_dim; d++) row[d] = NAN;
    }
  }
}

/* The formula for one element; *allowed is what rounding explains. */
static double merged(const States *states, size_t row, size_t at, double *lse, double *allowed) {
  double top = -INFINITY, sum = 0.0, out = 0.0, size = 0.0;
  for (size_t k = 0; k < states->count; k++) top = fmax(top, (double)states->lse[k][row]);
  *allowed = 0.0;
  *lse = -INFINITY;
  if (top == -INFINITY) return 0.0;
  for (size_t k = 0; k < states->count; k++) {
    const double weight = exp((double)states->lse[k][row] - top);
    if (weight == 0.0) continue;
    sum += weight;
    out += weight * (double)states->out[k][at];
    size += weight * fabs((double)states->out[k][at]);
  }
  *lse = top + log(sum);
  *allowed = 4.0 * 0x1p-24 * (2.0 + fabs(top)) * size / sum + 1e-30;
  return out / sum;
}

static void check_merged(const States *states, const float *out, const float *lse) {
  const AttendShape *const s = &states->shape;
  for (size_t r = 0; r < states->rows; r++) {
    const size_t i = r % s->query_tokens, h = r / s->query_tokens % s->query_heads;
    const size_t b = r / s->query_tokens / s->query_heads;
    for (size_t d = 0; d < s->value_dim; d++) {
      const size_t at = ((b * s->query_tokens + i) * s->query_heads + h) * s->value_dim + d;
      double total, allowed;
      const double expected = merged(states, r, at, &total, &allowed);
      if (!is_close((double)out[at], expected, allowed) ||
          !is_close((double)lse[r], total, 4.0 * 0x1p-24 * (1.0 + fabs(total))))
        fail_msg("%zu parts: b=%zu i=%zu h=%zu d=%zu is %.9g, expected %.9g +- %.2g; lse %.9g, "
                 "expected %.9g",
                 states->count, b, i, h, d, (double)out[at], expected, allowed, (double)lse[r],
                 total);
    }
  }
}

static void states_of_random_numbers(void **state) {
  (void)state;
  AttendContext *context = auto_open(3);
  for (uint64_t seed = 1; seed <= 60; seed++) {
    const AttendShape shape = {.batch = 1 + seed % 3,
                               .query_tokens = 1 + seed % 7,
                               .query_heads = 1 + seed % 4,
                               .value_dim = seed % 5 ? 1 + 13 * (seed % 11) : 64};
    States states = states_new(&shape, 1 + seed % MAX_PARTS);
    fill_states(&states, seed, seed % 2 ? 3.0f : 90.0f, seed % 3 ? 3 : 0);
    float *const out = guarded_new(states.floats * sizeof *out, 4);
    float *const lse = guarded_new(states.rows * sizeof *lse, 8);
    assert_ok(context, attend_merge_states(context, &shape, states.parts, states.count,
                                           dense_output(&shape, out), lse));
    check_merged(&states, out, lse);
    guarded_free(out, "out");
    guarded_free(lse, "lse");
    states_free(&states);
  }
  attend_close(&context);
}

/* ---- parts that the library computed ---- */

/* The problem's keys from `first` on, `count` of them, as a call of their own. */
static void run_part(AttendContext *context, const CoreProblem *problem, size_t first, size_t count,
                     const States *states, size_t k) {
  AttendShape shape = problem->spec.shape;
  AttendOptions options = problem->options;
  AttendView key = problem->key, value = problem->value;
  shape.key_tokens = count;
  key.data += first * key.token_stride;
  value.data += first * value.token_stride;
  options.q_start -= (int64_t)first;
  if (options.mask.data) options.mask.data += first * options.mask.key_stride;
  if (options.bias.data) options.bias.data += first * options.bias.key_stride;
  if (first > 0) options.sinks = NULL;
  assert_ok(context, attend_core_forward(context, &shape, problem->query, key, value, &options,
                                         dense_output(&shape, states->out[k]), states->lse[k]));
}

static void check_parts(AttendContext *context, const CoreProblem *problem, size_t count) {
  const AttendShape *const s = &problem->spec.shape;
  States states = states_new(s, count);
  for (size_t k = 0, first = 0; k < count; k++) {
    const size_t left = s->key_tokens - first;
    const size_t keys = k + 1 == count ? left : case_draw(problem->spec.seed, k, left + 1);
    run_part(context, problem, first, keys, &states, k);
    first += keys;
  }
  float *const out = new_bytes(states.floats * sizeof *out);
  float *const lse = new_bytes(states.rows * sizeof *lse);
  double *const expected = new_bytes(states.rows * sizeof *expected);
  assert_ok(context,
            attend_merge_states(context, s, states.parts, count, dense_output(s, out), lse));
  for (size_t r = 0; r < states.rows; r++) expected[r] = problem->rows[r].lse;
  check_close("out", out, problem->out, states.floats);
  check_close("lse", lse, expected, states.rows);
  free(out);
  free(lse);
  free(expected);
  states_free(&states);
}

static void parts_of_the_keys(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    for (uint64_t seed = 1; seed <= 24; seed++) {
      CoreCase spec = {.shape = {2, seed % 2 ? 1 : 37, 260, 4, 2, 24, 16}, .seed = seed};
      spec.q_start = seed % 3 ? 260 - (int64_t)spec.shape.query_tokens : -4;
      spec.bidirectional = seed % 5 == 0;
      spec.layout = seed % 2 ? LAYOUT_PADDED : LAYOUT_BHND;
      spec.options.sinks = seed % 4 == 0;
      spec.options.mask = (CaseGrid){.used = seed % 4 == 1, .hidden = 50};
      spec.options.bias = (CaseGrid){.used = seed % 4 == 2, .hidden = 30};
      spec.options.left = (CaseWindow){seed % 4 == 3, 100};
      CoreProblem problem = problem_new(&spec);
      problem_expect(&problem);
      check_parts(context, &problem, 1 + seed % MAX_PARTS);
      problem_free(&problem);
    }
    attend_close(&context);
  }
}

/* ---- what holds bit for bit ---- */

static const AttendShape small = {.batch = 2, .query_tokens = 5, .query_heads = 3, .value_dim = 70};

/* Parts that saw no key change nothing, and are not looked at. */
static void empty_parts(void **state) {
  (void)state;
  AttendContext *context = auto_open(2);
  for (size_t whole = 0; whole < 3; whole++) {
    States states = states_new(&small, 3);
    fill_states(&states, 9, 40.0f, 1);
    fill_random(77, 3.0f, states.out[whole], states.floats);
    fill_random(78, 60.0f, states.lse[whole], states.rows);
    float *const out = guarded_new(states.floats * sizeof *out, 0);
    float *const lse = guarded_new(states.rows * sizeof *lse, 0);
    assert_ok(context, attend_merge_states(context, &small, states.parts, 3,
                                           dense_output(&small, out), lse));
    assert_memory_equal(out, states.out[whole], states.floats * sizeof *out);
    assert_memory_equal(lse, states.lse[whole], states.rows * sizeof *lse);
    fill_states(&states, 9, 40.0f, 1);
    assert_ok(context, attend_merge_states(context, &small, states.parts, 3,
                                           dense_output(&small, out), lse));
    for (size_t i = 0; i < states.floats; i++) assert_true(out[i] == 0.0f);
    for (size_t r = 0; r < states.rows; r++) assert_true(lse[r] == -INFINITY);
    guarded_free(out, "out");
    guarded_free(lse, "lse");
    states_free(&states);
  }
  attend_close(&context);
}

/* Into the memory of each part in turn: output, LSE, or both. */
static void in_place(void **state) {
  (void)state;
  AttendContext *context = auto_open(2);
  for (size_t way = 0; way < 9; way++) {
    const size_t part = way / 3;
    States states = states_new(&small, 3);
    fill_states(&states, 21, 2.0f, 3);
    float *const out = new_bytes(states.floats * sizeof *out);
    float *const lse = new_bytes(states.rows * sizeof *lse);
    assert_ok(context, attend_merge_states(context, &small, states.parts, 3,
                                           dense_output(&small, out), lse));
    float *const other_out = new_bytes(states.floats * sizeof *out);
    float *const other_lse = new_bytes(states.rows * sizeof *lse);
    float *const to = way % 3 == 1 ? other_out : states.out[part];
    float *const lse_to = way % 3 == 0 ? other_lse : states.lse[part];
    assert_ok(context, attend_merge_states(context, &small, states.parts, 3,
                                           dense_output(&small, to), lse_to));
    assert_memory_equal(to, out, states.floats * sizeof *out);
    assert_memory_equal(lse_to, lse, states.rows * sizeof *lse);
    free(out);
    free(lse);
    free(other_out);
    free(other_lse);
    states_free(&states);
  }
  attend_close(&context);
}

/* Strides of the parts and of the output, the threads and an LSE that nobody wants change no
 * bit. */
static void layouts_and_threads(void **state) {
  (void)state;
  States states = states_new(&small, 2);
  fill_states(&states, 5, 2.0f, 4);
  float *const apart = new_bytes(states.floats * sizeof *apart);
  float *const out = new_bytes(states.floats * sizeof *out);
  float *const other = new_bytes(states.floats * sizeof *other);
  for (size_t r = 0; r < 30; r++)
    memcpy(apart + ((r / 15 * 3 + r % 3) * 5 + r / 3 % 5) * 70, states.out[1] + r * 70,
           70 * sizeof *apart);
  for (size_t threads = 1; threads <= 4; threads++) {
    AttendContext *context = auto_open(threads);
    float *const to = threads == 1 ? out : other;
    states.parts[1].out = attend_view_bhnd(threads % 2 ? apart : NULL, 5, 3, 70);
    if (threads % 2 == 0) states.parts[1].out = attend_view_bnhd(states.out[1], 5, 3, 70);
    assert_ok(context, attend_merge_states(context, &small, states.parts, 2,
                                           dense_output(&small, to), NULL));
    assert_memory_equal(to, out, states.floats * sizeof *out);
    assert_ok(context, attend_merge_states(context, &small, states.parts, 2,
                                           attend_output_bhnd(other, 5, 3, 70), NULL));
    for (size_t r = 0; r < 30; r++)
      assert_memory_equal(other + ((r / 15 * 3 + r % 3) * 5 + r / 3 % 5) * 70, out + r * 70,
                          70 * sizeof *out);
    attend_close(&context);
  }
  free(apart);
  free(out);
  free(other);
  states_free(&states);
}

/* ---- what is refused ---- */

static void refused(void **state) {
  (void)state;
  AttendContext *context = auto_open(1);
  States states = states_new(&small, 2);
  fill_states(&states, 3, 2.0f, 0);
  float *const out = guarded_new(states.floats * sizeof *out, 0);
  float *const lse = guarded_new(states.rows * sizeof *lse, 0);
  const AttendOutputView to = dense_output(&small, out);
  AttendOutputView wrong = to;
#define REFUSE(status, words, shape, parts, count, view, lse)                                      \
  require_refusal(context, attend_merge_states(context, shape, parts, count, view, lse),           \
                  ATTEND_STATUS_##status, words, #status ": " words)
  assert_int_equal(attend_merge_states(NULL, &small, states.parts, 2, to, lse),
                   ATTEND_STATUS_NULL_POINTER);
  REFUSE(NULL_POINTER, "shape", NULL, states.parts, 2, to, lse);
  REFUSE(NULL_POINTER, "parts", &small, NULL, 2, to, lse);
  REFUSE(BAD_SIZE, "count", &small, states.parts, 0, to, lse);
  wrong.data = NULL;
  REFUSE(NULL_POINTER, "out", &small, states.parts, 2, wrong, lse);
  wrong.data = states.out[0] + 70;
  REFUSE(OVERLAP, "out", &small, states.parts, 2, wrong, lse);
  REFUSE(OVERLAP, "lse", &small, states.parts, 2, to, states.lse[1] + 1);
  REFUSE(OVERLAP, "lse", &small, states.parts, 2, to, out + 3);
  REFUSE(OVERLAP, "lse", &small, states.parts, 2, to, states.out[1]);
  wrong = to;
  wrong.token_stride = 100;
  REFUSE(BAD_STRIDE, "out", &small, states.parts, 2, wrong, lse);
  AttendState odd[2] = {states.parts[0], states.parts[1]};
  odd[1].lse = NULL;
  REFUSE(NULL_POINTER, "lse", &small, odd, 2, to, lse);
  odd[1].lse = off_by_a_byte(states.lse[1]);
  REFUSE(MISALIGNED, "lse", &small, odd, 2, to, lse);
  odd[1] = states.parts[1];
  odd[1].out.data = NULL;
  REFUSE(NULL_POINTER, "out", &small, odd, 2, to, lse);
  AttendShape shape = small;
  shape.value_dim = 0;
  REFUSE(BAD_SIZE, "value_dim", &shape, states.parts, 2, to, lse);
  shape = small;
  shape.query_tokens = SIZE_MAX / 4;
  REFUSE(OVERFLOW, "", &shape, states.parts, 2, to, lse);
#undef REFUSE
  for (size_t i = 0; i < states.floats; i++) assert_true(is_untouched(out + i));
  for (size_t r = 0; r < states.rows; r++) assert_true(is_untouched(lse + r));
  shape = small;
  shape.query_tokens = 0;
  assert_ok(context, attend_merge_states(context, &shape, states.parts, 2, to, lse));
  guarded_free(out, "out");
  guarded_free(lse, "lse");
  states_free(&states);
  attend_close(&context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(states_of_random_numbers),
      cmocka_unit_test(parts_of_the_keys),
      cmocka_unit_test(empty_parts),
      cmocka_unit_test(in_place),
      cmocka_unit_test(layouts_and_threads),
      cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
