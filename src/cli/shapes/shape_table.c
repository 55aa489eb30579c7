/* shape_table.c - owns a table of shapes: the sizes that follow from others, its rows and its
 * notes.
 *
 * shape_sections.c owns which matrices there are. Only the wording of sentences depends on whether
 * a size is a number or a letter.
 */
#include "cli/shapes/shape_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shapes/shape_sections.h"

#define ELEMENT_BYTES 4

const char *shape_topic_name(size_t topic) {
  static const char *const names[SHAPE_TOPICS] = {"head", "block", "layer", "chunks", "causal"};
  return topic < SHAPE_TOPICS ? names[topic] : NULL;
}

SymbolicSize shape_row_elements(const ShapeRow *row) {
  SymbolicSize elements = symbolic_number(1);
  for (size_t i = 0; i < row->rank; i++) elements = symbolic_times(elements, row->dims[i]);
  return elements;
}

SymbolicSize shape_row_bytes(const ShapeRow *row) {
  return symbolic_times(symbolic_number(ELEMENT_BYTES), shape_row_elements(row));
}

void shape_begin(ShapeBuilder *builder, const char *id, const char *title) {
  ShapeTable *const table = builder->table;
  table->sections[table->section_count++] = (ShapeSection){.id = id, .title = title};
}

static ShapeRow *add_row(ShapeBuilder *builder) {
  ShapeSection *const section = &builder->table->sections[builder->table->section_count - 1];
  if (section->count == section->capacity) {
    const size_t capacity = section->capacity ? 2 * section->capacity : 16;
    ShapeRow *const rows = realloc(section->rows, capacity * sizeof *rows);
    if (!rows) {
      builder->failed = true;
      return NULL;
    }
    section->rows = rows;
    section->capacity = capacity;
  }
  ShapeRow *const row = &section->rows[section->count++];
  *row = (ShapeRow){0};
  return row;
}

ShapeRow *shape_add_weight(ShapeBuilder *builder, const char *id, const char *label,
                           const char *symbol, ShapeSides sides) {
  ShapeRow *const row = add_row(builder);
  if (!row) return NULL;
  row->id = id;
  row->label = label;
  snprintf(row->symbol, sizeof row->symbol, "%s", symbol);
  for (size_t i = 0; i < sides.count; i++) row->dims[row->rank++] = sides.sides[i];
  return row;
}

ShapeRow *shape_add_activation(ShapeBuilder *builder, const char *id, const char *label,
                               const char *symbol, ShapeSides sides) {
  ShapeRow *const row = shape_add_weight(builder, id, label, symbol, sides);
  if (!row || builder->sizes->batch.count == 0) return row;
  for (size_t i = row->rank++; i > 0; i--) row->dims[i] = row->dims[i - 1];
  row->dims[0] = builder->sizes->batch;
  return row;
}

void shape_count_product(ShapeRow *row, SymbolicSize inner) {
  if (!row) return;
  row->counted = true;
  row->flops = symbolic_times(symbolic_times(symbolic_number(2), inner), shape_row_elements(row));
}

ShapeSides shape_sides(SymbolicSize a, SymbolicSize b) {
  return (ShapeSides){2, {a, b}};
}

ShapeSides shape_cube(SymbolicSize a, SymbolicSize b, SymbolicSize c) {
  return (ShapeSides){3, {a, b, c}};
}

void shape_add_note(ShapeBuilder *builder, bool answers, const char *format, ...) {
  ShapeTable *const table = builder->table;
  if (table->note_count == SHAPE_NOTES_MAX) return;
  ShapeNote *const note = &table->notes[table->note_count++];
  note->answers = answers;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(note->text, sizeof note->text, format, arguments);
  va_end(arguments);
}

/* `dim` under its textbook name, unless it is a letter or has a width of its own. */
static SymbolicSize named_dim(const ShapeSizes *sizes, SymbolicSize dim, const char *name) {
  const bool quotient = !symbolic_equal(dim, sizes->width) &&
                        symbolic_equal(symbolic_times(dim, sizes->heads), sizes->width);
  const bool taken = symbolic_has_letter(&sizes->letters, name);
  return quotient && !taken ? symbolic_named(dim, name) : dim;
}

static void derive_sizes(ShapeBuilder *builder) {
  const ShapeSizes *const sizes = builder->sizes;
  builder->key_width = sizes->head_dim;
  builder->value_width = sizes->value_dim;
  builder->head_dim = named_dim(sizes, sizes->head_dim, "d_k");
  builder->value_dim = named_dim(sizes, sizes->value_dim, "d_v");
  builder->query_columns = symbolic_times(sizes->heads, sizes->head_dim);
  builder->key_columns = symbolic_times(sizes->kv_heads, sizes->head_dim);
  builder->value_columns = symbolic_times(sizes->kv_heads, sizes->value_dim);
  builder->fused_columns = symbolic_add(symbolic_add(builder->query_columns, builder->key_columns),
                                        builder->value_columns);
  builder->concat_columns = symbolic_times(sizes->heads, sizes->value_dim);
}

static void append_title(ShapeTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append_title(ShapeTable *table, const char *format, ...) {
  const size_t used = strlen(table->title);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(table->title + used, sizeof table->title - used, format, arguments);
  va_end(arguments);
}

/* The sizes that were given, which a quiz shows too. */
static void write_title(const ShapeSizes *sizes, ShapeTable *table) {
  const SizeLetters *const letters = &sizes->letters;
  const bool grouped = !symbolic_equal(sizes->heads, sizes->kv_heads);
  const bool uneven = !symbolic_equal(sizes->head_dim, sizes->value_dim);
  const bool apart = !symbolic_equal(symbolic_times(sizes->heads, sizes->head_dim), sizes->width);
  if (sizes->model) append_title(table, "%s: ", sizes->model->name);
  if (sizes->batch.count > 0)
    append_title(table, "%s sequences of ", symbolic_formula(&sizes->batch, letters).text);
  append_title(table, "%s tokens, width %s, ", symbolic_formula(&sizes->tokens, letters).text,
               symbolic_formula(&sizes->width, letters).text);
  append_title(table, "%s %shead%s", symbolic_formula(&sizes->heads, letters).text,
               grouped ? "query " : "",
               symbolic_equal(sizes->heads, symbolic_number(1)) ? "" : "s");
  if (grouped)
    append_title(table, ", %s key/value head%s", symbolic_formula(&sizes->kv_heads, letters).text,
                 symbolic_equal(sizes->kv_heads, symbolic_number(1)) ? "" : "s");
  if (apart || uneven)
    append_title(table, " of dimension %s", symbolic_formula(&sizes->head_dim, letters).text);
  if (uneven)
    append_title(table, ", values of %s", symbolic_formula(&sizes->value_dim, letters).text);
  append_title(table, ", fp32");
}

static void note_dims(ShapeBuilder *builder) {
  const SizeLetters *const letters = &builder->sizes->letters;
  const char *const key = builder->head_dim.name, *const value = builder->value_dim.name;
  if (!key || symbolic_is_constant(&builder->head_dim)) return;
  const SizeText formula = symbolic_formula(&builder->sizes->head_dim, letters);
  shape_add_note(builder, true, "%s%s%s = %s: the heads divide the width among them.", key,
                 value ? " = " : "", value ? value : "", formula.text);
}

static void note_heads(ShapeBuilder *builder) {
  const ShapeSizes *const sizes = builder->sizes;
  const SizeLetters *const letters = &sizes->letters;
  const SizeText heads = symbolic_formula(&sizes->heads, letters);
  const SizeText kv_heads = symbolic_formula(&sizes->kv_heads, letters);
  const SizeText columns = symbolic_formula(&builder->key_columns, letters);
  const SymbolicSize plain = symbolic_times(sizes->heads, sizes->head_dim);
  const SizeText plain_columns = symbolic_formula(&plain, letters);
  if (sizes->real_kv_heads) {
    const SymbolicSize real =
        symbolic_times(symbolic_number((int64_t)sizes->real_kv_heads), sizes->head_dim);
    const SymbolicSize both = symbolic_add(sizes->head_dim, sizes->value_dim);
    const SymbolicSize fused =
        symbolic_add(builder->query_columns,
                     symbolic_times(symbolic_number((int64_t)sizes->real_kv_heads), both));
    shape_add_note(
        builder, true,
        "As plain multi-head attention, with %s keys and values. The real model has %zu "
        "key/value heads, each shared by the same number of query heads: its K has %s "
        "columns in place of %s, and W_qkv %s in place of %s; scores, weights, concat and "
        "Y are alike.",
        heads.text, sizes->real_kv_heads, symbolic_formula(&real, letters).text, plain_columns.text,
        symbolic_formula(&fused, letters).text,
        symbolic_formula(&builder->fused_columns, letters).text);
  } else if (!symbolic_equal(sizes->heads, sizes->kv_heads)) {
    shape_add_note(builder, true,
                   "Grouped-query attention: %s query heads share %s key/value heads, so K has %s "
                   "columns; as plain multi-head attention%s it would have %s.",
                   heads.text, kv_heads.text, columns.text, sizes->model ? " (--as-mha)" : "",
                   plain_columns.text);
  }
}

static void note_model(ShapeBuilder *builder) {
  const AttendModel *const model = builder->sizes->model;
  if (!model) return;
  const bool rope = model->rope.pairing != ATTEND_ROPE_NONE;
  if (rope || model->qk_norm)
    shape_add_note(builder, false, "%s%s%s of the model change%s Q and K, not their shapes.",
                   model->qk_norm ? "QK-norm" : "", model->qk_norm && rope ? " and " : "",
                   rope ? "RoPE" : "", model->qk_norm && rope ? "" : "s");
  if (model->window > 0)
    shape_add_note(builder, false,
                   "Layers with a sliding window let a query see %zu keys at most; the scores keep "
                   "their shape.",
                   model->window);
}

static void note_flops(ShapeBuilder *builder, unsigned topics) {
  if (topics == 1u << SHAPE_CHUNKS) return;
  shape_add_note(
      builder, false,
      "FLOPs are those of the matrix product that makes a matrix, a multiplication and an "
      "addition each; scaling, mask, softmax and biases are not counted.");
  shape_add_note(
      builder, false,
      "They count whole matrices, as the formula says; attend bench counts only the pairs "
      "that the causal mask leaves, N(N+1)/2 of N².");
}

static bool is_beyond(const ShapeTable *table) {
  for (size_t s = 0; s < table->section_count; s++)
    for (size_t r = 0; r < table->sections[s].count; r++) {
      const ShapeRow *const row = &table->sections[s].rows[r];
      if (shape_row_bytes(row).beyond || row->flops.beyond || row->end.beyond) return true;
    }
  return false;
}

ShapeOutcome shape_table_open(const ShapeSizes *sizes, unsigned topics, ShapeTable *table) {
  static void (*const make[SHAPE_TOPICS])(ShapeBuilder *) = {
      shape_head_section, shape_block_section, shape_layer_section, shape_chunks_section,
      shape_causal_sections};
  ShapeBuilder builder = {.sizes = sizes, .table = table};
  *table = (ShapeTable){.letters = sizes->letters};
  derive_sizes(&builder);
  write_title(sizes, table);
  for (size_t t = 0; t < SHAPE_TOPICS; t++)
    if (topics >> t & 1) make[t](&builder);
  note_dims(&builder);
  note_heads(&builder);
  note_model(&builder);
  note_flops(&builder, topics);
  if (!builder.failed && !is_beyond(table)) return SHAPE_BUILT;
  shape_table_close(table);
  return builder.failed ? SHAPE_NO_MEMORY : SHAPE_TOO_LARGE;
}

void shape_table_close(ShapeTable *table) {
  for (size_t s = 0; s < table->section_count; s++) free(table->sections[s].rows);
  *table = (ShapeTable){0};
}
