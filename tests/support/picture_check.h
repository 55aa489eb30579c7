/* picture_check.h - what every page must be, and a writer's text.
 *
 * A page is good if everything stands on it and its SVG is XML to a parser that is not ours. A
 * check that fails ends the test that calls it.
 */
#ifndef ATTEND_TESTS_SUPPORT_PICTURE_CHECK_H
#define ATTEND_TESTS_SUPPORT_PICTURE_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/picture/picture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Everything that a writer wrote; to be freed. */
typedef struct Written {
  char *text;
  size_t size;
  FILE *file;
} Written;

void written_open(Written *written);

size_t count_of(const char *text, const char *part);

/* Fails the test unless `part` is in `text`. */
void require(const char *text, const char *part);

/* Whether a line of shell ends with status 0. */
bool has_command(const char *check);

/* The page as SVG, after it was checked; to be freed. */
char *checked_svg(const Picture *picture);

/* Words that would end an element, a string or a line, and bytes that are not UTF-8. */
#define NASTY_WORDS 6
extern const char *const nasty_words[NASTY_WORDS];

#endif
