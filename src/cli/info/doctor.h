/* doctor.h - what is wrong between this processor, its OpenBLAS and the number of threads.
 *
 * The doctor looks at facts that were gathered before and states findings, each with its cost and
 * its cure. It measures nothing and claims no cost that was not measured: without a comparison it
 * says what is known in general and how to measure it here.
 */
#ifndef ATTEND_SRC_CLI_INFO_DOCTOR_H
#define ATTEND_SRC_CLI_INFO_DOCTOR_H

#include "attend/attend.h"
#include "cli/util/blas_core.h"

#define DOCTOR_TEXT_SIZE 384
#define DOCTOR_FINDINGS_MAX 4

/* sgemm under two cores of OpenBLAS, measured in turns on this machine. threads 0: not measured. */
typedef struct CoreComparison {
  char low[BLAS_CORE_NAME_SIZE], high[BLAS_CORE_NAME_SIZE];
  size_t threads;
  double low_gflops, high_gflops;
} CoreComparison;

/* The facts. Texts may be null where a variable is not set. */
typedef struct DoctorFacts {
  AttendMachine machine;
  BlasCoreState core;
  size_t threads; /* asked for on the command line; 0 if not */
  const char *omp_num_threads, *openblas_num_threads;
  CoreComparison comparison;
  double contention_share; /* share of the cores' time that other programs had; <= 0: unknown */
} DoctorFacts;

/* One thing that is wrong. code is a fixed word for programs: "core_held", "core_misdetected",
 * "core_not_selectable", "blas_pthreads", "blas_serial", "threads_exceed_cores", "cores_shared". */
typedef struct DoctorFinding {
  const char *code;
  char fault[DOCTOR_TEXT_SIZE];
  char cost[DOCTOR_TEXT_SIZE];
  char cure[DOCTOR_TEXT_SIZE];
} DoctorFinding;

typedef struct DoctorReport {
  size_t count;
  DoctorFinding findings[DOCTOR_FINDINGS_MAX];
} DoctorReport;

/* Gathers the facts of this process; threads as in DoctorFacts. Nothing is measured. */
void doctor_gather(size_t threads, DoctorFacts *facts);

/* States what is wrong, worst first; count 0 if all is well. */
void doctor_examine(const DoctorFacts *facts, DoctorReport *report);

#endif
