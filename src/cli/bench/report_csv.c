/* report_csv.c - the rows as comma-separated values: which columns there are, and in which order.
 */
#include "bench/scoring.h"
#include "cli/bench/report.h"
#include "cli/util/csv.h"

static void write_case(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const BenchConfig *const config = run->config;
  const AttendLayerShape *const shape = &row->model->shape;
  csv_text(csv, "model", row->model->name);
  csv_count(csv, "d_model", shape->width);
  csv_count(csv, "heads", shape->query_heads);
  csv_count(csv, "kv_heads", shape->kv_heads);
  csv_count(csv, "head_dim", shape->head_dim);
  csv_count(csv, "value_dim", shape->value_dim);
  csv_text(csv, "part", bench_part_name(config->part));
  csv_text(csv, "mode", bench_mode_name(config->mode));
  csv_text(csv, "causal", config->causal ? "true" : "false");
  csv_figure(csv, "chunk", config->chunk > 0, (double)config->chunk);
  csv_count(csv, "batch", config->batch);
  csv_count(csv, "tokens", row->tokens);
  csv_count(csv, "threads", row->threads);
  csv_text(csv, "path", attend_path_name(row->path));
  csv_text(csv, "isa", attend_isa_name(row->isa));
  csv_text(csv, "precision", attend_precision_name(row->precision));
  csv_text(csv, "storage", attend_storage_name(row->storage));
  csv_text(csv, "status", bench_status_name(row->status));
  csv_text(csv, "reason", row->reason);
}

/* What the row's layer does beside projecting; an empty field for what it does not do. */
static void write_options(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const BenchConfig *const config = run->config;
  const AttendModel *const model = row->model;
  const AttendOptions options = scoring_options(config, model);
  const bool layer = config->part == BENCH_LAYER;
  csv_count(csv, "layer", config->layer);
  csv_text(csv, "rope", layer && model->rope.pairing != ATTEND_ROPE_NONE ? "true" : "false");
  csv_text(csv, "qk_norm", layer && model->qk_norm ? "true" : "false");
  csv_figure(csv, "scale", true, scoring_scale(config, model));
  csv_figure(csv, "softcap", options.softcap > 0, (double)options.softcap);
  csv_figure(csv, "window_left", options.window_left >= 0, (double)options.window_left);
  csv_figure(csv, "window_right", options.window_right >= 0, (double)options.window_right);
  csv_text(csv, "alibi", config->scores.alibi ? "true" : "false");
  csv_text(csv, "sinks", scoring_has_sinks(config, model) ? "true" : "false");
  csv_text(csv, "mask", bench_mask_name(config->scores.mask));
  csv_figure(csv, "mask_share", config->scores.mask == BENCH_MASK_RANDOM,
             config->scores.mask_share);
}

static void write_figures(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const bool ran = row->samples.count > 0, planned = row->flops > 0;
  const Yardsticks *const limits = row->yardsticks;
  csv_count(csv, "samples", row->samples.count);
  csv_figure(csv, "calls_per_sample", ran, (double)row->calls_per_sample);
  csv_figure(csv, "seconds_median", ran, row_seconds(row));
  csv_figure(csv, "seconds_min", ran, samples_min(&row->samples));
  csv_figure(csv, "tokens_per_second", ran, row_tokens_per_second(row, run->config));
  csv_figure(csv, "flops", planned, row->flops);
  csv_figure(csv, "core_flops", planned, row->core_flops);
  csv_figure(csv, "bytes", planned, row->bytes);
  csv_figure(csv, "gflops", ran, row_gflops(row));
  csv_figure(csv, "peak_share", ran && row_compute_seconds(row) > 0, row_peak_share(row));
  csv_figure(csv, "sgemm_share", ran && limits->sgemm_gflops > 0, row_sgemm_share(row));
  csv_figure(csv, "gbps", ran, row_gbps(row));
  csv_figure(csv, "read_share", ran && limits->read_gbps > 0, row_read_share(row));
  csv_text(csv, "limit", ran ? bench_limit_name(row_limit(row)) : "");
  csv_figure(csv, "limit_share", ran, row_limit_share(row));
}

static void write_phases(Csv *csv, const BenchRow *row) {
  const bool ran = row->samples.count > 0;
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++) {
    char name[64];
    snprintf(name, sizeof name, "%s_seconds", attend_phase_name((AttendPhase)p));
    csv_figure(csv, name, ran, row->phase_seconds[p]);
  }
  csv_figure(csv, "other_seconds", ran, row_other_seconds(row));
}

static void write_memory_and_error(Csv *csv, const BenchRow *row) {
  const bool known = row->scratch_bytes > 0, checked = row->rows_checked > 0;
  csv_figure(csv, "scratch_bytes", known, (double)row->scratch_bytes);
  csv_figure(csv, "score_bytes", known, (double)row->score_bytes);
  csv_count(csv, "rows_checked", row->rows_checked);
  csv_figure(csv, "max_error", checked, row->error);
  csv_figure(csv, "error_share", checked, row->error_share);
}

static void write_machine(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const Yardsticks *const limits = row->yardsticks;
  csv_figure(csv, "fma_gflops", row_compute_seconds(row) > 0, row_peak_gflops(row));
  csv_figure(csv, "sgemm_gflops", limits->sgemm_gflops > 0, limits->sgemm_gflops);
  csv_figure(csv, "read_gbps", limits->read_gbps > 0, limits->read_gbps);
  csv_figure(csv, "contention_share", run->contention_share >= 0, run->contention_share);
  csv_text(csv, "processor", run->machine.processor);
  csv_text(csv, "blas_version", run->machine.blas_version);
  csv_text(csv, "blas_core", run->machine.blas_core);
  csv_text(csv, "blas_threading", run->blas_threading);
}

static void write_row(FILE *stream, const BenchRun *run, const BenchRow *row, bool names) {
  Csv csv = {.stream = stream, .names = names};
  write_case(&csv, run, row);
  write_options(&csv, run, row);
  write_figures(&csv, run, row);
  write_phases(&csv, row);
  write_memory_and_error(&csv, row);
  write_machine(&csv, run, row);
  csv_end(&csv);
}

void report_csv(const BenchRun *run, FILE *stream) {
  write_row(stream, run, &run->rows[0], true);
  for (size_t r = 0; r < run->row_count; r++)
    if (run->rows[r].status != BENCH_PENDING) write_row(stream, run, &run->rows[r], false);
}
