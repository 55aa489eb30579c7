/* test_npy.c - arrays in .npy files: what is read, what is written, and that nothing half-written
 * is ever left. Files are put together byte by byte here, and what is written is held against its
 * bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/refusal.h"
#include "tests/support/scratch.h"

/* Writes a file of that version: the preamble, the dictionary as it is, the data. */
static void write_npy(const char *path, int version, const char *dictionary, const void *data,
                      size_t bytes) {
  const size_t length = strlen(dictionary), first = version == 1 ? 10 : 12;
  unsigned char *const file = new_bytes(first + length + bytes);
  memcpy(file, "\x93NUMPY", 6);
  file[6] = (unsigned char)version;
  file[7] = 0;
  for (size_t i = 8; i < first; i++) file[i] = (unsigned char)(length >> 8 * (i - 8));
  memcpy(file + first, dictionary, length);
  if (bytes > 0) memcpy(file + first + length, data, bytes);
  scratch_write(path, file, first + length + bytes);
  free(file);
}

static AttendArray read_good(const char *path) {
  char error[ATTEND_FILE_ERROR_SIZE] = "left over";
  AttendArray array;
  memset(&array, 0xa5, sizeof array);
  if (attend_read_npy(path, &array, error, sizeof error) != ATTEND_OK) fail_msg("%s", error);
  assert_string_equal(error, "");
  return array;
}

static void read_refused(const char *path, AttendStatus expected, const char *words) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendArray array, before;
  memset(&array, 0xa5, sizeof array);
  memset(&before, 0xa5, sizeof before);
  const AttendStatus status = attend_read_npy(path, &array, error, sizeof error);
  require_file_refusal(status, expected, error, path, words);
  assert_memory_equal(&array, &before, sizeof array);
  assert_int_equal(attend_read_npy(path, &array, NULL, 0), expected);
}

static void every_version_is_read(void **state) {
  static const char *const dictionaries[] = {
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }      \n",
      "{\"shape\":(2,3,),\"fortran_order\":False,\"descr\":\"<f4\"}",
      " { 'fortran_order' : False , 'shape' : ( 2L , 3L ) , 'descr' : '<f4' } \n",
  };
  const float data[] = {1, -2, 3.5f, INFINITY, 0x1p-140f, -0.0f};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "versions.npy", path);
  for (int version = 1; version <= 3; version++) {
    for (size_t i = 0; i < COUNT_OF(dictionaries); i++) {
      write_npy(path, version, dictionaries[i], data, sizeof data);
      AttendArray array = read_good(path);
      assert_int_equal(array.rank, 2);
      assert_int_equal(array.dims[0], 2);
      assert_int_equal(array.dims[1], 3);
      assert_string_equal(array.dtype, "<f4");
      assert_memory_equal(array.data, data, sizeof data);
      attend_free_array(&array);
      assert_null(array.data);
    }
  }
}

/* Element (i, j, k, l) of [2, 3, 4, 5] is at i + 2 (j + 3 (k + 4 l)) in Fortran order. */
static void fortran_order_is_transposed(void **state) {
  char path[SCRATCH_PATH_SIZE];
  float data[120];
  scratch_path(state, "fortran.npy", path);
  for (size_t i = 0; i < COUNT_OF(data); i++) data[i] = (float)i;
  write_npy(path, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4, 5)}", data,
            sizeof data);
  AttendArray array = read_good(path);
  const float *next = array.data;
  for (size_t i = 0; i < 2; i++) {
    for (size_t j = 0; j < 3; j++) {
      for (size_t k = 0; k < 4; k++) {
        for (size_t l = 0; l < 5; l++) {
          assert_true(*next++ == data[i + 2 * (j + 3 * (k + 4 * l))]);
        }
      }
    }
  }
  attend_free_array(&array);

  write_npy(path, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (120,)}", data, sizeof data);
  array = read_good(path);
  assert_memory_equal(array.data, data, sizeof data);
  attend_free_array(&array);
}

/* A half by its definition, in double. */
static double half_value(unsigned bits) {
  const int exponent = (int)(bits >> 10 & 31);
  const double fraction = (double)(bits & 1023) / 1024, sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction > 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? ldexp(fraction, -14) : ldexp(1 + fraction, exponent - 15));
}

static void every_half_is_exact(void **state) {
  enum { HALVES = 65536 };
  char path[SCRATCH_PATH_SIZE];
  uint16_t *const data = new_bytes(HALVES * sizeof *data);
  scratch_path(state, "halves.npy", path);
  for (unsigned i = 0; i < HALVES; i++) data[i] = (uint16_t)i;
  write_npy(path, 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (65536,)}", data,
            HALVES * sizeof *data);
  AttendArray array = read_good(path);
  for (unsigned i = 0; i < HALVES; i++) {
    const double expected = half_value(i);
    const float got = array.data[i];
    if (isnan(expected) ? !isnan(got) : (double)got != expected) {
      fail_msg("half 0x%04x is %a; expected %a", i, (double)got, expected);
    }
    assert_int_equal(signbit(got) != 0, (i & 0x8000) != 0);
  }
  assert_string_equal(array.dtype, "<f2");
  attend_free_array(&array);
  free(data);
}

static void doubles_are_rounded(void **state) {
  const double data[] = {1.0 + 0x1p-24, 1.0 + 0x1.8p-23, 1e300, -0x1p-150, 0.1};
  const float expected[] = {1, 1 + 0x1p-22f, INFINITY, -0.0f, 0.1f};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "doubles.npy", path);
  write_npy(path, 2, "{'descr': '<f8', 'fortran_order': False, 'shape': (5,)}", data, sizeof data);
  AttendArray array = read_good(path);
  assert_memory_equal(array.data, expected, sizeof expected);
  attend_free_array(&array);
}

static void numbers_and_empty_arrays(void **state) {
  const float one = 7;
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "small.npy", path);
  write_npy(path, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': ()}", &one, sizeof one);
  AttendArray array = read_good(path);
  assert_int_equal(array.rank, 0);
  assert_true(array.data[0] == 7);
  attend_free_array(&array);

  write_npy(path, 1, "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 0, 2)}", NULL, 0);
  array = read_good(path);
  assert_int_equal(array.rank, 3);
  assert_int_equal(array.dims[0], 3);
  assert_int_equal(array.dims[1], 0);
  assert_null(array.data);
  attend_free_array(&array);
  attend_free_array(NULL);
}

static void what_is_written_is_read(void **state) {
  static const char header[] =
      "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  const float data[] = {1, -2, 3.5f, INFINITY, 0x1p-140f, -0.0f};
  const size_t dims[] = {2, 3, 1, 1, 1};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE] = "left over";
  scratch_path(state, "written.npy", path);
  assert_int_equal(attend_write_npy(path, data, dims, 2, error, sizeof error), ATTEND_OK);
  assert_string_equal(error, "");

  size_t length = 0;
  unsigned char *const bytes = scratch_read(path, &length);
  assert_int_equal(length, 128 + sizeof data);
  assert_memory_equal(bytes, header, sizeof header - 1);
  for (size_t i = sizeof header - 1; i < 127; i++) assert_int_equal(bytes[i], ' ');
  assert_int_equal(bytes[127], '\n');
  assert_memory_equal(bytes + 128, data, sizeof data);
  free(bytes);

  for (size_t rank = 0; rank <= ATTEND_ARRAY_RANK; rank++) {
    assert_int_equal(attend_write_npy(path, data, dims, rank, NULL, 0), ATTEND_OK);
    AttendArray array = read_good(path);
    assert_int_equal(array.rank, rank);
    assert_memory_equal(array.dims, dims, rank * sizeof *dims);
    assert_memory_equal(array.data, data, (rank == 0 ? 1 : rank == 1 ? 2 : 6) * sizeof *data);
    attend_free_array(&array);
  }
}

static void bad_files_are_refused(void **state) {
#define OF(descr, order, shape)                                                                    \
  "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
  static const struct {
    const char *dictionary;
    AttendStatus status;
    const char *words;
  } cases[] = {
      {OF("'>f4'", "False", "(6,)"), ATTEND_STATUS_FILE_INVALID, "\">f4\""},
      {OF("'<i4'", "False", "(6,)"), ATTEND_STATUS_FILE_INVALID, "\"<i4\""},
      {OF("'|O'", "False", "(6,)"), ATTEND_STATUS_FILE_INVALID, "\"|O\""},
      {OF("[('a', '<f4')]", "False", "(6,)"), ATTEND_STATUS_FILE_INVALID, "structures"},
      {OF("'<f4'", "Maybe", "(6,)"), ATTEND_STATUS_FILE_INVALID, "True False"},
      {OF("'<f4'", "False", "6"), ATTEND_STATUS_FILE_INVALID, "\"(\""},
      {OF("'<f4'", "False", "(6"), ATTEND_STATUS_FILE_INVALID, "\",\" \")\""},
      {OF("'<f4'", "False", "(-6,)"), ATTEND_STATUS_FILE_INVALID, "number"},
      {OF("'<f4'", "False", "(6.0,)"), ATTEND_STATUS_FILE_INVALID, "\",\" \")\""},
      {OF("'<f4'", "False", "(6, 'x')"), ATTEND_STATUS_FILE_INVALID, "number"},
      {OF("'<f4'", "False", "(1, 1, 1, 1, 6)"), ATTEND_STATUS_FILE_INVALID, "4 dimensions"},
      {OF("'<f4'", "False", "(7,)"), ATTEND_STATUS_FILE_INVALID, "24"},
      {OF("'<f4'", "False", "(5,)"), ATTEND_STATUS_FILE_INVALID, "20 24"},
      {OF("'<f8'", "False", "(6,)"), ATTEND_STATUS_FILE_INVALID, "48 24"},
      {OF("'<f4'", "False", "(18446744073709551616,)"), ATTEND_STATUS_OVERFLOW, "dimension"},
      {OF("'<f4'", "False", "(9223372036854775808,)"), ATTEND_STATUS_OVERFLOW, "dimension"},
      {OF("'<f4'", "False", "(4294967296, 4294967296)"), ATTEND_STATUS_OVERFLOW,
       "dimensions bytes"},
      {OF("'<f4'", "False", "(4611686018427387904, 0, 4)"), ATTEND_STATUS_OVERFLOW,
       "dimensions bytes"},
      {"{'descr': '<f4', 'shape': (6,)}", ATTEND_STATUS_FILE_INVALID, "\"fortran_order\""},
      {"{'descr': '<f4', 'descr': '<f4'}", ATTEND_STATUS_FILE_INVALID, "twice \"descr\""},
      {"{'descr': '<f4', 'extra': 1}", ATTEND_STATUS_FILE_INVALID, "\"extra\""},
      {"{'descr", ATTEND_STATUS_FILE_INVALID, "key quotes"},
      {"{'descr'", ATTEND_STATUS_FILE_INVALID, "\":\""},
      {"", ATTEND_STATUS_FILE_INVALID, "\"{\""},
      {"[]", ATTEND_STATUS_FILE_INVALID, "byte 10"},
      {OF("'<f4'", "False", "(6,)") "; import os", ATTEND_STATUS_FILE_INVALID, "space"},
      {OF("'<f4'", "False", "(6,)") "\n}", ATTEND_STATUS_FILE_INVALID, "space"},
  };
  const float data[6] = {0};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "bad.npy", path);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    write_npy(path, 1, cases[i].dictionary, data, sizeof data);
    read_refused(path, cases[i].status, cases[i].words);
  }
}

static void bad_preambles_are_refused(void **state) {
  static const struct {
    const char *bytes;
    size_t length;
    const char *words;
  } cases[] = {
      {"", 0, "0 bytes"},
      {"\x93NUMPY\x01\x00\x02\x00{", 11, "11 bytes"},
      {"\x93NUMPX\x01\x00\x02\x00{}", 12, "begin"},
      {"PK\x03\x04 an npz file", 15, "begin"},
      {"\x93NUMPY\x04\x00\x02\x00\x00\x00{}", 14, "version 4.0"},
      {"\x93NUMPY\x01\x01\x02\x00\x00\x00{}", 14, "version 1.1"},
      {"\x93NUMPY\x01\x00\xff\xff{}", 12, "header 65535"},
      {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, "header 4294967295"},
  };
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "preamble.npy", path);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    scratch_write(path, cases[i].bytes, cases[i].length);
    read_refused(path, ATTEND_STATUS_FILE_INVALID, cases[i].words);
  }
}

static void an_output_is_replaced_by_a_complete_one(void **state) {
  const float data[] = {1, 2};
  const size_t dims[] = {2};
  char path[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  struct stat facts;
  scratch_path(state, "kept.npy", path);
  scratch_path(state, "link.npy", link);
  scratch_write(path, "before", 6);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(symlink("kept.npy", link), 0);
  const size_t entries = scratch_count(state);
  assert_int_equal(attend_write_npy(link, data, dims, 1, error, sizeof error), ATTEND_OK);
  assert_int_equal(scratch_count(state), entries);
  assert_int_equal(lstat(link, &facts), 0);
  assert_true(S_ISLNK(facts.st_mode));
  assert_int_equal(stat(path, &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0640);
  AttendArray array = read_good(link);
  assert_memory_equal(array.data, data, sizeof data);
  attend_free_array(&array);
}

static void what_cannot_be_written_is_refused(void **state) {
  const float data[] = {1, 2};
  const size_t dims[] = {1, 1, 1, 1, 2}, huge[] = {SIZE_MAX / 2, 4}, none[] = {0};
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  const Scratch *const made = *state;
  scratch_path(state, "not-there/x.npy", path);
  const size_t entries = scratch_count(state);
  AttendStatus status = attend_write_npy(path, data, dims, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_UNWRITABLE, error, path, "No such file");
  status = attend_write_npy(made->folder, data, dims, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_UNWRITABLE, error, made->folder,
                       "Is a directory");
  status = attend_write_npy("/dev/full", data, dims, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_UNWRITABLE, error, "/dev/full", "No space left");
  status = attend_write_npy("/dev/null", data, dims, 1, error, sizeof error);
  assert_int_equal(status, ATTEND_OK);

  scratch_path(state, "refused.npy", path);
  status = attend_write_npy(path, data, dims, 5, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_BAD_SIZE, error, path, "5 dimensions");
  status = attend_write_npy(path, data, huge, 2, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_OVERFLOW, error, path, "dimensions bytes");
  status = attend_write_npy(path, NULL, dims, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "data null");
  status = attend_write_npy(path, data, NULL, 1, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, path, "dimensions null");
  assert_int_equal(attend_write_npy(NULL, data, dims, 1, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_read_npy(NULL, NULL, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_read_npy(path, NULL, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(scratch_count(state), entries);
  assert_int_equal(attend_write_npy(path, NULL, none, 1, NULL, 0), ATTEND_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_version_is_read),
      cmocka_unit_test(fortran_order_is_transposed),
      cmocka_unit_test(every_half_is_exact),
      cmocka_unit_test(doubles_are_rounded),
      cmocka_unit_test(numbers_and_empty_arrays),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(bad_preambles_are_refused),
      cmocka_unit_test(an_output_is_replaced_by_a_complete_one),
      cmocka_unit_test(what_cannot_be_written_is_refused),
  };
  return cmocka_run_group_tests_name("npy", tests, scratch_setup, scratch_teardown);
}
