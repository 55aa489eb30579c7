/* layer_problem.c - makes layer problems, packs their weights and compares a run with the
 * oracle. */
#include "tests/support/layer_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static Columns columns_of(const AttendLayerShape *s) {
  const Columns columns = {.query = s->query_heads * s->head_dim,
                           .key = s->kv_heads * s->head_dim,
                           .value = s->kv_heads * s->value_dim,
                           .all = (s->query_heads + s->kv_heads) * s->head_dim +
                                  s->kv_heads * s->value_dim,
                           .context = s->query_heads * s->value_dim};
  return columns;
}

OracleLayer layer_problem_oracle(const LayerProblem *p) {
  const AttendLayerShape *const s = &p->spec.shape;
  return (OracleLayer){.batch = p->spec.batch,
                       .tokens = p->spec.tokens,
                       .width = s->width,
                       .query_heads = s->query_heads,
                       .kv_heads = s->kv_heads,
                       .head_dim = s->head_dim,
                       .value_dim = s->value_dim,
                       .x = p->x,
                       .qkv = p->qkv,
                       .qkv_bias = p->qkv_bias,
                       .output = p->output,
                       .output_bias = p->output_bias,
                       .scale = (double)p->options.scale,
                       .causal = p->options.causal,
                       .q_start = p->options.q_start};
}

/* Weights of 1/sqrt(rows), so that what comes out is of the size of what goes in. */
LayerProblem layer_problem_new(const LayerCase *spec) {
  const AttendLayerShape *const s = &spec->shape;
  LayerProblem p = {.spec = *spec, .columns = columns_of(s)};
  const float in_bound = 1.0f / sqrtf((float)s->width);
  const float out_bound = 1.0f / sqrtf((float)p.columns.context);
  attend_default_options(&p.options);
  p.options.causal = !spec->bidirectional;
  p.options.q_start = spec->q_start;
  p.x = new_random(11, 1.0f, spec->batch * spec->tokens * s->width);
  p.qkv = new_random(12, in_bound, s->width * p.columns.all);
  p.output = new_random(13, out_bound, p.columns.context * s->width);
  if (!spec->no_bias) {
    p.qkv_bias = new_random(14, 0.5f, p.columns.all);
    p.output_bias = new_random(15, 0.5f, s->width);
  }
  p.y = new_bytes(spec->batch * spec->tokens * s->width * sizeof *p.y);
  const OracleLayer oracle = layer_problem_oracle(&p);
  assert_true(oracle_layer(&oracle, p.y));
  return p;
}

void layer_problem_free(LayerProblem *p) {
  free(p->x);
  free(p->qkv);
  free(p->qkv_bias);
  free(p->output);
  free(p->output_bias);
  free(p->y);
}

float *part_of(const float *matrix, size_t rows, size_t stride, size_t first, size_t count,
               AttendOrientation orientation) {
  float *const part = new_bytes(rows * count * sizeof *part);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < count; c++)
      part[orientation == ATTEND_IN_OUT ? r * count + c : c * rows + r] =
          matrix[r * stride + first + c];
  return part;
}

AttendWeights *pack_form(AttendContext *context, const LayerProblem *p, Form form) {
  const size_t width = p->spec.shape.width, all = p->columns.all;
  const size_t counts[3] = {p->columns.query, p->columns.key, p->columns.value};
  float *parts[3] = {0}, *fused = NULL;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.orientation = form.orientation;
  if (form.fused) {
    source.qkv = fused = part_of(p->qkv, width, all, 0, all, form.orientation);
    source.qkv_bias = p->qkv_bias;
  } else {
    size_t first = 0;
    for (size_t k = 0; k < 3; k++) {
      parts[k] = part_of(p->qkv, width, all, first, counts[k], form.orientation);
      const float **const to[] = {&source.query, &source.key, &source.value};
      const float **const bias_to[] = {&source.query_bias, &source.key_bias, &source.value_bias};
      *to[k] = parts[k];
      *bias_to[k] = p->qkv_bias ? p->qkv_bias + first : NULL;
      first += counts[k];
    }
  }
  float *const output = part_of(p->output, p->columns.context, width, 0, width, form.orientation);
  source.output = output;
  source.output_bias = p->output_bias;
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &p->spec.shape, &source, &weights));
  assert_non_null(weights);
  for (size_t k = 0; k < 3; k++) free(parts[k]);
  free(fused);
  free(output);
  return weights;
}

float *run_layer(AttendContext *context, const LayerProblem *p, const AttendWeights *weights,
                 Engine engine, Form form) {
  const LayerCase *const c = &p->spec;
  const AttendLayerShape *const s = &c->shape;
  const size_t floats = c->batch * c->tokens * s->width;
  float *const y = guarded_new(floats * sizeof *y, 4);
  assert_ok(context, attend_layer_forward(context, weights, NULL, c->batch, c->tokens, p->x,
                                          &p->options, y));
  char label[256];
  snprintf(label, sizeof label,
           "layer path=%s isa=%s B=%zu N=%zu E=%zu Hq=%zu Hk=%zu D=%zu Dv=%zu causal=%d "
           "q_start=%d bias=%d orientation=%d fused=%d",
           attend_path_name(engine.path), attend_isa_name(engine.isa), c->batch, c->tokens,
           s->width, s->query_heads, s->kv_heads, s->head_dim, s->value_dim, p->options.causal,
           (int)c->q_start, !c->no_bias, form.orientation, form.fused);
  check_close(label, y, p->y, floats);
  return y;
}
