/* report_json.c - the run as one JSON object, for programs.
 *
 * Owns the names of its members, which docs/bench-json.md describes; BENCH_SCHEMA_VERSION tells when
 * one changes its meaning. A value that is not known is null, never 0. When memory is missing jansson
 * returns null, and json_pack() and append() make null of whatever contains it, so that only the
 * whole is checked.
 */
#include <jansson.h>
#include <string.h>

#include "bench/report.h"

/* Null also for bytes that are not UTF-8, which JSON cannot hold. */
static json_t *text_or_null(const char *text) {
  json_t *const string = *text ? json_string(text) : NULL;
  return string ? string : json_null();
}

static json_t *count_or_null(size_t count) {
  return count ? json_integer((json_int_t)count) : json_null();
}

/* JSON has no infinity: an output with a NaN has no error that could be written. */
static json_t *figure_or_null(bool known, double figure) {
  json_t *const number = known ? json_real(figure) : NULL;
  return number ? number : json_null();
}

/* Appends value, which it takes over. Without memory the array becomes null. */
static void append(json_t **array, json_t *value) {
  if (json_array_append_new(*array, value) == 0) return;
  json_decref(*array);
  *array = NULL;
}

/* The same for a member of an object. */
static void set(json_t **object, const char *name, json_t *value) {
  if (json_object_set_new(*object, name, value) == 0) return;
  json_decref(*object);
  *object = NULL;
}

static json_t *started_text(time_t started) {
  char text[32];
  struct tm utc;
  gmtime_r(&started, &utc);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return json_string(text);
}

static json_t *machine_object(const AttendMachine *machine) {
  json_t *isas = json_array();
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++)
    if (machine->isa_usable[isa]) append(&isas, json_string(attend_isa_name((AttendIsa)isa)));
  return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "processor",
                   text_or_null(machine->processor), "cores", count_or_null(machine->cores),
                   "openmp_threads", count_or_null(machine->openmp_threads), "isas", isas,
                   "isa_best", attend_isa_name(machine->isa_best), "l1d_bytes",
                   count_or_null(machine->l1d_bytes), "l2_bytes", count_or_null(machine->l2_bytes),
                   "l3_bytes", count_or_null(machine->l3_bytes));
}

static json_t *blas_object(const BenchRun *run) {
  const AttendMachine *const machine = &run->machine;
  return json_pack("{s:s, s:o, s:o, s:o, s:s}", "library", "OpenBLAS", "version",
                   text_or_null(machine->blas_version), "config",
                   text_or_null(machine->blas_config), "core", text_or_null(machine->blas_core),
                   "threading", run->blas_threading);
}

static json_t *options_object(const BenchConfig *config) {
  return json_pack("{s:s, s:s, s:b, s:I, s:s, s:o, s:f, s:I, s:I}", "part",
                   bench_part_name(config->part), "mode", bench_mode_name(config->mode), "causal",
                   (int)config->causal, "batch", (json_int_t)config->batch, "isa",
                   attend_isa_name(config->isa), "repeat", count_or_null(config->repeat),
                   "time_limit_seconds", config->time_limit_seconds, "memory_limit_bytes",
                   (json_int_t)config->score_memory_limit_bytes, "seed", (json_int_t)config->seed);
}

static json_t *yardsticks_array(const BenchRun *run) {
  json_t *array = json_array();
  for (size_t t = 0; t < run->config->thread_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    append(&array,
           json_pack("{s:I, s:s, s:o, s:I, s:o, s:o}", "threads",
                     (json_int_t)run->config->threads[t], "isa",
                     attend_isa_name(run->machine.isa_best), "fma_gflops",
                     figure_or_null(limits->fma_gflops > 0, limits->fma_gflops), "sgemm_size",
                     (json_int_t)YARDSTICK_SGEMM_SIZE, "sgemm_gflops",
                     figure_or_null(limits->sgemm_gflops > 0, limits->sgemm_gflops), "read_gbps",
                     figure_or_null(limits->read_gbps > 0, limits->read_gbps)));
  }
  return array;
}

static json_t *case_object(const BenchRow *row) {
  const AttendLayerShape *const shape = &row->model->shape;
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:o}", "model",
                   text_or_null(row->model->name), "d_model", (json_int_t)shape->width, "heads",
                   (json_int_t)shape->query_heads, "kv_heads", (json_int_t)shape->kv_heads,
                   "head_dim", (json_int_t)shape->head_dim, "value_dim",
                   (json_int_t)shape->value_dim, "tokens", (json_int_t)row->tokens, "threads",
                   (json_int_t)row->threads, "path", attend_path_name(row->path), "isa",
                   attend_isa_name(row->isa), "status", bench_status_name(row->status), "reason",
                   text_or_null(row->reason));
}

static json_t *plan_object(const BenchRow *row) {
  const bool planned = row->flops > 0;
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "flops", figure_or_null(planned, row->flops),
                   "core_flops", figure_or_null(planned, row->core_flops), "bytes",
                   figure_or_null(row->bytes > 0, row->bytes), "scratch_bytes",
                   count_or_null(row->scratch_bytes), "score_bytes",
                   row->scratch_bytes ? json_integer((json_int_t)row->score_bytes) : json_null(),
                   "plan", text_or_null(row->plan_text ? row->plan_text : ""));
}

static json_t *phases_object(const BenchRow *row) {
  json_t *object = json_object();
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++)
    set(&object, attend_phase_name((AttendPhase)p), json_real(row->phase_seconds[p]));
  set(&object, "other", json_real(row_other_seconds(row)));
  return object;
}

static json_t *time_object(const BenchRow *row, const BenchConfig *config) {
  json_t *samples = json_array();
  for (size_t i = 0; i < row->samples.count; i++)
    append(&samples, json_real(row->samples.values[i]));
  const Yardsticks *const limits = row->yardsticks;
  return json_pack(
      "{s:o, s:I, s:f, s:f, s:o, s:f, s:f, s:o, s:o, s:f, s:o, s:s, s:o}", "samples", samples,
      "calls_per_sample", (json_int_t)row->calls_per_sample, "seconds_median", row_seconds(row),
      "seconds_min", samples_min(&row->samples), "phase_seconds", phases_object(row),
      "tokens_per_second", row_tokens_per_second(row, config), "gflops", row_gflops(row),
      "peak_share", figure_or_null(limits->fma_gflops > 0, row_peak_share(row)), "sgemm_share",
      figure_or_null(limits->sgemm_gflops > 0, row_sgemm_share(row)), "gbps", row_gbps(row),
      "read_share", figure_or_null(limits->read_gbps > 0, row_read_share(row)), "limit",
      bench_limit_name(row_limit(row)), "limit_share",
      figure_or_null(row_limit_share(row) > 0, row_limit_share(row)));
}

static json_t *check_object(const BenchRow *row) {
  return json_pack("{s:I, s:o, s:o}", "rows", (json_int_t)row->rows_checked, "max_error",
                   figure_or_null(true, row->error), "error_share",
                   figure_or_null(true, row->error_share));
}

static json_t *row_object(const BenchRow *row, const BenchConfig *config) {
  json_t *object = case_object(row);
  json_t *const plan = plan_object(row);
  if (!plan || json_object_update(object, plan) != 0) {
    json_decref(object);
    object = NULL;
  }
  json_decref(plan);
  set(&object, "time", row->samples.count ? time_object(row, config) : json_null());
  set(&object, "check", row->rows_checked ? check_object(row) : json_null());
  return object;
}

static json_t *rows_array(const BenchRun *run) {
  json_t *array = json_array();
  for (size_t r = 0; r < run->row_count; r++)
    if (run->rows[r].status != BENCH_PENDING)
      append(&array, row_object(&run->rows[r], run->config));
  return array;
}

bool report_json(const BenchRun *run, FILE *stream) {
  json_t *const root = json_pack(
      "{s:s, s:i, s:s, s:o, s:f, s:b, s:I, s:o, s:o, s:o, s:o, s:o}", "schema", "attend-bench",
      "schema_version", BENCH_SCHEMA_VERSION, "attend_version", attend_version(), "started",
      started_text(run->started), "seconds", run->seconds, "interrupted", (int)run->interrupted,
      "rows_not_reached", (json_int_t)run_count(run, BENCH_PENDING), "machine",
      machine_object(&run->machine), "blas", blas_object(run), "options",
      options_object(run->config), "yardsticks", yardsticks_array(run), "rows", rows_array(run));
  if (!root) return false;
  /* A write error is the stream's to remember. */
  json_dumpf(root, stream, JSON_INDENT(2));
  fputc('\n', stream);
  json_decref(root);
  return true;
}
