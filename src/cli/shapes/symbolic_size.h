/* symbolic_size.h - a size that is a number, a letter, or a formula of both.
 *
 * A size is a sum of products of letters with rational coefficients: 50, N, d/h, 2*N*d^2/h,
 * i*d/h + d/h. Sums are kept without two like terms and without zero terms, so that what is equal
 * is stored alike up to the order of the terms, and a formula without letters is one number.
 * Letters are known by their place in a SizeLetters, which decides the order in which a product
 * is written. Arithmetic that leaves the range gives a size that is `beyond`, and so does
 * everything made of it; nothing wraps around.
 */
#ifndef ATTEND_SRC_CLI_SHAPES_SYMBOLIC_SIZE_H
#define ATTEND_SRC_CLI_SHAPES_SYMBOLIC_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOLIC_LETTERS 10
#define SYMBOLIC_NAME_SIZE 9
#define SYMBOLIC_TERMS 8
#define SYMBOLIC_TEXT_SIZE 256

typedef struct SizeLetters {
  size_t count;
  char names[SYMBOLIC_LETTERS][SYMBOLIC_NAME_SIZE];
} SizeLetters;

/* top / bottom, lowest terms, bottom > 0, times each letter to its power. */
typedef struct SizeTerm {
  int64_t top, bottom;
  int8_t powers[SYMBOLIC_LETTERS];
} SizeTerm;

typedef struct SymbolicSize {
  size_t count; /* terms; 0: the number 0 */
  SizeTerm terms[SYMBOLIC_TERMS];
  const char *name; /* what a shape shows in place of a formula, or null; arithmetic drops it */
  bool beyond;
} SymbolicSize;

typedef struct SizeText {
  char text[SYMBOLIC_TEXT_SIZE];
} SizeText;

/* A letter is what starts with a letter of the alphabet and goes on with those, digits and '_',
 * shorter than SYMBOLIC_NAME_SIZE. */
bool symbolic_is_letter(const char *text);

bool symbolic_has_letter(const SizeLetters *letters, const char *name);

/* The letter of that name, which becomes known if it is not. Beyond if there are too many. */
SymbolicSize symbolic_letter(SizeLetters *letters, const char *name);

SymbolicSize symbolic_number(int64_t number);
SymbolicSize symbolic_named(SymbolicSize size, const char *name);

SymbolicSize symbolic_add(SymbolicSize a, SymbolicSize b);
SymbolicSize symbolic_times(SymbolicSize a, SymbolicSize b);
/* `divisor` is one term. What does not divide stays a quotient: 512 / h, d / 8, and 5 / 2. */
SymbolicSize symbolic_over(SymbolicSize size, SymbolicSize divisor);

bool symbolic_equal(SymbolicSize a, SymbolicSize b);

/* Whether it is a whole number; *number is set then. */
bool symbolic_get_number(const SymbolicSize *size, int64_t *number);

/* Whether it has no letters. */
bool symbolic_is_constant(const SymbolicSize *size);

/* The formula as a person writes it ("2·N·d²/h"), and the same in a shape: by its name where it has
 * one and is no number, and a sum in parentheses. */
SizeText symbolic_formula(const SymbolicSize *size, const SizeLetters *letters);
SizeText symbolic_in_shape(const SymbolicSize *size, const SizeLetters *letters);

#endif
