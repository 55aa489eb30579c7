/* plan.c - chooses a path and says why, and writes plans as text.
 *
 * No path is chosen silently: each leaves a verdict in the plan, the reason for the one taken and
 * the reason against each of the others.
 */
#include "plan/plan.h"

#include <string.h>

#include "size.h"

/* Why a path that could run does not. */
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

/* Whether a verdict is a better answer to the caller than the one before: the first refusal, and
 * rather one of a path that could run the problem but for a limit than of one that never could. */
static bool says_more(const Fault *verdict, const Fault *before) {
  if (verdict->status == ATTEND_OK) return false;
  return before->status == ATTEND_OK || (before->status == ATTEND_STATUS_PATH_REFUSED &&
                                         verdict->status != ATTEND_STATUS_PATH_REFUSED);
}

AttendStatus plan_choose(const AttendContext *context, const Problem *problem, AttendPlan *plan,
                         Fault *fault) {
  const AttendPath wanted = context->settings.path;
  const double per_pair = 2.0 * (double)(problem->shape.head_dim + problem->shape.value_dim);
  *plan = (AttendPlan){.struct_size = plan->struct_size,
                       .isa = context->settings.isa,
                       .precision = context->settings.precision,
                       .threads = context->settings.threads,
                       .core_flops = per_pair * (double)problem->shape.query_heads *
                                     problem_visible_pairs(problem)};
  const Path *taken = NULL, *refusing = NULL;
  Fault refusal = {0};
  for (size_t i = 0; path_list[i]; i++) {
    const Path *const path = path_list[i];
    AttendPathVerdict *const verdict = &plan->verdicts[path->id];
    PathNeeds needs = {0};
    Fault reason = {0};
    verdict->status = path->consider(context, problem, &needs, &reason);
    if (verdict->status != ATTEND_STATUS_OVERFLOW) {
      verdict->workspace_bytes = needs.workspace_bytes;
      verdict->score_bytes = needs.score_bytes;
    }
    snprintf(verdict->reason, sizeof verdict->reason, "%s", reason.text);
    const bool eligible = wanted == ATTEND_PATH_AUTO || wanted == path->id;
    if (eligible && says_more(&reason, &refusal)) refusal = reason, refusing = path;
    if (eligible && !verdict->status && !taken) {
      taken = path;
      plan->path = path->id;
      plan->query_tile = needs.query_tile;
      plan->key_tile = needs.key_tile;
      plan->workspace_bytes = needs.workspace_bytes;
    }
  }
  if (!taken) {
    return fault_set(fault, refusal.status, "path %s: %.200s", attend_path_name(refusing->id),
                     refusal.text);
  }
  for (size_t i = 0; path_list[i]; i++) {
    AttendPathVerdict *const verdict = &plan->verdicts[path_list[i]->id];
    if (path_list[i] != taken && !verdict->status) {
      write_passed_over(verdict, path_list[i], taken, wanted != ATTEND_PATH_AUTO);
    }
  }
  return ATTEND_OK;
}

/* Text written so far: counts on past the end of the buffer, as snprintf does. */
typedef struct Writer {
  char *text;
  size_t size, length;
} Writer;

__attribute__((format(printf, 2, 3))) static void write_text(Writer *writer, const char *format,
                                                             ...) {
  const size_t used = size_min(writer->length, writer->size);
  va_list arguments;
  va_start(arguments, format);
  const int more =
      vsnprintf(writer->size ? writer->text + used : NULL, writer->size - used, format, arguments);
  va_end(arguments);
  if (more > 0) writer->length += (size_t)more;
}

/* In the unit that leaves one to three digits before the point, from a handout's 32 FLOP
 * upwards. */
static void write_flops(Writer *writer, double flops) {
  static const char *const units[] = {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"};
  size_t unit = 0;
  while (flops >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
    flops /= 1000;
    unit++;
  }
  write_text(writer, "%.4g %s", flops, units[unit]);
}

size_t attend_describe_plan(const AttendPlan *plan, char *text, size_t size) {
  Writer writer = {text, text ? size : 0, 0};
  if (writer.size) writer.text[0] = '\0';
  if (!plan) return 0;
  const char *const path = plan->path == ATTEND_PATH_AUTO ? "none" : attend_path_name(plan->path);
  const char *const isa = attend_isa_name(plan->isa);
  const char *const precision = attend_precision_name(plan->precision);
  write_text(&writer, "path %s, isa %s, precision %s, %zu thread%s", path ? path : "?",
             isa ? isa : "?", precision ? precision : "?", plan->threads,
             plan->threads == 1 ? "" : "s");
  if (plan->key_tile) {
    write_text(&writer, ", tiles of %zu rows x %zu keys", plan->query_tile, plan->key_tile);
  }
  write_text(&writer, "\nworkspace %zu bytes; core ", plan->workspace_bytes);
  write_flops(&writer, plan->core_flops);
  if (plan->projection_flops > 0) {
    write_text(&writer, "; projections ");
    write_flops(&writer, plan->projection_flops);
  }
  write_text(&writer, "\n");
  for (size_t i = 0; path_list[i]; i++) {
    const AttendPathVerdict *const verdict = &plan->verdicts[path_list[i]->id];
    const bool taken = plan->path == path_list[i]->id;
    write_text(&writer, "  %-5s %-7s %s\n", attend_path_name(path_list[i]->id),
               taken             ? "taken"
               : verdict->status ? "refuses"
                                 : "no",
               verdict->reason);
  }
  return writer.length;
}
