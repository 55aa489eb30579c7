/* shape_sections.c - which matrices attention goes through, and the shape of each.
 *
 * The notation is the textbook's: X [N × d], W_q, W_k, W_v [d × d_k], a score for each query (row)
 * and key (column), A the weights, H the weighted sums of values, Y the layer's output. The layer
 * is the library's: one fused projection W_qkv = [W_q | W_k | W_v], heads as columns of it, side by
 * side again in concat.
 */
#include "cli/shapes/shape_sections.h"

#include <stdio.h>

/* Of more heads than this only the rule for any one of them is shown. */
#define CHUNKS_LISTED 256

/* The scores, as one head makes them. */
static const char *scores_symbol(const ShapeBuilder *builder) {
  const AttendModel *const model = builder->sizes->model;
  return model && model->scale > 0 ? "S = scale·Q Kᵀ" : "S = Q Kᵀ/√d_k";
}

void shape_head_section(ShapeBuilder *b) {
  const SymbolicSize n = b->sizes->tokens, d = b->sizes->width;
  const ShapeSides pairs = shape_sides(n, n), keys = shape_sides(n, b->head_dim);
  const ShapeSides values = shape_sides(n, b->value_dim), tokens = shape_sides(n, d);
  shape_begin(b, "head", "One head");
  shape_add_activation(b, "input", "input to this head", "X", tokens);
  shape_count_product(shape_add_activation(b, "queries", "queries", "Q = X W_q", keys), d);
  shape_count_product(shape_add_activation(b, "keys", "keys", "K = X W_k", keys), d);
  shape_count_product(shape_add_activation(b, "values", "values", "V = X W_v", values), d);
  shape_count_product(
      shape_add_activation(b, "scores", "self-attention scores", scores_symbol(b), pairs),
      b->head_dim);
  shape_add_activation(b, "weights", "self-attention weights", "A = softmax(S)", pairs);
  shape_count_product(
      shape_add_activation(b, "context", "weighted sums of the values", "H = A V", values), n);
  shape_count_product(
      shape_add_activation(b, "output",
                           "output of this head after projection back to embedding space", "H W_o",
                           tokens),
      b->value_dim);
}

static void add_block_projections(ShapeBuilder *b) {
  const SymbolicSize n = b->sizes->tokens, d = b->sizes->width;
  const ShapeSides keys = shape_sides(n, b->head_dim), values = shape_sides(n, b->value_dim);
  shape_add_weight(b, "w_q", "weights of the queries", "W_q", shape_sides(d, b->key_width));
  shape_add_weight(b, "w_k", "weights of the keys", "W_k", shape_sides(d, b->key_width));
  shape_add_weight(b, "w_v", "weights of the values", "W_v", shape_sides(d, b->value_width));
  shape_count_product(shape_add_activation(b, "queries", "queries", "Q = X W_q", keys), d);
  shape_count_product(shape_add_activation(b, "keys", "keys", "K = X W_k", keys), d);
  shape_count_product(shape_add_activation(b, "values", "values", "V = X W_v", values), d);
}

void shape_block_section(ShapeBuilder *b) {
  const SymbolicSize n = b->sizes->tokens, d = b->sizes->width;
  const ShapeSides pairs = shape_sides(n, n), tokens = shape_sides(n, d);
  shape_begin(b, "block", "One head, one product at a time");
  shape_add_activation(b, "input", "input", "X", tokens);
  add_block_projections(b);
  shape_count_product(shape_add_activation(b, "products", "scores before scaling", "Q Kᵀ", pairs),
                      b->head_dim);
  shape_add_activation(b, "scaled", "scaled scores", scores_symbol(b), pairs);
  shape_add_activation(b, "weights", "softmax of each row", "A = softmax(S)", pairs);
  shape_count_product(shape_add_activation(b, "context", "weights times values", "Y = A V",
                                           shape_sides(n, b->value_dim)),
                      n);
  shape_add_weight(b, "w_o", "weights of the output", "W_o", shape_sides(b->value_width, d));
  shape_count_product(shape_add_activation(b, "output", "output", "Y W_o", tokens), b->value_dim);
}

static void add_bias(ShapeBuilder *b, bool present, const char *id, const char *label,
                     const char *symbol, SymbolicSize length) {
  if (present) shape_add_weight(b, id, label, symbol, (ShapeSides){1, {length}});
}

/* The part of QKV from column first on. */
static void add_part(ShapeBuilder *b, const char *id, const char *label, const char *symbol,
                     SymbolicSize first, SymbolicSize columns) {
  ShapeRow *const row =
      shape_add_activation(b, id, label, symbol, shape_sides(b->sizes->tokens, columns));
  if (!row) return;
  row->cut = true;
  row->first = first;
  row->end = symbolic_add(first, columns);
}

static void add_layer_projection(ShapeBuilder *b) {
  const ShapeSizes *const sizes = b->sizes;
  const SymbolicSize n = sizes->tokens, d = sizes->width;
  const SymbolicSize keys_end = symbolic_add(b->query_columns, b->key_columns);
  shape_add_activation(b, "input", "input", "X", shape_sides(n, d));
  shape_add_weight(b, "w_qkv", "fused weights", "W_qkv = [W_q | W_k | W_v]",
                   shape_sides(d, b->fused_columns));
  add_bias(b, sizes->model && sizes->model->qkv_bias, "b_qkv", "fused biases", "b_qkv",
           b->fused_columns);
  shape_count_product(shape_add_activation(b, "qkv", "fused projection", "QKV = X W_qkv",
                                           shape_sides(n, b->fused_columns)),
                      d);
  add_part(b, "queries", "queries as produced", "Q", symbolic_number(0), b->query_columns);
  add_part(b, "keys", "keys as produced", "K", b->query_columns, b->key_columns);
  add_part(b, "values", "values as produced", "V", keys_end, b->value_columns);
}

static void add_layer_heads(ShapeBuilder *b) {
  const SymbolicSize n = b->sizes->tokens, heads = b->sizes->heads;
  const ShapeSides pairs = shape_cube(heads, n, n);
  shape_count_product(shape_add_activation(b, "scores", "scores of all heads",
                                           b->sizes->model && b->sizes->model->scale > 0
                                               ? "S_h = scale·Q_h K_hᵀ"
                                               : "S_h = Q_h K_hᵀ/√d_k",
                                           pairs),
                      b->head_dim);
  shape_add_activation(b, "weights", "weights of all heads", "A_h = softmax(S_h)", pairs);
  shape_count_product(shape_add_activation(b, "context", "weighted sums of all heads",
                                           "H_h = A_h V_h", shape_cube(heads, n, b->value_dim)),
                      n);
}

/* A row without a shape that sums up the section's FLOPs. */
static void add_total(ShapeBuilder *b) {
  ShapeRow *const total =
      shape_add_weight(b, "total", "all products together", "", (ShapeSides){0});
  if (!total) return;
  const ShapeSection *const section = &b->table->sections[b->table->section_count - 1];
  total->counted = true;
  for (size_t r = 0; r + 1 < section->count; r++)
    total->flops = symbolic_add(total->flops, section->rows[r].flops);
}

void shape_layer_section(ShapeBuilder *b) {
  const ShapeSizes *const sizes = b->sizes;
  const SymbolicSize n = sizes->tokens, d = sizes->width;
  shape_begin(b, "layer", "Whole layer");
  add_layer_projection(b);
  add_layer_heads(b);
  shape_add_activation(b, "concat", "heads side by side", "concat = [H_0 | H_1 | …]",
                       shape_sides(n, b->concat_columns));
  shape_add_weight(b, "w_o", "weights of the output", "W_o", shape_sides(b->concat_columns, d));
  add_bias(b, sizes->model && sizes->model->output_bias, "b_o", "biases of the output", "b_o", d);
  shape_count_product(
      shape_add_activation(b, "output", "output", "Y = concat W_o", shape_sides(n, d)),
      b->concat_columns);
  add_total(b);
}

/* The chunks of one kind: of the heads 0 .. count - 1, or of a head by its letter where count is
 * 0. */
static void add_chunks(ShapeBuilder *b, const char *id, const char *label, char letter,
                       SymbolicSize start, SymbolicSize dim, size_t count, SymbolicSize index) {
  char symbol[32];
  for (size_t h = 0; h < (count ? count : 1); h++) {
    const SymbolicSize head = count ? symbolic_number((int64_t)h) : index;
    const SizeText name = symbolic_formula(&head, &b->table->letters);
    snprintf(symbol, sizeof symbol, "%c_%.24s", letter, name.text);
    add_part(b, id, label, symbol, symbolic_add(start, symbolic_times(head, dim)), dim);
  }
}

/* The number of heads where each is listed, else 0. */
static size_t listed_heads(SymbolicSize heads) {
  int64_t count;
  return symbolic_get_number(&heads, &count) && count <= CHUNKS_LISTED ? (size_t)count : 0;
}

/* A letter for "any head" that is not in use; it becomes known to the table. */
static SymbolicSize index_letter(ShapeTable *table) {
  static const char *const names[] = {"i", "j", "t", "u", "v", "w", "x", "y", "z"};
  size_t i = 0;
  while (i + 1 < sizeof names / sizeof *names && symbolic_has_letter(&table->letters, names[i]))
    i++;
  return symbolic_letter(&table->letters, names[i]);
}

void shape_chunks_section(ShapeBuilder *b) {
  const ShapeSizes *const sizes = b->sizes;
  const size_t heads = listed_heads(sizes->heads);
  const size_t kv_heads = heads ? listed_heads(sizes->kv_heads) : 0;
  const bool by_rule = heads == 0 || kv_heads == 0;
  const SymbolicSize index = by_rule ? index_letter(b->table) : symbolic_number(0);
  const SymbolicSize values = symbolic_add(b->query_columns, b->key_columns);
  shape_begin(b, "chunks", "Chunks: the columns of each head in QKV");
  add_chunks(b, "query_chunk", "queries", 'Q', symbolic_number(0), b->head_dim, heads, index);
  add_chunks(b, "key_chunk", "keys", 'K', b->query_columns, b->head_dim, kv_heads, index);
  add_chunks(b, "value_chunk", "values", 'V', values, b->value_dim, kv_heads, index);
  shape_add_note(b, false, "Columns a:b are a to b − 1, counted from 0.");
  if (by_rule)
    shape_add_note(b, false, "%s is any head, counted from 0.",
                   symbolic_formula(&index, &b->table->letters).text);
}

/* What the mask does; `heads` says how many of each matrix there are, and is 1 for one head. */
static void add_masked(ShapeBuilder *b, const char *scores, SymbolicSize heads) {
  const SymbolicSize n = b->sizes->tokens;
  const bool one = symbolic_equal(heads, symbolic_number(1));
  const ShapeSides pairs = one ? shape_sides(n, n) : shape_cube(heads, n, n);
  const ShapeSides values = one ? shape_sides(n, b->value_dim) : shape_cube(heads, n, b->value_dim);
  shape_count_product(shape_add_activation(b, "scores", "scores before the mask", scores, pairs),
                      b->head_dim);
  shape_add_weight(b, "mask", "mask: 0, upper triangle −∞", "M", shape_sides(n, n));
  shape_add_activation(b, "masked_scores", "masked scores", "S + M", pairs);
  shape_add_activation(b, "weights", "weights, rows sum to 1", "A = softmax(S + M)", pairs);
  shape_count_product(shape_add_activation(b, "context", "context", "Z = A V", values), n);
}

static void note_triangle(ShapeBuilder *b) {
  const SymbolicSize n = b->sizes->tokens, square = symbolic_times(n, n), two = symbolic_number(2);
  const SymbolicSize seen = symbolic_over(symbolic_add(square, n), two);
  const SymbolicSize hidden = symbolic_add(square, symbolic_times(seen, symbolic_number(-1)));
  const SizeLetters *const letters = &b->sizes->letters;
  shape_add_note(
      b, true,
      "Of %s scores of a head the mask leaves %s, on and below the diagonal, and hides %s.",
      symbolic_formula(&square, letters).text, symbolic_formula(&seen, letters).text,
      symbolic_formula(&hidden, letters).text);
}

void shape_causal_sections(ShapeBuilder *b) {
  const ShapeSizes *const sizes = b->sizes;
  const bool one = symbolic_equal(sizes->heads, symbolic_number(1));
  int64_t rows;
  if (symbolic_get_number(&sizes->tokens, &rows) && rows <= SHAPE_MASK_MAX)
    b->table->mask_rows = (size_t)rows;
  shape_begin(b, "causal", "Causal mask, one head");
  add_masked(b, scores_symbol(b), symbolic_number(1));
  note_triangle(b);
  if (one) return;
  shape_begin(b, "causal_heads", "Causal mask, all heads: one mask for all of them");
  add_masked(b, scores_symbol(b), sizes->heads);
  shape_add_activation(b, "concat", "contexts side by side", "[Z_0 | Z_1 | …]",
                       shape_sides(sizes->tokens, b->concat_columns));
}
