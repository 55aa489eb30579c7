/* test_compare_limit.c - the rules of compare_limit.c, each with figures on both sides of it: a case
 * changes one figure of a row and meets another sentence.
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

/* Rule 1: from half of the peak on, the peak is named; below it, the longest part is. */
static void at_the_peak(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  set_phases(&c, 0.8, 0.18, 0);
  c.seconds[1] = 0.98;
  assert_says(&c, 1, "The processor's multiply-adds: 51% of the FMA peak of 2 threads and 57% of",
              "no score matrix is kept");
  c.seconds[1] = 1.01;
  assert_says(&c, 1, "The projections: 79% of the time, at 112 GFLOP/s, 62% of sgemm's speed", "");
  /* Without a measured peak there is no share of it. */
  c.seconds[1] = 0.9;
  c.yardsticks[1].fma_gflops[ATTEND_ISA_AVX2] = 0;
  assert_says(&c, 1, "The projections: ", "");
}

/* Rule 1: of peak and bandwidth the one that takes the row longer counts. */
static void at_the_bandwidth(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.seconds[1] = 0.8;
  c.rows[1].bytes = 10.4e9;
  assert_says(&c, 1, "Reading memory: 13 GB/s are 65% of the read bandwidth.", "");
  c.rows[1].bytes = 9.6e9;
  assert_says(&c, 1, "The processor's multiply-adds", "");
  c.seconds[1] = 2;
  c.rows[1].bytes = 20.8e9;
  assert_says(&c, 1, "Reading memory: 10.4 GB/s are 52% of the read bandwidth.", "");
  c.rows[1].bytes = 19e9;
  assert_silent(&c, 1, "Reading memory");
  assert_silent(&c, 1, "The processor's multiply-adds");
}

/* Rule 1 comes before rule 3: a naive path that is fast is not said to be slow. */
static void a_path_is_not_judged_by_its_name(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_NAIVE);
  set_phases(&c, 0.1, 0.5, 0);
  c.seconds[1] = 0.625;
  assert_says(&c, 1, "The processor's multiply-adds", "80%");
  c.seconds[1] = 1.25;
  set_phases(&c, 0.1, 1.15, 0);
  assert_says(&c, 1, "The same loops", "40% of the FMA peak");
}

/* Rule 2: waiting is named if it is the longest part; the parts are not summed against it. */
static void waiting_threads(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.seconds[1] = 2;
  c.rows[1].score_bytes = 1024;
  set_phases(&c, 0.6, 0.3, 0.2);
  assert_says(&c, 1, "What surrounds the work: 45% of the time is in no phase",
              "25% of the FMA peak.");
  set_phases(&c, 0.2, 0.7, 0.3);
  assert_says(&c, 1, "Attention between the projections", "threads that start and wait take 40%");
  set_phases(&c, 0.96, 0.1, 0.1);
  assert_says(&c, 1, "The projections: 48% of the time", "threads that start and wait take 42%");
  /* Plain loops come after it. */
  c.rows[1].path = ATTEND_PATH_NAIVE;
  assert_says(&c, 1, "The same loops", "");
  set_phases(&c, 0.6, 0.3, 0.2);
  assert_says(&c, 1, "What surrounds the work", "");
}

/* Rule 3, with what the loops are slowed by: threads, score matrices and hidden pairs. */
static void plain_loops(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_NAIVE);
  c.seconds[1] = 6.25;
  set_phases(&c, 2.5, 3, 0.75);
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 10;
  c.rows[0].score_bytes = MIB / 2;
  c.rows[1].score_bytes = 64 * MIB;
  assert_says(&c, 0, "Plain loops, not written for the vector units: 10 GFLOP/s are 10% of",
              "512 KiB of score matrices a thread still fit into its L2 of 1.00 MiB");
  assert_says(&c, 1,
              "The same loops on 2 threads, 1.60 times as fast as on one: 16 GFLOP/s are 8.0%",
              "60% of the time is attention");
  assert_silent(&c, 1, "hides");
  c.rows[1].path = ATTEND_PATH_BLAS;
  assert_says(&c, 1, "Attention between the projections", "");
}

/* Hidden pairs are worth a word from a tenth of the time on. */
static void hidden_pairs(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_NAIVE);
  c.config.causal = true;
  c.rows[0].tokens = 2;
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 0.5;
  c.rows[0].phase_seconds[ATTEND_PHASE_QKV_PROJECTION] = 9.5;
  assert_silent(&c, 0, "hides");
  c.rows[0].phase_seconds[ATTEND_PHASE_SCORES] = 1.5;
  c.rows[0].phase_seconds[ATTEND_PHASE_QKV_PROJECTION] = 8.5;
  assert_says(&c, 0, "Plain loops", "of the pairs that they multiply the causal mask hides 25%");
}

/* Rule 4: each part in turn is the longest, by a little. */
static void the_longest_part(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_TILED);
  c.seconds[1] = 1.25;
  set_phases(&c, 0.65, 0.6, 0);
  assert_says(&c, 1,
              "The projections: 52% of the time, at 138 GFLOP/s, 77% of sgemm's speed on square ",
              "where these have 512 rows; attention takes 48% of the time.");
  set_phases(&c, 0.6, 0.65, 0);
  assert_says(&c, 1,
              "Attention between the projections: 52% of the time is attention at 15.4 GFLOP/s, "
              "8.5% of sgemm's speed where the projections have 150; no score matrix is kept.",
              "");
  set_phases(&c, 0.4, 0.4, 0);
  c.rows[1].phase_seconds[ATTEND_PHASE_QK_NORM_ROPE] = 0.45;
  assert_says(&c, 1, "Norms and RoPE, which multiply next to nothing: 36% of the time; 40% of", "");
  /* Every phase of the core counts as attention. */
  set_phases(&c, 0.4, 0.1, 0.1);
  c.rows[1].phase_seconds[ATTEND_PHASE_PACKING] = 0.1;
  c.rows[1].phase_seconds[ATTEND_PHASE_WEIGHTED_SUM] = 0.1;
  c.rows[1].phase_seconds[ATTEND_PHASE_ATTENTION] = 0.06;
  assert_says(&c, 1, "Attention between the projections: ", "");
  c.yardsticks[1].sgemm_gflops = 0;
  assert_silent(&c, 1, "sgemm");
}

/* A step of attention is worth a word from a tenth of the time on. */
static void steps_of_attention(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.seconds[1] = 2;
  c.rows[1].core_flops = c.rows[1].flops;
  set_phases(&c, 0, 1.1, 0.22);
  c.rows[1].phase_seconds[ATTEND_PHASE_PACKING] = 0.24;
  assert_says(&c, 1,
              "Attention between the projections: 100% of the time is attention at 50 GFLOP/s, 28% "
              "of sgemm's speed; softmax alone, which multiplies nothing, takes 11% of the time; "
              "packing K and V takes 12% of the time; threads that start and wait take 22% of the "
              "time; no score",
              "");
  set_phases(&c, 0, 1.45, 0.19);
  c.rows[1].phase_seconds[ATTEND_PHASE_PACKING] = 0.18;
  assert_says(&c, 1, "Attention between the projections", "28% of sgemm's speed; no score matrix");
}

static void score_matrices_and_the_caches(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.seconds[1] = 2;
  set_phases(&c, 0.5, 1.5, 0);
  c.rows[1].score_bytes = 2 * MIB;
  assert_says(&c, 1, "Attention", "1.00 MiB of score matrices a thread still fit into its L2 of");
  c.rows[1].score_bytes += 2;
  assert_says(&c, 1, "Attention",
              "1.00 MiB of score matrices a thread do not fit into its L2 of 1.00 MiB, but into");
  c.rows[1].score_bytes = 32 * MIB;
  assert_says(&c, 1, "Attention", "16.0 MiB of score matrices a thread do not fit into its L2");
  c.rows[1].score_bytes += 1;
  assert_says(&c, 1, "Attention", "32.0 MiB of score matrices do not fit into the L3 of 32.0 MiB");
  c.run.machine.l3_bytes = 0;
  assert_says(&c, 1, "Attention", "the score matrices take 32.0 MiB");
}

/* Score matrices are blamed if a row without them saves half of the time; not for being there. */
static void score_matrices_are_blamed_by_figures(void **state) {
  (void)state;
  Case c;
  open_case(&c, ATTEND_PATH_BLAS);
  c.seconds[1] = 2;
  set_phases(&c, 0.4, 1.6, 0);
  c.rows[1].score_bytes = 2 * MIB;
  assert_says(&c, 1, "Attention between the projections: 80% of the time", "still fit into its L2");
  c.rows[0].threads = 2;
  c.rows[0].path = ATTEND_PATH_TILED;
  c.seconds[0] = 0.79;
  assert_says(&c, 1, "Its score matrices: 80% of the time is attention at 6.25 GFLOP/s",
              "tiled, which keeps none, needs 790 ms in place of 1.60 s for the same attention.");
  c.seconds[0] = 0.81;
  assert_says(&c, 1, "Attention between the projections", "");
  assert_silent(&c, 1, "keeps none");
  /* No row to compare with: it has other tokens, other threads, or score matrices of its own. */
  c.seconds[0] = 0.79;
  c.rows[0].tokens = 511;
  assert_silent(&c, 1, "keeps none");
  c.rows[0].tokens = 512;
  c.rows[0].threads = 1;
  assert_silent(&c, 1, "keeps none");
  c.rows[0].threads = 2;
  c.rows[0].score_bytes = 1;
  assert_silent(&c, 1, "keeps none");
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
      cmocka_unit_test(at_the_peak),
      cmocka_unit_test(at_the_bandwidth),
      cmocka_unit_test(a_path_is_not_judged_by_its_name),
      cmocka_unit_test(waiting_threads),
      cmocka_unit_test(plain_loops),
      cmocka_unit_test(hidden_pairs),
      cmocka_unit_test(the_longest_part),
      cmocka_unit_test(steps_of_attention),
      cmocka_unit_test(score_matrices_and_the_caches),
      cmocka_unit_test(score_matrices_are_blamed_by_figures),
      cmocka_unit_test(a_row_without_samples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
