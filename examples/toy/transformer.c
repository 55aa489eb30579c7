/* transformer.c - the forward pass around the attention.
 *
 *   x = embedding of the tokens
 *   for every block:  x += attention(norm(x));   x += W_down (silu(W_gate n) * W_up n), n = norm(x)
 *   logits = W_classifier norm(x)
 *
 * The attention, its projections, RoPE and cache included, is one call of the library; norms, MLP
 * and logits are written out here. Nothing is allocated once a Transformer is open.
 */
#include "transformer.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool open_caches(Transformer *t, size_t capacity, Complaint *complaint) {
  const AttendModel *attention = &t->model->attention;
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.capacity = capacity;
  settings.storage = t->model->storage;
  for (size_t layer = 0; layer < attention->layers; layer++) {
    if (attend_open_cache(t->context, &attention->shape, &settings, &t->caches[layer]))
      return complain(complaint, "the cache of layer %zu: %s", layer, attend_get_error(t->context));
  }
  return true;
}

/* Scratch for a chunk at the end of the sequence, and for a single token there: the two may take
 * different kernels, so neither needs the most for sure. */
static bool reserve_workspace(Transformer *t, size_t capacity, Complaint *complaint) {
  const AttendModel *attention = &t->model->attention;
  const size_t tokens[] = {t->chunk, 1};
  AttendOptions options;
  attend_default_options(&options);
  for (size_t layer = 0; layer < attention->layers; layer++) {
    attend_model_options(attention, layer, &options);
    for (size_t i = 0; i < 2; i++) {
      AttendPlan plan = {.struct_size = sizeof plan};
      if (attend_plan_layer(t->context, &attention->shape, 1, tokens[i], capacity - tokens[i], true,
                            &options, &plan) ||
          attend_reserve_workspace(t->context, plan.workspace_bytes))
        return complain(complaint, "layer %zu: %s", layer, attend_get_error(t->context));
    }
  }
  return true;
}

bool transformer_open(Transformer *t, const Model *model, AttendContext *context, size_t capacity,
                      size_t chunk, Complaint *complaint) {
  const size_t width = model->attention.shape.width * sizeof(float),
               hidden = model->hidden * sizeof(float);
  *t = (Transformer){.model = model, .context = context};
  t->chunk = chunk < capacity ? chunk : capacity;
  t->residual = calloc(t->chunk, width);
  t->normed = calloc(t->chunk, width);
  t->branch = calloc(t->chunk, width);
  t->gate = calloc(t->chunk, hidden);
  t->hidden = calloc(t->chunk, hidden);
  t->logits = calloc(model->vocabulary, sizeof(float));
  const bool allocated = t->residual && t->normed && t->branch && t->gate && t->hidden && t->logits;
  if (!allocated) complain(complaint, "no memory for the activations of %zu tokens", t->chunk);
  if (allocated && open_caches(t, capacity, complaint) && reserve_workspace(t, capacity, complaint))
    return true;
  transformer_close(t);
  return false;
}

void transformer_close(Transformer *t) {
  for (size_t i = 0; i < ATTEND_MODEL_LAYERS; i++) attend_close_cache(&t->caches[i]);
  free(t->residual), free(t->normed), free(t->branch);
  free(t->gate), free(t->hidden), free(t->logits);
  *t = (Transformer){0};
}

/* y [rows, out] = x [rows, in] W^T, W [out, in]. A single row goes through sgemv: OpenBLAS's sgemm
 * takes several times as long for it. */
static void product(const float *x, size_t rows, size_t in, const float *weights, size_t out,
                    float *y) {
  const blasint n = (blasint)rows, k = (blasint)in, m = (blasint)out;
  if (rows == 1)
    cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1.0f, weights, k, x, 1, 0.0f, y, 1);
  else
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1.0f, x, k, weights, k, 0.0f, y,
                m);
}

/* y = x / sqrt(mean(x^2) + epsilon) * weight, row by row (RMSNorm). */
static void normalize(const float *x, size_t rows, size_t width, const float *weight, float epsilon,
                      float *y) {
  for (size_t r = 0; r < rows; r++, x += width, y += width) {
    double squares = 0;
    for (size_t i = 0; i < width; i++) squares += (double)x[i] * (double)x[i];
    const float factor = (float)(1 / sqrt(squares / (double)width + (double)epsilon));
    for (size_t i = 0; i < width; i++) y[i] = x[i] * factor * weight[i];
  }
}

static void add(float *to, const float *x, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] += x[i];
}

/* branch = W_down (silu(W_gate x) * W_up x), silu(a) = a / (1 + exp(-a)) (SwiGLU). */
static void run_mlp(Transformer *t, const Block *block, size_t rows) {
  const size_t width = t->model->attention.shape.width, hidden = t->model->hidden;
  product(t->normed, rows, width, block->gate, hidden, t->gate);
  product(t->normed, rows, width, block->up, hidden, t->hidden);
  for (size_t i = 0; i < rows * hidden; i++) t->hidden[i] *= t->gate[i] / (1 + expf(-t->gate[i]));
  product(t->hidden, rows, hidden, block->down, width, t->branch);
}

static bool run_block(Transformer *t, size_t layer, size_t rows, Complaint *complaint) {
  const Model *model = t->model;
  const Block *block = &model->blocks[layer];
  const size_t width = model->attention.shape.width;
  AttendOptions options;
  attend_default_options(&options);
  attend_model_options(&model->attention, layer, &options);

  normalize(t->residual, rows, width, block->attention_norm, model->norm_epsilon, t->normed);
  if (attend_layer_forward(t->context, block->attention, t->caches[layer], 1, rows, t->normed,
                           &options, t->branch))
    return complain(complaint, "layer %zu: %s", layer, attend_get_error(t->context));
  add(t->residual, t->branch, rows * width);

  normalize(t->residual, rows, width, block->mlp_norm, model->norm_epsilon, t->normed);
  run_mlp(t, block, rows);
  add(t->residual, t->branch, rows * width);
  return true;
}

static bool feed_chunk(Transformer *t, const size_t *tokens, size_t rows, Complaint *complaint) {
  const Model *model = t->model;
  const size_t width = model->attention.shape.width;
  for (size_t r = 0; r < rows; r++)
    memcpy(t->residual + r * width, model->embedding + tokens[r] * width, width * sizeof(float));
  for (size_t layer = 0; layer < model->attention.layers; layer++) {
    if (!run_block(t, layer, rows, complaint)) return false;
  }
  return true;
}

bool transformer_feed(Transformer *t, const size_t *tokens, size_t count, Complaint *complaint) {
  const Model *model = t->model;
  const size_t width = model->attention.shape.width;
  for (size_t done = 0, rows = 0; done < count; done += rows) {
    rows = count - done < t->chunk ? count - done : t->chunk;
    if (!feed_chunk(t, tokens + done, rows, complaint)) return false;
    if (done + rows < count) continue;
    normalize(t->residual + (rows - 1) * width, 1, width, model->final_norm, model->norm_epsilon,
              t->normed);
    product(t->normed, 1, width, model->classifier, model->vocabulary, t->logits);
  }
  return true;
}
