/* core_case.h - a core call in a few numbers: its sizes, its layout, its options, a seed.
 *
 * All data follow from these numbers, so that a case that fails can be written down in one line and
 * run again. Zero is the plainest value of every field but the sizes.
 */
#ifndef ATTEND_TESTS_SUPPORT_CORE_CASE_H
#define ATTEND_TESTS_SUPPORT_CORE_CASE_H

#include "attend/attend.h"

/* How the four operands of a core call lie in memory. */
typedef enum CaseLayout {
  LAYOUT_BNHD,   /* heads side by side */
  LAYOUT_BHND,   /* heads apart */
  LAYOUT_NBHD,   /* batch inside tokens */
  LAYOUT_FUSED,  /* Q, K, V as chunks of one [B, N, Hq*D + Hk*D + Hk*Dv]; wants Nq == Nk */
  LAYOUT_PADDED, /* BNHD with gaps after every row and token, starting at an odd offset */
  LAYOUT_SHARED, /* BHND, and one K and V for the whole batch: batch stride 0 */
} CaseLayout;
#define LAYOUT_COUNT 6

/* What hidden places hold. */
typedef enum Poison {
  POISON_NONE,    /* numbers like all others */
  POISON_HIDDEN,  /* NaN and infinities in every key, value and bias that no row sees */
  POISON_VISIBLE, /* and a NaN in one key and in one value, seen or not */
} Poison;

/* A limit of the window; not limited by default. */
typedef struct CaseWindow {
  bool limited;
  int64_t keys;
} CaseWindow;

/* Dimensions over which a bias or a mask repeats its numbers, by a stride of 0. */
#define REPEAT_BATCH 1u
#define REPEAT_HEADS 2u
#define REPEAT_QUERIES 4u
#define REPEAT_KEYS 8u

/* A bias or a mask. */
typedef struct CaseGrid {
  bool used;
  unsigned repeat;  /* REPEAT_... or-ed */
  unsigned hidden;  /* of 100 elements, so many hide their key */
  size_t key_gap;   /* elements between those of two keys */
  size_t uncovered; /* keys at the end that it does not cover; one at least is covered */
} CaseGrid;

typedef struct CaseOptions {
  CaseWindow left, right;
  float softcap;
  bool alibi, sinks;
  CaseGrid bias, mask;
  bool key_lengths; /* a length for each sequence, 0 and Nk among them */
  bool q_starts;    /* a first position for each sequence, q_start at the least and a few more */
  bool ragged;      /* the tokens of the shape are those of all sequences, some of them empty */
} CaseOptions;

typedef struct CoreCase {
  AttendShape shape;
  CaseLayout layout;
  bool bidirectional;
  int64_t q_start;
  float scale;
  float bound;   /* of Q and K; 0 means 1. V is always in [-1, 1]. */
  uint64_t seed; /* 0 means 1 */
  CaseOptions options;
  Poison poison;
} CoreCase;

/* Two sequences of 20 queries at the end of 300 keys, which are two full tiles of keys and a part
 * of a third. What no row sees is NaN and infinite. */
CoreCase case_of_three_tiles(void);

/* The case as the initialiser of a CoreCase, on one line, fields at zero left out. Truncated to
 * size. */
#define CASE_TEXT_SIZE 1024
void case_describe(const CoreCase *spec, char *text, size_t size);

/* Number `index` of the random numbers of a seed, in 0 .. count - 1. */
size_t case_draw(uint64_t seed, uint64_t index, size_t count);

#endif
