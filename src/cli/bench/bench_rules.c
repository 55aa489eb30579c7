/* bench_rules.c - which options of `attend bench` go together, and what stands where none was
 * given. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench/bench_options.h"
#include "cli/bench/report_plot.h"
#include "cli/util/score_options.h"

static bool check_paths(const PathList *paths) {
  bool refused[ATTEND_PATH_COUNT] = {[ATTEND_PATH_AUTO] = true};
  for (size_t i = 0; i < paths->count; i++) {
    const AttendPath path = paths->items[i];
    if (refused[path]) {
      usage_error("--paths: \"%s\" %s; give some of tiled, blas and naive, each once.",
                  attend_path_name(path),
                  path == ATTEND_PATH_AUTO ? "is no path of its own" : "is there twice");
      return false;
    }
    refused[path] = true;
  }
  return true;
}

/* Each precision once, and a tiled path that has them. */
static bool check_precisions(const BenchOptions *options) {
  const PrecisionList *const list = &options->precisions;
  bool tiled = false;
  for (size_t i = 0; i < options->paths.count; i++)
    tiled |= options->paths.items[i] == ATTEND_PATH_TILED;
  for (size_t i = 0; i < list->count; i++) {
    const char *const name = attend_precision_name(list->items[i]);
    for (size_t j = 0; j < i; j++) {
      if (list->items[j] != list->items[i]) continue;
      usage_error("--precision: \"%s\" is there twice; give each once.", name);
      return false;
    }
    if (tiled || list->items[i] == ATTEND_PRECISION_FP32) continue;
    usage_error("--precision: %s is of the tiled path, which --paths leaves out.", name);
    return false;
  }
  return true;
}

static bool check_storage(const BenchConfig *config) {
  const bool stores = config->part == BENCH_LAYER || config->mode == BENCH_DECODE || config->chunk;
  if (config->storage == ATTEND_STORAGE_AUTO || stores) return true;
  usage_error("--storage: a core that is given all tokens at once has neither weights nor a cache; "
              "add --decode or --chunk, or leave it out.");
  return false;
}

static bool check_isa(AttendIsa isa) {
  AttendMachine machine;
  attend_describe_machine(&machine);
  if (isa == ATTEND_ISA_AUTO || machine.isa_usable[isa]) return true;
  usage_error("--isa: %s is not usable here, because %s; the widest that is usable is %s.",
              attend_isa_name(isa),
              machine.isa_built[isa] ? "the processor or the operating system does not allow it"
                                     : "its kernels are not in this build",
              attend_isa_name(machine.isa_best));
  return false;
}

/* Files may call their models the same, most often by the family; their paths then tell them
 * apart. */
static void distinguish_models(BenchOptions *options) {
  ModelList *const models = &options->models;
  bool shared[OPTION_LIST_MAX] = {false};
  for (size_t i = 0; i < models->count; i++)
    for (size_t j = 0; j < models->count; j++)
      shared[i] |= i != j && strcmp(models->items[i].name, models->items[j].name) == 0;
  for (size_t c = 0; c < options->config_count; c++) {
    const size_t place = options->config_places[c], length = strlen(options->configs[c]);
    if (!shared[place]) continue;
    const size_t left_out = length < ATTEND_NAME_SIZE ? 0 : length - (ATTEND_NAME_SIZE - 1);
    snprintf(models->items[place].name, ATTEND_NAME_SIZE, "%s", options->configs[c] + left_out);
  }
}

/* The layer of --d-model and its kin is one more model. */
static bool complete_models(BenchOptions *options) {
  ModelList *const models = &options->models;
  if (!dimensions_given(&options->dimensions))
    return models->count > 0 || parse_models("--model", "qwen2.5-0.5b,llama-7b", models);
  if (models->count == OPTION_LIST_MAX) {
    usage_error("there are more than %d models; give fewer.", OPTION_LIST_MAX);
    return false;
  }
  return dimensions_model(&options->dimensions, &models->items[models->count]) &&
         ++models->count > 0;
}

/* An option that shapes layers and has no meaning for kernels; null if there is none. */
static const char *layer_option(const BenchOptions *options) {
  const BenchConfig *const config = &options->config;
  if (options->models.count) return "--model";
  if (dimensions_given(&options->dimensions)) return "--d-model";
  if (options->tokens.count) return "--tokens";
  if (options->paths.count) return "--paths";
  if (options->threads.count) return "--threads";
  if (options->precisions.count > 1 || options->precisions.items[0] != ATTEND_PRECISION_FP32)
    return "--precision";
  if (config->storage != ATTEND_STORAGE_AUTO) return "--storage";
  if (options->prefill) return "--prefill";
  if (options->decode) return "--decode";
  if (config->chunk) return "--chunk";
  if (config->layer) return "--layer";
  if (config->part == BENCH_CORE) return "--part";
  if (config->batch != 1) return "--batch";
  if (!config->causal) return "--bidirectional";
  if (config->explain) return "--explain";
  if (options->plot) return "--plot";
  return score_option_given(&config->scores);
}

static bool check_kernels(const BenchOptions *options) {
  const char *const refused = layer_option(options);
  if (!refused) return check_isa(options->config.isa);
  usage_error("--kernels: %s is for layers; beside the form of the output, kernels take --isa, "
              "--repeat and --yardstick-time.",
              refused);
  return false;
}

static bool same_file(const char *a, const char *b) {
  struct stat one, other;
  if (strcmp(a, b) == 0) return true;
  return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino && S_ISREG(one.st_mode);
}

/* No file is written twice, and none that is read. */
static bool check_files(const BenchOptions *options) {
  char data[PATH_MAX] = "";
  const char *written[3];
  size_t count = 0;
  if (options->output) written[count++] = options->output;
  if (options->plot) written[count++] = options->plot;
  if (options->plot && report_plot_data_path(options->plot, data)) written[count++] = data;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < i; j++) {
      if (!same_file(written[i], written[j])) continue;
      usage_error("%s would be written by both --output and --plot; name two files.", written[i]);
      return false;
    }
    for (size_t j = 0; j < options->config_count; j++) {
      if (!same_file(written[i], options->configs[j])) continue;
      usage_error("%s is read as --config and would be overwritten; name another file to write.",
                  written[i]);
      return false;
    }
  }
  return true;
}

/* Every model has the layer that --layer names. */
static bool check_layer(const BenchOptions *options) {
  for (size_t m = 0; m < options->models.count; m++) {
    const AttendModel *const model = &options->models.items[m];
    if (options->config.layer < model->layers) continue;
    usage_error("--layer: %s has %zu layer%s; give a number from 0 to %zu.", model->name,
                model->layers, model->layers == 1 ? "" : "s", model->layers - 1);
    return false;
  }
  return true;
}

/* Two answers to one question. */
static bool check_contradictions(const BenchOptions *options) {
  const BenchConfig *const config = &options->config;
  if (options->prefill && options->decode)
    usage_error("--prefill and --decode are two modes; give one of them.");
  else if (options->csv && options->json)
    usage_error("--csv and --json are two forms of one output; give one of them.");
  else if (options->decode && config->chunk)
    usage_error("--chunk is for a prefill; a decode step is one token.");
  else if (config->chunk && !config->causal)
    usage_error("--chunk: a chunk cannot see the tokens of later ones, as --bidirectional asks; "
                "leave one of them out.");
  else
    return true;
  return false;
}

bool bench_complete_options(BenchOptions *options) {
  static const SizeList prefill = {4, {128, 512, 1024, 2048}}, decode = {3, {512, 2048, 8192}};
  static const PathList all = {3, {ATTEND_PATH_TILED, ATTEND_PATH_BLAS, ATTEND_PATH_NAIVE}};
  if (!check_contradictions(options)) return false;
  if (options->kernels) return check_kernels(options);
  if (options->config.explain && options->form == FORM_CSV) {
    usage_error("--explain: CSV has no place for plans; use --json or the table.");
    return false;
  }
  if (options->plot && !report_plot_accepts(options->plot)) {
    usage_error("--plot: \"%s\" ends in neither .svg nor .png, which say what to draw.",
                options->plot);
    return false;
  }
  if (!check_files(options) || !complete_models(options) || !check_layer(options)) return false;
  distinguish_models(options);
  if (options->tokens.count == 0)
    options->tokens = options->config.mode == BENCH_DECODE ? decode : prefill;
  if (options->paths.count == 0) options->paths = all;
  return check_paths(&options->paths) && check_precisions(options) &&
         check_storage(&options->config) && check_isa(options->config.isa);
}
