/* path_table.h - one lesson through several paths: how far apart they are, and the time. */
#ifndef ATTEND_SRC_CLI_EXPLAIN_PATH_TABLE_H
#define ATTEND_SRC_CLI_EXPLAIN_PATH_TABLE_H

#include <stdio.h>

#include "cli/lesson/trace.h"

/* Prints the largest difference at each matrix that two traces have in common, the time of each
 * path, and the reason of each path that gave nothing. */
void path_table_print(FILE *file, const Trace *traces, size_t count);

#endif
