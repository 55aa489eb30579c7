/* cmd_inspect.c - `attend inspect`: the tensors of a file, and which layers of its model can be
 * run.
 *
 * Owns the command's options. It reads headers only, so that it answers at once whatever the file's
 * size, and changes nothing.
 */
#include <stdio.h>

#include "cli/inspect/inspection.h"
#include "cli/util/blas_core.h"

typedef struct InspectOptions {
  CommonOptions common;
  ModelChoice model;
  bool json;
} InspectOptions;

enum { OPTION_JSON = OPTION_FIRST_OWN };

static const struct option inspect_options[] = {
    COMMON_OPTIONS,
    MODEL_OPTIONS,
    {"json", no_argument, NULL, OPTION_JSON},
    {0},
};

static void print_help(void) {
  fputs("Usage: attend inspect [OPTION...] PATH\n"
        "\n"
        "Lists the tensors of a .safetensors file, of a sharded model by its index, or of a "
        "directory\n"
        "with either; says which attention layers can be run, what they take in memory once "
        "packed\n"
        "in each storage, and why the others cannot. Of a .npy file it shows the array.\n"
        "\n"
        "Options:\n"
        "  --json                 print it as JSON\n"
        "\n"
        "The model, if it is not that of the config.json beside the weights:\n" MODEL_OPTIONS_HELP
        "\n" COMMON_OPTIONS_HELP,
        stdout);
}

static bool take_option(InspectOptions *options, int code, const char *value) {
  if (code == OPTION_JSON) {
    options->json = true;
    return true;
  }
  const OptionTaken model = take_model_option(&options->model, code, value);
  if (model != OPTION_FOREIGN) return model == OPTION_TAKEN;
  return take_common_option(&options->common, code, value) == OPTION_TAKEN;
}

static int inspect(const InspectOptions *options, const char *path) {
  Inspection inspection;
  int status = inspection_open(path, &options->model, &inspection);
  if (status == EXIT_SUCCESS) {
    if (!options->json) {
      inspection_print_text(&inspection);
    } else if (!inspection_print_json(&inspection)) {
      status = failure("memory for the report is missing, or a name in the file is not UTF-8.");
    }
    if (status == EXIT_SUCCESS) status = finish_stdout();
  }
  inspection_close(&inspection);
  return status;
}

int cmd_inspect(int argc, char **argv) {
  InspectOptions options = {.json = false};
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", inspect_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("inspect", code, argv, inspect_options);
    if (code == 'h') {
      print_help();
      return finish_stdout();
    }
    if (!take_option(&options, code, optarg)) return EXIT_USAGE;
  }
  if (optind == argc) {
    return usage_error("inspect: the path is missing; give a .safetensors file, an index, a "
                       "directory or a .npy file.");
  }
  if (optind + 1 < argc) return bad_argument("inspect", argv[optind + 1]);
  if (model_ways(&options.model) > 1) {
    return usage_error("--model, --config and dimensions exclude each other; give one of them.");
  }
  const int settled =
      blas_core_settle_quietly(options.common.blas_core, !options.common.no_restart, argv);
  if (settled != EXIT_SUCCESS) return settled;
  return inspect(&options, argv[optind]);
}
