/* test_malformed_safetensors.c - safetensors that are broken, hostile or not files at all.
 *
 * Every case must end in a status and a sentence, whatever the file says of itself: never in a
 * crash, a wait or memory without bounds. The sanitizer builds run the same cases.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/refusal.h"
#include "tests/support/scratch.h"

static void open_refused(const char *path, AttendStatus expected, const char *words,
                         const char *blamed) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendTensorFile *file = (AttendTensorFile *)&error;
  const AttendStatus status = attend_open_tensors(path, &file, error, sizeof error);
  require_file_refusal(status, expected, error, blamed, words);
  assert_null(file);
  assert_int_equal(attend_open_tensors(path, &file, NULL, 0), expected);
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void bad_headers_are_refused(void **state) {
  static const struct {
    const char *header;
    AttendStatus status;
    const char *words;
  } cases[] = {
      /* not the JSON of a header */
      {"[]", ATTEND_STATUS_FILE_INVALID, "begin \"{\""},
      {" {}", ATTEND_STATUS_FILE_INVALID, "begin \"{\""},
      {"{\"a\":", ATTEND_STATUS_FILE_INVALID, "JSON"},
      {"{} {}", ATTEND_STATUS_FILE_INVALID, "JSON"},
      {"{\"a\":1e999}", ATTEND_STATUS_FILE_INVALID, "JSON"},
      {"{" TENSOR("a", "U8", "[8]", "[0,8]") "," TENSOR("a", "U8", "[8]", "[0,8]") "}",
       ATTEND_STATUS_FILE_INVALID, "duplicate"},
      {"{\"__metadata__\":{\"a\":1}}", ATTEND_STATUS_FILE_INVALID, "entry 1"},
      {"{\"__metadata__\":[]}", ATTEND_STATUS_FILE_INVALID, "array"},
      /* fields */
      {"{\"a\":8}", ATTEND_STATUS_FILE_INVALID, "\"a\" 8"},
      {"{\"a\":{}}", ATTEND_STATUS_FILE_INVALID, "dtype missing"},
      {"{\"a\":{\"dtype\":\"U8\"}}", ATTEND_STATUS_FILE_INVALID, "shape missing"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}", ATTEND_STATUS_FILE_INVALID,
       "data_offsets missing"},
      {"{\"a\":{\"dtype\":5,\"shape\":[8],\"data_offsets\":[0,8]}}", ATTEND_STATUS_FILE_INVALID,
       "dtype 5"},
      {"{" TENSOR("a", "U8", "8", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID, "shape 8"},
      {"{" TENSOR("a", "U8", "[-8]", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID, "dimension -8"},
      {"{" TENSOR("a", "U8", "[8.0]", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID, "dimension real 8"},
      {"{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1,8]", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID,
       "dimensions 9 8"},
      {"{" TENSOR("a", "U8", "[8]", "[0]") "}", ATTEND_STATUS_FILE_INVALID, "data_offsets two"},
      {"{" TENSOR("a", "U8", "[8]", "[0,8,8]") "}", ATTEND_STATUS_FILE_INVALID, "data_offsets two"},
      {"{" TENSOR("a", "U8", "[8]", "[-1,7]") "}", ATTEND_STATUS_FILE_INVALID, "data_offsets two"},
      {"{" TENSOR("a", "U8", "[8]", "[\"0\",8]") "}", ATTEND_STATUS_FILE_INVALID,
       "data_offsets two"},
      /* places: outside, backwards, overlapping, leaving bytes to nobody */
      {"{" TENSOR("a", "U8", "[9]", "[0,9]") "}", ATTEND_STATUS_FILE_INVALID, "a 0 9"},
      {"{" TENSOR("a", "U8", "[8]", "[8,0]") "}", ATTEND_STATUS_FILE_INVALID, "a 8 0"},
      {"{" TENSOR("a", "U8", "[0]", "[9223372036854775807,9223372036854775807]") "}",
       ATTEND_STATUS_FILE_INVALID, "9223372036854775807"},
      {"{" TENSOR("a", "U8", "[8]", "[18446744073709551608,18446744073709551616]") "}",
       ATTEND_STATUS_FILE_INVALID, "JSON integer"},
      {"{" TENSOR("a", "U8", "[5]", "[0,5]") "," TENSOR("b", "U8", "[4]", "[4,8]") "}",
       ATTEND_STATUS_FILE_INVALID, "a b overlap 4"},
      {"{" TENSOR("a", "U8", "[8]", "[0,8]") "," TENSOR("b", "U8", "[8]", "[0,8]") "}",
       ATTEND_STATUS_FILE_INVALID, "a b overlap 0"},
      {"{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[3]", "[5,8]") "}",
       ATTEND_STATUS_FILE_INVALID, "byte 4 tensor"},
      {"{" TENSOR("a", "U8", "[7]", "[1,8]") "}", ATTEND_STATUS_FILE_INVALID, "byte 0 tensor"},
      {"{" TENSOR("a", "U8", "[7]", "[0,7]") "}", ATTEND_STATUS_FILE_INVALID, "byte 7 tensor"},
      {"{}", ATTEND_STATUS_FILE_INVALID, "byte 0 tensor"},
      /* sizes that do not fit, or cannot be counted */
      {"{" TENSOR("a", "F32", "[3]", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID, "8 12 F32 [3]"},
      {"{" TENSOR("a", "F32", "[]", "[0,8]") "}", ATTEND_STATUS_FILE_INVALID, "8 4 F32 []"},
      {"{" TENSOR("a", "F4", "[15]", "[0,8]") "}", ATTEND_STATUS_OVERFLOW, "\"a\" [15] bytes"},
      {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "[0,8]") "}", ATTEND_STATUS_OVERFLOW,
       "[4611686018427387904, 4]"},
      {"{" TENSOR("a", "F32", "[4611686018427387904,4,0]", "[0,0]") "}", ATTEND_STATUS_OVERFLOW,
       "a addressed"},
      {"{" TENSOR("a", "?", "[4294967296,4294967296]", "[0,8]") "}", ATTEND_STATUS_OVERFLOW,
       "a addressed"},
  };
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "bad.safetensors", path);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    scratch_write_tensors(path, cases[i].header, 8);
    open_refused(path, cases[i].status, cases[i].words, path);
  }
}

static void bad_lengths_are_refused(void **state) {
  static const struct {
    const char *bytes;
    size_t length;
    const char *words;
  } cases[] = {
      {"", 0, "0 bytes"},
      {"\2\0\0\0\0\0\0", 7, "7 bytes"},
      {"\0\0\0\0\0\0\0\0{}", 10, "header 0 bytes"},
      {"\3\0\0\0\0\0\0\0{}", 10, "header 3 2"},
      {"\0\0\0\200\0\0\0\0{}", 10, "header 2147483648"},
      {"\377\377\377\377\377\377\377\377{}", 10, "header 18446744073709551615"},
      {"\370\377\377\377\377\377\377\377{}", 10, "header 18446744073709551608"},
  };
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "length.safetensors", path);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    scratch_write(path, cases[i].bytes, cases[i].length);
    open_refused(path, ATTEND_STATUS_FILE_INVALID, cases[i].words, path);
  }

  /* A file that has the 2 GB that its header claims, all of them a hole. */
  scratch_write(path, "\0\0\0\200\0\0\0\0{}", 10);
  if (truncate(path, (off_t)3 << 30) == 0) {
    open_refused(path, ATTEND_STATUS_FILE_INVALID, "header 2147483648 100000000", path);
  }
  unlink(path);
}

static void deep_nesting_is_refused(void **state) {
  const size_t depth = 200 * 1000;
  char path[SCRATCH_PATH_SIZE];
  char *const header = new_bytes(depth + 1);
  memset(header, '[', depth);
  memcpy(header, "{\"a\":", 5);
  header[depth] = '\0';
  scratch_write_tensors(scratch_path(state, "deep.safetensors", path), header, 0);
  open_refused(path, ATTEND_STATUS_FILE_INVALID, "depth", path);
  free(header);
}

/* Names from a file are cut between characters and cannot break the line. */
static void names_are_shown_safely(void **state) {
  char path[SCRATCH_PATH_SIZE], header[2048] = "{\"\\u001b[31m\\n", error[ATTEND_FILE_ERROR_SIZE];
  for (size_t i = 0; i < 300; i++) strcat(header, "\xe2\x82\xac");
  strcat(header, "\":8}");
  scratch_write_tensors(scratch_path(state, "names.safetensors", path), header, 8);
  AttendTensorFile *file = NULL;
  const AttendStatus status = attend_open_tensors(path, &file, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_INVALID, error, path,
                       "tensor \"?[31m?\xe2\x82\xac");
  assert_non_null(strstr(error, "\xe2\x82\xac\": its value is 8"));
}

/* Whatever bytes of a good file are lost or changed, the answer is a status. */
static void no_damage_is_fatal(void **state) {
  const float data[] = {1, 2, 3, 4, 5, 6};
  const size_t dims[] = {2, 3};
  const AttendTensor tensors[] = {attend_float_tensor("a", data, dims, 2),
                                  {"b", "BF16", 1, {3}, data, 6, NULL}};
  const AttendMetadata metadata = {"format", "pt"};
  char path[SCRATCH_PATH_SIZE];
  size_t length = 0, refused = 0;
  scratch_path(state, "damaged.safetensors", path);
  assert_int_equal(attend_write_safetensors(path, tensors, 2, &metadata, 1, NULL, 0), ATTEND_OK);
  unsigned char *const bytes = scratch_read(path, &length);
  for (size_t kept = 0; kept < length; kept++) {
    AttendTensorFile *file = NULL;
    scratch_write(path, bytes, kept);
    assert_int_equal(attend_open_tensors(path, &file, NULL, 0), ATTEND_STATUS_FILE_INVALID);
    assert_null(file);
  }
  for (size_t place = 0; place < 8 * length; place++) {
    AttendTensorFile *file = NULL;
    bytes[place / 8] ^= (unsigned char)(1 << place % 8);
    scratch_write(path, bytes, length);
    bytes[place / 8] ^= (unsigned char)(1 << place % 8);
    refused += attend_open_tensors(path, &file, NULL, 0) != ATTEND_OK;
    for (size_t i = 0; i < attend_tensor_count(file); i++) {
      float got[6];
      attend_read_tensor(file, attend_tensor_at(file, i)->name, got, i == 0 ? 6 : 3, NULL, 0);
    }
    attend_close_tensors(&file);
  }
  /* A flipped bit in the data or in a name is not to be noticed; most of the header's are. */
  assert_in_range(refused, 4 * length, 8 * (length - sizeof data - 6));
  free(bytes);
}

static void what_is_no_file_is_refused(void **state) {
  char path[SCRATCH_PATH_SIZE], folder[SCRATCH_PATH_SIZE], inside[2 * SCRATCH_PATH_SIZE];
  scratch_path(state, "absent.safetensors", path);
  open_refused(path, ATTEND_STATUS_FILE_UNREADABLE, "No such file", path);

  scratch_path(state, "pipe.safetensors", path);
  assert_int_equal(mkfifo(path, 0600), 0);
  open_refused(path, ATTEND_STATUS_FILE_UNREADABLE, "device", path);
  open_refused("/dev/zero", ATTEND_STATUS_FILE_UNREADABLE, "device", "/dev/zero");

  assert_int_equal(mkdir(scratch_path(state, "empty", folder), 0700), 0);
  open_refused(folder, ATTEND_STATUS_FILE_UNREADABLE, "model.safetensors", folder);
  snprintf(inside, sizeof inside, "%s/model.safetensors", folder);
  assert_int_equal(mkdir(inside, 0700), 0);
  open_refused(folder, ATTEND_STATUS_FILE_UNREADABLE, "directory", inside);

  scratch_path(state, "loop.safetensors", path);
  assert_int_equal(symlink("loop.safetensors", path), 0);
  open_refused(path, ATTEND_STATUS_FILE_UNREADABLE, "opened", path);
  scratch_path(state, "no-file/x.safetensors", path);
  open_refused(path, ATTEND_STATUS_FILE_UNREADABLE, "opened", path);
}

/* Root may read anything; a test that runs as root becomes somebody else for the one call. */
static void what_may_not_be_read_is_refused(void **state) {
  char path[SCRATCH_PATH_SIZE];
  const bool root = geteuid() == 0;
  scratch_write_tensors(scratch_path(state, "secret.safetensors", path), "{}", 0);
  assert_int_equal(chmod(path, 0), 0);
  if (root && seteuid(65534) != 0) skip();
  open_refused(path, ATTEND_STATUS_FILE_UNREADABLE, "Permission denied", path);
  if (root) assert_int_equal(seteuid(0), 0);
}

static void links_are_followed(void **state) {
  char path[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE];
  AttendTensorFile *file = NULL;
  scratch_write_tensors(scratch_path(state, "there.safetensors", path),
                        "{" TENSOR("a", "U8", "[8]", "[0,8]") "}", 8);
  assert_int_equal(symlink("there.safetensors", scratch_path(state, "link.safetensors", link)), 0);
  assert_int_equal(attend_open_tensors(link, &file, NULL, 0), ATTEND_OK);
  assert_int_equal(attend_tensor_count(file), 1);
  attend_close_tensors(&file);
}

/* The mapping would answer with SIGBUS: reading a tensor must not go through it. */
static void a_file_that_shrinks_is_reported(void **state) {
  enum { COUNT = 64 * 1024 };
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  float *const data = new_random(1, 1, COUNT);
  const size_t dims[] = {COUNT};
  const AttendTensor tensors[] = {attend_float_tensor("floats", data, dims, 1),
                                  {"narrow", "BF16", 1, {COUNT}, data, 2 * COUNT, NULL}};
  scratch_path(state, "shrinks.safetensors", path);
  assert_int_equal(attend_write_safetensors(path, tensors, 2, NULL, 0, NULL, 0), ATTEND_OK);
  AttendTensorFile *file = NULL;
  assert_int_equal(attend_open_tensors(path, &file, NULL, 0), ATTEND_OK);
  assert_int_equal(truncate(path, 5000), 0);
  for (size_t i = 0; i < 2; i++) {
    const AttendStatus status =
        attend_read_tensor(file, tensors[i].name, data, COUNT, error, sizeof error);
    require_file_refusal(status, ATTEND_STATUS_FILE_UNREADABLE, error, path, "had");
  }
  attend_close_tensors(&file);
  free(data);
}

static void bad_indices_are_refused(void **state) {
  static const char good[] = "{" TENSOR("a", "U8", "[8]", "[0,8]") "}";
  static const struct {
    const char *index;
    AttendStatus status;
    const char *words;
    const char *blamed; /* null: the index */
  } cases[] = {
      {"", ATTEND_STATUS_FILE_INVALID, "empty", NULL},
      {"{}", ATTEND_STATUS_FILE_INVALID, "weight_map missing", NULL},
      {"[]", ATTEND_STATUS_FILE_INVALID, "object", NULL},
      {"{\"weight_map\":[]}", ATTEND_STATUS_FILE_INVALID, "weight_map array", NULL},
      {"{\"weight_map\":{\"a\":5}}", ATTEND_STATUS_FILE_INVALID, "a 5", NULL},
      {"{\"weight_map\":{\"a\":\"\"}}", ATTEND_STATUS_FILE_INVALID, "a beside", NULL},
      {"{\"weight_map\":{\"a\":\"..\"}}", ATTEND_STATUS_FILE_INVALID, "a beside", NULL},
      {"{\"weight_map\":{\"a\":\"../index/s.safetensors\"}}", ATTEND_STATUS_FILE_INVALID,
       "a beside", NULL},
      {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", ATTEND_STATUS_FILE_INVALID, "a beside", NULL},
      {"{\"weight_map\":{\"a\":\"s.safetensors\\u0000\"}}", ATTEND_STATUS_FILE_INVALID, "JSON",
       NULL},
      {"{\"weight_map\":{\"a\":\"none.safetensors\"}}", ATTEND_STATUS_FILE_UNREADABLE,
       "No such file", "index/none.safetensors"},
      {"{\"weight_map\":{\"a\":\"m.json\"}}", ATTEND_STATUS_FILE_INVALID, "header", "index/m.json"},
      {"{\"weight_map\":{\"b\":\"s.safetensors\"}}", ATTEND_STATUS_FILE_INVALID,
       "\"b\" s.safetensors", NULL},
      {"{\"weight_map\":{\"a\":\"s.safetensors\",\"a\":\"s.safetensors\"}}",
       ATTEND_STATUS_FILE_INVALID, "duplicate", NULL},
  };
  char path[SCRATCH_PATH_SIZE], shard[SCRATCH_PATH_SIZE], blamed[SCRATCH_PATH_SIZE];
  assert_int_equal(mkdir(scratch_path(state, "index", path), 0700), 0);
  scratch_path(state, "index/m.json", path);
  scratch_write_tensors(scratch_path(state, "index/s.safetensors", shard), good, 8);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    scratch_write(path, cases[i].index, strlen(cases[i].index));
    const char *const name =
        cases[i].blamed == NULL ? path : scratch_path(state, cases[i].blamed, blamed);
    open_refused(path, cases[i].status, cases[i].words, name);
  }
}

/* Descriptors and memory of files that were opened before the one that failed are given back. */
static void too_many_files_are_refused(void **state) {
  enum { FILES = 513, LINE = 32 };
  char path[SCRATCH_PATH_SIZE], name[LINE];
  char *const index = new_bytes(FILES * 2 * LINE);
  size_t used = (size_t)sprintf(index, "{\"weight_map\":{");
  assert_int_equal(mkdir(scratch_path(state, "many", path), 0700), 0);
  for (int i = 0; i < FILES; i++) {
    char header[128];
    snprintf(name, sizeof name, "many/%d", i);
    snprintf(header, sizeof header, "{" TENSOR("t%d", "U8", "[0]", "[0,0]") "}", i);
    scratch_write_tensors(scratch_path(state, name, path), header, 0);
    used += (size_t)sprintf(index + used, "%s\"t%d\":\"%d\"", i > 0 ? "," : "", i, i);
  }
  used += (size_t)sprintf(index + used, "}}");
  scratch_write(scratch_path(state, "many/m.json", path), index, used);
  const int before = dup(0);
  close(before);
  open_refused(path, ATTEND_STATUS_FILE_INVALID, "512 files", path);
  const int after = dup(0);
  assert_int_equal(after, before);
  close(after);
  free(index);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_headers_are_refused),
      cmocka_unit_test(bad_lengths_are_refused),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(names_are_shown_safely),
      cmocka_unit_test(no_damage_is_fatal),
      cmocka_unit_test(what_is_no_file_is_refused),
      cmocka_unit_test(what_may_not_be_read_is_refused),
      cmocka_unit_test(links_are_followed),
      cmocka_unit_test(a_file_that_shrinks_is_reported),
      cmocka_unit_test(bad_indices_are_refused),
      cmocka_unit_test(too_many_files_are_refused),
  };
  return cmocka_run_group_tests_name("malformed_safetensors", tests, scratch_setup,
                                     scratch_teardown);
}
