/* query.h - packs the queries of a query tile, scaled by scale * log2(e). */
#ifndef ATTEND_SRC_TILED_QUERY_H
#define ATTEND_SRC_TILED_QUERY_H

#include "tiled/tile.h"

/* Rows of each register block when `rows` rows make as few blocks as possible. The blocks
 * are even: a kernel of 6 rows takes 7 rows as 4 and 3, because a block of one row takes as long as
 * one of three. */
size_t query_block_height(const Job *job, size_t rows);

/* Packs rows row .. row + rows of a kv head into the scratch of its thread. */
void query_pack(const KvHead *head, size_t row, size_t rows);

/* The queries of register block number `number`, which begins `row` rows into the packed ones. */
Query query_of(const KvHead *head, size_t row, size_t number);

#endif
