/* measure.c - decides what runs, how often, and takes the samples.
 *
 * A path goes through open, plan, predict, reserve and warm up, and drops out of the group with a
 * reason at the first step that refuses it. The paths that are left are sampled in turns. A call
 * that is too short for the clock is repeated inside its sample until the sample lasts
 * SAMPLE_SECONDS, as FFTW's timer does. Timed calls allocate nothing, because the workspace is
 * reserved first.
 */
#include "bench/measure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/interrupt.h"
#include "bench/timer.h"
#include "kernels/kernels.h"

#define SAMPLE_SECONDS 3e-3
/* A call that takes this long in the warm-up is a sample by itself. */
#define LONG_CALL_SECONDS 0.05
#define ROW_SECONDS 0.25
#define SAMPLES_LEAST 3
#define SAMPLES_MOST 64
#define ANNOUNCED_SECONDS 0.2
#define CALLS_MOST 1000000
/* A path without a rate is tried on a few rows first if a full call has more FLOPs than this. */
#define PROBE_FLOPS 2e9
#define PROBE_TOKENS 16
#define PROBE_SECONDS 0.02
#define PROBE_GROWTH 3
#define PROBE_OF_LIMIT 0.1
#define PROBE_TRIES 3
#define PROBE_LONG_SECONDS 0.25

/* One path of the group while it is measured. */
typedef struct Contender {
  BenchRow *row;
  Workload workload; /* the group's, in the row's storage */
  PathRate *rate;
  AttendContext *context;
  double call_seconds; /* of the warm-up */
  double spent;        /* seconds of all samples */
  bool active;
} Contender;

static void drop(Contender *contender, BenchStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void drop(Contender *contender, BenchStatus status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(contender->row->reason, sizeof contender->row->reason, format, arguments);
  va_end(arguments);
  contender->row->status = status;
  contender->active = false;
}

static void open_context(const BenchConfig *config, Contender *contender) {
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.threads = contender->row->threads;
  settings.isa = config->isa;
  settings.path = contender->row->path;
  settings.precision = contender->row->precision;
  settings.profile = true;
  settings.score_memory_limit_bytes = config->score_memory_limit_bytes;
  const AttendStatus status = attend_open(&contender->context, &settings);
  contender->active = status == ATTEND_OK;
  if (!contender->active)
    drop(contender, BENCH_FAILED, "the context could not be opened: %s",
         attend_status_message(status));
}

static char *plan_text(const AttendPlan *plan) {
  const size_t size = attend_describe_plan(plan, NULL, 0) + 1;
  char *const text = malloc(size);
  if (text) attend_describe_plan(plan, text, size);
  return text;
}

/* Chooses the ISA whose fp32 peak the FLOPs are held against. With --isa it is that of the kernels,
 * else the one that is best in fp32, even if another ISA multiplies the bf16 numbers. The work of
 * OpenBLAS and of the compiler is always held against the best, so that a core of OpenBLAS that is
 * too low shows as a low share.
 */
static void judge_by(const MeasureGroup *group, BenchRow *row) {
  const size_t rows = group->config->batch * group->workload->step;
  const bool panels =
      row->storage != ATTEND_STORAGE_FP32 || row->precision != ATTEND_PRECISION_FP32;
  const bool own = (panels || rows <= KERNEL_PROJECT_ROWS) && row->path != ATTEND_PATH_NAIVE;
  const AttendIsa kernels = row->isa == group->config->isa ? row->isa : group->isa_best;
  row->core_isa = row->path == ATTEND_PATH_TILED ? kernels : group->isa_best;
  row->projection_isa = own ? kernels : group->isa_best;
}

static void read_plan(const MeasureGroup *group, Contender *contender) {
  BenchRow *const row = contender->row;
  AttendPlan plan;
  const AttendStatus status = workload_plan(&contender->workload, contender->context, &plan);
  const AttendPathVerdict *const verdict = &plan.verdicts[row->path];
  row->score_bytes = verdict->score_bytes;
  row->scratch_bytes = status == ATTEND_OK ? plan.workspace_bytes : verdict->workspace_bytes;
  row->bytes = workload_bytes(&contender->workload, row->precision);
  if (group->config->explain) row->plan_text = plan_text(&plan);
  if (status != ATTEND_OK) {
    drop(contender, BENCH_SKIPPED, "%s%s", attend_get_error(contender->context),
         status == ATTEND_STATUS_MEMORY_LIMIT ? "; --memory-limit raises it" : "");
    return;
  }
  row->isa = plan.isa;
  judge_by(group, row);
  row->flops = plan.core_flops + plan.projection_flops;
  row->core_flops = plan.core_flops;
}

static void reserve(Contender *contender) {
  const double bytes = (double)contender->row->scratch_bytes;
  if (!allocation_fits(bytes))
    drop(contender, BENCH_SKIPPED, "its scratch of %.1f GiB is more memory than is available",
         bytes / 0x1p30);
  else if (attend_reserve_workspace(contender->context, contender->row->scratch_bytes) != ATTEND_OK)
    drop(contender, BENCH_SKIPPED, "%s", attend_get_error(contender->context));
}

/* FLOPs and seconds of the first `tokens` rows, by the fastest of three calls: the first one also
 * meets cold caches and starts its threads, and any may be interrupted by another program. One that
 * takes long is not repeated. False if a call failed. */
static bool try_prefix(const Contender *contender, size_t tokens, double *flops, double *seconds) {
  *seconds = INFINITY;
  for (size_t i = 0; i < PROBE_TRIES && !(i > 0 && *seconds >= PROBE_LONG_SECONDS); i++) {
    attend_reset_profile(contender->context);
    const double start = timer_seconds();
    if (workload_call_prefix(&contender->workload, contender->context, tokens) != ATTEND_OK)
      return false;
    *seconds = fmin(*seconds, timer_seconds() - start);
  }
  AttendProfile profile;
  attend_get_profile(contender->context, &profile);
  *flops = 0;
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) *flops += profile.phases[p].flops;
  return true;
}

/* Runs a few rows to learn the path's rate, and more of them until a run is long enough to be timed
 * and longer than the one before. If other programs have the cores, starting threads alone takes
 * milliseconds. False if a call failed. */
static bool probe(const MeasureGroup *group, const Contender *contender) {
  const size_t most = group->workload->queries;
  size_t tokens = PROBE_TOKENS < most ? PROBE_TOKENS : most;
  const double enough = PROBE_OF_LIMIT * group->config->time_limit_seconds;
  double before = INFINITY; /* seconds of fewer tokens */
  for (;;) {
    double flops, seconds;
    if (!try_prefix(contender, tokens, &flops, &seconds)) return false;
    *contender->rate = (PathRate){flops / seconds, tokens};
    const bool grown = seconds >= PROBE_SECONDS && seconds >= PROBE_GROWTH * before;
    if (grown || seconds >= enough || tokens == most) return true;
    before = seconds;
    tokens = 4 * tokens < most ? 4 * tokens : most;
  }
}

/* Drops the path if a warm-up and one sample would take longer than the limit. */
static void predict(const MeasureGroup *group, Contender *contender) {
  const BenchRow *const row = contender->row;
  const bool unknown = contender->rate->flops_per_second <= 0;
  if (unknown && group->config->mode == BENCH_PREFILL && row->flops > PROBE_FLOPS &&
      !probe(group, contender)) {
    drop(contender, BENCH_FAILED, "%s", attend_get_error(contender->context));
    return;
  }
  const PathRate *const rate = contender->rate;
  if (rate->flops_per_second <= 0) return;
  const double seconds = row->flops / rate->flops_per_second;
  if (2 * seconds <= group->config->time_limit_seconds) return;
  drop(contender, BENCH_SKIPPED,
       "%s would take about %.*f s a call at the %.3g GFLOP/s it had at N = %zu; a warm-up and a "
       "sample do not fit into the limit of %g s, which --time-limit raises",
       attend_path_name(row->path),
       seconds < 1     ? 3
       : seconds < 100 ? 1
                       : 0,
       seconds, 1e-9 * rate->flops_per_second, rate->tokens, group->config->time_limit_seconds);
}

/* Opens the reference when the first path of the workload needs it. False: interrupted or failed.
 */
static bool have_reference(const MeasureGroup *group, Contender *contender) {
  if (group->reference->count) return true;
  progress_show(group->progress, (BenchMoment){BENCH_STEP_ORACLE, .row = contender->row});
  char reason[BENCH_REASON_SIZE];
  if (reference_open(group->workload, interrupt_seen, group->reference, reason)) return true;
  if (*reason)
    drop(contender, BENCH_FAILED, "%s", reason);
  else
    contender->active = false;
  return false;
}

static void verify(const MeasureGroup *group, Contender *contender) {
  BenchRow *const row = contender->row;
  reference_compare(group->reference, row->precision, row->storage, group->workload->output,
                    &row->error, &row->error_share);
  row->rows_checked = group->reference->count;
  if (!(row->error_share <= 1))
    drop(contender, BENCH_FAILED,
         "its output differs from the float64 oracle by %.3g, %.3g times what rounding explains",
         row->error, row->error_share);
}

static void warm_up(const MeasureGroup *group, Contender *contender) {
  BenchRow *const row = contender->row;
  if (!have_reference(group, contender)) return;
  progress_show(group->progress, (BenchMoment){BENCH_STEP_WARM_UP, .row = row});
  reference_spoil(group->workload);
  const double start = timer_seconds();
  if (workload_call(&contender->workload, contender->context) != ATTEND_OK) {
    drop(contender, BENCH_FAILED, "%s", attend_get_error(contender->context));
    return;
  }
  contender->call_seconds = timer_seconds() - start;
  *contender->rate = (PathRate){row->flops / contender->call_seconds, row->tokens};
  verify(group, contender);
}

static double time_calls(const Contender *contender, size_t calls) {
  const double start = timer_seconds();
  for (size_t i = 0; i < calls; i++) workload_call(&contender->workload, contender->context);
  return timer_seconds() - start;
}

/* Calls in a sample: as many as make it last SAMPLE_SECONDS, found by doubling. The least of three
 * tries counts, so that a try that another program interrupts does not pass for a long one. */
static void count_calls(Contender *contender) {
  size_t calls = 1;
  while (contender->call_seconds < LONG_CALL_SECONDS && calls < CALLS_MOST) {
    double least = INFINITY;
    for (size_t i = 0; i < 3; i++) least = fmin(least, time_calls(contender, calls));
    contender->call_seconds = least / (double)calls;
    if (least >= SAMPLE_SECONDS) break;
    calls *= 2;
  }
  contender->row->calls_per_sample = calls;
  /* A short call's warm-up says little of its speed. */
  *contender->rate =
      (PathRate){contender->row->flops / contender->call_seconds, contender->row->tokens};
  attend_reset_profile(contender->context);
}

/* Whether the path should be sampled again. */
static bool wants_more(const BenchConfig *config, const Contender *contender) {
  const BenchRow *const row = contender->row;
  const size_t count = row->samples.count;
  if (count == 0) return true;
  const double next = contender->spent / (double)count;
  if (contender->spent + contender->call_seconds + next > config->time_limit_seconds) return false;
  if (config->repeat) return count < config->repeat;
  if (count >= SAMPLES_MOST) return false;
  const size_t least = row->path == ATTEND_PATH_NAIVE ? 1 : SAMPLES_LEAST;
  return count < least || contender->spent < ROW_SECONDS;
}

static void take_sample(Contender *contender) {
  BenchRow *const row = contender->row;
  AttendStatus status = ATTEND_OK;
  const double start = timer_seconds();
  for (size_t i = 0; i < row->calls_per_sample && status == ATTEND_OK; i++)
    status = workload_call(&contender->workload, contender->context);
  const double seconds = timer_seconds() - start;
  if (status != ATTEND_OK)
    drop(contender, BENCH_FAILED, "%s", attend_get_error(contender->context));
  else if (!samples_add(&row->samples, seconds / (double)row->calls_per_sample))
    drop(contender, BENCH_FAILED, "there is no memory for its samples");
  contender->spent += seconds;
}

/* Drawing on a terminal takes a core, so a row of short samples is announced once, not between its
 * samples. */
static void announce(const MeasureGroup *group, const Contender *contender) {
  const BenchRow *const row = contender->row;
  const double seconds = contender->call_seconds * (double)row->calls_per_sample;
  if (row->samples.count && seconds < ANNOUNCED_SECONDS) return;
  progress_show(group->progress,
                (BenchMoment){BENCH_STEP_SAMPLE, .number = row->samples.count + 1, .row = row});
}

/* Samples in turns until no path wants more. */
static void sample_in_turns(const MeasureGroup *group, Contender *contenders) {
  bool sampled = true;
  while (sampled && !interrupt_seen()) {
    sampled = false;
    for (size_t i = 0; i < group->config->path_count && !interrupt_seen(); i++) {
      Contender *const contender = &contenders[i];
      if (!contender->active || !wants_more(group->config, contender)) continue;
      announce(group, contender);
      take_sample(contender);
      sampled = true;
    }
  }
}

static void prepare(const MeasureGroup *group, Contender *contender) {
  open_context(group->config, contender);
  if (contender->active) read_plan(group, contender);
  if (contender->active) predict(group, contender);
  if (contender->active) reserve(contender);
  if (contender->active) warm_up(group, contender);
  if (contender->active) count_calls(contender);
}

static void finish(Contender *contender) {
  BenchRow *const row = contender->row;
  AttendProfile profile;
  if (contender->active && row->samples.count &&
      attend_get_profile(contender->context, &profile) == ATTEND_OK) {
    /* The profile counts each chunk as a call, so passes are counted here. */
    const double passes = (double)row->samples.count * (double)row->calls_per_sample;
    for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++)
      row->phase_seconds[p] = profile.phases[p].seconds / passes;
  }
  if (contender->active && row->samples.count) row->status = BENCH_MEASURED;
  attend_close(&contender->context);
}

void measure_group(const MeasureGroup *group) {
  Contender contenders[BENCH_PATHS_MAX] = {0};
  const size_t count = group->config->path_count;
  for (size_t i = 0; i < count; i++) {
    contenders[i].row = &group->rows[i];
    contenders[i].rate = &group->rates[i];
    contenders[i].workload = workload_stored(group->workload, group->rows[i].storage);
    if (!interrupt_seen()) prepare(group, &contenders[i]);
  }
  sample_in_turns(group, contenders);
  for (size_t i = 0; i < count; i++) finish(&contenders[i]);
  for (size_t i = 0; i < count; i++)
    group->progress->done += group->rows[i].status != BENCH_PENDING;
}
