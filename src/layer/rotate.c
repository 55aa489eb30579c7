/* rotate.c - QK-norm and RoPE on the heads of a layer's Q and K, where they lie.
 *
 * Rows are independent of each other: threads take some rows each, and a row's bits depend on
 * nothing but the row and its position.
 */
#include "layer/rotate.h"

#include "layer/head_norm.h"
#include "platform/parallel.h"
#include "size.h"

/* Rows that a thread takes at a time. */
#define ROWS_AT_ONCE 8

typedef struct RotateJob {
  const LayerCall *call;
  float *qkv;
  float *scratch; /* [threads, scratch_floats], a row of cosines and sines for each */
  size_t scratch_floats;
} RotateJob;

/* The sequence of a row: the last one of those that begin at or before it. */
static size_t sequence_of_row(const LayerCall *call, size_t row) {
  size_t low = 0, high = call->problem.shape.batch;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (layer_first_row(call, middle) <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/* The position that RoPE gives a row. */
static int64_t position_of_row(const LayerCall *call, size_t row) {
  if (call->problem.options.positions) return call->problem.options.positions[row];
  const size_t b = sequence_of_row(call, row);
  const Sequence sequence = problem_sequence(&call->problem, b);
  return problem_position(&sequence, row - layer_first_row(call, b));
}

/* Norms and rotates `count` heads that lie side by side. */
static void rotate_side_by_side(const AttendWeights *weights, const float *norm, RopeRow row,
                                size_t count, float *heads) {
  const size_t D = weights->shape.head_dim;
  for (size_t h = 0; h < count; h++) {
    if (norm) head_norm(norm, weights->norm_epsilon, D, heads + h * D);
    rope_rotate(&weights->rope, row, heads + h * D);
  }
}

static void rotate_rows(void *argument, size_t index, size_t thread) {
  const RotateJob *const job = argument;
  const AttendWeights *const weights = job->call->weights;
  const LayerColumns *const c = &job->call->columns;
  const size_t end = size_min(job->call->rows, (index + 1) * ROWS_AT_ONCE);
  RopeRow row = {NULL, NULL};
  for (size_t r = index * ROWS_AT_ONCE; r < end; r++) {
    if (weights->rope.pairing != ATTEND_ROPE_NONE) {
      row = rope_row(&weights->rope, position_of_row(job->call, r),
                     job->scratch + thread * job->scratch_floats);
    }
    float *const query = job->qkv + r * c->qkv, *const key = query + c->query;
    rotate_side_by_side(weights, weights->query_norm, row, weights->shape.query_heads, query);
    rotate_side_by_side(weights, weights->key_norm, row, weights->shape.kv_heads, key);
  }
}

void rotate_heads(AttendContext *context, const LayerCall *call, float *qkv, float *scratch) {
  const AttendWeights *const weights = call->weights;
  if (!weights->query_norm && weights->rope.pairing == ATTEND_ROPE_NONE) return;
  const double clock = profile_start(&context->profiler);
  const size_t D = call->shape.head_dim;
  RotateJob job = {call, qkv, scratch, size_round_up(D, SIZE_ALIGNMENT / sizeof(float))};
  parallel_for(context->settings.threads, size_ceil_divide(call->rows, ROWS_AT_ONCE), rotate_rows,
               &job);
  profile_add_whole(&context->profiler, ATTEND_PHASE_QK_NORM_ROPE, clock);
  /* An element takes 2 FLOPs for its square and 2 for its norm, and a pair 6 to rotate. */
  const double heads = (double)(call->shape.query_heads + call->shape.kv_heads);
  const double norm = weights->query_norm ? 4.0 * (double)D : 0.0;
  const double pairs = (double)(weights->rope.dims / 2);
  const double moved = weights->query_norm ? (double)D : 2.0 * pairs;
  profile_count(&context->profiler, ATTEND_PHASE_QK_NORM_ROPE,
                (double)call->rows * heads * (norm + 6.0 * pairs),
                (double)call->rows * heads * 2.0 * moved * sizeof(float));
}
