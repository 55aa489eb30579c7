/* test_head_norm.c - RMSNorm of a head against long double, to the error that it promises. */
#include "layer/head_norm.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

/* What head_norm.h promises, and half of the smallest float for what underflows. */
static void check_norm(const char *what, const float *weight, double epsilon, size_t dim,
                       const float *head) {
  float *const got = new_bytes(dim * sizeof *got);
  memcpy(got, head, dim * sizeof *got);
  head_norm(weight, epsilon, dim, got);
  long double squares = 0.0L;
  for (size_t d = 0; d < dim; d++) squares += (long double)head[d] * (long double)head[d];
  const long double rms = sqrtl(squares / (long double)dim + (long double)epsilon);
  for (size_t d = 0; d < dim; d++) {
    const double expected = (double)((long double)head[d] / rms * (long double)weight[d]);
    const double allowed = (0x1p-24 + (double)(dim + 8) * 0x1p-53) * fabs(expected) + 0x1p-150;
    if (!(fabs((double)got[d] - expected) <= allowed))
      fail_msg("%s: element %zu of %zu is %.9g, expected %.12g", what, d, dim, (double)got[d],
               expected);
  }
  free(got);
}

static void heads_of_any_size(void **state) {
  (void)state;
  static const size_t dims[] = {1, 2, 7, 8, 9, 64, 80, 128, 256, 513};
  static const float bounds[] = {1.0f, 1e-3f, 1e-22f, 1e-38f, 1e22f, FLT_MAX};
  for (size_t k = 0; k < COUNT_OF(dims) * COUNT_OF(bounds); k++) {
    const size_t dim = dims[k / COUNT_OF(bounds)];
    float *const head = new_random(k, bounds[k % COUNT_OF(bounds)], dim);
    float *const weight = new_random(1000 + k, 2.0f, dim);
    check_norm("epsilon 1e-6", weight, 1e-6, dim, head);
    check_norm("epsilon 0", weight, 0.0, dim, head);
    free(head);
    free(weight);
  }
}

/* 3 and 4: the mean square is 12.5, and with an epsilon of 3.5 the root is 4. */
static void a_head_by_hand(void **state) {
  (void)state;
  static const float weight[] = {2.0f, -8.0f}, expected[] = {1.5f, -8.0f};
  float head[] = {3.0f, 4.0f};
  head_norm(weight, 3.5, 2, head);
  assert_memory_equal(head, expected, sizeof head);
}

static void zeros_and_nan(void **state) {
  (void)state;
  float weight[9], head[9];
  for (size_t d = 0; d < 9; d++) weight[d] = 1.0f;
  memset(head, 0, sizeof head);
  head_norm(weight, 1e-6, 9, head);
  for (size_t d = 0; d < 9; d++) assert_true(head[d] == 0.0f);
  head_norm(weight, 0.0, 9, head);
  for (size_t d = 0; d < 9; d++) assert_true(isnan(head[d]));
  for (size_t d = 0; d < 9; d++) head[d] = d == 8 ? NAN : 1.0f;
  head_norm(weight, 1e-6, 9, head);
  for (size_t d = 0; d < 9; d++) assert_true(isnan(head[d]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heads_of_any_size),
      cmocka_unit_test(a_head_by_hand),
      cmocka_unit_test(zeros_and_nan),
  };
  return cmocka_run_group_tests_name("head_norm", tests, NULL, NULL);
}
