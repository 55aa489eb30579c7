/* cmd_inspect.c - `attend inspect`: the tensors of a file, and which layers of its model can be
 * run.
 *
 * Owns the command's options. It reads headers only, so that it answers at once whatever the file's
 * size, and changes nothing.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/inspect/inspection.h"
#include "cli/util/blas_core.h"

typedef struct InspectOptions {
  CommonOptions common;
  ModelChoice model;
  bool json;
} InspectOptions;

#define OPTIONS InspectOptions
static const Option options_table[] = {
    {"json", NULL, FLAG(json), .help = "JSON in place of the text"},
    {HEADING("The model, if it is not that of the config.json beside the weights")},
    {GROUP(model, model_options)},
    {GROUP(common, common_options)},
    {0},
};

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

static int run(const CommandLine *line) {
  const InspectOptions *const options = line->options;
  const int settled =
      blas_core_settle_quietly(options->common.blas_core, !options->common.no_restart, line->argv);
  return settled == EXIT_SUCCESS ? inspect(options, line->operand) : settled;
}

const Command inspect_command = {
    .name = "inspect",
    .summary = "list the tensors of a file, and the layers that can be run",
    .synopsis = "[OPTION...] PATH",
    .about = "Lists the tensors of a .safetensors file, of a sharded model by its index, or of a "
             "directory with either; says which attention layers can be run, what they take in "
             "memory once packed in each storage, and why the others cannot. Of a .npy file it "
             "shows the array.",
    .options = options_table,
    .options_size = sizeof(InspectOptions),
    .operand = "PATH",
    .missing = "the path is missing; give a .safetensors file, an index, a directory or a .npy "
               "file.",
    .run = run,
};
