/* report_table.c - the run as tables for people, at most 120 columns wide.
 *
 * For each model two tables over the same rows: what a call costs and how far it is from the
 * machine's limits, and where its time goes. A row without figures has its reason in their place.
 */
#include <string.h>

#include "cli/bench/report.h"
#include "cli/bench/report_words.h"
#include "cli/util/units.h"
#include "cli/util/wrap.h"

#define LINE_WIDTH 120
/* Columns before the first figure: N, path, precision and threads. */
#define CASE_WIDTH 26
/* Of a phase's share, if its name is not longer. */
#define PHASE_WIDTH 6

static bool has_figures(const BenchRow *row) {
  return row->samples.count > 0;
}

static void print_header(const BenchRun *run, FILE *stream) {
  const BenchConfig *const config = run->config;
  const AttendMachine *const machine = &run->machine;
  fprintf(stream, "attend %s bench: %s, %s", attend_version(), bench_part_name(config->part),
          bench_mode_name(config->mode));
  if (config->chunk)
    fprintf(stream, " in chunks of %zu token%s", config->chunk, config->chunk == 1 ? "" : "s");
  fprintf(stream, ", %s, B = %zu", config->causal ? "causal" : "bidirectional", config->batch);
  if (config->storage != ATTEND_STORAGE_AUTO)
    fprintf(stream, ", stored in %s", attend_storage_name(config->storage));
  fputc('\n', stream);
  fprintf(stream, "machine    %s, %zu core%s, kernels up to %s", machine->processor, machine->cores,
          machine->cores == 1 ? "" : "s", attend_isa_name(machine->isa_best));
  if (machine->l3_bytes) fprintf(stream, ", L3 %s", unit_bytes((double)machine->l3_bytes).text);
  fprintf(stream, "\nOpenBLAS   %s, core %s, threads by %s\n", machine->blas_version,
          machine->blas_core, run->blas_threading);
}

static void print_yardsticks(const BenchRun *run, FILE *stream) {
  for (size_t t = 0; t < run->config->thread_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    const size_t threads = run->config->threads[t];
    if (limits->read_gbps <= 0) continue;
    fprintf(stream, "limits     %zu thread%s: FMA peak", threads, threads == 1 ? "" : "s");
    for (int isa = ATTEND_ISA_COUNT - 1; isa > ATTEND_ISA_AUTO; isa--)
      if (limits->fma_gflops[isa] > 0)
        fprintf(stream, " %s %.1f,", attend_isa_name((AttendIsa)isa), limits->fma_gflops[isa]);
    fprintf(stream, " sgemm %.1f GFLOP/s, read %.1f GB/s\n", limits->sgemm_gflops,
            limits->read_gbps);
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

/* What a layer does to heads and scores, on a line of its own. */
static void print_scoring(const AttendModel *model, const BenchConfig *config, FILE *stream) {
  const bool layer = config->part == BENCH_LAYER;
  const bool rope = layer && model->rope.pairing != ATTEND_ROPE_NONE;
  const bool norm = layer && model->qk_norm;
  char scoring[REPORT_SCORES_SIZE], text[REPORT_SCORES_SIZE + 64];
  report_scores(config, model, scoring);
  if (!rope && !norm && !*scoring) return;
  snprintf(text, sizeof text, "layer %zu of %zu: %s%s%s%s%s", config->layer, model->layers,
           norm ? "QK-norm" : "", norm && (rope || *scoring) ? ", " : "", rope ? "RoPE" : "",
           rope && *scoring ? ", " : "", scoring);
  fputs("  ", stream);
  print_wrapped(stream, text, 2, LINE_WIDTH);
}

static void print_model(const AttendModel *model, const BenchConfig *config, FILE *stream) {
  const AttendLayerShape *const shape = &model->shape;
  fprintf(stream, "\n%s: E %zu, Hq %zu, Hk %zu, D %zu", model->name, shape->width,
          shape->query_heads, shape->kv_heads, shape->head_dim);
  if (shape->value_dim != shape->head_dim) fprintf(stream, ", Dv %zu", shape->value_dim);
  if (model->qkv_bias || model->output_bias)
    fprintf(stream, ", biases on%s%s%s", model->qkv_bias ? " QKV" : "",
            model->qkv_bias && model->output_bias ? " and" : "",
            model->output_bias ? " output" : "");
  fputc('\n', stream);
  print_scoring(model, config, stream);
}

static void print_case(const BenchRow *row, FILE *stream) {
  fprintf(stream, "%7zu  %-6s %-6s %3zu", row->tokens, attend_path_name(row->path),
          attend_precision_name(row->precision), row->threads);
}

static void print_reason(const BenchRow *row, FILE *stream) {
  char text[BENCH_REASON_SIZE + 16];
  snprintf(text, sizeof text, "%s: %s", row->status == BENCH_FAILED ? "FAILED" : "skipped",
           row->reason);
  fputs("  ", stream);
  print_wrapped(stream, text, CASE_WIDTH + 2, LINE_WIDTH);
}

static void print_cost_head(BenchMode mode, FILE *stream) {
  const bool decode = mode == BENCH_DECODE;
  fprintf(stream, "%7s  %-6s %-6s %3s %8s %8s %8s %8s %6s %6s %15s %8s %8s %8s\n", "N", "path",
          "prec", "thr", "median", "min", "tokens/s", "GFLOP/s", decode ? "GB/s" : "peak",
          decode ? "read" : "sgemm", "limit", "scratch", "scores", "error");
}

static void print_cost(const BenchRow *row, const BenchConfig *config, FILE *stream) {
  const bool decode = config->mode == BENCH_DECODE;
  print_case(row, stream);
  fprintf(stream, " %8s %8s %8s %8s", unit_seconds(row_seconds(row)).text,
          unit_seconds(samples_min(&row->samples)).text,
          unit_count(row_tokens_per_second(row, config)).text, unit_gflops(row_gflops(row)).text);
  fprintf(stream, " %6s %6s %9s %5s",
          decode ? unit_gflops(row_gbps(row)).text : unit_share(row_peak_share(row)).text,
          unit_share(decode ? row_read_share(row) : row_sgemm_share(row)).text,
          bench_limit_name(row_limit(row)), unit_share(row_limit_share(row)).text);
  fprintf(stream, " %8s %8s %8.1e\n", unit_bytes((double)row->scratch_bytes).text,
          row->score_bytes ? unit_bytes((double)row->score_bytes).text : "none", row->error);
}

static void print_costs(const BenchRow *rows, size_t count, const BenchConfig *config,
                        FILE *stream) {
  print_cost_head(config->mode, stream);
  for (size_t r = 0; r < count; r++) {
    if (rows[r].status == BENCH_PENDING) continue;
    if (r > 0 && rows[r].tokens != rows[r - 1].tokens) fputc('\n', stream);
    if (has_figures(&rows[r])) print_cost(&rows[r], config, stream);
    if (*rows[r].reason) {
      if (has_figures(&rows[r]))
        fprintf(stream, "%*s", CASE_WIDTH, "");
      else
        print_case(&rows[r], stream);
      print_reason(&rows[r], stream);
    }
  }
}

static const char *const phase_heads[ATTEND_PHASE_COUNT] = {
    [ATTEND_PHASE_QKV_PROJECTION] = "QKV",  [ATTEND_PHASE_QK_NORM_ROPE] = "norm,RoPE",
    [ATTEND_PHASE_PACKING] = "packing",     [ATTEND_PHASE_SCORES] = "scores",
    [ATTEND_PHASE_SOFTMAX] = "softmax",     [ATTEND_PHASE_WEIGHTED_SUM] = "weighted",
    [ATTEND_PHASE_ATTENTION] = "attention", [ATTEND_PHASE_OUTPUT_PROJECTION] = "output",
};

static int phase_width(size_t phase) {
  const int head = (int)strlen(phase_heads[phase]);
  return head > PHASE_WIDTH ? head : PHASE_WIDTH;
}

static void print_phases(const BenchRow *row, FILE *stream) {
  double whole = row_other_seconds(row);
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) whole += row->phase_seconds[p];
  print_case(row, stream);
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++)
    fprintf(stream, " %*s", phase_width(p),
            whole > 0 ? unit_share(row->phase_seconds[p] / whole).text : "-");
  fprintf(stream, " %6s", whole > 0 ? unit_share(row_other_seconds(row) / whole).text : "-");
  fprintf(stream, " %13s\n", unit_gflops(row_core_gflops(row)).text);
}

static void print_phase_table(const BenchRow *rows, size_t count, FILE *stream) {
  size_t measured = 0;
  for (size_t r = 0; r < count; r++) measured += has_figures(&rows[r]);
  if (!measured) return;
  fprintf(stream, "\n  Where the time goes, in shares of a call:\n");
  fprintf(stream, "%7s  %-6s %-6s %3s", "N", "path", "prec", "thr");
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++)
    fprintf(stream, " %*s", phase_width(p), phase_heads[p]);
  fprintf(stream, " %6s %13s\n", "other", "core GFLOP/s");
  for (size_t r = 0; r < count; r++)
    if (has_figures(&rows[r])) print_phases(&rows[r], stream);
}

static void print_plans(const BenchRow *rows, size_t count, FILE *stream) {
  for (size_t r = 0; r < count; r++) {
    if (!rows[r].plan_text) continue;
    fputs("\n  Plan of", stream);
    print_case(&rows[r], stream);
    fprintf(stream, "\n%s%s", rows[r].plan_text,
            rows[r].plan_text[strlen(rows[r].plan_text) - 1] == '\n' ? "" : "\n");
  }
}

/* A row whose data stay in the cache can beat the bandwidth of memory. */
static void print_cache_note(const BenchRun *run, FILE *stream) {
  for (size_t r = 0; r < run->row_count; r++) {
    const BenchRow *const row = &run->rows[r];
    if (!has_figures(row) || row->bytes > (double)run->machine.l3_bytes) continue;
    if (row_limit(row) != BENCH_BANDWIDTH) continue;
    print_wrapped(stream,
                  "A row whose weights, K and V fit into the L3 cache can read faster than memory, "
                  "and its share of the bandwidth can exceed 100%.",
                  0, LINE_WIDTH);
    return;
  }
}

static void print_footer(const BenchRun *run, FILE *stream) {
  fputc('\n', stream);
  print_wrapped(
      stream,
      "prec: the precision of the tiled path's products. median, min: of one call. limit: what "
      "bounds the row on this machine, the FLOPs at the fp32 FMA peak of their ISA or the bytes at "
      "the read bandwidth, and the share of it that was reached, which products of bf16 take "
      "beyond 100%. "
      "scores: the part of the scratch that holds whole score "
      "matrices. error: the largest, against a float64 oracle, over all rows of the output or, "
      "where there are many, over the first, the last and some between. other: "
      "of no phase, such as threads that start or wait. core GFLOP/s: of the attention between the "
      "projections, packing and waiting included; pairs outside of causality and the window do not "
      "count, those that a mask hides do.",
      0, LINE_WIDTH);
  print_cache_note(run, stream);
  fprintf(stream, "%zu rows measured, %zu skipped, %zu failed in %.0f s.\n",
          run_count(run, BENCH_MEASURED), run_count(run, BENCH_SKIPPED),
          run_count(run, BENCH_FAILED), run->seconds);
  if (run->interrupted)
    fprintf(stream, "Interrupted: %zu rows were not reached.\n", run_count(run, BENCH_PENDING));
}

void report_table(const BenchRun *run, FILE *stream) {
  print_header(run, stream);
  print_yardsticks(run, stream);
  print_warnings(run, stream);
  const size_t count = run->row_count / run->config->model_count;
  for (size_t m = 0; m < run->config->model_count; m++) {
    const BenchRow *const rows = run->rows + m * count;
    size_t pending = 0;
    for (size_t r = 0; r < count; r++) pending += rows[r].status == BENCH_PENDING;
    if (pending == count) continue;
    print_model(rows->model, run->config, stream);
    print_costs(rows, count, run->config, stream);
    print_phase_table(rows, count, stream);
    print_plans(rows, count, stream);
  }
  print_footer(run, stream);
}
