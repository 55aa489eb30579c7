/* test_symbolic_size.c - sizes that are numbers, letters or formulas: arithmetic, writing, and the
 * range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/shapes/symbolic_size.h"

static SymbolicSize number(int64_t value) {
  return symbolic_number(value);
}

static void assert_formula(SymbolicSize size, const SizeLetters *letters, const char *text) {
  assert_false(size.beyond);
  assert_string_equal(symbolic_formula(&size, letters).text, text);
}

static void numbers_are_exact(void **state) {
  (void)state;
  const SizeLetters none = {0};
  int64_t value;
  assert_formula(symbolic_times(number(896), number(50)), &none, "44800");
  assert_formula(symbolic_add(number(3), number(-3)), &none, "0");
  assert_formula(symbolic_over(number(5), number(10)), &none, "1/2");
  assert_formula(symbolic_over(number(3), number(-6)), &none, "−1/2");
  const SymbolicSize whole = symbolic_times(symbolic_over(number(5), number(2)), number(4));
  assert_true(symbolic_get_number(&whole, &value));
  assert_int_equal(value, 10);
  const SymbolicSize half = symbolic_over(number(5), number(2));
  assert_false(symbolic_get_number(&half, &value));
  assert_true(symbolic_is_constant(&half));
}

static void formulas_are_written_as_by_hand(void **state) {
  (void)state;
  SizeLetters letters = {0};
  const SymbolicSize n = symbolic_letter(&letters, "N"), d = symbolic_letter(&letters, "d");
  const SymbolicSize h = symbolic_letter(&letters, "h");
  const SymbolicSize dim = symbolic_over(d, h), square = symbolic_times(n, n);
  assert_formula(dim, &letters, "d/h");
  assert_formula(symbolic_times(dim, h), &letters, "d");
  assert_formula(symbolic_times(symbolic_times(number(2), dim), symbolic_times(n, d)), &letters,
                 "2·N·d²/h");
  assert_formula(symbolic_over(n, symbolic_times(number(8), h)), &letters, "N/(8·h)");
  assert_formula(symbolic_over(number(1), h), &letters, "1/h");
  assert_formula(symbolic_over(symbolic_add(square, symbolic_times(n, number(-1))), number(2)),
                 &letters, "N²/2 − N/2");
  assert_formula(symbolic_times(square, symbolic_times(square, n)), &letters, "N^5");
}

static void like_terms_become_one(void **state) {
  (void)state;
  SizeLetters letters = {0};
  const SymbolicSize d = symbolic_letter(&letters, "d"), n = symbolic_letter(&letters, "N");
  assert_formula(symbolic_add(d, symbolic_add(d, d)), &letters, "3·d");
  const SymbolicSize sum = symbolic_add(d, n);
  const SymbolicSize difference = symbolic_add(sum, symbolic_times(n, number(-1)));
  assert_formula(difference, &letters, "d");
  assert_true(
      symbolic_equal(symbolic_times(sum, sum),
                     symbolic_add(symbolic_times(d, d),
                                  symbolic_add(symbolic_times(n, n),
                                               symbolic_times(number(2), symbolic_times(n, d))))));
  assert_false(symbolic_equal(d, n));
}

static void a_letter_is_one_letter(void **state) {
  (void)state;
  SizeLetters letters = {0};
  assert_true(symbolic_equal(symbolic_letter(&letters, "d"), symbolic_letter(&letters, "d")));
  assert_int_equal(letters.count, 1);
  assert_true(symbolic_is_letter("d_k") && symbolic_is_letter("N1"));
  assert_false(symbolic_is_letter("") || symbolic_is_letter("1N") || symbolic_is_letter("a-b") ||
               symbolic_is_letter("ninechars"));
  for (char name[] = "a"; *name < 'j'; ++*name) symbolic_letter(&letters, name);
  assert_int_equal(letters.count, 9);
  assert_false(symbolic_letter(&letters, "y").beyond);
  assert_true(symbolic_letter(&letters, "z").beyond);
}

static void names_stand_in_shapes_only(void **state) {
  (void)state;
  SizeLetters letters = {0};
  const SymbolicSize d = symbolic_letter(&letters, "d"), h = symbolic_letter(&letters, "h");
  const SymbolicSize dim = symbolic_named(symbolic_over(d, h), "d_k"),
                     eight = symbolic_named(number(8), "d_k");
  assert_string_equal(symbolic_in_shape(&dim, &letters).text, "d_k");
  assert_string_equal(symbolic_formula(&dim, &letters).text, "d/h");
  assert_string_equal(symbolic_in_shape(&eight, &letters).text, "8");
  const SymbolicSize product = symbolic_times(dim, h), sum = symbolic_add(d, h);
  assert_string_equal(symbolic_in_shape(&product, &letters).text, "d");
  assert_string_equal(symbolic_in_shape(&sum, &letters).text, "(d + h)");
}

static void nothing_wraps_around(void **state) {
  (void)state;
  const SymbolicSize large = number(INT64_C(1) << 40);
  assert_false(symbolic_times(large, number(1 << 20)).beyond);
  assert_true(symbolic_times(large, large).beyond);
  assert_true(symbolic_add(number(INT64_MAX), number(1)).beyond);
  assert_true(symbolic_over(large, number(0)).beyond);
  assert_true(symbolic_times(symbolic_times(large, large), number(0)).beyond);
  const SymbolicSize cancels =
      symbolic_times(symbolic_over(large, number(3)), symbolic_over(number(3), large));
  assert_true(symbolic_equal(cancels, number(1)));
  SizeLetters letters = {0};
  SymbolicSize sum = number(1);
  for (char name[] = "a"; *name < 'i'; ++*name)
    sum = symbolic_add(sum, symbolic_letter(&letters, name));
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
