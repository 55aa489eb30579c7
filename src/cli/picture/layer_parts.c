/* layer_parts.c - owns the arithmetic of columns and groups, and the words for it. */
#include "cli/picture/layer_parts.h"

LayerHeads layer_heads(size_t heads) {
  if (heads > 3) return (LayerHeads){4, {0, 1, LAYER_DOTS, heads - 1}};
  return (LayerHeads){heads, {0, 1, 2}};
}

size_t layer_group(const AttendLayerShape *shape) {
  return shape->query_heads / shape->kv_heads;
}

size_t layer_fused_columns(const AttendLayerShape *shape) {
  return shape->query_heads * shape->head_dim +
         shape->kv_heads * (shape->head_dim + shape->value_dim);
}

bool layer_has_cache(const LayerDrawing *drawing) {
  return drawing->from_input && drawing->key_tokens > drawing->query_tokens;
}

LayerColumns layer_columns(const LayerDrawing *drawing, LayerPart part) {
  const AttendLayerShape *const s = &drawing->shape;
  const size_t keys = s->query_heads * s->head_dim, values = keys + s->kv_heads * s->head_dim;
  const LayerColumns columns[LAYER_PARTS] = {
      {layer_heads(s->query_heads), s->query_heads, s->head_dim, 0, 'Q', drawing->query_tokens},
      {layer_heads(s->kv_heads), s->kv_heads, s->head_dim, keys, 'K', drawing->key_tokens},
      {layer_heads(s->kv_heads), s->kv_heads, s->value_dim, values, 'V', drawing->key_tokens},
  };
  return columns[part];
}

LayerWords layer_shape_words(size_t rows, size_t columns) {
  LayerWords words;
  snprintf(words.text, sizeof words.text, "[%zu × %zu]", rows, columns);
  return words;
}

LayerWords layer_range_words(size_t first, size_t count) {
  LayerWords words;
  if (count == 1) {
    snprintf(words.text, sizeof words.text, "%zu", first);
  } else {
    snprintf(words.text, sizeof words.text, "%zu–%zu", first, first + count - 1);
  }
  return words;
}

LayerWords layer_size_words(const LayerDrawing *drawing) {
  const AttendLayerShape *const s = &drawing->shape;
  LayerWords words;
  size_t length = 0;
#define ADD(...)                                                                                   \
  length += (size_t)snprintf(words.text + length, sizeof words.text - length, __VA_ARGS__)
  if (s->width > 0) ADD("width E = %zu, ", s->width);
  if (s->query_heads == s->kv_heads) {
    ADD("%zu head%s", s->query_heads, s->query_heads == 1 ? "" : "s");
  } else {
    ADD("%zu query heads, %zu key/value head%s", s->query_heads, s->kv_heads,
        s->kv_heads == 1 ? "" : "s");
  }
  if (s->head_dim == s->value_dim) {
    ADD(" of D = %zu", s->head_dim);
  } else {
    ADD(" of D = %zu, Dv = %zu", s->head_dim, s->value_dim);
  }
  ADD(", N = %zu token%s", drawing->query_tokens, drawing->query_tokens == 1 ? "" : "s");
  if (layer_has_cache(drawing)) ADD(" after %zu", drawing->key_tokens - drawing->query_tokens);
  if (!drawing->from_input && drawing->key_tokens != drawing->query_tokens)
    ADD(", %zu keys", drawing->key_tokens);
#undef ADD
  return words;
}

/* "Heads 0–6 read K_0 and V_0." */
static LayerWords group_words(const AttendLayerShape *s, size_t g) {
  const size_t group = layer_group(s);
  LayerWords words;
  snprintf(words.text, sizeof words.text, "Heads %zu–%zu read K_%zu and V_%zu.", g * group,
           (g + 1) * group - 1, g, g);
  return words;
}

static LayerWords fixed_words(const char *text) {
  LayerWords words;
  snprintf(words.text, sizeof words.text, "%s", text);
  return words;
}

/* Notes on who reads which keys and values. Returns how many there are. Dots stand for
 * the groups between the first two and the last. */
static size_t group_notes(const AttendLayerShape *s, LayerWords notes[static LAYER_SLOTS]) {
  if (s->query_heads == 1) return 0;
  if (s->query_heads == s->kv_heads) {
    notes[0] = fixed_words("Every head has keys and values of its own.");
    return 1;
  }
  if (s->kv_heads == 1) {
    snprintf(notes[0].text, sizeof notes[0].text, "All %zu heads read K_0 and V_0.",
             s->query_heads);
    return 1;
  }
  const LayerHeads shown = layer_heads(s->kv_heads);
  for (size_t i = 0; i < shown.count; i++) {
    notes[i] = shown.items[i] == LAYER_DOTS ? fixed_words("…") : group_words(s, shown.items[i]);
  }
  return shown.count;
}

bool layer_note(const LayerDrawing *drawing, size_t index, LayerWords *words) {
  LayerWords notes[LAYER_SLOTS + 2];
  size_t count = group_notes(&drawing->shape, notes);
  if (layer_has_cache(drawing)) {
    snprintf(notes[count++].text, sizeof notes->text, "K and V join those of %zu cached tokens.",
             drawing->key_tokens - drawing->query_tokens);
  }
  if (drawing->batch > 1) {
    snprintf(notes[count++].text, sizeof notes->text,
             "Shapes are those of one of the B = %zu sequences.", drawing->batch);
  }
  if (index >= count) return false;
  *words = notes[index];
  return true;
}

LayerWords layer_weight_words(const LayerDrawing *drawing, size_t head) {
  const bool softmax = !drawing->by_sum;
  LayerWords words;
  snprintf(words.text, sizeof words.text,
           drawing->masked ? "A_%zu = %smask(S_%zu)%s" : "A_%zu = %sS_%zu%s", head,
           softmax ? "softmax(" : "", head, softmax ? ")" : " / row sum");
  return words;
}
