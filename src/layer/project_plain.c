/* project_plain.c - linear maps of the naive path: the sums of the definition in plain loops.
 *
 * Every row of y is a chain of additions of its own, so rows may go to any thread.
 */
#include "layer/project.h"
#include "platform/parallel.h"

typedef struct Job {
  const Linear *linear;
  const float *x; /* [rows, in]  */
  float *y;       /* [rows, out] */
} Job;

/* One row of y = x W + bias. The loop over inputs is outside the one over outputs, so that W is
 * walked row by row. */
static void project_row(void *argument, size_t r, size_t thread) {
  const Job *const job = argument;
  const Linear *const linear = job->linear;
  const size_t in = linear->in, out = linear->out;
  const float *const bias = linear->bias;
  const float *const x = job->x + r * in;
  float *const y = job->y + r * out;
  (void)thread;
  for (size_t o = 0; o < out; o++) y[o] = bias ? bias[o] : 0.0f;
  if (linear->weight.number == KERNEL_FP32) {
    const float *const W = stored_floats(&linear->weight, 0, 0);
    for (size_t i = 0; i < in; i++) {
      for (size_t o = 0; o < out; o++) y[o] += x[i] * W[i * out + o];
    }
    return;
  }
  for (size_t i = 0; i < in; i++) {
    for (size_t o = 0; o < out; o++) y[o] += x[i] * stored_element(&linear->weight, i, o);
  }
}

void project_plainly(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                     void *scratch, float *y) {
  (void)scratch;
  Job job = {linear, x, y};
  const size_t threads = context->settings.naive_parallel ? context->settings.threads : 1;
  parallel_for(threads, rows, project_row, &job);
}
