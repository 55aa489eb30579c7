/* kernel_project.c - checks project against sums in double, and that each of its sums is one chain.
 *
 * x and the weights end where a page without access begins; y starts from numbers of its own, at an
 * address that is aligned to a float and no more. What lies between rows is NaN.
 */
#include "tests/kernels/kernel_checks.h"

#include <math.h>
#include <string.h>

typedef struct ProjectCall {
  size_t in, columns;
  size_t x_stride, weight_stride, y_stride;
  size_t x_floats, weight_floats, y_floats;
  float *x, *weight, *before; /* before: the sums that the call starts from */
} ProjectCall;

/* A call of KERNEL_PROJECT_ROWS rows, whose strides leave `gap` floats or so between rows. */
static ProjectCall project_call_new(size_t in, size_t columns, size_t gap) {
  const size_t rows = KERNEL_PROJECT_ROWS;
  ProjectCall call = {.in = in,
                      .columns = columns,
                      .x_stride = in + gap,
                      .weight_stride = columns + 2 * gap,
                      .y_stride = columns + 3 * gap};
  call.x_floats = (rows - 1) * call.x_stride + in;
  call.weight_floats = in ? (in - 1) * call.weight_stride + columns : 0;
  call.y_floats = (rows - 1) * call.y_stride + columns;
  call.x = fenced_new(call.x_floats);
  call.weight = fenced_new(call.weight_floats);
  call.before = guarded_new(call.y_floats * sizeof(float), 4);
  for (size_t i = 0; i < in; i++)
    fill_random(100 + i, 1.0f, call.weight + i * call.weight_stride, columns);
  for (size_t r = 0; r < rows; r++) {
    fill_random(2000 + r, 1.0f, call.x + r * call.x_stride, in);
    fill_random(3000 + r, 1.0f, call.before + r * call.y_stride, columns);
  }
  return call;
}

static void project_call_free(ProjectCall *call) {
  fenced_free(call->x, call->x_floats);
  fenced_free(call->weight, call->weight_floats);
  guarded_free(call->before, "sums before");
}

static float *copy_of_sums(const ProjectCall *call) {
  float *const y = guarded_new(call->y_floats * sizeof *y, 4);
  memcpy(y, call->before, call->y_floats * sizeof *y);
  return y;
}

static float *project_run(const Kernels *kernels, const ProjectCall *call, size_t rows) {
  float *const y = copy_of_sums(call);
  kernels->project(rows, call->in, call->columns, call->x, call->x_stride, call->weight,
                   call->weight_stride, y, call->y_stride);
  return y;
}

/* A sum of y and `in` products rounds each product and each partial sum at most once. */
static void compare_products(const Kernels *kernels, const ProjectCall *call, const float *y) {
  for (size_t r = 0; r < KERNEL_PROJECT_ROWS; r++) {
    for (size_t c = 0; c < call->columns; c++) {
      const size_t at = r * call->y_stride + c;
      double sum = (double)call->before[at], size = fabs(sum);
      for (size_t i = 0; i < call->in; i++) {
        const double product = (double)call->x[r * call->x_stride + i] *
                               (double)call->weight[i * call->weight_stride + c];
        sum += product;
        size += fabs(product);
      }
      if (!is_close((double)y[at], sum, ((double)call->in + 1.0) * FLOAT_UNIT * size))
        fail_kernel(kernels, "sum", r, c, (double)y[at], sum);
    }
  }
}

/* Rows of the call have the bits of `all`; everything else stays as it was. */
static void same_products(const Kernels *kernels, const ProjectCall *call, size_t rows,
                          const float *y, const float *all) {
  for (size_t at = 0; at < call->y_floats; at++) {
    const size_t r = at / call->y_stride, c = at % call->y_stride;
    const float expected = r < rows && c < call->columns ? all[at] : call->before[at];
    if (!same_float(y[at], expected))
      fail_kernel(kernels, "sum with other bits", r, c, (double)y[at], (double)expected);
  }
}

/* All rows against double; from then on, bits: every number of rows gives a row the same ones. */
static void check_project_rows(const Kernels *kernels, size_t in, size_t columns, size_t gap) {
  ProjectCall call = project_call_new(in, columns, gap);
  float *const all = project_run(kernels, &call, KERNEL_PROJECT_ROWS);
  compare_products(kernels, &call, all);
  same_products(kernels, &call, KERNEL_PROJECT_ROWS, all, all);
  for (size_t rows = 1; rows < KERNEL_PROJECT_ROWS; rows++) {
    float *const y = project_run(kernels, &call, rows);
    same_products(kernels, &call, rows, y, all);
    guarded_free(y, "y");
  }
  guarded_free(all, "y");
  project_call_free(&call);
}

/* One chain in the order of `in`: cut anywhere, its second part goes on from the first. Columns may
 * be cut anywhere, as threads cut them, and have the same bits. */
static void check_project_cuts(const Kernels *kernels, size_t rows, size_t in, size_t columns) {
  ProjectCall call = project_call_new(in, columns, 3);
  float *const whole = project_run(kernels, &call, rows);
  for (size_t cut = 0; cut <= in; cut++) {
    float *const y = copy_of_sums(&call);
    kernels->project(rows, cut, columns, call.x, call.x_stride, call.weight, call.weight_stride, y,
                     call.y_stride);
    kernels->project(rows, in - cut, columns, call.x + cut, call.x_stride,
                     call.weight + cut * call.weight_stride, call.weight_stride, y, call.y_stride);
    same_products(kernels, &call, rows, y, whole);
    guarded_free(y, "y");
  }
  for (size_t cut = 1; cut < columns; cut += 1 + columns / 40) {
    float *const y = copy_of_sums(&call);
    kernels->project(rows, in, cut, call.x, call.x_stride, call.weight, call.weight_stride, y,
                     call.y_stride);
    kernels->project(rows, in, columns - cut, call.x, call.x_stride, call.weight + cut,
                     call.weight_stride, y + cut, call.y_stride);
    same_products(kernels, &call, rows, y, whole);
    guarded_free(y, "y");
  }
  guarded_free(whole, "y");
  project_call_free(&call);
}

/* The weights are used as they stand: NaN and infinities reach their own column and no other. */
static void check_project_poison(const Kernels *kernels) {
  static const float poisons[] = {NAN, INFINITY};
  for (size_t at = 0; at < 2 * kernels->block_columns + 1; at++) {
    ProjectCall call = project_call_new(11, 2 * kernels->block_columns + 1, 0);
    float *const clean = project_run(kernels, &call, 5);
    call.weight[at % 11 * call.weight_stride + at] = poisons[at % COUNT_OF(poisons)];
    float *const y = project_run(kernels, &call, 5);
    for (size_t r = 0; r < 5; r++) {
      if (isfinite(y[r * call.y_stride + at]))
        fail_kernel(kernels, "poisoned sum", r, at, (double)y[r * call.y_stride + at], NAN);
      y[r * call.y_stride + at] = clean[r * call.y_stride + at];
    }
    same_products(kernels, &call, 5, y, clean);
    guarded_free(y, "y");
    guarded_free(clean, "y");
    project_call_free(&call);
  }
}

/* Edges of vectors, of the steps over `in`, and of the strips of columns of 16, 8, 4 and 1 rows. */
void check_project(const Kernels *kernels) {
  static const size_t ins[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 40};
  static const size_t narrow[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65};
  static const size_t strips[] = {255,  256,  257,  511,  512,  513,  1023,
                                  1024, 1025, 4095, 4096, 4097, 4100, 8193};
  static const size_t long_ins[] = {1023, 1024, 1025, 4097};
  for (size_t i = 0; i < COUNT_OF(ins); i++)
    for (size_t c = 0; c < COUNT_OF(narrow); c++)
      check_project_rows(kernels, ins[i], narrow[c], (i + c) % 3 * 5);
  for (size_t c = 0; c < COUNT_OF(strips); c++) check_project_rows(kernels, 10, strips[c], c % 2);
  for (size_t i = 0; i < COUNT_OF(long_ins); i++)
    check_project_rows(kernels, long_ins[i], 33 + i, i % 2 * 31);
  for (size_t rows = 1; rows <= KERNEL_PROJECT_ROWS; rows += 5)
    check_project_cuts(kernels, rows, 21, 530);
  check_project_cuts(kernels, 1, 9, 4100);
  check_project_poison(kernels);
}
