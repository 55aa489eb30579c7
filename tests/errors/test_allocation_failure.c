/* test_allocation_failure.c - every allocation of contexts, caches and calls fails.
 *
 * A refused call has a status and a sentence, has written nothing and keeps nothing (injection.h).
 * The call that succeeds at last is made on the same context, cache and outputs and gives what the
 * oracle gives. How many allocations a call makes is stated, so that one that the hook does not see
 * is found. Weights are in test_allocation_failure_weights.c, files in
 * test_allocation_failure_files.c, and calls that never allocate in test_without_memory.c.
 */
#include "tests/support/core_check.h"
#include "tests/support/full_layer.h"
#include "tests/support/injection.h"

#include <stdlib.h>

#define THREADS 3
#define STORAGES (ATTEND_STORAGE_COUNT - 1) /* but AUTO */

/* Runs `check` on every engine with a context that has no workspace yet. */
static void inject_each_engine(void **state, void (*check)(Injection injection,
                                                           AttendContext *context, Engine engine)) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t e = 0; e < count; e++) {
    AttendContext *context = engine_open(engines[e], THREADS);
    check(injection_of(state), context, engines[e]);
    attend_close(&context);
  }
}

/* ---- contexts ---- */

static void opening_a_context(void **state) {
  for (size_t profiled = 0; profiled < 2; profiled++) {
    Injection injection = injection_of(state);
    AttendSettings settings;
    attend_default_settings(&settings);
    settings.threads = THREADS;
    settings.profile = profiled == 1;
    AttendContext *context = (AttendContext *)(void *)&settings;
    while (refused(&injection, NULL, attend_open(&context, &settings))) {
      assert_null(context);
      context = (AttendContext *)(void *)&settings;
    }
    assert_int_equal(injection.refusals, 1 + profiled);
    assert_string_equal(attend_get_error(context), "");
    attend_close(&context);
  }
}

/* A refused reserve keeps the old workspace. The last size is large enough for huge pages. */
static void reserving_a_workspace(void **state) {
  static const size_t sizes[] = {1000, 100000, 5000000};
  AttendContext *context = auto_open(THREADS);
  for (size_t k = 0; k < COUNT_OF(sizes); k++) {
    Injection injection = injection_of(state);
    const size_t kept = k ? sizes[k - 1] : 0;
    while (refused(&injection, context, attend_reserve_workspace(context, sizes[k])))
      assert_needs_no_memory(context, attend_reserve_workspace(context, kept));
    assert_int_equal(injection.refusals, 1);
    assert_needs_no_memory(context, attend_reserve_workspace(context, sizes[k]));
  }
  attend_close(&context);
}

/* ---- core ---- */

static void count_tap(void *user, const AttendMatrix *matrix) {
  (void)matrix;
  ++*(size_t *)user;
}

/* A core call with its outputs. */
typedef struct CoreRun {
  CoreProblem problem;
  AttendOutputView out;
  float *data, *lse;
  size_t floats, rows;
} CoreRun;

static CoreRun core_run_new(const CoreCase *spec) {
  const AttendShape *const s = &spec->shape;
  CoreRun run = {.problem = problem_new(spec), .rows = s->batch * s->query_heads * s->query_tokens};
  run.floats = run.rows * s->value_dim;
  run.data = guarded_new(run.floats * sizeof(float), 4);
  run.lse = guarded_new(run.rows * sizeof(float), 8);
  run.out = attend_output_bnhd(run.data, s->query_tokens, s->query_heads, s->value_dim);
  problem_expect(&run.problem);
  return run;
}

static void core_run_require_untouched(const CoreRun *run) {
  require_untouched(run->data, run->floats, "out");
  require_untouched(run->lse, run->rows, "lse");
}

static void core_run_free(CoreRun *run) {
  check_close("out", run->data, run->problem.out, run->floats);
  for (size_t r = 0; r < run->rows; r++)
    check_close("lse", run->lse + r, &run->problem.rows[r].lse, 1);
  guarded_free(run->data, "out");
  guarded_free(run->lse, "lse");
  problem_free(&run->problem);
}

static void check_core(Injection injection, AttendContext *context, Engine engine) {
  const CoreCase spec = {.shape = {2, 70, 150, 4, 2, 32, 24}, .q_start = 80};
  CoreRun run = core_run_new(&spec);
  const CoreProblem *const p = &run.problem;
  size_t taps = 0;
  assert_ok(context, attend_set_tap(context, count_tap, &taps));
  assert_ok(context, attend_set_tap_rows(context, 3, 9));
  while (refused(&injection, context,
                 attend_core_forward(context, &p->spec.shape, p->query, p->key, p->value,
                                     &p->options, run.out, run.lse))) {
    core_run_require_untouched(&run);
    assert_int_equal(taps, 0);
  }
  assert_int_equal(injection.refusals, 1);
  assert_true(taps > 0);
  assert_ok(context, attend_set_tap(context, NULL, NULL));
  problem_check(p, context, engine, THREADS);
  core_run_free(&run);
}

static void a_core_call(void **state) {
  inject_each_engine(state, check_core);
}

/* The numbers are such that the storage holds them exactly. */
static void check_stored(Injection injection, Engine engine, AttendStorage storage) {
  const CoreCase spec = {.shape = {2, 5, 150, 4, 2, 32, 24}, .q_start = 145};
  const AttendLayerShape shape = {128, 4, 2, 32, 24};
  AttendCacheSettings settings;
  AttendCache *cache = NULL;
  AttendContext *context = engine_open(engine, THREADS);
  CoreRun run = core_run_new(&spec);
  AttendOptions options = run.problem.options;
  options.q_start = 0;
  problem_store(&run.problem, storage);
  problem_expect(&run.problem);
  attend_default_cache_settings(&settings);
  settings.sequences = 2;
  settings.capacity = 150;
  settings.storage = storage;
  assert_ok(context, attend_open_cache(context, &shape, &settings, &cache));
  cache_append(context, cache, 2, 150, run.problem.key, run.problem.value);
  void *const snapshot = cache_snapshot(cache);
  while (refused(&injection, context,
                 attend_cached_forward(context, &spec.shape, cache, run.problem.query, &options,
                                       run.out, run.lse)))
    core_run_require_untouched(&run);
  assert_int_equal(injection.refusals, 1);
  require_snapshot(cache, snapshot);
  free(snapshot);
  attend_close_cache(&cache);
  attend_close(&context);
  core_run_free(&run);
}

static void a_call_over_a_cache(void **state) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t e = 0; e < count; e++)
    for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++)
      check_stored(injection_of(state), engines[e], (AttendStorage)storage);
}

/* ---- caches and layers over them ---- */

/* Plain, pooled, and a ring: two sequences of 64 tokens at a time. */
static AttendCacheSettings cache_kind(size_t kind) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = 2;
  settings.capacity = 64;
  settings.block_tokens = 32;
  if (kind == 1) settings.pool_blocks = 5;
  if (kind == 2) settings.window = 24;
  return settings;
}
#define CACHE_KINDS 3

static void opening_a_cache(void **state) {
  const AttendLayerShape shape = {64, 4, 2, 16, 16};
  AttendContext *context = auto_open(1);
  for (size_t k = 0; k < CACHE_KINDS * ATTEND_STORAGE_COUNT; k++) {
    Injection injection = injection_of(state);
    AttendCacheSettings settings = cache_kind(k % CACHE_KINDS);
    settings.storage = (AttendStorage)(k / CACHE_KINDS);
    AttendCache *cache = (AttendCache *)(void *)context;
    while (refused(&injection, context, attend_open_cache(context, &shape, &settings, &cache))) {
      assert_null(cache);
      cache = (AttendCache *)(void *)context;
    }
    assert_int_equal(injection.refusals, 1);
    assert_int_equal(attend_cache_length(cache, 0), 0);
    assert_int_equal(attend_cache_capacity(cache), settings.capacity);
    attend_close_cache(&cache);
  }
  attend_close(&context);
}

/* What a layer is given in two chunks, and what it must make of them. */
typedef struct Chunks {
  const FullLayer *layer;
  const float *x;
  const double *y;
} Chunks;

enum { FIRST = 40, SECOND = 24, ALL = FIRST + SECOND };

/* Both chunks by contexts that have their memory, into a cache of their own. */
static float *run_unrefused(AttendContext *const contexts[2], const AttendWeights *weights,
                            const AttendCacheSettings *settings, const Chunks *chunks) {
  const AttendLayerShape *const s = &chunks->layer->spec.shape;
  const size_t first = FIRST * s->width;
  float *const y = new_bytes(ALL * s->width * sizeof *y);
  AttendCache *cache = NULL;
  assert_ok(contexts[0], attend_open_cache(contexts[0], s, settings, &cache));
  assert_ok(contexts[0], attend_layer_forward(contexts[0], weights, cache, 1, FIRST, chunks->x,
                                              &chunks->layer->options, y));
  assert_ok(contexts[1],
            attend_layer_forward(contexts[1], weights, cache, 1, SECOND, chunks->x + first,
                                 &chunks->layer->options, y + first));
  attend_close_cache(&cache);
  return y;
}

/* A second chunk, refused until there is memory, after a first one from another context. In a ring
 * the second chunk takes the place of tokens of the first. What comes of it at last is what comes
 * where nothing is refused, and what the oracle gives if the cache holds keys and values as they
 * are. */
static void check_layer(Injection injection, Engine engine, const Chunks *chunks, size_t kind,
                        AttendStorage storage) {
  const FullLayer *const layer = chunks->layer;
  const AttendLayerShape *const s = &layer->spec.shape;
  AttendCacheSettings settings = cache_kind(kind);
  settings.storage = storage;
  const float *const x = chunks->x;
  float *const y = guarded_new(ALL * s->width * sizeof *y, 4), *const second = y + FIRST * s->width;
  AttendContext *other = engine_open(engine, 1), *context = engine_open(engine, THREADS);
  AttendWeights *weights = full_layer_pack(other, layer);
  AttendCache *cache = NULL;
  assert_ok(other, attend_open_cache(other, s, &settings, &cache));
  assert_ok(other, attend_layer_forward(other, weights, cache, 1, FIRST, x, &layer->options, y));
  void *const snapshot = cache_snapshot(cache);
  while (refused(&injection, context,
                 attend_layer_forward(context, weights, cache, 1, SECOND, x + FIRST * s->width,
                                      &layer->options, second))) {
    require_untouched(second, SECOND * s->width, "y");
    require_snapshot(cache, snapshot);
  }
  assert_int_equal(injection.refusals, 1);
  char label[FULL_LABEL_SIZE];
  float *const unrefused =
      run_unrefused((AttendContext *[]){other, context}, weights, &settings, chunks);
  assert_memory_equal(y, unrefused, ALL * s->width * sizeof *y);
  free(unrefused);
  if (storage == ATTEND_STORAGE_FP32 || storage == ATTEND_STORAGE_BF16X3)
    check_close(full_label(label, layer, engine, "two chunks"), y, chunks->y, ALL * s->width);
  assert_int_equal(attend_cache_length(cache, 0), ALL);
  free(snapshot);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
  attend_close(&other);
  guarded_free(y, "y");
}

static void a_layer_over_a_cache(void **state) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    float *const x = new_random(92, 1.0f, ALL * layer.spec.shape.width);
    double *const y = full_layer_expect(&layer, ALL, x, NULL);
    const Chunks chunks = {&layer, x, y};
    for (size_t k = 0; k < count * CACHE_KINDS; k++) {
      const size_t kind = k % CACHE_KINDS;
      if (cache_kind(kind).window && !layer.spec.window)
        continue; /* it sees more than a ring has */
      const AttendStorage storage = (AttendStorage)(ATTEND_STORAGE_FP32 + (index + k) % STORAGES);
      check_layer(injection_of(state), engines[k / CACHE_KINDS], &chunks, kind, storage);
    }
    free(x);
    free(y);
    full_layer_free(&layer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      INJECTED_TEST(opening_a_context), INJECTED_TEST(reserving_a_workspace),
      INJECTED_TEST(a_core_call),       INJECTED_TEST(a_call_over_a_cache),
      INJECTED_TEST(opening_a_cache),   INJECTED_TEST(a_layer_over_a_cache),
  };
  return cmocka_run_group_tests_name("allocation_failure", tests, NULL, NULL);
}
