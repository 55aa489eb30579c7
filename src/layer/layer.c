/* layer.c - the order of a layer: project, norm, turn, append, attend, project.
 *
 *   x [rows, E] -- W_qkv --> qkv [rows, Hq*D + Hk*D + Hk*Dv]
 *                            each head is a chunk of columns, read in place through strides
 *   Q and K of qkv -- QK-norm, RoPE --> in place, row by row
 *   K and V of qkv --> cache, if there is one
 *   qkv, cache -- core --> context [rows, Hq*Dv]   heads side by side
 *   context -- W_o --> y [rows, E]
 *
 * A row is a token of any sequence: B*N of them, or all tokens of a ragged batch. Everything is
 * checked before layer_run(), which cannot fail.
 */
#include "layer/layer.h"

#include "layer/head_norm.h"
#include "platform/parallel.h"
#include "size.h"

/* Rows that one thread norms and turns at a time. So few are also stored without waking another. */
#define ROWS_AT_ONCE 8

static void project(AttendContext *context, const Path *path, AttendPhase phase,
                    const Linear *linear, size_t rows, const float *x, void *scratch, float *y) {
  const double clock = profile_start(&context->profiler);
  path->project(context, linear, rows, x, scratch, y);
  profile_add_whole(&context->profiler, phase, clock);
  const double weights = (double)linear->in * (double)linear->out;
  const double activations = (double)rows * (double)(linear->in + linear->out);
  profile_count(&context->profiler, phase, 2.0 * (double)rows * weights,
                linear_bytes(linear) + sizeof(float) * activations);
}

/* ---- QK-norm and RoPE ---- */

typedef struct TurnJob {
  const AttendWeights *weights;
  const LayerCall *call;
  float *qkv;
  float *scratch; /* [threads, scratch_floats], a row of cosines and sines for each */
  size_t scratch_floats;
} TurnJob;

/* The sequence of a row: the last one of those that begin at or before it. */
static size_t sequence_of_row(const LayerCall *call, size_t row) {
  size_t low = 0, high = call->batch;
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

/* Norms and turns `count` heads that lie side by side. */
static void rotate_heads(const AttendWeights *weights, const float *norm, RopeRow row, size_t count,
                         float *heads) {
  const size_t D = weights->shape.head_dim;
  for (size_t h = 0; h < count; h++) {
    if (norm) head_norm(norm, weights->norm_epsilon, D, heads + h * D);
    rope_rotate(&weights->rope, row, heads + h * D);
  }
}

static void rotate_rows(void *argument, size_t index, size_t thread) {
  const TurnJob *const job = argument;
  const AttendWeights *const weights = job->weights;
  const LayerColumns *const c = &weights->columns;
  const size_t end = size_min(job->call->rows, (index + 1) * ROWS_AT_ONCE);
  RopeRow row = {NULL, NULL};
  for (size_t r = index * ROWS_AT_ONCE; r < end; r++) {
    if (weights->rope.pairing != ATTEND_ROPE_NONE) {
      row = rope_row(&weights->rope, position_of_row(job->call, r),
                     job->scratch + thread * job->scratch_floats);
    }
    float *const query = job->qkv + r * c->qkv, *const key = query + c->query;
    rotate_heads(weights, weights->query_norm, row, weights->shape.query_heads, query);
    rotate_heads(weights, weights->key_norm, row, weights->shape.kv_heads, key);
  }
}

/* Norms and turns Q and K where they lie. The rows are independent of each other. */
static void rotate(AttendContext *context, const AttendWeights *weights, const LayerCall *call,
                   float *qkv, float *scratch) {
  const bool turns = weights->rope.pairing != ATTEND_ROPE_NONE;
  if (!weights->query_norm && !turns) return;
  const double clock = profile_start(&context->profiler);
  const size_t D = weights->shape.head_dim;
  TurnJob job = {weights, call, qkv, scratch, size_round_up(D, SIZE_ALIGNMENT / sizeof(float))};
  parallel_for(context->settings.threads, size_ceil_divide(call->rows, ROWS_AT_ONCE), rotate_rows,
               &job);
  profile_add_whole(&context->profiler, ATTEND_PHASE_QK_NORM_ROPE, clock);
  /* Of an element 2 FLOPs for its square and 2 for its norm, and 6 for a pair that turns. */
  const double heads = (double)(weights->shape.query_heads + weights->shape.kv_heads);
  const double norm = weights->query_norm ? 4.0 * (double)D : 0.0;
  const double pairs = (double)(weights->rope.dims / 2);
  const double moved = weights->query_norm ? (double)D : 2.0 * pairs;
  profile_count(&context->profiler, ATTEND_PHASE_QK_NORM_ROPE,
                (double)call->rows * heads * (norm + 6.0 * pairs),
                (double)call->rows * heads * 2.0 * moved * sizeof(float));
}

/* ---- cache ---- */

typedef struct StoreJob {
  const Kernels *kernels;
  const LayerCall *call;
  const float *key, *value; /* of the first row and kv head */
} StoreJob;

static void store_head(void *argument, size_t index, size_t thread) {
  const StoreJob *const job = argument;
  const LayerCall *const call = job->call;
  const AttendCache *const cache = call->cache;
  const size_t b = index / cache->kv_heads, g = index % cache->kv_heads;
  const size_t at = layer_first_row(call, b) * call->columns.qkv;
  const Sequence s = problem_sequence(&call->problem, b);
  const CacheRows rows = {job->key + at + g * cache->head_dim,
                          job->value + at + g * cache->value_dim, call->columns.qkv,
                          call->columns.qkv};
  (void)thread;
  kvcache_store(call->cache, job->kernels, s.slot, g, (size_t)s.q_start, s.query_tokens, rows);
}

static void append_to_cache(AttendContext *context, LayerCall *call, const float *qkv) {
  const double clock = profile_start(&context->profiler);
  const CacheAppend append = layer_append(call);
  kvcache_grow(call->cache, &append);
  call->problem.appended = true;
  const float *const key = qkv + call->columns.query;
  StoreJob job = {context->kernels, call, key, key + call->columns.key};
  const size_t threads = call->rows > ROWS_AT_ONCE ? context->settings.threads : 1;
  parallel_for(threads, call->batch * call->cache->kv_heads, store_head, &job);
  profile_add_whole(&context->profiler, ATTEND_PHASE_PACKING, clock);
}

/* ---- the layer ---- */

/* Q, K and V as chunks of the fused product; the core takes K and V from a cache where there is
 * one. A ragged batch has no batch stride: its sequences begin at their offsets. */
static void set_views(LayerCall *call, const float *qkv, float *context) {
  const LayerColumns *const c = &call->columns;
  Problem *const p = &call->problem;
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim, N = call->tokens;
  p->query = (AttendView){qkv, N * c->qkv, c->qkv, D};
  p->out = attend_output_bnhd(context, N, p->shape.query_heads, Dv);
  if (call->cache) return;
  p->key = (AttendView){qkv + c->query, N * c->qkv, c->qkv, D};
  p->value = (AttendView){qkv + c->query + c->key, N * c->qkv, c->qkv, Dv};
}

/* The two matrices that only a layer has, one sequence after the other. */
static void show(const AttendContext *context, const LayerCall *call, size_t width,
                 const float *heads) {
  const size_t columns = call->columns.context;
  for (size_t b = 0; b < call->batch; b++) {
    const size_t first = layer_first_row(call, b);
    const size_t N = problem_sequence(&call->problem, b).query_tokens;
    const AttendMatrix concat = {"concat", b, 0, 0, N, columns, columns, heads + first * columns};
    const AttendMatrix output = {"output", b, 0, 0, N, width, width, call->y + first * width};
    context->tap(context->tap_user, &concat);
    context->tap(context->tap_user, &output);
  }
}

void layer_run(AttendContext *context, const AttendWeights *weights, const PlanChoice *choice,
               LayerCall *call, void *workspace) {
  const Path *const path = choice->path;
  float *const qkv = layout_at(workspace, call->qkv_at);
  float *const heads = layout_at(workspace, call->context_at);
  void *const scratch = layout_at(workspace, call->scratch_at);
  project(context, path, ATTEND_PHASE_QKV_PROJECTION, &weights->qkv, call->rows, call->x, scratch,
          qkv);
  rotate(context, weights, call, qkv, layout_at(workspace, call->rotate_at));
  set_views(call, qkv, heads);
  if (call->cache) append_to_cache(context, call, qkv);
  plan_run(context, &call->problem, choice, scratch);
  project(context, path, ATTEND_PHASE_OUTPUT_PROJECTION, &weights->output, call->rows, heads,
          scratch, call->y);
  if (context->tap) show(context, call, weights->shape.width, heads);
}
