/* test_same_bits_options.c - a row of the tiled path has the same bits whatever surrounds it, with
 * windows, masks, biases and all else that may happen to its scores.
 *
 * As test_same_bits.c does for plain calls: other threads, a batch and each of its sequences alone,
 * a prompt in chunks, a ragged batch and its sequences one by one; and what hidden data holds. The
 * cached forms are in test_same_bits_cached.c.
 */
#include "tests/support/core_check.h"
#include "tests/support/core_result.h"
#include "tests/support/part_of_problem.h"

static const CoreCase cases[] = {
    {.shape = {2, 200, 200, 4, 2, 32, 32}, .options = {.softcap = 2.0f, .left = {true, 70}}},
    {.shape = {1, 70, 700, 6, 2, 16, 24},
     .q_start = 630,
     .options = {.mask = {.used = true, .hidden = 50}, .sinks = true}},
    {.shape = {2, 130, 300, 3, 1, 24, 40},
     .q_start = 170,
     .options = {.bias = {.used = true, .hidden = 30, .key_gap = 1}, .alibi = true}},
    {.shape = {1, 1, 2500, 4, 1, 16, 16},
     .q_start = 2499,
     .options = {.sinks = true, .left = {true, 1500}}},
    {.shape = {2, 5, 2300, 2, 1, 16, 48},
     .q_start = 2290,
     .options = {.mask = {.used = true, .hidden = 97}, .softcap = 1.0f}},
    {.shape = {3, 40, 300, 4, 4, 16, 16},
     .bidirectional = true,
     .options = {.key_lengths = true, .q_starts = true, .alibi = true}},
    {.shape = {3, 33, 400, 2, 2, 32, 32},
     .bidirectional = true,
     .q_start = 150,
     .options = {.left = {true, 140}, .right = {true, 30}, .softcap = 50.0f}},
};

/* Calls check(problem, engine) for every case and tiled engine. */
static void for_each_case(void (*check)(const CoreProblem *problem, Engine engine)) {
  core_run_cases(cases, COUNT_OF(cases), check);
}

static void cases_match_the_oracle(void **state) {
  (void)state;
  for (size_t c = 0; c < COUNT_OF(cases); c++) check_case(&cases[c], 3);
}

static void any_number_of_threads(void **state) {
  (void)state;
  for_each_case(same_with_any_threads);
}

static void alone_or_in_a_batch(void **state) {
  (void)state;
  for_each_case(same_alone);
}

/* A kv head with its query heads, each with its slope, sink, mask and bias, as a call of its
 * own. */
static void check_heads(const CoreProblem *problem, Engine engine) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t group = s->query_heads / s->kv_heads, Dv = s->value_dim;
  Result expected = core_run_problem(problem, engine, 2);
  AttendContext *context = engine_open(engine, 2);
  for (size_t g = 0; g < s->kv_heads; g++) {
    const Part part = part_of_heads(problem, g);
    Result got = part_run(context, &part);
    for (size_t r = 0; r < s->batch * s->query_tokens; r++)
      assert_memory_equal(got.out + r * group * Dv,
                          expected.out + (r * s->query_heads + g * group) * Dv,
                          group * Dv * sizeof(float));
    result_free(&got);
  }
  attend_close(&context);
  result_free(&expected);
}

static void single_kv_heads(void **state) {
  (void)state;
  for_each_case(check_heads);
}

static void check_chunks_of(const CoreProblem *problem, Engine engine, size_t chunk,
                            const Result *expected) {
  const AttendShape *const s = &problem->spec.shape;
  AttendContext *context = engine_open(engine, chunk % 3 + 1);
  for (size_t b = 0; b < s->batch; b++) {
    for (size_t first = 0; first < s->query_tokens; first += chunk) {
      const size_t left = s->query_tokens - first;
      const Part whole = part_of_sequence(problem, b);
      const Part part = part_of_tokens(&whole, first, left < chunk ? left : chunk);
      Result got = part_run(context, &part);
      for (size_t i = 0; i < part.shape.query_tokens; i++)
        same_row("in chunks", &part.shape, &got, 0, i, s, expected, b, first + i);
      result_free(&got);
    }
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

/* ---- ragged batches ---- */

static const CoreCase ragged_cases[] = {
    {.shape = {5, 150, 900, 4, 2, 16, 16}, .options = {.ragged = true, .q_starts = true}},
    {.shape = {4, 90, 1500, 2, 1, 24, 40},
     .options = {.ragged = true, .q_starts = true, .sinks = true, .left = {true, 100}}},
    {.shape = {6, 40, 3000, 3, 1, 16, 16},
     .options = {.ragged = true,
                 .q_starts = true,
                 .softcap = 2.0f,
                 .mask = {.used = true, .hidden = 40},
                 .key_lengths = true}},
    {.shape = {3, 200, 400, 4, 4, 32, 32},
     .bidirectional = true,
     .layout = LAYOUT_BHND,
     .options = {.ragged = true, .bias = {.used = true, .hidden = 20}, .alibi = true}},
};

static void check_ragged(const CoreProblem *problem, Engine engine) {
  const AttendShape *const s = &problem->spec.shape;
  Result expected = core_run_problem(problem, engine, 3);
  AttendContext *context = engine_open(engine, 2);
  for (size_t b = 0; b < s->batch; b++) {
    const Part part = part_of_sequence(problem, b);
    const size_t at = problem->data.query_offsets[b];
    Result got = part_run(context, &part);
    for (size_t i = 0; i < part.shape.query_tokens; i++)
      same_row("one by one", &part.shape, &got, 0, i, s, &expected, 0, at + i);
    result_free(&got);
  }
  attend_close(&context);
  result_free(&expected);
}

static void ragged_or_one_by_one(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t c = 0; c < COUNT_OF(ragged_cases); c++) {
    CoreCase spec = ragged_cases[c];
    for (spec.seed = 1; spec.seed <= 4; spec.seed++) {
      CoreProblem problem = problem_new(&spec);
      for (size_t k = 0; k < count; k++) check_ragged(&problem, engines[k]);
      problem_free(&problem);
    }
  }
}

/* ---- hidden data ---- */

/* A NaN that no row sees takes the weighted sum another way, and the bits stay. */
static void whatever_is_hidden(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    CoreCase spec = cases[c];
    CoreProblem problem = problem_new(&spec);
    spec.poison = POISON_HIDDEN;
    CoreProblem poisoned = problem_new(&spec);
    for (size_t k = 0; k < count; k++) {
      const Engine engine = engines[k];
      Result expected = core_run_problem(&problem, engine, 2);
      Result got = core_run_problem(&poisoned, engine, 2);
      same_result("poisoned", &spec.shape, &got, &expected);
      result_free(&got);
      result_free(&expected);
    }
    problem_free(&problem);
    problem_free(&poisoned);
  }
}

/* A NaN value reaches its column of the rows that see it, and no other bit changes. */
static void nan_beside_a_row(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    const CoreCase *const spec = &cases[c];
    const AttendShape *const s = &spec->shape;
    const size_t token = s->key_tokens - s->key_tokens / 7 - 3,
                 group = s->query_heads / s->kv_heads;
    CoreProblem problem = problem_new(spec), spoiled = problem_new(spec);
    const OracleCore core = problem_oracle(&problem);
    problem_row(&spoiled.value, 0, token, 0)[1] = untouched_float();
    for (size_t k = 0; k < count; k++) {
      const Engine engine = engines[k];
      Result expected = core_run_problem(&problem, engine, 2);
      Result got = core_run_problem(&spoiled, engine, 2);
      for (size_t r = 0; r < s->query_tokens * group; r++) {
        const size_t i = r / group, h = r % group;
        float *const element = got.out + (i * s->query_heads + h) * s->value_dim + 1;
        if (!oracle_sees(&core, 0, i, h, token)) continue;
        assert_true(*element != *element);
        *element = expected.out[element - got.out];
      }
      same_result("a NaN beside", s, &got, &expected);
      result_free(&got);
      result_free(&expected);
    }
    problem_free(&problem);
    problem_free(&spoiled);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases_match_the_oracle), cmocka_unit_test(any_number_of_threads),
      cmocka_unit_test(alone_or_in_a_batch),    cmocka_unit_test(single_kv_heads),
      cmocka_unit_test(a_prompt_cut_in_chunks), cmocka_unit_test(ragged_or_one_by_one),
      cmocka_unit_test(whatever_is_hidden),     cmocka_unit_test(nan_beside_a_row),
  };
  return cmocka_run_group_tests_name("same_bits_options", tests, NULL, NULL);
}
