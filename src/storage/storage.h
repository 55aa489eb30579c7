/* storage.h - precisions and storages as numbers: the order of products and the terms of 16
 * bits. */
#ifndef ATTEND_SRC_STORAGE_H
#define ATTEND_SRC_STORAGE_H

#include "kernels/kernels.h"

/* The order of `gemm_bf16`, which is also the terms that its operands are split into; 0: the
 * products are those of fp32. */
static inline size_t precision_terms(AttendPrecision precision) {
  static const size_t orders[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_BF16] = 1, [ATTEND_PRECISION_BF16X3] = 2, [ATTEND_PRECISION_BF16X6] = 3};
  return orders[precision];
}

/* Terms of pairs that a number is stored in; 0: it is a float. */
static inline size_t storage_terms(AttendStorage storage) {
  static const size_t terms[ATTEND_STORAGE_COUNT] = {[ATTEND_STORAGE_BF16] = 1,
                                                     [ATTEND_STORAGE_BF16X2] = 2,
                                                     [ATTEND_STORAGE_BF16X3] = 3,
                                                     [ATTEND_STORAGE_FP16] = 1};
  return terms[storage];
}

/* What its pairs are of. */
static inline KernelNumber storage_number(AttendStorage storage) {
  return storage == ATTEND_STORAGE_FP16 ? KERNEL_FP16 : KERNEL_BF16;
}

/* What is asked for, and for AUTO what a context of this precision multiplies as it lies. */
static inline AttendStorage storage_resolve(AttendStorage asked, AttendPrecision precision) {
  static const AttendStorage own[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_FP32] = ATTEND_STORAGE_FP32,
      [ATTEND_PRECISION_BF16X6] = ATTEND_STORAGE_BF16X3,
      [ATTEND_PRECISION_BF16X3] = ATTEND_STORAGE_BF16X2,
      [ATTEND_PRECISION_BF16] = ATTEND_STORAGE_BF16};
  return asked == ATTEND_STORAGE_AUTO ? own[precision] : asked;
}

#endif
