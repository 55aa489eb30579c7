/* option_table.c - walks over the rows of a table. */
#include "cli/option_table.h"

#include <string.h>

static void add_rows(const Option *table, size_t offset, bool shared, OptionRows *rows) {
  for (; table->name != NULL || table->heading != NULL || table->group != NULL; table++) {
    if (table->group != NULL) {
      add_rows(table->group, offset + table->offset, true, rows);
    } else if (rows->count < OPTION_ROWS_MAX) {
      rows->rows[rows->count++] = (OptionRow){table, offset + table->offset, shared};
    }
  }
}

void option_rows(const Option *table, OptionRows *rows) {
  rows->count = 0;
  add_rows(table, 0, false, rows);
}

size_t option_find(const OptionRows *rows, const char *name) {
  for (size_t i = 0; i < rows->count; i++) {
    const Option *const option = rows->rows[i].option;
    if (option->name != NULL && strcmp(option->name, name) == 0) return i;
  }
  return rows->count;
}

bool option_next_name(const char **names, char name[ATTEND_NAME_SIZE]) {
  const size_t length = strcspn(*names, " ");
  if (length == 0 || length >= ATTEND_NAME_SIZE) return false;
  memcpy(name, *names, length);
  name[length] = '\0';
  *names += length;
  *names += **names == ' ';
  return true;
}
