/* test_rope.c - frequencies, rows of cosines and sines, and rotated heads, by the oracle.
 *
 * Tolerances. u = 2^-53. A frequency is a power whose exponent and logarithm are off by a few u
 * times |exponent ln(base)| < 14, and mixes of two whose share is off by a few u times the ends of
 * the band (< 64) over its width (> 1 where it matters), seen through the factor of at most 32:
 * 4096 u in all. An angle inherits that, a cosine is off by the angle's error, and is then rounded
 * to float: by 2^-24 of itself. A rotated element a c - b s has that rounding of c and s, one of
 * each product and one of the difference: 3 * 2^-24 (|a c| + |b s|), to first order.
 */
#include "layer/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/rope_models.h"
#include "tests/support/support.h"

#define MAX_DIM 256
#define FREQUENCY_ERROR (4096.0 * 0x1p-53)
#define FLOAT_ERROR 0x1p-24

static const int64_t positions[] = {0,    1,    2,     17,     511,    4095, 4096,
                                    8191, 8192, 40000, 131071, 131072, -1,   -4095};

/* The library's form of a setting, with frequencies in memory of the caller's. */
static Rope rope_open(const AttendRope *setting, size_t head_dim, double *frequencies) {
  Fault fault = {0};
  if (rope_check(setting, head_dim, &fault)) fail_msg("refused: %s", fault.text);
  const size_t dims = rope_dims(setting, head_dim);
  rope_set_frequencies(setting, dims, frequencies);
  return (Rope){.pairing = setting->pairing,
                .dims = dims,
                .attention_factor = rope_attention_factor(setting),
                .frequencies = frequencies};
}

static void frequencies_are_those_of_the_papers(void **state) {
  (void)state;
  RopeModel model;
  for (size_t m = 0; rope_model(m, &model); m++) {
    double frequencies[MAX_DIM / 2];
    const Rope rope = rope_open(&model.rope, model.head_dim, frequencies);
    const OracleRope oracle = oracle_of_rope(&model.rope, model.head_dim);
    assert_int_equal(rope.dims, oracle.dims);
    assert_true(fabs(rope.attention_factor - (double)oracle_rope_attention(&oracle)) < 0x1p-50);
    for (size_t k = 0; k < rope.dims / 2; k++) {
      const double expected = (double)oracle_rope_frequency(&oracle, k);
      if (!(fabs(frequencies[k] - expected) <= FREQUENCY_ERROR * expected))
        fail_msg("%s: frequency %zu is %.17g, expected %.17g", model.name, k, frequencies[k],
                 expected);
    }
  }
}

/* Pairs up to `kept` have the plain frequency, pairs from `stretched` on the plain one divided,
 * and those between lie between. The pairs are worked out by hand: they are where the number of
 * rotations over the positions of training passes the limits, L b^(-2k/d) / 2 pi. */
static void check_band(const char *name, size_t head_dim, size_t kept, size_t stretched) {
  const AttendRope setting = rope_of_model(name);
  AttendRope plain_setting = setting;
  plain_setting.scaling = ATTEND_ROPE_UNSCALED;
  double scaled[MAX_DIM / 2], plain[MAX_DIM / 2];
  rope_open(&setting, head_dim, scaled);
  rope_open(&plain_setting, head_dim, plain);
  for (size_t k = 0; k < head_dim / 2; k++) {
    const double least = plain[k] / setting.factor;
    const bool right = k <= kept        ? scaled[k] == plain[k]
                       : k >= stretched ? scaled[k] == least
                                        : scaled[k] < plain[k] && scaled[k] > least;
    if (!right) fail_msg("%s: frequency %zu is %.17g of %.17g", name, k, scaled[k], plain[k]);
  }
}

static void bands_begin_and_end_where_worked_out_by_hand(void **state) {
  (void)state;
  check_band("llama-3.1", 128, 28, 35); /* 4 rotations at 28.2, 1 at 34.98 */
  check_band("qwen2.5", 128, 23, 40);   /* 32 rotations at 23.6, 1 at 39.7, rounded outwards */
  check_band("gpt-oss", 64, 8, 18);     /* 32 rotations at 8.093, 1 at 17.398, as they are */
}

/* NTK-aware scaling leaves the fastest pair and stretches the slowest by the factor. */
static void ntk_stretches_the_slowest_pair(void **state) {
  (void)state;
  AttendRope setting = rope_of_model("ntk"), plain_setting = setting;
  plain_setting.scaling = ATTEND_ROPE_UNSCALED;
  double scaled[64], plain[64];
  rope_open(&setting, 128, scaled);
  rope_open(&plain_setting, 128, plain);
  assert_true(scaled[0] == 1.0);
  assert_true(fabs(scaled[63] * setting.factor / plain[63] - 1.0) < 0x1p-40);
  setting.dims = 2;
  rope_open(&setting, 128, scaled);
  assert_true(scaled[0] == 1.0);
}

static void rows_are_right_at_far_positions(void **state) {
  (void)state;
  RopeModel model;
  for (size_t m = 0; rope_model(m, &model); m++) {
    double frequencies[MAX_DIM / 2];
    float scratch[MAX_DIM];
    const Rope rope = rope_open(&model.rope, model.head_dim, frequencies);
    const OracleRope oracle = oracle_of_rope(&model.rope, model.head_dim);
    for (size_t p = 0; p < COUNT_OF(positions) * (rope.dims / 2); p++) {
      const size_t k = p % (rope.dims / 2);
      const int64_t position = positions[p / (rope.dims / 2)];
      const RopeRow row = rope_row(&rope, position, scratch);
      const long double attention = oracle_rope_attention(&oracle);
      const long double angle = (long double)position * oracle_rope_frequency(&oracle, k);
      const double expected[2] = {(double)(attention * cosl(angle)),
                                  (double)(attention * sinl(angle))};
      const double got[2] = {(double)row.cos[k], (double)row.sin[k]};
      const double angle_error =
          (double)attention * (FREQUENCY_ERROR * fabs((double)angle) + 0x1p-50);
      for (size_t i = 0; i < 2; i++)
        if (!(fabs(got[i] - expected[i]) <= FLOAT_ERROR * fabs(expected[i]) + angle_error))
          fail_msg("%s: %s of pair %zu at position %lld is %.9g, expected %.12g", model.name,
                   i ? "sin" : "cos", k, (long long)position, got[i], expected[i]);
    }
  }
}

/* The other element of a pair, or the element itself where it is not rotated. */
static size_t partner(const Rope *rope, size_t d) {
  const size_t pairs = rope->dims / 2;
  if (d >= rope->dims) return d;
  if (rope->pairing == ATTEND_ROPE_INTERLEAVED) return d ^ 1;
  return d < pairs ? d + pairs : d - pairs;
}

static void heads_rotate_in_pairs(void **state) {
  (void)state;
  RopeModel model;
  for (size_t m = 0; rope_model(m, &model); m++) {
    double frequencies[MAX_DIM / 2];
    float scratch[MAX_DIM], head[MAX_DIM], rotated[MAX_DIM];
    const Rope rope = rope_open(&model.rope, model.head_dim, frequencies);
    const OracleRope oracle = oracle_of_rope(&model.rope, model.head_dim);
    for (size_t p = 0; p < COUNT_OF(positions); p++) {
      double expected[MAX_DIM];
      fill_random(100 * m + p, 2.0f, head, model.head_dim);
      for (size_t d = 0; d < model.head_dim; d++) expected[d] = (double)head[d];
      memcpy(rotated, head, sizeof head);
      rope_rotate(&rope, rope_row(&rope, positions[p], scratch), rotated);
      oracle_rope_rotate(&oracle, positions[p], expected);
      /* Cosine and sine are at most the attention factor, and frequencies at most 1. */
      const double size = rope.attention_factor;
      const double angle_error = FREQUENCY_ERROR * fabs((double)positions[p]) + 0x1p-50;
      for (size_t d = 0; d < model.head_dim; d++) {
        const size_t other = partner(&rope, d);
        const double sum = fabs((double)head[d]) + fabs((double)head[other]);
        const double allowed = other == d ? 0.0 : size * sum * (3.0 * FLOAT_ERROR + angle_error);
        if (!(fabs((double)rotated[d] - expected[d]) <= allowed))
          fail_msg("%s: element %zu at position %lld is %.9g, expected %.12g (from %.9g)",
                   model.name, d, (long long)positions[p], (double)rotated[d], expected[d],
                   (double)head[d]);
      }
    }
  }
}

/* Two pairs, one rotated by a quarter turn and one not at all, in the two pairings, by hand. */
static void quarter_turns_by_hand(void **state) {
  (void)state;
  static const float cosines[] = {0.0f, 1.0f}, sines[] = {1.0f, 0.0f};
  static const float half[] = {-3, 2, 1, 4, 5}, interleaved[] = {-2, 1, 3, 4, 5};
  Rope rope = {.dims = 4, .cos = cosines, .sin = sines, .table_positions = 1};
  float head[] = {1, 2, 3, 4, 5};
  rope.pairing = ATTEND_ROPE_HALF;
  rope_rotate(&rope, rope_row(&rope, 0, NULL), head);
  assert_memory_equal(head, half, sizeof head);
  float again[] = {1, 2, 3, 4, 5};
  rope.pairing = ATTEND_ROPE_INTERLEAVED;
  rope_rotate(&rope, rope_row(&rope, 0, NULL), again);
  assert_memory_equal(again, interleaved, sizeof again);
}

static void tables_end_where_they_say(void **state) {
  (void)state;
  const float table[3] = {1.0f, 0.5f, 0.25f};
  const Rope rope = {ATTEND_ROPE_HALF, 2, 1.0, NULL, table, table, 3};
  const Rope formula = {.pairing = ATTEND_ROPE_HALF, .dims = 2};
  Fault fault = {0};
  assert_int_equal(rope_check_positions(&rope, 0, 2, &fault), ATTEND_OK);
  assert_ptr_equal(rope_row(&rope, 2, NULL).cos, table + 2);
  assert_int_equal(rope_check_positions(&rope, 0, 3, &fault), ATTEND_STATUS_BAD_OPTION);
  assert_non_null(strstr(fault.text, "position 3"));
  assert_non_null(strstr(fault.text, "0 to 2"));
  assert_int_equal(rope_check_positions(&rope, -5, 1, &fault), ATTEND_STATUS_BAD_OPTION);
  assert_non_null(strstr(fault.text, "position -5"));
  assert_int_equal(rope_check_positions(&rope, 1, INT64_MAX, &fault), ATTEND_STATUS_BAD_OPTION);
  assert_int_equal(rope_check_positions(&formula, -5, INT64_MAX, &fault), ATTEND_OK);
}

static void defaults(void **state) {
  (void)state;
  AttendRope rope;
  memset(&rope, 0xa5, sizeof rope);
  attend_default_rope(&rope);
  assert_int_equal(rope.pairing, ATTEND_ROPE_NONE);
  assert_int_equal(rope.scaling, ATTEND_ROPE_UNSCALED);
  assert_int_equal(rope.dims, 0);
  assert_true(rope.base == 10000.0 && rope.factor == 1.0 && rope.original_positions == 8192.0);
  assert_true(rope.low_frequency_factor == 1.0 && rope.high_frequency_factor == 4.0);
  assert_true(rope.beta_fast == 32.0 && rope.beta_slow == 1.0 && rope.attention_factor == 0.0);
  assert_false(rope.untruncated);
  assert_null(rope.cos);
  assert_null(rope.sin);
  assert_int_equal(rope.table_positions, 0);
  attend_default_rope(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),
      cmocka_unit_test(frequencies_are_those_of_the_papers),
      cmocka_unit_test(bands_begin_and_end_where_worked_out_by_hand),
      cmocka_unit_test(ntk_stretches_the_slowest_pair),
      cmocka_unit_test(rows_are_right_at_far_positions),
      cmocka_unit_test(heads_rotate_in_pairs),
      cmocka_unit_test(quarter_turns_by_hand),
      cmocka_unit_test(tables_end_where_they_say),
  };
  return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}
