/* test_errors_layer_options.c - layer calls whose options contradict the cache, the weights or each
 * other, and what they leave untouched.
 */
#include "tests/support/full_layer.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, N = 3, PAST = 5, TABLE = 9 };

static const AttendLayerShape shape = {16, 4, 2, 6, 10};

/* A right call with a cache that has PAST tokens, and weights whose RoPE knows TABLE positions. */
typedef struct Call {
  AttendContext *context;
  AttendWeights *weights;
  AttendCache *cache;
  float *x, *y;
  size_t window;
  AttendOptions options;
} Call;

static void reset_options(Call *call) {
  attend_default_options(&call->options);
  if (call->window) call->options.window_left = (int64_t)call->window - 1;
}

static Call call_open(Engine engine, size_t window) {
  Call call = {.window = window};
  float *const data = new_random(1, 0.5f, 16 * 64);
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = source.key = source.value = source.output = data;
  source.rope.pairing = ATTEND_ROPE_HALF;
  source.rope.cos = source.rope.sin = data;
  source.rope.table_positions = TABLE;
  call.context = engine_open(engine, 2);
  assert_ok(call.context, attend_pack_weights(call.context, &shape, &source, &call.weights));
  free(data);
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = 3;
  settings.capacity = 64;
  settings.block_tokens = 32;
  settings.window = window;
  assert_ok(call.context, attend_open_cache(call.context, &shape, &settings, &call.cache));
  call.x = new_random(3, 1.0f, BATCH * PAST * 16);
  call.y = guarded_new(BATCH * PAST * 16 * sizeof *call.y, 0);
  float *const scratch = new_bytes(BATCH * PAST * 16 * sizeof *scratch);
  reset_options(&call);
  assert_ok(call.context, attend_layer_forward(call.context, call.weights, call.cache, BATCH, PAST,
                                               call.x, &call.options, scratch));
  free(scratch);
  return call;
}

static void call_close(Call *call) {
  guarded_free(call->y, "y");
  free(call->x);
  attend_close_cache(&call->cache);
  attend_free_weights(&call->weights);
  attend_close(&call->context);
}

/* Keys and values of the first two sequences, [BATCH][PAST, Hk, D + Dv]. */
static float *cache_contents(const Call *call) {
  float *const stored = new_bytes(BATCH * PAST * 2 * 16 * sizeof *stored);
  for (size_t b = 0; b < BATCH; b++) {
    float *const key = stored + b * PAST * 2 * 16, *const value = key + PAST * 2 * 6;
    assert_ok(call->context, attend_read_cache(call->context, call->cache, b, 0, PAST,
                                               attend_output_bnhd(key, PAST, 2, 6),
                                               attend_output_bnhd(value, PAST, 2, 10)));
  }
  return stored;
}

/* Runs the broken call and puts its options right again. */
static void refused(Call *call, const AttendCache *cache, AttendStatus expected,
                    const char *words) {
  float *const before = cache_contents(call);
  require_refusal(call->context,
                  attend_layer_forward(call->context, call->weights,
                                       (AttendCache *)(uintptr_t)cache, BATCH, N, call->x,
                                       &call->options, call->y),
                  expected, words, words);
  float *const after = cache_contents(call);
  assert_memory_equal(before, after, BATCH * PAST * 2 * 16 * sizeof *before);
  for (size_t b = 0; b < 3; b++)
    assert_int_equal(attend_cache_length(call->cache, b), b < BATCH ? PAST : 0);
  for (size_t i = 0; i < BATCH * PAST * 16; i++) assert_true(is_untouched(call->y + i));
  free(before);
  free(after);
  reset_options(call);
}

static void check_places(Engine engine) {
  static const int64_t starts[BATCH] = {0, 1};
  static const size_t lengths[BATCH] = {N, N}, offsets[BATCH + 1] = {0, 1, N};
  static const size_t twice[BATCH] = {2, 2}, missing[BATCH] = {0, 3};
  Call c = call_open(engine, 0);
  c.options.q_start = 77;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "q_start");
  c.options.q_starts = starts;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "q_starts");
  c.options.key_lengths = lengths;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "key_lengths");
  c.options.key_offsets = offsets;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "key_offsets");
  c.options.key_offsets = c.options.query_offsets = offsets;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "key_offsets");
  c.options.key_offsets = c.options.query_offsets = offsets;
  refused(&c, NULL, ATTEND_STATUS_BAD_OPTION, "key_offsets");
  c.options.cache_sequences = twice;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "2");
  c.options.cache_sequences = missing;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "3");
  c.options.cache_sequences = missing;
  refused(&c, NULL, ATTEND_STATUS_BAD_OPTION, "cache_sequences");
  c.options.sinks = off_by_a_byte(c.x);
  refused(&c, c.cache, ATTEND_STATUS_MISALIGNED, "sinks");
  c.options.sinks = c.y;
  refused(&c, c.cache, ATTEND_STATUS_OVERLAP, "sinks");
  call_close(&c);
}

static void places_that_the_call_sets(void **state) {
  (void)state;
  for_each_engine(check_places);
}

static void check_offsets(Engine engine) {
  static const size_t late[BATCH + 1] = {1, 2, N}, falling[BATCH + 1] = {0, N + 1, N};
  static const size_t short_of[BATCH + 1] = {0, 1, N - 1}, huge[BATCH + 1] = {0, SIZE_MAX, N};
  Call c = call_open(engine, 0);
  const struct {
    const size_t *offsets;
    const char *words;
  } wrong[] = {{late, "1"}, {falling, "4"}, {short_of, "2"}, {huge, "18446744073709551615"}};
  for (size_t k = 0; k < COUNT_OF(wrong); k++) {
    for (size_t cached = 0; cached < 2; cached++) {
      c.options.query_offsets = wrong[k].offsets;
      refused(&c, cached ? c.cache : NULL, ATTEND_STATUS_BAD_SIZE, wrong[k].words);
    }
  }
  call_close(&c);
}

static void offsets_that_do_not_fit(void **state) {
  (void)state;
  for_each_engine(check_offsets);
}

/* PAST + N positions fit the table, and not one more; what is given in place of them must too. */
static void check_positions(Engine engine) {
  static const int64_t far[BATCH * N] = {0, 1, 2, 3, TABLE, 5}, before[BATCH * N] = {0, 1, -1};
  static const int64_t inside[BATCH * N] = {0, TABLE - 1, 0, 3, 4, 5};
  static const int64_t starts[BATCH] = {0, TABLE - N + 1};
  static const size_t with_an_empty_one[BATCH + 1] = {0, 0, N};
  Call c = call_open(engine, 0);
  c.options.positions = far;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "position 9");
  c.options.positions = before;
  refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "position -1");
  c.options.q_start = -2;
  refused(&c, NULL, ATTEND_STATUS_BAD_OPTION, "position -2");
  c.options.q_start = INT64_MAX - 1;
  refused(&c, NULL, ATTEND_STATUS_BAD_OPTION, "0 to 8");
  c.options.q_starts = starts;
  refused(&c, NULL, ATTEND_STATUS_BAD_OPTION, "position 9");
  float y[BATCH * N * 16];
  c.options.query_offsets = with_an_empty_one;
  assert_ok(c.context,
            attend_layer_forward(c.context, c.weights, NULL, BATCH, N, c.x, &c.options, y));
  reset_options(&c);
  c.options.positions = inside;
  assert_ok(c.context,
            attend_layer_forward(c.context, c.weights, c.cache, BATCH, N, c.x, &c.options, y));
  reset_options(&c);
  assert_ok(c.context,
            attend_layer_forward(c.context, c.weights, c.cache, 1, 1, c.x, &c.options, y));
  require_refusal(c.context,
                  attend_layer_forward(c.context, c.weights, c.cache, 1, 1, c.x, &c.options, c.y),
                  ATTEND_STATUS_BAD_OPTION, "position 9", "a token beyond the table");
  call_close(&c);
}

static void positions_beyond_the_table(void **state) {
  (void)state;
  for_each_engine(check_positions);
}

static void check_windows(Engine engine) {
  static const int64_t windows[] = {-1, 4, 100, INT64_MAX};
  Call c = call_open(engine, 4);
  for (size_t k = 0; k < COUNT_OF(windows); k++) {
    c.options.window_left = windows[k];
    refused(&c, c.cache, ATTEND_STATUS_BAD_OPTION, "0 to 3");
  }
  float y[BATCH * N * 16];
  for (int64_t left = 3; left >= 0; left -= 3) {
    c.options.window_left = left;
    assert_ok(c.context,
              attend_layer_forward(c.context, c.weights, c.cache, BATCH, 1, c.x, &c.options, y));
  }
  call_close(&c);
}

static void windows_wider_than_the_ring(void **state) {
  (void)state;
  for_each_engine(check_windows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_that_the_call_sets),
      cmocka_unit_test(offsets_that_do_not_fit),
      cmocka_unit_test(positions_beyond_the_table),
      cmocka_unit_test(windows_wider_than_the_ring),
  };
  return cmocka_run_group_tests_name("errors_layer_options", tests, NULL, NULL);
}
