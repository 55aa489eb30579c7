/* doctor.c - what is wrong between this processor, its OpenBLAS and the number of threads.
 *
 * Owns the wording of findings. A cost is either a figure of the comparison that was handed in or a
 * statement of what holds in general, and the text says which. Measures nothing, changes nothing,
 * and reads the environment only in doctor_gather(), so that an examination depends on its facts
 * alone.
 */
#include "cli/info/doctor.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/cpu_contention.h"

#define OPENMP_BUILD_CURE                                                                          \
  "Install the OpenMP build (Debian: apt install libopenblas0-openmp) and choose it where "        \
  "several "                                                                                       \
  "are installed (update-alternatives --config libopenblas.so.0-x86_64-linux-gnu)."

/* A gain below this is taken for noise. */
static const double gain_of_note = 1.05;

void doctor_gather(size_t threads, DoctorFacts *facts) {
  *facts = (DoctorFacts){
      .threads = threads,
      .omp_num_threads = getenv("OMP_NUM_THREADS"),
      .openblas_num_threads = getenv("OPENBLAS_NUM_THREADS"),
  };
  attend_describe_machine(&facts->machine);
  blas_core_inspect(&facts->core);
}

static DoctorFinding *add_finding(DoctorReport *report, const char *code) {
  DoctorFinding *finding = &report->findings[report->count++];
  finding->code = code;
  return finding;
}

static bool is_measured(const CoreComparison *comparison) {
  return comparison->threads > 0 && comparison->low_gflops > 0;
}

static double gain(const CoreComparison *comparison) {
  return comparison->high_gflops / comparison->low_gflops;
}

/* The cost of the lower core: as measured, else as known of its class. */
static void write_core_cost(const DoctorFacts *facts, char cost[DOCTOR_TEXT_SIZE]) {
  const CoreComparison *measured = &facts->comparison;
  if (is_measured(measured)) {
    snprintf(cost, DOCTOR_TEXT_SIZE,
             "Measured here: sgemm gives %.0f GFLOP/s under %s and %.0f under %s on %zu thread%s, "
             "%.2f times as many%s.",
             measured->low_gflops, measured->low, measured->high_gflops, measured->high,
             measured->threads, measured->threads == 1 ? "" : "s", gain(measured),
             gain(measured) < gain_of_note ? ": nothing is lost in large products" : "");
    return;
  }
  const bool without_fma = blas_core_class(facts->core.before) == BLAS_CLASS_OLDER;
  snprintf(cost, DOCTOR_TEXT_SIZE, "Not measured: %s%s.",
           without_fma
               ? "half of the peak or more, because these kernels have no fused multiply-add"
               : "up to half of the peak on processors with two 512-bit FMA units, little or "
                 "nothing on others",
           facts->core.selectable ? "; attend info --measure measures it here" : "");
}

static void write_core_fault(const BlasCoreState *core, char fault[DOCTOR_TEXT_SIZE]) {
  const char *used = blas_core_class_name(blas_core_class(core->before));
  const char *allowed = blas_core_class_name(core->processor_class);
  char corrected[96] = "";
  if (core->origin == BLAS_CORE_RESTART) {
    snprintf(corrected, sizeof corrected, "; in this run attend has put it under %s", core->name);
  }
  if (core->before_held_by_user) {
    snprintf(fault, DOCTOR_TEXT_SIZE,
             BLAS_CORE_VARIABLE "=%s in the environment holds OpenBLAS at %s kernels, but the "
                                "processor has %s%s.",
             core->before, used, allowed, corrected);
  } else if (core->selectable) {
    snprintf(fault, DOCTOR_TEXT_SIZE,
             "OpenBLAS did not recognise the processor and took %s, with %s kernels, but the "
             "processor has %s%s.",
             core->before, used, allowed, corrected);
  } else {
    snprintf(
        fault, DOCTOR_TEXT_SIZE,
        "This build of OpenBLAS can take %s at best, with %s kernels, but the processor has %s.",
        core->before, used, allowed);
  }
}

static void write_core_cure(const DoctorFacts *facts, char cure[DOCTOR_TEXT_SIZE]) {
  const BlasCoreState *core = &facts->core;
  if (is_measured(&facts->comparison) && gain(&facts->comparison) < gain_of_note) {
    snprintf(cure, DOCTOR_TEXT_SIZE, "None is needed on this machine: %s is as fast here.",
             core->before);
  } else if (core->before_held_by_user) {
    snprintf(cure, DOCTOR_TEXT_SIZE,
             "Unset " BLAS_CORE_VARIABLE ", or run attend with --blas-core best.");
  } else if (core->selectable) {
    snprintf(cure, DOCTOR_TEXT_SIZE,
             "attend starts again under %s by itself; for other programs export " BLAS_CORE_VARIABLE
             "=%s, or install a newer OpenBLAS.",
             core->best, core->best);
  } else {
    snprintf(cure, DOCTOR_TEXT_SIZE,
             "Install a build for many processors (DYNAMIC_ARCH; Debian: apt install "
             "libopenblas0-openmp).");
  }
}

static void examine_core(const DoctorFacts *facts, DoctorReport *report) {
  const BlasCoreState *core = &facts->core;
  if (!blas_core_was_low(core)) return;
  const char *code = core->before_held_by_user ? "core_held"
                     : core->selectable        ? "core_misdetected"
                                               : "core_not_selectable";
  DoctorFinding *finding = add_finding(report, code);
  write_core_fault(core, finding->fault);
  write_core_cost(facts, finding->cost);
  write_core_cure(facts, finding->cure);
}

static void examine_threading(const DoctorFacts *facts, DoctorReport *report) {
  if (facts->machine.blas_threading == 1) {
    DoctorFinding *finding = add_finding(report, "blas_pthreads");
    snprintf(finding->fault, sizeof finding->fault,
             "OpenBLAS is the pthreads build, whose threads know nothing of OpenMP's.");
    snprintf(
        finding->cost, sizeof finding->cost,
        "Not measured: after each product its threads still wait for the next one, on the cores "
        "that attend's own threads then want.");
    snprintf(finding->cure, sizeof finding->cure, OPENMP_BUILD_CURE);
  } else if (facts->machine.blas_threading == 0) {
    DoctorFinding *finding = add_finding(report, "blas_serial");
    snprintf(finding->fault, sizeof finding->fault,
             "OpenBLAS is the serial build: each of its products runs on one thread.");
    snprintf(finding->cost, sizeof finding->cost,
             "The projections use one of %zu cores, whatever --threads says.",
             facts->machine.cores);
    snprintf(finding->cure, sizeof finding->cure, OPENMP_BUILD_CURE);
  }
}

/* Who asks for more threads than there are cores, as "8 threads (OMP_NUM_THREADS=8)"; false if
 * nobody does. What --threads says is what attend uses; OpenMP's and OpenBLAS's numbers are
 * defaults. */
static bool describe_excess(const DoctorFacts *facts, char *text, size_t size) {
  const AttendMachine *machine = &facts->machine;
  if (facts->threads > 0) {
    snprintf(text, size, "%zu threads (--threads %zu)", facts->threads, facts->threads);
    return facts->threads > machine->cores;
  }
  if (machine->openmp_threads > machine->cores) {
    snprintf(text, size, "%zu OpenMP threads (OMP_NUM_THREADS=%s)", machine->openmp_threads,
             facts->omp_num_threads != NULL ? facts->omp_num_threads : "");
    return true;
  }
  snprintf(text, size, "%zu OpenBLAS threads (OPENBLAS_NUM_THREADS=%s)", machine->blas_threads,
           facts->openblas_num_threads != NULL ? facts->openblas_num_threads : "");
  return machine->blas_threads > machine->cores;
}

static void examine_threads(const DoctorFacts *facts, DoctorReport *report) {
  char excess[128];
  if (!describe_excess(facts, excess, sizeof excess)) return;
  const size_t cores = facts->machine.cores;
  const char *plural = cores == 1 ? "" : "s";
  DoctorFinding *finding = add_finding(report, "threads_exceed_cores");
  snprintf(finding->fault, sizeof finding->fault, "%s share %zu core%s.", excess, cores, plural);
  snprintf(finding->cost, sizeof finding->cost,
           "Not measured: each parallel region waits for the thread that the system runs last, so "
           "times grow and vary from run to run.");
  snprintf(finding->cure, sizeof finding->cure,
           "Use at most %zu thread%s: --threads %zu, or OMP_NUM_THREADS=%zu.", cores, plural, cores,
           cores);
}

static void examine_contention(const DoctorFacts *facts, DoctorReport *report) {
  if (facts->contention_share < CONTENTION_OF_NOTE) return;
  const size_t cores = facts->machine.cores;
  DoctorFinding *finding = add_finding(report, "cores_shared");
  snprintf(finding->fault, sizeof finding->fault,
           "Other programs had %.0f%% of the time of the %zu core%s while this was measured.",
           100 * facts->contention_share, cores, cores == 1 ? "" : "s");
  snprintf(finding->cost, sizeof finding->cost,
           "Not measured: limits are lower, and times longer, than on a quiet machine.");
  snprintf(finding->cure, sizeof finding->cure,
           "Measure again when they have ended; attend bench notes the same of its runs.");
}

void doctor_examine(const DoctorFacts *facts, DoctorReport *report) {
  *report = (DoctorReport){0};
  examine_core(facts, report);
  examine_threading(facts, report);
  examine_threads(facts, report);
  examine_contention(facts, report);
}
