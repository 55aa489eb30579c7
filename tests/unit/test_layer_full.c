/* test_layer_full.c - layers of published models through prefill, chunks, decode and ragged
 * batches.
 *
 * The oracle sees every sequence whole. However the library is given its tokens, each row must be
 * the oracle's within what any fp32 result may be off.
 */
#include "tests/support/full_layer.h"

#include <stdlib.h>
#include <string.h>

/* Of the longest sequence; more than a ring of the tests holds at a time. */
#define TOKENS 76

/* Runs `check` for every layer and engine with a context of two threads. */
typedef void (*FullCheck)(AttendContext *context, Engine engine, const FullLayer *layer);

static void for_each_layer(FullCheck check) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    for (size_t e = 0; e < count; e++) {
      AttendContext *context = engine_open(engines[e], 2);
      check(context, engines[e], &layer);
      attend_close(&context);
    }
    full_layer_free(&layer);
  }
}

/* ---- without a cache ---- */

/* Positions far apart, which only RoPE sees. */
static void spread_positions(int64_t *positions, size_t count) {
  for (size_t i = 0; i < count; i++) positions[i] = 131072 - 613 * (int64_t)i;
}

static void check_prefill(AttendContext *context, Engine engine, const FullLayer *layer) {
  enum { BATCH = 2, N = 37 };
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  float *const x = new_random(61, 1.0f, BATCH * N * width);
  AttendWeights *weights = full_layer_pack(context, layer);
  int64_t positions[BATCH * N];
  spread_positions(positions, BATCH * N);
  for (size_t given = 0; given < 2; given++) {
    AttendOptions options = layer->options;
    options.positions = given ? positions : NULL;
    float *const y = guarded_new(BATCH * N * width * sizeof *y, 4);
    assert_ok(context, attend_layer_forward(context, weights, NULL, BATCH, N, x, &options, y));
    for (size_t b = 0; b < BATCH; b++) {
      double *const expected =
          full_layer_expect(layer, N, x + b * N * width, given ? positions + b * N : NULL);
      check_close(full_label(label, layer, engine, given ? "prefill, positions" : "prefill"),
                  y + b * N * width, expected, N * width);
      free(expected);
    }
    guarded_free(y, "y");
  }
  attend_free_weights(&weights);
  free(x);
}

static void prefill(void **state) {
  (void)state;
  for_each_layer(check_prefill);
}

/* A batch of three sequences, one of them empty, whose tokens attend to their own alone. */
static void check_ragged_prefill(AttendContext *context, Engine engine, const FullLayer *layer) {
  static const size_t offsets[] = {0, 20, 20, 53};
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  float *const x = new_random(62, 1.0f, 53 * width);
  float *const y = guarded_new(53 * width * sizeof *y, 0);
  AttendWeights *weights = full_layer_pack(context, layer);
  AttendOptions options = layer->options;
  options.query_offsets = offsets;
  assert_ok(context, attend_layer_forward(context, weights, NULL, 3, 53, x, &options, y));
  for (size_t b = 0; b < 3; b++) {
    const size_t at = offsets[b] * width, tokens = offsets[b + 1] - offsets[b];
    double *const expected = full_layer_expect(layer, tokens, x + at, NULL);
    check_close(full_label(label, layer, engine, "ragged prefill"), y + at, expected,
                tokens * width);
    free(expected);
  }
  guarded_free(y, "y");
  attend_free_weights(&weights);
  free(x);
}

static void ragged_prefill(void **state) {
  (void)state;
  for_each_layer(check_ragged_prefill);
}

/* Without a cache the queries may start anywhere: here behind all keys, which they then all see.
 * RoPE rotates a token's query and key by the same position. */
static void check_late_start(AttendContext *context, Engine engine, const FullLayer *layer) {
  enum { N = 9 };
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  if (layer->spec.window) return;
  float *const x = new_random(63, 1.0f, N * width);
  float *const y = guarded_new(N * width * sizeof *y, 0);
  AttendWeights *weights = full_layer_pack(context, layer);
  AttendOptions options = layer->options;
  options.q_start = 5000;
  int64_t positions[N];
  for (size_t i = 0; i < N; i++) positions[i] = 5000 + (int64_t)i;
  OracleFull oracle = full_layer_oracle(layer);
  oracle.causal = false;
  double *const expected = new_bytes(N * width * sizeof *expected);
  assert_true(oracle_full(&oracle, N, x, positions, &(OracleFullResult){.y = expected}));
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, N, x, &options, y));
  check_close(full_label(label, layer, engine, "late start"), y, expected, N * width);
  free(expected);
  guarded_free(y, "y");
  attend_free_weights(&weights);
  free(x);
}

static void late_start(void **state) {
  (void)state;
  for_each_layer(check_late_start);
}

/* ---- with a cache ---- */

/* A cache for every sequence's TOKENS: a ring where the layer has a window, else all of them. */
static AttendCache *open_cache(AttendContext *context, const FullLayer *layer, size_t sequences) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.block_tokens = 32;
  settings.capacity = layer->spec.window ? layer->spec.window + 40 : TOKENS;
  settings.window = layer->spec.window;
  AttendCache *cache = NULL;
  assert_ok(context, attend_open_cache(context, &layer->spec.shape, &settings, &cache));
  return cache;
}

/* Runs a call in a workspace of exactly the size that its plan names. */
typedef struct PlannedCall {
  size_t batch, tokens, past;
  const float *x;
  float *y;
} PlannedCall;

static void run_planned(AttendContext *context, const AttendWeights *weights, AttendCache *cache,
                        const PlannedCall *call, const AttendOptions *options) {
  const AttendLayerShape shape = attend_weights_shape(weights);
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_layer(context, &shape, call->batch, call->tokens, call->past, true,
                                       options, &plan));
  void *const workspace = guarded_new(plan.workspace_bytes, 0);
  assert_ok(context, attend_set_workspace(context, workspace, plan.workspace_bytes));
  assert_ok(context, attend_layer_forward(context, weights, cache, call->batch, call->tokens,
                                          call->x, options, call->y));
  assert_ok(context, attend_set_workspace(context, NULL, 0));
  guarded_free(workspace, "workspace");
}

/* Chunks of the prompt and single tokens, two sequences side by side. */
static void check_chunks(AttendContext *context, Engine engine, const FullLayer *layer) {
  enum { BATCH = 2 };
  static const size_t chunks[] = {40, 1, 7, 1, 1, 25, 1};
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  float *const x = new_random(64, 1.0f, BATCH * TOKENS * width);
  float *const part = new_bytes(BATCH * 40 * width * sizeof *part);
  double *expected[BATCH];
  for (size_t b = 0; b < BATCH; b++)
    expected[b] = full_layer_expect(layer, TOKENS, x + b * TOKENS * width, NULL);
  AttendWeights *weights = full_layer_pack(context, layer);
  AttendCache *cache = open_cache(context, layer, BATCH);
  size_t first = 0;
  for (size_t k = 0; k < COUNT_OF(chunks); k++) {
    const size_t n = chunks[k];
    for (size_t b = 0; b < BATCH; b++)
      memcpy(part + b * n * width, x + (b * TOKENS + first) * width, n * width * sizeof *part);
    float *const y = guarded_new(BATCH * n * width * sizeof *y, 0);
    const PlannedCall call = {BATCH, n, first, part, y};
    run_planned(context, weights, cache, &call, &layer->options);
    for (size_t b = 0; b < BATCH; b++) {
      assert_int_equal(attend_cache_length(cache, b), first + n);
      check_close(full_label(label, layer, engine, n == 1 ? "decode" : "chunk"), y + b * n * width,
                  expected[b] + first * width, n * width);
    }
    guarded_free(y, "y");
    first += n;
  }
  assert_int_equal(first, TOKENS);
  for (size_t b = 0; b < BATCH; b++) free(expected[b]);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  free(part);
  free(x);
}

static void chunks_and_decode(void **state) {
  (void)state;
  for_each_layer(check_chunks);
}

/* One call of a ragged batch: which sequences of the cache, and how many tokens of each. */
typedef struct RaggedStep {
  size_t slots[3], counts[3];
} RaggedStep;

static const RaggedStep steps[] = {
    {{4, 0, 2}, {40, 1, 13}},
    {{2, 4, 0}, {1, 30, 0}},
    {{0, 2, 4}, {31, 35, 5}},
    {{4, 2, 0}, {1, 1, 1}},
};

/* Prefill and decode mixed in one call, sequences in any order, and one that pauses. */
static void check_ragged_cache(AttendContext *context, Engine engine, const FullLayer *layer) {
  enum { SLOTS = 5 };
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  float *const x = new_random(65, 1.0f, SLOTS * TOKENS * width);
  float *const part = new_bytes(TOKENS * width * sizeof *part);
  double *expected[SLOTS];
  size_t done[SLOTS] = {0};
  for (size_t s = 0; s < SLOTS; s++)
    expected[s] = full_layer_expect(layer, TOKENS, x + s * TOKENS * width, NULL);
  AttendWeights *weights = full_layer_pack(context, layer);
  AttendCache *cache = open_cache(context, layer, SLOTS);
  AttendOptions options = layer->options;
  for (size_t k = 0; k < COUNT_OF(steps); k++) {
    const RaggedStep *const step = &steps[k];
    size_t offsets[4] = {0}, longest = 0;
    for (size_t b = 0; b < 3; b++) {
      if (done[step->slots[b]] > longest) longest = done[step->slots[b]];
      const size_t at = step->slots[b] * TOKENS + done[step->slots[b]];
      memcpy(part + offsets[b] * width, x + at * width, step->counts[b] * width * sizeof *part);
      offsets[b + 1] = offsets[b] + step->counts[b];
    }
    options.query_offsets = offsets;
    options.cache_sequences = step->slots;
    float *const y = guarded_new(offsets[3] * width * sizeof *y, 0);
    const PlannedCall call = {3, offsets[3], longest, part, y};
    run_planned(context, weights, cache, &call, &options);
    for (size_t b = 0; b < 3; b++) {
      const size_t slot = step->slots[b];
      check_close(full_label(label, layer, engine, "ragged batch over a cache"),
                  y + offsets[b] * width, expected[slot] + done[slot] * width,
                  step->counts[b] * width);
      done[slot] += step->counts[b];
      assert_int_equal(attend_cache_length(cache, slot), done[slot]);
    }
    guarded_free(y, "y");
  }
  assert_int_equal(attend_cache_length(cache, 1), 0);
  for (size_t s = 0; s < SLOTS; s++) free(expected[s]);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  free(part);
  free(x);
}

static void ragged_cache(void **state) {
  (void)state;
  for_each_layer(check_ragged_cache);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prefill),      cmocka_unit_test(ragged_prefill),
      cmocka_unit_test(late_start),   cmocka_unit_test(chunks_and_decode),
      cmocka_unit_test(ragged_cache),
  };
  return cmocka_run_group_tests_name("layer_full", tests, NULL, NULL);
}
