/* test_safetensors.c - tensors in safetensors files: listed, viewed, widened, written, and found in
 * sharded models. What strangers' files may hold is tests/io/test_malformed_safetensors.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/refusal.h"
#include "tests/support/scratch.h"

static AttendTensorFile *open_good(const char *path) {
  char error[ATTEND_FILE_ERROR_SIZE] = "left over";
  AttendTensorFile *file = NULL;
  if (attend_open_tensors(path, &file, error, sizeof error) != ATTEND_OK) fail_msg("%s", error);
  assert_string_equal(error, "");
  assert_non_null(file);
  return file;
}

static void write_good(const char *path, const AttendTensor *tensors, size_t count) {
  char error[ATTEND_FILE_ERROR_SIZE] = "left over";
  if (attend_write_safetensors(path, tensors, count, NULL, 0, error, sizeof error) != ATTEND_OK) {
    fail_msg("%s", error);
  }
  assert_string_equal(error, "");
}

static void read_good(const AttendTensorFile *file, const char *name, float *to, size_t count) {
  char error[ATTEND_FILE_ERROR_SIZE];
  if (attend_read_tensor(file, name, to, count, error, sizeof error) != ATTEND_OK) {
    fail_msg("%s", error);
  }
}

/* The example of the format's description, with spaces behind the header as writers align it. */
static void a_file_is_listed_and_viewed(void **state) {
  static const char header[] =
      "{\"__metadata__\":{\"format\":\"pt\",\"empty\":\"\"},"
      "\"second\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[6,14]},"
      "\"first\":{\"dtype\":\"U8\",\"shape\":[3,2],\"data_offsets\":[0,6]},"
      "\"a new one\":{\"dtype\":\"F99\",\"shape\":[7,7],\"data_offsets\":[14,15]},"
      "\"none\":{\"dtype\":\"F32\",\"shape\":[5,0],\"data_offsets\":[6,6]}}     ";
  static const char *const names[] = {"a new one", "first", "none", "second"};
  char path[SCRATCH_PATH_SIZE];
  scratch_write_tensors(scratch_path(state, "listed.safetensors", path), header, 15);
  AttendTensorFile *file = open_good(path);
  assert_int_equal(attend_tensor_count(file), COUNT_OF(names));
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    const AttendTensor *const tensor = attend_tensor_at(file, i);
    assert_string_equal(tensor->name, names[i]);
    assert_string_equal(tensor->path, path);
    assert_ptr_equal(attend_find_tensor(file, names[i]), tensor);
  }
  assert_null(attend_tensor_at(file, COUNT_OF(names)));
  assert_null(attend_find_tensor(file, "firs"));
  assert_null(attend_find_tensor(file, "__metadata__"));

  const AttendTensor *const first = attend_find_tensor(file, "first");
  assert_int_equal(first->rank, 2);
  assert_int_equal(first->dims[0], 3);
  assert_int_equal(first->dims[1], 2);
  assert_string_equal(first->dtype, "U8");
  assert_int_equal(first->bytes, 6);
  assert_memory_equal(first->data, "\0\1\2\3\4\5", 6);
  const AttendTensor *const second = attend_find_tensor(file, "second");
  assert_int_equal(second->rank, 0);
  assert_memory_equal(second->data, "\6\7\10\11\12\13\14\15", 8);
  read_good(file, "none", NULL, 0);

  assert_string_equal(attend_tensor_metadata(file, "format"), "pt");
  assert_string_equal(attend_tensor_metadata(file, "empty"), "");
  assert_null(attend_tensor_metadata(file, "absent"));
  attend_close_tensors(&file);
  assert_null(file);
}

static void nothing_is_asked_of_null(void **state) {
  (void)state;
  AttendTensorFile *file = NULL;
  attend_close_tensors(&file);
  attend_close_tensors(NULL);
  assert_int_equal(attend_tensor_count(NULL), 0);
  assert_null(attend_tensor_at(NULL, 0));
  assert_null(attend_find_tensor(NULL, "x"));
  assert_null(attend_tensor_metadata(NULL, "x"));
  assert_int_equal(attend_open_tensors(NULL, &file, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_open_tensors("x", NULL, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_read_tensor(NULL, "x", NULL, 0, NULL, 0), ATTEND_STATUS_NULL_POINTER);
}

/* bf16 is the upper half of fp32, bit by bit; a half is judged by its value, in double. */
static void every_narrow_number_is_exact(void **state) {
  enum { COUNT = 65536 };
  char path[SCRATCH_PATH_SIZE];
  uint16_t *const bits = new_bytes(COUNT * sizeof *bits);
  float *const got = new_bytes(COUNT * sizeof *got);
  for (unsigned i = 0; i < COUNT; i++) bits[i] = (uint16_t)i;
  const AttendTensor tensors[] = {{"bf16", "BF16", 2, {256, 256}, bits, 2 * COUNT, NULL},
                                  {"half", "F16", 1, {COUNT}, bits, 2 * COUNT, NULL}};
  write_good(scratch_path(state, "narrow.safetensors", path), tensors, 2);
  AttendTensorFile *file = open_good(path);
  read_good(file, "bf16", got, COUNT);
  for (uint32_t i = 0; i < COUNT; i++) {
    const uint32_t expected = i << 16;
    if (memcmp(&got[i], &expected, sizeof expected) != 0) fail_msg("bf16 0x%04x", (unsigned)i);
  }
  read_good(file, "half", got, COUNT);
  for (unsigned i = 0; i < COUNT; i++) {
    const int exponent = (int)(i >> 10 & 31);
    const double fraction = (double)(i & 1023) / 1024;
    const double size = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
                        : exponent == 0 ? ldexp(fraction, -14)
                                        : ldexp(1 + fraction, exponent - 15);
    const bool same = isnan(size) ? isnan(got[i]) : (double)fabsf(got[i]) == size;
    if (!same || (signbit(got[i]) != 0) != (i >> 15)) {
      fail_msg("half 0x%04x is %a; expected %a", i, (double)got[i], size);
    }
  }
  attend_close_tensors(&file);
  free(bits);
  free(got);
}

static void what_is_written_is_read_and_aligned(void **state) {
  const float floats[] = {1, -2, 3.5f, 0x1p-149f};
  const uint16_t narrow[] = {0x3f80, 0x4000, 0xc040};
  const uint8_t bytes[] = {1, 2, 3};
  const size_t dims[] = {2, 2};
  const AttendTensor tensors[] = {{"bytes", "U8", 1, {3}, bytes, 3, NULL},
                                  {"narrow", "BF16", 2, {3, 1}, narrow, 6, NULL},
                                  attend_float_tensor("a \xc3\xa9 \"quoted\"\n", floats, dims, 2),
                                  {"nothing", "I64", 1, {0}, NULL, 0, NULL}};
  const AttendMetadata metadata[] = {{"format", "pt"}, {"note", "two\nlines"}};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  float got[4];
  scratch_path(state, "mixed.safetensors", path);
  assert_int_equal(
      attend_write_safetensors(path, tensors, COUNT_OF(tensors), metadata, 2, error, sizeof error),
      ATTEND_OK);
  AttendTensorFile *file = open_good(path);
  assert_int_equal(attend_tensor_count(file), COUNT_OF(tensors));
  for (size_t i = 0; i < COUNT_OF(tensors); i++) {
    const AttendTensor *const found = attend_find_tensor(file, tensors[i].name);
    assert_non_null(found);
    assert_string_equal(found->dtype, tensors[i].dtype);
    assert_int_equal(found->rank, tensors[i].rank);
    assert_memory_equal(found->dims, tensors[i].dims, sizeof found->dims);
    assert_int_equal(found->bytes, tensors[i].bytes);
    if (found->bytes > 0) assert_memory_equal(found->data, tensors[i].data, found->bytes);
  }
  assert_int_equal((uintptr_t)attend_find_tensor(file, tensors[2].name)->data % 8, 0);
  assert_int_equal((uintptr_t)attend_find_tensor(file, "narrow")->data % 2, 0);
  assert_string_equal(attend_tensor_metadata(file, "note"), "two\nlines");
  read_good(file, tensors[2].name, got, 4);
  assert_memory_equal(got, floats, sizeof floats);
  read_good(file, "narrow", got, 3);
  assert_true(got[0] == 1 && got[1] == 2 && got[2] == -3);
  attend_close_tensors(&file);

  write_good(path, NULL, 0);
  file = open_good(path);
  assert_int_equal(attend_tensor_count(file), 0);
  assert_null(attend_find_tensor(file, "bytes"));
  attend_close_tensors(&file);
}

/* A tensor behind an odd number of bytes is read all the same, and across pieces of the reading. */
static void long_and_misaligned_tensors_are_read(void **state) {
  enum { COUNT = 100 * 1000 };
  char path[SCRATCH_PATH_SIZE], header[256];
  float *const got = new_bytes(COUNT * sizeof *got);
  snprintf(header, sizeof header,
           "{\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
           "\"long\":{\"dtype\":\"BF16\",\"shape\":[%d],\"data_offsets\":[1,%d]}}",
           COUNT, 1 + 2 * COUNT);
  scratch_write_tensors(scratch_path(state, "odd.safetensors", path), header, 1 + 2 * COUNT);
  AttendTensorFile *file = open_good(path);
  read_good(file, "long", got, COUNT);
  for (uint32_t i = 0; i < COUNT; i++) {
    const uint32_t low = (1 + 2 * i) & 255, high = (2 + 2 * i) & 255;
    const uint32_t expected = low << 16 | high << 24;
    assert_memory_equal(&got[i], &expected, sizeof expected);
  }
  attend_close_tensors(&file);
  free(got);
}

static void reading_asks_for_the_right_tensor(void **state) {
  const uint8_t bytes[] = {1, 2, 3};
  const float floats[] = {1, 2};
  const size_t dims[] = {2};
  const AttendTensor tensors[] = {{"bytes", "F8_E4M3", 1, {3}, bytes, 3, NULL},
                                  attend_float_tensor("floats", floats, dims, 1)};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  float got[3];
  write_good(scratch_path(state, "asked.safetensors", path), tensors, 2);
  AttendTensorFile *file = open_good(path);
  AttendStatus status = attend_read_tensor(file, "bytes", got, 3, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_INVALID, error, path, "\"bytes\" F8_E4M3");
  status = attend_read_tensor(file, "floats", got, 3, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_SHAPE_MISMATCH, error, path, "2 3");
  status = attend_read_tensor(file, "float", got, 2, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_INVALID, error, path, "\"float\"");
  status = attend_read_tensor(file, "floats", NULL, 2, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "memory null");
  status = attend_read_tensor(file, NULL, got, 2, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "name null");
  attend_close_tensors(&file);
}

/* Two files and their index in a directory, which is found by any of its names. */
static void a_sharded_model_is_one(void **state) {
  static const char index[] =
      "{\"metadata\":{\"total_size\":16},\"weight_map\":{"
      "\"b\":\"model-00002-of-00002.safetensors\",\"a\":\"model-00001-of-00002.safetensors\","
      "\"c\":\"model-00001-of-00002.safetensors\"}}";
  const float one[] = {1, 2}, other[] = {3}, last[] = {4};
  const size_t two_dims[] = {2}, dims[] = {1};
  const AttendTensor first[] = {attend_float_tensor("a", one, two_dims, 1),
                                attend_float_tensor("c", last, dims, 1),
                                attend_float_tensor("b", last, dims, 1)};
  const AttendTensor second[] = {attend_float_tensor("b", other, dims, 1)};
  char folder[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE], shard[SCRATCH_PATH_SIZE];
  float got[2];
  assert_int_equal(mkdir(scratch_path(state, "sharded", folder), 0700), 0);
  write_good(scratch_path(state, "sharded/model-00001-of-00002.safetensors", path), first, 3);
  write_good(scratch_path(state, "sharded/model-00002-of-00002.safetensors", shard), second, 1);
  scratch_path(state, "sharded/model.safetensors.index.json", path);
  scratch_write(path, index, sizeof index - 1);

  const char *const ways[] = {folder, path};
  for (size_t i = 0; i < COUNT_OF(ways); i++) {
    AttendTensorFile *file = open_good(ways[i]);
    assert_int_equal(attend_tensor_count(file), 3);
    read_good(file, "a", got, 2);
    assert_true(got[0] == 1 && got[1] == 2);
    read_good(file, "b", got, 1);
    assert_true(got[0] == 3);
    assert_string_equal(attend_find_tensor(file, "b")->path + strlen(folder),
                        "/model-00002-of-00002.safetensors");
    read_good(file, "c", got, 1);
    assert_true(got[0] == 4);
    attend_close_tensors(&file);
  }

  write_good(scratch_path(state, "sharded/model.safetensors", path), second, 1);
  AttendTensorFile *file = open_good(folder);
  assert_int_equal(attend_tensor_count(file), 1);
  attend_close_tensors(&file);
}

static void what_would_not_be_read_is_not_written(void **state) {
  const float floats[] = {1, 2};
  static const struct {
    AttendTensor tensor;
    AttendStatus status;
    const char *words;
  } cases[] = {
      {{NULL, "F32", 1, {2}, "12345678", 8, NULL}, ATTEND_STATUS_NULL_POINTER, "null"},
      {{"x", NULL, 1, {2}, "12345678", 8, NULL}, ATTEND_STATUS_NULL_POINTER, "null"},
      {{"x", "F32", 1, {2}, NULL, 8, NULL}, ATTEND_STATUS_NULL_POINTER, "null"},
      {{"x", "F32", 9, {1}, "1234", 4, NULL}, ATTEND_STATUS_BAD_SIZE, "9 dimensions"},
      {{"x", "F33", 1, {2}, "12345678", 8, NULL}, ATTEND_STATUS_BAD_OPTION, "dtype F33"},
      {{"__metadata__", "U8", 1, {1}, "1", 1, NULL},
       ATTEND_STATUS_BAD_OPTION,
       "__metadata__ reserved"},
      {{"first", "U8", 1, {1}, "1", 1, NULL}, ATTEND_STATUS_BAD_OPTION, "first twice"},
      {{"\xff", "U8", 1, {1}, "1", 1, NULL}, ATTEND_STATUS_BAD_OPTION, "UTF-8"},
      {{"x", "F32", 1, {2}, "1234567", 7, NULL}, ATTEND_STATUS_SHAPE_MISMATCH, "7 bytes"},
      {{"x", "F4", 1, {3}, "1234567", 7, NULL}, ATTEND_STATUS_OVERFLOW, "x dimensions bytes"},
      {{"x", "F32", 2, {SIZE_MAX, 2}, "1", 1, NULL}, ATTEND_STATUS_OVERFLOW, "x dimensions bytes"},
      {{"x", "F32", 3, {SIZE_MAX, 2, 0}, "", 0, NULL},
       ATTEND_STATUS_OVERFLOW,
       "x dimensions bytes"},
  };
  const size_t dims[] = {2};
  const AttendMetadata twice[] = {{"a", "b"}, {"a", "c"}}, bytes[] = {{"a", "\xff"}};
  const AttendMetadata nothing[] = {{"a", NULL}};
  AttendTensor tensors[2] = {attend_float_tensor("first", floats, dims, 1)};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  scratch_path(state, "refused.safetensors", path);
  scratch_write(path, "before", 6);
  const size_t entries = scratch_count(state);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    tensors[1] = cases[i].tensor;
    const AttendStatus status =
        attend_write_safetensors(path, tensors, 2, NULL, 0, error, sizeof error);
    require_file_refusal(status, cases[i].status, error, path, cases[i].words);
  }
  AttendStatus status = attend_write_safetensors(path, tensors, 1, twice, 2, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_BAD_OPTION, error, path, "\"a\" twice");
  status = attend_write_safetensors(path, tensors, 1, bytes, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_BAD_OPTION, error, path, "UTF-8");
  status = attend_write_safetensors(path, tensors, 1, nothing, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "key value null");
  status = attend_write_safetensors(path, NULL, 1, NULL, 0, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "tensors null");
  status = attend_write_safetensors("/dev/full", tensors, 1, NULL, 0, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_UNWRITABLE, error, "/dev/full", "No space left");

  size_t length = 0;
  unsigned char *const left = scratch_read(path, &length);
  assert_int_equal(length, 6);
  assert_memory_equal(left, "before", 6);
  free(left);
  assert_int_equal(scratch_count(state), entries);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_listed_and_viewed),
      cmocka_unit_test(nothing_is_asked_of_null),
      cmocka_unit_test(every_narrow_number_is_exact),
      cmocka_unit_test(what_is_written_is_read_and_aligned),
      cmocka_unit_test(long_and_misaligned_tensors_are_read),
      cmocka_unit_test(reading_asks_for_the_right_tensor),
      cmocka_unit_test(a_sharded_model_is_one),
      cmocka_unit_test(what_would_not_be_read_is_not_written),
  };
  return cmocka_run_group_tests_name("safetensors", tests, scratch_setup, scratch_teardown);
}
