/* report_kernels.h - the forms in which a run over kernels is printed; all show the same figures.
 */
#ifndef ATTEND_SRC_CLI_BENCH_REPORT_KERNELS_H
#define ATTEND_SRC_CLI_BENCH_REPORT_KERNELS_H

#include <stdio.h>

#include "bench/kernel_sweep.h"

/* Raised when a member of the JSON form changes its meaning or goes away; see docs/bench-json.md.
 */
#define KERNELS_SCHEMA_VERSION 1

void report_kernels_table(const KernelRun *run, FILE *stream);
void report_kernels_csv(const KernelRun *run, FILE *stream);

/* False if memory is missing; nothing is written then. */
bool report_kernels_json(const KernelRun *run, FILE *stream);

#endif
