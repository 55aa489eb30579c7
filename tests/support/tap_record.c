/* tap_record.c - copies matrices as a tap is shown them, in order. */
#include "tests/support/tap_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void record_matrix(void *user, const AttendMatrix *matrix) {
  TapRecord *const record = user;
  if (record->count == record->room) {
    record->room = 2 * record->room + 16;
    record->matrices = realloc(record->matrices, record->room * sizeof *record->matrices);
    assert_non_null(record->matrices);
  }
  TapMatrix *const copy = &record->matrices[record->count++];
  *copy = (TapMatrix){.batch = matrix->batch,
                      .head = matrix->head,
                      .first_row = matrix->first_row,
                      .rows = matrix->rows,
                      .columns = matrix->columns};
  assert_true((size_t)snprintf(copy->name, sizeof copy->name, "%s", matrix->name) <
              sizeof copy->name);
  assert_true(matrix->row_stride >= matrix->columns || matrix->rows <= 1);
  copy->data = new_bytes(copy->rows * copy->columns * sizeof *copy->data);
  for (size_t r = 0; r < copy->rows && copy->columns; r++)
    memcpy(copy->data + r * copy->columns, matrix->data + r * matrix->row_stride,
           copy->columns * sizeof *copy->data);
}

void tap_record_start(TapRecord *record, AttendContext *context) {
  *record = (TapRecord){0};
  assert_ok(context, attend_set_tap(context, record_matrix, record));
}

void tap_record_clear(TapRecord *record) {
  for (size_t k = 0; k < record->count; k++) free(record->matrices[k].data);
  free(record->matrices);
  *record = (TapRecord){0};
}

const TapMatrix *tap_record_find(const TapRecord *record, const char *name, size_t batch,
                                 size_t head) {
  for (size_t k = 0; k < record->count; k++) {
    const TapMatrix *const matrix = &record->matrices[k];
    if (strcmp(matrix->name, name) == 0 && matrix->batch == batch && matrix->head == head)
      return matrix;
  }
  return NULL;
}
