/* oracle_rope.h - RoPE in long double, written from the papers.
 *
 * It shares nothing with the library. Frequencies are exponentials of logarithms in place of
 * powers, and the ends of YaRN's band are found by bisection of the number of rotations in place of
 * its inverse, so that a slip in one form shows against the other.
 */
#ifndef ATTEND_BENCH_ORACLE_ORACLE_ROPE_H
#define ATTEND_BENCH_ORACLE_ORACLE_ROPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OracleRopeKind {
  ORACLE_ROPE_PLAIN,
  ORACLE_ROPE_LINEAR,
  ORACLE_ROPE_NTK,
  ORACLE_ROPE_YARN,
  ORACLE_ROPE_BANDS,
} OracleRopeKind;

typedef struct OracleRope {
  OracleRopeKind kind;
  size_t dims; /* that turn, even; 0: none */
  bool interleaved;
  long double base, factor;
  long double original;  /* YARN, BANDS: positions of training */
  long double few, many; /* rotations: of YARN's slow and fast end, or of the bands */
  bool fractional;       /* YARN: the band's ends stay where they fall */
  long double attention; /* YARN: of cosines and sines; 0: the paper's */
} OracleRope;

/* Radians per position of pair k. */
long double oracle_rope_frequency(const OracleRope *rope, size_t k);

/* The factor of cosines and sines. */
long double oracle_rope_attention(const OracleRope *rope);

/* Rotates a head in place. */
void oracle_rope_rotate(const OracleRope *rope, int64_t position, double *head);

/* The same for many heads of many positions. First the frequencies of all pairs [dims / 2], then
 * the cosine and sine of each pair at a position, rotations [dims], then the heads. */
void oracle_rope_frequencies(const OracleRope *rope, long double *frequencies);
void oracle_rope_rotations(const OracleRope *rope, const long double *frequencies, int64_t position,
                           long double *rotations);
void oracle_rope_apply(const OracleRope *rope, const long double *rotations, double *head);

#endif
