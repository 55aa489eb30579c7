/* tap_record.h - keeps what a context's tap was shown. */
#ifndef ATTEND_TESTS_SUPPORT_TAP_RECORD_H
#define ATTEND_TESTS_SUPPORT_TAP_RECORD_H

#include "tests/support/support.h"

/* A copy of one matrix: data is dense, [rows, columns]. */
typedef struct TapMatrix {
  char name[24];
  size_t batch, head, first_row, rows, columns;
  float *data;
} TapMatrix;

typedef struct TapRecord {
  TapMatrix *matrices;
  size_t count, room;
} TapRecord;

/* Has the context's matrices recorded from now on. The record must outlive the tap. */
void tap_record_start(TapRecord *record, AttendContext *context);
void tap_record_clear(TapRecord *record);

/* The matrix of a sequence and head, or null. */
const TapMatrix *tap_record_find(const TapRecord *record, const char *name, size_t batch,
                                 size_t head);

#endif
