/* path_table.c - pairs of paths side by side, a row for each name of a matrix. */
#include "cli/explain/path_table.h"

#include "cli/util/units.h"

static void print_heads(FILE *file, const Trace *traces, size_t count) {
  fprintf(file, "  %-16s", "largest difference");
  for (size_t a = 0; a < count; a++) {
    for (size_t b = a + 1; b < count; b++) {
      char pair[40];
      snprintf(pair, sizeof pair, "%s, %s", attend_path_name(traces[a].path),
               attend_path_name(traces[b].path));
      fprintf(file, "  %14s", pair);
    }
  }
  fputc('\n', file);
}

/* A name that no pair has in common gets no row. */
static bool is_common(const Trace *traces, size_t count, const char *name) {
  double difference;
  for (size_t a = 0; a < count; a++) {
    for (size_t b = a + 1; b < count; b++) {
      if (trace_difference(&traces[a], &traces[b], name, &difference)) return true;
    }
  }
  return false;
}

static void print_differences(FILE *file, const Trace *traces, size_t count, const char *name) {
  fprintf(file, "  %-18s", name);
  for (size_t a = 0; a < count; a++) {
    for (size_t b = a + 1; b < count; b++) {
      double difference;
      if (trace_difference(&traces[a], &traces[b], name, &difference)) {
        fprintf(file, "  %14.3g", difference);
      } else {
        fprintf(file, "  %14s", "-");
      }
    }
  }
  fputc('\n', file);
}

/* A path that never keeps its scores forms them again for the tap. The note says so, because a
 * table of small differences would suggest that they were there all along. */
static void print_note(FILE *file, const Trace *traces, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (traces[i].path == ATTEND_PATH_NAIVE || traces[i].status != ATTEND_OK) continue;
    fputs("  blas overwrites its scores, and tiled never has all of them. For this table their "
          "scores\n"
          "  are formed once more, by their own product; masked scores and weights are made from "
          "these\n"
          "  as the naive path does it.\n",
          file);
    return;
  }
}

void path_table_print(FILE *file, const Trace *traces, size_t count) {
  fputs("\nThe same lesson through each path (-: not formed by both)\n", file);
  print_heads(file, traces, count);
  for (size_t i = 0; trace_name_at(i) != NULL; i++) {
    if (is_common(traces, count, trace_name_at(i))) {
      print_differences(file, traces, count, trace_name_at(i));
    }
  }
  print_note(file, traces, count);
  fputc('\n', file);
  for (size_t i = 0; i < count; i++) {
    const char *const path = attend_path_name(traces[i].path);
    if (traces[i].status != ATTEND_OK) {
      fprintf(file, "  %-6s  not run: %s\n", path, traces[i].reason);
    } else {
      fprintf(file, "  %-6s  %s a call\n", path, unit_seconds(traces[i].seconds).text);
    }
  }
}
