/* saved_matrices.h - every matrix that a layer's tap shows, as a .npy file of its own.
 *
 * DIR/query-b0-h3.npy is the matrix "query" of sequence 0 and head 3; what has no heads (concat,
 * output) has no h. Keys and values are shown, and written, once for each query head that reads
 * them.
 */
#ifndef ATTEND_SRC_CLI_RUN_SAVED_MATRICES_H
#define ATTEND_SRC_CLI_RUN_SAVED_MATRICES_H

#include "attend/io.h"

typedef struct SavedMatrices {
  const char *directory;
  AttendStatus status; /* of the first that failed; later ones are not tried */
  char error[ATTEND_FILE_ERROR_SIZE];
} SavedMatrices;

/* Makes the directory if it is not there. False, with the sentence in saved->error, if it cannot
 * be. */
bool saved_matrices_open(SavedMatrices *saved, const char *directory);

/* An AttendTap whose user is a SavedMatrices. */
void saved_matrices_tap(void *saved, const AttendMatrix *matrix);

#endif
