/* head_norm.h - QK-norm: RMSNorm of one head. */
#ifndef ATTEND_SRC_LAYER_HEAD_NORM_H
#define ATTEND_SRC_LAYER_HEAD_NORM_H

#include <stddef.h>

/* head[d] = head[d] / sqrt(mean(head^2) + epsilon) * weight[d] for d < dim (Zhang and Sennrich
 * 2019). Each element is off by at most 2^-24 of itself, and (dim + 8) 2^-53. */
void head_norm(const float *weight, double epsilon, size_t dim, float *head);

#endif
