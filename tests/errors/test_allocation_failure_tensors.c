/* test_allocation_failure_tensors.c - memory that fails while arrays and tensors are read and
 * written.
 *
 * jansson is told to use the hook's memory. As in test_allocation_failure_files.c all allocations
 * after the failing one fail too where it parses. What fails on the way must leave no memory, no
 * descriptor and no file behind.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/allocation_hook.h"
#include "tests/support/injection.h"
#include "tests/support/model_files.h"

static int descriptor(void) {
  const int lowest = dup(0);
  close(lowest);
  return lowest;
}

static void reading_an_array(void **state) {
  static const char halves[] = "\x93NUMPY\x01\x00\x3b\x00"
                               "{'descr': '<f2', 'fortran_order': True, 'shape': (2, 2), }\n"
                               "\x00\x3c\x00\x3c\x00\x3c\x00\x3c";
  Injection injection = injection_one;
  AttendArray array;
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  scratch_write(scratch_path(state, "halves.npy", path), halves, sizeof halves - 1);
  const int lowest = descriptor();
  while (refused(&injection, NULL, attend_read_npy(path, &array, error, sizeof error))) {
    assert_non_null(strstr(error, "could not be allocated"));
    assert_int_equal(descriptor(), lowest);
  }
  /* The header, the numbers, the same in C order, and the buffer that they pass through. */
  assert_int_equal(injection.refusals, 4);
  assert_true(array.data[3] == 1);
  attend_free_array(&array);
}

/* Runs a test with jansson's memory from the hook. */
static void with_hooked_json(void (*test)(void **state), void **state) {
  json_malloc_t usual_malloc;
  json_free_t usual_free;
  json_get_alloc_funcs(&usual_malloc, &usual_free);
  json_set_alloc_funcs(hook_malloc, hook_free);
  const size_t live = hook_live();
  test(state);
  json_set_alloc_funcs(usual_malloc, usual_free);
  assert_int_equal(hook_live(), live);
}

static void write_tensors(void **state) {
  Injection injection = injection_all;
  const float data[] = {1, 2, 3};
  const size_t dims[] = {3, 1};
  const AttendTensor tensors[] = {attend_float_tensor("a", data, dims, 2),
                                  attend_float_tensor("b", data, dims, 1)};
  const AttendMetadata metadata = {"format", "pt"};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  scratch_path(state, "written.safetensors", path);
  const size_t entries = scratch_count(state);
  const int lowest = descriptor();
  while (refused(&injection, NULL,
                 attend_write_safetensors(path, tensors, 2, &metadata, 1, error, sizeof error))) {
    assert_int_equal(scratch_count(state), entries);
    assert_int_equal(descriptor(), lowest);
  }
  assert_in_range(injection.refusals, 20, 200);
  assert_int_equal(scratch_count(state), entries + 1);
}

static void writing_tensors(void **state) {
  with_hooked_json(write_tensors, state);
}

static void open_tensors(void **state) {
  Injection injection = injection_all;
  ModelFiles files;
  AttendTensorFile *file = NULL;
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  model_files_new(model_family(0), "BF16", &files);
  model_files_write(&files, scratch_path(state, "model", folder));
  const int lowest = descriptor();
  while (refused(&injection, NULL, attend_open_tensors(folder, &file, error, sizeof error))) {
    assert_null(file);
    assert_int_equal(descriptor(), lowest);
  }
  assert_in_range(injection.refusals, 30, 300);
  assert_int_equal(attend_tensor_count(file), files.count);
  attend_close_tensors(&file);
  assert_int_equal(descriptor(), lowest);
  model_files_free(&files);
}

static void opening_tensors(void **state) {
  with_hooked_json(open_tensors, state);
}

static void load_layer(void **state, AttendStorage storage) {
  enum { MATRICES = 4 };
  Injection injection = injection_one;
  ModelFiles files;
  AttendTensorFile *file = NULL;
  AttendModel model;
  AttendLayer layer, before;
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  AttendContext *context = auto_open(1);
  model_files_new(model_family(6), "BF16", &files);
  model_files_write(&files, scratch_path(state, "layer", folder));
  assert_int_equal(attend_open_tensors(folder, &file, NULL, 0), ATTEND_OK);
  assert_int_equal(attend_read_config_beside(folder, &model, NULL, 0), ATTEND_OK);
  memset(&layer, 0xa5, sizeof layer);
  memset(&before, 0xa5, sizeof before);
  while (refused(
      &injection, NULL,
      attend_load_layer_from(context, file, &model, 1, storage, &layer, error, sizeof error))) {
    assert_memory_equal(&layer, &before, sizeof layer);
    assert_non_null(strstr(error, "could not be allocated"));
  }
  /* The buffer that each tensor passes through, each that is no matrix, a block of those, and the
   * packed weights. */
  assert_int_equal(injection.refusals, 2 * files.count - MATRICES + 2);
  assert_non_null(layer.sinks);
  attend_free_layer(&layer);
  attend_close_tensors(&file);
  attend_close(&context);
  model_files_free(&files);
}

static void loading_a_layer(void **state) {
  for (int storage = 0; storage < ATTEND_STORAGE_COUNT; storage++)
    load_layer(state, (AttendStorage)storage);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reading_an_array),
      cmocka_unit_test(writing_tensors),
      cmocka_unit_test(opening_tensors),
      cmocka_unit_test(loading_a_layer),
  };
  return cmocka_run_group_tests_name("allocation_failure_tensors", tests, scratch_setup,
                                     scratch_teardown);
}
