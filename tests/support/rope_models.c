/* rope_models.c - RoPE as published models set it. Figures are those of their config.json. */
#include "tests/support/rope_models.h"

#include <string.h>

#include "tests/support/support.h"

#define HALF ATTEND_ROPE_HALF
#define INTERLEAVED ATTEND_ROPE_INTERLEAVED

/* What a model says of RoPE; 0 leaves the default. */
typedef struct Figures {
  const char *name;
  size_t head_dim, dims;
  AttendRopePairing pairing;
  double base;
  AttendRopeScaling scaling;
  double factor, original;
  double attention_factor;
  bool untruncated;
} Figures;

static const Figures figures[] = {
    {.name = "llama-2", .head_dim = 128, .pairing = INTERLEAVED, .base = 10000.0},
    {.name = "qwen3", .head_dim = 128, .pairing = HALF, .base = 1000000.0},
    {.name = "gemma-2", .head_dim = 256, .pairing = HALF, .base = 10000.0},
    {.name = "pythia", .head_dim = 80, .dims = 20, .pairing = HALF, .base = 10000.0},
    {.name = "gpt-j", .head_dim = 256, .dims = 64, .pairing = INTERLEAVED, .base = 10000.0},
    {.name = "longchat",
     .head_dim = 128,
     .pairing = HALF,
     .scaling = ATTEND_ROPE_LINEAR,
     .factor = 8},
    {.name = "ntk", .head_dim = 128, .pairing = HALF, .scaling = ATTEND_ROPE_NTK, .factor = 4},
    {.name = "llama-3.1",
     .head_dim = 128,
     .pairing = HALF,
     .base = 500000.0,
     .scaling = ATTEND_ROPE_LLAMA3,
     .factor = 8.0,
     .original = 8192.0},
    {.name = "qwen2.5",
     .head_dim = 128,
     .pairing = HALF,
     .base = 1000000.0,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 4.0,
     .original = 32768.0},
    {.name = "gpt-oss",
     .head_dim = 64,
     .pairing = HALF,
     .base = 150000.0,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 32.0,
     .original = 4096.0,
     .untruncated = true},
    {.name = "yarn, own attention factor",
     .head_dim = 64,
     .dims = 48,
     .pairing = INTERLEAVED,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 16.0,
     .original = 2048.0,
     .attention_factor = 0.75},
    /* One turn over the positions of training is less than pair 0 makes, and 32 are far less. */
    {.name = "yarn, a band without width",
     .head_dim = 4,
     .pairing = HALF,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 2.0,
     .original = 6.0},
    /* From pair 6 to pair 13, of which there are 8. */
    {.name = "yarn, a band beyond the last pair",
     .head_dim = 16,
     .pairing = HALF,
     .base = 100.0,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 4.0,
     .original = 8192.0},
    /* The slow end is cut to dims - 1 and the fast one is not, in the published code too. */
    {.name = "yarn, a band that ends before it begins",
     .head_dim = 4,
     .pairing = HALF,
     .base = 2.0,
     .scaling = ATTEND_ROPE_YARN,
     .factor = 2.0,
     .original = 1000.0},
};

bool rope_model(size_t index, RopeModel *model) {
  if (index >= COUNT_OF(figures)) return false;
  const Figures *const f = &figures[index];
  *model = (RopeModel){.name = f->name, .head_dim = f->head_dim};
  attend_default_rope(&model->rope);
  model->rope.pairing = f->pairing;
  model->rope.dims = f->dims;
  model->rope.scaling = f->scaling;
  model->rope.attention_factor = f->attention_factor;
  model->rope.untruncated = f->untruncated;
  if (f->base != 0.0) model->rope.base = f->base;
  if (f->factor != 0.0) model->rope.factor = f->factor;
  if (f->original != 0.0) model->rope.original_positions = f->original;
  return true;
}

AttendRope rope_of_model(const char *name) {
  RopeModel model;
  for (size_t m = 0; rope_model(m, &model); m++)
    if (strcmp(model.name, name) == 0) return model.rope;
  fail_msg("no RoPE model is called %s", name);
  return model.rope;
}

OracleRope oracle_of_rope(const AttendRope *rope, size_t head_dim) {
  static const OracleRopeKind kinds[] = {
      [ATTEND_ROPE_UNSCALED] = ORACLE_ROPE_PLAIN, [ATTEND_ROPE_LINEAR] = ORACLE_ROPE_LINEAR,
      [ATTEND_ROPE_NTK] = ORACLE_ROPE_NTK,        [ATTEND_ROPE_YARN] = ORACLE_ROPE_YARN,
      [ATTEND_ROPE_LLAMA3] = ORACLE_ROPE_BANDS,
  };
  if (rope->pairing == ATTEND_ROPE_NONE) return (OracleRope){.dims = 0};
  const bool yarn = rope->scaling == ATTEND_ROPE_YARN;
  return (OracleRope){
      .kind = kinds[rope->scaling],
      .dims = rope->dims ? rope->dims : head_dim,
      .interleaved = rope->pairing == ATTEND_ROPE_INTERLEAVED,
      .base = (long double)rope->base,
      .factor = (long double)rope->factor,
      .original = (long double)rope->original_positions,
      .few = (long double)(yarn ? rope->beta_slow : rope->low_frequency_factor),
      .many = (long double)(yarn ? rope->beta_fast : rope->high_frequency_factor),
      .fractional = rope->untruncated,
      .attention = (long double)rope->attention_factor,
  };
}
