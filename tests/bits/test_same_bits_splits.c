/* test_same_bits_splits.c - a row over several splits of the keys has the same bits on every way
 * there.
 *
 * The tiled path reads few rows' keys in place, packs them tile by tile for short chunks and once
 * for all in a prefill; with few heads for its threads it gives the splits of the keys to different
 * threads and merges their states. Every one of these must give a token the row that the prefill of
 * the whole prompt gives it.
 */
#include "tests/support/core_result.h"

#include <string.h>

static const size_t thread_counts[] = {1, 2, 3, 5};

/* Query heads of a kv head, kv heads, tokens. */
typedef struct Prompt {
  size_t group, kv_heads, tokens;
} Prompt;

/* Tokens at which a split begins or ends, those around them, and the last. */
static const size_t last_tokens[] = {1022, 1023, 1024, 1025, 1030,
                                     2047, 2048, 3071, 3072, SIZE_MAX};

/* Who took the splits of a decode call: several threads, or one after the other. */
typedef struct Ways {
  bool over_threads, in_turn;
} Ways;

/* Runs the `tokens` tokens up to and with `last` over the keys known by then, and compares their
 * rows with those of the prefill. */
static void check_chunk(AttendContext *context, const CoreProblem *problem, size_t last,
                        size_t tokens, const Result *prefill) {
  const AttendShape *const whole = &problem->spec.shape;
  const size_t first = last + 1 - tokens;
  AttendShape part = *whole;
  AttendOptions options = problem->options;
  AttendView query = problem->query;
  part.query_tokens = tokens;
  part.key_tokens = last + 1;
  options.q_start = (int64_t)first;
  query.data += first * query.token_stride;
  Result got = core_run(context, &part, query, problem->key, problem->value, &options);
  for (size_t i = 0; i < tokens; i++)
    same_row(tokens == 1 ? "decode" : "chunk", &part, &got, 0, i, whole, prefill, 0, first + i);
  result_free(&got);
}

static void note_way(AttendContext *context, const CoreProblem *problem, Ways *ways) {
  AttendShape shape = problem->spec.shape;
  AttendOptions options = problem->options;
  AttendPlan plan = {.struct_size = sizeof plan};
  options.q_start = (int64_t)shape.key_tokens - 1;
  shape.query_tokens = 1;
  assert_ok(context, attend_plan_core(context, &shape, &options, &plan));
  const char *const reason = plan.verdicts[ATTEND_PATH_TILED].reason;
  *(strstr(reason, "split over threads") ? &ways->over_threads : &ways->in_turn) = true;
}

static void check_decode(AttendContext *context, const CoreProblem *problem, const Result *prefill,
                         Ways *ways) {
  const size_t end = problem->spec.shape.key_tokens - 1;
  for (size_t k = 0; k < COUNT_OF(last_tokens); k++)
    check_chunk(context, problem, last_tokens[k] < end ? last_tokens[k] : end, 1, prefill);
  note_way(context, problem, ways);
}

/* Every length up to 40, each at one of the tokens, so that chunks lie before, on and across the
 * boundaries of splits; and at the end. */
static void check_short_chunks(AttendContext *context, const CoreProblem *problem,
                               const Result *prefill) {
  const size_t end = problem->spec.shape.key_tokens - 1;
  for (size_t tokens = 2; tokens <= 40; tokens++) {
    const size_t last = last_tokens[tokens % COUNT_OF(last_tokens)];
    check_chunk(context, problem, last < end ? last : end, tokens, prefill);
    if (tokens % 3 == 0) check_chunk(context, problem, end, tokens, prefill);
  }
}

/* Every ISA in fp32, the last in bf16x3, and every number of threads against the prefill by two
 * threads. */
static Ways check_prompts(const Prompt *prompts, size_t count) {
  Engine engines[MAX_ENGINES];
  size_t engine_count = list_engines_in(ATTEND_PRECISION_FP32, engines);
  const AttendIsa last = engines[engine_count - 1].isa;
  engines[engine_count++] = (Engine){ATTEND_PATH_TILED, last, ATTEND_PRECISION_BF16X3};
  Ways ways = {0};
  for (size_t c = 0; c < count; c++) {
    const size_t N = prompts[c].tokens, heads = prompts[c].kv_heads;
    const CoreCase spec = {.shape = {1, N, N, prompts[c].group * heads, heads, 16, 12},
                           .seed = c + 1};
    CoreProblem problem = problem_new(&spec);
    for (size_t k = 0; k < engine_count; k++) {
      const Engine engine = engines[k];
      Result prefill = core_run_problem(&problem, engine, 2);
      for (size_t t = 0; t < COUNT_OF(thread_counts); t++) {
        AttendContext *context = engine_open(engine, thread_counts[t]);
        check_decode(context, &problem, &prefill, &ways);
        check_short_chunks(context, &problem, &prefill);
        attend_close(&context);
      }
      result_free(&prefill);
    }
    problem_free(&problem);
  }
  return ways;
}

/* Fewer kv heads than four for each thread, whatever their number: threads always take splits. */
static void one_kv_head(void **state) {
  (void)state;
  static const Prompt prompts[] = {{1, 1, 5000}, {4, 1, 3300}, {7, 1, 3300}};
  const Ways ways = check_prompts(prompts, COUNT_OF(prompts));
  assert_true(ways.over_threads && !ways.in_turn);
}

/* Enough for one thread, too few for two. */
static void a_few_kv_heads(void **state) {
  (void)state;
  static const Prompt prompts[] = {{1, 6, 3300}, {4, 4, 3300}, {7, 4, 3300}};
  const Ways ways = check_prompts(prompts, COUNT_OF(prompts));
  assert_true(ways.over_threads && ways.in_turn);
}

/* Enough for all threads of this test. */
static void many_kv_heads(void **state) {
  (void)state;
  static const Prompt prompts[] = {{1, 20, 3300}};
  const Ways ways = check_prompts(prompts, COUNT_OF(prompts));
  assert_true(!ways.over_threads && ways.in_turn);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_kv_head),
      cmocka_unit_test(a_few_kv_heads),
      cmocka_unit_test(many_kv_heads),
  };
  return cmocka_run_group_tests_name("same_bits_splits", tests, NULL, NULL);
}
