/* bench_options.c - the options that `attend bench` and `attend compare` share.
 *
 * Owns the checks that compare values, which no table can express, and the defaults that depend on
 * other options. Measures nothing and opens no file. */
#include "cli/bench/bench_options.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench/report_plot.h"

static const char *part_name(int part) {
  return bench_part_name((BenchPart)part);
}

const Choices bench_parts = {"part", part_name, .count = BENCH_CORE + 1};

static int read_plot(const Option *option, const char *text, void *field) {
  if (report_plot_accepts(text)) return read_name(option, text, field);
  return usage_error("--%s: \"%s\" ends in neither .svg nor .png, which say what to draw.",
                     option->name, text);
}

#define OPTIONS BenchOptions
const Option bench_measuring_options[] = {
    {HEADING("How")},
    {"repeat", "R", SIZE(config.repeat, 1, 10000), .derived = "3 or more, by length",
     .help = "samples of each row"},
    {"time-limit", "S", SECONDS(config.time_limit_seconds), .initial = "10",
     .help = "seconds that a row may take"},
    {"memory-limit", "BYTES", BYTES(config.score_memory_limit_bytes), .initial = "2GiB",
     .help = "memory that score matrices may take, in bytes or with KiB, MiB, GiB"},
    {"yardstick-time", "S", SECONDS(config.yardstick_seconds), .initial = "0.25",
     .help = "seconds to measure each limit of the machine; below 0.05 it uses smaller operands"},
    {"seed", "SEED", SIZE(seed, 0, INT64_MAX), .initial = "1", .help = "seed of the random inputs"},
    {0},
};

const Option bench_output_options[] = {
    {"output", "FILE", NAME(output), .help = "write there in place of standard output"},
    {"plot", "FILE.svg|.png", READ(plot, const char *, read_plot),
     .help = "draw time, memory and share of the peak; figures in FILE.dat"},
    {0},
};

/* A precision other than fp32 is of the tiled path. */
static bool check_precisions(const BenchOptions *options) {
  for (size_t i = 0; i < options->paths.count; i++)
    if (options->paths.items[i] == ATTEND_PATH_TILED) return true;
  for (size_t i = 0; i < options->precisions.count; i++) {
    if (options->precisions.items[i] == ATTEND_PRECISION_FP32) continue;
    usage_error("--precision: %s is of the tiled path, which --paths leaves out.",
                attend_precision_name((AttendPrecision)options->precisions.items[i]));
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

/* The layer of --d-model and its kin is one more model. */
static int complete_models(BenchOptions *options) {
  static const Option none = {.name = "model"};
  ModelList *const models = &options->models;
  if (options->dimensions.width == 0)
    return models->count > 0 ? EXIT_SUCCESS : read_models(&none, BENCH_MODELS, models);
  if (models->count == OPTION_LIST_MAX)
    return usage_error("there are more than %d models; give fewer.", OPTION_LIST_MAX);
  return dimensions_model(&options->dimensions, &models->items[models->count++]);
}

int bench_complete_options(BenchOptions *options) {
  static const Option tokens = {.name = "tokens", .least = 1, .most = TOKENS_MAX};
  options->config.mode = options->decode ? BENCH_DECODE : BENCH_PREFILL;
  if (options->kernels) return isa_is_usable(options->config.isa) ? EXIT_SUCCESS : EXIT_USAGE;
  if (!check_files(options)) return EXIT_USAGE;
  int status = complete_models(options);
  if (status == EXIT_SUCCESS && options->tokens.count == 0)
    status = read_sizes(&tokens, options->decode ? BENCH_DECODE_TOKENS : BENCH_PREFILL_TOKENS,
                        &options->tokens);
  if (status != EXIT_SUCCESS) return status;
  distinguish_models(options);
  const bool fit = check_layer(options) && check_precisions(options) &&
                   check_storage(&options->config) && isa_is_usable(options->config.isa);
  return fit ? EXIT_SUCCESS : EXIT_USAGE;
}

static int compare_sizes(const void *a, const void *b) {
  const size_t left = *(const size_t *)a, right = *(const size_t *)b;
  return (left > right) - (left < right);
}

/* Ascending, each once: a shorter row predicts the time of a longer one. */
static void sort_sizes(SizeList *list) {
  qsort(list->items, list->count, sizeof *list->items, compare_sizes);
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++)
    if (kept == 0 || list->items[i] != list->items[kept - 1]) list->items[kept++] = list->items[i];
  list->count = kept;
}

/* The tiled path once in each precision, the others in the one that they have. */
static void fill_paths(BenchOptions *options) {
  size_t count = 0;
  for (size_t i = 0; i < options->paths.count; i++) {
    const AttendPath path = (AttendPath)options->paths.items[i];
    const bool tiled = path == ATTEND_PATH_TILED;
    for (size_t k = 0; k < (tiled ? options->precisions.count : 1); k++) {
      options->config_paths[count] = path;
      options->config_precisions[count++] =
          tiled ? (AttendPrecision)options->precisions.items[k] : ATTEND_PRECISION_FP32;
    }
  }
  options->config.paths = options->config_paths;
  options->config.precisions = options->config_precisions;
  options->config.path_count = count;
}

void bench_fill_config(BenchOptions *options) {
  BenchConfig *const config = &options->config;
  if (options->threads.count == 0) {
    AttendMachine machine;
    attend_describe_machine(&machine);
    options->threads = (SizeList){1, {machine.openmp_threads}};
  }
  sort_sizes(&options->threads);
  sort_sizes(&options->tokens);
  config->models = options->models.items;
  config->model_count = options->models.count;
  config->tokens = options->tokens.items;
  config->token_count = options->tokens.count;
  config->threads = options->threads.items;
  config->thread_count = options->threads.count;
  fill_paths(options);
  config->causal = !options->bidirectional;
  config->seed = options->seed;
}
