/* words.h - packed memory is laid out in words of 4 bytes: floats, or pairs of 16-bit numbers. */
#ifndef ATTEND_SRC_STORAGE_WORDS_H
#define ATTEND_SRC_STORAGE_WORDS_H

#include <stdint.h>

/* The words of a buffer of pairs. A buffer holds one type only; this cast does not convert. */
static inline uint32_t *words_as_pairs(float *words) {
  return (uint32_t *)(void *)words;
}

#endif
