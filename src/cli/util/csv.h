/* csv.h - one line of comma-separated values, RFC 4180.
 *
 * A column's name and its value are written by the same line of code, once for the header and once
 * for each row, so that they cannot come apart. A figure that a row does not have is an empty
 * field.
 */
#ifndef ATTEND_SRC_CLI_UTIL_CSV_H
#define ATTEND_SRC_CLI_UTIL_CSV_H

#include <stdbool.h>
#include <stdio.h>

typedef struct Csv {
  FILE *stream;
  bool names; /* write the column's name in place of its value */
  bool begun; /* a field has been written */
} Csv;

void csv_text(Csv *csv, const char *name, const char *value);
void csv_count(Csv *csv, const char *name, size_t value);
void csv_figure(Csv *csv, const char *name, bool known, double value);

/* Ends the line, with CR LF. */
void csv_end(Csv *csv);

#endif
