/* plan_text.c - writes a plan as the text that the tool prints. */
#include <stdarg.h>
#include <stdio.h>

#include "plan/path.h"
#include "size.h"

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
