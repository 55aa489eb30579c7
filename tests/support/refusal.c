/* refusal.c - statuses and words of refused calls. */
#include "tests/support/refusal.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool is_word_byte(char c) {
  return isalnum((unsigned char)c) || c == '_';
}

/* Whether the word stands somewhere with nothing on either side that would make it another. */
static bool has_word(const char *sentence, const char *word, size_t length) {
  for (const char *at = sentence; (at = memmem(at, strlen(at), word, length)); at++) {
    const bool begins = at == sentence || !is_word_byte(at[-1]) || !is_word_byte(word[0]);
    const bool ends = !is_word_byte(at[length]) || !is_word_byte(word[length - 1]);
    if (begins && ends) return true;
  }
  return false;
}

void require_words(const char *sentence, const char *words, const char *what) {
  if (strlen(sentence) < 10 || !strchr(sentence, ' '))
    fail_msg("%s: the sentence is \"%s\"", what, sentence);
  for (const char *word = words + strspn(words, " "); *word; word += strspn(word, " ")) {
    const size_t length = strcspn(word, " ");
    if (!has_word(sentence, word, length))
      fail_msg("%s: \"%.*s\" is missing in \"%s\"", what, (int)length, word, sentence);
    word += length;
  }
}

static void require_status(AttendStatus got, AttendStatus expected, const char *sentence,
                           const char *what) {
  if (got != expected)
    fail_msg("%s: status is %s (\"%s\"), expected %s", what, attend_status_name(got), sentence,
             attend_status_name(expected));
}

void require_refusal(const AttendContext *context, AttendStatus got, AttendStatus expected,
                     const char *words, const char *what) {
  const char *const sentence = attend_get_error(context);
  require_status(got, expected, sentence, what);
  require_words(sentence, words, what);
}

void require_file_refusal(AttendStatus got, AttendStatus expected, const char *error,
                          const char *path, const char *words) {
  const size_t length = strlen(path);
  require_status(got, expected, error, path);
  if (strncmp(error, path, length) != 0 || strncmp(error + length, ": ", 2) != 0)
    fail_msg("\"%s\" does not begin with \"%s: \"", error, path);
  require_words(error + length + 2, words, path);
}
