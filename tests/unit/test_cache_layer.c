/* test_cache_layer.c - layers that attend to the tokens of a cache.
 *
 * A sequence fed to a layer in pieces must give what the whole of it gives; tokens stored by hand
 * must be seen as if a layer had stored them, and forgotten ones not at all.
 */
#include "tests/support/core_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const AttendLayerShape shapes[] = {
    {64, 4, 2, 16, 16},
    {60, 6, 1, 20, 12},
    {48, 3, 3, 8, 40},
    {896, 14, 2, 64, 64}, /* Qwen2.5-0.5B */
};

typedef struct Layer {
  AttendLayerShape shape;
  size_t columns; /* of the fused matrix */
  float *qkv, *qkv_bias, *output, *output_bias;
} Layer;

static Layer layer_new(const AttendLayerShape *s) {
  Layer layer = {.shape = *s,
                 .columns =
                     (s->query_heads + s->kv_heads) * s->head_dim + s->kv_heads * s->value_dim};
  const size_t context = s->query_heads * s->value_dim;
  layer.qkv = new_random(31, 1.0f / sqrtf((float)s->width), s->width * layer.columns);
  layer.qkv_bias = new_random(32, 0.5f, layer.columns);
  layer.output = new_random(33, 1.0f / sqrtf((float)context), context * s->width);
  layer.output_bias = new_random(34, 0.5f, s->width);
  return layer;
}

static void layer_free(Layer *layer) {
  free(layer->qkv);
  free(layer->qkv_bias);
  free(layer->output);
  free(layer->output_bias);
}

static AttendWeights *layer_pack(AttendContext *context, const Layer *layer) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = layer->qkv;
  source.qkv_bias = layer->qkv_bias;
  source.output = layer->output;
  source.output_bias = layer->output_bias;
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &layer->shape, &source, &weights));
  return weights;
}

static OracleLayer layer_oracle(const Layer *layer, size_t batch, size_t tokens, const float *x) {
  const AttendLayerShape *const s = &layer->shape;
  return (OracleLayer){.batch = batch,
                       .tokens = tokens,
                       .width = s->width,
                       .query_heads = s->query_heads,
                       .kv_heads = s->kv_heads,
                       .head_dim = s->head_dim,
                       .value_dim = s->value_dim,
                       .x = x,
                       .qkv = layer->qkv,
                       .qkv_bias = layer->qkv_bias,
                       .output = layer->output,
                       .output_bias = layer->output_bias,
                       .causal = true};
}

static void name_case(char *text, size_t size, Engine engine, const AttendLayerShape *s,
                      size_t batch, size_t piece) {
  snprintf(text, size, "cache path=%s isa=%s E=%zu Hq=%zu Hk=%zu D=%zu Dv=%zu B=%zu piece=%zu",
           attend_path_name(engine.path), attend_isa_name(engine.isa), s->width, s->query_heads,
           s->kv_heads, s->head_dim, s->value_dim, batch, piece);
}

/* Tokens first .. first + count - 1 of every sequence, dense. */
static float *tokens_of(const float *x, size_t batch, size_t tokens, size_t width, size_t first,
                        size_t count) {
  float *const part = new_bytes(batch * count * width * sizeof *part);
  for (size_t b = 0; b < batch; b++)
    memcpy(part + b * count * width, x + (b * tokens + first) * width,
           count * width * sizeof *part);
  return part;
}

/* Feeds the sequence in pieces and compares every row with that of the whole. */
static void check_pieces(Engine engine, const Layer *layer, size_t batch, size_t tokens,
                         size_t piece, const float *x, const double *expected) {
  const AttendLayerShape *const s = &layer->shape;
  AttendContext *context = engine_open(engine, 2);
  AttendWeights *weights = layer_pack(context, layer);
  AttendCache *cache = cache_open(context, s, batch, tokens + 3);
  char label[192];
  name_case(label, sizeof label, engine, s, batch, piece);
  for (size_t first = 0; first < tokens; first += piece) {
    const size_t count = tokens - first < piece ? tokens - first : piece;
    float *const part = tokens_of(x, batch, tokens, s->width, first, count);
    float *const y = guarded_new(batch * count * s->width * sizeof *y, 4);
    assert_ok(context, attend_layer_forward(context, weights, cache, batch, count, part, NULL, y));
    for (size_t b = 0; b < batch; b++) {
      assert_int_equal(attend_cache_length(cache, b), first + count);
      check_close(label, y + b * count * s->width, expected + (b * tokens + first) * s->width,
                  count * s->width);
    }
    guarded_free(y, "y");
    free(part);
  }
  attend_close_cache(&cache);
  assert_null(cache);
  attend_free_weights(&weights);
  attend_close(&context);
}

/* The whole prompt, chunks of it, and one token at a time. */
static void pieces_give_what_the_whole_gives(void **state) {
  (void)state;
  static const size_t pieces[] = {1, 4, 7, 32, 37};
  const size_t tokens = 37;
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  for (size_t k = 0; k < COUNT_OF(shapes); k++) {
    Layer layer = layer_new(&shapes[k]);
    for (size_t batch = 1; batch <= 2; batch++) {
      const size_t floats = batch * tokens * shapes[k].width;
      float *const x = new_random(41, 1.0f, floats);
      double *const expected = new_bytes(floats * sizeof *expected);
      const OracleLayer oracle = layer_oracle(&layer, batch, tokens, x);
      assert_true(oracle_layer(&oracle, expected));
      for (size_t e = 0; e < engine_count; e++)
        for (size_t p = 0; p < COUNT_OF(pieces); p++)
          check_pieces(engines[e], &layer, batch, tokens, pieces[p], x, expected);
      free(x);
      free(expected);
    }
    layer_free(&layer);
  }
}

/* A cache whose first tokens were computed elsewhere, in views of another order; then a layer adds
 * to them. Since those keys had no bias from this layer, a wrong key bias would show. */
static void layers_attend_to_appended_tokens(void **state) {
  (void)state;
  const size_t past = 70, batch = 2;
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  for (size_t k = 0; k < COUNT_OF(shapes); k++) {
    const AttendLayerShape *const s = &shapes[k];
    Layer layer = layer_new(s);
    float *const keys = new_random(51, 1.0f, batch * past * s->kv_heads * s->head_dim);
    float *const values = new_random(52, 1.0f, batch * past * s->kv_heads * s->value_dim);
    const AttendView key = attend_view_bnhd(keys, past, s->kv_heads, s->head_dim);
    const AttendView value = attend_view_bhnd(values, past, s->kv_heads, s->value_dim);
    for (size_t tokens = 1; tokens <= 9; tokens += 4) {
      for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
        const size_t floats = batch * tokens * s->width;
        float *const x = new_random(53, 1.0f, floats);
        double *const expected = new_bytes(floats * sizeof *expected);
        OracleLayer oracle = layer_oracle(&layer, batch, tokens, x);
        oracle.past = past;
        oracle.past_key =
            (OracleView){key.data, key.batch_stride, key.token_stride, key.head_stride};
        oracle.past_value =
            (OracleView){value.data, value.batch_stride, value.token_stride, value.head_stride};
        oracle.causal = !bidirectional;
        assert_true(oracle_layer(&oracle, expected));
        AttendOptions options;
        attend_default_options(&options);
        options.causal = !bidirectional;
        for (size_t e = 0; e < engine_count; e++) {
          AttendContext *context = engine_open(engines[e], 2);
          AttendWeights *weights = layer_pack(context, &layer);
          AttendCache *cache = cache_open(context, s, batch, past + tokens);
          cache_append(context, cache, batch, past, key, value);
          float *const y = guarded_new(floats * sizeof *y, 4);
          assert_ok(context,
                    attend_layer_forward(context, weights, cache, batch, tokens, x, &options, y));
          char label[192];
          name_case(label, sizeof label, engines[e], s, batch, tokens);
          check_close(label, y, expected, floats);
          guarded_free(y, "y");
          attend_close_cache(&cache);
          attend_free_weights(&weights);
          attend_close(&context);
        }
        free(x);
        free(expected);
      }
    }
    free(keys);
    free(values);
    layer_free(&layer);
  }
}

/* Rows [tokens, Hk, dim] must be columns `column` and on of the fused product of x [tokens, E]. */
static void check_projection(const Layer *layer, const float *x, size_t tokens, size_t column,
                             size_t dim, const float *rows) {
  const size_t width = layer->shape.width, columns = layer->shape.kv_heads * dim;
  for (size_t r = 0; r < tokens * columns; r++) {
    const size_t token = r / columns, c = column + r % columns;
    double expected = (double)layer->qkv_bias[c];
    for (size_t i = 0; i < width; i++)
      expected += (double)x[token * width + i] * (double)layer->qkv[i * layer->columns + c];
    check_close("a stored element", rows + r, &expected, 1);
  }
}

/* The keys and values that a layer stores are its projections. */
static void stored_tokens_are_the_projections(void **state) {
  (void)state;
  enum { TOKENS = 5, BATCH = 2 };
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  const AttendLayerShape *const s = &shapes[1];
  Layer layer = layer_new(s);
  float *const x = new_random(61, 1.0f, BATCH * TOKENS * s->width);
  float *const y = new_bytes(BATCH * TOKENS * s->width * sizeof *y);
  const size_t key_column = s->query_heads * s->head_dim;
  const size_t value_column = key_column + s->kv_heads * s->head_dim;
  for (size_t e = 0; e < engine_count; e++) {
    AttendContext *context = engine_open(engines[e], 2);
    AttendWeights *weights = layer_pack(context, &layer);
    AttendCache *cache = cache_open(context, s, BATCH, 2 * TOKENS);
    assert_ok(context, attend_layer_forward(context, weights, cache, BATCH, TOKENS, x, NULL, y));
    for (size_t b = 0; b < BATCH; b++) {
      StoredRows rows = cache_read(context, cache, s, b, 0, TOKENS);
      check_projection(&layer, x + b * TOKENS * s->width, TOKENS, key_column, s->head_dim,
                       rows.key);
      check_projection(&layer, x + b * TOKENS * s->width, TOKENS, value_column, s->value_dim,
                       rows.value);
      stored_rows_free(&rows);
    }
    attend_close_cache(&cache);
    attend_free_weights(&weights);
    attend_close(&context);
  }
  free(x);
  free(y);
  layer_free(&layer);
}

/* After a rollback the layer goes on as if the forgotten tokens had never been; what they left in
 * the cache's memory is made NaN first, so that reading it would show. */
static void rollback_forgets(void **state) {
  (void)state;
  enum { KEPT = 20, EXTRA = 11, NEXT = 6 };
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  const AttendLayerShape *const s = &shapes[0];
  Layer layer = layer_new(s);
  float *const x = new_random(81, 1.0f, (KEPT + EXTRA) * s->width);
  float *const poison = new_bytes(EXTRA * s->width * sizeof *poison);
  for (size_t i = 0; i < EXTRA * s->width; i++) poison[i] = NAN;
  for (size_t e = 0; e < engine_count; e++) {
    AttendContext *context = engine_open(engines[e], 2);
    AttendWeights *weights = layer_pack(context, &layer);
    float *results[2];
    for (size_t with = 0; with < 2; with++) {
      AttendCache *cache = cache_open(context, s, 1, KEPT + EXTRA);
      float *const scratch = new_bytes((KEPT + EXTRA) * s->width * sizeof *scratch);
      assert_ok(context, attend_layer_forward(context, weights, cache, 1, KEPT, x, NULL, scratch));
      if (with) {
        assert_ok(context,
                  attend_layer_forward(context, weights, cache, 1, EXTRA, poison, NULL, scratch));
        assert_true(isnan(scratch[0]));
        assert_int_equal(attend_truncate_cache(cache, 0, KEPT), ATTEND_OK);
      }
      results[with] = guarded_new(NEXT * s->width * sizeof(float), 0);
      assert_ok(context, attend_layer_forward(context, weights, cache, 1, NEXT, x + KEPT * s->width,
                                              NULL, results[with]));
      assert_int_equal(attend_cache_length(cache, 0), KEPT + NEXT);
      attend_close_cache(&cache);
      free(scratch);
    }
    assert_memory_equal(results[1], results[0], NEXT * s->width * sizeof(float));
    guarded_free(results[0], "y");
    guarded_free(results[1], "y");
    attend_free_weights(&weights);
    attend_close(&context);
  }
  free(poison);
  free(x);
  layer_free(&layer);
}

/* A long cache and one token, as a chat has it. */
static void decode_against_many_keys(void **state) {
  (void)state;
  enum { PAST = 3000 };
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  const AttendLayerShape *const s = &shapes[3];
  Layer layer = layer_new(s);
  float *const keys = new_random(91, 1.0f, PAST * s->kv_heads * s->head_dim);
  float *const values = new_random(92, 1.0f, PAST * s->kv_heads * s->value_dim);
  float *const x = new_random(93, 1.0f, s->width);
  const AttendView key = attend_view_bhnd(keys, PAST, s->kv_heads, s->head_dim);
  const AttendView value = attend_view_bhnd(values, PAST, s->kv_heads, s->value_dim);
  OracleLayer oracle = layer_oracle(&layer, 1, 1, x);
  oracle.past = PAST;
  oracle.past_key = (OracleView){keys, 0, key.token_stride, key.head_stride};
  oracle.past_value = (OracleView){values, 0, value.token_stride, value.head_stride};
  double *const expected = new_bytes(s->width * sizeof *expected);
  assert_true(oracle_layer_row(&oracle, 0, 0, NULL, expected));
  for (size_t e = 0; e < engine_count; e++) {
    AttendContext *context = engine_open(engines[e], 2);
    AttendWeights *weights = layer_pack(context, &layer);
    AttendCache *cache = cache_open(context, s, 1, PAST + 1);
    cache_append(context, cache, 1, PAST, key, value);
    float *const y = guarded_new(s->width * sizeof *y, 4);
    assert_ok(context, attend_layer_forward(context, weights, cache, 1, 1, x, NULL, y));
    check_close("decode", y, expected, s->width);
    guarded_free(y, "y");
    attend_close_cache(&cache);
    attend_free_weights(&weights);
    attend_close(&context);
  }
  free(expected);
  free(keys);
  free(values);
  free(x);
  layer_free(&layer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stored_tokens_are_the_projections),
      cmocka_unit_test(pieces_give_what_the_whole_gives),
      cmocka_unit_test(layers_attend_to_appended_tokens),
      cmocka_unit_test(rollback_forgets),
      cmocka_unit_test(decode_against_many_keys),
  };
  return cmocka_run_group_tests_name("cache_layer", tests, NULL, NULL);
}
