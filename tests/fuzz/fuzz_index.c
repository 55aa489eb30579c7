/* fuzz_index.c - any bytes as the index of a sharded model, beside two good files and one bad.
 *
 * No file outside the folder may be opened, whatever names the index has: an open tensor's path
 * says where it is.
 */
#include <fcntl.h>
#include <string.h>

#include "tests/fuzz/fuzz_file.h"

static char folder[64], index_path[96];
static int index_file = -1;

static void remove_folder(void) {
  static const char *const names[] = {"m.json", "1.safetensors", "2.safetensors", "bad"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static void write_shard(const char *name, const char *tensor) {
  const float data[] = {1, 2};
  const size_t dims[] = {2};
  const AttendTensor tensors[] = {attend_float_tensor(tensor, data, dims, 1),
                                  attend_float_tensor("both", data, dims, 1)};
  char path[96], error[ATTEND_FILE_ERROR_SIZE];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  require(attend_write_safetensors(path, tensors, 2, NULL, 0, error, sizeof error) == ATTEND_OK);
}

static void make_folder(void) {
  const char *const temporary = getenv("TMPDIR");
  const int length = snprintf(folder, sizeof folder, "%s/attend-fuzz-XXXXXX",
                              temporary == NULL ? "/tmp" : temporary);
  require(length < (int)sizeof folder);
  require(mkdtemp(folder) != NULL);
  atexit(remove_folder);
  write_shard("1.safetensors", "a");
  write_shard("2.safetensors", "b");
  snprintf(index_path, sizeof index_path, "%s/bad", folder);
  FILE *const bad = fopen(index_path, "w");
  require(bad != NULL && fclose(bad) == 0);
  snprintf(index_path, sizeof index_path, "%s/m.json", folder);
  index_file = open(index_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  require(index_file >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendTensorFile *file = NULL;
  if (index_file < 0) make_folder();
  fuzz_fill(index_file, data, size);
  const AttendStatus status = attend_open_tensors(index_path, &file, error, sizeof error);
  fuzz_judge(status, error);
  require((status == ATTEND_OK) == (file != NULL));
  require(attend_tensor_count(file) <= 4);
  for (size_t i = 0; i < attend_tensor_count(file); i++) {
    const AttendTensor *const tensor = attend_tensor_at(file, i);
    float numbers[2];
    require(strncmp(tensor->path, folder, strlen(folder)) == 0);
    require(strchr(tensor->path + strlen(folder) + 1, '/') == NULL);
    require(attend_read_tensor(file, tensor->name, numbers, 2, NULL, 0) == ATTEND_OK);
  }
  attend_close_tensors(&file);
  return 0;
}
