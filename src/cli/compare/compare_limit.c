/* compare_limit.c - one sentence on what limits a row, chosen and worded by its measured figures.
 *
 * The order of the questions: is the row near a limit of the machine, or near what OpenBLAS makes
 * of it; if not, is it nothing that was computed; is it the path that does not use vectors; else is
 * it what stands between the projections, or the projections, or the rest. No sentence is tied to a
 * path's name alone: a naive path near the peak would be said to be there. A cause is named only
 * where a figure of this run shows it.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/compare/compare_report.h"
#include "cli/util/units.h"

/* From this share of a limit on, the limit is what holds the row. */
#define NEAR_LIMIT 0.6
/* From this share of sgemm's speed on, a call that spends its time in sgemm has little left to
 * win. */
#define NEAR_SGEMM 0.85
/* Below this share of the peak, the vector units are idle most of the time. */
#define VECTORS_IDLE 0.25
/* A part whose speed is below this share of sgemm's is slowed by something else than arithmetic. */
#define SLOW_PART 0.75
/* Score matrices are what slows a core down if so much of it is softmax, which is passes over them,
 * or if they are larger than L2 and the core is slower than without them by this factor. */
#define SOFTMAX_OF_CORE 0.3
#define SCORES_COST 1.2
/* What happens in a smaller share of the time is not worth a word. */
#define WORTH_A_WORD 0.1
/* From this share of the time on, what no phase accounts for is what limits the row. */
#define MOSTLY_OTHER 0.5

/* What the sentences draw on. */
typedef struct Figures {
  double whole; /* seconds of a call by its phases */
  double core, softmax, packing, projections, other;
  double core_gflops, projection_gflops;
  double sgemm;
} Figures;

static double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

static Figures read_figures(const BenchRow *row) {
  const double projections = row->phase_seconds[ATTEND_PHASE_QKV_PROJECTION] +
                             row->phase_seconds[ATTEND_PHASE_OUTPUT_PROJECTION];
  Figures figures = {.whole = row_other_seconds(row),
                     .core = row_core_seconds(row),
                     .softmax = row->phase_seconds[ATTEND_PHASE_SOFTMAX],
                     .packing = row->phase_seconds[ATTEND_PHASE_PACKING],
                     .other = row_other_seconds(row),
                     .projections = projections,
                     .sgemm = row->yardsticks->sgemm_gflops};
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) figures.whole += row->phase_seconds[p];
  figures.core_gflops = row_core_gflops(row);
  figures.projection_gflops = 1e-9 * ratio(row->flops - row->core_flops, projections);
  return figures;
}

static void append(char *sentence, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *sentence, const char *format, ...) {
  const size_t used = strlen(sentence);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence + used, COMPARE_SENTENCE_SIZE - used, format, arguments);
  va_end(arguments);
}

double compare_speedup(const BenchRun *run, const BenchRow *row) {
  const size_t place = (size_t)(row - run->rows) / run->config->path_count;
  return ratio(row_seconds(&run->rows[place * run->config->path_count]), row_seconds(row));
}

/* How the bytes of score matrices that are in use at a time compare with the caches. They are
 * divided among the threads, each of which has an L2 of its own. */
static void append_scores(const BenchRun *run, const BenchRow *row, char *sentence) {
  const double each = (double)row->score_bytes / (double)row->threads;
  const double l2 = (double)run->machine.l2_bytes, l3 = (double)run->machine.l3_bytes;
  if (row->score_bytes == 0)
    append(sentence, "no score matrix is kept");
  else if (l2 > 0 && each <= l2)
    append(sentence, "the %s of score matrices a thread still fit into its L2 of %s",
           unit_bytes(each).text, unit_bytes(l2).text);
  else if (l2 > 0 && l3 > 0 && (double)row->score_bytes <= l3)
    append(sentence,
           "the %s of score matrices a thread do not fit into its L2 of %s, but into the L3",
           unit_bytes(each).text, unit_bytes(l2).text);
  else if (l3 > 0)
    append(sentence, "the %s of score matrices do not fit into the L3 of %s and go through memory",
           unit_bytes((double)row->score_bytes).text, unit_bytes(l3).text);
  else
    append(sentence, "the score matrices take %s", unit_bytes((double)row->score_bytes).text);
}

static void explain_near_peak(const BenchRun *run, const BenchRow *row, char *sentence) {
  append(sentence, "The processor's multiply-adds: %s of the FMA peak of %zu thread%s",
         unit_share(row_peak_share(row)).text, row->threads, row->threads == 1 ? "" : "s");
  if (row_sgemm_share(row) > 0)
    append(sentence, " and %s of what OpenBLAS's sgemm reaches on large square matrices",
           unit_share(row_sgemm_share(row)).text);
  append(sentence, "; ");
  append_scores(run, row, sentence);
  append(sentence, ".");
}

static void explain_near_sgemm(const BenchRun *run, const BenchRow *row, const Figures *figures,
                               char *sentence) {
  append(
      sentence,
      "The speed of sgemm: %.3g GFLOP/s are %s of what OpenBLAS reaches on large square matrices, "
      "which is %s of the FMA peak",
      row_gflops(row), unit_share(row_sgemm_share(row)).text,
      unit_share(ratio(figures->sgemm, row_peak_gflops(row))).text);
  append(sentence, "; ");
  if (figures->projections > 0)
    append(sentence, "%s of the time is projections, ",
           unit_share(ratio(figures->projections, figures->whole)).text);
  append(sentence, "%s attention, and ", unit_share(ratio(figures->core, figures->whole)).text);
  append_scores(run, row, sentence);
  append(sentence, ".");
}

static void explain_loops(const BenchRun *run, const BenchRow *row, const Figures *figures,
                          char *sentence) {
  const double speedup = compare_speedup(run, row);
  if (row->threads > 1 && speedup > 0)
    append(sentence, "The same loops on %zu threads, %.2f times as fast as on one: ", row->threads,
           speedup);
  else
    append(sentence, "Plain loops, which use little of the vector units: ");
  append(sentence, "%.3g GFLOP/s are %s of the FMA peak of %zu thread%s", row_gflops(row),
         unit_share(row_peak_share(row)).text, row->threads, row->threads == 1 ? "" : "s");
  if (figures->sgemm > 0)
    append(sentence, ", of which sgemm reaches %s",
           unit_share(ratio(figures->sgemm, row_peak_gflops(row))).text);
  append(sentence, "; %s of the time is attention, and ",
         unit_share(ratio(figures->core, figures->whole)).text);
  append_scores(run, row, sentence);
  if (run->config->causal && row->tokens > 1 && figures->core >= WORTH_A_WORD * figures->whole)
    append(sentence, "; of the pairs that they multiply the causal mask hides %s",
           unit_share(0.5 * (1 - 1 / (double)row->tokens)).text);
  append(sentence, ".");
}

/* The measured row of the same length and threads that keeps no score matrix; null without one. */
static const BenchRow *without_scores(const BenchRun *run, const BenchRow *row) {
  for (const BenchRow *other = run->rows; other < run->rows + run->row_count; other++)
    if (other != row && other->tokens == row->tokens && other->threads == row->threads &&
        other->score_bytes == 0 && other->samples.count > 0 && row_core_seconds(other) > 0)
      return other;
  return NULL;
}

static void append_part(double seconds, double whole, const char *what, char *sentence) {
  if (seconds >= WORTH_A_WORD * whole)
    append(sentence, "; %s %s", what, unit_share(ratio(seconds, whole)).text);
}

/* Between the projections: what is slow there, beside the projections' own speed. */
static void explain_core(const BenchRun *run, const BenchRow *row, const Figures *figures,
                         char *sentence) {
  const BenchRow *const other = row->score_bytes ? without_scores(run, row) : NULL;
  const bool costly = other && figures->core >= SCORES_COST * row_core_seconds(other);
  const bool passes = row->score_bytes && figures->softmax >= SOFTMAX_OF_CORE * figures->core;
  const size_t l2 = run->machine.l2_bytes;
  const bool large = l2 > 0 && row->score_bytes / row->threads > l2;
  append(sentence, passes || (costly && large) ? "Its score matrices: "
                                               : "Attention between the projections: ");
  append(sentence, "%s of the time is attention at %.3g GFLOP/s",
         unit_share(ratio(figures->core, figures->whole)).text, figures->core_gflops);
  if (figures->sgemm > 0)
    append(sentence, ", %s of sgemm's speed",
           unit_share(figures->core_gflops / figures->sgemm).text);
  if (figures->projection_gflops > 0)
    append(sentence, " where the projections have %.3g", figures->projection_gflops);
  if (figures->softmax > 0)
    append(sentence, "; softmax alone, which multiplies nothing, takes %s of the time",
           unit_share(ratio(figures->softmax, figures->whole)).text);
  append_part(figures->packing, figures->whole, "packing K and V takes", sentence);
  append_part(figures->other, figures->whole, "threads that start and wait take", sentence);
  append(sentence, "; ");
  append_scores(run, row, sentence);
  if (costly)
    append(sentence, ", and %s, which keeps none, needs %s in place of %s for the same attention",
           attend_path_name(other->path), unit_seconds(row_core_seconds(other)).text,
           unit_seconds(figures->core).text);
  append(sentence, ".");
}

static void explain_projections(const BenchRun *run, const BenchRow *row, const Figures *figures,
                                char *sentence) {
  const size_t rows = run->config->batch * row->tokens;
  const size_t square = yardstick_sgemm_size(run->config->yardstick_seconds);
  append(sentence,
         "The projections: %s of the time, at %.3g GFLOP/s, %s of sgemm's speed on square matrices "
         "of %zu rows",
         unit_share(ratio(figures->projections, figures->whole)).text, figures->projection_gflops,
         unit_share(ratio(figures->projection_gflops, figures->sgemm)).text, square);
  if (rows < square) append(sentence, ", where these have %zu row%s", rows, rows == 1 ? "" : "s");
  append(sentence, ".");
}

static void explain_other(const BenchRow *row, const Figures *figures, char *sentence) {
  append(
      sentence,
      "What surrounds the work: %s of the time is in no phase, because threads start and wait for "
      "each other or the call is short; %s of the FMA peak.",
      unit_share(ratio(figures->other, figures->whole)).text, unit_share(row_peak_share(row)).text);
}

/* The phase that takes longest, for a row that none of the other sentences fits. */
static void explain_phase(const BenchRow *row, const Figures *figures, char *sentence) {
  const char *name = "what is between the phases";
  double longest = row_other_seconds(row);
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++)
    if (row->phase_seconds[p] > longest) {
      longest = row->phase_seconds[p];
      name = attend_phase_name((AttendPhase)p);
    }
  append(sentence, "No single limit: %s of the FMA peak, and the longest phase, %s, takes %s.",
         unit_share(row_peak_share(row)).text, name,
         unit_share(ratio(longest, figures->whole)).text);
}

static void explain_measured(const BenchRun *run, const BenchRow *row, char *sentence) {
  const Figures figures = read_figures(row);
  const double peak = row_peak_share(row);
  const bool slow_core = figures.core_gflops < SLOW_PART * figures.sgemm;
  const bool slow_projections =
      figures.projections > 0 && figures.projection_gflops < SLOW_PART * figures.sgemm;
  /* The kernels of the tiled path owe nothing to sgemm, nor do plain loops. */
  const bool in_sgemm =
      row->path == ATTEND_PATH_BLAS ||
      (row->path == ATTEND_PATH_TILED && figures.projections >= 0.5 * figures.whole);
  if (row_limit(row) == BENCH_COMPUTE && peak >= NEAR_LIMIT) {
    explain_near_peak(run, row, sentence);
  } else if (row_limit(row) == BENCH_BANDWIDTH && row_read_share(row) >= NEAR_LIMIT) {
    append(sentence, "Reading memory: %.3g GB/s are %s of the read bandwidth.", row_gbps(row),
           unit_share(row_read_share(row)).text);
  } else if (in_sgemm && row_sgemm_share(row) >= NEAR_SGEMM) {
    explain_near_sgemm(run, row, &figures, sentence);
  } else if (figures.other >= MOSTLY_OTHER * figures.whole) {
    explain_other(row, &figures, sentence);
  } else if (peak > 0 && peak < VECTORS_IDLE && row->path == ATTEND_PATH_NAIVE) {
    explain_loops(run, row, &figures, sentence);
  } else if (slow_core && figures.core >= figures.projections * (slow_projections ? 1 : 0.3)) {
    explain_core(run, row, &figures, sentence);
  } else if (slow_projections && figures.projections >= 0.4 * figures.whole) {
    explain_projections(run, row, &figures, sentence);
  } else {
    explain_phase(row, &figures, sentence);
  }
}

void compare_explain(const BenchRun *run, const BenchRow *row,
                     char sentence[static COMPARE_SENTENCE_SIZE]) {
  *sentence = '\0';
  if (row->samples.count > 0)
    explain_measured(run, row, sentence);
  else
    append(sentence, "Not measured: %s.", row->reason);
}
