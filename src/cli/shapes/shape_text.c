/* shape_text.c - a table of shapes as aligned text or Markdown; owns layout only.
 *
 * A row becomes cells of text first, the same for both forms. Widths are counted in columns,
 * because the notation is not ASCII.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/shapes/shape_report.h"
#include "cli/util/utf8.h"
#include "cli/util/wrap.h"

#define LABEL_WIDTH 34
#define NOTE_WIDTH 96
#define CELL_SIZE 1024

enum { CELL_NUMBER, CELL_LABEL, CELL_SYMBOL, CELL_SHAPE, CELL_ELEMENTS, CELL_BYTES, CELL_FLOPS };
#define CELLS 7

typedef struct Cells {
  char text[CELLS][CELL_SIZE];
} Cells;

static const Cells heads = {{"no.", "matrix", "notation", "shape", "elements", "bytes", "FLOPs"}};

/* A number in groups of three digits, a formula as it is. */
static void write_amount(const SymbolicSize *size, const SizeLetters *letters, char *cell) {
  int64_t number;
  if (!symbolic_get_number(size, &number)) {
    snprintf(cell, CELL_SIZE, "%s", symbolic_formula(size, letters).text);
    return;
  }
  char digits[32];
  const int length = snprintf(digits, sizeof digits, "%" PRId64, number);
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) *cell++ = ' ';
    *cell++ = digits[i];
  }
  *cell = '\0';
}

static void write_shape(const ShapeRow *row, const SizeLetters *letters, bool blank, char *cell) {
  size_t used = (size_t)snprintf(cell, CELL_SIZE, "[");
  for (size_t i = 0; i < row->rank && used < CELL_SIZE; i++)
    used += (size_t)snprintf(cell + used, CELL_SIZE - used, "%s%s", i > 0 ? " × " : "",
                             blank ? SHAPE_BLANK : symbolic_in_shape(&row->dims[i], letters).text);
  if (used < CELL_SIZE) snprintf(cell + used, CELL_SIZE - used, "]");
}

static void write_symbol(const ShapeRow *row, const SizeLetters *letters, bool blank, char *cell) {
  if (row->cut)
    snprintf(cell, CELL_SIZE, "%s = QKV columns %s:%s", row->symbol,
             blank ? SHAPE_BLANK : symbolic_formula(&row->first, letters).text,
             blank ? SHAPE_BLANK : symbolic_formula(&row->end, letters).text);
  else
    snprintf(cell, CELL_SIZE, "%s", row->symbol);
}

static void write_cells(const ShapeTable *table, const ShapeRow *row, size_t number,
                        ShapePurpose purpose, Cells *cells) {
  const bool blank = purpose == SHAPE_QUIZ, sized = row->rank > 0;
  const SymbolicSize elements = shape_row_elements(row), bytes = shape_row_bytes(row);
  const SymbolicSize *const amounts[] = {&elements, &bytes, &row->flops};
  const bool known[] = {sized, sized, row->counted};
  *cells = (Cells){0};
  snprintf(cells->text[CELL_NUMBER], CELL_SIZE, "%zu", number);
  snprintf(cells->text[CELL_LABEL], CELL_SIZE, "%s", row->label);
  write_symbol(row, &table->letters, blank, cells->text[CELL_SYMBOL]);
  if (sized) write_shape(row, &table->letters, blank, cells->text[CELL_SHAPE]);
  for (size_t i = 0; i < 3; i++) {
    char *const cell = cells->text[CELL_ELEMENTS + i];
    if (!known[i])
      strcpy(cell, sized ? "-" : "");
    else if (blank)
      strcpy(cell, SHAPE_BLANK);
    else
      write_amount(amounts[i], &table->letters, cell);
  }
}

static void widen(const Cells *cells, size_t widths[static CELLS]) {
  for (size_t c = 0; c < CELLS; c++) {
    const size_t width = utf8_columns(cells->text[c]);
    if (width > widths[c]) widths[c] = width;
  }
}

static void pad(size_t count) {
  printf("%*s", (int)count, "");
}

/* Bytes of `text` that fit into a label's width, cut at a space where it is longer. */
static size_t label_piece(const char *text) {
  const size_t length = strlen(text);
  if (length <= LABEL_WIDTH) return length;
  size_t cut = LABEL_WIDTH;
  while (cut > 0 && text[cut] != ' ') cut--;
  return cut > 0 ? cut : length;
}

/* Figures are aligned to the right, words to the left; a long label goes on below. */
static void print_line(const Cells *cells, const size_t widths[static CELLS], bool numbered) {
  const char *label = cells->text[CELL_LABEL];
  const size_t piece = label_piece(label);
  size_t gap = 2;
  for (size_t c = numbered ? CELL_NUMBER : CELL_LABEL; c < CELLS; c++) {
    const bool right = c == CELL_NUMBER || c >= CELL_ELEMENTS;
    const char *const text = cells->text[c];
    const int length = c == CELL_LABEL ? (int)piece : (int)strlen(text);
    const size_t room = widths[c] - (c == CELL_LABEL ? piece : utf8_columns(text));
    pad(gap + (right ? room : 0));
    printf("%.*s", length, text);
    gap = 2 + (right ? 0 : room);
  }
  putchar('\n');
  label += piece;
  while (*label == ' ') label++;
  if (*label == '\0') return;
  pad(4 + (numbered ? widths[CELL_NUMBER] + 2 : 0));
  puts(label);
}

static void print_section(const ShapeTable *table, const ShapeSection *section, size_t first,
                          ShapePurpose purpose) {
  size_t widths[CELLS] = {0};
  Cells cells;
  widen(&heads, widths);
  for (size_t r = 0; r < section->count; r++) {
    write_cells(table, &section->rows[r], first + r, purpose, &cells);
    widen(&cells, widths);
  }
  if (widths[CELL_LABEL] > LABEL_WIDTH) widths[CELL_LABEL] = LABEL_WIDTH;
  printf("\n%s\n", section->title);
  print_line(&heads, widths, purpose != SHAPE_WHOLE);
  for (size_t r = 0; r < section->count; r++) {
    write_cells(table, &section->rows[r], first + r, purpose, &cells);
    print_line(&cells, widths, purpose != SHAPE_WHOLE);
  }
}

static void print_mask(const ShapeTable *table) {
  puts("\nMask M: a row for each query, a column for each key");
  for (size_t i = 0; i < table->mask_rows; i++) {
    putchar(' ');
    for (size_t j = 0; j < table->mask_rows; j++) fputs(j <= i ? "   0" : "  −∞", stdout);
    putchar('\n');
  }
}

static const char *purpose_word(ShapePurpose purpose) {
  return purpose == SHAPE_QUIZ ? " - fill in the blanks" : purpose == SHAPE_KEY ? " - answers" : "";
}

static bool is_shown(const ShapeNote *note, ShapePurpose purpose) {
  return purpose != SHAPE_QUIZ || !note->answers;
}

void shape_print_text(const ShapeTable *table, ShapePurpose purpose) {
  printf("%s%s\n", table->title, purpose_word(purpose));
  size_t first = 1;
  for (size_t s = 0; s < table->section_count; s++) {
    print_section(table, &table->sections[s], first, purpose);
    first += table->sections[s].count;
  }
  if (table->mask_rows && purpose != SHAPE_QUIZ) print_mask(table);
  putchar('\n');
  for (size_t n = 0; n < table->note_count; n++)
    if (is_shown(&table->notes[n], purpose))
      print_wrapped(stdout, table->notes[n].text, 0, NOTE_WIDTH);
}

/* Notation is set as code, in which only the bar needs an escape. */
static void print_markdown_cell(const char *text, bool code) {
  fputs(code && *text ? " `" : " ", stdout);
  for (; *text; text++) {
    if (*text == '|' || (!code && *text == '_')) putchar('\\');
    putchar(*text);
  }
  fputs(code ? "` |" : " |", stdout);
}

static void print_markdown_line(const Cells *cells, bool numbered, bool head) {
  putchar('|');
  for (size_t c = numbered ? CELL_NUMBER : CELL_LABEL; c < CELLS; c++)
    print_markdown_cell(cells->text[c],
                        !head && (c == CELL_SYMBOL || c == CELL_SHAPE) && *cells->text[c]);
  putchar('\n');
}

static void print_markdown_section(const ShapeTable *table, const ShapeSection *section,
                                   size_t first, ShapePurpose purpose) {
  const bool numbered = purpose != SHAPE_WHOLE;
  Cells cells;
  printf("\n### %s\n\n", section->title);
  print_markdown_line(&heads, numbered, true);
  printf("|%s---|---|---|---:|---:|---:|\n", numbered ? "---:|" : "");
  for (size_t r = 0; r < section->count; r++) {
    write_cells(table, &section->rows[r], first + r, purpose, &cells);
    print_markdown_line(&cells, numbered, false);
  }
}

void shape_print_markdown(const ShapeTable *table, ShapePurpose purpose) {
  printf("## %s%s\n", table->title, purpose_word(purpose));
  size_t first = 1;
  for (size_t s = 0; s < table->section_count; s++) {
    print_markdown_section(table, &table->sections[s], first, purpose);
    first += table->sections[s].count;
  }
  if (table->mask_rows && purpose != SHAPE_QUIZ) {
    fputs("\n```", stdout);
    print_mask(table);
    puts("```");
  }
  putchar('\n');
  for (size_t n = 0; n < table->note_count; n++)
    if (is_shown(&table->notes[n], purpose)) printf("- %s\n", table->notes[n].text);
}
