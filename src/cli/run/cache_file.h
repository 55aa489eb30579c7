/* cache_file.h - keys and values of past tokens in a safetensors file, between two runs.
 *
 * The tensors are "keys" [sequences, tokens, Hk, D] and "values" [sequences, tokens, Hk, Dv], F32,
 * keys as the cache holds them: after QK-norm and RoPE. All sequences are equally long.
 */
#ifndef ATTEND_SRC_CLI_RUN_CACHE_FILE_H
#define ATTEND_SRC_CLI_RUN_CACHE_FILE_H

#include "attend/io.h"

/* Opens a cache of `sequences` sequences with room for `more` tokens behind those that the file
 * holds, in the storage, and fills it from there; a file that does not exist is an empty cache.
 * Returns the library's status, with the sentence in error (ATTEND_FILE_ERROR_SIZE bytes). */
AttendStatus cache_file_load(AttendContext *context, const char *path,
                             const AttendLayerShape *shape, size_t sequences, size_t more,
                             AttendStorage storage, AttendCache **cache, char *error);

/* Writes the whole cache. */
AttendStatus cache_file_save(AttendContext *context, const char *path,
                             const AttendLayerShape *shape, size_t sequences,
                             const AttendCache *cache, char *error);

#endif
