/* random_checkpoint.c - writing checkpoints and tokenizers; see random_checkpoint.h. */
#include "tests/toy/random_checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/random.h"

enum { PIECE_SIZE = 16 };

/* A checkpoint in the making: every call of write_floats() takes another stream of numbers. */
typedef struct Writer {
  FILE *file;
  uint64_t seed, stream;
  bool good;
} Writer;

/* Numbers uniform in middle +- bound. */
static void write_floats(Writer *writer, float middle, double bound, size_t count) {
  enum { CHUNK = 1 << 16 };
  float *chunk = malloc(CHUNK * sizeof *chunk);
  writer->good = writer->good && chunk != NULL;
  while (writer->good && count > 0) {
    const size_t now = count < CHUNK ? count : CHUNK;
    random_fill(writer->seed, writer->stream++, (float)bound, chunk, now);
    for (size_t i = 0; i < now; i++) chunk[i] += middle;
    writer->good = fwrite(chunk, sizeof *chunk, now, writer->file) == now;
    count -= now;
  }
  free(chunk);
}

/* Matrices [out, in] that give outputs `gain` times as large as their inputs. */
static void write_matrices(Writer *writer, double gain, size_t layers, size_t out, size_t in) {
  write_floats(writer, 0, gain * sqrt(3.0 / (double)in), layers * out * in);
}

bool write_checkpoint(const char *path, const CheckpointSizes *sizes) {
  const CheckpointSizes *s = sizes;
  const size_t width = (size_t)s->width, hidden = (size_t)s->hidden, layers = (size_t)s->layers,
               vocabulary = (size_t)s->vocabulary, head = width / (size_t)s->query_heads,
               kv = head * (size_t)s->kv_heads;
  const int32_t header[] = {s->width,    s->hidden,
                            s->layers,   s->query_heads,
                            s->kv_heads, s->separate_classifier ? -s->vocabulary : s->vocabulary,
                            s->context};
  Writer writer = {fopen(path, "wb"), s->seed, 0, true};
  if (!writer.file) return false;
  writer.good = fwrite(header, sizeof header, 1, writer.file) == 1;
  write_floats(&writer, 0, 1, vocabulary * width);
  write_floats(&writer, 1, 0.3, layers * width);
  write_matrices(&writer, 1.5, layers, width, width); /* W_q */
  write_matrices(&writer, 1.5, layers, kv, width);    /* W_k */
  write_matrices(&writer, 1, layers, kv, width);      /* W_v */
  write_matrices(&writer, 1, layers, width, width);   /* W_o */
  write_floats(&writer, 1, 0.3, layers * width);
  write_matrices(&writer, 1, layers, hidden, width); /* W_1, the gate */
  write_matrices(&writer, 1, layers, width, hidden); /* W_2, down */
  write_matrices(&writer, 1, layers, hidden, width); /* W_3, up */
  write_floats(&writer, 1, 0.3, width);
  write_floats(&writer, 0, 1, 2 * (size_t)s->context * (head / 2)); /* nobody reads the tables */
  if (s->separate_classifier) write_matrices(&writer, 3, 1, vocabulary, width);
  return fclose(writer.file) == 0 && writer.good;
}

/* The text of a token. Pair p of letters is one of 676; every second token adds a third. */
static void make_piece(char text[static PIECE_SIZE], int32_t token) {
  static const char *const special[] = {"<unk>", "\n<s>\n", "\n</s>\n"};
  if (token < 3) {
    snprintf(text, PIECE_SIZE, "%s", special[token]);
  } else if (token < 3 + 256) {
    snprintf(text, PIECE_SIZE, "<0x%02X>", (unsigned)(token - 3));
  } else if (token < 3 + 256 + 95) {
    snprintf(text, PIECE_SIZE, "%c", ' ' + token - 259);
  } else {
    const int32_t word = token - 354, p = word / 2;
    const char letters[] = {(char)('a' + p % 26), (char)('a' + (p / 26 + p) % 26),
                            (char)('a' + p * 5 % 26)};
    snprintf(text, PIECE_SIZE, "%.*s", word % 2 == 0 ? 2 : 3, letters);
  }
}

bool write_tokenizer(const char *path, int32_t vocabulary) {
  const int32_t longest = 6;
  FILE *file = fopen(path, "wb");
  if (!file) return false;
  bool good = fwrite(&longest, sizeof longest, 1, file) == 1;
  for (int32_t token = 0; token < vocabulary && good; token++) {
    char text[PIECE_SIZE];
    make_piece(text, token);
    const float score = token < 354 ? 0 : (float)(353 - token);
    const int32_t length = (int32_t)strlen(text);
    good = fwrite(&score, sizeof score, 1, file) == 1 &&
           fwrite(&length, sizeof length, 1, file) == 1 &&
           fwrite(text, (size_t)length, 1, file) == 1;
  }
  return fclose(file) == 0 && good;
}
