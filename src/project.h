/* project.h - linear maps through the BLAS, for the tiled and blas paths. */
#ifndef ATTEND_SRC_PROJECT_H
#define ATTEND_SRC_PROJECT_H

#include "path.h"

/* y[rows, out] = x[rows, in] W + bias with one cblas_sgemm, or cblas_sgemv for one row. */
void project_with_blas(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                       float *y);

#endif
