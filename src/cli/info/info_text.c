/* info_text.c - the report of `attend info` as aligned text, for people.
 *
 * Owns layout only. Unknown values are said to be unknown rather than printed as 0 or left out.
 */
#include <stdio.h>
#include <string.h>

#include "cli/info/info_report.h"
#include "cli/util/wrap.h"
#include "kernels/kernels.h"

#define TEXT_COLUMNS 96
#define TEXT_INDENT 15

const char *info_threading_name(int blas_threading) {
  static const char *const names[] = {"serial", "pthreads", "OpenMP"};
  return blas_threading >= 0 && blas_threading <= 2 ? names[blas_threading] : "unknown";
}

const char *info_origin_name(BlasCoreOrigin origin) {
  switch (origin) {
  case BLAS_CORE_DETECTED:
    return "detected";
  case BLAS_CORE_USER:
    return "user";
  case BLAS_CORE_RESTART:
    return "restart";
  }
  return "unknown";
}

static void print_labelled(const char *label, const char *text) {
  printf("  %-*s", TEXT_INDENT - 2, label);
  print_wrapped(stdout, text, TEXT_INDENT, TEXT_COLUMNS);
}

static void print_count(const char *label, size_t count) {
  char text[32];
  snprintf(text, sizeof text, "%zu", count);
  print_labelled(label, text);
}

static void write_bytes(size_t bytes, char *text, size_t size) {
  const size_t kib = (size_t)1 << 10, mib = (size_t)1 << 20;
  if (bytes == 0) {
    snprintf(text, size, "unknown");
  } else if (bytes % mib == 0) {
    snprintf(text, size, "%zu MiB", bytes / mib);
  } else {
    snprintf(text, size, "%zu KiB", bytes / kib);
  }
}

static void print_processor(const AttendMachine *machine) {
  char l1d[32], l2[32], l3[32], caches[128];
  write_bytes(machine->l1d_bytes, l1d, sizeof l1d);
  write_bytes(machine->l2_bytes, l2, sizeof l2);
  write_bytes(machine->l3_bytes, l3, sizeof l3);
  snprintf(caches, sizeof caches, "L1d %s, L2 %s, L3 %s", l1d, l2, l3);
  puts("Processor");
  print_labelled("name", machine->processor[0] != '\0' ? machine->processor : "unknown");
  print_count("cores", machine->cores);
  print_labelled("caches", caches);
}

static void print_kernels(const AttendMachine *machine) {
  puts("\nKernels        built   usable  chosen");
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    printf("  %-11s  %-6s  %-6s  %s\n", attend_isa_name((AttendIsa)isa),
           machine->isa_built[isa] ? "yes" : "no", machine->isa_usable[isa] ? "yes" : "no",
           machine->isa_best == (AttendIsa)isa ? "yes" : "no");
  }
  char families[1024] = "";
  size_t used = 0;
  for (const char *const *family = kernels_families(); *family != NULL && used < sizeof families;
       family++) {
    used += (size_t)snprintf(families + used, sizeof families - used, "%s%s", used > 0 ? ", " : "",
                             *family);
  }
  print_labelled("families", families);
}

static void print_blas(const DoctorFacts *facts) {
  const AttendMachine *machine = &facts->machine;
  const BlasCoreState *core = &facts->core;
  char text[256] = "";
  switch (core->origin) {
  case BLAS_CORE_USER:
    snprintf(text, sizeof text, "%s (%s kernels), set by " BLAS_CORE_VARIABLE, core->name,
             blas_core_class_name(core->core_class));
    break;
  case BLAS_CORE_RESTART:
    snprintf(text, sizeof text, "%s (%s kernels), set by attend in place of %s", core->name,
             blas_core_class_name(core->core_class), core->before);
    break;
  case BLAS_CORE_DETECTED:
    snprintf(text, sizeof text, "%s (%s kernels), chosen by OpenBLAS", core->name,
             blas_core_class_name(core->core_class));
    break;
  }
  puts("\nOpenBLAS");
  print_labelled("version", machine->blas_version[0] != '\0' ? machine->blas_version : "unknown");
  print_labelled("config", machine->blas_config);
  print_labelled("core", text);
  print_labelled("threading", info_threading_name(machine->blas_threading));
  print_count("threads", machine->blas_threads);
  puts("\nOpenMP");
  print_count("threads", machine->openmp_threads);
}

/* One row of figures, a column for each number of threads; 0 is a figure that could not be had. */
static void print_figures(const char *label, const char *unit, const double *figures,
                          size_t count) {
  printf("  %-18s", label);
  for (size_t i = 0; i < count; i++) {
    if (figures[i] > 0) {
      printf("  %10.1f", figures[i]);
    } else {
      printf("  %10s", "unknown");
    }
  }
  printf("  %s\n", unit);
}

static void print_limits(const InfoReport *report) {
  const size_t count = report->limit_count;
  if (count == 0) return;
  double figures[INFO_LIMITS_MAX];
  printf("\n%-20s", "Measured, threads");
  for (size_t i = 0; i < count; i++) printf("  %10zu", report->limits[i].threads);
  putchar('\n');
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    if (!report->facts.machine.isa_usable[isa]) continue;
    char label[32];
    snprintf(label, sizeof label, "FMA peak, %s", attend_isa_name((AttendIsa)isa));
    for (size_t i = 0; i < count; i++) figures[i] = report->limits[i].fma_gflops[isa];
    print_figures(label, "GFLOP/s", figures, count);
  }
  for (size_t i = 0; i < count; i++) figures[i] = report->limits[i].sgemm_gflops;
  print_figures("sgemm", "GFLOP/s", figures, count);
  for (size_t i = 0; i < count; i++) figures[i] = report->limits[i].read_gbps;
  print_figures("memory read", "GB/s", figures, count);
}

static void print_findings(const DoctorReport *doctor) {
  puts("\nDoctor");
  if (doctor->count == 0) puts("  Nothing is wrong.");
  for (size_t i = 0; i < doctor->count; i++) {
    const DoctorFinding *finding = &doctor->findings[i];
    print_labelled("finding", finding->fault);
    print_labelled("  cost", finding->cost);
    print_labelled("  cure", finding->cure);
  }
}

void info_print_text(const InfoReport *report) {
  printf("attend %s\n\n", attend_version());
  print_processor(&report->facts.machine);
  print_kernels(&report->facts.machine);
  print_blas(&report->facts);
  print_limits(report);
  print_findings(&report->doctor);
}

static const char *bias_text(const AttendModel *model) {
  if (model->qkv_bias && model->output_bias) return "qkv, output";
  if (model->qkv_bias) return "qkv";
  return model->output_bias ? "output" : "none";
}

const char *info_scaling_name(AttendRopeScaling scaling) {
  static const char *const names[] = {"none", "linear", "ntk", "yarn", "llama3"};
  return (unsigned)scaling < sizeof names / sizeof names[0] ? names[scaling] : "unknown";
}

size_t info_sliding_layers(const AttendModel *model) {
  size_t layers = 0;
  for (size_t word = 0; word < ATTEND_MODEL_LAYERS / 64; word++) {
    layers += (size_t)__builtin_popcountll(model->sliding[word]);
  }
  return layers;
}

/* The base, and how it is stretched: "500000 llama3 x32". */
static void rope_text(const AttendRope *rope, char *text, size_t size) {
  if (rope->pairing == ATTEND_ROPE_NONE) {
    snprintf(text, size, "none");
  } else if (rope->scaling == ATTEND_ROPE_UNSCALED) {
    snprintf(text, size, "%.7g", rope->base);
  } else {
    snprintf(text, size, "%.7g %s x%g", rope->base, info_scaling_name(rope->scaling), rope->factor);
  }
}

/* On how many layers, and how many keys they see: "13 x 4096". */
static void window_text(const AttendModel *model, char *text, size_t size) {
  const size_t layers = info_sliding_layers(model);
  if (layers == 0) {
    snprintf(text, size, "none");
  } else {
    snprintf(text, size, "%zu x %zu", layers, model->window);
  }
}

static void scores_text(const AttendModel *model, char *text, size_t size) {
  if (model->softcap > 0) {
    snprintf(text, size, "softcap %g", (double)model->softcap);
  } else {
    snprintf(text, size, "%s", model->qk_norm ? "qk-norm" : model->sinks ? "sinks" : "plain");
  }
}

void info_print_models(void) {
  printf("%-14s  %5s  %3s  %3s  %4s  %4s  %6s  %-11s  %-17s  %-9s  %-10s  %s\n", "model", "E", "Hq",
         "Hk", "D", "Dv", "layers", "biases", "RoPE", "windows", "scores", "source");
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *model = attend_model_at(i);
    const AttendLayerShape *shape = &model->shape;
    char rope[48], window[48], scores[32];
    rope_text(&model->rope, rope, sizeof rope);
    window_text(model, window, sizeof window);
    scores_text(model, scores, sizeof scores);
    printf("%-14s  %5zu  %3zu  %3zu  %4zu  %4zu  %6zu  %-11s  %-17s  %-9s  %-10s  %s\n",
           model->name, shape->width, shape->query_heads, shape->kv_heads, shape->head_dim,
           shape->value_dim, model->layers, bias_text(model), rope, window, scores, model->source);
  }
}
