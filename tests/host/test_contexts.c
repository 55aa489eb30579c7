/* test_contexts.c - contexts with different numbers of threads, used at the same time.
 *
 * OpenBLAS has one thread count for the process. Each worker checks every one of its calls against
 * what it computed alone; the host's settings must be back when all of them are done. Projections
 * of more rows than the `project` kernel takes go through cblas_sgemm, which is what is on trial.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "platform/blas.h"
#include "tests/support/layer_problem.h"
#include "tests/support/support.h"

#define WORKERS 2
#define CALLS 300

typedef struct Worker {
  const LayerProblem *problem;
  const AttendWeights *weights;
  AttendPath path;
  size_t threads;
  size_t wrong; /* calls that failed or are far from the call made alone */
} Worker;

static AttendContext *open_context(const Worker *worker) {
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.path = worker->path;
  settings.threads = worker->threads;
  AttendContext *context = NULL;
  return attend_open(&context, &settings) == ATTEND_OK ? context : NULL;
}

static bool forward(AttendContext *context, const Worker *worker, float *y) {
  const LayerCase *const c = &worker->problem->spec;
  return attend_layer_forward(context, worker->weights, NULL, c->batch, c->tokens,
                              worker->problem->x, &worker->problem->options, y) == ATTEND_OK;
}

static void *run_worker(void *user) {
  Worker *const worker = user;
  const LayerCase *const c = &worker->problem->spec;
  const size_t count = c->batch * c->tokens * c->shape.width;
  float *const y = malloc(count * sizeof *y);
  AttendContext *context = open_context(worker);
  for (size_t call = 0; call < CALLS; call++) {
    bool right = context && y && forward(context, worker, y);
    for (size_t e = 0; right && e < count; e++) {
      right = fabs((double)y[e] - worker->problem->y[e]) <= 1e-4;
    }
    worker->wrong += !right;
  }
  attend_close(&context);
  free(y);
  return NULL;
}

static void different_threads_at_the_same_time(void **state) {
  (void)state;
  static const size_t pairs[][WORKERS] = {{2, 4}, {1, 3}, {2, 2}};
  static const AttendPath paths[] = {ATTEND_PATH_TILED, ATTEND_PATH_BLAS};
  const LayerCase spec = {.shape = {256, 4, 2, 64, 64}, .batch = 1, .tokens = 300};
  LayerProblem problem = layer_problem_new(&spec);
  OracleLayer oracle = layer_problem_oracle(&problem);
  assert_true(oracle_layer(&oracle, problem.y));
  AttendContext *packer = NULL;
  assert_int_equal(attend_open(&packer, NULL), ATTEND_OK);
  AttendWeights *weights = pack_form(packer, &problem, (Form){ATTEND_IN_OUT, true});
  const size_t host = blas_threads();
  for (size_t k = 0; k < COUNT_OF(pairs) * COUNT_OF(paths); k++) {
    Worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (size_t w = 0; w < WORKERS; w++) {
      workers[w] =
          (Worker){&problem, weights, paths[k % COUNT_OF(paths)], pairs[k / COUNT_OF(paths)][w], 0};
      assert_int_equal(pthread_create(&threads[w], NULL, run_worker, &workers[w]), 0);
    }
    for (size_t w = 0; w < WORKERS; w++) pthread_join(threads[w], NULL);
    for (size_t w = 0; w < WORKERS; w++) {
      if (workers[w].wrong)
        fail_msg("path %s, %zu threads beside %zu: %zu of %d calls wrong",
                 attend_path_name(workers[w].path), workers[w].threads, workers[1 - w].threads,
                 workers[w].wrong, CALLS);
    }
    assert_int_equal(blas_threads(), host);
  }
  attend_free_weights(&weights);
  attend_close(&packer);
  layer_problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(different_threads_at_the_same_time)};
  return cmocka_run_group_tests_name("contexts", tests, NULL, NULL);
}
