/* scratch.c - makes and removes the folder, and the files in it. */
#include "tests/support/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int scratch_setup(void **state) {
  static Scratch made; /* one group of tests at a time */
  snprintf(made.folder, sizeof made.folder, "/tmp/attend-test-XXXXXX");
  if (mkdtemp(made.folder) == NULL) return -1;
  *state = &made;
  return 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place) {
  (void)facts;
  (void)kind;
  (void)place;
  return remove(path);
}

int scratch_teardown(void **state) {
  const Scratch *const made = *state;
  return nftw(made->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(void **state, const char *name, char path[static SCRATCH_PATH_SIZE]) {
  const Scratch *const made = *state;
  const int length = snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", made->folder, name);
  assert_in_range(length, 1, SCRATCH_PATH_SIZE - 1);
  return path;
}

void scratch_write(const char *path, const void *bytes, size_t length) {
  FILE *const file = fopen(path, "wb");
  if (file == NULL) fail_msg("%s cannot be written", path);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

unsigned char *scratch_read(const char *path, size_t *length) {
  FILE *const file = fopen(path, "rb");
  if (file == NULL) fail_msg("%s cannot be read", path);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  *length = (size_t)ftell(file);
  rewind(file);
  unsigned char *const bytes = new_bytes(*length + 1);
  assert_int_equal(fread(bytes, 1, *length, file), *length);
  fclose(file);
  return bytes;
}

size_t scratch_count(void **state) {
  const Scratch *const made = *state;
  DIR *const folder = opendir(made->folder);
  size_t count = 0;
  assert_non_null(folder);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

void scratch_write_tensors(const char *path, const char *header, size_t data_bytes) {
  const size_t length = strlen(header), total = 8 + length + data_bytes;
  unsigned char *const bytes = new_bytes(total);
  for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
  memcpy(bytes + 8, header, length);
  for (size_t i = 0; i < data_bytes; i++) bytes[8 + length + i] = (unsigned char)i;
  scratch_write(path, bytes, total);
  free(bytes);
}
