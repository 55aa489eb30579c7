/* test_bench_warnings.c - what a run says against itself: other programs, threads without cores,
 * limits that were beaten. Each case is a quiet run with one figure changed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench/cpu_contention.h"
#include "cli/bench/report_words.h"

/* A row of 80 GFLOP/s on one thread of two cores; limits of one thread and of two. */
typedef struct Case {
  BenchRun run;
  Yardsticks yardsticks[2];
  AttendModel model;
  BenchRow row;
  double seconds;
} Case;

static void open_case(Case *c) {
  *c = (Case){.model = {.name = "small"}, .seconds = 1};
  for (size_t t = 0; t < 2; t++) {
    const double threads = (double)(t + 1);
    c->yardsticks[t] =
        (Yardsticks){.threads = t + 1, .sgemm_gflops = 90 * threads, .read_gbps = 20 * threads};
    c->yardsticks[t].fma_gflops[ATTEND_ISA_AVX2] = 100 * threads;
  }
  c->row = (BenchRow){.model = &c->model,
                      .yardsticks = &c->yardsticks[0],
                      .tokens = 64,
                      .threads = 1,
                      .path = ATTEND_PATH_TILED,
                      .precision = ATTEND_PRECISION_FP32,
                      .core_isa = ATTEND_ISA_AVX2,
                      .projection_isa = ATTEND_ISA_AVX2,
                      .flops = 80e9,
                      .bytes = 10e9,
                      .samples = {&c->seconds, 1, 1}};
  c->run =
      (BenchRun){.yardsticks = c->yardsticks,
                 .yardstick_count = 2,
                 .rows = &c->row,
                 .row_count = 1,
                 .contention_share = 0.01,
                 .machine = {.isa_best = ATTEND_ISA_AVX2, .cores = 2, .l3_bytes = (size_t)1 << 25}};
}

static void assert_warnings(const Case *c, const char *part) {
  char text[REPORT_WARNING_SIZE] = "";
  const Warnings warnings = run_warnings(&c->run);
  if (warnings.count) report_warning(&c->run, &warnings.items[0], text);
  if (warnings.count != 1 || !strstr(text, part))
    fail_msg("expected \"%s\" alone, found %zu: \"%s\"", part, warnings.count, text);
}

static void assert_no_warning(const Case *c) {
  char text[REPORT_WARNING_SIZE];
  const Warnings warnings = run_warnings(&c->run);
  if (warnings.count) fail_msg("found \"%s\"", report_warning(&c->run, &warnings.items[0], text));
  assert_false(run_beats_limits(&c->run));
}

static void quiet_run(void **state) {
  (void)state;
  Case c;
  open_case(&c);
  assert_no_warning(&c);
  c.run.contention_share = CONTENTION_UNKNOWN;
  assert_no_warning(&c);
}

static void other_programs(void **state) {
  (void)state;
  Case c;
  open_case(&c);
  c.run.contention_share = 0.43;
  assert_warnings(&c, "other programs had 43% of the time of the 2 cores");
  assert_false(run_beats_limits(&c.run));
}

static void threads_without_cores(void **state) {
  (void)state;
  Case c;
  open_case(&c);
  c.yardsticks[1].fma_gflops[ATTEND_ISA_AVX2] = 83;
  c.yardsticks[1].sgemm_gflops = 70;
  assert_warnings(&c, "2 threads have 0.83 times the FMA peak of one: the cores are shared");
  c.yardsticks[1].fma_gflops[ATTEND_ISA_AVX2] = 190;
  c.yardsticks[1].sgemm_gflops = 99;
  assert_warnings(&c, "sgemm on 2 threads is only 1.10 times as fast as on one");
  c.yardsticks[1].threads = 4;
  assert_warnings(&c, "4 threads share 2 cores");
}

/* Limits that something was faster than. */
static void beaten_limits(void **state) {
  (void)state;
  Case c;
  open_case(&c);
  c.yardsticks[0].sgemm_gflops = 101; /* chance */
  assert_no_warning(&c);
  c.yardsticks[0].sgemm_gflops = 110;
  assert_warnings(&c, "sgemm beats the FMA peak of 1 thread:");
  assert_true(run_beats_limits(&c.run));

  open_case(&c);
  c.row.flops = 110e9;
  assert_warnings(&c, "small, N = 64, tiled has 110% of the FMA peak of 1 thread");
  assert_true(run_beats_limits(&c.run));
  c.row.precision = ATTEND_PRECISION_BF16;
  assert_no_warning(&c);

  open_case(&c);
  c.row.bytes = 25e9;
  assert_warnings(&c, "small, N = 64, tiled has 125% of the read bandwidth of 1 thread");
  assert_true(run_beats_limits(&c.run));
  c.seconds = 1e-3; /* as fast, from a cache */
  c.row.bytes = 25e6;
  c.row.flops = 80e6;
  assert_no_warning(&c);
}

/* Rows without samples beat nothing, and nothing beats a limit that was not measured. */
static void nothing_measured(void **state) {
  (void)state;
  Case c;
  open_case(&c);
  c.row.flops = 110e9;
  c.row.samples.count = 0;
  assert_no_warning(&c);
  open_case(&c);
  memset(c.yardsticks, 0, sizeof c.yardsticks);
  c.yardsticks[0].threads = 1;
  c.yardsticks[1].threads = 2;
  assert_no_warning(&c);
}

static CpuContentionClock read_text(const char *text, const cpu_set_t *cores) {
  FILE *const stat = fmemopen((void *)text, strlen(text), "r");
  assert_non_null(stat);
  const CpuContentionClock clock = cpu_contention_read_cores(stat, cores, 100);
  fclose(stat);
  return clock;
}

/* Cores 1 and 2 of three, 4 s of each: 0.5 s of host, 1.5 s of this process, 1 s of another. */
static void contention_on_the_own_cores(void **state) {
  (void)state;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(1, &cores);
  CPU_SET(2, &cores);
  const CpuContentionClock before = read_text("cpu  9 9 9 9 9 9 9 9 0 0\n"
                                              "cpu0 100 0 0 0 0 0 0 0 0 0\n"
                                              "cpu1 100 0 0 100 0 0 0 0 0 0\n"
                                              "cpu2 100 0 0 100 0 0 0 0 0 0\nintr 1 2 3\n",
                                              &cores);
  CpuContentionClock after = read_text("cpu  9 9 9 9 9 9 9 9 0 0\n"
                                       "cpu0 900 0 0 0 0 0 0 0 0 0\n"
                                       "cpu1 250 0 0 350 0 0 0 0 0 0\n"
                                       "cpu2 150 20 10 300 70 10 10 50 33 0\nintr 4 5 6\n",
                                       &cores);
  after.own += 1.5;
  assert_true(fabs(after.whole - before.whole - 8.2) < 1e-9);
  assert_true(fabs(contention_share(&before, &after) - 1.5 / 8.2) < 1e-9);
  after.own += 100; /* ticks that were charged to the wrong process */
  assert_true(contention_share(&before, &after) == 0);
}

static void contention_that_is_unknown(void **state) {
  (void)state;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(0, &cores);
  const CpuContentionClock some = read_text("cpu0 1 1 1 1 1 1 1 1 0 0\n", &cores);
  const CpuContentionClock more = read_text("cpu0 2 1 1 1 1 1 1 1 0 0\n", &cores);
  const CpuContentionClock none = read_text("cpu0 0 0 0 0 0 0 0 0 0 0\n", &cores);
  const CpuContentionClock strange = read_text("cpu0 1 2\ncpus 4\n\n", &cores);
  assert_true(contention_share(&some, &more) == CONTENTION_UNKNOWN); /* too short */
  assert_false(none.known || strange.known);
  assert_true(contention_share(&none, &some) == CONTENTION_UNKNOWN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quiet_run),
      cmocka_unit_test(other_programs),
      cmocka_unit_test(threads_without_cores),
      cmocka_unit_test(beaten_limits),
      cmocka_unit_test(nothing_measured),
      cmocka_unit_test(contention_on_the_own_cores),
      cmocka_unit_test(contention_that_is_unknown),
  };
  return cmocka_run_group_tests_name("bench_warnings", tests, NULL, NULL);
}
