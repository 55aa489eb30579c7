/* shape_json.c - a table of shapes as one JSON object, for programs.
 *
 * A size is a number, or a formula as text if it has letters. Blanks of a quiz are null.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/shapes/shape_report.h"
#include "cli/util/json.h"

static json_t *size_value(const SymbolicSize *size, const SizeLetters *letters, bool blank) {
  int64_t number;
  if (blank) return json_null();
  if (symbolic_get_number(size, &number)) return json_integer(number);
  return json_string(symbolic_formula(size, letters).text);
}

static json_t *shape_value(const ShapeRow *row, const SizeLetters *letters, bool blank) {
  int64_t number;
  json_t *shape = json_array();
  for (size_t i = 0; i < row->rank; i++) {
    const bool named = row->dims[i].name && !symbolic_get_number(&row->dims[i], &number) && !blank;
    json_append(&shape,
                named ? json_string(row->dims[i].name) : size_value(&row->dims[i], letters, blank));
  }
  return shape;
}

static json_t *row_value(const ShapeTable *table, const ShapeRow *row, size_t number, bool blank) {
  const SizeLetters *const letters = &table->letters;
  const SymbolicSize elements = shape_row_elements(row), bytes = shape_row_bytes(row);
  json_t *value = json_object();
  json_set(&value, "number", json_integer((json_int_t)number));
  json_set(&value, "id", json_string(row->id));
  json_set(&value, "label", json_string(row->label));
  json_set(&value, "notation", json_text_or_null(row->symbol));
  if (row->rank) {
    json_set(&value, "shape", shape_value(row, letters, blank));
    json_set(&value, "elements", size_value(&elements, letters, blank));
    json_set(&value, "bytes", size_value(&bytes, letters, blank));
  }
  if (row->cut)
    json_set(&value, "columns",
             json_pack("[o, o]", size_value(&row->first, letters, blank),
                       size_value(&row->end, letters, blank)));
  json_set(&value, "flops", size_value(&row->flops, letters, blank || !row->counted));
  return value;
}

static json_t *sections_value(const ShapeTable *table, bool blank) {
  json_t *sections = json_array();
  size_t number = 1;
  for (size_t s = 0; s < table->section_count; s++) {
    const ShapeSection *const section = &table->sections[s];
    json_t *rows = json_array(), *value = json_object();
    for (size_t r = 0; r < section->count; r++)
      json_append(&rows, row_value(table, &section->rows[r], number++, blank));
    json_set(&value, "id", json_string(section->id));
    json_set(&value, "title", json_string(section->title));
    json_set(&value, "rows", rows);
    json_append(&sections, value);
  }
  return sections;
}

/* Infinity is text, because JSON has no number for it. */
static json_t *mask_value(const ShapeTable *table) {
  json_t *mask = json_array();
  for (size_t i = 0; i < table->mask_rows; i++) {
    json_t *row = json_array();
    for (size_t j = 0; j < table->mask_rows; j++)
      json_append(&row, j <= i ? json_integer(0) : json_string("-inf"));
    json_append(&mask, row);
  }
  return mask;
}

bool shape_print_json(const ShapeTable *table, ShapePurpose purpose) {
  static const char *const purposes[] = {"whole", "quiz", "key"};
  const bool blank = purpose == SHAPE_QUIZ;
  json_t *root = json_object(), *notes = json_array();
  for (size_t n = 0; n < table->note_count; n++)
    if (!blank || !table->notes[n].answers) json_append(&notes, json_string(table->notes[n].text));
  json_set(&root, "schema_version", json_integer(SHAPE_SCHEMA_VERSION));
  json_set(&root, "title", json_string(table->title));
  json_set(&root, "purpose", json_string(purposes[purpose]));
  json_set(&root, "sections", sections_value(table, blank));
  if (table->mask_rows && !blank) json_set(&root, "mask", mask_value(table));
  json_set(&root, "notes", notes);
  if (!root) return false;
  char *const text = json_dumps(root, JSON_INDENT(2));
  json_decref(root);
  if (text) puts(text);
  free(text);
  return text != NULL;
}
