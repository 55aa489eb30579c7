/* test_kernels.c - every kernel family of the manifest, for every instruction set, by its contract.
 *
 * The checks stand in kernel_<subject>.c. A family of the manifest without one fails here.
 */
#include "tests/kernels/kernel_checks.h"

#include <string.h>

#include "platform/cpu.h"

static void for_each_isa(void (*check)(const Kernels *kernels)) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t k = 0; k < count; k++) {
    const Kernels *const kernels = kernels_get(isas[k]);
    assert_non_null(kernels);
    assert_true(cpu_enable(isas[k]));
    check(kernels);
  }
}

#define DEFINE_TEST(family)                                                                        \
  static void kernel_##family(void **state) {                                                      \
    (void)state;                                                                                   \
    for_each_isa(check_##family);                                                                  \
  }
CHECKED_FAMILIES(DEFINE_TEST)
DEFINE_TEST(peak)
DEFINE_TEST(read)

static void every_family_of_the_manifest_is_checked(void **state) {
  (void)state;
#define NAME_OF(family) #family,
  static const char *const checked[] = {CHECKED_FAMILIES(NAME_OF)};
#undef NAME_OF
  const char *const *const families = kernels_families();
  size_t count = 0;
  for (; families[count]; count++) {
    bool found = false;
    for (size_t k = 0; k < COUNT_OF(checked); k++)
      if (strcmp(checked[k], families[count]) == 0) found = true;
    if (!found) fail_msg("the family \"%s\" has no check in kernel_checks.h", families[count]);
  }
  assert_int_equal(count, COUNT_OF(checked));
}

/* The numbers that shape the data, and no null member. */
static void check_table(const Kernels *kernels) {
  assert_in_range(kernels->block_rows, 1, KERNEL_MAX_ROWS);
  assert_in_range(kernels->block_columns, 1, KERNEL_PANEL);
  assert_in_range(kernels->gemm_bf16_rows, 1, KERNEL_MAX_ROWS);
  assert_int_equal(KERNEL_PANEL % kernels->block_columns, 0);
#define ATTEND_KERNEL(family, result, arguments) assert_true(kernels->family != NULL);
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
}

static void tables_are_complete(void **state) {
  (void)state;
  for_each_isa(check_table);
  assert_null(kernels_get(ATTEND_ISA_AUTO));
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    const Kernels *const kernels = kernels_get((AttendIsa)isa);
    assert_int_equal(kernels != NULL, machine.isa_built[isa]);
    if (kernels) assert_int_equal(kernels->isa, isa);
  }
}

static void tiles_multiply_as_emulated(void **state) {
  (void)state;
  check_emulated_tiles();
}

static void emulated_dots_are_as_defined(void **state) {
  (void)state;
  check_emulated_dots();
}

static void tiles_of_the_processor_have_the_same_bits(void **state) {
  (void)state;
  for_each_isa(check_tiles_of_processor);
}

/* With an argument, the tests whose names match it; `*` and `?` stand for any. */
int main(int argc, char **argv) {
#define TEST_OF(family) cmocka_unit_test(kernel_##family),
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_of_the_manifest_is_checked),
                                     cmocka_unit_test(tables_are_complete),
                                     cmocka_unit_test(tiles_multiply_as_emulated),
                                     cmocka_unit_test(emulated_dots_are_as_defined),
                                     cmocka_unit_test(tiles_of_the_processor_have_the_same_bits),
                                     CHECKED_FAMILIES(TEST_OF) TEST_OF(peak) TEST_OF(read)};
#undef TEST_OF
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
