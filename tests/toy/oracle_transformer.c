/* oracle_transformer.c - the forward pass of a LLaMA in float64; see oracle_transformer.h. */
#include "tests/toy/oracle_transformer.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct OracleTransformer {
  OracleRounding rounding;
  size_t dim, hidden, layers, heads, kv_heads, vocabulary, context, head, kv_dim;
  float *file; /* all weights, in the file's order */
  const float *embedding, *norm1, *wq, *wk, *wv, *wo, *norm2, *w1, *w2, *w3, *norm3, *classifier;
  OracleBiases biases; /* null: none */
  size_t position;
  double *keys, *values; /* [layers, context, kv_dim] */
  double *x, *n, *q, *a, *b, *h1, *h3, *scores, *logits;
};

static double rounded(const OracleTransformer *o, double value) {
  return o->rounding.in_float ? (double)(float)value : value;
}

/* To so many significant bits, ties to even; 0: as it is. */
static double cut(double value, int bits) {
  int exponent = 0;
  if (bits == 0) return value;
  const double fraction = frexp(value, &exponent);
  return ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
}

/* A factor of one of the attention's products, and one that is stored first. */
static double operand(const OracleTransformer *o, double value) {
  return cut(value, o->rounding.operand_bits);
}

static double stored(const OracleTransformer *o, double value) {
  return operand(o, cut(value, o->rounding.stored_bits));
}

static void make_operands(const OracleTransformer *o, double *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = operand(o, values[i]);
}

static const float *take(const float **at, size_t count) {
  const float *const here = *at;
  *at += count;
  return here;
}

static void place_weights(OracleTransformer *o, bool separate) {
  const float *at = o->file;
  const size_t l = o->layers, e = o->dim;
  o->embedding = take(&at, o->vocabulary * e);
  o->norm1 = take(&at, l * e);
  o->wq = take(&at, l * e * e);
  o->wk = take(&at, l * o->kv_dim * e);
  o->wv = take(&at, l * o->kv_dim * e);
  o->wo = take(&at, l * e * e);
  o->norm2 = take(&at, l * e);
  o->w1 = take(&at, l * o->hidden * e);
  o->w2 = take(&at, l * e * o->hidden);
  o->w3 = take(&at, l * o->hidden * e);
  o->norm3 = take(&at, e);
  take(&at, o->context * o->head);
  o->classifier = separate ? at : o->embedding;
}

static double *doubles(size_t count) {
  return calloc(count, sizeof(double));
}

static bool allocate(OracleTransformer *o) {
  const size_t cached = o->layers * o->context * o->kv_dim;
  o->keys = doubles(cached), o->values = doubles(cached);
  o->x = doubles(o->dim), o->n = doubles(o->dim), o->q = doubles(o->dim);
  o->a = doubles(o->dim), o->b = doubles(o->dim);
  o->h1 = doubles(o->hidden), o->h3 = doubles(o->hidden);
  o->scores = doubles(o->context), o->logits = doubles(o->vocabulary);
  return o->keys && o->values && o->x && o->n && o->q && o->a && o->b && o->h1 && o->h3 &&
         o->scores && o->logits;
}

/* Rounds weights of the attention in place, out of the file as it was read. */
static void store_matrix(OracleTransformer *o, const float *weights, size_t count) {
  float *const w = o->file + (weights - o->file);
  for (size_t i = 0; i < count; i++) w[i] = (float)stored(o, (double)w[i]);
}

static bool read_file(OracleTransformer *o, FILE *file) {
  int32_t header[7];
  if (fread(header, sizeof header, 1, file) != 1) return false;
  o->dim = (size_t)header[0], o->hidden = (size_t)header[1], o->layers = (size_t)header[2];
  o->heads = (size_t)header[3], o->kv_heads = (size_t)header[4];
  o->vocabulary = (size_t)abs(header[5]), o->context = (size_t)header[6];
  o->head = o->dim / o->heads, o->kv_dim = o->head * o->kv_heads;
  if (fseek(file, 0, SEEK_END) != 0) return false;
  const long bytes = ftell(file) - (long)sizeof header;
  o->file = bytes > 0 ? malloc((size_t)bytes) : NULL;
  if (!o->file || fseek(file, sizeof header, SEEK_SET) != 0) return false;
  place_weights(o, header[5] < 0);
  if (fread(o->file, (size_t)bytes, 1, file) != 1 || !allocate(o)) return false;
  const size_t square = o->layers * o->dim * o->dim, rows = o->layers * o->kv_dim * o->dim;
  store_matrix(o, o->wq, square);
  store_matrix(o, o->wk, rows);
  store_matrix(o, o->wv, rows);
  store_matrix(o, o->wo, square);
  return true;
}

OracleTransformer *oracle_transformer_open(const char *path, const OracleBiases *biases,
                                           OracleRounding rounding) {
  OracleTransformer *o = calloc(1, sizeof *o);
  FILE *file = fopen(path, "rb");
  if (o) o->rounding = rounding;
  if (o && biases) o->biases = *biases;
  const bool good = o && file && read_file(o, file);
  if (file) fclose(file);
  if (!good) {
    oracle_transformer_close(o);
    return NULL;
  }
  return o;
}

void oracle_transformer_close(OracleTransformer *o) {
  if (!o) return;
  double *const owned[] = {o->keys, o->values, o->x,  o->n,      o->q,     o->a,
                           o->b,    o->h1,     o->h3, o->scores, o->logits};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
  free(o->file);
  free(o);
}

size_t oracle_transformer_vocabulary(const OracleTransformer *o) {
  return o->vocabulary;
}

size_t oracle_transformer_context(const OracleTransformer *o) {
  return o->context;
}

/* y[i] = sum_j w[i, j] x[j] */
static void multiply(const OracleTransformer *o, const float *w, const double *x, size_t out,
                     size_t in, double *y) {
  for (size_t i = 0; i < out; i++) {
    double sum = 0;
    for (size_t j = 0; j < in; j++)
      sum = rounded(o, sum + rounded(o, (double)w[i * in + j] * x[j]));
    y[i] = sum;
  }
}

static void add_bias(const OracleTransformer *o, const float *biases, size_t layer, size_t count,
                     double *y) {
  for (size_t i = 0; biases && i < count; i++) y[i] = rounded(o, y[i] + biases[layer * count + i]);
}

static void rms_norm(const OracleTransformer *o, const float *weight, const double *x, double *y) {
  double squares = 0;
  for (size_t i = 0; i < o->dim; i++) squares = rounded(o, squares + rounded(o, x[i] * x[i]));
  const double root = rounded(o, sqrt(squares / (double)o->dim + 1e-5));
  for (size_t i = 0; i < o->dim; i++) y[i] = rounded(o, rounded(o, x[i] / root) * weight[i]);
}

/* Rotates neighbours 2k and 2k + 1 of every head by position * 10000^(-2k / head). */
static void rotate(const OracleTransformer *o, double *heads, size_t count) {
  for (size_t i = 0; i < count; i += 2) {
    const double k = (double)(i % o->head);
    const double angle = (double)o->position * pow(10000, -k / (double)o->head);
    const double c = rounded(o, cos(angle)), s = rounded(o, sin(angle));
    const double re = heads[i], im = heads[i + 1];
    heads[i] = rounded(o, re * c - im * s);
    heads[i + 1] = rounded(o, re * s + im * c);
  }
}

/* One query head over the positions so far: writes its [head] part of o->a. */
static void attend_head(OracleTransformer *o, size_t layer, size_t h) {
  const size_t group = h / (o->heads / o->kv_heads);
  const size_t base = layer * o->context * o->kv_dim + group * o->head;
  double highest = -INFINITY, sum = 0;
  for (size_t j = 0; j <= o->position; j++) {
    double score = 0;
    for (size_t d = 0; d < o->head; d++)
      score =
          rounded(o, score + rounded(o, o->q[h * o->head + d] * o->keys[base + j * o->kv_dim + d]));
    o->scores[j] = rounded(o, score / sqrt((double)o->head));
    highest = fmax(highest, o->scores[j]);
  }
  for (size_t j = 0; j <= o->position; j++) {
    o->scores[j] = rounded(o, exp(o->scores[j] - highest));
    sum = rounded(o, sum + o->scores[j]);
  }
  for (size_t j = 0; j <= o->position; j++) o->scores[j] = operand(o, o->scores[j] / sum);
  for (size_t d = 0; d < o->head; d++) {
    double out = 0;
    for (size_t j = 0; j <= o->position; j++)
      out = rounded(o, out + rounded(o, o->scores[j] * o->values[base + j * o->kv_dim + d]));
    o->a[h * o->head + d] = out;
  }
}

static void attention(OracleTransformer *o, size_t layer) {
  const size_t square = o->dim * o->dim, rows = o->kv_dim * o->dim;
  const size_t now = (layer * o->context + o->position) * o->kv_dim;
  rms_norm(o, o->norm1 + layer * o->dim, o->x, o->n);
  make_operands(o, o->n, o->dim);
  multiply(o, o->wq + layer * square, o->n, o->dim, o->dim, o->q);
  multiply(o, o->wk + layer * rows, o->n, o->kv_dim, o->dim, o->keys + now);
  multiply(o, o->wv + layer * rows, o->n, o->kv_dim, o->dim, o->values + now);
  add_bias(o, o->biases.query, layer, o->dim, o->q);
  add_bias(o, o->biases.key, layer, o->kv_dim, o->keys + now);
  add_bias(o, o->biases.value, layer, o->kv_dim, o->values + now);
  rotate(o, o->q, o->dim);
  rotate(o, o->keys + now, o->kv_dim);
  make_operands(o, o->q, o->dim);
  for (size_t i = 0; i < o->kv_dim; i++) {
    o->keys[now + i] = stored(o, o->keys[now + i]);
    o->values[now + i] = stored(o, o->values[now + i]);
  }
  for (size_t h = 0; h < o->heads; h++) attend_head(o, layer, h);
  make_operands(o, o->a, o->dim);
  multiply(o, o->wo + layer * square, o->a, o->dim, o->dim, o->b);
  for (size_t i = 0; i < o->dim; i++) o->x[i] = rounded(o, o->x[i] + o->b[i]);
}

static void feed_forward(OracleTransformer *o, size_t layer) {
  const size_t size = o->dim * o->hidden;
  rms_norm(o, o->norm2 + layer * o->dim, o->x, o->n);
  multiply(o, o->w1 + layer * size, o->n, o->hidden, o->dim, o->h1);
  multiply(o, o->w3 + layer * size, o->n, o->hidden, o->dim, o->h3);
  for (size_t i = 0; i < o->hidden; i++)
    o->h1[i] = rounded(o, rounded(o, o->h1[i] / (1 + exp(-o->h1[i]))) * o->h3[i]);
  multiply(o, o->w2 + layer * size, o->h1, o->dim, o->hidden, o->b);
  for (size_t i = 0; i < o->dim; i++) o->x[i] = rounded(o, o->x[i] + o->b[i]);
}

const double *oracle_transformer_feed(OracleTransformer *o, size_t token) {
  for (size_t i = 0; i < o->dim; i++) o->x[i] = o->embedding[token * o->dim + i];
  for (size_t layer = 0; layer < o->layers; layer++) {
    attention(o, layer);
    feed_forward(o, layer);
  }
  rms_norm(o, o->norm3, o->x, o->n);
  multiply(o, o->classifier, o->n, o->vocabulary, o->dim, o->logits);
  o->position++;
  return o->logits;
}

size_t oracle_largest(const double *logits, size_t count) {
  size_t largest = 0;
  for (size_t i = 1; i < count; i++)
    if (logits[i] > logits[largest]) largest = i;
  return largest;
}
