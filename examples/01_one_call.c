/* The attention layer of Qwen2.5-0.5B on 16 tokens, with random weights: one call. */
#include <attend/attend.h>
#include <stdio.h>
#include <stdlib.h>

static float *random_matrix(size_t rows, size_t columns) {
  float *const m = malloc(rows * columns * sizeof *m);
  for (size_t i = 0; m && i < rows * columns; i++) m[i] = (float)rand() / (float)RAND_MAX - 0.5f;
  return m;
}

int main(void) {
  const AttendLayerShape s = attend_find_model("qwen2.5-0.5b")->shape;
  const size_t tokens = 16,
               qkv = (s.query_heads + s.kv_heads) * s.head_dim + s.kv_heads * s.value_dim;
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = random_matrix(s.width, qkv); /* [W_q | W_k | W_v], [in, out] */
  source.output = random_matrix(s.query_heads * s.value_dim, s.width); /* W_o */
  float *const x = random_matrix(tokens, s.width), *const y = random_matrix(tokens, s.width);

  AttendStatus status = attend_open(&context, NULL);
  if (!status) status = attend_pack_weights(context, &s, &source, &weights);
  if (!status) status = attend_layer_forward(context, weights, NULL, 1, tokens, x, NULL, y);
  if (status)
    fprintf(stderr, "%s\n", context ? attend_get_error(context) : attend_status_message(status));
  else
    printf("y[0][0..3] = %g %g %g %g\n", (double)y[0], (double)y[1], (double)y[2], (double)y[3]);

  attend_free_weights(&weights);
  attend_close(&context);
  free((void *)source.qkv), free((void *)source.output), free(x), free(y);
  return status != ATTEND_OK;
}
