/* layer_plan.c - lays out the workspace of a layer around that of its core.
 *
 * Q, K, V and the heads' outputs have places of their own. The scratch behind them is the larger of
 * what the core and what the projections need, which run one after the other.
 */
#include "layer/layer_plan.h"

#include "size.h"

static AttendStatus lay_out(const AttendContext *context, const LayerCall *call,
                            LayerLayout *layout, Fault *fault) {
  const size_t row = size_round_up(call->shape.head_dim, SIZE_ALIGNMENT / sizeof(float));
  Layout all = {0};
  layout->qkv = layout_floats(&all, call->rows, call->columns.qkv);
  layout->context = layout_floats(&all, call->rows, call->columns.context);
  layout->rotate = layout_floats(&all, context->settings.threads, row);
  layout->scratch = all.bytes;
  if (!all.overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                   "Q, K and V of %zu sequences of %zu tokens are too many to be counted",
                   call->problem.shape.batch, call->problem.shape.query_tokens);
}

/* Scratch of the larger projection. */
static size_t projection_bytes(const AttendContext *context, const Path *path,
                               const LayerCall *call, bool *overflow) {
  const LayerColumns *const c = &call->columns;
  const size_t E = call->shape.width;
  if (!path->project_bytes) return 0;
  return size_max(path->project_bytes(context, E, c->qkv, call->rows, overflow),
                  path->project_bytes(context, c->context, E, call->rows, overflow));
}

/* Bytes of the whole workspace, where the core takes core_bytes. */
static AttendStatus add_bytes(const AttendContext *context, const LayerCall *call,
                              const LayerLayout *layout, const Path *path, size_t core_bytes,
                              size_t *bytes, Fault *fault) {
  bool overflow = false;
  const size_t projections = projection_bytes(context, path, call, &overflow);
  *bytes = size_add(size_max(core_bytes, projections), layout->scratch, &overflow);
  if (!overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW, "the workspace cannot be counted in bytes");
}

AttendStatus layer_choose(const AttendContext *context, const LayerCall *call, LayerChoice *choice,
                          Fault *fault) {
  if (lay_out(context, call, &choice->layout, fault) ||
      plan_choose(context, &call->problem, &choice->core, fault)) {
    return fault->status;
  }
  return add_bytes(context, call, &choice->layout, choice->core.path,
                   choice->core.fit.workspace_bytes, &choice->workspace_bytes, fault);
}

AttendStatus layer_explain(const AttendContext *context, const LayerCall *call, AttendPlan *plan,
                           Fault *fault) {
  LayerLayout layout;
  if (lay_out(context, call, &layout, fault) ||
      plan_explain(context, &call->problem, plan, fault)) {
    return fault->status;
  }
  if (add_bytes(context, call, &layout, path_get(plan->path), plan->workspace_bytes,
                &plan->workspace_bytes, fault)) {
    plan->path = ATTEND_PATH_AUTO;
    return fault->status;
  }
  const double columns = (double)(call->columns.qkv + call->columns.context);
  plan->projection_flops = 2.0 * (double)call->rows * (double)call->shape.width * columns;
  return ATTEND_OK;
}
