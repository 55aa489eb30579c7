/* test_same_bits.c - a row of the tiled path has the same bits whatever surrounds it.
 *
 * The same rows are computed with other numbers of threads, again, alone and in a batch, in chunks
 * of a prompt, in other layouts and next to other heads, and compared byte for byte. One run of
 * each shape is held against the oracle, so that the bits are also the right ones. Shapes with many
 * keys and few queries are those where work may be split over keys.
 */
#include "tests/support/core_check.h"
#include "tests/support/part_of_problem.h"

/* Shapes on both sides of every choice that a tiled path may make: one and many query tiles, keys
 * of one tile and of several splits, few and many heads, ragged ends. */
static const CoreCase cases[] = {
    {.shape = {1, 200, 200, 4, 2, 64, 64}},
    {.shape = {1, 200, 200, 3, 3, 40, 24}, .bidirectional = true},
    {.shape = {2, 130, 700, 6, 1, 32, 32}, .q_start = 570},
    {.shape = {1, 1, 2500, 4, 1, 64, 64}, .q_start = 2499},
    {.shape = {1, 1, 4100, 8, 2, 32, 32}, .q_start = 4099},
    {.shape = {2, 5, 4100, 2, 1, 16, 48}, .q_start = 4095},
    {.shape = {1, 33, 2500, 2, 2, 32, 32}, .q_start = 2467},
    {.shape = {3, 17, 33, 2, 2, 128, 128}, .q_start = -5},
    {.shape = {1, 1, 2500, 1, 1, 128, 128}, .bidirectional = true},
    {.shape = {1, 3, 9000, 1, 1, 16, 16}, .bidirectional = true},
};

/* Calls check(problem, engine) for every case and tiled engine. */
static void for_each_case(void (*check)(const CoreProblem *problem, Engine engine)) {
  core_run_cases(cases, COUNT_OF(cases), check);
}

static void cases_match_the_oracle(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines_in(ATTEND_PRECISION_FP32, engines);
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    CoreProblem problem = problem_new(&cases[c]);
    problem_expect(&problem);
    for (size_t k = 0; k < count; k++) problem_check_engine(&problem, engines[k], 3);
    problem_check_precisions(&problem, 3);
    problem_free(&problem);
  }
}

static void any_number_of_threads(void **state) {
  (void)state;
  for_each_case(same_with_any_threads);
}

static void check_repeats(const CoreProblem *problem, Engine engine) {
  AttendContext *context = engine_open(engine, 3);
  Result expected = core_run(context, &problem->spec.shape, problem->query, problem->key,
                             problem->value, &problem->options);
  for (int repeat = 0; repeat < 5; repeat++) {
    Result got = core_run(context, &problem->spec.shape, problem->query, problem->key,
                          problem->value, &problem->options);
    same_result("another run", &problem->spec.shape, &got, &expected);
    result_free(&got);
  }
  result_free(&expected);
  attend_close(&context);
}

static void run_after_run(void **state) {
  (void)state;
  for_each_case(check_repeats);
}

static void alone_or_in_a_batch(void **state) {
  (void)state;
  for_each_case(same_alone);
}

/* The prompt in chunks: each with its own q_start, over the keys that exist by then. */
static void check_chunks_of(const CoreProblem *problem, Engine engine, size_t chunk,
                            const Result *expected) {
  const AttendShape *const whole = &problem->spec.shape;
  AttendContext *context = engine_open(engine, chunk % 3 + 1);
  for (size_t first = 0; first < whole->query_tokens; first += chunk) {
    AttendShape part = *whole;
    AttendOptions options = problem->options;
    const size_t left = whole->query_tokens - first;
    part.query_tokens = left < chunk ? left : chunk;
    options.q_start += (int64_t)first;
    if (options.causal) {
      const int64_t known = options.q_start + (int64_t)part.query_tokens;
      part.key_tokens = known < 0 ? 0 : (size_t)known;
      if (part.key_tokens > whole->key_tokens) part.key_tokens = whole->key_tokens;
    }
    AttendView query = problem->query;
    query.data += first * query.token_stride;
    Result got = core_run(context, &part, query, problem->key, problem->value, &options);
    for (size_t b = 0; b < part.batch; b++)
      for (size_t i = 0; i < part.query_tokens; i++)
        same_row("in chunks", &part, &got, b, i, whole, expected, b, first + i);
    result_free(&got);
  }
  attend_close(&context);
}

static void check_chunks(const CoreProblem *problem, Engine engine) {
  same_in_chunks(problem, engine, check_chunks_of);
}

static void a_prompt_cut_in_chunks(void **state) {
  (void)state;
  for_each_case(check_chunks);
}

/* Keys beyond those that a causal row sees change nothing. */
static void check_more_keys(const CoreProblem *problem, Engine engine) {
  if (problem->spec.bidirectional) return;
  Result expected = core_run_problem(problem, engine, 2);
  AttendShape shorter = problem->spec.shape;
  AttendContext *context = engine_open(engine, 2);
  for (size_t i = 0; i < problem->spec.shape.query_tokens; i += 16) {
    const int64_t known = problem->options.q_start + (int64_t)i + 1;
    if (known <= 0) continue;
    shorter.query_tokens = i + 1;
    shorter.key_tokens = (size_t)known;
    Result got = core_run(context, &shorter, problem->query, problem->key, problem->value,
                          &problem->options);
    for (size_t b = 0; b < shorter.batch; b++)
      same_row("fewer keys", &shorter, &got, b, i, &problem->spec.shape, &expected, b, i);
    result_free(&got);
  }
  attend_close(&context);
  result_free(&expected);
}

static void keys_that_are_not_seen(void **state) {
  (void)state;
  for_each_case(check_more_keys);
}

/* The same numbers in another order of memory, and one query head without the others. */
static void layouts_and_single_heads(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t k = 0; k < count; k++) {
    const Engine engine = engines[k];
    CoreCase spec = {.shape = {2, 90, 300, 6, 2, 48, 40}, .q_start = 210};
    CoreProblem problem = problem_new(&spec);
    Result expected = core_run_problem(&problem, engine, 2);
    static const CaseLayout layouts[] = {LAYOUT_BHND, LAYOUT_NBHD, LAYOUT_PADDED};
    for (size_t l = 0; l < COUNT_OF(layouts); l++) {
      spec.layout = layouts[l];
      CoreProblem other = problem_new(&spec);
      Result got = core_run_problem(&other, engine, 2);
      same_result("another layout", &spec.shape, &got, &expected);
      result_free(&got);
      problem_free(&other);
    }
    AttendContext *context = engine_open(engine, 2);
    AttendShape single = spec.shape;
    single.query_heads = single.kv_heads = 1;
    for (size_t h = 0; h < 6; h++) {
      AttendView query = problem.query, key = problem.key, value = problem.value;
      query.data += h * query.head_stride;
      key.data += h / 3 * key.head_stride;
      value.data += h / 3 * value.head_stride;
      Result got = core_run(context, &single, query, key, value, &problem.options);
      for (size_t r = 0; r < 180; r++)
        assert_memory_equal(got.out + r * 40, expected.out + (r * 6 + h) * 40, 40 * sizeof(float));
      result_free(&got);
    }
    attend_close(&context);
    result_free(&expected);
    problem_free(&problem);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases_match_the_oracle),
      cmocka_unit_test(any_number_of_threads),
      cmocka_unit_test(run_after_run),
      cmocka_unit_test(alone_or_in_a_batch),
      cmocka_unit_test(a_prompt_cut_in_chunks),
      cmocka_unit_test(keys_that_are_not_seen),
      cmocka_unit_test(layouts_and_single_heads),
  };
  return cmocka_run_group_tests_name("same_bits", tests, NULL, NULL);
}
