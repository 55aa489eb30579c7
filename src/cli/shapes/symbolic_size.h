/* symbolic_size.h - a size that is a number, a letter, or a formula of both.
 *
 * An extent is a sum of products of letters with rational coefficients: 50, N, d/h, 2*N*d^2/h,
 * i*d/h + d/h. Sums are kept without two like terms and without zero terms, so that what is equal
 * is stored alike up to the order of the terms, and a formula without letters is one number.
 * Letters are known by their place in an ExtentLetters, which decides the order in which a product
 * is written. Arithmetic that leaves the range gives an extent that is `beyond`, and so does
 * everything made of it; nothing wraps around.
 */
#ifndef ATTEND_SRC_CLI_EXTENT_H
#define ATTEND_SRC_CLI_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENT_LETTERS 10
#define EXTENT_NAME_SIZE 9
#define EXTENT_TERMS 8
#define EXTENT_TEXT_SIZE 256

typedef struct ExtentLetters {
  size_t count;
  char names[EXTENT_LETTERS][EXTENT_NAME_SIZE];
} ExtentLetters;

/* top / bottom, lowest terms, bottom > 0, times each letter to its power. */
typedef struct ExtentTerm {
  int64_t top, bottom;
  int8_t powers[EXTENT_LETTERS];
} ExtentTerm;

typedef struct SymbolicSize {
  size_t count; /* terms; 0: the number 0 */
  ExtentTerm terms[EXTENT_TERMS];
  const char *name; /* what a shape shows in place of a formula, or null; arithmetic drops it */
  bool beyond;
} SymbolicSize;

typedef struct ExtentText {
  char text[EXTENT_TEXT_SIZE];
} ExtentText;

/* A letter is what starts with a letter of the alphabet and goes on with those, digits and '_',
 * shorter than EXTENT_NAME_SIZE. */
bool symbolic_is_letter(const char *text);

bool symbolic_has_letter(const ExtentLetters *letters, const char *name);

/* The letter of that name, which becomes known if it is not. Beyond if there are too many. */
SymbolicSize symbolic_letter(ExtentLetters *letters, const char *name);

SymbolicSize symbolic_number(int64_t number);
SymbolicSize symbolic_named(SymbolicSize extent, const char *name);

SymbolicSize symbolic_add(SymbolicSize a, SymbolicSize b);
SymbolicSize symbolic_times(SymbolicSize a, SymbolicSize b);
/* `divisor` is one term. What does not divide stays a quotient: 512 / h, d / 8, and 5 / 2. */
SymbolicSize symbolic_over(SymbolicSize extent, SymbolicSize divisor);

bool symbolic_equal(SymbolicSize a, SymbolicSize b);

/* Whether it is a whole number; *number is set then. */
bool symbolic_get_number(const SymbolicSize *extent, int64_t *number);

/* Whether it has no letters. */
bool symbolic_is_constant(const SymbolicSize *extent);

/* The formula as a person writes it ("2·N·d²/h"), and the same in a shape: by its name where it has
 * one and is no number, and a sum in parentheses. */
ExtentText symbolic_formula(const SymbolicSize *extent, const ExtentLetters *letters);
ExtentText symbolic_in_shape(const SymbolicSize *extent, const ExtentLetters *letters);

#endif
