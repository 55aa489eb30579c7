/* blas.h - what the library asks of OpenBLAS.
 *
 * blas.c is the only file that includes <cblas.h>. All matrices are row-major, all strides in
 * elements. Sizes beyond what OpenBLAS's integers can count are refused by shape.c before any call.
 */
#ifndef ATTEND_SRC_PLATFORM_BLAS_H
#define ATTEND_SRC_PLATFORM_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/* What a scope restores when it ends. */
typedef struct BlasScope {
  size_t openmp_threads;
  bool openmp_dynamic;
  bool counted; /* among the scopes that want a number of OpenBLAS's */
} BlasScope;

/* Products between begin and end may use `threads` >= 1 threads; one, if another scope is open with
 * a different number, since OpenBLAS cannot change its count while a product runs, or if a limit of
 * the process leaves no memory for what OpenBLAS takes for a product on several. Called outside
 * parallel regions, by the same thread. The host program's settings are back after the end:
 * OpenBLAS's when the last of several concurrent scopes ends, the thread's OpenMP defaults at
 * once. */
void blas_begin(BlasScope *scope, size_t threads);
void blas_end(const BlasScope *scope);

/* C[m,n] = alpha A[m,k] B[k,n] + beta C, or B given as [n,k] with b_transposed. With beta 0 C is
 * not read. */
void blas_gemm(size_t m, size_t n, size_t k, float alpha, const float *a, size_t a_stride,
               const float *b, size_t b_stride, bool b_transposed, float beta, float *c,
               size_t c_stride);

/* y[rows] = alpha A[rows, columns] x, or y[columns] = alpha A^T x with a_transposed. */
void blas_gemv(size_t rows, size_t columns, float alpha, const float *a, size_t a_stride,
               bool a_transposed, const float *x, size_t x_stride, float *y, size_t y_stride);

/* openblas_get_config(), _corename(), _parallel(), _num_threads(). */
const char *blas_config(void);
const char *blas_core(void);
int blas_threading(void);
size_t blas_threads(void);

#endif
