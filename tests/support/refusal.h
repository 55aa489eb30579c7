/* refusal.h - a call that must fail: its status, and the words that its sentence must have.
 *
 * Words are what a caller looks for: the name of the argument or field, the offending value. They
 * are separated by blanks and may stand anywhere in the sentence, each as a whole: "key" is not in
 * "key_norm". errors/test_sentences.c alone judges how a sentence reads.
 */
#ifndef ATTEND_TESTS_SUPPORT_REFUSAL_H
#define ATTEND_TESTS_SUPPORT_REFUSAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attend/attend.h"

/* Fails the test unless the sentence has every word. `what` names the case. */
void require_words(const char *sentence, const char *words, const char *what);

/* Fails the test unless the call returned `expected` and left a sentence with the words. */
void require_refusal(const AttendContext *context, AttendStatus got, AttendStatus expected,
                     const char *words, const char *what);

/* The same for a file, whose sentence `error` begins with "PATH: ". */
void require_file_refusal(AttendStatus got, AttendStatus expected, const char *error,
                          const char *path, const char *words);

#endif
