/* stored_rows.h - a cache of the smallest pages, the rows that it holds, and numbers as a storage
 * keeps them.
 */
#ifndef ATTEND_TESTS_SUPPORT_STORED_ROWS_H
#define ATTEND_TESTS_SUPPORT_STORED_ROWS_H

#include "attend/attend.h"

/* An empty cache of pages of 32 tokens, the smallest; failing to open fails the test. */
AttendCache *cache_open(AttendContext *context, const AttendLayerShape *shape, size_t sequences,
                        size_t capacity);

/* Appends tokens to sequences 0 .. sequences - 1: views [sequences, tokens, Hk, D or Dv]. */
void cache_append(AttendContext *context, AttendCache *cache, size_t sequences, size_t tokens,
                  AttendView key, AttendView value);

/* Tokens first .. first + tokens - 1 of a sequence of a cache of that shape. */
typedef struct StoredRows {
  float *key;   /* [tokens, Hk, D] */
  float *value; /* [tokens, Hk, Dv] */
} StoredRows;

StoredRows cache_read(AttendContext *context, const AttendCache *cache,
                      const AttendLayerShape *shape, size_t sequence, size_t first, size_t tokens);
void stored_rows_free(StoredRows *rows);

/* A finite number as a storage keeps it: the sum of its terms, each the rest rounded to 8 bits,
 * ties to even. */
float stored_number(float x, AttendStorage storage);
void round_to_storage(AttendStorage storage, float *data, size_t count);

#endif
