/* full_layer.c - attention layers like those of published models.
 *
 * Heads, norms, biases, windows and caps are each model's own, sizes are small. Weights of Q and K
 * are large enough for scores of the size of 1, and softcaps and windows small enough to bite, so
 * that a step that is left out moves the output by far more than the tests allow.
 */
#include "tests/support/full_layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/rope_models.h"

static const FullCase cases[] = {
    {.name = "llama-2", .shape = {64, 4, 4, 16, 16}, .rope = "llama-2"},
    {.name = "llama-3.1", .shape = {96, 6, 2, 32, 32}, .rope = "llama-3.1"},
    {.name = "qwen2.5", .shape = {80, 10, 2, 16, 16}, .rope = "qwen2.5", .qkv_bias = true},
    {.name = "qwen3", .shape = {48, 4, 2, 32, 32}, .rope = "qwen3", .qk_norm = true},
    {.name = "gemma-2",
     .shape = {72, 4, 2, 20, 20},
     .rope = "gemma-2",
     .scale = 0.2f,
     .softcap = 2.0f,
     .window = 10},
    {.name = "gpt-2", .shape = {48, 3, 3, 16, 16}, .qkv_bias = true, .output_bias = true},
    {.name = "gpt-oss",
     .shape = {90, 8, 1, 16, 24},
     .rope = "gpt-oss",
     .qkv_bias = true,
     .output_bias = true,
     .sinks = true,
     .window = 17},
    {.name = "pythia",
     .shape = {64, 2, 2, 32, 32},
     .rope = "pythia",
     .qkv_bias = true,
     .output_bias = true},
};

bool full_layer_new(size_t index, FullLayer *layer) {
  if (index >= COUNT_OF(cases)) return false;
  const FullCase *const c = &cases[index];
  const AttendLayerShape *const s = &c->shape;
  const size_t columns = (s->query_heads + s->kv_heads) * s->head_dim + s->kv_heads * s->value_dim;
  const size_t heads = s->query_heads * s->value_dim;
  *layer = (FullLayer){.spec = *c};
  attend_default_rope(&layer->rope);
  if (c->rope) layer->rope = rope_of_model(c->rope);
  layer->qkv = new_random(51, 2.5f / sqrtf((float)s->width), s->width * columns);
  layer->output = new_random(52, 1.0f / sqrtf((float)heads), heads * s->width);
  if (c->qkv_bias) layer->qkv_bias = new_random(53, 0.5f, columns);
  if (c->output_bias) layer->output_bias = new_random(54, 0.5f, s->width);
  if (c->qk_norm) layer->query_norm = new_random(55, 2.0f, s->head_dim);
  if (c->qk_norm) layer->key_norm = new_random(56, 1.5f, s->head_dim);
  if (c->sinks) layer->sinks = new_random(57, 3.0f, s->query_heads);
  attend_default_options(&layer->options);
  layer->options.scale = c->scale;
  layer->options.softcap = c->softcap;
  layer->options.sinks = layer->sinks;
  if (c->window) layer->options.window_left = (int64_t)c->window - 1;
  return true;
}

void full_layer_free(FullLayer *layer) {
  free(layer->qkv);
  free(layer->qkv_bias);
  free(layer->output);
  free(layer->output_bias);
  free(layer->query_norm);
  free(layer->key_norm);
  free(layer->sinks);
}

void full_layer_store(FullLayer *layer, AttendStorage storage) {
  const AttendLayerShape *const s = &layer->spec.shape;
  const size_t columns = (s->query_heads + s->kv_heads) * s->head_dim + s->kv_heads * s->value_dim;
  round_to_storage(storage, layer->qkv, s->width * columns);
  round_to_storage(storage, layer->output, s->query_heads * s->value_dim * s->width);
}

AttendWeightSource full_layer_source(const FullLayer *layer) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = layer->qkv;
  source.qkv_bias = layer->qkv_bias;
  source.output = layer->output;
  source.output_bias = layer->output_bias;
  source.query_norm = layer->query_norm;
  source.key_norm = layer->key_norm;
  source.norm_epsilon = 1e-3f;
  source.rope = layer->rope;
  return source;
}

AttendWeights *full_layer_pack(AttendContext *context, const FullLayer *layer) {
  const AttendWeightSource source = full_layer_source(layer);
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &layer->spec.shape, &source, &weights));
  return weights;
}

OracleFull full_layer_oracle(const FullLayer *layer) {
  const AttendLayerShape *const s = &layer->spec.shape;
  return (OracleFull){.width = s->width,
                      .query_heads = s->query_heads,
                      .kv_heads = s->kv_heads,
                      .head_dim = s->head_dim,
                      .value_dim = s->value_dim,
                      .qkv = layer->qkv,
                      .qkv_bias = layer->qkv_bias,
                      .output = layer->output,
                      .output_bias = layer->output_bias,
                      .query_norm = layer->query_norm,
                      .key_norm = layer->key_norm,
                      .norm_epsilon = (double)1e-3f,
                      .rope = oracle_of_rope(&layer->rope, s->head_dim),
                      .scale = (double)layer->spec.scale,
                      .softcap = (double)layer->spec.softcap,
                      .window_left = (int64_t)layer->spec.window - 1,
                      .causal = true,
                      .sinks = layer->sinks};
}

double *full_layer_expect(const FullLayer *layer, size_t tokens, const float *x,
                          const int64_t *positions) {
  const OracleFull oracle = full_layer_oracle(layer);
  double *const y = new_bytes(tokens * layer->spec.shape.width * sizeof *y);
  assert_true(oracle_full(&oracle, tokens, x, positions, &(OracleFullResult){.y = y}));
  return y;
}

const char *full_label(char text[static FULL_LABEL_SIZE], const FullLayer *layer, Engine engine,
                       const char *what) {
  snprintf(text, FULL_LABEL_SIZE, "%s, path=%s isa=%s: %s", layer->spec.name,
           attend_path_name(engine.path), attend_isa_name(engine.isa), what);
  return text;
}
