/* run_options.c - the options of `attend run` and which of them go together.
 *
 * Owns the rules: weights come from a file or are random, and so does the input; a dry run needs a
 * model, because random weights have none beside them.
 */
#include "cli/run/run_options.h"

#include <stdint.h>
#include <stdio.h>

#define THREADS_MAX 1024
#define TOKENS_MAX ((size_t)1 << 24)

enum {
  OPTION_WEIGHTS = OPTION_FIRST_OWN,
  OPTION_LAYER,
  OPTION_INPUT,
  OPTION_RUN_OUTPUT,
  OPTION_CACHE,
  OPTION_INTERMEDIATES,
  OPTION_RANDOM,
  OPTION_TOKENS,
  OPTION_SAVE_WEIGHTS,
  OPTION_PATH,
  OPTION_ISA,
  OPTION_THREADS,
  OPTION_PRECISION,
  OPTION_STORAGE,
};

static const struct option run_options[] = {
    COMMON_OPTIONS,
    MODEL_OPTIONS,
    {"weights", required_argument, NULL, OPTION_WEIGHTS},
    {"layer", required_argument, NULL, OPTION_LAYER},
    {"input", required_argument, NULL, OPTION_INPUT},
    {"output", required_argument, NULL, OPTION_RUN_OUTPUT},
    {"kv-cache", required_argument, NULL, OPTION_CACHE},
    {"save-intermediates", required_argument, NULL, OPTION_INTERMEDIATES},
    {"random", required_argument, NULL, OPTION_RANDOM},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"save-weights", required_argument, NULL, OPTION_SAVE_WEIGHTS},
    {"path", required_argument, NULL, OPTION_PATH},
    {"isa", required_argument, NULL, OPTION_ISA},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"precision", required_argument, NULL, OPTION_PRECISION},
    {"storage", required_argument, NULL, OPTION_STORAGE},
    {0},
};

void run_print_help(void) {
  fputs(
      "Usage: attend run --weights PATH --input X.npy [OPTION...]\n"
      "       attend run --random SEED --model NAME --tokens N [OPTION...]\n"
      "\n"
      "Runs one attention layer of a model, causally, on activations [tokens, E] or\n"
      "[batch, tokens, E]. With random weights it is a dry run at the model's real width.\n"
      "\n"
      "Options:\n"
      "  --weights PATH         a .safetensors file, an index of a sharded model, or a directory\n"
      "                         with either\n"
      "  --layer L              which layer of the model, counted from 0 (default 0)\n"
      "  --input FILE           the activations, as .npy\n"
      "  --output FILE          write the layer's output there, as .npy\n"
      "  --kv-cache FILE        continue after the keys and values in this file, if it is there,\n"
      "                         and write it anew with those of the input behind them\n"
      "  --save-intermediates DIR\n"
      "                         write every matrix on the way there, as .npy; with --path auto\n"
      "                         the naive path runs, which shows all of them\n"
      "  --random SEED          random weights, and a random input where --tokens stands in its\n"
      "                         place\n"
      "  --tokens N             length of the random input\n"
      "  --save-weights FILE    write the random weights there, as .safetensors\n"
      "  --path PATH            tiled, blas, naive, or auto (default)\n"
      "  --isa ISA              scalar, avx2, avx512, avx512bf16, amx, or auto (default)\n"
      "  --precision PRECISION  of the tiled path's products: fp32 (default), bf16x6, bf16x3, "
      "bf16\n"
      "  --storage STORAGE      of the weights and the cache: fp32, bf16, bf16x2, bf16x3, fp16,\n"
      "                         or auto (default), which is as the precision reads them\n"
      "  --threads T            threads (default: OpenMP's number)\n"
      "\n"
      "The model, if it is not that of the config.json beside the weights:\n" MODEL_OPTIONS_HELP
      "\n" COMMON_OPTIONS_HELP,
      stdout);
}

/* An option that is followed by the name of a file, which cannot be empty. */
static bool take_name(const char *option, const char *value, const char **name) {
  if (*value == '\0') {
    usage_error("%s: the name is empty.", option);
    return false;
  }
  *name = value;
  return true;
}

static bool take_option(RunOptions *options, int code, const char *value) {
  switch (code) {
  case OPTION_WEIGHTS:
    return take_name("--weights", value, &options->weights);
  case OPTION_LAYER:
    return parse_size("--layer", value, 0, ATTEND_MODEL_LAYERS - 1, &options->layer);
  case OPTION_INPUT:
    return take_name("--input", value, &options->input);
  case OPTION_RUN_OUTPUT:
    return take_name("--output", value, &options->output);
  case OPTION_CACHE:
    return take_name("--kv-cache", value, &options->cache);
  case OPTION_INTERMEDIATES:
    return take_name("--save-intermediates", value, &options->intermediates);
  case OPTION_RANDOM:
    return parse_size("--random", value, 0, INT64_MAX, &options->seed);
  case OPTION_TOKENS:
    return parse_size("--tokens", value, 1, TOKENS_MAX, &options->tokens);
  case OPTION_SAVE_WEIGHTS:
    return take_name("--save-weights", value, &options->save_weights);
  case OPTION_PATH:
    return parse_path("--path", value, &options->settings.path);
  case OPTION_ISA:
    return parse_isa("--isa", value, &options->settings.isa);
  case OPTION_PRECISION:
    return parse_precision("--precision", value, &options->settings.precision);
  case OPTION_STORAGE:
    return parse_storage("--storage", value, &options->storage);
  case OPTION_THREADS:
    return parse_size("--threads", value, 1, THREADS_MAX, &options->settings.threads);
  default:
    break;
  }
  const OptionTaken model = take_model_option(&options->model, code, value);
  if (model != OPTION_FOREIGN) return model == OPTION_TAKEN;
  return take_common_option(&options->common, code, value) == OPTION_TAKEN;
}

/* What goes together. EXIT_SUCCESS, or EXIT_USAGE with the sentence printed. */
static int check(const RunOptions *options) {
  const bool random = options->seed != SIZE_MAX;
  if (model_ways(&options->model) > 1) {
    return usage_error("--model, --config and dimensions exclude each other; give one of them.");
  }
  if (random == (options->weights != NULL)) {
    return usage_error(random ? "--weights and --random exclude each other; give one of them."
                              : "there are no weights; give --weights PATH, or --random SEED.");
  }
  if (random && model_ways(&options->model) == 0) {
    return usage_error("--random needs a model; give --model NAME, --config FILE or dimensions.");
  }
  if (!random && options->save_weights != NULL) {
    return usage_error("--save-weights writes random weights; it goes with --random.");
  }
  if (options->input != NULL && options->tokens > 0) {
    return usage_error("--tokens is the length of a random input; --input has its own.");
  }
  if (options->input == NULL && options->tokens == 0) {
    return usage_error(random ? "there is no input; give --input X.npy, or --tokens N."
                              : "there is no input; give --input X.npy.");
  }
  if (!random && options->input == NULL) {
    return usage_error("--tokens makes a random input; it goes with --random.");
  }
  return EXIT_SUCCESS;
}

int run_read_options(int argc, char **argv, RunOptions *options) {
  *options = (RunOptions){.seed = SIZE_MAX};
  attend_default_settings(&options->settings);
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", run_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("run", code, argv, run_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    if (!take_option(options, code, optarg)) return EXIT_USAGE;
  }
  if (optind < argc) return bad_argument("run", argv[optind]);
  return check(options);
}
