/* layer.c - the order of a layer: project, norm, rotate, append, attend, project.
 *
 *   x [rows, E] -- W_qkv --> qkv [rows, Hq*D + Hk*D + Hk*Dv]
 *                            each head is a chunk of columns, read in place through strides
 *   Q and K of qkv -- QK-norm, RoPE --> in place, row by row
 *   K and V of qkv --> cache, if there is one
 *   qkv, cache -- core --> context [rows, Hq*Dv]   heads side by side
 *   context -- W_o --> y [rows, E]
 *
 * A row is a token of any sequence: B*N of them, or all tokens of a ragged batch. Everything has
 * been checked (layer_check.c) and laid out (layer_plan.c), so nothing here can fail.
 */
#include "layer/layer.h"

#include "layer/rotate.h"
#include "platform/parallel.h"
#include "size.h"

/* Appends of at most this many rows run on one thread. */
#define ROWS_OF_ONE_THREAD 8

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

typedef struct StoreJob {
  const Kernels *kernels;
  const LayerCall *call;
  const Problem *core;
  const float *key, *value; /* of the first row and kv head */
} StoreJob;

static void store_head(void *argument, size_t index, size_t thread) {
  const StoreJob *const job = argument;
  const LayerCall *const call = job->call;
  AttendCache *const cache = call->cache;
  const size_t b = index / cache->kv_heads, g = index % cache->kv_heads;
  const size_t at = layer_first_row(call, b) * call->columns.qkv;
  const Sequence s = problem_sequence(job->core, b);
  const CacheRows rows = {job->key + at + g * cache->head_dim,
                          job->value + at + g * cache->value_dim, call->columns.qkv,
                          call->columns.qkv};
  (void)thread;
  kvcache_store(cache, job->kernels, s.slot, g, (size_t)s.q_start, s.query_tokens, rows);
}

static void append_to_cache(AttendContext *context, const LayerCall *call, const float *qkv,
                            Problem *core) {
  const double clock = profile_start(&context->profiler);
  const CacheAppend append = layer_append(call);
  kvcache_grow(call->cache, &append);
  core->appended = true;
  const float *const key = qkv + call->columns.query;
  StoreJob job = {context->kernels, call, core, key, key + call->columns.key};
  const size_t threads = call->rows > ROWS_OF_ONE_THREAD ? context->settings.threads : 1;
  parallel_for(threads, core->shape.batch * call->cache->kv_heads, store_head, &job);
  profile_add_whole(&context->profiler, ATTEND_PHASE_PACKING, clock);
}

/* The core's problem with its views: Q, K and V are chunks of the fused product, and K and V those
 * of a cache where there is one. A ragged batch has no batch stride: its sequences begin at their
 * offsets. */
static Problem core_problem(const LayerCall *call, const float *qkv, float *context) {
  const LayerColumns *const c = &call->columns;
  Problem core = call->problem;
  const size_t D = core.shape.head_dim, Dv = core.shape.value_dim, N = core.shape.query_tokens;
  core.query = (AttendView){qkv, N * c->qkv, c->qkv, D};
  core.out = attend_output_bnhd(context, N, core.shape.query_heads, Dv);
  if (call->cache) return core;
  core.key = (AttendView){qkv + c->query, N * c->qkv, c->qkv, D};
  core.value = (AttendView){qkv + c->query + c->key, N * c->qkv, c->qkv, Dv};
  return core;
}

/* The two matrices that only a layer has, one sequence after the other. */
static void show(const AttendContext *context, const LayerCall *call, const float *heads) {
  const size_t columns = call->columns.context, width = call->shape.width;
  for (size_t b = 0; b < call->problem.shape.batch; b++) {
    const size_t first = layer_first_row(call, b);
    const size_t N = problem_sequence(&call->problem, b).query_tokens;
    const AttendMatrix concat = {"concat", b, 0, 0, N, columns, columns, heads + first * columns};
    const AttendMatrix output = {"output", b, 0, 0, N, width, width, call->y + first * width};
    context->tap(context->tap_user, &concat);
    context->tap(context->tap_user, &output);
  }
}

void layer_run(AttendContext *context, const LayerCall *call, const LayerChoice *choice,
               void *workspace) {
  const Path *const path = choice->core.path;
  const AttendWeights *const weights = call->weights;
  float *const qkv = layout_at(workspace, choice->layout.qkv);
  float *const heads = layout_at(workspace, choice->layout.context);
  void *const scratch = layout_at(workspace, choice->layout.scratch);
  project(context, path, ATTEND_PHASE_QKV_PROJECTION, &weights->qkv, call->rows, call->x, scratch,
          qkv);
  rotate_heads(context, call, qkv, layout_at(workspace, choice->layout.rotate));
  Problem core = core_problem(call, qkv, heads);
  if (call->cache) append_to_cache(context, call, qkv, &core);
  plan_run(context, &core, &choice->core, scratch);
  project(context, path, ATTEND_PHASE_OUTPUT_PROJECTION, &weights->output, call->rows, heads,
          scratch, call->y);
  if (context->tap) show(context, call, heads);
}
