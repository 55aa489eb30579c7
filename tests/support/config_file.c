/* config_file.c - writes config.json files to a temporary folder and reads them through the
 * library. */
#include "tests/support/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int make_folder(void **state) {
  static Folder made; /* one group of tests at a time */
  snprintf(made.folder, sizeof made.folder, "/tmp/attend-test-config-XXXXXX");
  if (mkdtemp(made.folder) == NULL) return -1;
  snprintf(made.file, sizeof made.file, "%s/config.json", made.folder);
  *state = &made;
  return 0;
}

int remove_folder(void **state) {
  const Folder *const made = *state;
  unlink(made->file);
  return rmdir(made->folder);
}

void write_bytes(const char *path, const char *bytes, size_t length) {
  FILE *const file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

void write_text(const char *path, const char *text) {
  write_bytes(path, text, strlen(text));
}

AttendStatus read_refused(const char *path, char sentence[ATTEND_FILE_ERROR_SIZE]) {
  AttendModel model, before;
  memset(&model, 0xa5, sizeof model);
  memset(&before, 0xa5, sizeof before);
  char error[ATTEND_FILE_ERROR_SIZE];
  memset(error, 'x', sizeof error);

  const AttendStatus status = attend_read_config(path, &model, error, sizeof error);
  assert_int_not_equal(status, ATTEND_OK);
  assert_memory_equal(&model, &before, sizeof model);
  assert_non_null(memchr(error, '\0', sizeof error));
  for (const char *c = error; *c != '\0'; c++) assert_true((unsigned char)*c >= 0x20);

  const char *const shown = strlen(path) > 192 ? path + strlen(path) - 192 : path;
  const char *const start = strstr(error, shown);
  assert_non_null(start);
  assert_memory_equal(start + strlen(shown), ": ", 2);
  snprintf(sentence, ATTEND_FILE_ERROR_SIZE, "%s", start + strlen(shown) + 2);

  assert_int_equal(attend_read_config(path, &model, NULL, 0), status);
  assert_int_equal(attend_read_config(path, &model, NULL, 100), status);
  assert_memory_equal(&model, &before, sizeof model);
  return status;
}

void read_good(const Folder *made, const char *text, AttendModel *model) {
  write_text(made->file, text);
  char error[ATTEND_FILE_ERROR_SIZE] = "left over";
  memset(model, 0xa5, sizeof *model);
  const AttendStatus status = attend_read_config(made->file, model, error, sizeof error);
  if (status != ATTEND_OK) fail_msg("%s was refused: %s", text, error);
  assert_string_equal(error, "");
}
