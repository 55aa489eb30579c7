/* test_compare_limit.c - what `attend compare` says limits a row follows from the row's figures:
 * each case changes figures and meets another sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/compare/compare_report.h"

#define MIB ((size_t)1 << 20)

/* Two rows of one length: naive on one thread, and the row under test on two. */
typedef struct Case {
  BenchConfig config;
  BenchRun run;
  Yardsticks yardsticks[2];
  BenchRow rows[2];
  double seconds[2];
  size_t threads, tokens;
} Case;

/* 100 GFLOP in 1 s, of a machine that has 200 (100 on one thread), 10 of them in the core. */
static void open_case(Case *c, AttendPath path) {
  *c = (Case){.seconds = {10, 1}, .threads = 2, .tokens = 512};
  c->config = (BenchConfig){.token_count = 1,
                            .tokens = &c->tokens,
                            .thread_count = 1,
                            .threads = &c->threads,
                            .path_count = 2,
                            .model_count = 1,
                            .batch = 1,
                            .yardstick_seconds = 0.25};
  c->run =
      (BenchRun){.config = &c->config,
                 .rows = c->rows,
                 .row_count = 2,
                 .machine = {.isa_best = ATTEND_ISA_AVX2, .l2_bytes = MIB, .l3_bytes = 32 * MIB}};
  for (size_t r = 0; r < 2; r++) {
    c->yardsticks[r] = (Yardsticks){.sgemm_gflops = 90 * (double)(r + 1), .read_gbps = 20};
    c->yardsticks[r].fma_gflops[ATTEND_ISA_AVX2] = 100 * (double)(r + 1);
    c->rows[r] = (BenchRow){.yardsticks = &c->yardsticks[r],
                            .tokens = 512,
                            .threads = r + 1,
                            .path = r ? path : ATTEND_PATH_NAIVE,
                            .core_isa = ATTEND_ISA_AVX2,
                            .projection_isa = ATTEND_ISA_AVX2,
                            .status = BENCH_MEASURED,
                            .flops = 100e9,
                            .core_flops = 10e9,
                            .bytes = 1e9,
                            .samples = {&c->seconds[r], 1, 1}};
  }
}

static void set_phases(Case *c, double projection, double scores, double softmax) {
  double *const phases = c->rows[1].phase_seconds;
  phases[ATTEND_PHASE_QKV_PROJECTION] = projection;
  phases[ATTEND_PHASE_SCORES] = scores;
  phases[ATTEND_PHASE_SOFTMAX] = softmax;
}

static void assert_says(const Case *c, size_t row, const char *beginning, const char *part) {
  char sentence[COMPARE_SENTENCE_SIZE];
  compare_explain(&c->run, &c->rows[row], sentence);
  if (strncmp(sentence, beginning, strlen(beginning)) != 0 || !strstr(sentence, part))
    fail_msg("expected \"%s ... %s\", found \"%s\"", beginning, part, sentence);
  assert_true(sentence[strlen(sentence) - 1] == '.');
}

static void assert_silent(const Case *c, size_t row, const char *part) {
  char sentence[COMPARE_SENTENCE_SIZE];
  compare_explain(&c->run, &c->rows[row], sentence);
  if (strstr(sentence, part)) fail_msg("\"%s\" is in \"%s\"", part, sentence);
}

static void speedup_is_over_the_first_path(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  assert_true(compare_speedup(&c.run, &c.rows[1]) == 10);
  assert_true(compare_speedup(&c.run, &c.rows[0]) == 1);
  c.rows[0].samples.count = 0;
  assert_true(compare_speedup(&c.run, &c.rows[1]) == 0);
}

static void near_the_peak(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  c.seconds[1] = 0.625;
  assert_says(&c, 1, "The processor's multiply-adds: 80% of the FMA peak of 2 threads and 89% of",
              "no score matrix is kept");
}

/* A naive path that is fast is not said to be slow. */
static void a_path_is_not_judged_by_its_name(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_NAIVE);
  c.seconds[1] = 0.625;
  assert_says(&c, 1, "The processor's multiply-adds", "80%");
}

/* A machine whose sgemm is far from its peak: the row that reaches sgemm has met its limit. */
static void near_sgemm(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  c.yardsticks[1].sgemm_gflops = 102;
  set_phases(&c, 0.9, 0.1, 0);
  assert_says(&c, 1,
              "The speed of sgemm: 100 GFLOP/s are 98% of what OpenBLAS reaches on large square "
              "matrices, which is 51% of the FMA peak; 90% of the time is projections, 10% ",
              "no score matrix is kept");
  /* Attention alone: the tiled path does not call sgemm, the blas path does. */
  set_phases(&c, 0, 1, 0);
  c.rows[1].core_flops = c.rows[1].flops;
  assert_says(&c, 1, "No single limit: 50% of the FMA peak", "");
  c.rows[1].path = ATTEND_PATH_BLAS;
  assert_says(&c, 1, "The speed of sgemm", "peak; 100% attention, and");
}

static void at_the_bandwidth(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.rows[1].bytes = 16e9;
  assert_says(&c, 1, "Reading memory: 16 GB/s are 80% of the read bandwidth", "");
}

static void plain_loops(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_NAIVE);
  c.seconds[1] = 6.25;
  set_phases(&c, 2.5, 3, 0.75);
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 10;
  c.rows[0].score_bytes = MIB / 2;
  c.rows[1].score_bytes = 64 * MIB;
  assert_says(&c, 0, "Plain loops, which use little of the vector units: 10 GFLOP/s are 10% of",
              "512 KiB of score matrices a thread still fit into its L2 of 1.00 MiB");
  assert_says(&c, 1,
              "The same loops on 2 threads, 1.60 times as fast as on one: 16 GFLOP/s are 8.0%",
              "60% of the time is attention");
  assert_silent(&c, 1, "hides");
  c.config.causal = true;
  c.rows[0].tokens = 2;
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 0.5;
  c.rows[0].phase_seconds[ATTEND_PHASE_QKV_PROJECTION] = 9.5;
  assert_silent(&c, 0, "hides");
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 5;
  c.rows[0].phase_seconds[ATTEND_PHASE_QKV_PROJECTION] = 5;
  assert_says(&c, 0, "Plain loops", "of the pairs that they multiply the causal mask hides 25%");
}

static void score_matrices_and_the_caches(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  set_phases(&c, 0.5, 0.2, 0.3);
  c.rows[1].score_bytes = 2 * MIB;
  assert_says(&c, 1,
              "Its score matrices: 50% of the time is attention at 20 GFLOP/s, 11% of sgemm's",
              "still fit into its L2 of 1.00 MiB");
  c.rows[1].score_bytes = 8 * MIB;
  assert_says(&c, 1, "Its score matrices",
              "4.00 MiB of score matrices a thread do not fit into its L2");
  c.rows[1].score_bytes = 64 * MIB;
  assert_says(&c, 1, "Its score matrices", "do not fit into the L3 of 32.0 MiB");
  assert_says(&c, 1, "Its score matrices", "softmax alone, which multiplies nothing, takes 30%");
}

/* Score matrices are blamed where softmax shows that they cost, or a path without them while they
 * do not fit into L2; not for being there. */
static void score_matrices_are_blamed_by_figures(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  set_phases(&c, 0.5, 0.4, 0.1);
  c.rows[1].score_bytes = 2 * MIB;
  assert_says(&c, 1, "Attention between the projections: 50% of the time", "softmax alone");
  c.rows[0].threads = 2;
  c.rows[0].path = ATTEND_PATH_TILED;
  c.seconds[0] = 0.2;
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 0.2;
  assert_says(&c, 1, "Attention between the projections: 50% of the time", "still fit into its L2");
  c.rows[1].score_bytes = 8 * MIB;
  assert_says(&c, 1, "Its score matrices: 50% of the time is attention at 20 GFLOP/s",
              "tiled, which keeps none, needs 200 ms in place of 500 ms for the same attention.");
  c.seconds[0] = 0.45;
  assert_says(&c, 1, "Attention between the projections", "");
  assert_silent(&c, 1, "keeps none");
}

static void projections_that_are_slow(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  set_phases(&c, 0.9, 0.1, 0);
  assert_says(&c, 1, "The projections: 90% of the time, at 100 GFLOP/s, 56% of sgemm's speed",
              "512 rows");
}

static void none_of_them(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  set_phases(&c, 0.45, 0.05, 0);
  c.rows[1].phase_seconds[ATTEND_PHASE_QK_NORM_ROPE] = 0.5;
  assert_says(&c, 1, "No single limit: 50% of the FMA peak", "qk_norm_rope, takes 50%");
}

/* A short call of a core: its score matrices are not what three quarters of the time go to. */
static void what_surrounds_the_work(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.rows[1].core_flops = c.rows[1].flops;
  c.rows[1].score_bytes = 1024;
  set_phases(&c, 0, 0.1, 0.15);
  assert_says(&c, 1, "What surrounds the work: 75% of the time is in no phase",
              "50% of the FMA peak");
  set_phases(&c, 0, 0.4, 0.15);
  c.rows[1].phase_seconds[ATTEND_PHASE_PACKING] = 0.2;
  assert_says(&c, 1,
              "Attention between the projections: 100% of the time is attention at 100 GFLOP/s",
              "packing K and V takes 20%; threads that start and wait take 25%; the 512 B of");
}

static void a_row_without_samples(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.rows[1].samples.count = 0;
  snprintf(c.rows[1].reason, sizeof c.rows[1].reason, "it is too large");
  assert_says(&c, 1, "Not measured: it is too large.", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(speedup_is_over_the_first_path),
      cmocka_unit_test(near_the_peak),
      cmocka_unit_test(a_path_is_not_judged_by_its_name),
      cmocka_unit_test(near_sgemm),
      cmocka_unit_test(at_the_bandwidth),
      cmocka_unit_test(plain_loops),
      cmocka_unit_test(score_matrices_and_the_caches),
      cmocka_unit_test(score_matrices_are_blamed_by_figures),
      cmocka_unit_test(projections_that_are_slow),
      cmocka_unit_test(none_of_them),
      cmocka_unit_test(what_surrounds_the_work),
      cmocka_unit_test(a_row_without_samples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
