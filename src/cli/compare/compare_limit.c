/* compare_limit.c - one sentence on what limits a row, chosen by rule from the row's figures.
 *
 * The first rule that holds makes the sentence:
 *   1. A limit of the machine, if it accounts for MOST of the row's time: the processor's
 *      multiply-adds or reading memory, whichever takes longer for the row's FLOPs and bytes.
 *   2. Waiting, if it is the longest of four parts of the time: projections, norms and RoPE,
 *      attention between them, and the time in no phase, in which threads start and wait.
 *   3. Plain loops, if the path is naive.
 *   4. The longest part. Attention is limited by its score matrices if a contender that keeps none
 *      saves MOST of the time between the projections.
 * Rule 1 comes before rule 3: a naive path near the peak is said to be there. Each sentence names
 * the figures that its rule has read.
 */
#include <stdarg.h>
#include <string.h>

#include "cli/compare/compare_report.h"
#include "cli/util/units.h"

/* Half of the time: a cause that takes more outweighs all others together. */
#define MOST 0.5
/* A tenth of the time: a sentence leaves out less, because runs differ by as much. */
#define WORTH_A_WORD 0.1

/* The parts of a call's time; together they are the whole. */
typedef enum Part { PROJECTIONS, NORMS_AND_ROPE, ATTENTION, WAITING, PARTS } Part;

/* What the sentences draw on. */
typedef struct Figures {
  double parts[PARTS]; /* seconds of a call */
  double whole;
  double core_share; /* of the whole: attention and the waiting in it, as core_gflops counts it */
  double core_gflops, projection_gflops;
  double sgemm;
} Figures;

static double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

static Figures read_figures(const BenchRow *row) {
  Figures figures = {.sgemm = row->yardsticks->sgemm_gflops, .core_gflops = row_core_gflops(row)};
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) {
    const bool projects = p == ATTEND_PHASE_QKV_PROJECTION || p == ATTEND_PHASE_OUTPUT_PROJECTION;
    const Part part = projects                         ? PROJECTIONS
                      : p == ATTEND_PHASE_QK_NORM_ROPE ? NORMS_AND_ROPE
                                                       : ATTENTION;
    figures.parts[part] += row->phase_seconds[p];
  }
  figures.parts[WAITING] = row_other_seconds(row);
  for (size_t p = 0; p < PARTS; p++) figures.whole += figures.parts[p];
  figures.core_share = ratio(row_core_seconds(row), figures.whole);
  figures.projection_gflops =
      1e-9 * ratio(row->flops - row->core_flops, figures.parts[PROJECTIONS]);
  return figures;
}

static Part longest_part(const Figures *figures) {
  Part longest = PROJECTIONS;
  for (Part part = PROJECTIONS; part < PARTS; part++)
    if (figures->parts[part] > figures->parts[longest]) longest = part;
  return longest;
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

static void append_share_of_time(double seconds, const Figures *figures, const char *what,
                                 char *sentence) {
  if (seconds >= WORTH_A_WORD * figures->whole)
    append(sentence, "; %s %s of the time", what, unit_share(ratio(seconds, figures->whole)).text);
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

static void explain_limit(const BenchRun *run, const BenchRow *row, char *sentence) {
  if (row_limit(row) == BENCH_BANDWIDTH) {
    append(sentence, "Reading memory: %.3g GB/s are %s of the read bandwidth.", row_gbps(row),
           unit_share(row_read_share(row)).text);
    return;
  }
  append(sentence, "The processor's multiply-adds: %s of the FMA peak of %zu thread%s",
         unit_share(row_peak_share(row)).text, row->threads, row->threads == 1 ? "" : "s");
  if (row_sgemm_share(row) > 0)
    append(sentence, " and %s of what OpenBLAS's sgemm reaches on large square matrices",
           unit_share(row_sgemm_share(row)).text);
  append(sentence, "; ");
  append_scores(run, row, sentence);
  append(sentence, ".");
}

static void explain_waiting(const BenchRow *row, const Figures *figures, char *sentence) {
  append(
      sentence,
      "What surrounds the work: %s of the time is in no phase, because threads start and wait for "
      "each other or the call is short; %s of the FMA peak.",
      unit_share(ratio(figures->parts[WAITING], figures->whole)).text,
      unit_share(row_peak_share(row)).text);
}

static void explain_loops(const BenchRun *run, const BenchRow *row, const Figures *figures,
                          char *sentence) {
  const double speedup = compare_speedup(run, row);
  if (row->threads > 1 && speedup > 0)
    append(sentence, "The same loops on %zu threads, %.2f times as fast as on one: ", row->threads,
           speedup);
  else
    append(sentence, "Plain loops, not written for the vector units: ");
  append(sentence, "%.3g GFLOP/s are %s of the FMA peak of %zu thread%s", row_gflops(row),
         unit_share(row_peak_share(row)).text, row->threads, row->threads == 1 ? "" : "s");
  if (figures->sgemm > 0)
    append(sentence, ", of which sgemm reaches %s",
           unit_share(ratio(figures->sgemm, row_peak_gflops(row))).text);
  append(sentence, "; %s of the time is attention, and ", unit_share(figures->core_share).text);
  append_scores(run, row, sentence);
  if (run->config->causal && row->tokens > 1 && figures->core_share >= WORTH_A_WORD)
    append(sentence, "; of the pairs that they multiply the causal mask hides %s",
           unit_share(0.5 * (1 - 1 / (double)row->tokens)).text);
  append(sentence, ".");
}

static void explain_projections(const BenchRun *run, const BenchRow *row, const Figures *figures,
                                char *sentence) {
  const size_t rows = run->config->batch * row->tokens;
  const size_t square = yardstick_sgemm_size(run->config->yardstick_seconds);
  append(sentence, "The projections: %s of the time, at %.3g GFLOP/s",
         unit_share(ratio(figures->parts[PROJECTIONS], figures->whole)).text,
         figures->projection_gflops);
  if (figures->sgemm > 0)
    append(sentence, ", %s of sgemm's speed on square matrices of %zu rows",
           unit_share(ratio(figures->projection_gflops, figures->sgemm)).text, square);
  if (figures->sgemm > 0 && rows < square)
    append(sentence, ", where these have %zu row%s", rows, rows == 1 ? "" : "s");
  append_share_of_time(figures->parts[ATTENTION], figures, "attention takes", sentence);
  append_share_of_time(figures->parts[WAITING], figures, "threads that start and wait take",
                       sentence);
  append(sentence, ".");
}

static void explain_norms(const BenchRow *row, const Figures *figures, char *sentence) {
  append(sentence,
         "Norms and RoPE, which multiply next to nothing: %s of the time; %s of the FMA peak.",
         unit_share(ratio(figures->parts[NORMS_AND_ROPE], figures->whole)).text,
         unit_share(row_peak_share(row)).text);
}

/* The measured row of the same length and threads that keeps no score matrix; null without one. */
static const BenchRow *without_scores(const BenchRun *run, const BenchRow *row) {
  for (const BenchRow *other = run->rows; other < run->rows + run->row_count; other++)
    if (other != row && other->tokens == row->tokens && other->threads == row->threads &&
        other->score_bytes == 0 && other->samples.count > 0 && row_core_seconds(other) > 0)
      return other;
  return NULL;
}

static void explain_attention(const BenchRun *run, const BenchRow *row, const Figures *figures,
                              char *sentence) {
  const double seconds = row_core_seconds(row);
  const BenchRow *const other = row->score_bytes ? without_scores(run, row) : NULL;
  const bool costly = other && seconds - row_core_seconds(other) >= MOST * seconds;
  append(sentence, "%s: %s of the time is attention at %.3g GFLOP/s",
         costly ? "Its score matrices" : "Attention between the projections",
         unit_share(figures->core_share).text, figures->core_gflops);
  if (figures->sgemm > 0)
    append(sentence, ", %s of sgemm's speed",
           unit_share(figures->core_gflops / figures->sgemm).text);
  if (figures->projection_gflops > 0)
    append(sentence, " where the projections have %.3g", figures->projection_gflops);
  append_share_of_time(row->phase_seconds[ATTEND_PHASE_SOFTMAX], figures,
                       "softmax alone, which multiplies nothing, takes", sentence);
  append_share_of_time(row->phase_seconds[ATTEND_PHASE_PACKING], figures, "packing K and V takes",
                       sentence);
  append_share_of_time(figures->parts[WAITING], figures, "threads that start and wait take",
                       sentence);
  append(sentence, "; ");
  append_scores(run, row, sentence);
  if (costly)
    append(sentence, ", and %s, which keeps none, needs %s in place of %s for the same attention",
           attend_path_name(other->path), unit_seconds(row_core_seconds(other)).text,
           unit_seconds(seconds).text);
  append(sentence, ".");
}

static void explain_measured(const BenchRun *run, const BenchRow *row, char *sentence) {
  const Figures figures = read_figures(row);
  const Part longest = longest_part(&figures);
  if (row_limit_share(row) >= MOST)
    explain_limit(run, row, sentence);
  else if (longest == WAITING)
    explain_waiting(row, &figures, sentence);
  else if (row->path == ATTEND_PATH_NAIVE)
    explain_loops(run, row, &figures, sentence);
  else if (longest == PROJECTIONS)
    explain_projections(run, row, &figures, sentence);
  else if (longest == NORMS_AND_ROPE)
    explain_norms(row, &figures, sentence);
  else
    explain_attention(run, row, &figures, sentence);
}

void compare_explain(const BenchRun *run, const BenchRow *row,
                     char sentence[static COMPARE_SENTENCE_SIZE]) {
  *sentence = '\0';
  if (row->samples.count > 0)
    explain_measured(run, row, sentence);
  else
    append(sentence, "Not measured: %s.", row->reason);
}
