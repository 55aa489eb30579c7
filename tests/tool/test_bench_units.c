/* test_bench_units.c - the parts of `attend bench` that make figures: statistics, derived figures,
 * numbers for people, random inputs. What decides whether they count is
 * test_bench_verify.c's.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/kernel_cases.h"
#include "bench/random.h"
#include "bench/results.h"
#include "cli/util/units.h"

static void add_all(Samples *samples, const double *values, size_t count) {
  for (size_t i = 0; i < count; i++) assert_true(samples_add(samples, values[i]));
}

static void median_and_minimum(void **state) {
  (void)state;
  Samples samples = {0};
  assert_true(samples_median(&samples) == 0 && samples_min(&samples) == 0);
  add_all(&samples, (const double[]){5}, 1);
  assert_true(samples_median(&samples) == 5 && samples_min(&samples) == 5);
  add_all(&samples, (const double[]){2}, 1);
  assert_true(samples_median(&samples) == 3.5);
  add_all(&samples, (const double[]){9, 2, 2}, 3);
  assert_true(samples_median(&samples) == 2 && samples_min(&samples) == 2);
  assert_true(samples_sum(&samples) == 20);
  samples_free(&samples);
  assert_null(samples.values);
}

static void samples_keep_their_order(void **state) {
  (void)state;
  Samples samples = {0};
  for (size_t i = 0; i < 100; i++) assert_true(samples_add(&samples, (double)(i * 37 % 100)));
  assert_true(samples_median(&samples) == 49.5 && samples_min(&samples) == 0);
  for (size_t i = 0; i < 100; i++) assert_true(samples.values[i] == (double)(i * 37 % 100));
  samples_free(&samples);
}

static void units_for_people(void **state) {
  (void)state;
  assert_string_equal(unit_seconds(1.5e-9).text, "1.50 ns");
  assert_string_equal(unit_seconds(12.34e-6).text, "12.3 us");
  assert_string_equal(unit_seconds(0.9996).text, "1000 ms");
  assert_string_equal(unit_seconds(1).text, "1.00 s");
  assert_string_equal(unit_seconds(9.999).text, "10.0 s");
  assert_string_equal(unit_bytes(0).text, "0");
  assert_string_equal(unit_bytes(1023).text, "1023 B");
  assert_string_equal(unit_bytes(1536).text, "1.50 KiB");
  assert_string_equal(unit_bytes(0x1p31).text, "2.00 GiB");
  assert_string_equal(unit_count(512).text, "512");
  assert_string_equal(unit_count(12345).text, "12.3 k");
  assert_string_equal(unit_share(0).text, "-");
  assert_string_equal(unit_share(0.0123).text, "1.2%");
  assert_string_equal(unit_share(0.0005).text, "0.1%");
  assert_string_equal(unit_share(0.0004).text, "<0.1%");
  assert_string_equal(unit_gflops(0.0123).text, "0.012");
  assert_string_equal(unit_gflops(0.9996).text, "1.0");
  assert_string_equal(unit_gflops(101.23).text, "101.2");
  assert_string_equal(unit_share(0.714).text, "71%");
}

/* 4e9 FLOPs and 1e9 bytes in 0.1 s on a machine of 100 GFLOP/s and 20 GB/s. */
static void figures_of_a_row(void **state) {
  (void)state;
  const Yardsticks limits = {.fma_gflops = {[ATTEND_ISA_AVX2] = 50, [ATTEND_ISA_AVX512] = 100},
                             .sgemm_gflops = 80,
                             .read_gbps = 20};
  const BenchConfig config = {.batch = 2, .mode = BENCH_PREFILL};
  BenchRow row = {.yardsticks = &limits,
                  .tokens = 50,
                  .core_isa = ATTEND_ISA_AVX512,
                  .projection_isa = ATTEND_ISA_AVX512,
                  .flops = 4e9,
                  .core_flops = 1e9,
                  .bytes = 1e9};
  add_all(&row.samples, (const double[]){0.1, 0.1, 0.1}, 3);
  row.phase_seconds[ATTEND_PHASE_ATTENTION] = 0.06;
  assert_true(fabs(row_gflops(&row) - 40) < 1e-9 && fabs(row_gbps(&row) - 10) < 1e-9);
  assert_true(fabs(row_peak_share(&row) - 0.4) < 1e-9);
  assert_true(fabs(row_sgemm_share(&row) - 0.5) < 1e-9);
  assert_true(fabs(row_read_share(&row) - 0.5) < 1e-9);
  assert_true(fabs(row_tokens_per_second(&row, &config) - 1000) < 1e-9);
  assert_true(fabs(row_other_seconds(&row) - 0.04) < 1e-9);
  /* 10 GFLOP/s of the core, not 1e9 FLOPs in the 60 ms in which a thread was busy on average. */
  assert_true(fabs(row_core_seconds(&row) - 0.1) < 1e-9 && fabs(row_core_gflops(&row) - 10) < 1e-9);
  row.phase_seconds[ATTEND_PHASE_QKV_PROJECTION] = 0.02;
  row.phase_seconds[ATTEND_PHASE_QK_NORM_ROPE] = row.phase_seconds[ATTEND_PHASE_PACKING] = 0.005;
  row.phase_seconds[ATTEND_PHASE_OUTPUT_PROJECTION] = 0.005;
  assert_true(fabs(row_core_seconds(&row) - 0.07) < 1e-9);
  assert_int_equal(row_limit(&row), BENCH_BANDWIDTH); /* 50 ms of bytes, 40 ms of FLOPs */
  row.bytes = 0.5e9;
  assert_int_equal(row_limit(&row), BENCH_COMPUTE);
  assert_true(fabs(row_limit_share(&row) - 0.4) < 1e-9);

  /* 30 ms of projections at 100 GFLOP/s, and 20 ms of a core that is held to 50. */
  row.core_isa = ATTEND_ISA_AVX2;
  assert_true(fabs(row_compute_seconds(&row) - 0.05) < 1e-9);
  assert_true(fabs(row_peak_gflops(&row) - 80) < 1e-6);
  assert_true(fabs(row_peak_share(&row) - 0.5) < 1e-9);
  assert_true(fabs(row_limit_share(&row) - 0.5) < 1e-9);
  row.core_isa = ATTEND_ISA_SCALAR; /* whose peak was not measured */
  assert_true(row_peak_share(&row) == 0 && row_peak_gflops(&row) == 0);
  assert_int_equal(row_limit(&row), BENCH_BANDWIDTH);
  samples_free(&row.samples);
}

/* Every family of the manifest has a case, every case belongs to a family and says what it works
 * on. */
static void every_family_is_timed(void **state) {
  (void)state;
  const char *family;
  for (size_t f = 0; (family = timed_family_at(f)); f++) {
    size_t timings = 0;
    for (size_t c = 0; c < kernel_case_count(); c++)
      timings += strcmp(kernel_case_at(c)->family, family) == 0;
    if (!timings) fail_msg("the family \"%s\" has no case in bench/kernel_cases.c", family);
  }
  for (size_t c = 0; c < kernel_case_count(); c++) {
    bool listed = false;
    for (size_t f = 0; (family = timed_family_at(f)); f++)
      listed = listed || strcmp(kernel_case_at(c)->family, family) == 0;
    if (!listed) fail_msg("no family \"%s\" is in the manifest", kernel_case_at(c)->family);
  }
  assert_null(kernel_case_at(kernel_case_count()));
}

/* Calls of every case leave the operands as they must be for the next: finite, and not denormal,
 * which would be timed in place of the kernel. */
static void kernel_operands_stay_normal(void **state) {
  (void)state;
  AttendMachine machine;
  KernelData data;
  attend_describe_machine(&machine);
  const Kernels *const kernels = kernels_get(machine.isa_best);
  assert_true(kernel_data_open(0, 0.001, &data));
  for (size_t c = 0; c < kernel_case_count(); c++) {
    const KernelCase *const timing = kernel_case_at(c);
    for (size_t i = 0; i < 20; i++) {
      const KernelWork work = timing->call(timing, kernels, &data);
      if (!(work.flops > 0 || work.bytes > 0)) fail_msg("%s does nothing", timing->family);
    }
    const float *const near = (const float *)data.near;
    for (size_t i = 0; i < sizeof *data.near / sizeof *near; i++)
      if (near[i] != 0 && !isnormal(near[i]))
        fail_msg("after %s, %s: number %zu is %g", timing->family, timing->size, i,
                 (double)near[i]);
  }
  kernel_data_close(&data);
}

static void random_numbers_repeat(void **state) {
  (void)state;
  enum { COUNT = 10000 };
  static float first[COUNT], second[COUNT], other[COUNT];
  random_fill(7, 1, 2.0f, first, COUNT);
  random_fill(7, 1, 2.0f, second, COUNT);
  random_fill(7, 2, 2.0f, other, COUNT);
  assert_memory_equal(first, second, sizeof first);
  double sum = 0, squares = 0, product = 0;
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(first[i] >= -2.0f && first[i] < 2.0f);
    sum += (double)first[i];
    squares += (double)first[i] * (double)first[i];
    product += (double)first[i] * (double)other[i];
  }
  /* Mean 0, variance 4/3, and no correlation between streams, each within five deviations. */
  assert_true(fabs(sum / COUNT) < 5 * 1.155 / 100);
  assert_true(fabs(squares / COUNT - 4.0 / 3) < 5 * 1.193 / 100);
  assert_true(fabs(product / COUNT) < 5 * 1.334 / 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(median_and_minimum),    cmocka_unit_test(samples_keep_their_order),
      cmocka_unit_test(units_for_people),      cmocka_unit_test(figures_of_a_row),
      cmocka_unit_test(every_family_is_timed), cmocka_unit_test(kernel_operands_stay_normal),
      cmocka_unit_test(random_numbers_repeat),
  };
  return cmocka_run_group_tests_name("bench_units", tests, NULL, NULL);
}
