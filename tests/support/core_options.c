/* core_options.c - draws the arrays of a case's options.
 *
 * Each array has a stream of random numbers of its own, so that switching one option off leaves the
 * others as they are.
 */
#include "tests/support/core_options.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/support.h"

/* Streams of random numbers: a case's seed and one of these. */
enum { STREAM_BIAS = 101, STREAM_MASK, STREAM_ALIBI, STREAM_SINKS, STREAM_LENGTHS, STREAM_CUTS };

static uint64_t stream(const CoreCase *spec, uint64_t name) {
  return (spec->seed ? spec->seed : 1) * 1000003 + name;
}

/* Strides and extent of a bias or a mask: [B, Hq, Nq, keys] in this order, with gaps. */
typedef struct GridPlace {
  size_t strides[4], extent, keys;
} GridPlace;

static GridPlace place_grid(const CoreCase *spec, const CaseGrid *grid) {
  const AttendShape *const s = &spec->shape;
  static const unsigned repeats[] = {REPEAT_BATCH, REPEAT_HEADS, REPEAT_QUERIES, REPEAT_KEYS};
  GridPlace place = {.extent = 1 + grid->key_gap};
  place.keys = grid->uncovered < s->key_tokens ? s->key_tokens - grid->uncovered : 1;
  const size_t sizes[] = {s->batch, s->query_heads, s->query_tokens, place.keys};
  for (size_t k = 4; k-- > 0;) {
    if (grid->repeat & repeats[k]) continue;
    place.strides[k] = place.extent;
    place.extent = place.extent * sizes[k] + grid->key_gap;
  }
  if (place.extent == 0) place.extent = 1;
  return place;
}

/* Calls set(spec, data, at) for every element that an index reaches. */
static void fill_grid(const CoreCase *spec, const GridPlace *place,
                      void (*set)(const CoreCase *spec, void *data, size_t at), void *data) {
  const AttendShape *const s = &spec->shape;
  const size_t *const strides = place->strides;
  for (size_t b = 0; b < (strides[0] ? s->batch : 1); b++)
    for (size_t h = 0; h < (strides[1] ? s->query_heads : 1); h++)
      for (size_t i = 0; i < (strides[2] ? s->query_tokens : 1); i++)
        for (size_t j = 0; j < (strides[3] ? place->keys : 1); j++)
          set(spec, data, b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]);
}

static void set_bias(const CoreCase *spec, void *data, size_t at) {
  const uint64_t seed = stream(spec, STREAM_BIAS);
  const bool hides = case_draw(seed, 2 * at, 100) < spec->options.bias.hidden;
  const float value = (float)case_draw(seed, 2 * at + 1, 4001) / 1000.0f - 2.0f;
  ((float *)data)[at] = hides ? -INFINITY : value;
}

static void set_mask(const CoreCase *spec, void *data, size_t at) {
  const uint64_t seed = stream(spec, STREAM_MASK);
  const bool hides = case_draw(seed, 2 * at, 100) < spec->options.mask.hidden;
  ((uint8_t *)data)[at] = hides ? 0 : (uint8_t)(1 + case_draw(seed, 2 * at + 1, 255));
}

static void new_bias(const CoreCase *spec, OptionData *data, AttendBias *bias) {
  const CaseGrid *const grid = &spec->options.bias;
  if (!grid->used) return;
  const GridPlace place = place_grid(spec, grid);
  data->bias_count = place.extent;
  data->bias = guarded_new(place.extent * sizeof *data->bias, 4);
  fill_grid(spec, &place, set_bias, data->bias);
  *bias = (AttendBias){data->bias,       place.strides[0], place.strides[1],
                       place.strides[2], place.strides[3], grid->uncovered ? place.keys : 0};
}

static void new_mask(const CoreCase *spec, OptionData *data, AttendMask *mask) {
  const CaseGrid *const grid = &spec->options.mask;
  if (!grid->used) return;
  const GridPlace place = place_grid(spec, grid);
  data->mask = guarded_new(place.extent, 3);
  fill_grid(spec, &place, set_mask, data->mask);
  *mask = (AttendMask){data->mask,       place.strides[0], place.strides[1],
                       place.strides[2], place.strides[3], grid->uncovered ? place.keys : 0};
}

/* [B + 1] offsets that cut `total` tokens; a quarter of the sequences is empty. */
static size_t *new_offsets(uint64_t seed, size_t batch, size_t total) {
  size_t *const offsets = new_bytes((batch + 1) * sizeof *offsets);
  offsets[0] = 0;
  for (size_t b = 1; b < batch; b++) {
    size_t at = b;
    const size_t cut = case_draw(seed, b, total + 1);
    for (; at > 1 && offsets[at - 1] > cut; at--) offsets[at] = offsets[at - 1];
    offsets[at] = cut;
  }
  for (size_t b = 1; b < batch; b++)
    if (case_draw(seed, batch + b, 4) == 0) offsets[b] = offsets[b - 1];
  offsets[batch] = total;
  return offsets;
}

/* A sequence's keys or queries before its key length is looked at. */
static size_t tokens_of(const size_t *offsets, size_t b, size_t tokens) {
  return offsets ? offsets[b + 1] - offsets[b] : tokens;
}

static void new_lengths(const CoreCase *spec, OptionData *data) {
  const size_t batch = spec->shape.batch;
  const uint64_t seed = stream(spec, STREAM_LENGTHS), cuts = stream(spec, STREAM_CUTS);
  if (spec->options.ragged) {
    data->query_offsets = new_offsets(cuts, batch, spec->shape.query_tokens);
    data->key_offsets = new_offsets(cuts + 7, batch, spec->shape.key_tokens);
  }
  if (spec->options.key_lengths) data->key_lengths = new_bytes(batch * sizeof(size_t));
  if (spec->options.q_starts) data->q_starts = new_bytes(batch * sizeof(int64_t));
  for (size_t b = 0; b < batch; b++) {
    const size_t queries = tokens_of(data->query_offsets, b, spec->shape.query_tokens);
    size_t keys = tokens_of(data->key_offsets, b, spec->shape.key_tokens);
    const size_t kind = case_draw(seed, 3 * b, 5);
    if (data->key_lengths) {
      keys = kind == 0 ? 0 : kind == 1 ? keys : case_draw(seed, 3 * b + 1, keys + 1);
      data->key_lengths[b] = keys;
    }
    if (data->q_starts)
      data->q_starts[b] =
          (int64_t)keys - (int64_t)queries + (int64_t)case_draw(seed, 3 * b + 2, 5) - 2;
  }
}

OptionData option_data_new(const CoreCase *spec, AttendOptions *options) {
  const CaseOptions *const o = &spec->options;
  const size_t heads = spec->shape.query_heads;
  OptionData data = {0};
  attend_default_options(options);
  options->causal = !spec->bidirectional;
  options->q_start = spec->q_start;
  options->scale = spec->scale;
  options->softcap = o->softcap;
  if (o->left.limited) options->window_left = o->left.keys;
  if (o->right.limited) options->window_right = o->right.keys;
  if (o->alibi) data.alibi_slopes = new_random(stream(spec, STREAM_ALIBI), 0.5f, heads);
  if (o->sinks) data.sinks = new_random(stream(spec, STREAM_SINKS), 2.0f, heads);
  if (o->sinks && spec->seed % 4 == 1) data.sinks[spec->seed % heads] = -INFINITY;
  new_bias(spec, &data, &options->bias);
  new_mask(spec, &data, &options->mask);
  new_lengths(spec, &data);
  options->alibi_slopes = data.alibi_slopes;
  options->sinks = data.sinks;
  options->key_lengths = data.key_lengths;
  options->q_starts = data.q_starts;
  options->query_offsets = data.query_offsets;
  options->key_offsets = data.key_offsets;
  return data;
}

void option_data_free(OptionData *data) {
  guarded_free(data->bias, "the bias");
  guarded_free(data->mask, "the mask");
  free(data->alibi_slopes);
  free(data->sinks);
  free(data->key_lengths);
  free(data->q_starts);
  free(data->query_offsets);
  free(data->key_offsets);
  *data = (OptionData){0};
}

static OracleWindow oracle_window(int64_t limit) {
  return (OracleWindow){.limited = limit >= 0, .keys = limit};
}

OracleScoring oracle_scoring(const AttendOptions *o) {
  return (OracleScoring){
      .softcap = (double)o->softcap,
      .alibi_slopes = o->alibi_slopes,
      .sinks = o->sinks,
      .left = oracle_window(o->window_left),
      .right = oracle_window(o->window_right),
      .bias = {o->bias.data, o->bias.batch_stride, o->bias.head_stride, o->bias.query_stride,
               o->bias.key_stride, o->bias.key_tokens},
      .mask = {o->mask.data, o->mask.batch_stride, o->mask.head_stride, o->mask.query_stride,
               o->mask.key_stride, o->mask.key_tokens},
  };
}

OracleLengths oracle_lengths(const AttendOptions *o) {
  return (OracleLengths){o->key_lengths, o->q_starts, o->query_offsets, o->key_offsets};
}
