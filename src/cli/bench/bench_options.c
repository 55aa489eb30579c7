/* bench_options.c - reads the arguments of `attend bench`; owns its defaults and limits. */
#include "cli/bench/bench_options.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/util/score_options.h"

#define TOKENS_MAX ((size_t)1 << 24)
#define BATCH_MAX ((size_t)1 << 16)
#define THREADS_MAX 1024
#define REPEAT_MAX 10000
#define TIME_LIMIT_SECONDS 10
#define YARDSTICK_SECONDS 0.25

static const struct option bench_options[] = {
    COMMON_OPTIONS,
    DIMENSION_OPTIONS,
    SCORE_OPTIONS,
    {"model", required_argument, NULL, OPTION_MODEL},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"paths", required_argument, NULL, OPTION_PATHS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"isa", required_argument, NULL, OPTION_ISA},
    {"precision", required_argument, NULL, OPTION_PRECISION},
    {"storage", required_argument, NULL, OPTION_STORAGE},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"prefill", no_argument, NULL, OPTION_PREFILL},
    {"decode", no_argument, NULL, OPTION_DECODE},
    {"chunk", required_argument, NULL, OPTION_CHUNK},
    {"layer", required_argument, NULL, OPTION_LAYER},
    {"part", required_argument, NULL, OPTION_PART},
    {"bidirectional", no_argument, NULL, OPTION_BIDIRECTIONAL},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"time-limit", required_argument, NULL, OPTION_TIME_LIMIT},
    {"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
    {"yardstick-time", required_argument, NULL, OPTION_YARDSTICK_TIME},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"json", no_argument, NULL, OPTION_JSON},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"plot", required_argument, NULL, OPTION_PLOT},
    {"explain", no_argument, NULL, OPTION_EXPLAIN},
    {"kernels", no_argument, NULL, OPTION_KERNELS},
    {0},
};

static bool parse_part(const char *text, BenchPart *part) {
  for (int p = BENCH_LAYER; p <= BENCH_CORE; p++) {
    if (strcmp(text, bench_part_name((BenchPart)p)) != 0) continue;
    *part = (BenchPart)p;
    return true;
  }
  usage_error("--part: there is no part \"%s\"; they are layer and core.", text);
  return false;
}

/* Options without a value. False if code is none of them. */
static bool take_flag(BenchOptions *options, int code) {
  switch (code) {
  case OPTION_PREFILL:
    options->prefill = true;
    options->config.mode = BENCH_PREFILL;
    return true;
  case OPTION_DECODE:
    options->decode = true;
    options->config.mode = BENCH_DECODE;
    return true;
  case OPTION_BIDIRECTIONAL:
    options->config.causal = false;
    return true;
  case OPTION_CSV:
    options->csv = true;
    options->form = FORM_CSV;
    return true;
  case OPTION_JSON:
    options->json = true;
    options->form = FORM_JSON;
    return true;
  case OPTION_EXPLAIN:
    options->config.explain = true;
    return true;
  case OPTION_KERNELS:
    options->kernels = true;
    return true;
  default:
    return false;
  }
}

/* Remembers the file beside its model. */
static bool take_config(BenchOptions *options, const char *path) {
  if (!append_config("--config", path, &options->models)) return false;
  options->config_places[options->config_count] = options->models.count - 1;
  options->configs[options->config_count++] = path;
  return true;
}

bool bench_take_option(BenchOptions *options, int code, const char *value) {
  BenchConfig *const config = &options->config;
  const OptionTaken common = take_common_option(&options->common, code, value);
  if (common != OPTION_FOREIGN) return common == OPTION_TAKEN;
  const OptionTaken dimension = take_dimension_option(&options->dimensions, code, value);
  if (dimension != OPTION_FOREIGN) return dimension == OPTION_TAKEN;
  const OptionTaken score = take_score_option(&config->scores, code, value);
  if (score != OPTION_FOREIGN) return score == OPTION_TAKEN;
  if (take_flag(options, code)) return true;
  switch (code) {
  case OPTION_MODEL:
    return parse_models("--model", value, &options->models);
  case OPTION_CONFIG:
    return take_config(options, value);
  case OPTION_TOKENS:
    return parse_sizes("--tokens", value, 1, TOKENS_MAX, &options->tokens);
  case OPTION_PATHS:
    return parse_paths("--paths", value, &options->paths);
  case OPTION_THREADS:
    return parse_sizes("--threads", value, 1, THREADS_MAX, &options->threads);
  case OPTION_ISA:
    return parse_isa("--isa", value, &config->isa);
  case OPTION_PRECISION:
    return parse_precisions("--precision", value, &options->precisions);
  case OPTION_STORAGE:
    return parse_storage("--storage", value, &config->storage);
  case OPTION_BATCH:
    return parse_size("--batch", value, 1, BATCH_MAX, &config->batch);
  case OPTION_CHUNK:
    return parse_size("--chunk", value, 1, TOKENS_MAX, &config->chunk);
  case OPTION_LAYER:
    return parse_size("--layer", value, 0, ATTEND_MODEL_LAYERS - 1, &config->layer);
  case OPTION_PART:
    return parse_part(value, &config->part);
  case OPTION_REPEAT:
    return parse_size("--repeat", value, 1, REPEAT_MAX, &config->repeat);
  case OPTION_TIME_LIMIT:
    return parse_seconds("--time-limit", value, &config->time_limit_seconds);
  case OPTION_MEMORY_LIMIT:
    return parse_size("--memory-limit", value, 1, SIZE_MAX, &config->score_memory_limit_bytes);
  case OPTION_YARDSTICK_TIME:
    return parse_seconds("--yardstick-time", value, &config->yardstick_seconds);
  case OPTION_SEED:
    return parse_size("--seed", value, 0, INT64_MAX, &options->seed);
  case OPTION_OUTPUT:
    options->output = value;
    return true;
  default:
    options->plot = value;
    return true;
  }
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
    const bool tiled = options->paths.items[i] == ATTEND_PATH_TILED;
    for (size_t k = 0; k < (tiled ? options->precisions.count : 1); k++) {
      options->config_paths[count] = options->paths.items[i];
      options->config_precisions[count++] =
          tiled ? options->precisions.items[k] : ATTEND_PRECISION_FP32;
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
  config->seed = options->seed;
}

void bench_set_defaults(BenchOptions *options) {
  AttendSettings settings;
  attend_default_settings(&settings);
  *options = (BenchOptions){.seed = 1, .precisions = {1, {ATTEND_PRECISION_FP32}}};
  options->config = (BenchConfig){
      .isa = ATTEND_ISA_AUTO,
      .causal = true,
      .batch = 1,
      .time_limit_seconds = TIME_LIMIT_SECONDS,
      .yardstick_seconds = YARDSTICK_SECONDS,
      .score_memory_limit_bytes = settings.score_memory_limit_bytes,
  };
}

int bench_read_options(int argc, char **argv, BenchOptions *options) {
  bench_set_defaults(options);
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", bench_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("bench", code, argv, bench_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    if (!bench_take_option(options, code, optarg)) return EXIT_USAGE;
  }
  if (optind < argc) return bad_argument("bench", argv[optind]);
  return bench_complete_options(options) ? EXIT_SUCCESS : EXIT_USAGE;
}
