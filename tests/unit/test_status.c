/* test_status.c - the names, numbers and sentences that leave the library as text. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static void statuses_have_names_and_sentences(void **state) {
  (void)state;
#define CHECK_STATUS(name, value, message)                                                         \
  assert_int_equal(ATTEND_STATUS_##name, value);                                                   \
  assert_string_equal(attend_status_name(ATTEND_STATUS_##name), #name);                            \
  assert_string_equal(attend_status_message(ATTEND_STATUS_##name), message);
  ATTEND_STATUS_MAP(CHECK_STATUS)
#undef CHECK_STATUS
  static const int unknown[] = {-1, 20, 1000};
  for (size_t k = 0; k < COUNT_OF(unknown); k++) {
    assert_string_equal(attend_status_name((AttendStatus)unknown[k]), "UNKNOWN_STATUS");
    assert_true(strlen(attend_status_message((AttendStatus)unknown[k])) > 10);
  }
  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", ATTEND_VERSION_MAJOR, ATTEND_VERSION_MINOR,
           ATTEND_VERSION_PATCH);
  assert_string_equal(attend_version(), version);
}

static void names_are_found_again(void **state) {
  (void)state;
  static const char *const paths[] = {"auto", "tiled", "blas", "naive"};
  static const char *const isas[] = {"auto", "scalar", "avx2", "avx512", "avx512bf16", "amx"};
  assert_true(COUNT_OF(isas) <= ATTEND_ISA_COUNT); /* names that are out do not change */
  for (int k = 0; k < (int)COUNT_OF(paths); k++) {
    AttendPath path = (AttendPath)9;
    assert_string_equal(attend_path_name((AttendPath)k), paths[k]);
    assert_true(attend_find_path(paths[k], &path));
    assert_int_equal(path, k);
  }
  for (int k = 0; k < ATTEND_ISA_COUNT; k++) {
    AttendIsa isa = (AttendIsa)9;
    assert_non_null(attend_isa_name((AttendIsa)k));
    if (k < (int)COUNT_OF(isas)) assert_string_equal(attend_isa_name((AttendIsa)k), isas[k]);
    assert_true(attend_find_isa(attend_isa_name((AttendIsa)k), &isa));
    assert_int_equal(isa, k);
  }
  static const char *const wrong[] = {"", "Tiled", "blas ", "avx", "fast", "sse2"};
  for (size_t k = 0; k < COUNT_OF(wrong); k++) {
    AttendPath path = ATTEND_PATH_BLAS;
    AttendIsa isa = ATTEND_ISA_AVX2;
    assert_false(attend_find_path(wrong[k], &path));
    assert_false(attend_find_isa(wrong[k], &isa));
    assert_int_equal(path, ATTEND_PATH_BLAS);
    assert_int_equal(isa, ATTEND_ISA_AVX2);
  }
  assert_null(attend_path_name((AttendPath)ATTEND_PATH_COUNT));
  assert_null(attend_path_name((AttendPath)-1));
  assert_null(attend_isa_name(ATTEND_ISA_COUNT));
  assert_null(attend_isa_name((AttendIsa)-1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statuses_have_names_and_sentences),
      cmocka_unit_test(names_are_found_again),
  };
  return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
