/* query.c - the queries of a query tile, scaled and packed as the kernels want them.
 *
 *   blocks [D][R]                  for fp32 products with panels and rows of keys
 *   rows [rows][D]                 for fp32 products with pairs that lie in a cache
 *   pairs [bf16_terms][br][pairs]  for products of bf16 terms
 */
#include "tiled/query.h"

#include "cache/kvcache.h"
#include "tiled/kv_source.h"

#define LOG2_E 1.44269504088896340736f

static const float *query_row(const KvHead *head, size_t row) {
  const Problem *const p = head->job->problem;
  return problem_query(p, &head->plan->sequence, row_token(p, row), row_head(p, head->g, row));
}

size_t query_block_height(const Job *job, size_t rows) {
  const size_t blocks = size_ceil_divide(rows, job->tiling->R);
  return size_ceil_divide(rows, blocks);
}

/* Queries of rows row .. row + rows, scaled, as pairs. */
static void pack_query_pairs(const KvHead *head, size_t row, size_t rows, uint32_t *pairs) {
  const Job *const job = head->job;
  const Problem *const p = job->problem;
  const Tiling *const t = job->tiling;
  for (size_t r = 0; r < rows; r += KERNEL_MAX_ROWS) {
    const size_t here = size_min(KERNEL_MAX_ROWS, rows - r);
    const float *query[KERNEL_MAX_ROWS];
    for (size_t k = 0; k < here; k++) query[k] = query_row(head, row + r + k);
    job->kernels->pack_row_pairs(here, p->shape.head_dim, query, p->scale * LOG2_E, KERNEL_BF16,
                                 t->bf16_terms, t->query_tile * t->key_pairs, t->key_pairs,
                                 pairs + r * t->key_pairs);
  }
}

/* The same, as rows of floats. */
static void scale_queries(const KvHead *head, size_t row, size_t rows, float *scaled) {
  const Job *const job = head->job;
  const Problem *const p = job->problem;
  const size_t D = p->shape.head_dim;
  const float factor = p->scale * LOG2_E;
  for (size_t r = 0; r < rows; r++) {
    const float *const query = query_row(head, row + r);
    for (size_t d = 0; d < D; d++) scaled[r * D + d] = factor * query[d];
  }
}

/* The same, as a packed block [D][R] for every register block. */
static void pack_blocks(const KvHead *head, size_t row, size_t rows, float *packed) {
  const Job *const job = head->job;
  const Problem *const p = job->problem;
  const size_t height = query_block_height(job, rows),
               block_floats = job->tiling->R * p->shape.head_dim;
  for (size_t r = 0; r < rows; r += height, packed += block_floats) {
    const size_t here = size_min(height, rows - r);
    const size_t next = r + here, more = size_min(height, rows - next);
    const float *query[KERNEL_MAX_ROWS];
    for (size_t k = 0; k < more; k++) {
      tile_prefetch_row(query_row(head, row + next + k), p->shape.head_dim);
    }
    for (size_t k = 0; k < here; k++) query[k] = query_row(head, row + r + k);
    job->kernels->pack_queries(here, p->shape.head_dim, query, p->scale * LOG2_E, packed);
  }
}

/* Whether fp32 queries are multiplied by the pairs that the cache stores. */
static bool meets_pairs(const KvHead *head) {
  const Job *const job = head->job;
  return job->tiling->bf16_terms == 0 && head->plan->source->as_stored && job->problem->cache &&
         job->problem->cache->keys.number != KERNEL_FP32;
}

void query_pack(const KvHead *head, size_t row, size_t rows) {
  float *const packed = head->scratch->query;
  if (head->job->tiling->bf16_terms) {
    pack_query_pairs(head, row, rows, words_as_pairs(packed));
  } else if (meets_pairs(head)) {
    scale_queries(head, row, rows, packed);
  } else {
    pack_blocks(head, row, rows, packed);
  }
}

Query query_of(const KvHead *head, size_t row, size_t number) {
  const Tiling *const t = head->job->tiling;
  float *const packed = head->scratch->query;
  const size_t D = head->job->problem->shape.head_dim;
  if (t->bf16_terms) {
    return (Query){.pairs = {words_as_pairs(packed) + row * t->key_pairs, t->bf16_terms,
                             t->query_tile * t->key_pairs, t->key_pairs, KERNEL_BF16}};
  }
  return (Query){.floats = packed + (meets_pairs(head) ? row * D : number * t->R * D)};
}
