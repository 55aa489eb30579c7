/* test_extent.c - sizes that are numbers, letters or formulas: arithmetic, writing, and the
 * range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/shapes/extent.h"

static Extent number(int64_t value) {
  return extent_number(value);
}

static void assert_formula(Extent extent, const ExtentLetters *letters, const char *text) {
  assert_false(extent.beyond);
  assert_string_equal(extent_formula(&extent, letters).text, text);
}

static void numbers_are_exact(void **state) {
  (void)state;
  const ExtentLetters none = {0};
  int64_t value;
  assert_formula(extent_times(number(896), number(50)), &none, "44800");
  assert_formula(extent_add(number(3), number(-3)), &none, "0");
  assert_formula(extent_over(number(5), number(10)), &none, "1/2");
  assert_formula(extent_over(number(3), number(-6)), &none, "−1/2");
  const Extent whole = extent_times(extent_over(number(5), number(2)), number(4));
  assert_true(extent_get_number(&whole, &value));
  assert_int_equal(value, 10);
  const Extent half = extent_over(number(5), number(2));
  assert_false(extent_get_number(&half, &value));
  assert_true(extent_is_constant(&half));
}

static void formulas_are_written_as_by_hand(void **state) {
  (void)state;
  ExtentLetters letters = {0};
  const Extent n = extent_letter(&letters, "N"), d = extent_letter(&letters, "d");
  const Extent h = extent_letter(&letters, "h");
  const Extent dim = extent_over(d, h), square = extent_times(n, n);
  assert_formula(dim, &letters, "d/h");
  assert_formula(extent_times(dim, h), &letters, "d");
  assert_formula(extent_times(extent_times(number(2), dim), extent_times(n, d)), &letters,
                 "2·N·d²/h");
  assert_formula(extent_over(n, extent_times(number(8), h)), &letters, "N/(8·h)");
  assert_formula(extent_over(number(1), h), &letters, "1/h");
  assert_formula(extent_over(extent_add(square, extent_times(n, number(-1))), number(2)), &letters,
                 "N²/2 − N/2");
  assert_formula(extent_times(square, extent_times(square, n)), &letters, "N^5");
}

static void like_terms_become_one(void **state) {
  (void)state;
  ExtentLetters letters = {0};
  const Extent d = extent_letter(&letters, "d"), n = extent_letter(&letters, "N");
  assert_formula(extent_add(d, extent_add(d, d)), &letters, "3·d");
  const Extent sum = extent_add(d, n);
  const Extent difference = extent_add(sum, extent_times(n, number(-1)));
  assert_formula(difference, &letters, "d");
  assert_true(extent_equal(
      extent_times(sum, sum),
      extent_add(extent_times(d, d),
                 extent_add(extent_times(n, n), extent_times(number(2), extent_times(n, d))))));
  assert_false(extent_equal(d, n));
}

static void a_letter_is_one_letter(void **state) {
  (void)state;
  ExtentLetters letters = {0};
  assert_true(extent_equal(extent_letter(&letters, "d"), extent_letter(&letters, "d")));
  assert_int_equal(letters.count, 1);
  assert_true(extent_is_letter("d_k") && extent_is_letter("N1"));
  assert_false(extent_is_letter("") || extent_is_letter("1N") || extent_is_letter("a-b") ||
               extent_is_letter("ninechars"));
  for (char name[] = "a"; *name < 'j'; ++*name) extent_letter(&letters, name);
  assert_int_equal(letters.count, 9);
  assert_false(extent_letter(&letters, "y").beyond);
  assert_true(extent_letter(&letters, "z").beyond);
}

static void names_stand_in_shapes_only(void **state) {
  (void)state;
  ExtentLetters letters = {0};
  const Extent d = extent_letter(&letters, "d"), h = extent_letter(&letters, "h");
  const Extent dim = extent_named(extent_over(d, h), "d_k"), eight = extent_named(number(8), "d_k");
  assert_string_equal(extent_in_shape(&dim, &letters).text, "d_k");
  assert_string_equal(extent_formula(&dim, &letters).text, "d/h");
  assert_string_equal(extent_in_shape(&eight, &letters).text, "8");
  const Extent product = extent_times(dim, h), sum = extent_add(d, h);
  assert_string_equal(extent_in_shape(&product, &letters).text, "d");
  assert_string_equal(extent_in_shape(&sum, &letters).text, "(d + h)");
}

static void nothing_wraps_around(void **state) {
  (void)state;
  const Extent large = number(INT64_C(1) << 40);
  assert_false(extent_times(large, number(1 << 20)).beyond);
  assert_true(extent_times(large, large).beyond);
  assert_true(extent_add(number(INT64_MAX), number(1)).beyond);
  assert_true(extent_over(large, number(0)).beyond);
  assert_true(extent_times(extent_times(large, large), number(0)).beyond);
  const Extent cancels = extent_times(extent_over(large, number(3)), extent_over(number(3), large));
  assert_true(extent_equal(cancels, number(1)));
  ExtentLetters letters = {0};
  Extent sum = number(1);
  for (char name[] = "a"; *name < 'i'; ++*name)
    sum = extent_add(sum, extent_letter(&letters, name));
  assert_true(sum.beyond);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_exact),
      cmocka_unit_test(formulas_are_written_as_by_hand),
      cmocka_unit_test(like_terms_become_one),
      cmocka_unit_test(a_letter_is_one_letter),
      cmocka_unit_test(names_stand_in_shapes_only),
      cmocka_unit_test(nothing_wraps_around),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
