/* compare_report.c - a comparison as a table for people or as comma-separated values; owns layout
 * only.
 */
#include "cli/compare/compare_report.h"

#include <string.h>

#include "cli/bench/report_words.h"
#include "cli/util/csv.h"
#include "cli/util/units.h"
#include "cli/util/wrap.h"

#define LINE_WIDTH 120

static void write_contender(const BenchRow *row, char *text, size_t size) {
  snprintf(text, size, "%s, %zu thread%s", attend_path_name(row->path), row->threads,
           row->threads == 1 ? "" : "s");
}

static void print_header(const BenchRun *run, FILE *stream) {
  const BenchConfig *const config = run->config;
  const AttendMachine *const machine = &run->machine;
  const AttendLayerShape *const shape = &config->models->shape;
  fprintf(stream, "attend %s compare: %s, %s, %s, B = %zu\n", attend_version(),
          config->models->name, bench_part_name(config->part),
          config->causal ? "causal" : "bidirectional", config->batch);
  fprintf(stream, "sizes      E %zu, Hq %zu, Hk %zu, D %zu, Dv %zu\n", shape->width,
          shape->query_heads, shape->kv_heads, shape->head_dim, shape->value_dim);
  fprintf(stream, "machine    %s, %zu core%s", machine->processor, machine->cores,
          machine->cores == 1 ? "" : "s");
  if (machine->l2_bytes) fprintf(stream, ", L2 %s", unit_bytes((double)machine->l2_bytes).text);
  if (machine->l3_bytes) fprintf(stream, ", L3 %s", unit_bytes((double)machine->l3_bytes).text);
  fprintf(stream, "\nOpenBLAS   %s, core %s, threads by %s\n", machine->blas_version,
          machine->blas_core, run->blas_threading);
}

/* The limits that the contenders' rows are held against, each once. */
static void print_limits(const BenchRun *run, FILE *stream) {
  const Yardsticks *before = NULL;
  for (size_t p = 0; p < run->config->path_count; p++) {
    const BenchRow *const row = &run->rows[p];
    const Yardsticks *const limits = row->yardsticks;
    if (limits == before || limits->read_gbps <= 0) continue;
    before = limits;
    fprintf(stream, "limits     %zu thread%s: FMA peak %.1f, sgemm %.1f GFLOP/s, read %.1f GB/s\n",
            row->threads, row->threads == 1 ? "" : "s", limits->fma_gflops[run->machine.isa_best],
            limits->sgemm_gflops, limits->read_gbps);
  }
}

static void print_warnings(const BenchRun *run, FILE *stream) {
  char text[REPORT_WARNING_SIZE];
  const Warnings warnings = run_warnings(run);
  for (size_t w = 0; w < warnings.count; w++) {
    fputs("note       ", stream);
    print_wrapped(stream, report_warning(run, &warnings.items[w], text), 11, LINE_WIDTH);
  }
}

static void print_row(const BenchRun *run, const BenchRow *row, FILE *stream) {
  char contender[48], speedup[24] = "-";
  const double factor = compare_speedup(run, row);
  write_contender(row, contender, sizeof contender);
  fprintf(stream, "%7zu  %-17s", row->tokens, contender);
  if (row->samples.count > 0) {
    if (factor > 0) snprintf(speedup, sizeof speedup, factor < 9.95 ? "%.2f" : "%.1f", factor);
    fprintf(stream, " %9s %8s %8.1f %6s %6s %10s %10s %9.1e\n", unit_seconds(row_seconds(row)).text,
            speedup, row_gflops(row), unit_share(row_peak_share(row)).text,
            unit_share(row_sgemm_share(row)).text, unit_bytes((double)row->scratch_bytes).text,
            row->score_bytes ? unit_bytes((double)row->score_bytes).text : "none", row->error);
  }
  if (!*row->reason) return;
  fprintf(stream, "%s%s: ", row->samples.count > 0 ? "                           " : " ",
          bench_status_name(row->status));
  print_wrapped(stream, row->reason, 36, LINE_WIDTH);
}

static void print_rows(const BenchRun *run, FILE *stream) {
  fprintf(stream, "\n%7s  %-17s %9s %8s %8s %6s %6s %10s %10s %9s\n", "N", "path", "time",
          "speed-up", "GFLOP/s", "peak", "sgemm", "memory", "scores", "max error");
  for (size_t r = 0; r < run->row_count; r++) {
    if (run->rows[r].status == BENCH_PENDING) continue;
    if (r > 0 && run->rows[r].tokens != run->rows[r - 1].tokens) fputc('\n', stream);
    print_row(run, &run->rows[r], stream);
  }
}

/* The longest length at which the contender was measured; where there is none, the shortest. */
static const BenchRow *longest_row(const BenchRun *run, size_t path) {
  const size_t step = run->config->path_count;
  for (size_t n = run->config->token_count; n-- > 0;)
    if (run->rows[n * step + path].samples.count > 0) return &run->rows[n * step + path];
  return &run->rows[path];
}

static void print_sentences(const BenchRun *run, FILE *stream) {
  char contender[48], sentence[COMPARE_SENTENCE_SIZE];
  fputs("\nWhat limits each, at the longest N that was measured\n", stream);
  for (size_t p = 0; p < run->config->path_count; p++) {
    const BenchRow *const row = longest_row(run, p);
    if (row->status == BENCH_PENDING) continue;
    write_contender(row, contender, sizeof contender);
    compare_explain(run, row, sentence);
    fprintf(stream, "  %-17s N = %-6zu  ", contender, row->tokens);
    print_wrapped(stream, sentence, 32, LINE_WIDTH);
  }
}

void compare_print_table(const BenchRun *run, FILE *stream) {
  print_header(run, stream);
  print_limits(run, stream);
  print_warnings(run, stream);
  print_rows(run, stream);
  print_sentences(run, stream);
  fputc('\n', stream);
  print_wrapped(stream,
                "time: median of a call. speed-up: over the first path at the same N. peak, sgemm: "
                "share of the FMA peak and of sgemm on large square matrices, both with the row's "
                "number of threads. memory: scratch of a call; scores: the part of it that holds "
                "score matrices. max error: against a float64 oracle.",
                0, LINE_WIDTH);
  fprintf(stream, "%zu rows measured, %zu skipped, %zu failed in %.0f s.\n",
          run_count(run, BENCH_MEASURED), run_count(run, BENCH_SKIPPED),
          run_count(run, BENCH_FAILED), run->seconds);
}

static void write_case(Csv *csv, const BenchRun *run, const BenchRow *row) {
  csv_text(csv, "model", row->model->name);
  csv_text(csv, "part", bench_part_name(run->config->part));
  csv_text(csv, "causal", run->config->causal ? "true" : "false");
  csv_count(csv, "batch", run->config->batch);
  csv_count(csv, "tokens", row->tokens);
  csv_text(csv, "path", attend_path_name(row->path));
  csv_count(csv, "threads", row->threads);
  csv_text(csv, "status", bench_status_name(row->status));
  csv_text(csv, "reason", row->reason);
}

static void write_figures(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const bool ran = row->samples.count > 0;
  const double speedup = compare_speedup(run, row), core = row_core_gflops(row);
  csv_figure(csv, "seconds_median", ran, row_seconds(row));
  csv_figure(csv, "seconds_min", ran, samples_min(&row->samples));
  csv_figure(csv, "speedup", speedup > 0, speedup);
  csv_figure(csv, "gflops", ran, row_gflops(row));
  csv_figure(csv, "peak_share", ran && row_compute_seconds(row) > 0, row_peak_share(row));
  csv_figure(csv, "sgemm_share", ran && row->yardsticks->sgemm_gflops > 0, row_sgemm_share(row));
  csv_figure(csv, "core_gflops", core > 0, core);
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++) {
    char name[64];
    snprintf(name, sizeof name, "%s_seconds", attend_phase_name((AttendPhase)p));
    csv_figure(csv, name, ran, row->phase_seconds[p]);
  }
  csv_figure(csv, "other_seconds", ran, row_other_seconds(row));
}

static void write_limits(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const AttendMachine *const machine = &run->machine;
  const bool planned = row->scratch_bytes > 0, checked = row->rows_checked > 0;
  const double sgemm = row->yardsticks->sgemm_gflops;
  char sentence[COMPARE_SENTENCE_SIZE];
  compare_explain(run, row, sentence);
  csv_figure(csv, "scratch_bytes", planned, (double)row->scratch_bytes);
  csv_figure(csv, "score_bytes", planned, (double)row->score_bytes);
  csv_figure(csv, "max_error", checked, row->error);
  csv_figure(csv, "fma_gflops", row_compute_seconds(row) > 0, row_peak_gflops(row));
  csv_figure(csv, "sgemm_gflops", sgemm > 0, sgemm);
  csv_figure(csv, "l2_bytes", machine->l2_bytes > 0, (double)machine->l2_bytes);
  csv_figure(csv, "l3_bytes", machine->l3_bytes > 0, (double)machine->l3_bytes);
  csv_text(csv, "processor", machine->processor);
  csv_text(csv, "blas_core", machine->blas_core);
  csv_text(csv, "limited_by", sentence);
}

static void write_row(FILE *stream, const BenchRun *run, const BenchRow *row, bool names) {
  Csv csv = {.stream = stream, .names = names};
  write_case(&csv, run, row);
  write_figures(&csv, run, row);
  write_limits(&csv, run, row);
  csv_end(&csv);
}

void compare_print_csv(const BenchRun *run, FILE *stream) {
  write_row(stream, run, &run->rows[0], true);
  for (size_t r = 0; r < run->row_count; r++)
    if (run->rows[r].status != BENCH_PENDING) write_row(stream, run, &run->rows[r], false);
}
