/* layer_check.c - what a layer call must be, before anything of it runs.
 *
 * Sizes and options become the core's problem; the cache, the buffers and the positions are held
 * against it, and the workspace is laid out. Nothing here writes to an output or a cache, which is
 * why a refused call leaves both as they were.
 */
#include "layer/layer.h"
#include "plan/plan.h"
#include "problem/problem_check.h"
#include "size.h"

AttendStatus layer_set_problem(const AttendLayerShape *shape, const AttendOptions *options,
                               LayerCall *call, Fault *fault) {
  AttendOptions own; /* a struct of another size is not read, and refused with the sizes */
  attend_default_options(&own);
  if (options && options->struct_size == sizeof own) own = *options;
  if (options) own.struct_size = options->struct_size;
  call->has_cache |= call->cache != NULL;
  if (shape_check_layer(shape, &call->columns, fault)) return fault->status;
  if (!call->has_cache) {
    if (own.key_offsets) {
      return fault_set(
          fault, ATTEND_STATUS_BAD_OPTION,
          "options.key_offsets is set in a layer call, where the keys are those of the "
          "queries' own tokens; leave it null");
    }
    own.key_offsets = own.query_offsets;
  }
  const ProblemSizes sizes = {.shape = {.batch = call->batch,
                                        .query_tokens = call->tokens,
                                        .key_tokens = call->tokens,
                                        .query_heads = shape->query_heads,
                                        .kv_heads = shape->kv_heads,
                                        .head_dim = shape->head_dim,
                                        .value_dim = shape->value_dim},
                              .has_cache = call->has_cache,
                              .cache = call->cache,
                              .past = call->past};
  if (problem_set_sizes(&call->problem, &sizes, &own, fault)) return fault->status;

  bool overflow = false;
  const bool ragged = problem_is_ragged(&call->problem);
  call->rows = size_multiply(ragged ? 1 : call->batch, call->tokens, &overflow);
  const size_t floats = size_multiply(call->rows, shape->width, &overflow);
  size_multiply(floats, sizeof(float), &overflow);
  if (!overflow && call->rows <= SHAPE_BLAS_LIMIT) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                   "x of %zu sequences of %zu tokens of width %zu is too large to be counted",
                   call->batch, call->tokens, shape->width);
}

CacheAppend layer_append(const LayerCall *call) {
  return (CacheAppend){.sequences = call->problem.options.cache_sequences,
                       .count = call->batch,
                       .offsets = call->problem.options.query_offsets,
                       .tokens = call->tokens};
}

size_t layer_first_row(const LayerCall *call, size_t b) {
  const size_t *const offsets = call->problem.options.query_offsets;
  return offsets ? offsets[b] : b * call->tokens;
}

static AttendStatus check_positions(const Rope *rope, const LayerCall *call, Fault *fault) {
  const int64_t *const given = call->problem.options.positions;
  if (!rope->cos) return ATTEND_OK;
  for (size_t r = 0; given && r < call->rows; r++) {
    if (rope_check_positions(rope, given[r], given[r], fault)) return fault->status;
  }
  for (size_t b = 0; !given && b < call->batch; b++) {
    const Sequence s = problem_sequence(&call->problem, b);
    if (s.query_tokens == 0) continue;
    const int64_t last = problem_position(&s, s.query_tokens - 1);
    if (rope_check_positions(rope, s.q_start, last, fault)) return fault->status;
  }
  return ATTEND_OK;
}

AttendStatus layer_check_buffers(const AttendWeights *weights, const LayerCall *call,
                                 Fault *fault) {
  if (call->cache) {
    const CacheAppend append = layer_append(call);
    if (kvcache_check_append(call->cache, &append, fault)) return fault->status;
  }
  const size_t floats = call->rows * weights->shape.width;
  const Span x = {"x", call->x, floats}, y = {"y", call->y, floats};
  if (shape_check_pointer(x, fault) || shape_check_pointer(y, fault)) return fault->status;
  if (shape_check_apart(y, x, fault)) return fault->status;
  if (problem_check_arrays(&call->problem, y, (Span){"lse", NULL, 0}, fault)) return fault->status;
  return check_positions(&weights->rope, call, fault);
}

/* Scratch of the larger projection. */
static size_t projection_bytes(const AttendContext *context, const Path *path,
                               const AttendLayerShape *shape, const LayerCall *call,
                               bool *overflow) {
  const size_t E = shape->width;
  if (!path->project_bytes) return 0;
  return size_max(path->project_bytes(context, E, call->columns.qkv, call->rows, overflow),
                  path->project_bytes(context, call->columns.context, E, call->rows, overflow));
}

/* Sets the call's offsets. */
static AttendStatus lay_out(const AttendContext *context, const AttendLayerShape *shape,
                            LayerCall *call, Fault *fault) {
  Layout layout = {0};
  call->qkv_at = layout_floats(&layout, call->rows, call->columns.qkv);
  call->context_at = layout_floats(&layout, call->rows, call->columns.context);
  call->rotate_at = layout_floats(&layout, context->settings.threads,
                                  size_round_up(shape->head_dim, SIZE_ALIGNMENT / sizeof(float)));
  call->scratch_at = layout.bytes;
  if (!layout.overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                   "Q, K and V of %zu sequences of %zu tokens are too many to be counted",
                   call->batch, call->tokens);
}

/* Bytes of the whole workspace, where the core takes core_bytes. */
static AttendStatus whole_workspace(const AttendContext *context, const Path *path,
                                    const AttendLayerShape *shape, const LayerCall *call,
                                    size_t core_bytes, size_t *bytes, Fault *fault) {
  bool overflow = false;
  const size_t projections = projection_bytes(context, path, shape, call, &overflow);
  *bytes = size_add(size_max(core_bytes, projections), call->scratch_at, &overflow);
  if (!overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW, "the workspace cannot be counted in bytes");
}

AttendStatus layer_choose(const AttendContext *context, const AttendLayerShape *shape,
                          LayerCall *call, PlanChoice *choice, size_t *bytes, Fault *fault) {
  if (lay_out(context, shape, call, fault) || plan_choose(context, &call->problem, choice, fault)) {
    return fault->status;
  }
  return whole_workspace(context, choice->path, shape, call, choice->fit.workspace_bytes, bytes,
                         fault);
}

AttendStatus layer_explain(const AttendContext *context, const AttendLayerShape *shape,
                           LayerCall *call, AttendPlan *plan, Fault *fault) {
  if (lay_out(context, shape, call, fault) || plan_explain(context, &call->problem, plan, fault)) {
    return fault->status;
  }
  if (whole_workspace(context, path_get(plan->path), shape, call, plan->workspace_bytes,
                      &plan->workspace_bytes, fault)) {
    plan->path = ATTEND_PATH_AUTO;
    return fault->status;
  }
  const double weights = (double)shape->width * (double)(call->columns.qkv + call->columns.context);
  plan->projection_flops = 2.0 * (double)call->rows * weights;
  return ATTEND_OK;
}
