/* cmd_run.c - `attend run`: one layer of a model on an input, from files to files.
 *
 * Owns the order of events: options, the core of OpenBLAS, the layer, the input, the cache, the
 * call, the files, and a few lines on what ran. The output and the cache are written last, so that
 * a run that fails leaves both as they were.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/run/cache_file.h"
#include "cli/run/random_layer.h"
#include "cli/run/saved_matrices.h"
#include "cli/util/blas_core.h"
#include "cli/util/model_choice.h"

typedef struct RunOptions {
  CommonOptions common;
  ModelChoice model;
  const char *weights; /* null: random ones */
  size_t layer, seed;
  const char *input; /* null: random numbers */
  size_t tokens;     /* of the random input */
  /* Null where not asked for. */
  const char *output, *cache, *intermediates, *save_weights;
  AttendPath path;
  AttendIsa isa;
  AttendPrecision precision;
  AttendStorage storage; /* of the weights and the cache */
  size_t threads;        /* 0: OpenMP's number */
} RunOptions;

/* Weights come from a file or are random, and so does the input. A dry run needs a model, because
 * random weights have none beside them. */
#define OPTIONS RunOptions
static const Option options_table[] = {
    {"weights", "PATH", NAME(weights),
     .help = "a .safetensors file, an index of a sharded model, or a directory with either",
     .rules = {{NOT_WITH, "random", "weights come from a file or are random; give one of them"}}},
    {"layer", "L", SIZE(layer, 0, ATTEND_MODEL_LAYERS - 1), .initial = "0",
     .help = "layer of the model, counted from 0"},
    {"input", "FILE", NAME(input), .help = "the activations, as .npy",
     .rules = {{NOT_WITH, "tokens", "--input has its own length"}}},
    {"output", "FILE", NAME(output), .help = "write the layer's output there, as .npy"},
    {"kv-cache", "FILE", NAME(cache),
     .help = "continue after the keys and values in this file, if it exists, and add those of the "
             "input to it"},
    {"save-intermediates", "DIR", NAME(intermediates),
     .help = "write every matrix on the way there, as .npy; with --path auto the naive path runs, "
             "which shows all of them"},
    {"random", "SEED", SIZE(seed, 0, INT64_MAX),
     .help = "random weights, and a random input where --tokens takes the place of --input",
     .rules = {{NEEDS, "model config d-model", "random weights have no model beside them"}}},
    {"tokens", "N", SIZE(tokens, 1, TOKENS_MAX), .help = "length of the random input",
     .rules = {{NEEDS, "random", "it is the length of a random input"}}},
    {"save-weights", "FILE", NAME(save_weights),
     .help = "write the random weights there, as .safetensors",
     .rules = {{NEEDS, "random", "it writes random weights"}}},
    {"path", "PATH", CHOICE(path, any_path_choices), .initial = "auto",
     .help = "path that computes"},
    {"isa", "ISA", CHOICE(isa, isa_choices), .initial = "auto",
     .help = "kernels of the tiled path"},
    {"precision", "PREC", CHOICE(precision, precision_choices), .initial = "fp32",
     .help = "of the tiled path's products"},
    {"storage", "STORAGE", CHOICE(storage, storage_choices), .initial = "auto",
     .help = "of the weights and the cache; auto stores them as the precision reads them"},
    {"threads", "T", SIZE(threads, 1, THREADS_MAX), .derived = "OpenMP's number",
     .help = "threads"},
    {HEADING("The model, if it is not that of the config.json beside the weights")},
    {GROUP(model, model_options)},
    {GROUP(common, common_options)},
    {0},
};

/* One run, from its first file to its last. */
typedef struct Run {
  const RunOptions *options;
  AttendContext *context;
  AttendLayer layer;
  AttendArray input, output; /* [tokens, E] or [batch, tokens, E] */
  size_t batch, tokens, past;
  AttendCache *cache; /* null if there is none */
  AttendPlan plan;
  SavedMatrices saved;
  double seconds;
} Run;

static void close_run(Run *run) {
  attend_close_cache(&run->cache);
  attend_free_layer(&run->layer);
  attend_free_array(&run->input);
  attend_free_array(&run->output);
  attend_close(&run->context);
}

static int open_context(Run *run) {
  const RunOptions *const options = run->options;
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.path = options->path;
  settings.isa = options->isa;
  settings.precision = options->precision;
  settings.threads = options->threads;
  /* Only the naive path shows every matrix. */
  if (options->intermediates != NULL && options->path == ATTEND_PATH_AUTO) {
    settings.path = ATTEND_PATH_NAIVE;
  }
  const AttendStatus status = attend_open(&run->context, &settings);
  if (status == ATTEND_OK) return EXIT_SUCCESS;
  return failure("%s: %s.", attend_isa_name(settings.isa), attend_status_message(status));
}

static int choose_model(const RunOptions *options, AttendModel *model) {
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  const int read = model_read(&options->model, options->weights, model, error);
  if (read != EXIT_SUCCESS) {
    if (error[0] == '\0') return read;
    return failure("%s%s.", error,
                   model_is_chosen(&options->model)
                       ? ""
                       : "; --model, --config or dimensions can stand in for it");
  }
  /* Dimensions describe a layer, whichever of its model's it is. */
  if (options->model.dimensions.width != 0) model->layers = options->layer + 1;
  if (options->layer < model->layers) return EXIT_SUCCESS;
  return failure("--layer %zu: the model %s has %zu layer%s, counted from 0.", options->layer,
                 model->name, model->layers, model->layers == 1 ? "" : "s");
}

static int load_layer(Run *run) {
  const RunOptions *const options = run->options;
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  AttendTensorFile *file = NULL;
  AttendModel model;
  /* The weights come first: if they are missing, the sentence must not ask for a model. */
  if (options->weights != NULL &&
      attend_open_tensors(options->weights, &file, error, sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  int result = choose_model(options, &model);
  if (result == EXIT_SUCCESS) {
    const AttendStatus status =
        file == NULL ? random_layer(run->context, &model, options->layer, options->seed,
                                    options->storage, options->save_weights, &run->layer, error)
                     : attend_load_layer_from(run->context, file, &model, options->layer,
                                              options->storage, &run->layer, error, sizeof error);
    if (status != ATTEND_OK) result = failure("%s.", error);
  }
  attend_close_tensors(&file);
  return result;
}

static int load_input(Run *run) {
  const RunOptions *const options = run->options;
  AttendArray *const input = &run->input;
  const size_t width = run->layer.model.shape.width;
  char error[ATTEND_FILE_ERROR_SIZE];
  if (options->input == NULL) {
    *input = (AttendArray){.rank = 2, .dims = {options->tokens, width}};
    input->data = random_activations(options->seed, options->tokens * width);
    if (input->data == NULL) {
      return failure("memory for an input of %zu tokens is missing.", options->tokens);
    }
  } else if (attend_read_npy(options->input, input, error, sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  if (input->rank < 2 || input->rank > 3 || input->dims[input->rank - 1] != width) {
    return failure("%s: the array has %zu dimensions and the last is %zu; [tokens, %zu] or "
                   "[batch, tokens, %zu] is expected.",
                   options->input, input->rank, input->rank > 0 ? input->dims[input->rank - 1] : 0,
                   width, width);
  }
  run->batch = input->rank == 3 ? input->dims[0] : 1;
  run->tokens = input->dims[input->rank - 2];
  if (run->batch > 0 && run->tokens > 0) return EXIT_SUCCESS;
  return failure("%s: the array has no tokens; at least one is expected.", options->input);
}

static int load_cache(Run *run) {
  char error[ATTEND_FILE_ERROR_SIZE];
  if (run->options->cache == NULL) return EXIT_SUCCESS;
  if (cache_file_load(run->context, run->options->cache, &run->layer.model.shape, run->batch,
                      run->tokens, run->options->storage, &run->cache, error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  run->past = attend_cache_length(run->cache, 0);
  return EXIT_SUCCESS;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Sets a tap on the call, and makes the directory for its matrices. */
static int set_tap(Run *run) {
  if (run->options->intermediates == NULL) return EXIT_SUCCESS;
  if (!saved_matrices_open(&run->saved, run->options->intermediates)) {
    return failure("%s.", run->saved.error);
  }
  attend_set_tap(run->context, saved_matrices_tap, &run->saved);
  attend_set_tap_rows(run->context, 0, run->tokens);
  return EXIT_SUCCESS;
}

static int forward(Run *run) {
  AttendOptions options;
  attend_default_options(&options);
  attend_layer_options(&run->layer, &options);
  const AttendLayerShape *const shape = &run->layer.model.shape;
  run->output = run->input;
  run->output.data = calloc(run->batch * run->tokens, shape->width * sizeof *run->output.data);
  if (run->output.data == NULL) return failure("memory for the output is missing.");

  run->plan.struct_size = sizeof run->plan;
  AttendStatus status = attend_plan_layer(run->context, shape, run->batch, run->tokens, run->past,
                                          run->cache != NULL, &options, &run->plan);
  if (status == ATTEND_OK) {
    status = attend_reserve_workspace(run->context, run->plan.workspace_bytes);
  }
  const double start = now();
  if (status == ATTEND_OK) {
    status = attend_layer_forward(run->context, run->layer.weights, run->cache, run->batch,
                                  run->tokens, run->input.data, &options, run->output.data);
  }
  run->seconds = now() - start;
  if (status != ATTEND_OK) return failure("%s.", attend_get_error(run->context));
  if (run->saved.status != ATTEND_OK) return failure("%s.", run->saved.error);
  return EXIT_SUCCESS;
}

static int write_files(const Run *run) {
  const RunOptions *const options = run->options;
  char error[ATTEND_FILE_ERROR_SIZE];
  if (options->output != NULL &&
      attend_write_npy(options->output, run->output.data, run->output.dims, run->output.rank, error,
                       sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  if (options->cache != NULL &&
      cache_file_save(run->context, options->cache, &run->layer.model.shape, run->batch, run->cache,
                      error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  return EXIT_SUCCESS;
}

/* The root of the mean square tells two runs apart at a glance. */
static double output_size(const Run *run) {
  const size_t count = run->batch * run->tokens * run->layer.model.shape.width;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)run->output.data[i] * (double)run->output.data[i];
  }
  return sqrt(sum / (double)count);
}

static void print_summary(const Run *run) {
  const RunOptions *const options = run->options;
  const bool kernels = run->plan.path != ATTEND_PATH_NAIVE;
  printf("layer %zu of %s, weights %s\n", run->layer.index, run->layer.model.name,
         options->weights == NULL ? "random" : options->weights);
  const double mebibytes = (double)attend_weights_bytes(run->layer.weights) / (1 << 20);
  printf("  weights        %.1f MiB packed", mebibytes);
  if (options->storage != ATTEND_STORAGE_AUTO) {
    printf(", stored in %s", attend_storage_name(options->storage));
  }
  putchar('\n');
  printf("  input          %zu tokens", run->tokens);
  if (run->batch > 1) printf(" in each of %zu sequences", run->batch);
  if (run->past > 0) printf(", after %zu in the cache", run->past);
  printf("\n  path           %s", attend_path_name(run->plan.path));
  if (kernels) {
    printf(", %s, %s", attend_isa_name(run->plan.isa), attend_precision_name(run->plan.precision));
  }
  printf(", %zu thread%s\n", run->plan.threads, run->plan.threads == 1 ? "" : "s");
  printf("  time           %.3g ms%s\n", 1e3 * run->seconds,
         options->intermediates != NULL ? ", the writing of matrices included" : "");
  printf("  output         root mean square %.6g\n", output_size(run));
  if (options->intermediates != NULL) {
    printf("  intermediates  in %s\n", options->intermediates);
  }
}

static int run_layer(Run *run) {
  int status = open_context(run);
  if (status == EXIT_SUCCESS) status = load_layer(run);
  if (status == EXIT_SUCCESS) status = load_input(run);
  if (status == EXIT_SUCCESS) status = load_cache(run);
  if (status == EXIT_SUCCESS) status = set_tap(run);
  if (status == EXIT_SUCCESS) status = forward(run);
  if (status == EXIT_SUCCESS) status = write_files(run);
  if (status != EXIT_SUCCESS) return status;
  print_summary(run);
  return finish_stdout();
}

static int run_command_line(const CommandLine *line) {
  const RunOptions *const options = line->options;
  const int settled =
      blas_core_settle(options->common.blas_core, !options->common.no_restart, line->argv);
  if (settled != EXIT_SUCCESS) return settled;

  Run run = {.options = options};
  const int status = run_layer(&run);
  close_run(&run);
  return status;
}

const Command run_command = {
    .name = "run",
    .summary = "run a layer of a model on an input, or a dry run on random weights",
    .synopsis = "--weights PATH --input X.npy [OPTION...]\n"
                "--random SEED --model NAME --tokens N [OPTION...]",
    .about = "Runs one attention layer of a model, causally, on activations [tokens, E] or [batch, "
             "tokens, E]. With random weights it is a dry run at the model's real width.",
    .options = options_table,
    .options_size = sizeof(RunOptions),
    .needs = {{NEEDS, "weights random", "there are no weights"},
              {NEEDS, "input tokens", "there is no input"}},
    .run = run_command_line,
};
