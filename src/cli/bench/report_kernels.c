/* report_kernels.c - a run over kernels as a table, as CSV and as one JSON object.
 *
 * Rows that an interrupted run did not reach are left out; a family without a timing never is. A
 * figure that a row does not have is empty, null or "-", never 0.
 */
#include "cli/bench/report_kernels.h"

#include "cli/util/csv.h"
#include "cli/util/json.h"
#include "cli/util/units.h"

static bool is_reached(const KernelRow *row) {
  return !row->timing || row->samples.count > 0;
}

static const char *row_size(const KernelRow *row) {
  return row->timing ? row->timing->size : "";
}

static void print_head(const KernelRun *run, FILE *stream) {
  fprintf(stream, "attend %s bench: kernels, 1 thread\nmachine    %s", attend_version(),
          run->machine.processor);
  if (run->machine.l3_bytes)
    fprintf(stream, ", L3 %s", unit_bytes((double)run->machine.l3_bytes).text);
  fputs("\nlimits     FMA peak", stream);
  for (size_t i = run->isa_count; i-- > 0;)
    fprintf(stream, " %s %.1f%s", attend_isa_name(run->isas[i]),
            run->limits.fma_gflops[run->isas[i]], i ? "," : "");
  fprintf(stream, " GFLOP/s, read %.1f GB/s\nR rows    ", run->limits.read_gbps);
  for (size_t i = run->isa_count; i-- > 0;)
    fprintf(stream, " %s %zu%s", attend_isa_name(run->isas[i]),
            kernels_get(run->isas[i])->block_rows, i ? "," : "\n\n");
  fprintf(stream, "%-17s %-24s %-10s %9s %9s %10s %8s %8s  %-9s %5s\n", "kernel", "size", "isa",
          "median", "min", "cycles", "GFLOP/s", "GB/s", "limit", "share");
}

/* A figure or "-". */
static void print_figure(FILE *stream, int width, int digits, double figure) {
  if (figure > 0)
    fprintf(stream, " %*.*f", width, digits, figure);
  else
    fprintf(stream, " %*s", width, "-");
}

static void print_row(const KernelRun *run, const KernelRow *row, FILE *stream) {
  fprintf(stream, "%-17s %-24s ", row->family, row_size(row));
  if (!row->timing) {
    fputs("no timing: bench/kernel_cases.c has no case for this family\n", stream);
    return;
  }
  fprintf(stream, "%-10s %9s %9s", attend_isa_name(row->isa),
          unit_seconds(samples_median(&row->samples)).text,
          unit_seconds(samples_min(&row->samples)).text);
  print_figure(stream, 10, 0, kernel_row_cycles(row));
  print_figure(stream, 8, 1, kernel_row_gflops(row));
  print_figure(stream, 8, 1, kernel_row_gbps(row));
  fprintf(stream, "  %-9s %5s\n", bench_limit_name(kernel_row_limit(run, row)),
          unit_share(kernel_row_limit_share(run, row)).text);
}

static void print_legend(const KernelRun *run, FILE *stream) {
  fprintf(stream,
          "\nmedian, min: of one call. cycles: of the fastest, at the clock that a chain of "
          "dependent additions shows.\nGB/s: of what comes from memory; kernels without it work in "
          "cache. limit: what takes longer, the FLOPs at the FMA peak\nof the ISA or the bytes at "
          "the read bandwidth, and the share of it that was reached. An exponential counts as %d\n"
          "FLOPs, some of them additions, which processors with adders beside their multipliers do "
          "above the FMA peak.\n%.0f s%s.\n",
          KERNEL_EXP2_FLOPS, run->seconds, run->interrupted ? ", interrupted" : "");
}

void report_kernels_table(const KernelRun *run, FILE *stream) {
  print_head(run, stream);
  for (size_t r = 0; r < run->row_count; r++) {
    const KernelRow *const row = &run->rows[r];
    if (!is_reached(row)) continue;
    if (r > 0 && row->timing != run->rows[r - 1].timing && run->isa_count > 1) fputc('\n', stream);
    print_row(run, row, stream);
  }
  print_legend(run, stream);
}

static void write_row(const KernelRun *run, const KernelRow *row, bool names, FILE *stream) {
  Csv csv = {.stream = stream, .names = names};
  const bool ran = row->samples.count > 0;
  const double peak = run->limits.fma_gflops[row->isa], read = run->limits.read_gbps;
  csv_text(&csv, "kernel", row->family);
  csv_text(&csv, "size", row_size(row));
  csv_text(&csv, "isa", row->timing ? attend_isa_name(row->isa) : "");
  csv_count(&csv, "samples", row->samples.count);
  csv_figure(&csv, "calls_per_sample", ran, (double)row->calls_per_sample);
  csv_figure(&csv, "ns_median", ran, 1e9 * samples_median(&row->samples));
  csv_figure(&csv, "ns_min", ran, 1e9 * samples_min(&row->samples));
  csv_figure(&csv, "cycles", row->clock_hertz > 0, kernel_row_cycles(row));
  csv_figure(&csv, "flops", ran, row->work.flops);
  csv_figure(&csv, "bytes", ran, row->work.bytes);
  csv_figure(&csv, "gflops", ran && row->work.flops > 0, kernel_row_gflops(row));
  csv_figure(&csv, "gbps", ran && row->work.bytes > 0, kernel_row_gbps(row));
  csv_text(&csv, "limit", ran ? bench_limit_name(kernel_row_limit(run, row)) : "");
  csv_figure(&csv, "limit_share", ran, kernel_row_limit_share(run, row));
  csv_figure(&csv, "fma_gflops", peak > 0, peak);
  csv_figure(&csv, "read_gbps", read > 0, read);
  csv_text(&csv, "processor", run->machine.processor);
  csv_end(&csv);
}

void report_kernels_csv(const KernelRun *run, FILE *stream) {
  write_row(run, &run->rows[0], true, stream);
  for (size_t r = 0; r < run->row_count; r++)
    if (is_reached(&run->rows[r])) write_row(run, &run->rows[r], false, stream);
}

static json_t *time_object(const KernelRun *run, const KernelRow *row) {
  json_t *samples = json_array();
  for (size_t i = 0; i < row->samples.count; i++)
    json_append(&samples, json_real(row->samples.values[i]));
  const double share = kernel_row_limit_share(run, row);
  return json_pack("{s:o, s:I, s:f, s:f, s:o, s:o, s:o, s:s, s:o}", "samples", samples,
                   "calls_per_sample", (json_int_t)row->calls_per_sample, "seconds_median",
                   samples_median(&row->samples), "seconds_min", samples_min(&row->samples),
                   "cycles", json_figure_or_null(row->clock_hertz > 0, kernel_row_cycles(row)),
                   "gflops", json_figure_or_null(row->work.flops > 0, kernel_row_gflops(row)),
                   "gbps", json_figure_or_null(row->work.bytes > 0, kernel_row_gbps(row)), "limit",
                   bench_limit_name(kernel_row_limit(run, row)), "limit_share",
                   json_figure_or_null(share > 0, share));
}

static json_t *row_object(const KernelRun *run, const KernelRow *row) {
  const bool ran = row->samples.count > 0;
  return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kernel", row->family, "size",
                   json_text_or_null(row_size(row)), "isa",
                   json_text_or_null(row->timing ? attend_isa_name(row->isa) : ""), "flops",
                   json_figure_or_null(ran, row->work.flops), "bytes",
                   json_figure_or_null(ran, row->work.bytes), "time",
                   ran ? time_object(run, row) : json_null());
}

bool report_kernels_json(const KernelRun *run, FILE *stream) {
  json_t *rows = json_array();
  for (size_t r = 0; r < run->row_count; r++)
    if (is_reached(&run->rows[r])) json_append(&rows, row_object(run, &run->rows[r]));
  const double read = run->limits.read_gbps;
  json_t *const root = json_pack(
      "{s:s, s:i, s:s, s:o, s:f, s:b, s:o, s:{s:I, s:o, s:o}, s:o}", "schema", "attend-kernels",
      "schema_version", KERNELS_SCHEMA_VERSION, "attend_version", attend_version(), "started",
      json_time(run->started), "seconds", run->seconds, "interrupted", (int)run->interrupted,
      "machine", json_machine(&run->machine), "yardsticks", "threads", (json_int_t)1, "fma_gflops",
      json_peaks(run->limits.fma_gflops), "read_gbps", json_figure_or_null(read > 0, read), "rows",
      rows);
  if (!root) return false;
  /* The stream remembers a write error. */
  json_dumpf(root, stream, JSON_INDENT(2));
  fputc('\n', stream);
  json_decref(root);
  return true;
}
