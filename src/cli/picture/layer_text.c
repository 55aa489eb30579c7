/* layer_text.c - the layer drawing for a terminal, in box-drawing characters and without colour.
 *
 * Boxes of one strip are equally wide, as wide as the widest text in any of them.
 */
#include "cli/picture/layer_drawing.h"

#include "cli/picture/layer_parts.h"
#include "cli/util/utf8.h"

#define INDENT 7
#define DOTS_WIDTH 3

/* One box for each head shown, of one line. */
typedef struct Row {
  LayerHeads heads;
  LayerWords cells[LAYER_SLOTS];
} Row;

static void put_spaces(FILE *file, size_t count) {
  fprintf(file, "%*s", (int)count, "");
}

static size_t cell_width(const Row *row) {
  size_t width = 0;
  for (size_t i = 0; i < row->heads.count; i++) {
    const size_t taken = utf8_columns(row->cells[i].text);
    if (row->heads.items[i] != LAYER_DOTS && taken > width) width = taken;
  }
  return width;
}

static void put_border(FILE *file, const Row *row, size_t width, const char *left,
                       const char *middle, const char *right) {
  put_spaces(file, INDENT);
  for (size_t i = 0; i < row->heads.count; i++) {
    const size_t dashes = row->heads.items[i] == LAYER_DOTS ? DOTS_WIDTH : width + 2;
    fputs(i == 0 ? left : middle, file);
    for (size_t d = 0; d < dashes; d++) fputs("─", file);
  }
  fprintf(file, "%s\n", right);
}

/* The strip, with its name before it and a remark behind it. */
static void put_strip(FILE *file, const Row *row, const char *name, const char *remark) {
  const size_t width = cell_width(row);
  put_border(file, row, width, "┌", "┬", "┐");
  fprintf(file, " %s", name);
  put_spaces(file, INDENT - 1 - utf8_columns(name));
  for (size_t i = 0; i < row->heads.count; i++) {
    const bool dots = row->heads.items[i] == LAYER_DOTS;
    const char *const text = dots ? "…" : row->cells[i].text;
    fprintf(file, "│ %s", text);
    put_spaces(file, (dots ? DOTS_WIDTH - 1 : width + 1) - utf8_columns(text));
  }
  fprintf(file, "│ %s\n", remark);
  put_border(file, row, width, "└", "┴", "┘");
}

/* Which columns of W_qkv belong to which head. */
static void put_weights(FILE *file, const LayerDrawing *d, LayerPart part) {
  const LayerColumns c = layer_columns(d, part);
  const char index = (char)(c.name - 'A' + 'a');
  Row row = {.heads = c.heads};
  for (size_t i = 0; i < c.heads.count; i++) {
    const size_t head = c.heads.items[i];
    if (head == LAYER_DOTS) continue;
    snprintf(row.cells[i].text, sizeof row.cells[i].text, "W_%c,%zu %.64s", index, head,
             layer_range_words(c.first + head * c.width, c.width).text);
  }
  char name[8];
  snprintf(name, sizeof name, "W_%c", index);
  put_strip(file, &row, name, layer_shape_words(d->shape.width, c.head_count * c.width).text);
}

static void put_chunks(FILE *file, const LayerDrawing *d, LayerPart part) {
  const LayerColumns c = layer_columns(d, part);
  const size_t tokens = d->from_input ? d->query_tokens : c.tokens;
  Row row = {.heads = c.heads};
  for (size_t i = 0; i < c.heads.count; i++) {
    if (c.heads.items[i] == LAYER_DOTS) continue;
    snprintf(row.cells[i].text, sizeof row.cells[i].text, "%c_%zu [%zu × %zu]", c.name,
             c.heads.items[i], tokens, c.width);
  }
  const char name[] = {c.name, '\0'};
  LayerWords remark = layer_shape_words(tokens, c.head_count * c.width);
  if (layer_has_cache(d) && part != LAYER_Q) {
    snprintf(remark.text, sizeof remark.text, "+ %zu cached rows", d->key_tokens - tokens);
  }
  put_strip(file, &row, name, remark.text);
}

static void put_head(FILE *file, const LayerDrawing *d, size_t head) {
  const size_t g = head / layer_group(&d->shape), keys = d->key_tokens, rows = d->query_tokens;
  const size_t depth = d->shape.head_dim, width = d->shape.value_dim;
  fprintf(file, " head %zu reads Q_%zu [%zu × %zu], K_%zu [%zu × %zu], V_%zu [%zu × %zu]\n", head,
          head, rows, depth, g, keys, depth, g, keys, width);
  fprintf(file, "   S_%zu = scale · Q_%zu K_%zuᵀ [%zu × %zu]\n", head, head, g, rows, keys);
  fprintf(file, "   %s [%zu × %zu]\n", layer_weight_words(d, head).text, rows, keys);
  fprintf(file, "   H_%zu = A_%zu V_%zu [%zu × %zu]\n", head, head, g, rows, width);
}

static void put_concat(FILE *file, const LayerDrawing *d) {
  const size_t width = d->shape.value_dim, heads = d->shape.query_heads;
  Row row = {.heads = layer_heads(heads)};
  for (size_t i = 0; i < row.heads.count; i++) {
    if (row.heads.items[i] == LAYER_DOTS) continue;
    snprintf(row.cells[i].text, sizeof row.cells[i].text, "H_%zu [%zu × %zu]", row.heads.items[i],
             d->query_tokens, width);
  }
  put_strip(file, &row, "H", layer_shape_words(d->query_tokens, heads * width).text);
}

static void put_flow(FILE *file, const char *words) {
  fprintf(file, " │ %s\n ▼\n", words);
}

static void put_input(FILE *file, const LayerDrawing *d) {
  LayerWords words;
  fprintf(file, " X %s", layer_shape_words(d->query_tokens, d->shape.width).text);
  for (size_t i = 0; d->labels && i < d->query_tokens && i < 8; i++) {
    char label[64];
    utf8_copy(d->labels[i], 12, label, sizeof label);
    fprintf(file, "%s %s", i ? " |" : "  rows:", label);
  }
  fputs(d->labels && d->query_tokens > 8 ? " | …\n" : "\n", file);
  snprintf(words.text, sizeof words.text, "· W_qkv [%zu × %zu], columns by head:", d->shape.width,
           layer_fused_columns(&d->shape));
  put_flow(file, words.text);
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) put_weights(file, d, p);
  put_flow(file, "X W_qkv, the same columns:");
}

void layer_drawing_print(const LayerDrawing *drawing, FILE *file) {
  LayerWords words;
  char name[512];
  utf8_copy(drawing->name, 72, name, sizeof name);
  fprintf(file, " %s: %s\n\n", name, layer_size_words(drawing).text);
  if (drawing->from_input) put_input(file, drawing);
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) put_chunks(file, drawing, p);
  put_flow(file, "each head by itself:");
  const LayerHeads heads = layer_heads(drawing->shape.query_heads);
  for (size_t i = 0; i < heads.count; i++) {
    if (heads.items[i] == LAYER_DOTS) {
      fputs(" …\n", file);
    } else {
      put_head(file, drawing, heads.items[i]);
    }
  }
  put_flow(file, heads.count > 1 ? "side by side:" : "the only head:");
  put_concat(file, drawing);
  if (drawing->to_output) {
    snprintf(words.text, sizeof words.text, "· W_o [%zu × %zu]",
             drawing->shape.query_heads * drawing->shape.value_dim, drawing->shape.width);
    put_flow(file, words.text);
    fprintf(file, " Y %s\n", layer_shape_words(drawing->query_tokens, drawing->shape.width).text);
  }
  fputc('\n', file);
  for (size_t i = 0; layer_note(drawing, i, &words); i++) fprintf(file, " %s\n", words.text);
}
