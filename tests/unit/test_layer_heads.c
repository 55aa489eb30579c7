/* test_layer_heads.c - what a layer makes of the heads of Q and K: what taps see and caches keep,
 * that tables are the formula, and that threads change no bit.
 */
#include "tests/support/full_layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/oracle/oracle_rope.h"

enum { TOKENS = 23 };

/* The oracle's Q and K of TOKENS tokens, and its Y. */
typedef struct Expected {
  double *y, *query, *key;
} Expected;

static Expected expect(const FullLayer *layer, const float *x) {
  const AttendLayerShape *const s = &layer->spec.shape;
  const Expected e = {new_bytes(TOKENS * s->width * sizeof(double)),
                      new_bytes(TOKENS * s->query_heads * s->head_dim * sizeof(double)),
                      new_bytes(TOKENS * s->kv_heads * s->head_dim * sizeof(double))};
  const OracleFull oracle = full_layer_oracle(layer);
  const OracleFullResult result = {e.y, e.query, e.key};
  assert_true(oracle_full(&oracle, TOKENS, x, NULL, &result));
  return e;
}

static void expected_free(Expected *e) {
  free(e->y);
  free(e->query);
  free(e->key);
}

/* ---- taps ---- */

typedef struct TapLog {
  const FullLayer *layer;
  const Expected *expected;
  const float *y;
  size_t queries, keys, concats, outputs;
} TapLog;

/* A tapped head against the oracle's, of which it is some columns. */
static void check_head(const TapLog *log, const AttendMatrix *matrix, const double *rows,
                       size_t heads) {
  const size_t D = log->layer->spec.shape.head_dim;
  assert_int_equal(matrix->rows, TOKENS);
  assert_int_equal(matrix->columns, D);
  assert_int_equal(matrix->first_row, 0);
  for (size_t i = 0; i < TOKENS; i++)
    check_close(matrix->name, matrix->data + i * matrix->row_stride,
                rows + (i * heads + matrix->head) * D, D);
}

static void log_matrix(void *user, const AttendMatrix *matrix) {
  TapLog *const log = user;
  const AttendLayerShape *const s = &log->layer->spec.shape;
  if (strcmp(matrix->name, "query") == 0) {
    check_head(log, matrix, log->expected->query, s->query_heads);
    log->queries++;
  }
  if (strcmp(matrix->name, "key") == 0) {
    check_head(log, matrix, log->expected->key, s->kv_heads);
    log->keys++;
  }
  if (strcmp(matrix->name, "concat") == 0) {
    assert_int_equal(matrix->columns, s->query_heads * s->value_dim);
    assert_int_equal(log->outputs, log->concats++);
  }
  if (strcmp(matrix->name, "output") == 0) {
    assert_int_equal(matrix->columns, s->width);
    assert_int_equal(matrix->rows, TOKENS);
    assert_memory_equal(matrix->data, log->y, TOKENS * s->width * sizeof *log->y);
    log->outputs++;
  }
}

static void taps_see_rotated_heads(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    const AttendLayerShape *const s = &layer.spec.shape;
    float *const x = new_random(71, 1.0f, TOKENS * s->width);
    float *const y = new_bytes(TOKENS * s->width * sizeof *y);
    Expected expected = expect(&layer, x);
    for (size_t e = 0; e < count; e++) {
      AttendContext *context = engine_open(engines[e], 2);
      AttendWeights *weights = full_layer_pack(context, &layer);
      TapLog log = {.layer = &layer, .expected = &expected, .y = y};
      assert_ok(context, attend_set_tap(context, log_matrix, &log));
      assert_ok(context,
                attend_layer_forward(context, weights, NULL, 1, TOKENS, x, &layer.options, y));
      const bool naive = engines[e].path == ATTEND_PATH_NAIVE;
      assert_int_equal(log.queries, naive ? s->query_heads : 0);
      assert_int_equal(log.keys, naive ? s->query_heads : 0);
      assert_int_equal(log.concats, 1);
      assert_int_equal(log.outputs, 1);
      attend_free_weights(&weights);
      attend_close(&context);
    }
    expected_free(&expected);
    free(x);
    free(y);
    full_layer_free(&layer);
  }
}

/* ---- what a cache keeps ---- */

static void caches_keep_rotated_keys(void **state) {
  (void)state;
  AttendContext *context = auto_open(2);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    const AttendLayerShape *const s = &layer.spec.shape;
    const size_t keys = TOKENS * s->kv_heads * s->head_dim;
    float *const x = new_random(72, 1.0f, TOKENS * s->width);
    float *const y = new_bytes(TOKENS * s->width * sizeof *y);
    float *const key = new_bytes(keys * sizeof *key);
    float *const value = new_bytes(TOKENS * s->kv_heads * s->value_dim * sizeof *value);
    Expected expected = expect(&layer, x);
    AttendWeights *weights = full_layer_pack(context, &layer);
    AttendCacheSettings settings;
    attend_default_cache_settings(&settings);
    settings.capacity = TOKENS;
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, s, &settings, &cache));
    assert_ok(context,
              attend_layer_forward(context, weights, cache, 1, TOKENS, x, &layer.options, y));
    assert_ok(context,
              attend_read_cache(context, cache, 0, 0, TOKENS,
                                attend_output_bnhd(key, TOKENS, s->kv_heads, s->head_dim),
                                attend_output_bnhd(value, TOKENS, s->kv_heads, s->value_dim)));
    check_close(layer.spec.name, key, expected.key, keys);
    expected_free(&expected);
    attend_close_cache(&cache);
    attend_free_weights(&weights);
    free(x);
    free(y);
    free(key);
    free(value);
    full_layer_free(&layer);
  }
  attend_close(&context);
}

/* ---- the same bits ---- */

/* Tables that hold what the formula gives, [positions, dims/2] in floats. */
static void fill_tables(const OracleRope *rope, size_t positions, float *cosines, float *sines) {
  const size_t pairs = rope->dims / 2;
  const long double attention = oracle_rope_attention(rope);
  for (size_t i = 0; i < positions * pairs; i++) {
    const long double angle = (long double)(i / pairs) * oracle_rope_frequency(rope, i % pairs);
    cosines[i] = (float)(attention * cosl(angle));
    sines[i] = (float)(attention * sinl(angle));
  }
}

/* A layer with tables gives what the oracle gives with the formula, and reads no table of the
 * caller's after it was packed. */
static void tables_stand_in_for_the_formula(void **state) {
  (void)state;
  AttendContext *context = auto_open(2);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    const AttendLayerShape *const s = &layer.spec.shape;
    const OracleFull oracle = full_layer_oracle(&layer);
    if (oracle.rope.dims) {
      const size_t floats = TOKENS * oracle.rope.dims / 2;
      float *const x = new_random(73, 1.0f, TOKENS * s->width);
      float *const y = new_bytes(TOKENS * s->width * sizeof *y);
      float *const cosines = new_bytes(floats * sizeof *cosines);
      float *const sines = new_bytes(floats * sizeof *sines);
      fill_tables(&oracle.rope, TOKENS, cosines, sines);
      AttendWeightSource source = full_layer_source(&layer);
      source.rope.cos = cosines;
      source.rope.sin = sines;
      source.rope.table_positions = TOKENS;
      source.rope.base = -1.0; /* a setting of the formula, which is not looked at */
      AttendWeights *weights = NULL;
      assert_ok(context, attend_pack_weights(context, s, &source, &weights));
      for (size_t i = 0; i < floats; i++) cosines[i] = sines[i] = NAN;
      free(cosines);
      free(sines);
      Expected expected = expect(&layer, x);
      assert_ok(context,
                attend_layer_forward(context, weights, NULL, 1, TOKENS, x, &layer.options, y));
      check_close(layer.spec.name, y, expected.y, TOKENS * s->width);
      expected_free(&expected);
      attend_free_weights(&weights);
      free(x);
      free(y);
    }
    full_layer_free(&layer);
  }
  attend_close(&context);
}

/* Rows are normed and rotated one by one: neither threads nor neighbours change a bit of what a
 * cache keeps. So few rows are projected by the library's own kernel, which promises the same. */
static void threads_change_no_bit(void **state) {
  (void)state;
  enum { ROWS = 16 };
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    const AttendLayerShape *const s = &layer.spec.shape;
    float *const x = new_random(74, 1.0f, ROWS * s->width);
    float *y[2];
    for (size_t k = 0; k < 2; k++) {
      AttendContext *context = engine_open(
          (Engine){ATTEND_PATH_TILED, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, k ? 3 : 1);
      AttendWeights *weights = full_layer_pack(context, &layer);
      y[k] = new_bytes(ROWS * s->width * sizeof *y[k]);
      assert_ok(context,
                attend_layer_forward(context, weights, NULL, 1, ROWS, x, &layer.options, y[k]));
      attend_free_weights(&weights);
      attend_close(&context);
    }
    assert_memory_equal(y[0], y[1], ROWS * s->width * sizeof *y[0]);
    free(y[0]);
    free(y[1]);
    free(x);
    full_layer_free(&layer);
  }
}

/* ---- the phase ---- */

static void the_phase_is_counted(void **state) {
  (void)state;
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    const AttendLayerShape *const s = &layer.spec.shape;
    const OracleFull oracle = full_layer_oracle(&layer);
    AttendSettings settings =
        engine_settings((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
    settings.profile = true;
    AttendContext *context = NULL;
    assert_ok(context, attend_open(&context, &settings));
    AttendWeights *weights = full_layer_pack(context, &layer);
    float *const x = new_random(75, 1.0f, TOKENS * s->width);
    float *const y = new_bytes(TOKENS * s->width * sizeof *y);
    assert_ok(context,
              attend_layer_forward(context, weights, NULL, 1, TOKENS, x, &layer.options, y));
    AttendProfile profile;
    assert_int_equal(attend_get_profile(context, &profile), ATTEND_OK);
    const double heads = (double)(TOKENS * (s->query_heads + s->kv_heads));
    const double flops = heads * (3.0 * (double)oracle.rope.dims +
                                  (layer.query_norm ? 4.0 * (double)s->head_dim : 0));
    const bool runs = flops > 0.0;
    assert_true(profile.phases[ATTEND_PHASE_QK_NORM_ROPE].flops == flops);
    assert_int_equal(profile.phases[ATTEND_PHASE_QK_NORM_ROPE].seconds > 0.0, runs);
    assert_int_equal(profile.phases[ATTEND_PHASE_QK_NORM_ROPE].bytes > 0.0, runs);
    attend_free_weights(&weights);
    attend_close(&context);
    free(x);
    free(y);
    full_layer_free(&layer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(taps_see_rotated_heads),
      cmocka_unit_test(caches_keep_rotated_keys),
      cmocka_unit_test(tables_stand_in_for_the_formula),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(the_phase_is_counted),
  };
  return cmocka_run_group_tests_name("layer_heads", tests, NULL, NULL);
}
