/* arguments.c - reading options; see arguments.h. Every value is checked here, none is clamped. */
#include "arguments.h"

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "toy - a small inference engine on the library attend\n"
    "\n"
    "Usage: toy MODEL [OPTION...]\n"
    "\n"
    "MODEL is a checkpoint in the llama2.c format, or a Hugging Face directory (config.json and\n"
    "safetensors) of the LLaMA, Mistral, Qwen2 or Qwen3 family. Prompt and continuation go to\n"
    "stdout as they come, speeds to stderr.\n"
    "\n"
    "  --tokenizer FILE    a llama2.c tokenizer; without one, tokens go in and out as numbers\n"
    "  --prompt TEXT       the text to continue (needs a tokenizer)\n"
    "  --tokens ID,ID,...  the tokens to continue, as they are (default: the model's first token)\n"
    "  --steps N           tokens to generate; 0 runs the prompt only (default: 256, or as many "
    "as\n"
    "                      the model's context has room for)\n"
    "  --temperature T     0: always the likeliest token (default); more is more surprising\n"
    "  --top-p P           choose among the likeliest tokens that reach probability P (default 1)\n"
    "  --seed N            of the choices (default 1)\n"
    "  --numbers           print tokens as numbers although there is a tokenizer\n"
    "  --path NAME         auto, tiled, blas or naive\n"
    "  --isa NAME          auto, or a name that `attend info` lists\n"
    "  --precision NAME    of the attention's products: fp32 (default), bf16x6, bf16x3 or bf16\n"
    "  --storage NAME      of its weights and caches, as in `attend run` (default auto: as the\n"
    "                      precision reads them)\n"
    "  --threads N         default: as many as OpenMP would take\n"
    "  --chunk N           run the prompt in chunks of N tokens (default: in one call)\n"
    "  -h, --help          print this text\n";

enum {
  TOKENIZER = 256,
  PROMPT,
  TOKENS,
  STEPS,
  TEMPERATURE,
  TOP_P,
  SEED,
  NUMBERS,
  PATH,
  ISA,
  PRECISION,
  STORAGE,
  THREADS,
  CHUNK
};

static const struct option options[] = {
    {"tokenizer", required_argument, NULL, TOKENIZER},
    {"prompt", required_argument, NULL, PROMPT},
    {"tokens", required_argument, NULL, TOKENS},
    {"steps", required_argument, NULL, STEPS},
    {"temperature", required_argument, NULL, TEMPERATURE},
    {"top-p", required_argument, NULL, TOP_P},
    {"seed", required_argument, NULL, SEED},
    {"numbers", no_argument, NULL, NUMBERS},
    {"path", required_argument, NULL, PATH},
    {"isa", required_argument, NULL, ISA},
    {"precision", required_argument, NULL, PRECISION},
    {"storage", required_argument, NULL, STORAGE},
    {"threads", required_argument, NULL, THREADS},
    {"chunk", required_argument, NULL, CHUNK},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Prints the sentence and returns false. */
__attribute__((format(printf, 1, 2))) static bool refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("toy: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs(".\n", stderr);
  va_end(arguments);
  return false;
}

bool parse_count(const char *text, size_t most, size_t *count, const char **end) {
  size_t value = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++) {
    const size_t digit = (size_t)(*at - '0');
    if (value > (most - digit) / 10 || digit > most) return false;
    value = value * 10 + digit;
  }
  if (at == text) return false;
  *count = value;
  *end = at;
  return true;
}

static bool take_count(const char *name, const char *text, size_t least, size_t most,
                       size_t *count) {
  const char *end;
  if (parse_count(text, most, count, &end) && *end == '\0' && *count >= least) return true;
  return refuse("--%s is \"%s\"; expected a whole number from %zu to %zu", name, text, least, most);
}

static bool take_number(const char *name, const char *text, const char *range, double least,
                        double most, double *number) {
  char *end;
  *number = strtod(text, &end);
  if (end != text && *end == '\0' && *number >= least && *number <= most) return true;
  return refuse("--%s is \"%s\"; expected a number %s", name, text, range);
}

/* Names of the library by number; null behind the last one. */
typedef const char *(*NameOf)(int number);

static const char *path_name(int number) {
  return attend_path_name((AttendPath)number);
}

static const char *isa_name(int number) {
  return attend_isa_name((AttendIsa)number);
}

static const char *precision_name(int number) {
  return attend_precision_name((AttendPrecision)number);
}

static const char *storage_name(int number) {
  return attend_storage_name((AttendStorage)number);
}

static bool refuse_name(const char *option, const char *value, NameOf name) {
  char names[128] = "";
  for (int k = 0; name(k); k++) {
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", k ? ", " : "", name(k));
  }
  return refuse("--%s is \"%s\"; expected one of %s", option, value, names);
}

/* Takes one option with its value. */
static bool take_option(int code, const char *value, Arguments *a) {
  switch (code) {
  case TOKENIZER:
    a->tokenizer = value;
    return true;
  case PROMPT:
    a->prompt = value;
    return true;
  case TOKENS:
    a->tokens = value;
    return true;
  case NUMBERS:
    a->numbers = true;
    return true;
  case STEPS:
    return take_count("steps", value, 0, INT32_MAX, &a->steps);
  case CHUNK:
    return take_count("chunk", value, 1, INT32_MAX, &a->chunk);
  case THREADS:
    return take_count("threads", value, 1, 1024, &a->settings.threads);
  case SEED:
    return take_count("seed", value, 0, SIZE_MAX, &a->sampler.seed);
  case TEMPERATURE:
    return take_number("temperature", value, "from 0 to 100", 0, 100, &a->sampler.temperature);
  case TOP_P:
    return take_number("top-p", value, "above 0, at most 1", 0x1p-1022, 1, &a->sampler.top_p);
  case PATH:
    return attend_find_path(value, &a->settings.path) || refuse_name("path", value, path_name);
  case PRECISION:
    return attend_find_precision(value, &a->settings.precision) ||
           refuse_name("precision", value, precision_name);
  case STORAGE:
    return attend_find_storage(value, &a->storage) || refuse_name("storage", value, storage_name);
  default:
    return attend_find_isa(value, &a->settings.isa) || refuse_name("isa", value, isa_name);
  }
}

/* What only all of the options together can be wrong in. */
static bool check_arguments(int argc, char **argv, Arguments *a) {
  if (optind == argc) return refuse("no model is named; see toy --help");
  a->model = argv[optind];
  if (optind + 1 < argc) return refuse("\"%s\" follows the model; one is run", argv[optind + 1]);
  if (a->prompt && a->tokens) return refuse("both --prompt and --tokens are given; expected one");
  if (a->prompt && !a->tokenizer) return refuse("--prompt needs a --tokenizer");
  return true;
}

bool arguments_parse(int argc, char **argv, Arguments *arguments, int *status) {
  *arguments = (Arguments){.steps = SIZE_MAX, .chunk = SIZE_MAX, .sampler = {0, 1, 1}};
  attend_default_settings(&arguments->settings);
  *status = EXIT_USAGE;
  opterr = 0;
  for (int code; (code = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
    if (code == 'h') {
      fputs(help, stdout);
      *status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
      return false;
    }
    if (code == ':') return refuse("%s needs a value", argv[optind - 1]);
    if (code == '?') return refuse("there is no option %s; see toy --help", argv[optind - 1]);
    if (!take_option(code, optarg, arguments)) return false;
  }
  return check_arguments(argc, argv, arguments);
}
