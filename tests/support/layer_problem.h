/* layer_problem.h - a layer with its weights and activations, and what the oracle expects of it.
 *
 * A problem has one set of fused [in, out] weights, which is what the oracle reads; the library is
 * given them in every form that it accepts.
 */
#ifndef ATTEND_TESTS_SUPPORT_LAYER_PROBLEM_H
#define ATTEND_TESTS_SUPPORT_LAYER_PROBLEM_H

#include "bench/oracle/oracle.h"
#include "tests/support/support.h"

/* How the library is given the weights. */
typedef struct Form {
  AttendOrientation orientation;
  bool fused;
} Form;

typedef struct LayerCase {
  AttendLayerShape shape;
  size_t batch, tokens;
  bool bidirectional;
  int64_t q_start;
  bool no_bias;
} LayerCase;

/* The parts of the fused matrix, and the columns of all. */
typedef struct Columns {
  size_t query, key, value, all, context;
} Columns;

typedef struct LayerProblem {
  LayerCase spec;
  Columns columns;
  AttendOptions options;
  float *x, *qkv, *qkv_bias, *output, *output_bias;
  double *y; /* [B, N, E] by the oracle */
} LayerProblem;

/* Random weights and activations with the oracle's Y, and what the oracle reads of them. */
LayerProblem layer_problem_new(const LayerCase *spec);
void layer_problem_free(LayerProblem *problem);
OracleLayer layer_problem_oracle(const LayerProblem *problem);

/* Columns first .. first + count - 1 of a matrix of `stride` columns, as [in, out] or
 * transposed. */
float *part_of(const float *matrix, size_t rows, size_t stride, size_t first, size_t count,
               AttendOrientation orientation);

/* Packs the weights from the form; what they are packed from is freed before they are used. */
AttendWeights *pack_form(AttendContext *context, const LayerProblem *problem, Form form);

/* Runs the layer and compares it with the oracle; returns Y in guarded memory. */
float *run_layer(AttendContext *context, const LayerProblem *problem, const AttendWeights *weights,
                 Engine engine, Form form);

#endif
