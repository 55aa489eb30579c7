/* results.h - the request to a run of the benchmark, and its results.
 *
 * A run is a list of rows, one for each model, length, number of threads and path, in that order.
 * Every row that was asked for is in the list from the beginning: it ends as measured, skipped or
 * failed, and only an interrupted run has rows that are still pending. The reports read these
 * structs and measure nothing.
 */
#ifndef ATTEND_BENCH_RESULTS_H
#define ATTEND_BENCH_RESULTS_H

#include <time.h>

#include "attend/attend.h"
#include "bench/statistics.h"
#include "bench/yardstick.h"

#define BENCH_REASON_SIZE 512

typedef enum BenchPart { BENCH_LAYER, BENCH_CORE } BenchPart;
typedef enum BenchMode { BENCH_PREFILL, BENCH_DECODE } BenchMode;

/* What hides single keys, or changes their scores, beside causal and the window. */
typedef enum BenchMask { BENCH_MASK_NONE, BENCH_MASK_RANDOM, BENCH_MASK_BIAS } BenchMask;

/* What the command line asks of the scores, in place of the model's own options. */
typedef struct BenchScores {
  bool has_window, has_softcap;      /* the next members count */
  int64_t window_left, window_right; /* -1: no limit */
  float softcap;                     /* 0: none */
  bool alibi, sinks;                 /* beside what the model has */
  BenchMask mask;
  double mask_share; /* of the pairs that a RANDOM mask hides */
} BenchScores;

/* What to measure. The arrays belong to the caller and outlive the run. */
typedef struct BenchConfig {
  const AttendModel *models;
  const size_t *tokens; /* prefill: query tokens; decode: keys that the one query sees */
  const size_t *threads;
  const AttendPath *paths;
  const bool *serial; /* [path_count]: the path runs on one thread in every row; null: none does */
  const AttendPrecision *precisions; /* [path_count]: of each path; null: all are in fp32 */
  size_t model_count, token_count, thread_count, path_count;
  AttendIsa isa;         /* of the tiled path */
  AttendStorage storage; /* of weights and caches; AUTO: as each row's precision reads them */
  BenchPart part;
  BenchMode mode;
  size_t chunk; /* a prefill in calls of so many tokens, with a cache; 0: in one call without */
  size_t layer; /* of each model */
  bool causal;
  BenchScores scores;
  size_t batch;
  size_t repeat;             /* samples of a row; 0: as many as the row's length asks for */
  double time_limit_seconds; /* of one row */
  double yardstick_seconds;  /* of one yardstick */
  size_t score_memory_limit_bytes;
  uint64_t seed;
  bool explain; /* keep the text of each row's plan */
} BenchConfig;

typedef enum BenchStatus {
  BENCH_PENDING,
  BENCH_MEASURED,
  BENCH_SKIPPED, /* too slow, too large or refused; reason says which */
  BENCH_FAILED, /* a call failed, or its output is further from the oracle than rounding explains */
} BenchStatus;

/* The limit that no implementation can beat on this machine is the longer of two times: that of the
 * FLOPs at the fp32 FMA peak of the ISA that does them, and that of the bytes at the read
 * bandwidth. A row's share of it is that time by the row's own; products of bf16 can exceed it. */
typedef enum BenchLimit { BENCH_COMPUTE, BENCH_BANDWIDTH } BenchLimit;

typedef struct BenchRow {
  const AttendModel *model;
  const Yardsticks *yardsticks; /* of the row's number of threads */
  size_t tokens, threads;
  AttendPath path;
  AttendPrecision precision;
  AttendStorage storage;              /* of weights and cache, never AUTO */
  AttendIsa isa;                      /* of the library's kernels */
  AttendIsa core_isa, projection_isa; /* whose fp32 peak the FLOPs of each part are held against */
  BenchStatus status;
  char reason[BENCH_REASON_SIZE]; /* of SKIPPED and FAILED */

  /* From the plan; zero where it did not come so far. */
  double flops;      /* of one call, visible pairs only */
  double core_flops; /* part of them that is not projections */
  size_t scratch_bytes, score_bytes;
  char *plan_text; /* null without explain */

  double bytes; /* what one call must read or write: workload_bytes() */

  /* Of MEASURED rows, and of FAILED ones that ran. */
  Samples samples; /* seconds of one call each */
  size_t calls_per_sample;
  double phase_seconds[ATTEND_PHASE_COUNT]; /* of one call, mean over all samples */
  size_t rows_checked;                      /* output rows held against the oracle */
  double error;                             /* largest |output - oracle| in them */
  double error_share;                       /* largest |output - oracle| / tolerance in them */
} BenchRow;

typedef struct BenchRun {
  const BenchConfig *config;
  AttendMachine machine;
  const char *command;        /* of the tool, in titles */
  const char *blas_threading; /* word for machine.blas_threading */
  Yardsticks *yardsticks;     /* one for each of config->threads, and that of serial paths */
  size_t yardstick_count;
  BenchRow *rows;
  size_t row_count;
  time_t started;
  double seconds;          /* the whole run */
  double contention_share; /* of the cores' time, that other programs had; below 0: unknown */
  bool interrupted;
} BenchRun;

/* Derived figures of a row that has samples; 0 where a yardstick is missing. */
double row_seconds(const BenchRow *row); /* the median */
double row_gflops(const BenchRow *row);
double row_gbps(const BenchRow *row);
/* Seconds of the FLOPs at their FMA peaks and of the bytes at the read bandwidth; and the peak that
 * the first amounts to: that of the ISA, or between two where the parts of a row differ in theirs.
 */
double row_compute_seconds(const BenchRow *row);
double row_bandwidth_seconds(const BenchRow *row);
double row_peak_gflops(const BenchRow *row);
double row_peak_share(const BenchRow *row);
double row_sgemm_share(const BenchRow *row);
double row_read_share(const BenchRow *row);
/* Tokens that come out per second: B * N of a prefill, B of a decode step. */
double row_tokens_per_second(const BenchRow *row, const BenchConfig *config);
/* Seconds of a call, by the mean of its samples. row_other_seconds() are those that no phase
 * accounts for, such as threads that start or wait for each other. row_core_seconds() are those
 * between the projections, packing and waiting included, so that the core of a layer compares with
 * a core by itself. */
double row_other_seconds(const BenchRow *row);
double row_core_seconds(const BenchRow *row);
double row_core_gflops(const BenchRow *row);

BenchLimit row_limit(const BenchRow *row);
double row_limit_share(const BenchRow *row);

/* Paths of a config at most: each of its precisions is one more entry of its list. */
#define BENCH_PATHS_MAX (ATTEND_PATH_COUNT * ATTEND_PRECISION_COUNT)

/* The precision of path number p, and the storage that its rows have. */
AttendPrecision config_precision(const BenchConfig *config, size_t p);
AttendStorage config_storage(const BenchConfig *config, size_t p);

/* Bytes of a stored number, and those of them that a precision reads: no more terms than it
 * multiplies.
 */
size_t bench_storage_bytes(AttendStorage storage);
size_t bench_moved_bytes(AttendPrecision precision, AttendStorage storage);

/* Whether rows are judged against the FMA peak of this ISA: the best in fp32, and the one asked
 * for. */
bool run_needs_peak(const BenchRun *run, AttendIsa isa);

/* Rows of that status. */
size_t run_count(const BenchRun *run, BenchStatus status);

/* Words of options and reports: "layer", "core"; "prefill", "decode"; "pending", "measured",
 * "skipped", "failed"; "compute", "bandwidth"; "none", "random", "bias". */
const char *bench_part_name(BenchPart part);
const char *bench_mode_name(BenchMode mode);
const char *bench_status_name(BenchStatus status);
const char *bench_limit_name(BenchLimit limit);
const char *bench_mask_name(BenchMask mask);

#endif
