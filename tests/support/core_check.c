/* core_check.c - the comparison of a run with the oracle.
 *
 * Problems are compared under the tighter of two bounds: the fixed allowance, and the bound that
 * follows from rounding alone (see problem_row_bound()). Problems whose scores may be too large for
 * the fixed allowance are held to the derived one, and so are the precisions of bf16 (see
 * product_error()).
 */
#include "tests/support/core_check.h"

#include <math.h>
#include <stdio.h>

#define FLOAT_UNIT 0x1p-24 /* half the distance of 1 to the next float */

/* Whether the fixed allowance, which is for fp32 and scores in [-1, 1] or so, says nothing. */
static bool has_large_scores(const CoreProblem *problem) {
  const AttendOptions *const o = &problem->options;
  return problem->precision != ATTEND_PRECISION_FP32 || problem->spec.bound > 1.0f ||
         fabsf(problem->spec.scale) > 1.0f || o->bias.data || o->alibi_slopes;
}

static double tighter(const CoreProblem *problem, double derived, double expected) {
  const double fixed = fixed_allowance(expected);
  return has_large_scores(problem) || derived < fixed ? derived : fixed;
}

/* Scores move weights, and each of the sums over keys rounds once per key. */
double problem_row_bound(const CoreProblem *problem, const OracleRow *row, size_t at) {
  const double sums = (2.0 * (double)row->visible + 32.0) * FLOAT_UNIT;
  return problem->spread[at] + (sums + product_error(problem->precision)) * problem->magnitude[at] +
         1e-30;
}

static double row_allowance(const CoreProblem *problem, const OracleRow *row, size_t at) {
  return tighter(problem, problem_row_bound(problem, row, at), problem->out[at]);
}

static double lse_allowance(const CoreProblem *problem, const OracleRow *row) {
  const double derived =
      row->drift + ((double)row->visible + 32.0) * FLOAT_UNIT + 4.0 * FLOAT_UNIT * fabs(row->lse);
  return tighter(problem, derived, row->lse);
}

/* A row of the batch: the sequence, the token within it, the query head. */
typedef struct Place {
  size_t batch, token, head;
} Place;

/* One number that is not what it should be. */
typedef struct Difference {
  const char *what;
  Place place;
  size_t column;
  double got, expected, allowed;
} Difference;

static bool describe_difference(Difference difference, char text[static DIFFERENCE_SIZE]) {
  snprintf(text, DIFFERENCE_SIZE, "%s at b=%zu i=%zu h=%zu d=%zu is %.9g, expected %.9g +- %.2g",
           difference.what, difference.place.batch, difference.place.token, difference.place.head,
           difference.column, difference.got, difference.expected, difference.allowed);
  return false;
}

/* Buffers of one run. */
typedef struct Run {
  float *buffer, *lse;
  size_t extent;
  AttendOutputView out;
} Run;

/* Compares one output row and its LSE, and marks the row's elements as untouched again, so that
 * what remains in the buffer is what should never have been written. */
static bool row_matches(const CoreProblem *problem, const Run *run, Place place, size_t token_at,
                        size_t lse_at, char text[static DIFFERENCE_SIZE]) {
  const AttendShape *const s = &problem->spec.shape;
  const bool ragged = problem->options.query_offsets != NULL;
  const OracleRow *const expected = problem->rows + lse_at;
  const size_t batch = ragged ? 0 : place.batch;
  const size_t first =
      ((batch * s->query_tokens + token_at) * s->query_heads + place.head) * s->value_dim;
  float *const row = run->out.data + batch * run->out.batch_stride +
                     token_at * run->out.token_stride + place.head * run->out.head_stride;
  for (size_t d = 0; d < s->value_dim; d++) {
    const double allowed = row_allowance(problem, expected, first + d);
    if (is_untouched(row + d) || !is_close((double)row[d], problem->out[first + d], allowed))
      return describe_difference(
          (Difference){"out", place, d, (double)row[d], problem->out[first + d], allowed}, text);
    row[d] = untouched_float();
  }
  if (!run->lse) return true;
  const float lse = run->lse[lse_at];
  const double allowed = lse_allowance(problem, expected);
  if (is_untouched(&lse) || !is_close((double)lse, expected->lse, allowed))
    return describe_difference((Difference){"lse", place, 0, (double)lse, expected->lse, allowed},
                               text);
  return true;
}

static bool rows_match(const CoreProblem *problem, const Run *run,
                       char text[static DIFFERENCE_SIZE]) {
  const AttendShape *const s = &problem->spec.shape;
  const OracleCore core = problem_oracle(problem);
  const bool ragged = problem->options.query_offsets != NULL;
  for (size_t b = 0; b < s->batch; b++) {
    const OracleSequence sequence = oracle_sequence(&core, b);
    for (size_t h = 0; h < s->query_heads; h++)
      for (size_t i = 0; i < sequence.query_tokens; i++) {
        const size_t at = sequence.query_at + i;
        const size_t lse_at = ((ragged ? 0 : b) * s->query_heads + h) * s->query_tokens + at;
        if (!row_matches(problem, run, (Place){b, i, h}, at, lse_at, text)) return false;
      }
  }
  for (size_t i = 0; i < run->extent; i++)
    if (!is_untouched(run->buffer + i))
      return describe_difference(
          (Difference){"gap", {0, 0, 0}, i, (double)run->buffer[i], NAN, 0.0}, text);
  return true;
}

bool problem_matches(const CoreProblem *problem, AttendContext *context,
                     char text[static DIFFERENCE_SIZE]) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t rows = s->batch * s->query_heads * s->query_tokens;
  Run run = {0};
  run.buffer = problem_new_output(problem, &run.out, &run.extent);
  run.lse = guarded_new(rows * sizeof *run.lse, 4);
  const AttendStatus status =
      attend_core_forward(context, s, problem->query, problem->key, problem->value,
                          &problem->options, run.out, run.lse);
  bool matches = status == ATTEND_OK;
  if (matches)
    matches = rows_match(problem, &run, text);
  else
    snprintf(text, DIFFERENCE_SIZE, "%s: %s", attend_status_name(status),
             attend_get_error(context));
  guarded_free(run.buffer, "out");
  guarded_free(run.lse, "lse");
  return matches;
}

void problem_check(const CoreProblem *problem, AttendContext *context, Engine engine,
                   size_t threads) {
  char difference[DIFFERENCE_SIZE], text[CASE_TEXT_SIZE];
  if (problem_matches(problem, context, difference)) return;
  case_describe(&problem->spec, text, sizeof text);
  fail_msg("path=%s isa=%s precision=%s threads=%zu %s: %s", attend_path_name(engine.path),
           attend_isa_name(engine.isa), attend_precision_name(engine.precision), threads, text,
           difference);
}

void problem_check_engine(const CoreProblem *problem, Engine engine, size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  problem_check(problem, context, engine, threads);
  attend_close(&context);
}

/* Picks one of several engines, never the last, a different one from case to case. */
static size_t engine_in_turn(const CoreProblem *problem, AttendPrecision precision, size_t count) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t turn = s->query_tokens + s->key_tokens + s->query_heads + s->head_dim;
  return case_draw(problem->spec.seed + turn, precision, count - 1);
}

void problem_check_precisions(CoreProblem *problem, size_t threads) {
  for (int precision = ATTEND_PRECISION_FP32 + 1; precision < ATTEND_PRECISION_COUNT; precision++) {
    Engine engines[MAX_ENGINES];
    const size_t count = list_engines_in((AttendPrecision)precision, engines);
    if (count == 0) continue;
    problem->precision = (AttendPrecision)precision;
    problem_expect(problem);
    problem_check_engine(problem, engines[count - 1], threads);
    if (count == 1) continue;
    problem_check_engine(problem, engines[engine_in_turn(problem, problem->precision, count)],
                         threads);
  }
  problem->precision = ATTEND_PRECISION_FP32;
}

void problem_check_all(CoreProblem *problem, size_t threads) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  problem_expect(problem);
  for (size_t k = 0; k < count; k++) problem_check_engine(problem, engines[k], threads);
  if (!problem->fp32_only) problem_check_precisions(problem, threads);
  problem_free(problem);
}

void check_case(const CoreCase *spec, size_t threads) {
  CoreProblem problem = problem_new(spec);
  problem_check_all(&problem, threads);
}
