/* project.c - linear maps for the tiled and blas paths: fp32 here, the others in project_panels.c.
 *
 * Many rows are one cblas_sgemm. For few rows its time is that of reading the weights, which it does
 * at a fraction of the memory's speed: at 4096 x 12288 on one core of a Zen 4 it takes 28 ms for two
 * rows and 41 ms for 16, where the `project` kernel takes 8 and 25 ms. So up to KERNEL_PROJECT_ROWS
 * rows go through that kernel, in strips of columns over the threads.
 *
 * The bias is written into y first and the product is added to it, so that it costs no second pass.
 */
#include "layer/project.h"

#include <string.h>

#include "platform/blas.h"
#include "platform/parallel.h"
#include "size.h"

/* Columns of a piece of work are a multiple of this: one page of a row of weights. */
#define STRIP 1024

typedef struct Job {
  const Kernels *kernels;
  const Linear *linear;
  size_t rows, columns; /* columns of one piece */
  const float *x;
  float *y;
} Job;

static void project_strip(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Linear *const linear = job->linear;
  const size_t first = index * job->columns;
  const size_t columns = size_min(job->columns, linear->out - first);
  (void)thread;
  job->kernels->project(job->rows, linear->in, columns, job->x, linear->in,
                        stored_floats(&linear->weight, 0, 0) + first, linear->out, job->y + first,
                        linear->out);
}

/* Pieces as long as possible, but at least two for each thread. */
static size_t piece_columns(size_t out, size_t threads) {
  const size_t fair = size_ceil_divide(out, 2 * threads);
  return threads == 1 ? out : fair > STRIP ? size_round_up(fair, STRIP) : size_round_up(fair, 64);
}

void project_rows(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  void *scratch, float *y) {
  if (linear->weight.number != KERNEL_FP32 ||
      context->settings.precision != ATTEND_PRECISION_FP32) {
    project_panels(context, linear, rows, x, scratch, y);
    return;
  }
  const size_t threads = parallel_worth(context->settings.threads,
                                        (double)rows * (double)linear->in * (double)linear->out);
  for (size_t r = 0; r < rows; r++) {
    float *const row = y + r * linear->out;
    if (linear->bias) {
      memcpy(row, linear->bias, linear->out * sizeof *y);
    } else if (rows <= KERNEL_PROJECT_ROWS) {
      memset(row, 0, linear->out * sizeof *y);
    }
  }
  if (rows <= KERNEL_PROJECT_ROWS) {
    Job job = {context->kernels, linear, rows, piece_columns(linear->out, threads), x, y};
    if (rows) {
      parallel_for(threads, size_ceil_divide(linear->out, job.columns), project_strip, &job);
    }
    return;
  }
  BlasScope scope;
  blas_begin(&scope, parallel_allowed(threads));
  blas_gemm(rows, linear->out, linear->in, 1.0f, x, linear->in,
            stored_floats(&linear->weight, 0, 0), linear->out, false, linear->bias ? 1.0f : 0.0f, y,
            linear->out);
  blas_end(&scope);
}
