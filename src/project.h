/* project.h - linear maps, for the tiled and blas paths. */
#ifndef ATTEND_SRC_PROJECT_H
#define ATTEND_SRC_PROJECT_H

#include "path.h"

/* y[rows, out] = x[rows, in] W + bias: one cblas_sgemm, or the `project` kernel for few rows. */
void project_rows(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  float *y);

#endif
