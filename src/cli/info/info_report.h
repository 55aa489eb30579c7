/* info_report.h - what `attend info` knows, and the forms in which it is printed.
 *
 * The command gathers an InfoReport and a writer prints it; the writers measure nothing. Both print
 * the same facts: a figure in one of them is in the other.
 */
#ifndef ATTEND_SRC_CLI_INFO_INFO_REPORT_H
#define ATTEND_SRC_CLI_INFO_INFO_REPORT_H

#include "cli/info/doctor.h"

/* Raised when a member of the JSON form changes its meaning or goes away; new members do not. */
#define INFO_SCHEMA_VERSION 1

/* The machine's limits at one number of threads. 0: could not be measured. */
typedef struct InfoLimits {
  size_t threads;
  double fma_gflops[ATTEND_ISA_COUNT];
  double sgemm_gflops, read_gbps;
} InfoLimits;

/* One thread, and all of them. */
#define INFO_LIMITS_MAX 2

typedef struct InfoReport {
  DoctorFacts facts;
  DoctorReport doctor;
  size_t limit_count; /* 0: not measured */
  InfoLimits limits[INFO_LIMITS_MAX];
} InfoReport;

/* "serial", "pthreads", "OpenMP", or "unknown" of AttendMachine.blas_threading. */
const char *info_threading_name(int blas_threading);

/* "detected", "user", "restart" of BlasCoreState.origin. */
const char *info_origin_name(BlasCoreOrigin origin);

/* "none", "linear", "ntk", "yarn", "llama3". */
const char *info_scaling_name(AttendRopeScaling scaling);

/* How many of a model's layers have the window. */
size_t info_sliding_layers(const AttendModel *model);

/* Print the report, or the presets alone, as text on stdout. */
void info_print_text(const InfoReport *report);
void info_print_models(void);

/* Prints the report and the presets as one JSON object on stdout. False if memory is short. */
bool info_print_json(const InfoReport *report);

#endif
