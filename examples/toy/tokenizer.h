/* tokenizer.h - text to tokens and back, with the tokenizer files of llama2.c.
 *
 * The file is a SentencePiece vocabulary written out: for every token its score and its text. Text
 * without a token is spelled byte by byte with the tokens <0x00> to <0xFF>.
 */
#ifndef TOY_TOKENIZER_H
#define TOY_TOKENIZER_H

#include "toy_model.h"

typedef struct Piece {
  const char *text; /* not terminated */
  size_t length;
  float score;
} Piece;

typedef struct Tokenizer {
  size_t count;
  Piece *pieces;      /* [count] */
  size_t *sorted;     /* [count] tokens in the order of their texts */
  size_t bytes[256];  /* the token of a single byte, or NO_TOKEN */
  size_t first_token; /* of every text, or NO_TOKEN */
  char *memory;
} Tokenizer;

/* Reads the tokenizer of a model with so many tokens. */
bool tokenizer_open(Tokenizer *tokenizer, const char *path, const Model *model,
                    Complaint *complaint);

/* The tokens of a text, the first token before them. Freed with free(). */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t **tokens, size_t *count,
                      Complaint *complaint);

/* What a token adds to the text that ended with `previous` (NO_TOKEN: an empty one). Returns the
 * length; *text stays the tokenizer's, or is `byte` for a token that is a byte. */
size_t tokenizer_decode(const Tokenizer *tokenizer, size_t previous, size_t token, char *byte,
                        const char **text);

void tokenizer_close(Tokenizer *tokenizer);

#endif
