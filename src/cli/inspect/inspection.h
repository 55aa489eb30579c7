/* inspection.h - what `attend inspect` finds in a file, and the forms in which it is printed.
 *
 * The command fills an Inspection and a writer prints it. No weight is read: of tensors everything
 * comes from the headers. An array of a .npy file is read, because that is how it is checked.
 */
#ifndef ATTEND_SRC_CLI_INSPECT_INSPECTION_H
#define ATTEND_SRC_CLI_INSPECT_INSPECTION_H

#include "attend/io.h"
#include "cli/util/model_choice.h"

/* Raised when a member of the JSON form changes its meaning or goes away; new members do not. */
#define INSPECT_SCHEMA_VERSION 1

/* One layer of the model, as attend_check_layer() judges it. */
typedef struct LayerFinding {
  bool usable;
  size_t bytes;                        /* in fp32, if it is usable */
  char reason[ATTEND_FILE_ERROR_SIZE]; /* why it is not */
} LayerFinding;

/* Statistics of the numbers of an array. */
typedef struct ArrayFinding {
  size_t count, nans, infinities;
  float least, greatest; /* of those that are finite; 0 if there are none */
} ArrayFinding;

typedef struct Inspection {
  const char *path;
  bool is_array;
  AttendArray array; /* of a .npy file */
  ArrayFinding numbers;
  AttendTensorFile *file;       /* else */
  const AttendTensor **tensors; /* [attend_tensor_count()], numbers in names in their own order */
  size_t bytes, files;          /* of all tensors; that hold them */
  bool has_model;
  AttendModel model;
  char model_error[ATTEND_FILE_ERROR_SIZE]; /* why there is none */
  LayerFinding *layers;                     /* [model.layers] */
} Inspection;

/* Opens and examines the path. EXIT_SUCCESS, or the exit status with the sentence printed. */
int inspection_open(const char *path, const ModelChoice *choice, Inspection *inspection);

/* Allowed on a zero struct and after a failed inspection_open(). */
void inspection_close(Inspection *inspection);

/* Bytes of a layer's packed weights, and of one token's keys and values in its cache, in a storage
 * other than AUTO. Padding and RoPE's frequencies are not counted. 0 for a layer that is not
 * usable. */
size_t inspection_layer_bytes(const Inspection *inspection, size_t layer, AttendStorage storage);
size_t inspection_token_bytes(const Inspection *inspection, AttendStorage storage);

/* Print the findings on stdout. */
void inspection_print_text(const Inspection *inspection);

/* False if memory is short. */
bool inspection_print_json(const Inspection *inspection);

#endif
