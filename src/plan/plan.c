/* plan.c - chooses a path, runs it, and says why it was chosen.
 *
 * No path is chosen silently: a plan has a verdict of each path, the reason for the one taken and
 * the reason against each of the others. A call that only runs stops at the first path that accepts
 * and words nothing.
 */
#include "plan/plan.h"

#include <stdio.h>

/* Whether the settings let a path run. */
static bool is_eligible(const AttendContext *context, const Path *path) {
  return context->settings.path == ATTEND_PATH_AUTO || context->settings.path == path->id;
}

/* Whether a refusal is a better answer to the caller than the one before: the first, and rather one
 * of a path that could run the problem but for a limit than of one that never could. */
static bool says_more(AttendStatus refusal, AttendStatus before) {
  if (refusal == ATTEND_OK) return false;
  return before == ATTEND_OK ||
         (before == ATTEND_STATUS_PATH_REFUSED && refusal != ATTEND_STATUS_PATH_REFUSED);
}

/* The sentence for a problem that no eligible path accepts. */
static AttendStatus refuse(const AttendContext *context, const Problem *problem, Fault *fault) {
  char reason[ATTEND_REASON_SIZE] = "";
  AttendStatus status = ATTEND_OK;
  const Path *refusing = NULL;
  for (size_t i = 0; path_list[i]; i++) {
    PathFit fit;
    if (!is_eligible(context, path_list[i])) continue;
    path_list[i]->fits(context, problem, &fit);
    if (!says_more(path_status(fit.refusal), status)) continue;
    status = path_status(fit.refusal);
    refusing = path_list[i];
    refusing->explain(context, problem, &fit, reason);
  }
  return fault_set(fault, status, "path %s: %.200s", attend_path_name(refusing->id), reason);
}

AttendStatus plan_choose(const AttendContext *context, const Problem *problem, PlanChoice *choice,
                         Fault *fault) {
  for (size_t i = 0; path_list[i]; i++) {
    choice->path = path_list[i];
    if (!is_eligible(context, choice->path)) continue;
    choice->path->fits(context, problem, &choice->fit);
    if (choice->fit.refusal == PATH_FITS) return ATTEND_OK;
  }
  return refuse(context, problem, fault);
}

void plan_run(AttendContext *context, const Problem *problem, const PlanChoice *choice,
              void *workspace) {
  choice->path->run(context, problem, &choice->fit, workspace);
  if (context->profiler.on) {
    const CoreWork work = work_of(problem);
    choice->path->count(&context->profiler, &work);
  }
}

/* Why a path that accepts, for the reason in the verdict, does not run. */
static void write_passed_over(AttendPathVerdict *verdict, const Path *path, const Path *taken,
                              bool forced) {
  char own[ATTEND_REASON_SIZE];
  snprintf(own, sizeof own, "%s", verdict->reason);
  if (forced) {
    snprintf(verdict->reason, sizeof verdict->reason, "not asked for: the settings name %s",
             attend_path_name(taken->id));
    return;
  }
  snprintf(verdict->reason, sizeof verdict->reason, "%s comes first; %s would run (%.150s)",
           attend_path_name(taken->id), path->nature, own);
}

/* Asks one path, and writes down what it says. Returns whether it accepts. */
static bool write_verdict(const AttendContext *context, const Problem *problem, const Path *path,
                          PathFit *fit, AttendPathVerdict *verdict) {
  path->fits(context, problem, fit);
  path->explain(context, problem, fit, verdict->reason);
  verdict->status = path_status(fit->refusal);
  if (fit->refusal != PATH_NOT_COUNTABLE) {
    verdict->workspace_bytes = fit->workspace_bytes;
    verdict->score_bytes = fit->score_bytes;
  }
  return fit->refusal == PATH_FITS;
}

AttendStatus plan_explain(const AttendContext *context, const Problem *problem, AttendPlan *plan,
                          Fault *fault) {
  const CoreWork work = work_of(problem);
  *plan = (AttendPlan){.struct_size = plan->struct_size,
                       .isa = context->settings.isa,
                       .precision = context->settings.precision,
                       .threads = context->settings.threads,
                       .core_flops = work.score_flops + work.sum_flops};
  const Path *taken = NULL;
  for (size_t i = 0; path_list[i]; i++) {
    const Path *const path = path_list[i];
    PathFit fit;
    if (!write_verdict(context, problem, path, &fit, &plan->verdicts[path->id])) continue;
    if (taken || !is_eligible(context, path)) continue;
    taken = path;
    plan->path = path->id;
    plan->query_tile = fit.query_tile;
    plan->key_tile = fit.key_tile;
    plan->workspace_bytes = fit.workspace_bytes;
  }
  if (!taken) return refuse(context, problem, fault);
  const bool forced = context->settings.path != ATTEND_PATH_AUTO;
  for (size_t i = 0; path_list[i]; i++) {
    AttendPathVerdict *const verdict = &plan->verdicts[path_list[i]->id];
    if (path_list[i] == taken || verdict->status) continue;
    write_passed_over(verdict, path_list[i], taken, forced);
  }
  return ATTEND_OK;
}
