/* cmd_run.c - `attend run`: one layer of a model on an input, from files to files.
 *
 * Owns the order of events: options, the core of OpenBLAS, the layer, the input, the cache, the
 * call; then what was asked for is written, and a few lines say what ran. The
 * output and the cache are written last, so that a run that fails leaves both as they were.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "cli/run/cache_file.h"
#include "cli/run/random_layer.h"
#include "cli/run/run_options.h"
#include "cli/run/saved_matrices.h"
#include "cli/util/blas_core.h"

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
  AttendSettings settings = run->options->settings;
  /* Only the naive path shows every matrix. */
  if (run->options->intermediates != NULL && settings.path == ATTEND_PATH_AUTO) {
    settings.path = ATTEND_PATH_NAIVE;
  }
  const AttendStatus status = attend_open(&run->context, &settings);
  if (status == ATTEND_OK) return EXIT_SUCCESS;
  return failure("%s: %s.", attend_isa_name(settings.isa), attend_status_message(status));
}

static int read_model(const RunOptions *options, AttendModel *model) {
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  const int read = model_read(&options->model, options->weights, model, error);
  if (read != EXIT_SUCCESS) {
    if (error[0] == '\0') return read;
    return failure("%s%s.", error,
                   model_ways(&options->model) > 0
                       ? ""
                       : "; --model, --config or dimensions can stand in for it");
  }
  /* Dimensions describe a layer, whichever of its model's it is. */
  if (dimensions_given(&options->model.dimensions)) model->layers = options->layer + 1;
  if (options->layer < model->layers) return EXIT_SUCCESS;
  return failure("--layer %zu: the model %s has %zu layer%s, counted from 0.", options->layer,
                 model->name, model->layers, model->layers == 1 ? "" : "s");
}

static int load_layer(Run *run) {
  const RunOptions *const options = run->options;
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  AttendTensorFile *file = NULL;
  AttendModel model;
  /* First, so that of weights that are not there the model is not what is missed. */
  if (options->weights != NULL &&
      attend_open_tensors(options->weights, &file, error, sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  int result = read_model(options, &model);
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

/* Has the call show its matrices, and makes the directory for them. */
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

/* The root of the mean square, by which two runs can be told apart at a glance. */
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

int cmd_run(int argc, char **argv) {
  RunOptions options;
  const int read = run_read_options(argc, argv, &options);
  if (read != EXIT_SUCCESS) return read;
  if (options.help) {
    run_print_help();
    return finish_stdout();
  }
  const int settled = blas_core_settle(options.common.blas_core, !options.common.no_restart, argv);
  if (settled != EXIT_SUCCESS) return settled;

  Run run = {.options = &options};
  const int status = run_layer(&run);
  close_run(&run);
  return status;
}
