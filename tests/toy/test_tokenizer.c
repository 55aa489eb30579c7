/* test_tokenizer.c - the tokenizer of examples/toy on small vocabularies made by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "examples/toy/tokenizer.h"
#include "tests/support/support.h"

typedef struct Entry {
  const char *text;
  float score;
} Entry;

/* Scores say that "ab" goes before "bc" and "cd" before both; "abc" exists only by way of "ab". */
static const Entry entries[] = {
    {"<unk>", 0}, {"\n<s>\n", 0}, {"\n</s>\n", 0}, {"<0x0A>", 0}, {"<0xC3>", 0},   {"<0xA4>", 0},
    {" ", -1},    {"a", -1},      {"b", -1},       {"c", -1},     {"d", -1},       {"ab", -3},
    {"bc", -4},   {"cd", -2},     {"abc", -9},     {" a", -8},    {"\xc3\xb6", 0}, {"aa", -5},
    {"aaaa", -6}, {"<0x61>", 0},  {"<0x-1>", 0},
};
enum {
  UNK,
  FIRST,
  LAST,
  NEWLINE,
  BYTE_C3,
  BYTE_A4,
  SPACE,
  A,
  B,
  C,
  D,
  AB,
  BC,
  CD,
  ABC,
  SPACE_A,
  OE,
  AA,
  AAAA,
  BYTE_A,
  NO_BYTE
};

/* Writes a tokenizer of `count` entries and `more` bytes of rubbish, cut to `bytes` bytes. */
static void write_entries(char *path, size_t count, size_t more, size_t bytes) {
  static char buffer[4096];
  size_t at = sizeof(int32_t);
  memset(buffer, 0, sizeof buffer);
  for (size_t i = 0; i < count; i++) {
    const int32_t length = (int32_t)strlen(entries[i].text);
    memcpy(buffer + at, &entries[i].score, 4);
    memcpy(buffer + at + 4, &length, 4);
    memcpy(buffer + at + 8, entries[i].text, (size_t)length);
    at += 8 + (size_t)length;
  }
  at = at + more < bytes ? at + more : bytes;
  strcpy(path, "/tmp/attend-test-tokenizer-XXXXXX");
  const int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, buffer, at), at);
  close(file);
}

static bool open_entries(Tokenizer *tokenizer, size_t count, size_t more, size_t bytes,
                         Complaint *complaint) {
  static Model model;
  char path[64];
  model.vocabulary = COUNT_OF(entries);
  model.first_token = FIRST;
  write_entries(path, count, more, bytes);
  const bool good = tokenizer_open(tokenizer, path, &model, complaint);
  unlink(path);
  return good;
}

static Tokenizer open_good(void) {
  Tokenizer tokenizer;
  Complaint complaint;
  if (!open_entries(&tokenizer, COUNT_OF(entries), 0, SIZE_MAX, &complaint))
    fail_msg("%s", complaint.text);
  return tokenizer;
}

static void texts_and_tokens(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t count, tokens[8];
  } cases[] = {
      {"", 1, {FIRST}},
      {"a", 2, {FIRST, SPACE_A}},
      {"b", 3, {FIRST, SPACE, B}},
      {"bc", 3, {FIRST, SPACE, BC}},
      {"babc", 4, {FIRST, SPACE, B, ABC}},
      {"babcd", 5, {FIRST, SPACE, B, AB, CD}}, /* "cd" first, and then no "abc" */
      {"baaaa", 4, {FIRST, SPACE, B, AAAA}},
      {"baaa", 5, {FIRST, SPACE, B, AA, A}}, /* of equals the leftmost */
      {"\xc3\xb6\xc3\xa4\n", 6, {FIRST, SPACE, OE, BYTE_C3, BYTE_A4, NEWLINE}},
      {"<0x61>", 0, {0}}, /* the names of bytes are no text; '<' has no token */
  };
  Tokenizer tokenizer = open_good();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Complaint complaint;
    size_t *tokens, count;
    const bool good = tokenizer_encode(&tokenizer, cases[i].text, &tokens, &count, &complaint);
    assert_int_equal(good, cases[i].count > 0);
    if (!good) {
      assert_non_null(strstr(complaint.text, "byte 0x3C"));
      assert_null(tokens);
      continue;
    }
    assert_int_equal(count, cases[i].count);
    for (size_t t = 0; t < count; t++) assert_int_equal(tokens[t], cases[i].tokens[t]);
    free(tokens);
  }
  tokenizer_close(&tokenizer);
}

static void tokens_and_texts(void **state) {
  (void)state;
  static const struct {
    size_t previous, token;
    const char *text;
  } cases[] = {
      {FIRST, SPACE_A, "a"}, {B, SPACE_A, " a"}, {NO_TOKEN, SPACE_A, "a"}, {NO_TOKEN, FIRST, ""},
      {B, FIRST, ""},        {A, NEWLINE, "\n"}, {A, BYTE_C3, "\xc3"},     {FIRST, OE, "\xc3\xb6"},
      {FIRST, SPACE, ""},    {A, BYTE_A, "a"},   {A, NO_BYTE, "<0x-1>"},
  };
  Tokenizer tokenizer = open_good();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char byte;
    const char *text;
    const size_t length =
        tokenizer_decode(&tokenizer, cases[i].previous, cases[i].token, &byte, &text);
    assert_int_equal(length, strlen(cases[i].text));
    assert_memory_equal(text, cases[i].text, length);
  }
  tokenizer_close(&tokenizer);
}

/* Every cut of the file, a token too few, a byte too many. */
static void incomplete_files(void **state) {
  (void)state;
  Tokenizer tokenizer = open_good();
  const Piece *const last = &tokenizer.pieces[tokenizer.count - 1];
  const size_t bytes = (size_t)(last->text - tokenizer.memory) + last->length;
  tokenizer_close(&tokenizer);
  Complaint complaint;
  for (size_t cut = 0; cut < bytes; cut++) {
    complaint.text[0] = '\0';
    assert_false(open_entries(&tokenizer, COUNT_OF(entries), 0, cut, &complaint));
    assert_true(strlen(complaint.text) > 40);
    assert_null(tokenizer.memory);
  }
  assert_false(open_entries(&tokenizer, COUNT_OF(entries) - 1, 0, SIZE_MAX, &complaint));
  assert_non_null(strstr(complaint.text, "ends at token 20"));
  assert_false(open_entries(&tokenizer, COUNT_OF(entries), 1, SIZE_MAX, &complaint));
  assert_non_null(strstr(complaint.text, "1 bytes after token 20"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_and_tokens),
      cmocka_unit_test(tokens_and_texts),
      cmocka_unit_test(incomplete_files),
  };
  return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
