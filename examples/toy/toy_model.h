/* toy_model.h - the weights of a decoder-only transformer of the LLaMA kind.
 *
 * A reader (checkpoint.c, huggingface.c) fills it, and transformer.c runs it. The attention of a
 * block is packed by the library; everything else points into one allocation of the model's own.
 * Matrices are [out, in], as both kinds of file have them.
 */
#ifndef TOY_MODEL_H
#define TOY_MODEL_H

#include <attend/attend.h>

#include "complaint.h"

#define NO_TOKEN SIZE_MAX

typedef struct Block {
  const float *attention_norm; /* [E] */
  AttendWeights *attention;
  const float *mlp_norm;  /* [E] */
  const float *gate, *up; /* [F, E] */
  const float *down;      /* [E, F] */
} Block;

typedef struct Model {
  AttendModel attention; /* shape of the attention, RoPE, windows, number of layers */
  size_t hidden;         /* F, width between the matrices of the MLP */
  size_t vocabulary;     /* V */
  size_t positions;      /* the longest sequence it was made for */
  float norm_epsilon;
  AttendStorage storage;  /* of attention weights and caches */
  size_t first_token;     /* what a text begins with, or NO_TOKEN */
  size_t last_tokens[4];  /* what a text ends with, or NO_TOKEN */
  const float *embedding; /* [V, E] */
  Block blocks[ATTEND_MODEL_LAYERS];
  const float *final_norm; /* [E] */
  const float *classifier; /* [V, E]; may be the embedding */
  float *memory;
} Model;

/* Reads a checkpoint in the llama2.c format (version 0: seven int32 and the weights in fp32) and
 * packs the attention's weights in the storage. */
bool checkpoint_read(const char *path, AttendContext *context, AttendStorage storage, Model *model,
                     Complaint *complaint);

/* Reads a Hugging Face directory of the LLaMA, Mistral, Qwen2 or Qwen3 family. */
bool huggingface_read(const char *path, AttendContext *context, AttendStorage storage, Model *model,
                      Complaint *complaint);

/* Frees what a reader has filled. */
void model_free(Model *model);

#endif
