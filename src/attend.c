/* attend.c - the public entry points that run something: check, plan, run. No arithmetic.
 *
 * A call first checks everything that can be wrong and sizes its memory; only then does it write
 * anything, and from there on nothing can fail. That is why a failed call leaves outputs and caches
 * as they were.
 */
#include "attend/attend.h"

#include "context.h"
#include "layer/layer.h"
#include "layer/layer_check.h"
#include "plan/plan.h"
#include "problem/problem_check.h"
#include "size.h"

/* Adds the bytes that alignment may take. */
static AttendStatus add_alignment(size_t *bytes, Fault *fault) {
  bool overflow = false;
  *bytes = size_add(*bytes, SIZE_ALIGNMENT, &overflow);
  if (!overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW, "the workspace cannot be counted in bytes");
}

/* What both plans check of their arguments before anything else; an empty plan where that is
 * right. */
static AttendStatus check_plan_arguments(const void *shape, AttendPlan *plan, Fault *fault) {
  if (!shape || !plan) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null", shape ? "plan" : "shape");
  }
  if (plan->struct_size == sizeof *plan) {
    *plan = (AttendPlan){.struct_size = sizeof *plan};
    return ATTEND_OK;
  }
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "plan.struct_size is %zu; set it to sizeof(AttendPlan), %zu", plan->struct_size,
                   sizeof *plan);
}

/* Plans a problem whose sizes are known. */
static AttendStatus plan_problem(AttendContext *context, const ProblemSizes *sizes,
                                 const AttendOptions *options, AttendPlan *plan) {
  Fault *const fault = &context->fault;
  Problem problem;
  if (problem_set_sizes(&problem, sizes, options, fault)) return fault->status;
  if (plan_explain(context, &problem, plan, fault)) return fault->status;
  if (add_alignment(&plan->workspace_bytes, fault)) plan->path = ATTEND_PATH_AUTO;
  return fault->status;
}

AttendStatus attend_plan_core(AttendContext *context, const AttendShape *shape,
                              const AttendOptions *options, AttendPlan *plan) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  fault_clear(&context->fault);
  if (check_plan_arguments(shape, plan, &context->fault)) return context->fault.status;
  const ProblemSizes sizes = {.shape = *shape};
  return plan_problem(context, &sizes, options, plan);
}

AttendStatus attend_plan_cached(AttendContext *context, const AttendShape *shape,
                                const AttendCache *cache, const AttendOptions *options,
                                AttendPlan *plan) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!cache) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "cache is null");
  if (check_plan_arguments(shape, plan, fault)) return fault->status;
  const ProblemSizes sizes = {.shape = *shape, .has_cache = true, .appended = true, .cache = cache};
  return plan_problem(context, &sizes, options, plan);
}

/* Everything that a core call reads and writes. */
typedef struct CoreCall {
  ProblemSizes sizes;
  AttendView query, key, value;
  AttendOutputView out;
  float *lse;
} CoreCall;

static AttendStatus run_core(AttendContext *context, const CoreCall *call,
                             const AttendOptions *options) {
  Fault *const fault = &context->fault;
  Problem problem;
  PlanChoice choice;
  void *workspace = NULL;
  if (problem_set_sizes(&problem, &call->sizes, options, fault) ||
      problem_set_views(&problem, call->query, call->key, call->value, call->out, call->lse,
                        fault) ||
      plan_choose(context, &problem, &choice, fault)) {
    return fault->status;
  }
  size_t bytes = choice.fit.workspace_bytes;
  if (add_alignment(&bytes, fault)) return fault->status;
  if (problem.shape.query_tokens == 0) return ATTEND_OK;
  if (context_workspace(context, bytes, &workspace, fault)) return fault->status;

  profile_begin_call(&context->profiler);
  plan_run(context, &problem, &choice, workspace);
  profile_end_call(&context->profiler);
  return ATTEND_OK;
}

AttendStatus attend_core_forward(AttendContext *context, const AttendShape *shape, AttendView query,
                                 AttendView key, AttendView value, const AttendOptions *options,
                                 AttendOutputView out, float *lse) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "shape is null");
  const CoreCall call = {{.shape = *shape}, query, key, value, out, lse};
  return run_core(context, &call, options);
}

AttendStatus attend_cached_forward(AttendContext *context, const AttendShape *shape,
                                   const AttendCache *cache, AttendView query,
                                   const AttendOptions *options, AttendOutputView out, float *lse) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape || !cache) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null", shape ? "cache" : "shape");
  }
  const CoreCall call = {
      .sizes = {.shape = *shape, .has_cache = true, .appended = true, .cache = cache},
      .query = query,
      .out = out,
      .lse = lse};
  return run_core(context, &call, options);
}

AttendStatus attend_plan_layer(AttendContext *context, const AttendLayerShape *shape, size_t batch,
                               size_t tokens, size_t past, bool has_cache,
                               const AttendOptions *options, AttendPlan *plan) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (check_plan_arguments(shape, plan, fault)) return fault->status;
  const LayerRequest request = {.shape = *shape,
                                .batch = batch,
                                .tokens = tokens,
                                .options = options,
                                .has_cache = has_cache,
                                .past = past};
  LayerCall call;
  if (layer_check(&request, &call, fault) || layer_explain(context, &call, plan, fault)) {
    return fault->status;
  }
  if (add_alignment(&plan->workspace_bytes, fault)) plan->path = ATTEND_PATH_AUTO;
  return fault->status;
}

AttendStatus attend_layer_forward(AttendContext *context, const AttendWeights *weights,
                                  AttendCache *cache, size_t batch, size_t tokens, const float *x,
                                  const AttendOptions *options, float *y) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!weights) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "weights is null");
  const LayerRequest request = {.shape = attend_weights_shape(weights),
                                .batch = batch,
                                .tokens = tokens,
                                .options = options,
                                .has_cache = cache != NULL,
                                .cache = cache,
                                .weights = weights,
                                .x = x,
                                .y = y};
  LayerCall call;
  LayerChoice choice;
  void *workspace = NULL;
  if (layer_check(&request, &call, fault) || layer_choose(context, &call, &choice, fault) ||
      add_alignment(&choice.workspace_bytes, fault)) {
    return fault->status;
  }
  if (tokens == 0) return ATTEND_OK;
  if (context_workspace(context, choice.workspace_bytes, &workspace, fault)) return fault->status;

  profile_begin_call(&context->profiler);
  layer_run(context, &call, &choice, workspace);
  profile_end_call(&context->profiler);
  return ATTEND_OK;
}
