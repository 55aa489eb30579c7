/* fuzz_checkpoint.c - any bytes as a llama2.c checkpoint, and as a tokenizer of eight tokens.
 *
 * A checkpoint that is read must run: its logits may be anything, but the library refuses nothing.
 * A tokenizer that is read must take every text apart, or say which byte has no token, and put its
 * own tokens together. A refusal must have a sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "examples/toy/tokenizer.h"
#include "examples/toy/transformer.h"

/* Larger models say nothing new and take time. */
#define WIDTH_MAX 64
#define TOKENS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const Model *model, AttendContext *context) {
  Complaint complaint;
  static Transformer transformer;
  if (model->attention.shape.width > WIDTH_MAX || model->positions < TOKENS) return;
  const size_t tokens[TOKENS] = {0, model->vocabulary - 1, model->vocabulary / 2};
  if (!transformer_open(&transformer, model, context, TOKENS, 2, &complaint)) abort();
  if (!transformer_feed(&transformer, tokens, TOKENS, &complaint)) abort();
  transformer_close(&transformer);
}

static void try_checkpoint(const char *path, AttendContext *context) {
  static Model model;
  Complaint complaint = {""};
  if (checkpoint_read(path, context, ATTEND_STORAGE_AUTO, &model, &complaint)) {
    run(&model, context);
    model_free(&model);
  } else if (complaint.text[0] == '\0') {
    abort();
  }
}

/* Also of tokens that no text has. */
static void decode_all(const Tokenizer *tokenizer) {
  for (size_t token = 0; token < tokenizer->count; token++) {
    char byte;
    const char *text;
    const size_t length = tokenizer_decode(tokenizer, NO_TOKEN, token, &byte, &text);
    if (length > tokenizer->pieces[token].length) abort();
  }
}

static void try_tokenizer(const char *path) {
  static const Model model = {.vocabulary = 8, .first_token = 1};
  Complaint complaint = {""};
  Tokenizer tokenizer;
  size_t *tokens, count, length = 0;
  if (!tokenizer_open(&tokenizer, path, &model, &complaint)) {
    if (complaint.text[0] == '\0') abort();
    return;
  }
  if (tokenizer_encode(&tokenizer, "aab\xc3\xa4 aa", &tokens, &count, &complaint)) {
    bool begins_again = false;
    for (size_t i = 0; i < count; i++) {
      char byte;
      const char *text;
      begins_again = begins_again || (i > 0 && tokens[i] == model.first_token);
      if (tokens[i] >= model.vocabulary) abort();
      length +=
          tokenizer_decode(&tokenizer, i > 0 ? tokens[i - 1] : NO_TOKEN, tokens[i], &byte, &text);
    }
    /* All of the text but, perhaps, the space before its first word; unless it spells the token
     * that a text begins with, of which nothing is printed. */
    if (count < 2 || (length < 7 && !begins_again)) abort();
    free(tokens);
  } else if (complaint.text[0] == '\0') {
    abort();
  }
  decode_all(&tokenizer);
  tokenizer_close(&tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static AttendContext *context;
  if (!context) {
    AttendSettings settings;
    attend_default_settings(&settings);
    settings.threads = 1;
    if (attend_open(&context, &settings) != ATTEND_OK) abort();
  }
  char path[64];
  const int file = memfd_create("input", MFD_CLOEXEC);
  if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  try_checkpoint(path, context);
  try_tokenizer(path);
  close(file);
  return 0;
}
