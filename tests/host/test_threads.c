/* test_threads.c - contexts in several threads of the host at once.
 *
 * The threads share packed weights and activations, which nobody writes, and have contexts, caches,
 * taps and outputs of their own, which they open and close all the time. Every result is compared
 * with the oracle's. .ci/run has ThreadSanitizer watch this program, which then finds what results
 * do not show. A worker notes what failed; only the main thread may end a test.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/full_layer.h"

enum { WORKERS = 4, ROUNDS = 5 };
/* A prompt of more rows than the projection kernel takes, so that OpenBLAS has a part; then
 * decode. */
enum { PROMPT = 30, TOKENS = 34 };

/* What all threads read. */
typedef struct Shared {
  FullLayer layer;
  AttendWeights *weights;
  float *x;  /* [TOKENS, E] */
  double *y; /* the oracle's */
  pthread_barrier_t start;
} Shared;

typedef struct Worker {
  Shared *shared;
  Engine engine;
  size_t threads; /* of each context */
  size_t rounds, taps;
  const char *failure; /* null: none */
} Worker;

/* What a worker has open during a round. */
typedef struct Open {
  AttendContext *context;
  AttendCache *cache;
  float *y; /* [TOKENS, E] */
} Open;

static bool note(Worker *worker, bool holds, const char *what) {
  if (!holds && !worker->failure) worker->failure = what;
  return holds;
}
/* Whether the condition holds; if not, it is what the worker failed at. */
#define HOLDS(worker, condition) note((worker), (condition), #condition)

static void count_tap(void *user, const AttendMatrix *matrix) {
  Worker *const worker = user;
  worker->taps += matrix->rows > 0;
}

static bool open_all(Worker *worker, Open *open) {
  const FullLayer *const layer = &worker->shared->layer;
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.threads = worker->threads;
  settings.path = worker->engine.path;
  settings.isa = worker->engine.isa;
  settings.profile = worker->rounds % 2 == 0;
  AttendCacheSettings cached;
  attend_default_cache_settings(&cached);
  cached.sequences = 2;
  cached.capacity = 64;
  cached.block_tokens = 32;
  cached.pool_blocks = worker->rounds % 3 == 0 ? 4 : 0;
  *open = (Open){.y = malloc(TOKENS * layer->spec.shape.width * sizeof(float))};
  return HOLDS(worker, open->y) && HOLDS(worker, !attend_open(&open->context, &settings)) &&
         HOLDS(worker,
               !attend_open_cache(open->context, &layer->spec.shape, &cached, &open->cache)) &&
         HOLDS(worker,
               !attend_set_tap(open->context, worker->rounds % 2 ? count_tap : NULL, worker)) &&
         HOLDS(worker, !attend_set_tap_rows(open->context, 0, 2));
}

static void close_all(Open *open) {
  attend_close_cache(&open->cache);
  attend_close(&open->context);
  free(open->y);
}

/* Feeds tokens first .. first + count to a sequence of the cache, or to none. */
static bool feed(Worker *worker, const Open *open, AttendCache *cache, size_t sequence,
                 size_t first, size_t count) {
  const Shared *const shared = worker->shared;
  const size_t width = shared->layer.spec.shape.width;
  AttendOptions options = shared->layer.options;
  options.cache_sequences = cache ? &sequence : NULL;
  return HOLDS(worker,
               !attend_layer_forward(open->context, shared->weights, cache, 1, count,
                                     shared->x + first * width, &options, open->y + first * width));
}

static bool is_right(const Shared *shared, const float *y, size_t first) {
  const size_t width = shared->layer.spec.shape.width;
  for (size_t i = first * width; i < TOKENS * width; i++)
    if (!is_close((double)y[i], shared->y[i], fixed_allowance(shared->y[i]))) return false;
  return true;
}

/* A prompt, decode, the same decode in a fork of the prompt, and all of it without a cache. */
static void run_round(Worker *worker, const Open *open) {
  const Shared *const shared = worker->shared;
  for (size_t sequence = 0; sequence < 2; sequence++) {
    if (sequence == 0) feed(worker, open, open->cache, 0, 0, PROMPT);
    if (sequence == 1) HOLDS(worker, !attend_fork_cache(open->context, open->cache, 0, 1, PROMPT));
    for (size_t token = PROMPT; token < TOKENS; token++)
      feed(worker, open, open->cache, sequence, token, 1);
    HOLDS(worker, is_right(shared, open->y, sequence == 0 ? 0 : PROMPT));
  }
  feed(worker, open, NULL, 0, 0, TOKENS);
  HOLDS(worker, is_right(shared, open->y, 0));
}

static void *run_worker(void *user) {
  Worker *const worker = user;
  pthread_barrier_wait(&worker->shared->start);
  for (worker->rounds = 0; worker->rounds < ROUNDS; worker->rounds++) {
    AttendMachine machine;
    AttendWeights *weights = NULL;
    Open open;
    HOLDS(worker, !attend_describe_machine(&machine));
    HOLDS(worker, attend_find_model("Qwen2.5-0.5B"));
    if (open_all(worker, &open)) {
      const AttendWeightSource source = full_layer_source(&worker->shared->layer);
      HOLDS(worker, !attend_pack_weights(open.context, &worker->shared->layer.spec.shape, &source,
                                         &weights));
      run_round(worker, &open);
    }
    attend_free_weights(&weights);
    close_all(&open);
  }
  HOLDS(worker, worker->taps > 0);
  return NULL;
}

static Shared shared_new(size_t index) {
  Shared shared = {.x = NULL};
  assert_true(full_layer_new(index, &shared.layer));
  shared.x = new_random(95, 1.0f, TOKENS * shared.layer.spec.shape.width);
  shared.y = full_layer_expect(&shared.layer, TOKENS, shared.x, NULL);
  AttendContext *packer = auto_open(1);
  shared.weights = full_layer_pack(packer, &shared.layer);
  attend_close(&packer);
  assert_int_equal(pthread_barrier_init(&shared.start, NULL, WORKERS), 0);
  return shared;
}

static void shared_free(Shared *shared) {
  pthread_barrier_destroy(&shared->start);
  attend_free_weights(&shared->weights);
  full_layer_free(&shared->layer);
  free(shared->x);
  free(shared->y);
}

/* Worker w runs engine (first + w) % count with threads[w] threads. */
static void run_workers(Shared *shared, size_t first, const size_t threads[static WORKERS]) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  Worker workers[WORKERS];
  pthread_t ids[WORKERS];
  for (size_t w = 0; w < WORKERS; w++) {
    workers[w] =
        (Worker){.shared = shared, .engine = engines[(first + w) % count], .threads = threads[w]};
    assert_int_equal(pthread_create(&ids[w], NULL, run_worker, &workers[w]), 0);
  }
  for (size_t w = 0; w < WORKERS; w++) assert_int_equal(pthread_join(ids[w], NULL), 0);
  for (size_t w = 0; w < WORKERS; w++)
    if (workers[w].failure)
      fail_msg("%s, path=%s isa=%s, %zu threads, thread %zu of the host: %s does not hold",
               shared->layer.spec.name, attend_path_name(workers[w].engine.path),
               attend_isa_name(workers[w].engine.isa), workers[w].threads, w, workers[w].failure);
}

static void run_layers(const size_t threads[static WORKERS]) {
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    full_layer_free(&layer);
    Shared shared = shared_new(index);
    run_workers(&shared, index, threads);
    shared_free(&shared);
  }
}

static void contexts_of_one_thread(void **state) {
  (void)state;
  run_layers((const size_t[WORKERS]){1, 1, 1, 1});
}

static void contexts_of_two_threads(void **state) {
  (void)state;
  run_layers((const size_t[WORKERS]){2, 2, 2, 2});
}

/* OpenBLAS has one number of threads for all of them. */
static void contexts_of_different_threads(void **state) {
  (void)state;
  run_layers((const size_t[WORKERS]){1, 3, 2, 4});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(contexts_of_one_thread),
      cmocka_unit_test(contexts_of_two_threads),
      cmocka_unit_test(contexts_of_different_threads),
  };
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
