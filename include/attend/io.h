/* attend/io.h - reading what other programs wrote.
 *
 * Nothing in a file is trusted: every number is checked before it is used, and a file that cannot be
 * used gives a status and one sentence with the file, the place and what would be right.
 */
#ifndef ATTEND_IO_H
#define ATTEND_IO_H

#include "attend/attend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTEND_FILE_ERROR_SIZE 512

/* Reads a model's attention layers from a Hugging Face config.json (families llama, mistral, qwen2,
 * qwen3, gemma2, gpt2, gpt_oss): sizes, biases, QK-norm, RoPE with its scaling, scale, softcap,
 * sinks, and which layers have the sliding window. docs/models.md says which field becomes what.
 *   model  filled on success: name is the config's "_name_or_path" if it has one that fits, else
 *          its "model_type"; rope.pairing is HALF, or NONE in gpt2; source is null.
 *   error  null, or error_size bytes (ATTEND_FILE_ERROR_SIZE is enough) that receive the sentence
 *          of a failure, "" on success.
 * Derived where the file leaves it out, as the model's own code does: head_dim = hidden_size /
 * num_attention_heads (128 for qwen3, 256 for gemma2, 64 for gpt_oss), num_key_value_heads =
 * num_attention_heads (4 for gemma2, 8 for gpt_oss); biases, bases, windows, softcap by family.
 * Returns OK; NULL_POINTER; FILE_UNREADABLE; FILE_INVALID (not JSON, or a field is missing, of the
 * wrong type, outside its range, contradicts another, or asks for what an AttendModel cannot say,
 * such as RoPE of type "dynamic"); BAD_HEADS; OVERFLOW; OUT_OF_MEMORY. On failure *model is
 * untouched. */
ATTEND_API AttendStatus attend_read_config(const char *path, AttendModel *model, char *error,
                                           size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
