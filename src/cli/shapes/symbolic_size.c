/* symbolic_size.c - arithmetic and writing of sizes that are numbers, letters or formulas of both.
 *
 * Every operation ends in add_term(), which keeps the sum free of like and zero terms. It refuses
 * to divide by a sum, because no shape of attention needs it.
 */
#include "cli/shapes/symbolic_size.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool symbolic_is_letter(const char *text) {
  if (!isalpha((unsigned char)*text) || strlen(text) >= SYMBOLIC_NAME_SIZE) return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && *text != '_') return false;
  return true;
}

/* The place of the name, or letters->count. */
static size_t find_letter(const SizeLetters *letters, const char *name) {
  size_t i = 0;
  while (i < letters->count && strcmp(letters->names[i], name) != 0) i++;
  return i;
}

bool symbolic_has_letter(const SizeLetters *letters, const char *name) {
  return find_letter(letters, name) < letters->count;
}

SymbolicSize symbolic_letter(SizeLetters *letters, const char *name) {
  const size_t place = find_letter(letters, name);
  if (place == SYMBOLIC_LETTERS || !symbolic_is_letter(name)) return (SymbolicSize){.beyond = true};
  if (place == letters->count) {
    memcpy(letters->names[place], name, strlen(name) + 1);
    letters->count++;
  }
  SymbolicSize size = symbolic_number(1);
  size.terms[0].powers[place] = 1;
  return size;
}

SymbolicSize symbolic_number(int64_t number) {
  return (SymbolicSize){.count = number != 0, .terms = {{.top = number, .bottom = 1}}};
}

SymbolicSize symbolic_named(SymbolicSize size, const char *name) {
  size.name = name;
  return size;
}

/* Both are above 0, or the first is 0. */
static int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* False if it leaves the range. The least number has no opposite and counts as out of it. */
static bool reduce(SizeTerm *term) {
  if (term->top == INT64_MIN) return false;
  const int64_t divisor = common_divisor(term->top < 0 ? -term->top : term->top, term->bottom);
  term->top /= divisor;
  term->bottom /= divisor;
  return true;
}

static bool are_like(const SizeTerm *a, const SizeTerm *b) {
  return memcmp(a->powers, b->powers, sizeof a->powers) == 0;
}

static bool add_fraction(SizeTerm *sum, const SizeTerm *term) {
  int64_t left, right;
  return !__builtin_mul_overflow(sum->top, term->bottom, &left) &&
         !__builtin_mul_overflow(term->top, sum->bottom, &right) &&
         !__builtin_add_overflow(left, right, &sum->top) &&
         !__builtin_mul_overflow(sum->bottom, term->bottom, &sum->bottom) && reduce(sum);
}

static void add_term(SymbolicSize *sum, const SizeTerm *term) {
  size_t i = 0;
  while (i < sum->count && !are_like(&sum->terms[i], term)) i++;
  if (i == SYMBOLIC_TERMS) {
    sum->beyond = true;
  } else if (i == sum->count) {
    sum->terms[sum->count++] = *term;
  } else if (!add_fraction(&sum->terms[i], term)) {
    sum->beyond = true;
  } else if (sum->terms[i].top == 0) {
    sum->count--;
    memmove(&sum->terms[i], &sum->terms[i + 1], (sum->count - i) * sizeof *sum->terms);
  }
}

SymbolicSize symbolic_add(SymbolicSize a, SymbolicSize b) {
  SymbolicSize sum = a;
  sum.name = NULL;
  sum.beyond = a.beyond || b.beyond;
  for (size_t i = 0; i < b.count; i++) add_term(&sum, &b.terms[i]);
  return sum;
}

static bool multiply_terms(const SizeTerm *a, const SizeTerm *b, SizeTerm *product) {
  /* Cancels crosswise before multiplying, so that a product in range does not overflow on the
   * way. */
  SizeTerm one = {.top = a->top, .bottom = b->bottom};
  SizeTerm other = {.top = b->top, .bottom = a->bottom};
  if (!reduce(&one) || !reduce(&other)) return false;
  for (size_t i = 0; i < SYMBOLIC_LETTERS; i++) {
    const int power = a->powers[i] + b->powers[i];
    if (power < INT8_MIN || power > INT8_MAX) return false;
    product->powers[i] = (int8_t)power;
  }
  return !__builtin_mul_overflow(one.top, other.top, &product->top) &&
         !__builtin_mul_overflow(one.bottom, other.bottom, &product->bottom);
}

SymbolicSize symbolic_times(SymbolicSize a, SymbolicSize b) {
  SymbolicSize product = {.beyond = a.beyond || b.beyond};
  for (size_t i = 0; i < a.count; i++)
    for (size_t j = 0; j < b.count; j++) {
      SizeTerm term;
      if (multiply_terms(&a.terms[i], &b.terms[j], &term))
        add_term(&product, &term);
      else
        product.beyond = true;
    }
  return product;
}

SymbolicSize symbolic_over(SymbolicSize size, SymbolicSize divisor) {
  if (divisor.count != 1) return (SymbolicSize){.beyond = true};
  const SizeTerm term = divisor.terms[0];
  SymbolicSize inverse = symbolic_number(1);
  inverse.beyond = divisor.beyond;
  inverse.terms[0].top = term.top < 0 ? -term.bottom : term.bottom;
  inverse.terms[0].bottom = term.top < 0 ? -term.top : term.top;
  for (size_t i = 0; i < SYMBOLIC_LETTERS; i++)
    inverse.terms[0].powers[i] = (int8_t)-term.powers[i];
  return symbolic_times(size, inverse);
}

bool symbolic_equal(SymbolicSize a, SymbolicSize b) {
  const SymbolicSize difference = symbolic_add(a, symbolic_times(b, symbolic_number(-1)));
  return !difference.beyond && difference.count == 0;
}

bool symbolic_is_constant(const SymbolicSize *size) {
  static const int8_t none[SYMBOLIC_LETTERS];
  return size->count == 0 ||
         (size->count == 1 && memcmp(size->terms[0].powers, none, sizeof none) == 0);
}

bool symbolic_get_number(const SymbolicSize *size, int64_t *number) {
  if (size->beyond || !symbolic_is_constant(size)) return false;
  if (size->count == 1 && size->terms[0].bottom != 1) return false;
  *number = size->count == 1 ? size->terms[0].top : 0;
  return true;
}

static void append(SizeText *to, const char *text) {
  const size_t used = strlen(to->text);
  snprintf(to->text + used, sizeof to->text - used, "%s", text);
}

/* Writes the factors above or below the bar: letters of positive or of negative power. A number
 * of 1 is left out beside letters. Returns how many were written. */
static size_t write_factors(const SizeTerm *term, const SizeLetters *letters, int64_t number,
                            int sign, SizeText *to) {
  static const char *const raised[] = {"", "", "²", "³", "⁴"};
  char text[32];
  size_t written = 0;
  if (number != 1) {
    snprintf(text, sizeof text, "%" PRId64, number);
    append(to, text);
    written++;
  }
  for (size_t i = 0; i < letters->count; i++) {
    const int power = sign * term->powers[i];
    if (power <= 0) continue;
    append(to, written++ ? "·" : "");
    append(to, letters->names[i]);
    snprintf(text, sizeof text, "^%d", power);
    append(to, power < (int)(sizeof raised / sizeof *raised) ? raised[power] : text);
  }
  return written;
}

static void write_term(const SizeTerm *term, const SizeLetters *letters, SizeText *to) {
  if (write_factors(term, letters, term->top < 0 ? -term->top : term->top, 1, to) == 0)
    append(to, "1");
  SizeText below = {""};
  const size_t divisors = write_factors(term, letters, term->bottom, -1, &below);
  if (divisors == 0) return;
  append(to, divisors > 1 ? "/(" : "/");
  append(to, below.text);
  append(to, divisors > 1 ? ")" : "");
}

SizeText symbolic_formula(const SymbolicSize *size, const SizeLetters *letters) {
  SizeText text = {""};
  for (size_t i = 0; i < size->count; i++) {
    const bool negative = size->terms[i].top < 0;
    append(&text, i == 0 ? (negative ? "−" : "") : (negative ? " − " : " + "));
    write_term(&size->terms[i], letters, &text);
  }
  if (size->count == 0) append(&text, "0");
  return text;
}

SizeText symbolic_in_shape(const SymbolicSize *size, const SizeLetters *letters) {
  SizeText text = {""};
  const SizeText formula = symbolic_formula(size, letters);
  const bool sum = size->count > 1;
  if (size->name && !symbolic_is_constant(size)) {
    append(&text, size->name);
    return text;
  }
  append(&text, sum ? "(" : "");
  append(&text, formula.text);
  append(&text, sum ? ")" : "");
  return text;
}
