/* test_projections.c - y = x W + bias in every precision over every storage, by sums in double.
 *
 * A product of x and w is off by the relative errors with which both are multiplied, and a sum of n
 * products by 2^-24 of its terms' size for each step of its chain. Both bounds are formed for each
 * element from the numbers themselves; nothing is measured. And the bits of a row are the same
 * whatever rows stand beside it and whoever computes them.
 */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/project.h"
#include "platform/memory.h"

/* How many rows are projected together: one, as many as kernels take at a time, and more than twice
 * as many. A row has the same bits beside all of them. */
static const size_t row_counts[] = {1, 3, 16, 17, 45, 300};
#define MOST_ROWS 300

typedef struct Projection {
  size_t in, out, rows;
  AttendOrientation orientation;
  float *x, *w, *bias; /* w [in, out] */
  float *parts[3];     /* as they are given */
  LinearPart given[3];
} Projection;

/* Columns of three parts, none a multiple of a panel. */
static void cut_columns(size_t out, size_t columns[3]) {
  columns[0] = out / 2;
  columns[1] = out / 3;
  columns[2] = out - columns[0] - columns[1];
}

static Projection projection_new(size_t in, size_t out, size_t rows,
                                 AttendOrientation orientation) {
  Projection p = {.in = in, .out = out, .rows = rows, .orientation = orientation};
  size_t columns[3], first = 0;
  p.x = new_random(1, 1.0f, rows * in);
  p.w = new_random(2, 1.0f / sqrtf((float)in), in * out);
  p.bias = new_random(3, 0.5f, out);
  cut_columns(out, columns);
  for (size_t k = 0; k < 3; first += columns[k++]) {
    p.parts[k] = new_bytes((in * columns[k] + 1) * sizeof(float));
    for (size_t i = 0; i < in; i++)
      for (size_t o = 0; o < columns[k]; o++)
        p.parts[k][orientation == ATTEND_IN_OUT ? i * columns[k] + o : o * in + i] =
            p.w[i * out + first + o];
    p.given[k] = (LinearPart){p.parts[k], p.bias + first, columns[k], first};
  }
  return p;
}

static void projection_free(Projection *p) {
  free(p->x);
  free(p->w);
  free(p->bias);
  for (size_t k = 0; k < 3; k++) free(p->parts[k]);
}

static AttendContext *open_precise(AttendIsa isa, AttendPrecision precision, size_t threads) {
  const AttendSettings settings =
      engine_settings((Engine){ATTEND_PATH_TILED, isa, precision}, threads);
  AttendContext *context = NULL;
  assert_int_equal(attend_open(&context, &settings), ATTEND_OK);
  return context;
}

/* A packed matrix in guarded memory of exactly the size that was reserved. */
static Linear pack(const AttendContext *context, const Projection *p, AttendStorage storage,
                   float **memory) {
  const LinearSource source = {p->given, 3, p->orientation, 0, p->in};
  Layout layout = {0};
  linear_reserve(&layout, p->in, p->out, storage);
  assert_false(layout.overflow);
  const size_t bias = layout_floats(&layout, p->out, 1);
  *memory = guarded_new(layout.bytes, 0);
  linear_fill_bias(p->given, 3, layout_at(*memory, bias));
  const Linear linear = linear_at(p->in, p->out, storage, *memory, layout_at(*memory, bias));
  linear_fill(context, &source, &linear);
  return linear;
}

/* y in guarded memory, with a scratch of exactly the size that is asked for. */
static float *run(AttendContext *context, const Linear *linear, size_t rows, const float *x) {
  bool overflow = false;
  const size_t bytes = project_bytes(context, linear->in, linear->out, rows, &overflow);
  assert_false(overflow);
  float *const scratch = guarded_new(bytes, 0);
  float *const y = guarded_new(rows * linear->out * sizeof *y, 4);
  project_rows(context, linear, rows, x, scratch, y);
  guarded_free(scratch, "scratch");
  return y;
}

/* Relative error of a number that is the sum of so many terms; 0: of a float. */
static double rounding(size_t terms) {
  static const double units[] = {0, 0x1p-9, 0x1p-18, 0};
  return units[terms];
}

/* Largest relative error of a product of x and w, by the bf16 terms of both that are multiplied.
 * With n terms a product leaves out those of term p of one and q of the other where p + q >= n. */
static double product_error(AttendPrecision precision, AttendStorage storage) {
  static const double left_out[] = {0, 0, 0x1.04p-18, 0x1.04p-26};
  const StorageFormat format = storage_format(storage);
  const size_t bf16_terms = precision_terms(precision), terms = format.terms;
  if (bf16_terms == 0) return format.rounding;
  const double x = rounding(bf16_terms);
  /* A number that is stored in another type is split into bf16 terms once more. */
  const double w = format.number != KERNEL_BF16 ? format.rounding + rounding(bf16_terms)
                                                : rounding(bf16_terms < terms ? bf16_terms : terms);
  return x + w + x * w + left_out[bf16_terms];
}

static void check_sums(const char *name, const Projection *p, double product, const float *y) {
  for (size_t r = 0; r < p->rows; r++)
    for (size_t o = 0; o < p->out; o++) {
      double sum = (double)p->bias[o], size = fabs(sum);
      for (size_t i = 0; i < p->in; i++) {
        const double term = (double)p->x[r * p->in + i] * (double)p->w[i * p->out + o];
        sum += term;
        size += fabs(term);
      }
      /* A chain rounds twice for each term where there is no fused multiply-add. */
      const double allowed = (product + 2.0 * (double)(p->in + 4) * 0x1p-24) * size;
      const double got = (double)y[r * p->out + o];
      if (!(fabs(got - sum) <= allowed))
        fail_msg("%s, %zu x %zu: row %zu column %zu is %.9g, expected %.9g +- %.3g", name, p->in,
                 p->out, r, o, got, sum, allowed);
    }
}

typedef void (*Check)(const Projection *p, AttendIsa isa, AttendPrecision precision,
                      AttendStorage storage, const char *name);

static void for_each_combination(const Projection *p, Check check) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  char name[96];
  for (size_t k = 0; k < count; k++)
    for (int precision = 0; precision < ATTEND_PRECISION_COUNT; precision++)
      for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
        snprintf(name, sizeof name, "isa=%s precision=%s storage=%s", attend_isa_name(isas[k]),
                 attend_precision_name((AttendPrecision)precision),
                 attend_storage_name((AttendStorage)storage));
        check(p, isas[k], (AttendPrecision)precision, (AttendStorage)storage, name);
      }
}

static void check_against_double(const Projection *p, AttendIsa isa, AttendPrecision precision,
                                 AttendStorage storage, const char *name) {
  float *memory;
  AttendContext *context = open_precise(isa, precision, 2);
  const Linear linear = pack(context, p, storage, &memory);
  float *const y = run(context, &linear, p->rows, p->x);
  check_sums(name, p, product_error(precision, storage), y);
  guarded_free(y, "y");
  guarded_free(memory, "weights");
  attend_close(&context);
}

static void sums_are_within_their_bounds(void **state) {
  (void)state;
  static const size_t sizes[][3] = {{1, 1, 1},     {31, 33, 2},    {64, 70, 20},
                                    {130, 97, 13}, {600, 161, 35}, {1030, 40, 17}};
  for (size_t s = 0; s < COUNT_OF(sizes); s++)
    for (int orientation = 0; orientation < 2; orientation++) {
      Projection p = projection_new(sizes[s][0], sizes[s][1], sizes[s][2],
                                    orientation ? ATTEND_OUT_IN : ATTEND_IN_OUT);
      for_each_combination(&p, check_against_double);
      projection_free(&p);
    }
}

/* Each precision and storage is as coarse as it is said to be, and no finer: a precision that did
 * not run would be more exact than it can be. */
static void check_coarseness(const Projection *p, AttendIsa isa, AttendPrecision precision,
                             AttendStorage storage, const char *name) {
  const double product = product_error(precision, storage);
  if (product < 0x1p-17) return; /* the rounding of sums hides it */
  float *memory;
  AttendContext *context = open_precise(isa, precision, 1);
  const Linear linear = pack(context, p, storage, &memory);
  float *const y = run(context, &linear, p->rows, p->x);
  double largest = 0;
  for (size_t r = 0; r < p->rows; r++)
    for (size_t o = 0; o < p->out; o++) {
      double sum = (double)p->bias[o];
      for (size_t i = 0; i < p->in; i++)
        sum += (double)p->x[r * p->in + i] * (double)p->w[i * p->out + o];
      largest = fmax(largest, fabs((double)y[r * p->out + o] - sum));
    }
  if (largest < product / 16)
    fail_msg("%s is off by %.3g only, where about %.3g is due", name, largest, product);
  guarded_free(y, "y");
  guarded_free(memory, "weights");
  attend_close(&context);
}

static void precisions_are_no_finer_than_they_say(void **state) {
  (void)state;
  Projection p = projection_new(128, 96, 20, ATTEND_IN_OUT);
  for_each_combination(&p, check_coarseness);
  projection_free(&p);
}

static bool keeps_bits(AttendPrecision precision, AttendStorage storage) {
  return precision != ATTEND_PRECISION_FP32 || storage != ATTEND_STORAGE_FP32;
}

static void check_same_bits(const Projection *p, AttendIsa isa, AttendPrecision precision,
                            AttendStorage storage, const char *name) {
  if (!keeps_bits(precision, storage)) return; /* cblas_sgemm's many rows are not its few */
  float *memory;
  AttendContext *context = open_precise(isa, precision, 1);
  const Linear linear = pack(context, p, storage, &memory);
  float *const whole = run(context, &linear, p->rows, p->x);
  for (size_t k = 0; k < COUNT_OF(row_counts); k++) {
    const size_t rows = row_counts[k], first = p->rows - rows;
    AttendContext *other = open_precise(isa, precision, 1 + k % 3);
    float *const y = run(other, &linear, rows, p->x + first * p->in);
    if (memcmp(y, whole + first * p->out, rows * p->out * sizeof *y) != 0)
      fail_msg("%s: %zu rows on %zu threads have other bits than among %zu", name, rows, 1 + k % 3,
               p->rows);
    guarded_free(y, "y");
    attend_close(&other);
  }
  guarded_free(whole, "y");
  guarded_free(memory, "weights");
  attend_close(&context);
}

static void rows_do_not_depend_on_others(void **state) {
  (void)state;
  Projection small = projection_new(150, 140, MOST_ROWS, ATTEND_OUT_IN);
  for_each_combination(&small, check_same_bits);
  projection_free(&small);
  Projection deep = projection_new(1100, 330, MOST_ROWS, ATTEND_IN_OUT);
  for_each_combination(&deep, check_same_bits);
  projection_free(&deep);
}

/* More rows than are laid out at a time. */
static void blocks_of_rows_are_joined(void **state) {
  (void)state;
  Projection p = projection_new(40, 33, 2100, ATTEND_IN_OUT);
  float *memory;
  AttendContext *context = open_precise(ATTEND_ISA_AUTO, ATTEND_PRECISION_BF16X6, 2);
  const Linear linear = pack(context, &p, ATTEND_STORAGE_BF16X3, &memory);
  float *const y = run(context, &linear, p.rows, p.x);
  check_sums("2100 rows", &p, product_error(ATTEND_PRECISION_BF16X6, ATTEND_STORAGE_BF16X3), y);
  guarded_free(y, "y");
  guarded_free(memory, "weights");
  attend_close(&context);
  projection_free(&p);
}

/* Three terms hold a float exactly, one term a bf16 number, and fp16 a number of its own. Such
 * weights give in fp32 the bits of fp32 storage, by the same chain of multiply-adds. */
static void exact_storages_have_the_bits_of_fp32(void **state) {
  (void)state;
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  static const AttendStorage storages[] = {ATTEND_STORAGE_BF16X3, ATTEND_STORAGE_BF16,
                                           ATTEND_STORAGE_FP16};
  for (size_t s = 0; s < COUNT_OF(storages); s++) {
    Projection p = projection_new(333, 170, KERNEL_PROJECT_ROWS, ATTEND_IN_OUT);
    for (size_t k = 0; k < 3; k++)
      round_to_storage(storages[s], p.parts[k], p.in * p.given[k].columns);
    for (size_t k = 0; k < count; k++) {
      float *plain_memory, *memory;
      AttendContext *context = open_precise(isas[k], ATTEND_PRECISION_FP32, 2);
      const Linear plain = pack(context, &p, ATTEND_STORAGE_FP32, &plain_memory);
      const Linear linear = pack(context, &p, storages[s], &memory);
      float *const expected = run(context, &plain, p.rows, p.x);
      float *const y = run(context, &linear, p.rows, p.x);
      assert_memory_equal(y, expected, p.rows * p.out * sizeof *y);
      for (size_t i = 0; i < p.in; i++)
        for (size_t o = 0; o < p.out; o++)
          assert_true(stored_element(&linear.weight, i, o) == stored_element(&plain.weight, i, o));
      guarded_free(expected, "y");
      guarded_free(y, "y");
      guarded_free(plain_memory, "weights");
      guarded_free(memory, "weights");
      attend_close(&context);
    }
    projection_free(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_are_within_their_bounds),
      cmocka_unit_test(precisions_are_no_finer_than_they_say),
      cmocka_unit_test(rows_do_not_depend_on_others),
      cmocka_unit_test(blocks_of_rows_are_joined),
      cmocka_unit_test(exact_storages_have_the_bits_of_fp32),
  };
  return cmocka_run_group_tests_name("projections", tests, NULL, NULL);
}
