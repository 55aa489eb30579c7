/* stored_rows.c - opens, fills and reads caches, and rounds numbers to a storage in double. */
#include "tests/support/stored_rows.h"

#include <math.h>

#include "tests/support/engine.h"
#include "tests/support/test_data.h"

AttendCache *cache_open(AttendContext *context, const AttendLayerShape *shape, size_t sequences,
                        size_t capacity) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.capacity = capacity;
  settings.block_tokens = 32;
  AttendCache *cache = NULL;
  assert_ok(context, attend_open_cache(context, shape, &settings, &cache));
  assert_non_null(cache);
  return cache;
}

void cache_append(AttendContext *context, AttendCache *cache, size_t sequences, size_t tokens,
                  AttendView key, AttendView value) {
  for (size_t b = 0; b < sequences; b++) {
    assert_ok(context, attend_append_cache(context, cache, b, tokens, key, value));
    key.data += key.batch_stride;
    value.data += value.batch_stride;
  }
}

StoredRows cache_read(AttendContext *context, const AttendCache *cache,
                      const AttendLayerShape *shape, size_t sequence, size_t first, size_t tokens) {
  const size_t heads = shape->kv_heads, D = shape->head_dim, Dv = shape->value_dim;
  const StoredRows rows = {guarded_new(tokens * heads * D * sizeof(float), 4),
                           guarded_new(tokens * heads * Dv * sizeof(float), 4)};
  assert_ok(context, attend_read_cache(context, cache, sequence, first, tokens,
                                       attend_output_bnhd(rows.key, tokens, heads, D),
                                       attend_output_bnhd(rows.value, tokens, heads, Dv)));
  return rows;
}

void stored_rows_free(StoredRows *rows) {
  guarded_free(rows->key, "the keys of a cache");
  guarded_free(rows->value, "the values of a cache");
  *rows = (StoredRows){NULL, NULL};
}

static double rounded(double x, int bits) {
  int exponent = 0;
  const double fraction = frexp(x, &exponent);
  return ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
}

/* Multiples of 2^-24 are all that there is below 2^-14; 65520 is the middle between the largest
 * number and the one that would follow it. */
static double rounded_to_fp16(double x) {
  if (fabs(x) >= 65520.0) return copysign(INFINITY, x);
  return fabs(x) < 0x1p-14 ? nearbyint(x * 0x1p24) * 0x1p-24 : rounded(x, 11);
}

float stored_number(float x, AttendStorage storage) {
  static const int terms[ATTEND_STORAGE_COUNT] = {
      [ATTEND_STORAGE_BF16] = 1, [ATTEND_STORAGE_BF16X2] = 2, [ATTEND_STORAGE_BF16X3] = 3};
  if (storage == ATTEND_STORAGE_FP16) return (float)rounded_to_fp16((double)x);
  if (terms[storage] == 0) return x;
  double sum = 0.0;
  for (int p = 0; p < terms[storage]; p++) sum += rounded((double)x - sum, 8);
  return (float)sum;
}

void round_to_storage(AttendStorage storage, float *data, size_t count) {
  for (size_t i = 0; i < count; i++) data[i] = stored_number(data[i], storage);
}
