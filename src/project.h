/* project.h - linear maps: one for the tiled and blas paths, one for the naive path. */
#ifndef ATTEND_SRC_PROJECT_H
#define ATTEND_SRC_PROJECT_H

#include "path.h"

/* y[rows, out] = x[rows, in] W + bias: one cblas_sgemm, or the `project` kernel for few rows. */
void project_rows(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  float *y);

/* The same in plain loops, without BLAS and kernels. */
void project_plainly(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                     float *y);

#endif
