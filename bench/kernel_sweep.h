/* kernel_sweep.h - times every kernel family and the yardsticks by themselves, on one thread.
 *
 * A run is a list of rows, one for each case (kernel_cases.h) and ISA, in the order of
 * timed_family_at(); the ISAs of a case are sampled in turns. A family without a case has one row
 * without samples, so that it cannot be overlooked. Results are checked by the tests, not here.
 */
#ifndef ATTEND_BENCH_KERNEL_SWEEP_H
#define ATTEND_BENCH_KERNEL_SWEEP_H

#include "bench/kernel_cases.h"
#include "bench/progress.h"

typedef struct KernelRow {
  const char *family;
  const KernelCase *timing; /* null: the family has no case */
  AttendIsa isa;
  KernelWork work; /* of one call */
  Samples samples; /* seconds of one call each */
  size_t calls_per_sample;
  double clock_hertz; /* of the core, the fastest seen after a sample; 0 if it cannot be known */
} KernelRow;

typedef struct KernelRun {
  AttendMachine machine;
  double yardstick_seconds;
  size_t repeat;     /* samples of a row; 0: as many as its length asks for */
  Yardsticks limits; /* of one thread; sgemm is not measured */
  AttendIsa isas[ATTEND_ISA_COUNT];
  size_t isa_count;
  KernelRow *rows;
  size_t row_count;
  time_t started;
  double seconds; /* the whole run */
  bool interrupted;
} KernelRun;

/* Lists the rows: of one ISA, which must be usable, or of every usable one (AUTO). False if memory
 * is missing; the run is then zero. */
bool kernel_sweep_open(const BenchConfig *config, KernelRun *run);

/* Measures limits and rows, until interrupt_seen(); the caller has called interrupt_catch(). False
 * if the operands do not fit into memory. */
bool kernel_sweep_measure(KernelRun *run, BenchProgress *progress);

void kernel_sweep_close(KernelRun *run);

/* Derived figures of a row with samples: as in results.h, with the FMA peak of the row's own ISA.
 */
double kernel_row_cycles(const KernelRow *row); /* of the fastest sample, at the fastest clock */
double kernel_row_gflops(const KernelRow *row);
double kernel_row_gbps(const KernelRow *row);
BenchLimit kernel_row_limit(const KernelRun *run, const KernelRow *row);
double kernel_row_limit_share(const KernelRun *run, const KernelRow *row);

#endif
