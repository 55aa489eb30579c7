/* attend/io.h - reads files of other programs, and writes files that they can read.
 *
 *   config.json   a model's attention layers, by family
 *   .npy          dense arrays
 *   .safetensors  named tensors, in one file or several
 *   layers        the weights of a published model, packed
 *
 * The library trusts nothing in a file: it checks every number before it uses it. A file that cannot
 * be used gives a status and one sentence with the file, the place and what would be right.
 */
#ifndef ATTEND_IO_H
#define ATTEND_IO_H

#include "attend/attend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A size that is enough for every sentence about a file. */
#define ATTEND_FILE_ERROR_SIZE 512

/* Reads a model's attention layers from a Hugging Face config.json (families llama, mistral, qwen2,
 * qwen3, gemma2, gpt2, gpt_oss): sizes, biases, QK-norm, RoPE with its scaling, scale, softcap,
 * sinks, and which layers have the sliding window. docs/models.md says what becomes of each field.
 *   model  filled on success: name is the config's "_name_or_path" if it has one that fits, else
 *          its "model_type"; rope.pairing is HALF, or NONE in gpt2; source is null.
 *   error  null, or error_size bytes (ATTEND_FILE_ERROR_SIZE is enough) that receive the sentence
 *          of a failure, "" on success.
 * What the file leaves out takes the default of the model's own code: head_dim = hidden_size /
 * num_attention_heads (128 for qwen3, 256 for gemma2, 64 for gpt_oss), num_key_value_heads =
 * num_attention_heads (4 for gemma2, 8 for gpt_oss); biases, bases, windows and softcap by family.
 * Returns OK; NULL_POINTER; FILE_UNREADABLE; FILE_INVALID (not JSON; a field is missing, has the
 * wrong type, is outside its range or contradicts another; or a field asks for something that an
 * AttendModel cannot express, such as RoPE of type "dynamic"); BAD_HEADS; OVERFLOW; OUT_OF_MEMORY. On failure *model is
 * untouched. */
ATTEND_API AttendStatus attend_read_config(const char *path, AttendModel *model, char *error,
                                           size_t error_size);

#define ATTEND_ARRAY_RANK 4

/* A dense fp32 array of up to ATTEND_ARRAY_RANK dimensions, row-major. */
typedef struct AttendArray {
  size_t rank; /* 0 (one number) .. ATTEND_ARRAY_RANK */
  size_t dims[ATTEND_ARRAY_RANK];
  float *data;       /* owned; null if it has no elements */
  const char *dtype; /* of the file that it was read from: "<f2", "<f4" or "<f8" */
} AttendArray;

/* Reads an array from a .npy file, version 1 to 3 of the format (NEP 1): little-endian f2, f4 and
 * f8, in C or Fortran order. f8 is rounded to float.
 *   array  filled on success; free it with attend_free_array(). Untouched on failure.
 *   error  as in attend_read_config()
 * Returns OK; NULL_POINTER; FILE_UNREADABLE; FILE_INVALID (not .npy, another type, more than
 * ATTEND_ARRAY_RANK dimensions, or a length that does not fit its shape); OVERFLOW;
 * OUT_OF_MEMORY. */
ATTEND_API AttendStatus attend_read_npy(const char *path, AttendArray *array, char *error,
                                        size_t error_size);

/* Writes data [dims[0], .., dims[rank - 1]] as f4 in C order, version 1.0. The file appears
 * complete or not at all: the call writes it under a temporary name in the same directory and then
 * renames it.
 *   error  as in attend_read_config()
 * Returns OK; NULL_POINTER; BAD_SIZE (rank); OVERFLOW; FILE_UNWRITABLE; OUT_OF_MEMORY. */
ATTEND_API AttendStatus attend_write_npy(const char *path, const float *data, const size_t *dims,
                                         size_t rank, char *error, size_t error_size);

/* Frees the data that a read has filled in and makes the array empty. Null is allowed. */
ATTEND_API void attend_free_array(AttendArray *array);

/* ------------------------------------------------------------------------------------------------
 * Tensors: safetensors files, single or sharded
 */

#define ATTEND_TENSOR_RANK 8

/* One tensor of a file, as a view of the file's bytes. */
typedef struct AttendTensor {
  const char *name;
  const char *dtype; /* as the file says it: "F32", "F16", "BF16", "I64", ... */
  size_t rank;
  size_t dims[ATTEND_TENSOR_RANK];
  const void *data; /* row-major, in the mapped file, at any alignment; see attend_open_tensors() */
  size_t bytes;     /* at data */
  const char *path; /* of the file that holds it; not used by a write */
} AttendTensor;

/* An fp32 tensor [dims[0], .., dims[rank - 1]] in memory, for a write. rank is at most
 * ATTEND_TENSOR_RANK. */
static inline AttendTensor attend_float_tensor(const char *name, const float *data,
                                               const size_t *dims, size_t rank) {
  AttendTensor tensor = {name, "F32", rank, {0}, data, sizeof *data, 0};
  for (size_t i = 0; i < rank && i < ATTEND_TENSOR_RANK; i++) {
    tensor.dims[i] = dims[i];
    tensor.bytes *= dims[i];
  }
  return tensor;
}

/* The tensors of one safetensors file, or of all files that an index names. */
typedef struct AttendTensorFile AttendTensorFile;

/* Opens tensors, and checks everything that the headers say before it uses any of it.
 *   path  a .safetensors file; an index (a name that ends in ".json"), with the files that it names
 *         beside it; or a directory with model.safetensors or, if there is none,
 *         model.safetensors.index.json. With an index, the tensors are those that it names.
 *   file  the handle, null on failure; close it with attend_close_tensors()
 *   error as in attend_read_config()
 * The files are mapped, and AttendTensor.data points into the mapping: nothing is copied, and tensors
 * of every dtype are listed. If somebody shortens a file meanwhile, the system answers a read through
 * data beyond its end by a signal. attend_read_tensor() does not use the mapping and returns an
 * error instead.
 * Returns OK; NULL_POINTER; FILE_UNREADABLE; FILE_INVALID (a header above 100 MB or beyond the
 * file, not JSON, without the three fields of a tensor; bytes of tensors that overlap, leave a
 * hole, lie outside the file or do not fit dtype and shape; more than ATTEND_TENSOR_RANK
 * dimensions; an index that leads out of its directory or to a file that is not there); OVERFLOW;
 * OUT_OF_MEMORY. */
ATTEND_API AttendStatus attend_open_tensors(const char *path, AttendTensorFile **file, char *error,
                                            size_t error_size);

/* Unmaps and closes the files and sets *file to null. Its tensors are no longer valid. Null is
 * allowed at both levels. */
ATTEND_API void attend_close_tensors(AttendTensorFile **file);

/* The tensors in the order of their names' bytes, index 0 to attend_tensor_count() - 1; null for any
 * other index. They and the strings in them are valid until the file is closed. */
ATTEND_API size_t attend_tensor_count(const AttendTensorFile *file);
ATTEND_API const AttendTensor *attend_tensor_at(const AttendTensorFile *file, size_t index);

/* The tensor of that name, or null. */
ATTEND_API const AttendTensor *attend_find_tensor(const AttendTensorFile *file, const char *name);

/* The value of a key in the file's metadata. Null if there is no such key, and for files with an
 * index. */
ATTEND_API const char *attend_tensor_metadata(const AttendTensorFile *file, const char *key);

/* Reads a tensor of F32, F16 or BF16 into to[0..count), row-major. All three are exact in fp32.
 * Several threads may read from the same file at the same time.
 *   count  how many numbers the tensor has: the product of its dims
 *   error  as in attend_read_config()
 * Returns OK; NULL_POINTER; SHAPE_MISMATCH (count); FILE_UNREADABLE (also if the file has
 * been shortened since it was opened); FILE_INVALID (no tensor of that name, or one of another
 * dtype); OUT_OF_MEMORY. On failure the contents of `to` are not defined. */
ATTEND_API AttendStatus attend_read_tensor(const AttendTensorFile *file, const char *name,
                                           float *to, size_t count, char *error, size_t error_size);

/* One line of a file's metadata. */
typedef struct AttendMetadata {
  const char *key, *value;
} AttendMetadata;

/* Writes tensors of any dtype of the format to one safetensors file, each aligned to its own
 * elements, with `metadata_count` lines of metadata. metadata may be null if there are none. Like all
 * files of this header it appears complete or not at all.
 *   error  as in attend_read_config()
 * Returns OK; NULL_POINTER; BAD_SIZE (rank); SHAPE_MISMATCH (bytes do not fit dtype and dims);
 * BAD_OPTION (a name given twice, reserved or not UTF-8, or a dtype that is unknown); OVERFLOW;
 * FILE_UNWRITABLE; OUT_OF_MEMORY. */
ATTEND_API AttendStatus attend_write_safetensors(const char *path, const AttendTensor *tensors,
                                                 size_t count, const AttendMetadata *metadata,
                                                 size_t metadata_count, char *error,
                                                 size_t error_size);

/* ------------------------------------------------------------------------------------------------
 * Layers: weights of a published model by their names
 */

/* Reads the config.json of the directory `path`, or the one beside the file `path`. Everything else
 * as in attend_read_config(). */
ATTEND_API AttendStatus attend_read_config_beside(const char *path, AttendModel *model, char *error,
                                                  size_t error_size);

/* Checks that the file has attention layer `layer` of the model, without reading any weight: every
 * tensor of such a layer, of the right shape and of F32, F16 or BF16, and no other. Names are those
 * of Hugging Face, with or without the part in brackets:
 *   [model.]layers.N.self_attn. + q_proj, k_proj, v_proj, o_proj .weight ([out, in]) and .bias;
 *                                 q_norm.weight, k_norm.weight; sinks
 *   [transformer.]h.N.attn.     + c_attn (Q, K and V fused), c_proj .weight ([in, out]) and .bias
 * It ignores buffers that some models store beside them: rotary_emb.inv_freq, and GPT-2's bias and
 * masked_bias, which are its causal mask.
 *   bytes  null, or receives the bytes of the layer's numbers in fp32; packed weights add padding
 *          and RoPE's frequencies to that
 *   error  as in attend_read_config(): file, tensor, expected and found shape
 * Returns OK; NULL_POINTER; BAD_SIZE (the model has no such layer); SHAPE_MISMATCH; FILE_INVALID
 * (missing, extra, of another dtype, or GPT-2's names with a model that has RoPE); OVERFLOW. */
ATTEND_API AttendStatus attend_check_layer(const AttendTensorFile *file, const AttendModel *model,
                                           size_t layer, size_t *bytes, char *error,
                                           size_t error_size);

/* One attention layer of a model, ready to run. */
typedef struct AttendLayer {
  AttendModel model;
  size_t index;           /* which layer of it */
  AttendWeights *weights; /* owned */
  float *sinks;           /* owned; [Hq], or null if the model has none */
} AttendLayer;

/* Loads layer `index` of a model from a path as attend_open_tensors() takes it, with the
 * config.json beside the weights. Matrices are read, widened and packed in blocks, so that beside
 * the packed weights about 2 MiB are in memory at a time.
 *   storage as in AttendWeightSource. Every storage but FP16 keeps the numbers of a BF16 file
 *           exactly, and every one but BF16 those of an F16 file.
 *   layer  filled on success; free it with attend_free_layer(). Untouched on failure.
 *   error  as in attend_read_config(); the sentence is here and not in attend_get_error()
 * Returns what attend_open_tensors(), attend_read_config(), attend_check_layer(),
 * attend_read_tensor() and attend_pack_weights() return. */
ATTEND_API AttendStatus attend_load_layer(AttendContext *context, const char *path, size_t index,
                                          AttendStorage storage, AttendLayer *layer, char *error,
                                          size_t error_size);

/* Does the same with an open file and a known model: for several layers, and for weights without a
 * config.json. */
ATTEND_API AttendStatus attend_load_layer_from(AttendContext *context, const AttendTensorFile *file,
                                               const AttendModel *model, size_t index,
                                               AttendStorage storage, AttendLayer *layer,
                                               char *error, size_t error_size);

/* Sets scale, softcap and window of *options as attend_model_options() does, and points its sinks at
 * the layer's, which the layer still owns. */
ATTEND_API void attend_layer_options(const AttendLayer *layer, AttendOptions *options);

/* Frees the weights and sinks that a load has filled in and makes the layer empty. Null is
 * allowed. */
ATTEND_API void attend_free_layer(AttendLayer *layer);

#ifdef __cplusplus
}
#endif
#endif
