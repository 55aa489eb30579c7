/* layer.c - the order of a layer: project, view, append, attend, project.
 *
 *   x [B*N, E] -- W_qkv --> qkv [B*N, Hq*D + Hk*D + Hk*Dv]
 *                           each head is a chunk of columns, read in place through strides
 *   qkv -- core --> context [B*N, Hq*Dv]   heads side by side
 *   context -- W_o --> y [B*N, E]
 *
 * Everything is checked before layer_run(), which cannot fail.
 */
#include "layer.h"

#include "plan.h"
#include "size.h"

AttendStatus layer_check_buffers(const AttendLayerShape *shape, LayerCall *call, Fault *fault) {
  const AttendCache *const cache = call->cache;
  if (cache) {
    if (cache->kv_heads != shape->kv_heads || cache->head_dim != shape->head_dim ||
        cache->value_dim != shape->value_dim || cache->batch != call->batch) {
      return fault_set(fault, ATTEND_STATUS_SHAPE_MISMATCH,
                       "the cache is for batch %zu, %zu kv heads, D = %zu, Dv = %zu; this call has "
                       "%zu, %zu, %zu, %zu",
                       cache->batch, cache->kv_heads, cache->head_dim, cache->value_dim,
                       call->batch, shape->kv_heads, shape->head_dim, shape->value_dim);
    }
    if (kvcache_check_room(cache, call->tokens, fault)) return fault->status;
    call->has_cache = true;
    call->past = cache->length;
  }
  bool overflow = false;
  const size_t rows = size_multiply(call->batch, call->tokens, &overflow);
  const size_t floats = size_multiply(rows, shape->width, &overflow);
  size_multiply(floats, sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "x of %zu x %zu tokens of width %zu cannot be counted in bytes", call->batch,
                     call->tokens, shape->width);
  }
  const Span x = {"x", call->x, floats}, y = {"y", call->y, floats};
  if (shape_check_pointer(x, fault) || shape_check_pointer(y, fault)) return fault->status;
  return shape_check_apart(y, x, fault);
}

/* The core's sizes and options, as this call makes them. */
static AttendStatus set_problem(const AttendLayerShape *shape, const AttendOptions *options,
                                LayerCall *call, Fault *fault) {
  bool overflow = false;
  AttendOptions own;
  attend_default_options(&own);
  if (problem_check_options(options, fault)) return fault->status;
  if (options) own = *options;
  if (call->has_cache) {
    if (own.q_start != 0) {
      return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                       "options.q_start is %lld together with a cache, which sets it; leave it 0",
                       (long long)own.q_start);
    }
    own.q_start = (int64_t)call->past;
  }
  const size_t past = call->has_cache ? call->past : 0;
  const AttendShape core = {.batch = call->batch,
                            .query_tokens = call->tokens,
                            .key_tokens = size_add(past, call->tokens, &overflow),
                            .query_heads = shape->query_heads,
                            .kv_heads = shape->kv_heads,
                            .head_dim = shape->head_dim,
                            .value_dim = shape->value_dim};
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW, "%zu past and %zu new tokens are too many",
                     past, call->tokens);
  }
  return problem_set_sizes(&call->problem, &core, &own, fault);
}

AttendStatus layer_plan(const AttendContext *context, const AttendLayerShape *shape,
                        const AttendOptions *options, LayerCall *call, AttendPlan *plan,
                        Fault *fault) {
  if (shape_check_layer(shape, &call->columns, fault)) return fault->status;
  if (set_problem(shape, options, call, fault)) return fault->status;

  Layout layout = {0};
  const size_t rows = size_multiply(call->batch, call->tokens, &layout.overflow);
  call->qkv_at = layout_floats(&layout, rows, call->columns.qkv);
  call->context_at = layout_floats(&layout, rows, call->columns.context);
  call->core_at = layout.bytes;
  if (layout.overflow || rows > SHAPE_BLAS_LIMIT) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "Q, K and V of %zu sequences of %zu tokens are too many to be counted",
                     call->batch, call->tokens);
  }
  if (plan_choose(context, &call->problem, plan, fault)) return fault->status;
  plan->workspace_bytes += layout.bytes;
  const double weights = (double)shape->width * (double)(call->columns.qkv + call->columns.context);
  plan->projection_flops = 2.0 * (double)rows * weights;
  return ATTEND_OK;
}

/* What the phases compute and must move at least once: FLOPs of visible pairs, bytes of operands.
 */
static void count_core(AttendContext *context, const Path *path, const Problem *p) {
  Profiler *const profiler = &context->profiler;
  const AttendShape *const s = &p->shape;
  const double heads = (double)s->batch * (double)s->query_heads;
  const double pairs = heads * problem_visible_pairs(p);
  const double queries = heads * (double)s->query_tokens * sizeof(float);
  const double keys =
      (double)s->batch * (double)s->kv_heads * (double)s->key_tokens * sizeof(float);
  const double D = (double)s->head_dim, Dv = (double)s->value_dim;
  const double score_bytes = sizeof(float) * pairs;
  if (path->id == ATTEND_PATH_TILED) {
    profile_count(profiler, ATTEND_PHASE_ATTENTION, 2.0 * (D + Dv) * pairs,
                  (D + Dv) * (queries + keys));
    return;
  }
  profile_count(profiler, ATTEND_PHASE_SCORES, 2.0 * D * pairs, D * (queries + keys) + score_bytes);
  profile_count(profiler, ATTEND_PHASE_SOFTMAX, 0.0, 2.0 * score_bytes);
  profile_count(profiler, ATTEND_PHASE_WEIGHTED_SUM, 2.0 * Dv * pairs,
                Dv * (queries + keys) + score_bytes);
}

void layer_run_core(AttendContext *context, const Path *path, const Problem *problem,
                    void *workspace) {
  profile_gather(&context->profiler, path->run(context, problem, workspace));
  count_core(context, path, problem);
}

static void project(AttendContext *context, const Path *path, AttendPhase phase,
                    const Linear *linear, size_t rows, const float *x, float *y) {
  const double clock = profile_start(&context->profiler);
  path->project(context, linear, rows, x, y);
  profile_add_whole(&context->profiler, phase, clock);
  const double weights = (double)linear->in * (double)linear->out;
  const double activations = (double)rows * (double)(linear->in + linear->out);
  profile_count(&context->profiler, phase, 2.0 * (double)rows * weights,
                sizeof(float) * (weights + activations));
}

/* Q, K and V as chunks of the fused product, or K and V from the cache once they are in it. */
static void set_views(LayerCall *call, const float *qkv, float *context) {
  const LayerColumns *const c = &call->columns;
  Problem *const p = &call->problem;
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim, N = call->tokens;
  p->query = (AttendView){qkv, N * c->qkv, c->qkv, D};
  p->key = (AttendView){qkv + c->query, N * c->qkv, c->qkv, D};
  p->value = (AttendView){qkv + c->query + c->key, N * c->qkv, c->qkv, Dv};
  p->out = attend_output_bnhd(context, N, p->shape.query_heads, Dv);
}

static void append_to_cache(AttendContext *context, LayerCall *call) {
  const double clock = profile_start(&context->profiler);
  Problem *const p = &call->problem;
  kvcache_append(call->cache, call->tokens, p->key, p->value);
  p->key = attend_cache_keys(call->cache);
  p->value = attend_cache_values(call->cache);
  profile_add_whole(&context->profiler, ATTEND_PHASE_PACKING, clock);
}

/* The two matrices that only a layer has, one sequence after the other. */
static void show(const AttendContext *context, const LayerCall *call, size_t width,
                 const float *heads) {
  const size_t N = call->tokens, columns = call->columns.context;
  for (size_t b = 0; b < call->batch; b++) {
    const AttendMatrix concat = {"concat", b, 0, N, columns, columns, heads + b * N * columns};
    const AttendMatrix output = {"output", b, 0, N, width, width, call->y + b * N * width};
    context->tap(context->tap_user, &concat);
    context->tap(context->tap_user, &output);
  }
}

void layer_run(AttendContext *context, const AttendWeights *weights, const Path *path,
               LayerCall *call, void *workspace) {
  float *const qkv = layout_at(workspace, call->qkv_at);
  float *const heads = layout_at(workspace, call->context_at);
  const size_t rows = call->batch * call->tokens;
  project(context, path, ATTEND_PHASE_QKV_PROJECTION, &weights->qkv, rows, call->x, qkv);
  set_views(call, qkv, heads);
  if (call->cache) append_to_cache(context, call);
  layer_run_core(context, path, &call->problem, layout_at(workspace, call->core_at));
  project(context, path, ATTEND_PHASE_OUTPUT_PROJECTION, &weights->output, rows, heads, call->y);
  if (context->tap && path->id == ATTEND_PATH_NAIVE) {
    show(context, call, weights->shape.width, heads);
  }
}
