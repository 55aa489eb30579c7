/* size.h - arithmetic on sizes that notices overflow, and the layout of one piece of memory.
 *
 * Checks and plans use it; a result that does not fit sets a flag that stays set. Code that runs
 * later uses plain arithmetic on sizes known to fit.
 */
#ifndef ATTEND_SRC_SIZE_H
#define ATTEND_SRC_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_ALIGNMENT 64

/* Buffers stay below this many bytes, so that pointer differences are defined. */
#define SIZE_LIMIT ((size_t)PTRDIFF_MAX)

static inline size_t size_multiply(size_t a, size_t b, bool *overflow) {
  size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > SIZE_LIMIT) *overflow = true;
  return product;
}

static inline size_t size_add(size_t a, size_t b, bool *overflow) {
  size_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum) || sum > SIZE_LIMIT) *overflow = true;
  return sum;
}

static inline size_t size_ceil_divide(size_t a, size_t b) {
  return a / b + (a % b != 0);
}

static inline size_t size_round_up(size_t a, size_t step) {
  return size_ceil_divide(a, step) * step;
}

static inline size_t size_min(size_t a, size_t b) {
  return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Parts of one piece of memory. Each begins at a multiple of SIZE_ALIGNMENT. */
typedef struct Layout {
  size_t bytes;
  bool overflow;
} Layout;

/* Reserves count * each floats and returns the offset of the part in bytes. */
static inline size_t layout_floats(Layout *layout, size_t count, size_t each) {
  const size_t offset = layout->bytes;
  const size_t floats = size_multiply(count, each, &layout->overflow);
  const size_t bytes = size_multiply(floats, sizeof(float), &layout->overflow);
  const size_t end = size_add(offset, bytes, &layout->overflow);
  const size_t padded = size_add(end, SIZE_ALIGNMENT - 1, &layout->overflow);
  layout->bytes = padded / SIZE_ALIGNMENT * SIZE_ALIGNMENT;
  return offset;
}

static inline float *layout_at(void *base, size_t offset) {
  return (float *)((char *)base + offset);
}

#endif
