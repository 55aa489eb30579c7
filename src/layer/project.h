/* project.h - linear maps: one for the tiled and blas paths, one for the naive path. */
#ifndef ATTEND_SRC_LAYER_PROJECT_H
#define ATTEND_SRC_LAYER_PROJECT_H

#include "layer/linear.h"

/* y[rows, out] = x[rows, in] W + bias. In fp32 with weights in fp32: one cblas_sgemm, or the
 * `project` kernel for few rows; else project_panels(). */
void project_rows(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  void *scratch, float *y);

/* Scratch of project_rows() for any storage of W. The scratch of more rows does for fewer. */
size_t project_bytes(const AttendContext *context, size_t in, size_t out, size_t rows,
                     bool *overflow);

/* The same for weights in panels or in a precision of bf16. A row's bits depend on nothing but the
 * row, the weights, the precision and the ISA. */
void project_panels(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                    void *scratch, float *y);

/* The same in plain loops, without BLAS, kernels and scratch, in fp32 whatever the precision. */
void project_plainly(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                     void *scratch, float *y);

#endif
