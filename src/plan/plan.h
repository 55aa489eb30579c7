/* plan.h - the choice of a path for a problem. */
#ifndef ATTEND_SRC_PLAN_H
#define ATTEND_SRC_PLAN_H

#include "plan/path.h"

/* Asks every path, takes the first that accepts (or the one the settings name), and writes down
 * what each said. On success plan->path is the choice; workspace_bytes is the core's alone.
 * Everything in *plan but struct_size is set, also on failure. */
AttendStatus plan_choose(const AttendContext *context, const Problem *problem, AttendPlan *plan,
                         Fault *fault);

#endif
