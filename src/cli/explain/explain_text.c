/* explain_text.c - the order of the parts of an explanation on a page. */
#include <stdio.h>

#include "cli/explain/by_hand.h"
#include "cli/explain/explanation.h"
#include "cli/explain/path_table.h"
#include "cli/explain/walkthrough.h"
#include "cli/util/units.h"
#include "cli/util/wrap.h"

#define PLAN_SIZE 4096
#define WRAP_COLUMNS 92

void explanation_print_plan(const AttendPlan *plan, AttendStatus status) {
  char text[PLAN_SIZE];
  attend_describe_plan(plan, text, sizeof text);
  fputs(text, stdout);
  if (status == ATTEND_OK) return;
  printf("no path runs this: %s\n", attend_status_message(status));
}

static void print_seek(const SeekResult *seek) {
  puts("\nHow the query was found");
  fputs("  ", stdout);
  print_wrapped(stdout, seek->how, 2, WRAP_COLUMNS);
  if (!seek->reached) {
    printf("  No query reaches the weight that was asked for; this one comes nearest, with %.4g.\n",
           seek->weight);
  }
}

static void print_by_hand(const Explanation *e, Walk *walk, bool colour) {
  by_hand_print(walk->file, e->lesson, &e->by_sum, explanation_shown(e), colour);
  if (e->seek != NULL) print_seek(e->seek);
}

void explanation_print_text(const Explanation *e, bool colour) {
  Walk walk = {.file = stdout, .lesson = e->lesson, .colour = colour};
  const Trace *const shown = explanation_shown(e);
  walk_title(&walk);
  if (by_hand_applies(e->lesson)) {
    print_by_hand(e, &walk, colour);
  } else {
    if (e->path_note[0] != '\0') printf("\n%s\n", e->path_note);
    walk_inputs(&walk);
    walk_trace(&walk, shown);
    if (e->rounded.count > 0) walk_rounded(&walk, shown, &e->rounded);
  }
  if (e->trace_count > 1) path_table_print(stdout, e->traces, e->trace_count);
  puts("\nPlan of this size");
  explanation_print_plan(&e->plan, e->plan_status);
  if (e->lesson->of_model) return;
  puts("  (of a real size: attend explain --model llama-7b --tokens 32768 --plan)");
}
