/* tokenizer.c - reading the file, byte-pair encoding, decoding.
 *
 * The file: int32 length of the longest text (not used), then for each token fp32 score, int32
 * length and that many bytes. Nothing in it is trusted: a length must fit what is left of the file,
 * and nothing may follow the last token. Scores may be anything; NaN merges nothing.
 */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "input_file.h"

/* A vocabulary is a few megabytes; a larger file is something else. */
#define MOST_BYTES ((size_t)64 << 20)

/* ---- lookup ---- */

static int compare_texts(const char *a, size_t a_length, const char *b, size_t b_length) {
  const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
  return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_tokens(const void *a, const void *b, void *pieces) {
  const size_t i = *(const size_t *)a, j = *(const size_t *)b;
  const Piece *x = (const Piece *)pieces + i, *y = (const Piece *)pieces + j;
  const int order = compare_texts(x->text, x->length, y->text, y->length);
  return order != 0 ? order : (i > j) - (i < j);
}

/* The first token of this text, or NO_TOKEN. */
static size_t find_token(const Tokenizer *t, const char *text, size_t length) {
  size_t low = 0, high = t->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const Piece *piece = &t->pieces[t->sorted[middle]];
    if (compare_texts(piece->text, piece->length, text, length) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == t->count) return NO_TOKEN;
  const Piece *piece = &t->pieces[t->sorted[low]];
  return compare_texts(piece->text, piece->length, text, length) == 0 ? t->sorted[low] : NO_TOKEN;
}

/* ---- reading ---- */

static bool split_pieces(Tokenizer *t, const char *path, size_t bytes, Complaint *complaint) {
  size_t at = sizeof(int32_t);
  for (size_t i = 0; i < t->count; i++) {
    int32_t length;
    if (at > bytes || bytes - at < sizeof(float) + sizeof length)
      return complain(complaint, "%s ends at token %zu; the model has %zu", path, i, t->count);
    memcpy(&t->pieces[i].score, t->memory + at, sizeof(float));
    memcpy(&length, t->memory + at + sizeof(float), sizeof length);
    at += sizeof(float) + sizeof length;
    if (length < 0 || (size_t)length > bytes - at)
      return complain(complaint, "%s: the length of token %zu is %d; %zu bytes are left", path, i,
                      length, bytes - at);
    t->pieces[i].text = t->memory + at;
    t->pieces[i].length = (size_t)length;
    at += (size_t)length;
  }
  if (at != bytes)
    return complain(complaint, "%s has %zu bytes after token %zu, the last of the model", path,
                    bytes - at, t->count - 1);
  return true;
}

static void index_pieces(Tokenizer *t) {
  for (size_t i = 0; i < t->count; i++) t->sorted[i] = i;
  qsort_r(t->sorted, t->count, sizeof *t->sorted, compare_tokens, t->pieces);
  for (unsigned byte = 0; byte < 256; byte++) {
    char name[8];
    const int length = snprintf(name, sizeof name, "<0x%02X>", byte);
    t->bytes[byte] = find_token(t, name, (size_t)length);
  }
}

static bool read_pieces(Tokenizer *t, InputFile *file, Complaint *complaint) {
  if (file->bytes < sizeof(int32_t) || file->bytes > MOST_BYTES)
    return complain(complaint, "%s has %zu bytes; a tokenizer has 4 to %zu", file->path,
                    file->bytes, MOST_BYTES);
  /* Each token takes eight bytes or more, so a count that the file cannot hold needs no memory. */
  if (t->count > file->bytes / 8)
    return complain(complaint, "%s has %zu bytes, too few for the model's %zu tokens", file->path,
                    file->bytes, t->count);
  t->memory = malloc(file->bytes);
  t->pieces = calloc(t->count, sizeof *t->pieces);
  t->sorted = calloc(t->count, sizeof *t->sorted);
  if (!t->memory || !t->pieces || !t->sorted)
    return complain(complaint, "%s: no memory for its %zu tokens", file->path, t->count);
  if (!input_read(file, t->memory, file->bytes, complaint) ||
      !split_pieces(t, file->path, file->bytes, complaint))
    return false;
  index_pieces(t);
  return true;
}

bool tokenizer_open(Tokenizer *tokenizer, const char *path, const Model *model,
                    Complaint *complaint) {
  InputFile file;
  *tokenizer = (Tokenizer){.count = model->vocabulary, .first_token = model->first_token};
  if (!input_open(&file, path, complaint)) return false;
  const bool good = read_pieces(tokenizer, &file, complaint);
  input_close(&file);
  if (!good) tokenizer_close(tokenizer);
  return good;
}

void tokenizer_close(Tokenizer *tokenizer) {
  free(tokenizer->memory);
  free(tokenizer->pieces);
  free(tokenizer->sorted);
  *tokenizer = (Tokenizer){0};
}

/* ---- encoding ---- */

/* Tokens in the making. Each covers the bytes from its start to the start of the next, so what two
 * neighbours spell is one stretch of the text, except where a token stands for a byte: such a token
 * merges with nothing. */
typedef struct Spelling {
  const char *text; /* starts with the space that stands for the beginning of a word */
  size_t count;
  size_t *tokens;
  size_t *starts; /* [count + 1] */
  size_t *merged; /* [i]: the token that i and i + 1 make together, or NO_TOKEN */
} Spelling;

/* Bytes of the UTF-8 character at text: its first byte and what continues it, four at most. */
static size_t character_length(const char *text) {
  size_t length = 1;
  while (length < 4 && ((unsigned char)text[length] & 0xc0) == 0x80) length++;
  return length;
}

static void update_merge(const Tokenizer *t, Spelling *s, size_t i) {
  s->merged[i] = NO_TOKEN;
  if (i + 1 >= s->count) return;
  const Piece *left = &t->pieces[s->tokens[i]], *right = &t->pieces[s->tokens[i + 1]];
  const size_t length = s->starts[i + 2] - s->starts[i];
  if (left->length + right->length == length)
    s->merged[i] = find_token(t, s->text + s->starts[i], length);
}

static bool spell_characters(const Tokenizer *t, Spelling *s, Complaint *complaint) {
  size_t at = 0;
  while (s->text[at] != '\0') {
    const size_t length = character_length(s->text + at);
    const size_t token = find_token(t, s->text + at, length);
    for (size_t i = 0; i < (token == NO_TOKEN ? length : 1); i++) {
      const unsigned char byte = (unsigned char)s->text[at + i];
      s->starts[s->count] = at + i;
      s->tokens[s->count++] = token == NO_TOKEN ? t->bytes[byte] : token;
      if (s->tokens[s->count - 1] == NO_TOKEN)
        return complain(complaint, "the tokenizer has no token for byte 0x%02X of the prompt",
                        byte);
    }
    at += length;
  }
  s->starts[s->count] = at;
  return true;
}

/* Joins the pair whose token has the highest score, the leftmost of equals, until no pair makes
 * one. */
static void merge_pairs(const Tokenizer *t, Spelling *s) {
  for (size_t i = 0; i < s->count; i++) update_merge(t, s, i);
  for (;;) {
    size_t best = NO_TOKEN;
    for (size_t i = 0; i + 1 < s->count; i++) {
      if (s->merged[i] == NO_TOKEN) continue;
      const float score = t->pieces[s->merged[i]].score;
      if (best == NO_TOKEN || score > t->pieces[s->merged[best]].score) best = i;
    }
    if (best == NO_TOKEN) return;
    s->tokens[best] = s->merged[best];
    const size_t behind = s->count - best - 2;
    memmove(s->tokens + best + 1, s->tokens + best + 2, behind * sizeof *s->tokens);
    memmove(s->merged + best + 1, s->merged + best + 2, behind * sizeof *s->merged);
    memmove(s->starts + best + 1, s->starts + best + 2, (behind + 1) * sizeof *s->starts);
    s->count--;
    if (best > 0) update_merge(t, s, best - 1);
    update_merge(t, s, best);
  }
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t **tokens, size_t *count,
                      Complaint *complaint) {
  const size_t bytes = strlen(text), most = bytes + 3;
  char *spaced = malloc(bytes + 2);
  size_t *memory = calloc(3 * most, sizeof *memory);
  *tokens = calloc(most, sizeof **tokens);
  *count = 0;
  bool good = spaced && memory && *tokens;
  if (!good) {
    complain(complaint, "no memory for the tokens of a prompt of %zu bytes", bytes);
  } else {
    snprintf(spaced, bytes + 2, "%s%s", bytes > 0 ? " " : "", text);
    Spelling s = {spaced, 0, memory, memory + most, memory + 2 * most};
    good = spell_characters(tokenizer, &s, complaint);
    if (good) merge_pairs(tokenizer, &s);
    if (tokenizer->first_token != NO_TOKEN) (*tokens)[(*count)++] = tokenizer->first_token;
    memcpy(*tokens + *count, s.tokens, s.count * sizeof **tokens);
    *count += s.count;
  }
  free(spaced);
  free(memory);
  if (!good) free(*tokens), *tokens = NULL;
  return good;
}

/* ---- decoding ---- */

/* Whether the token stands for a byte, and for which. */
static bool is_byte(const Tokenizer *t, size_t token, char *byte) {
  for (unsigned value = 0; value < 256; value++) {
    if (t->bytes[value] != token) continue;
    *byte = (char)value;
    return true;
  }
  return false;
}

size_t tokenizer_decode(const Tokenizer *tokenizer, size_t previous, size_t token, char *byte,
                        const char **text) {
  const Piece *piece = &tokenizer->pieces[token];
  *text = piece->text;
  if (token == tokenizer->first_token) return 0;
  if (is_byte(tokenizer, token, byte)) {
    *text = byte;
    return 1;
  }
  /* The space that stands for the beginning of the first word. */
  const bool begins = previous == tokenizer->first_token || previous == NO_TOKEN;
  const bool spaced = begins && piece->length > 0 && piece->text[0] == ' ';
  *text += spaced;
  return piece->length - spaced;
}
