/* storage.h - precisions and storages as the numbers that the kernels are told. */
#ifndef ATTEND_SRC_STORAGE_STORAGE_H
#define ATTEND_SRC_STORAGE_STORAGE_H

#include "kernels/kernels.h"

typedef struct StorageFormat {
  KernelNumber number;
  size_t terms;    /* numbers of that type whose sum is an element */
  double rounding; /* largest relative error of an element in range */
} StorageFormat;

/* The format of a storage other than AUTO. */
StorageFormat storage_format(AttendStorage storage);

/* "fp32", "bf16", "fp16". */
const char *number_name(KernelNumber number);

static inline size_t number_bytes(KernelNumber number) {
  return number == KERNEL_FP32 ? sizeof(float) : sizeof(uint16_t);
}

/* Bf16 terms into which a precision splits each operand of a product; 0: products are fp32. */
static inline size_t precision_terms(AttendPrecision precision) {
  static const size_t terms[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_BF16] = 1, [ATTEND_PRECISION_BF16X3] = 2, [ATTEND_PRECISION_BF16X6] = 3};
  return terms[precision];
}

/* The storage asked for. AUTO becomes the one that a context of this precision multiplies without
 * conversion. */
static inline AttendStorage storage_resolve(AttendStorage asked, AttendPrecision precision) {
  static const AttendStorage own[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_FP32] = ATTEND_STORAGE_FP32,
      [ATTEND_PRECISION_BF16X6] = ATTEND_STORAGE_BF16X3,
      [ATTEND_PRECISION_BF16X3] = ATTEND_STORAGE_BF16X2,
      [ATTEND_PRECISION_BF16] = ATTEND_STORAGE_BF16};
  return asked == ATTEND_STORAGE_AUTO ? own[precision] : asked;
}

#endif
