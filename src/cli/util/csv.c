/* csv.c - quotes fields that need it, and prints figures so that they read back as they were to
 * nine digits. The stream remembers write errors.
 */
#include "cli/util/csv.h"

#include <string.h>

/* Quoted if it must be, with quotes doubled. */
static void write_field(Csv *csv, const char *text) {
  if (csv->begun) fputc(',', csv->stream);
  csv->begun = true;
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, csv->stream);
    return;
  }
  fputc('"', csv->stream);
  for (; *text; text++) {
    if (*text == '"') fputc('"', csv->stream);
    fputc(*text, csv->stream);
  }
  fputc('"', csv->stream);
}

void csv_text(Csv *csv, const char *name, const char *value) {
  write_field(csv, csv->names ? name : value);
}

void csv_count(Csv *csv, const char *name, size_t value) {
  char field[32];
  snprintf(field, sizeof field, "%zu", value);
  csv_text(csv, name, field);
}

void csv_figure(Csv *csv, const char *name, bool known, double value) {
  char field[32] = "";
  if (known) snprintf(field, sizeof field, "%.9g", value);
  csv_text(csv, name, field);
}

void csv_end(Csv *csv) {
  fputs("\r\n", csv->stream);
  csv->begun = false;
}
