/* convert_panel.h - makes pairs of bf16 terms of a panel of pairs in fp16, through floats in L1.
 *
 * The terms are those of the widened numbers. So products have the bits that they would have if
 * these floats were stored.
 */
#ifndef ATTEND_SRC_STORAGE_CONVERT_PANEL_H
#define ATTEND_SRC_STORAGE_CONVERT_PANEL_H

#include "kernels/kernels.h"
#include "size.h"

/* Converts the first `rows` rows of the panel, up to a whole step, into `terms` terms. */
static inline void convert_panel(const Kernels *kernels, size_t rows, KernelPairs from,
                                 size_t terms, size_t term_stride, uint32_t *to) {
  _Alignas(KERNEL_ALIGNMENT) float floats[KERNEL_PANEL * KERNEL_PANEL];
  for (size_t i = 0; i < rows; i += KERNEL_PANEL) {
    const size_t here = size_min(KERNEL_PANEL, rows - i);
    kernels->widen(size_ceil_divide(here, 2), from, floats);
    kernels->pack_value_pairs(here, KERNEL_PANEL, floats, KERNEL_PANEL, KERNEL_BF16, terms,
                              term_stride, to + i / 2 * KERNEL_PANEL);
    from.pairs += KERNEL_PANEL / 2 * KERNEL_PANEL;
  }
}

#endif
