/* query.h - packs the queries of a query tile, scaled by scale * log2(e). */
#ifndef ATTEND_SRC_QUERY_H
#define ATTEND_SRC_QUERY_H

#include "tiled/block.h"

/* Rows of a register block where `rows` rows are cut into as few as possible: 7 rows for a kernel
 * of 6 are 4 and 3, since a block of one row takes as long as one of three. */
size_t query_block_height(const Job *job, size_t rows);

/* Packs rows row .. row + rows of kv head g. */
void query_pack(const Job *job, const SequencePlan *cut, size_t g, size_t row, size_t rows,
                float *packed);

/* The queries of a register block, `row` rows into what query_pack() made; it is block number
 * `number`. */
Query query_of(const Job *job, const SequencePlan *cut, float *packed, size_t row, size_t number);

#endif
