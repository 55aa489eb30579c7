/* precision_curve.c - prints the largest errors of the precisions against the size of the scores,
 * as CSV.
 *
 *   precision_curve > precision.csv
 *
 * A line for each head dimension and each size from 0.1 to 1000: of every precision the largest
 * error over all seeds, and the largest derived bound. On the tiled path with the last usable ISA,
 * or with the one that ATTEND_ISA names. It judges nothing: test_precision holds errors to their
 * bounds.
 */
#include "tests/support/core_error.h"
#include "tests/support/hostile_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS 13 /* three to a power of ten */
#define SEEDS 8
#define SEED_STEP 1000 /* rows of tokens count up from the seed: nearby ones share numbers */

typedef struct Point {
  double error, bound;
} Point;

/* Adds what one seed gives to the points of all precisions. */
static void measure_seed(const Hostile *input, AttendIsa isa, size_t head_dim, uint64_t seed,
                         Point points[static ATTEND_PRECISION_COUNT]) {
  CoreProblem problem = hostile_problem(input, head_dim, seed);
  for (int p = 0; p < ATTEND_PRECISION_COUNT; p++) {
    const Engine engine = {ATTEND_PATH_TILED, isa, (AttendPrecision)p};
    problem.precision = engine.precision;
    problem_expect(&problem);
    points[p].error = fmax(points[p].error, engine_error(&problem, engine, 1));
    points[p].bound = fmax(points[p].bound, largest_bound(&problem));
  }
  problem_free(&problem);
}

static void print_heading(void) {
  printf("isa,head_dim,score");
  for (int p = 0; p < ATTEND_PRECISION_COUNT; p++) {
    const char *const name = attend_precision_name((AttendPrecision)p);
    printf(",%s_error,%s_bound", name, name);
  }
  putchar('\n');
}

static void print_line(AttendIsa isa, size_t head_dim, double score) {
  const Hostile input = {.score = (float)score};
  Point points[ATTEND_PRECISION_COUNT] = {0};
  for (uint64_t k = 0; k < SEEDS; k++)
    measure_seed(&input, isa, head_dim, 1 + k * SEED_STEP, points);
  printf("%s,%zu,%.4g", attend_isa_name(isa), head_dim, score);
  for (int p = 0; p < ATTEND_PRECISION_COUNT; p++)
    printf(",%.3e,%.3e", points[p].error, points[p].bound);
  putchar('\n');
}

int main(void) {
  static const size_t head_dims[] = {64, 128};
  AttendIsa isas[ATTEND_ISA_COUNT];
  const AttendIsa last = isas[list_isas(isas) - 1];
  print_heading();
  for (size_t k = 0; k < COUNT_OF(head_dims); k++)
    for (int step = 0; step < STEPS; step++)
      print_line(last, head_dims[k], pow(10.0, (double)(step - 3) / 3.0));
  if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_SUCCESS;
  fputs("precision_curve: cannot write the standard output\n", stderr);
  return EXIT_FAILURE;
}
