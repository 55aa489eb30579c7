/* bench_options.c - reads the arguments of `attend bench`; owns its help text, defaults and limits. */
#include "cli/bench_options.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/report_plot.h"

#define TOKENS_MAX ((size_t)1 << 24)
#define BATCH_MAX ((size_t)1 << 16)
#define THREADS_MAX 1024
#define REPEAT_MAX 10000
#define TIME_LIMIT_SECONDS 10
#define YARDSTICK_SECONDS 0.25

enum {
  OPTION_MODEL = OPTION_FIRST_OWN,
  OPTION_CONFIG,
  OPTION_TOKENS,
  OPTION_PATHS,
  OPTION_THREADS,
  OPTION_ISA,
  OPTION_BATCH,
  OPTION_PREFILL,
  OPTION_DECODE,
  OPTION_PART,
  OPTION_BIDIRECTIONAL,
  OPTION_REPEAT,
  OPTION_TIME_LIMIT,
  OPTION_MEMORY_LIMIT,
  OPTION_YARDSTICK_TIME,
  OPTION_SEED,
  OPTION_CSV,
  OPTION_JSON,
  OPTION_OUTPUT,
  OPTION_PLOT,
  OPTION_EXPLAIN,
  OPTION_KERNELS,
};

static const struct option bench_options[] = {
    COMMON_OPTIONS,
    DIMENSION_OPTIONS,
    {"model", required_argument, NULL, OPTION_MODEL},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"paths", required_argument, NULL, OPTION_PATHS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"isa", required_argument, NULL, OPTION_ISA},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"prefill", no_argument, NULL, OPTION_PREFILL},
    {"decode", no_argument, NULL, OPTION_DECODE},
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

void bench_print_help(void) {
  fputs("Usage: attend bench [OPTION...]\n"
        "\n"
        "Times attention layers by model, length, threads and path, holds every output against a\n"
        "float64 oracle, and compares with what the machine can do, measured in the same run.\n"
        "Without options: qwen2.5-0.5b and llama-7b at four lengths, in about two minutes.\n"
        "\n"
        "What is measured (lists are separated by commas):\n"
        "  --model NAME,...       presets; `attend info --models` lists them\n"
        "  --config FILE          a model's Hugging Face config.json; may be repeated\n" //
        DIMENSION_OPTIONS_HELP
        "  --tokens N,...         prefill: tokens (default 128,512,1024,2048);\n"
        "                         decode: keys (default 512,2048,8192)\n"
        "  --paths PATH,...       tiled, blas, naive (default all three)\n"
        "  --threads T,...        threads (default: OpenMP's number)\n"
        "  --isa ISA              kernels of the tiled path: auto, scalar, avx2, avx512\n"
        "  --batch B              sequences (default 1)\n"
        "  --prefill, --decode    all tokens at once (default), or one token after N - 1 cached\n"
        "  --part PART            layer (default), or core: attention without the projections\n"
        "  --bidirectional        no causal mask\n"
        "  --kernels              the kernels by themselves, on one thread, in place of all that;\n"
        "                         --isa picks one (default: every usable one)\n"
        "\n"
        "How:\n"
        "  --repeat R             samples of each row (default: 3 or more, by length)\n"
        "  --time-limit S         seconds that a row may take (default 10)\n"
        "  --memory-limit BYTES   most that score matrices may take (default 2 GiB)\n"
        "  --yardstick-time S     seconds for each limit of the machine (default 0.25; below 0.05 "
        "on\n"
        "                         smaller operands)\n"
        "  --seed SEED            of the random inputs (default 1)\n"
        "\n"
        "Output:\n"
        "  --csv, --json          in place of the table\n"
        "  --output FILE          write there in place of standard output\n"
        "  --plot FILE.svg|.png   draw time, memory and share of the peak; figures in FILE.dat\n"
        "  --explain              add the plan of each row\n"
        "\n"
        "Other:\n" COMMON_OPTIONS_HELP "\n"
        "Exit status: 0; 1 if a row failed or a file could not be written; 2 for wrong usage;\n"
        "130 if Ctrl-C ended it, after the rows measured so far are printed.\n",
        stdout);
}

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
    options->config.mode = BENCH_PREFILL;
    return true;
  case OPTION_DECODE:
    options->config.mode = BENCH_DECODE;
    return true;
  case OPTION_BIDIRECTIONAL:
    options->config.causal = false;
    return true;
  case OPTION_CSV:
    options->form = FORM_CSV;
    return true;
  case OPTION_JSON:
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

/* Stores one option. False, with the sentence printed, if its value is wrong. */
static bool take_option(BenchOptions *options, int code, const char *value) {
  BenchConfig *const config = &options->config;
  const OptionTaken common = take_common_option(&options->common, code, value);
  if (common != OPTION_FOREIGN) return common == OPTION_TAKEN;
  const OptionTaken dimension = take_dimension_option(&options->dimensions, code, value);
  if (dimension != OPTION_FOREIGN) return dimension == OPTION_TAKEN;
  if (take_flag(options, code)) return true;
  switch (code) {
  case OPTION_MODEL:
    return parse_models("--model", value, &options->models);
  case OPTION_CONFIG:
    if (options->config_count < OPTION_LIST_MAX) options->configs[options->config_count++] = value;
    return append_config("--config", value, &options->models);
  case OPTION_TOKENS:
    return parse_sizes("--tokens", value, 1, TOKENS_MAX, &options->tokens);
  case OPTION_PATHS:
    return parse_paths("--paths", value, &options->paths);
  case OPTION_THREADS:
    return parse_sizes("--threads", value, 1, THREADS_MAX, &options->threads);
  case OPTION_ISA:
    return parse_isa("--isa", value, &config->isa);
  case OPTION_BATCH:
    return parse_size("--batch", value, 1, BATCH_MAX, &config->batch);
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
  if (config->mode == BENCH_DECODE) return "--decode";
  if (config->part == BENCH_CORE) return "--part";
  if (config->batch != 1) return "--batch";
  if (!config->causal) return "--bidirectional";
  if (config->explain) return "--explain";
  return options->plot ? "--plot" : NULL;
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

/* Puts defaults where lists are empty, and refuses combinations that make no sense. */
static bool complete_options(BenchOptions *options) {
  static const SizeList prefill = {4, {128, 512, 1024, 2048}}, decode = {3, {512, 2048, 8192}};
  static const PathList all = {3, {ATTEND_PATH_TILED, ATTEND_PATH_BLAS, ATTEND_PATH_NAIVE}};
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
  if (!check_files(options) || !complete_models(options)) return false;
  if (options->tokens.count == 0)
    options->tokens = options->config.mode == BENCH_DECODE ? decode : prefill;
  if (options->paths.count == 0) options->paths = all;
  sort_sizes(&options->tokens);
  return check_paths(&options->paths) && check_isa(options->config.isa);
}

void bench_fill_config(BenchOptions *options) {
  BenchConfig *const config = &options->config;
  if (options->threads.count == 0) {
    AttendMachine machine;
    attend_describe_machine(&machine);
    options->threads = (SizeList){1, {machine.openmp_threads}};
  }
  sort_sizes(&options->threads);
  config->models = options->models.items;
  config->model_count = options->models.count;
  config->tokens = options->tokens.items;
  config->token_count = options->tokens.count;
  config->threads = options->threads.items;
  config->thread_count = options->threads.count;
  config->paths = options->paths.items;
  config->path_count = options->paths.count;
  config->seed = options->seed;
}

static void set_defaults(BenchOptions *options) {
  AttendSettings settings;
  attend_default_settings(&settings);
  *options = (BenchOptions){.seed = 1};
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
  set_defaults(options);
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", bench_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("bench", code, argv, bench_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    if (!take_option(options, code, optarg)) return EXIT_USAGE;
  }
  if (optind < argc) return bad_argument("bench", argv[optind]);
  return complete_options(options) ? EXIT_SUCCESS : EXIT_USAGE;
}
