/* report_json.c - the run as one JSON object, for programs.
 *
 * Owns the names of its members, which docs/bench-json.md describes; BENCH_SCHEMA_VERSION tells
 * when one changes its meaning. Null stands for what is not known and for missing memory, as
 * json.h says.
 */
#include "bench/scoring.h"
#include "cli/bench/report.h"
#include "cli/bench/report_words.h"
#include "cli/util/json.h"

static json_t *blas_object(const BenchRun *run) {
  const AttendMachine *const machine = &run->machine;
  return json_pack("{s:s, s:o, s:o, s:o, s:s}", "library", "OpenBLAS", "version",
                   json_text_or_null(machine->blas_version), "config",
                   json_text_or_null(machine->blas_config), "core",
                   json_text_or_null(machine->blas_core), "threading", run->blas_threading);
}

/* Null for a side of a window without a limit. */
static json_t *limit_or_null(int64_t keys) {
  return keys >= 0 ? json_integer((json_int_t)keys) : json_null();
}

static json_t *options_object(const BenchConfig *config) {
  return json_pack("{s:s, s:s, s:o, s:I, s:b, s:I, s:s, s:s, s:o, s:f, s:f, s:I, s:I}", "part",
                   bench_part_name(config->part), "mode", bench_mode_name(config->mode), "chunk",
                   json_count_or_null(config->chunk), "layer", (json_int_t)config->layer, "causal",
                   (int)config->causal, "batch", (json_int_t)config->batch, "isa",
                   attend_isa_name(config->isa), "storage", attend_storage_name(config->storage),
                   "repeat", json_count_or_null(config->repeat), "time_limit_seconds",
                   config->time_limit_seconds, "yardstick_seconds", config->yardstick_seconds,
                   "memory_limit_bytes", (json_int_t)config->score_memory_limit_bytes, "seed",
                   (json_int_t)config->seed);
}

/* What the row's layer does to heads and scores. */
static json_t *scores_object(const BenchRow *row, const BenchConfig *config) {
  const AttendModel *const model = row->model;
  const AttendOptions options = scoring_options(config, model);
  const bool layer = config->part == BENCH_LAYER;
  return json_pack(
      "{s:b, s:b, s:f, s:o, s:o, s:o, s:b, s:b, s:s, s:o}", "rope",
      (int)(layer && model->rope.pairing != ATTEND_ROPE_NONE), "qk_norm",
      (int)(layer && model->qk_norm), "scale", scoring_scale(config, model), "softcap",
      json_figure_or_null(options.softcap > 0, (double)options.softcap), "window_left",
      limit_or_null(options.window_left), "window_right", limit_or_null(options.window_right),
      "alibi", (int)config->scores.alibi, "sinks", (int)scoring_has_sinks(config, model), "mask",
      bench_mask_name(config->scores.mask), "mask_share",
      json_figure_or_null(config->scores.mask == BENCH_MASK_RANDOM, config->scores.mask_share));
}

static json_t *yardsticks_array(const BenchRun *run) {
  const BenchConfig *const config = run->config;
  json_t *array = json_array();
  for (size_t t = 0; t < config->thread_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    json_append(
        &array,
        json_pack("{s:I, s:o, s:I, s:o, s:o}", "threads", (json_int_t)config->threads[t],
                  "fma_gflops", json_peaks(limits->fma_gflops), "sgemm_size",
                  (json_int_t)yardstick_sgemm_size(config->yardstick_seconds), "sgemm_gflops",
                  json_figure_or_null(limits->sgemm_gflops > 0, limits->sgemm_gflops), "read_gbps",
                  json_figure_or_null(limits->read_gbps > 0, limits->read_gbps)));
  }
  return array;
}

static json_t *warnings_array(const BenchRun *run) {
  json_t *array = json_array();
  char text[REPORT_WARNING_SIZE];
  const Warnings warnings = run_warnings(run);
  for (size_t w = 0; w < warnings.count; w++)
    json_append(&array, json_text_or_null(report_warning(run, &warnings.items[w], text)));
  return array;
}

static json_t *case_object(const BenchRow *row) {
  const AttendLayerShape *const shape = &row->model->shape;
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:o}",
                   "model", json_text_or_null(row->model->name), "d_model",
                   (json_int_t)shape->width, "heads", (json_int_t)shape->query_heads, "kv_heads",
                   (json_int_t)shape->kv_heads, "head_dim", (json_int_t)shape->head_dim,
                   "value_dim", (json_int_t)shape->value_dim, "tokens", (json_int_t)row->tokens,
                   "threads", (json_int_t)row->threads, "path", attend_path_name(row->path), "isa",
                   attend_isa_name(row->isa), "precision", attend_precision_name(row->precision),
                   "storage", attend_storage_name(row->storage), "status",
                   bench_status_name(row->status), "reason", json_text_or_null(row->reason));
}

static json_t *plan_object(const BenchRow *row) {
  const bool planned = row->flops > 0;
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "flops",
                   json_figure_or_null(planned, row->flops), "core_flops",
                   json_figure_or_null(planned, row->core_flops), "bytes",
                   json_figure_or_null(row->bytes > 0, row->bytes), "scratch_bytes",
                   json_count_or_null(row->scratch_bytes), "score_bytes",
                   row->scratch_bytes ? json_integer((json_int_t)row->score_bytes) : json_null(),
                   "plan", json_text_or_null(row->plan_text ? row->plan_text : ""));
}

static json_t *phases_object(const BenchRow *row) {
  json_t *object = json_object();
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++)
    json_set(&object, attend_phase_name((AttendPhase)p), json_real(row->phase_seconds[p]));
  json_set(&object, "other", json_real(row_other_seconds(row)));
  return object;
}

static json_t *time_object(const BenchRow *row, const BenchConfig *config) {
  json_t *samples = json_array();
  for (size_t i = 0; i < row->samples.count; i++)
    json_append(&samples, json_real(row->samples.values[i]));
  const Yardsticks *const limits = row->yardsticks;
  const double compute = row_compute_seconds(row);
  return json_pack(
      "{s:o, s:I, s:f, s:f, s:o, s:f, s:f, s:o, s:o, s:o, s:f, s:o, s:s, s:o}", "samples", samples,
      "calls_per_sample", (json_int_t)row->calls_per_sample, "seconds_median", row_seconds(row),
      "seconds_min", samples_min(&row->samples), "phase_seconds", phases_object(row),
      "tokens_per_second", row_tokens_per_second(row, config), "gflops", row_gflops(row),
      "peak_gflops", json_figure_or_null(compute > 0, row_peak_gflops(row)), "peak_share",
      json_figure_or_null(compute > 0, row_peak_share(row)), "sgemm_share",
      json_figure_or_null(limits->sgemm_gflops > 0, row_sgemm_share(row)), "gbps", row_gbps(row),
      "read_share", json_figure_or_null(limits->read_gbps > 0, row_read_share(row)), "limit",
      bench_limit_name(row_limit(row)), "limit_share",
      json_figure_or_null(row_limit_share(row) > 0, row_limit_share(row)));
}

static json_t *check_object(const BenchRow *row) {
  return json_pack("{s:I, s:o, s:o}", "rows", (json_int_t)row->rows_checked, "max_error",
                   json_figure_or_null(true, row->error), "error_share",
                   json_figure_or_null(true, row->error_share));
}

static json_t *row_object(const BenchRow *row, const BenchConfig *config) {
  json_t *object = case_object(row);
  json_t *const plan = plan_object(row);
  if (!plan || json_object_update(object, plan) != 0) {
    json_decref(object);
    object = NULL;
  }
  json_decref(plan);
  json_set(&object, "scores", scores_object(row, config));
  json_set(&object, "time", row->samples.count ? time_object(row, config) : json_null());
  json_set(&object, "check", row->rows_checked ? check_object(row) : json_null());
  return object;
}

static json_t *rows_array(const BenchRun *run) {
  json_t *array = json_array();
  for (size_t r = 0; r < run->row_count; r++)
    if (run->rows[r].status != BENCH_PENDING)
      json_append(&array, row_object(&run->rows[r], run->config));
  return array;
}

bool report_json(const BenchRun *run, FILE *stream) {
  json_t *const root = json_pack(
      "{s:s, s:i, s:s, s:o, s:f, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
      "attend-bench", "schema_version", BENCH_SCHEMA_VERSION, "attend_version", attend_version(),
      "started", json_time(run->started), "seconds", run->seconds, "interrupted",
      (int)run->interrupted, "rows_not_reached", (json_int_t)run_count(run, BENCH_PENDING),
      "contention_share", json_figure_or_null(run->contention_share >= 0, run->contention_share),
      "warnings", warnings_array(run), "machine", json_machine(&run->machine), "blas",
      blas_object(run), "options", options_object(run->config), "yardsticks", yardsticks_array(run),
      "rows", rows_array(run));
  if (!root) return false;
  /* The stream remembers a write error. */
  json_dumpf(root, stream, JSON_INDENT(2));
  fputc('\n', stream);
  json_decref(root);
  return true;
}
