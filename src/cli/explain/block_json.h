/* block_json.h - the block-matrix example as one JSON object. */
#ifndef ATTEND_SRC_CLI_EXPLAIN_BLOCK_JSON_H
#define ATTEND_SRC_CLI_EXPLAIN_BLOCK_JSON_H

#include "cli/explain/block_matrix.h"

/* False if memory is short. */
bool block_print_json(const BlockComparison *comparisons, size_t count);

#endif
