/* info_json.c - the report of `attend info` as one JSON object, for programs.
 *
 * Owns the names of its members; INFO_SCHEMA_VERSION tells when one changes its meaning.
 * src/cli/util/json.h says how unknown values and a lack of memory are treated.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/info/info_report.h"
#include "cli/util/json.h"
#include "kernels/kernels.h"

static json_t *processor_object(const AttendMachine *machine) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", json_text_or_null(machine->processor),
                   "cores", json_count_or_null(machine->cores), "l1d_bytes",
                   json_count_or_null(machine->l1d_bytes), "l2_bytes",
                   json_count_or_null(machine->l2_bytes), "l3_bytes",
                   json_count_or_null(machine->l3_bytes));
}

static json_t *kernels_object(const AttendMachine *machine) {
  json_t *isas = json_array(), *families = json_array();
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    json_append(&isas,
                json_pack("{s:s, s:b, s:b, s:b}", "isa", attend_isa_name((AttendIsa)isa), "built",
                          (int)machine->isa_built[isa], "usable", (int)machine->isa_usable[isa],
                          "chosen", (int)(machine->isa_best == (AttendIsa)isa)));
  }
  for (const char *const *family = kernels_families(); *family != NULL; family++) {
    json_append(&families, json_string(*family));
  }
  return json_pack("{s:s, s:o, s:o}", "chosen", attend_isa_name(machine->isa_best), "isas", isas,
                   "families", families);
}

static json_t *blas_object(const DoctorFacts *facts) {
  const AttendMachine *machine = &facts->machine;
  const BlasCoreState *core = &facts->core;
  return json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "version",
                   json_text_or_null(machine->blas_version), "config",
                   json_text_or_null(machine->blas_config), "core", json_text_or_null(core->name),
                   "core_class", blas_core_class_name(core->core_class), "core_origin",
                   info_origin_name(core->origin), "processor_class",
                   blas_core_class_name(core->processor_class), "core_before",
                   json_text_or_null(core->before), "core_best", json_text_or_null(core->best),
                   "threading", info_threading_name(machine->blas_threading), "threads",
                   json_count_or_null(machine->blas_threads));
}

static json_t *findings_array(const DoctorReport *doctor) {
  json_t *findings = json_array();
  for (size_t i = 0; i < doctor->count; i++) {
    const DoctorFinding *finding = &doctor->findings[i];
    json_append(&findings, json_pack("{s:s, s:o, s:o, s:o}", "code", finding->code, "fault",
                                     json_text_or_null(finding->fault), "cost",
                                     json_text_or_null(finding->cost), "cure",
                                     json_text_or_null(finding->cure)));
  }
  return findings;
}

static json_t *limits_array(const InfoReport *report) {
  if (report->limit_count == 0) return json_null();
  json_t *array = json_array();
  for (size_t i = 0; i < report->limit_count; i++) {
    const InfoLimits *limits = &report->limits[i];
    json_append(&array,
                json_pack("{s:o, s:o, s:o, s:o}", "threads", json_count_or_null(limits->threads),
                          "fma_gflops", json_peaks(limits->fma_gflops), "sgemm_gflops",
                          json_figure_or_null(limits->sgemm_gflops > 0, limits->sgemm_gflops),
                          "read_gbps",
                          json_figure_or_null(limits->read_gbps > 0, limits->read_gbps)));
  }
  return array;
}

static json_t *comparison_object(const CoreComparison *comparison) {
  if (comparison->threads == 0) return json_null();
  return json_pack("{s:o, s:s, s:f, s:s, s:f}", "threads", json_count_or_null(comparison->threads),
                   "low_core", comparison->low, "low_sgemm_gflops", comparison->low_gflops,
                   "high_core", comparison->high, "high_sgemm_gflops", comparison->high_gflops);
}

/* Null for a model without RoPE; members that its kind of scaling does not use are null too. */
static json_t *rope_object(const AttendRope *rope) {
  if (rope->pairing == ATTEND_ROPE_NONE) return json_null();
  const bool scaled = rope->scaling != ATTEND_ROPE_UNSCALED;
  const bool banded = rope->scaling == ATTEND_ROPE_YARN || rope->scaling == ATTEND_ROPE_LLAMA3;
  return json_pack("{s:s, s:f, s:s, s:o, s:o}", "pairing",
                   rope->pairing == ATTEND_ROPE_HALF ? "half" : "interleaved", "base", rope->base,
                   "scaling", info_scaling_name(rope->scaling), "factor",
                   json_figure_or_null(scaled, rope->factor), "original_positions",
                   json_figure_or_null(banded, rope->original_positions));
}

/* A 0 of the model is null here: it stands for an option that the model does not have, or for a
 * scale of 1/sqrt(D). */
static void set_scores(const AttendModel *model, json_t **object) {
  json_set(object, "rope", rope_object(&model->rope));
  json_set(object, "qk_norm", json_boolean(model->qk_norm));
  json_set(object, "norm_epsilon",
           json_figure_or_null(model->qk_norm, (double)model->norm_epsilon));
  json_set(object, "scale", json_figure_or_null(model->scale > 0, (double)model->scale));
  json_set(object, "softcap", json_figure_or_null(model->softcap > 0, (double)model->softcap));
  json_set(object, "sinks", json_boolean(model->sinks));
  json_set(object, "window", json_count_or_null(model->window));
  json_set(object, "sliding_layers", json_integer((json_int_t)info_sliding_layers(model)));
}

static json_t *model_object(const AttendModel *model) {
  const AttendLayerShape *shape = &model->shape;
  json_t *object = json_pack(
      "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "name", model->name, "width",
      json_count_or_null(shape->width), "query_heads", json_count_or_null(shape->query_heads),
      "kv_heads", json_count_or_null(shape->kv_heads), "head_dim",
      json_count_or_null(shape->head_dim), "value_dim", json_count_or_null(shape->value_dim),
      "layers", json_count_or_null(model->layers), "qkv_bias", (int)model->qkv_bias, "output_bias",
      (int)model->output_bias, "source",
      json_text_or_null(model->source != NULL ? model->source : ""));
  set_scores(model, &object);
  return object;
}

static json_t *models_array(void) {
  json_t *array = json_array();
  for (size_t i = 0; i < attend_model_count(); i++) {
    json_append(&array, model_object(attend_model_at(i)));
  }
  return array;
}

bool info_print_json(const InfoReport *report) {
  const AttendMachine *machine = &report->facts.machine;
  json_t *root = json_pack(
      "{s:{s:s, s:i}, s:s, s:o, s:o, s:o, s:{s:o}, s:{s:o, s:o}, s:o, s:o}", "schema", "name",
      "attend-info", "version", INFO_SCHEMA_VERSION, "attend_version", attend_version(),
      "processor", processor_object(machine), "kernels", kernels_object(machine), "blas",
      blas_object(&report->facts), "openmp", "threads", json_count_or_null(machine->openmp_threads),
      "measured", "limits", limits_array(report), "core_comparison",
      comparison_object(&report->facts.comparison), "findings", findings_array(&report->doctor),
      "models", models_array());
  if (root == NULL) return false;
  /* finish_stdout() reports a write error. */
  const bool encoded = json_dumpf(root, stdout, JSON_INDENT(2)) == 0 || ferror(stdout);
  putchar('\n');
  json_decref(root);
  return encoded;
}
