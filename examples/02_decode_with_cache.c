/* A prompt in one call, then token by token: the KV cache gives what one call over all would
 * give. */
#include <attend/attend.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROMPT = 100, TOKENS = 108 };

static float *random_matrix(size_t rows, size_t columns) {
  float *const m = malloc(rows * columns * sizeof *m);
  for (size_t i = 0; m && i < rows * columns; i++) m[i] = (float)rand() / (float)RAND_MAX - 0.5f;
  return m;
}

/* The layer of one sequence: E = 256, 8 query heads that share 2 kv heads of dimension 32, RoPE. */
static AttendStatus open_layer(AttendContext *context, AttendWeights **weights,
                               AttendCache **cache) {
  const AttendLayerShape shape = {256, 8, 2, 32, 32};
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.rope.pairing = ATTEND_ROPE_HALF;
  float *const qkv = random_matrix(256, 256 + 64 + 64), *const output = random_matrix(256, 256);
  source.qkv = qkv, source.output = output;
  AttendStatus status = attend_pack_weights(context, &shape, &source, weights);
  free(qkv), free(output); /* they were copied */

  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.capacity = TOKENS;
  if (!status) status = attend_open_cache(context, &shape, &settings, cache);
  return status;
}

int main(void) {
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendCache *cache = NULL;
  float *const x = random_matrix(TOKENS, 256); /* [TOKENS, E] */
  float *const whole = calloc(TOKENS, 256 * sizeof(float));
  float *const y = calloc(TOKENS, 256 * sizeof(float));

  AttendStatus status = attend_open(&context, NULL);
  if (!status) status = open_layer(context, &weights, &cache);

  /* Without a cache: all tokens in one call. */
  if (!status) status = attend_layer_forward(context, weights, NULL, 1, TOKENS, x, NULL, whole);

  /* With one: each call appends its tokens and attends to everything that is there. */
  if (!status) status = attend_layer_forward(context, weights, cache, 1, PROMPT, x, NULL, y);
  for (size_t t = PROMPT; !status && t < TOKENS; t++) {
    const size_t row = t * 256;
    status = attend_layer_forward(context, weights, cache, 1, 1, x + row, NULL, y + row);
    printf("token %zu: %zu tokens of %zu bytes in the cache\n", t, attend_cache_length(cache, 0),
           attend_cache_token_bytes(cache));
  }

  float difference = 0, largest = 0;
  for (size_t i = 0; !status && i < (size_t)TOKENS * 256; i++) {
    difference = fmaxf(difference, fabsf(y[i] - whole[i]));
    largest = fmaxf(largest, fabsf(whole[i]));
  }
  if (status)
    fprintf(stderr, "%s\n", context ? attend_get_error(context) : attend_status_message(status));
  else
    printf("largest difference %.1e, largest output %.1e\n", (double)difference, (double)largest);

  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
  free(x), free(whole), free(y);
  return status != ATTEND_OK || difference > 1e-5f * largest;
}
