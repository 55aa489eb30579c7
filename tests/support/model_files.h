/* model_files.h - a model on disk that a test made: config.json, and one attention layer's tensors
 * as Hugging Face names them, beside the same arrays in memory.
 */
#ifndef ATTEND_TESTS_SUPPORT_MODEL_FILES_H
#define ATTEND_TESTS_SUPPORT_MODEL_FILES_H

#include "tests/support/scratch.h"

#define MODEL_PARTS 12

/* A family with a small config of its own. */
typedef struct ModelFamily {
  const char *name;
  const char *config;
  const char *prefix; /* of the tensors of layer 1 */
  AttendLayerShape shape;
  bool fused, qkv_bias, output_bias, qk_norm, sinks;
} ModelFamily;

/* Family number `index`; null beyond the last. */
const ModelFamily *model_family(size_t index);

/* The tensors of layer 1 of a family, and as what they lie in memory. */
typedef struct ModelFiles {
  const ModelFamily *family;
  size_t count;
  AttendTensor tensors[MODEL_PARTS];
  char names[MODEL_PARTS][64];
  float *floats[MODEL_PARTS]; /* what the file's numbers are, in fp32 */
  void *stored[MODEL_PARTS];  /* as in the file; null if that is fp32 */
  AttendWeightSource source;  /* of the same floats */
  const float *sinks;
} ModelFiles;

/* Makes random tensors of that dtype: F32, F16 or BF16. */
void model_files_new(const ModelFamily *family, const char *dtype, ModelFiles *files);
void model_files_free(ModelFiles *files);

/* Writes FOLDER/config.json and FOLDER/model.safetensors; the folder is made if it is not there. */
void model_files_write(const ModelFiles *files, const char *folder);

/* The index of the tensor whose name ends so. */
size_t model_files_find(const ModelFiles *files, const char *suffix);

#endif
