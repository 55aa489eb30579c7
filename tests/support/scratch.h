/* scratch.h - a folder for one group of tests, with files written byte by byte. */
#ifndef ATTEND_TESTS_SUPPORT_SCRATCH_H
#define ATTEND_TESTS_SUPPORT_SCRATCH_H

#include "attend/io.h"
#include "tests/support/support.h"

#define SCRATCH_PATH_SIZE 256

typedef struct Scratch {
  char folder[64];
} Scratch;

/* Set-up and tear-down of a group of tests, whose state is a Scratch. The folder goes with all that
 * is in it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* "FOLDER/NAME" */
const char *scratch_path(void **state, const char *name, char path[static SCRATCH_PATH_SIZE]);

void scratch_write(const char *path, const void *bytes, size_t length);

/* Reads the whole file into new memory; failing to fails the test. */
unsigned char *scratch_read(const char *path, size_t *length);

/* How many entries the folder has: a failed write must not leave any. */
size_t scratch_count(void **state);

/* Writes a safetensors file: the header's length, the header, then data_bytes bytes 0, 1, 2, ... */
void scratch_write_tensors(const char *path, const char *header, size_t data_bytes);

#endif
