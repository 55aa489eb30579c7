/* report_csv.c - the rows as comma-separated values.
 *
 * A column's name and its value are written by the same line of code, once for the header and once
 * for each row, so that they cannot come apart. A figure that a row does not have is an empty field.
 */
#include <string.h>

#include "bench/report.h"

typedef struct Csv {
  FILE *stream;
  bool names; /* write the column's name in place of its value */
  bool first;
} Csv;

/* Quoted if it must be, with quotes doubled. */
static void write_field(Csv *csv, const char *text) {
  if (!csv->first) fputc(',', csv->stream);
  csv->first = false;
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, csv->stream);
    return;
  }
  fputc('"', csv->stream);
  for (; *text; text++) {
    if (*text == '"') fputc('"', csv->stream);
    fputc(*text, csv->stream);
  }
  fputc('"', csv->stream);
}

static void text(Csv *csv, const char *name, const char *value) {
  write_field(csv, csv->names ? name : value);
}

static void count(Csv *csv, const char *name, size_t value) {
  char field[32];
  snprintf(field, sizeof field, "%zu", value);
  text(csv, name, field);
}

static void figure(Csv *csv, const char *name, bool known, double value) {
  char field[32] = "";
  if (known) snprintf(field, sizeof field, "%.9g", value);
  text(csv, name, field);
}

static void write_case(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const BenchConfig *const config = run->config;
  const AttendLayerShape *const shape = &row->model->shape;
  text(csv, "model", row->model->name);
  count(csv, "d_model", shape->width);
  count(csv, "heads", shape->query_heads);
  count(csv, "kv_heads", shape->kv_heads);
  count(csv, "head_dim", shape->head_dim);
  count(csv, "value_dim", shape->value_dim);
  text(csv, "part", bench_part_name(config->part));
  text(csv, "mode", bench_mode_name(config->mode));
  text(csv, "causal", config->causal ? "true" : "false");
  count(csv, "batch", config->batch);
  count(csv, "tokens", row->tokens);
  count(csv, "threads", row->threads);
  text(csv, "path", attend_path_name(row->path));
  text(csv, "isa", attend_isa_name(row->isa));
  text(csv, "status", bench_status_name(row->status));
  text(csv, "reason", row->reason);
}

static void write_figures(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const bool ran = row->samples.count > 0, planned = row->flops > 0;
  const Yardsticks *const limits = row->yardsticks;
  count(csv, "samples", row->samples.count);
  figure(csv, "calls_per_sample", ran, (double)row->calls_per_sample);
  figure(csv, "seconds_median", ran, row_seconds(row));
  figure(csv, "seconds_min", ran, samples_min(&row->samples));
  figure(csv, "tokens_per_second", ran, row_tokens_per_second(row, run->config));
  figure(csv, "flops", planned, row->flops);
  figure(csv, "core_flops", planned, row->core_flops);
  figure(csv, "bytes", planned, row->bytes);
  figure(csv, "gflops", ran, row_gflops(row));
  figure(csv, "peak_share", ran && limits->fma_gflops > 0, row_peak_share(row));
  figure(csv, "sgemm_share", ran && limits->sgemm_gflops > 0, row_sgemm_share(row));
  figure(csv, "gbps", ran, row_gbps(row));
  figure(csv, "read_share", ran && limits->read_gbps > 0, row_read_share(row));
  text(csv, "limit", ran ? bench_limit_name(row_limit(row)) : "");
  figure(csv, "limit_share", ran, row_limit_share(row));
}

static void write_phases(Csv *csv, const BenchRow *row) {
  const bool ran = row->samples.count > 0;
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++) {
    char name[64];
    snprintf(name, sizeof name, "%s_seconds", attend_phase_name((AttendPhase)p));
    figure(csv, name, ran, row->phase_seconds[p]);
  }
  figure(csv, "other_seconds", ran, row_other_seconds(row));
}

static void write_memory_and_error(Csv *csv, const BenchRow *row) {
  const bool known = row->scratch_bytes > 0, checked = row->rows_checked > 0;
  figure(csv, "scratch_bytes", known, (double)row->scratch_bytes);
  figure(csv, "score_bytes", known, (double)row->score_bytes);
  count(csv, "rows_checked", row->rows_checked);
  figure(csv, "max_error", checked, row->error);
  figure(csv, "error_share", checked, row->error_share);
}

static void write_machine(Csv *csv, const BenchRun *run, const BenchRow *row) {
  const Yardsticks *const limits = row->yardsticks;
  figure(csv, "fma_gflops", limits->fma_gflops > 0, limits->fma_gflops);
  figure(csv, "sgemm_gflops", limits->sgemm_gflops > 0, limits->sgemm_gflops);
  figure(csv, "read_gbps", limits->read_gbps > 0, limits->read_gbps);
  text(csv, "processor", run->machine.processor);
  text(csv, "blas_version", run->machine.blas_version);
  text(csv, "blas_core", run->machine.blas_core);
  text(csv, "blas_threading", run->blas_threading);
}

static void write_row(FILE *stream, const BenchRun *run, const BenchRow *row, bool names) {
  Csv csv = {stream, names, true};
  write_case(&csv, run, row);
  write_figures(&csv, run, row);
  write_phases(&csv, row);
  write_memory_and_error(&csv, row);
  write_machine(&csv, run, row);
  fputs("\r\n", stream);
}

void report_csv(const BenchRun *run, FILE *stream) {
  write_row(stream, run, &run->rows[0], true);
  for (size_t r = 0; r < run->row_count; r++)
    if (run->rows[r].status != BENCH_PENDING) write_row(stream, run, &run->rows[r], false);
}
