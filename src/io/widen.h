/* widen.h - converts the numbers of files to fp32.
 *
 * Files are little-endian, as is every machine that this library is built for. f2 and bf16 become
 * fp32 exactly (half_float.h); f8 is rounded.
 */
#ifndef ATTEND_SRC_IO_WIDEN_H
#define ATTEND_SRC_IO_WIDEN_H

#include <stddef.h>

#include "storage/half_float.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers in files are little-endian");

/* Kinds of numbers in files. */
typedef enum NumberKind { NUMBER_F32, NUMBER_F16, NUMBER_BF16, NUMBER_F64 } NumberKind;

static inline size_t widen_bytes(NumberKind kind) {
  return kind == NUMBER_F64 ? 8 : kind == NUMBER_F32 ? 4 : 2;
}

/* Converts count numbers. `from` may have any alignment. */
void widen_numbers(NumberKind kind, const void *from, size_t count, float *to);

#endif
