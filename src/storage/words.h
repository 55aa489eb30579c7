/* words.h - packed memory is laid out in words of 4 bytes, floats or pairs of bf16 numbers. */
#ifndef ATTEND_SRC_WORDS_H
#define ATTEND_SRC_WORDS_H

#include <stdint.h>

/* Words that hold pairs. What was written as floats is not read as pairs, nor the other way
 * round. */
static inline uint32_t *words_as_pairs(float *words) {
  return (uint32_t *)(void *)words;
}

#endif
