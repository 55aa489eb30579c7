/* plan.h - the choice of a path for a problem, for a call that runs it and for a plan that tells. */
#ifndef ATTEND_SRC_PLAN_PLAN_H
#define ATTEND_SRC_PLAN_PLAN_H

#include "plan/path.h"

/* A path that accepted a problem, and what it computed for that. */
typedef struct PlanChoice {
  const Path *path;
  PathFit fit;
} PlanChoice;

/* Takes the first path that accepts, or the one that the settings name. If none does, the status
 * and the sentence are those of the refusal that helps the caller most. */
AttendStatus plan_choose(const AttendContext *context, const Problem *problem, PlanChoice *choice,
                         Fault *fault);

/* Runs the path that was chosen and, in a profile, counts its work. `workspace` is aligned and has
 * choice->fit.workspace_bytes. */
void plan_run(AttendContext *context, const Problem *problem, const PlanChoice *choice,
              void *workspace);

/* Asks every path, and writes down the one that plan_choose() takes and what each of them says. On
 * success plan->path is the choice; workspace_bytes is the core's alone. Everything in *plan but
 * struct_size is set, also on failure. */
AttendStatus plan_explain(const AttendContext *context, const Problem *problem, AttendPlan *plan,
                          Fault *fault);

#endif
