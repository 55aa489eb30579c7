/* core_result.c - runs core calls and compares their rows bit by bit. */
#include "tests/support/core_result.h"

#include <string.h>

static Result result_new(const AttendShape *s) {
  Result result = {.out_floats = s->batch * s->query_tokens * s->query_heads * s->value_dim,
                   .lse_floats = s->batch * s->query_heads * s->query_tokens};
  result.out = guarded_new(result.out_floats * sizeof(float), 0);
  result.lse = guarded_new(result.lse_floats * sizeof(float), 0);
  return result;
}

void result_free(Result *result) {
  guarded_free(result->out, "out");
  guarded_free(result->lse, "lse");
  *result = (Result){0};
}

Result core_run(AttendContext *context, const AttendShape *shape, AttendView query, AttendView key,
                AttendView value, const AttendOptions *options) {
  const Result result = result_new(shape);
  assert_ok(context, attend_core_forward(context, shape, query, key, value, options,
                                         attend_output_bnhd(result.out, shape->query_tokens,
                                                            shape->query_heads, shape->value_dim),
                                         result.lse));
  return result;
}

Result core_run_problem(const CoreProblem *problem, Engine engine, size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  const Result result = core_run(context, &problem->spec.shape, problem->query, problem->key,
                                 problem->value, &problem->options);
  attend_close(&context);
  return result;
}

void same_row(const char *label, const AttendShape *got_shape, const Result *got, size_t batch,
              size_t i, const AttendShape *expected_shape, const Result *expected,
              size_t expected_batch, size_t at) {
  const AttendShape *const s = got_shape, *const e = expected_shape;
  const size_t row = s->query_heads * s->value_dim;
  const float *const a = got->out + (batch * s->query_tokens + i) * row;
  const float *const b = expected->out + (expected_batch * e->query_tokens + at) * row;
  for (size_t c = 0; c < row; c++)
    if (memcmp(a + c, b + c, sizeof *a) != 0)
      fail_msg("%s: Nq=%zu Nk=%zu row %zu column %zu is %.9g, was %.9g", label, s->query_tokens,
               s->key_tokens, i, c, (double)a[c], (double)b[c]);
  for (size_t h = 0; h < s->query_heads; h++) {
    const float x = got->lse[(batch * s->query_heads + h) * s->query_tokens + i];
    const float y = expected->lse[(expected_batch * e->query_heads + h) * e->query_tokens + at];
    if (memcmp(&x, &y, sizeof x) != 0)
      fail_msg("%s: Nq=%zu Nk=%zu lse of row %zu head %zu is %.9g, was %.9g", label,
               s->query_tokens, s->key_tokens, i, h, (double)x, (double)y);
  }
}

void same_result(const char *label, const AttendShape *shape, const Result *got,
                 const Result *expected) {
  for (size_t b = 0; b < shape->batch; b++)
    for (size_t i = 0; i < shape->query_tokens; i++)
      same_row(label, shape, got, b, i, shape, expected, b, i);
}

void core_run_cases(const CoreCase *cases, size_t case_count,
                    void (*check)(const CoreProblem *problem, Engine engine)) {
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t c = 0; c < case_count; c++) {
    CoreProblem problem = problem_new(&cases[c]);
    for (size_t k = 0; k < count; k++) check(&problem, engines[k]);
    problem_free(&problem);
  }
}

void same_with_any_threads(const CoreProblem *problem, Engine engine) {
  static const size_t threads[] = {2, 3, 5, 8};
  Result expected = core_run_problem(problem, engine, 1);
  for (size_t t = 0; t < COUNT_OF(threads); t++) {
    Result got = core_run_problem(problem, engine, threads[t]);
    same_result("other threads", &problem->spec.shape, &got, &expected);
    result_free(&got);
  }
  result_free(&expected);
}
