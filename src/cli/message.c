/* message.c - the sentences of the tool on stderr, and the names that a user may have meant.
 *
 * Refuses to guess: a near name is suggested, never taken.
 */
#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void print_sentence(const char *format, va_list arguments) {
  fflush(stdout);
  fputs("attend: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
}

int usage_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_sentence(format, arguments);
  va_end(arguments);
  return EXIT_USAGE;
}

int failure(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_sentence(format, arguments);
  va_end(arguments);
  return EXIT_FAILURE;
}

void notice(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_sentence(format, arguments);
  va_end(arguments);
}

int finish_stdout(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_SUCCESS;
  return failure("standard output could not be written: %s.",
                 errno != 0 ? strerror(errno) : "an earlier write failed");
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap two neighbours) from a to b, case ignored; a large number
 * for long names. rows[k] holds the distances of the first i - k letters of a to every beginning of
 * b. */
static size_t edit_distance(const char *a, const char *b) {
  enum { LENGTH_MAX = 64 };
  const size_t a_length = strlen(a), b_length = strlen(b);
  if (a_length > LENGTH_MAX || b_length > LENGTH_MAX) return SIZE_MAX;

  size_t rows[3][LENGTH_MAX + 1];
  for (size_t j = 0; j <= b_length; j++) rows[0][j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    memmove(&rows[1], &rows[0], 2 * sizeof *rows);
    rows[0][0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      const bool equal = lower(a[i - 1]) == lower(b[j - 1]);
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                           lower(a[i - 2]) == lower(b[j - 1]);
      size_t least = smaller(rows[1][j - 1] + !equal, 1 + smaller(rows[1][j], rows[0][j - 1]));
      if (swapped) least = smaller(least, 1 + rows[2][j - 2]);
      rows[0][j] = least;
    }
  }
  return rows[0][b_length];
}

const char *nearest_name(const char *text,
                         const char *(*name_at)(const void *context, size_t index),
                         const void *context) {
  const char *nearest = NULL;
  /* From this many edits on it is another word, not a slip. */
  size_t least = strlen(text) < 6 ? 2 : strlen(text) / 3 + 1;
  for (size_t i = 0; name_at(context, i) != NULL; i++) {
    const size_t distance = edit_distance(text, name_at(context, i));
    if (distance < least) {
      least = distance;
      nearest = name_at(context, i);
    }
  }
  return nearest;
}
