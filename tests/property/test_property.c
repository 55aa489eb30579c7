/* test_property.c - random core calls on every engine, against the oracle.
 *
 * Each case is any combination of options, sizes, layouts and threads, drawn from a seed of its
 * own: case k of a run has the seed of the run plus k. A case that fails is made smaller for as
 * long as it still fails, and the smallest is printed as the initialiser of a CoreCase. In the
 * environment:
 *   ATTEND_TEST_SEED   the seed of the run: with that of one case and a count of 1, that case alone
 *   ATTEND_TEST_CASES  how many cases
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/random_case.h"
#include "tests/support/core_check.h"

#define DEFAULT_SEED 20250314
#define DEFAULT_CASES 3000
#define MAX_THREADS 3
/* Runs of simpler cases that a failure may cost. */
#define MAX_SIMPLER 600

/* Tiled engines in other precisions than fp32, of which each case meets one. */
#define MAX_BENCH_ENGINES (MAX_ENGINES + MAX_TILED_ENGINES)

/* One case on one engine. */
typedef struct Trial {
  CoreCase spec;
  Engine engine;
  size_t threads;
} Trial;

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
  const char *const text = getenv(name);
  if (!text || !*text) return otherwise;
  char *end = NULL;
  errno = 0;
  const uint64_t value = strtoull(text, &end, 10);
  if (errno || *end) fail_msg("%s is \"%s\"; expected a number", name, text);
  return value;
}

/* Runs the trial from the start, in a context of its own. */
static bool trial_fails(const Trial *trial, char difference[static DIFFERENCE_SIZE]) {
  CoreProblem problem = problem_new(&trial->spec);
  AttendContext *context = engine_open(trial->engine, trial->threads);
  problem.precision = trial->engine.precision;
  problem_expect(&problem);
  const bool matches = problem_matches(&problem, context, difference);
  attend_close(&context);
  problem_free(&problem);
  return !matches;
}

/* Takes steps that keep the failure until none does. */
static void shrink(Trial *trial, char difference[static DIFFERENCE_SIZE]) {
  char text[DIFFERENCE_SIZE];
  Trial simpler = *trial;
  simpler.threads = 1;
  if (trial_fails(&simpler, text)) *trial = simpler;
  size_t tried = 0;
  for (size_t step = 0; tried < MAX_SIMPLER; step++) {
    simpler = *trial;
    if (!case_simplify(&trial->spec, step, &simpler.spec)) break;
    if (memcmp(&simpler.spec, &trial->spec, sizeof simpler.spec) == 0) continue;
    tried++;
    if (!trial_fails(&simpler, text)) continue;
    *trial = simpler;
    memcpy(difference, text, DIFFERENCE_SIZE);
    step = (size_t)-1;
  }
}

static void fail_trial(const Trial *trial, const char *first_difference) {
  char text[CASE_TEXT_SIZE], difference[DIFFERENCE_SIZE];
  if (!trial_fails(trial, difference)) {
    case_describe(&trial->spec, text, sizeof text);
    fail_msg("seed %" PRIu64
             " on path=%s isa=%s precision=%s threads=%zu after other cases, but not alone: %s: "
             "%s",
             trial->spec.seed, attend_path_name(trial->engine.path),
             attend_isa_name(trial->engine.isa), attend_precision_name(trial->engine.precision),
             trial->threads, text, first_difference);
  }
  Trial smallest = *trial;
  shrink(&smallest, difference);
  case_describe(&smallest.spec, text, sizeof text);
  fail_msg("seed %" PRIu64 " (ATTEND_TEST_SEED): path=%s isa=%s precision=%s threads=%zu %s: %s",
           trial->spec.seed, attend_path_name(smallest.engine.path),
           attend_isa_name(smallest.engine.isa), attend_precision_name(smallest.engine.precision),
           smallest.threads, text, difference);
}

/* All engines, each with contexts that live as long as the run: what one case leaves behind in a
 * workspace must not reach the next. */
typedef struct Bench {
  Engine engines[MAX_BENCH_ENGINES];
  size_t count, in_fp32;
  AttendContext *contexts[MAX_BENCH_ENGINES][MAX_THREADS];
} Bench;

static void check_trial(const Bench *bench, const CoreProblem *problem, size_t k) {
  const CoreCase *const spec = &problem->spec;
  const Trial trial = {*spec, bench->engines[k], 1 + case_draw(spec->seed, k, MAX_THREADS)};
  AttendContext *const context = bench->contexts[k][trial.threads - 1];
  char difference[DIFFERENCE_SIZE];
  if (!problem_matches(problem, context, difference)) fail_trial(&trial, difference);
}

static void check_random_case(const Bench *bench, const CoreCase *spec) {
  CoreProblem problem = problem_new(spec);
  problem_expect(&problem);
  for (size_t k = 0; k < bench->in_fp32; k++) check_trial(bench, &problem, k);
  if (bench->count == bench->in_fp32) {
    problem_free(&problem);
    return;
  }
  const size_t k =
      bench->in_fp32 + case_draw(spec->seed, bench->count, bench->count - bench->in_fp32);
  problem.precision = bench->engines[k].precision;
  problem_expect(&problem);
  check_trial(bench, &problem, k);
  problem_free(&problem);
}

static void random_cases(void **state) {
  (void)state;
  const uint64_t seed = number_from_environment("ATTEND_TEST_SEED", DEFAULT_SEED);
  const uint64_t cases = number_from_environment("ATTEND_TEST_CASES", DEFAULT_CASES);
  Bench bench = {0};
  bench.count = bench.in_fp32 = list_engines(bench.engines);
  for (int p = ATTEND_PRECISION_FP32 + 1; p < ATTEND_PRECISION_COUNT; p++)
    bench.count += list_engines_in((AttendPrecision)p, bench.engines + bench.count);
  for (size_t k = 0; k < bench.count; k++)
    for (size_t t = 0; t < MAX_THREADS; t++)
      bench.contexts[k][t] = engine_open(bench.engines[k], t + 1);
  size_t query_tile, key_tile;
  tile_of(bench.engines[bench.in_fp32 - 1], &query_tile, &key_tile);
  for (uint64_t k = 0; k < cases; k++) {
    const CoreCase spec = case_random(seed + k, query_tile);
    check_random_case(&bench, &spec);
  }
  for (size_t k = 0; k < bench.count; k++)
    for (size_t t = 0; t < MAX_THREADS; t++) attend_close(&bench.contexts[k][t]);
}

/* A failure is found again in a smaller case: here one that any mask longer than five keys
 * shows. */
static void simpler_cases(void **state) {
  (void)state;
  CoreCase spec = {.shape = {3, 40, 200, 6, 3, 64, 32}, .layout = LAYOUT_PADDED, .q_start = -17};
  spec.options.mask = (CaseGrid){true, 3, 50, 2, 20};
  spec.options.bias.used = spec.options.sinks = spec.options.left.limited = true;
  CoreCase simpler;
  for (size_t step = 0; case_simplify(&spec, step, &simpler); step++) {
    if (memcmp(&simpler, &spec, sizeof spec) == 0) continue;
    if (!simpler.options.mask.used || simpler.shape.key_tokens < 6) continue;
    spec = simpler;
    step = (size_t)-1;
  }
  CoreCase smallest = {.shape = {1, 1, 6, 1, 1, 1, 1}};
  smallest.options.mask = (CaseGrid){true, 3, 0, 0, 0};
  char got[CASE_TEXT_SIZE], expected[CASE_TEXT_SIZE];
  case_describe(&spec, got, sizeof got);
  case_describe(&smallest, expected, sizeof expected);
  assert_string_equal(got, expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(simpler_cases),
      cmocka_unit_test(random_cases),
  };
  return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
