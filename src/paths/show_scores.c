/* show_scores.c - forms once more, for a tap, the matrices that a path has skipped or overwritten.
 *
 *   rows asked for x all keys:   Q K^T  ->  capped  ->  masked  ->  weights
 *
 * One matrix is transformed in place and shown after every step. The product is formed as the path
 * forms it. The steps after it are those of the naive path, so that a matrix means the same
 * whichever path ran. The result is never touched, and nothing here runs without a tap.
 */
#include "paths/show_scores.h"

#include "paths/naive.h"
#include "platform/blas.h"
#include "platform/parallel.h"
#include "size.h"
#include "storage/storage.h"
#include "storage/words.h"

#define LOG2_E 1.44269504088896340736f
#define LN_2 0.693147180559945309417f

/* The layout of the scratch, with room for the longest sequence. */
typedef struct Places {
  size_t scores, keys, queries, panel; /* offsets in bytes */
  size_t stride;                       /* of the rows of scores: whole panels */
  ShowNeeds needs;
} Places;

/* Pairs of bf16 numbers in a query or key, rounded up to whole steps. */
static size_t pairs_of(size_t depth) {
  return size_ceil_divide(depth, 2 * KERNEL_STEP) * KERNEL_STEP;
}

static Places place(const AttendContext *context, const Problem *p) {
  const LongestSequence longest = problem_longest(p);
  const size_t rows = context_tap_rows(context, longest.query_tokens).count;
  const size_t depth = p->shape.head_dim;
  Layout layout = {0};
  Places places = {.stride = size_round_up(longest.key_tokens, KERNEL_PANEL)};
  places.scores = layout_floats(&layout, rows, places.stride);
  places.needs.score_bytes = layout.bytes;
  places.keys = layout_floats(&layout, p->has_cache ? longest.key_tokens : 0, depth);
  const size_t bf16_terms = precision_terms(context->settings.precision);
  const size_t pairs = size_multiply(bf16_terms, pairs_of(depth), &layout.overflow);
  places.queries = layout_floats(&layout, KERNEL_MAX_ROWS, bf16_terms ? pairs : depth);
  places.panel = layout_floats(&layout, KERNEL_PANEL, pairs);
  places.needs.bytes = layout.bytes;
  places.needs.overflow = layout.overflow;
  return places;
}

ShowNeeds show_scores_needs(const AttendContext *context, const Problem *p) {
  return context->tap ? place(context, p).needs : (ShowNeeds){0};
}

/* The score matrix of one head, and the operands of its product. */
typedef struct HeadScores {
  const AttendContext *context;
  const Problem *problem;
  Sequence sequence;
  size_t h;
  TapRows rows;
  const float *key; /* of the head's kv head, [key_tokens, D] */
  size_t key_stride;
  float *queries; /* scratch for a block of packed queries */
  float *panel;   /* scratch for one panel of keys as pairs */
  float *scores;  /* [rows.count, key_tokens], rows `stride` apart */
  size_t stride;
} HeadScores;

static float *row_of(const HeadScores *x, size_t r) {
  return x->scores + r * x->stride;
}

/* Points x->key at the keys of the view, or at a copy of the cache's keys in `scratch`. No row sees
 * the keys that a ring has dropped; zeros stand in their place. */
static void gather_keys(HeadScores *x, float *scratch) {
  const Problem *const p = x->problem;
  const size_t g = x->h / p->group, D = p->shape.head_dim;
  if (!p->has_cache) {
    x->key = x->sequence.key_tokens ? problem_key(p, &x->sequence, 0, g) : NULL;
    x->key_stride = p->key.token_stride;
    return;
  }
  const size_t kept = attend_cache_first(p->cache, x->sequence.slot);
  for (size_t e = 0; e < kept * D; e++) scratch[e] = 0.0f;
  for (size_t j = kept; j < x->sequence.key_tokens; j++) {
    problem_copy_key(p, &x->sequence, j, g, scratch + j * D);
  }
  x->key = scratch;
  x->key_stride = D;
}

static void multiply_by_blas(const HeadScores *x) {
  const Problem *const p = x->problem;
  BlasScope scope;
  blas_begin(&scope, parallel_allowed(x->context->settings.threads));
  blas_gemm(x->rows.count, x->sequence.key_tokens, p->shape.head_dim, p->scale,
            problem_query(p, &x->sequence, x->rows.first, x->h), p->query.token_stride, x->key,
            x->key_stride, true, 0.0f, x->scores, x->stride);
  blas_end(&scope);
}

static void multiply_by_kernels(const HeadScores *x) {
  const Kernels *const kernels = x->context->kernels;
  const Problem *const p = x->problem;
  const size_t D = p->shape.head_dim;
  for (size_t r = 0; r < x->rows.count; r += kernels->block_rows) {
    const size_t rows = size_min(kernels->block_rows, x->rows.count - r);
    const float *query[KERNEL_MAX_ROWS];
    for (size_t k = 0; k < rows; k++) {
      query[k] = problem_query(p, &x->sequence, x->rows.first + r + k, x->h);
    }
    kernels->pack_queries(rows, D, query, p->scale, x->queries);
    kernels->unpacked_scores(rows, D, x->sequence.key_tokens, x->queries, x->key, x->key_stride,
                             row_of(x, r), x->stride, (KernelAhead){0});
  }
}

/* As the tiled path multiplies in the precisions of bf16: a block of queries by a panel of keys at a
 * time, both as pairs. The tiled path rounds queries that are already multiplied by log2(e), so the
 * scores are divided by it at the end. Keys that a cache stores in fewer terms have zeros in the
 * others. */
static void multiply_by_bf16_terms(const HeadScores *x) {
  const Kernels *const kernels = x->context->kernels;
  const Problem *const p = x->problem;
  const size_t bf16_terms = precision_terms(x->context->settings.precision);
  const size_t D = p->shape.head_dim, pairs = pairs_of(D);
  uint32_t *const panel = words_as_pairs(x->panel), *const queries = words_as_pairs(x->queries);
  const KernelPairs key = {panel, bf16_terms, pairs * KERNEL_PANEL, pairs * KERNEL_PANEL,
                           KERNEL_BF16};
  for (size_t j = 0; j < x->sequence.key_tokens; j += KERNEL_PANEL) {
    kernels->pack_key_pairs(size_min(KERNEL_PANEL, x->sequence.key_tokens - j), D,
                            x->key + j * x->key_stride, x->key_stride, KERNEL_BF16, bf16_terms,
                            key.term_stride, panel);
    for (size_t r = 0; r < x->rows.count; r += kernels->gemm_bf16_rows) {
      const size_t rows = size_min(kernels->gemm_bf16_rows, x->rows.count - r);
      const KernelPairs query = {queries, bf16_terms, rows * pairs, pairs, KERNEL_BF16};
      const float *row[KERNEL_MAX_ROWS];
      for (size_t k = 0; k < rows; k++) {
        row[k] = problem_query(p, &x->sequence, x->rows.first + r + k, x->h);
      }
      kernels->pack_row_pairs(rows, D, row, p->scale * LOG2_E, KERNEL_BF16, bf16_terms,
                              query.term_stride, pairs, queries);
      kernels->gemm_bf16(rows, pairs, KERNEL_PANEL, bf16_terms, query, key, NULL, row_of(x, r) + j,
                         x->stride);
    }
  }
  kernels->release();
  for (size_t e = 0; e < x->rows.count * x->stride; e++) x->scores[e] *= LN_2;
}

static void show(const HeadScores *x, const char *name) {
  const AttendMatrix matrix = {.name = name,
                               .batch = x->sequence.index,
                               .head = x->h,
                               .first_row = x->rows.first,
                               .rows = x->rows.count,
                               .columns = x->sequence.key_tokens,
                               .row_stride = x->stride,
                               .data = x->scores};
  x->context->tap(x->context->tap_user, &matrix);
}

/* The steps after the product. Each runs in place over all rows, so that the tap sees whole
 * matrices. */
static void show_steps(const HeadScores *x) {
  const Problem *const p = x->problem;
  const Sequence *const s = &x->sequence;
  show(x, "scores");
  if (p->options.softcap > 0.0f) {
    for (size_t r = 0; r < x->rows.count; r++) naive_cap_row(p, s, row_of(x, r), row_of(x, r));
    show(x, "capped_scores");
  }
  for (size_t r = 0; r < x->rows.count; r++) {
    naive_mask_row(p, s, x->h, x->rows.first + r, row_of(x, r), row_of(x, r));
  }
  show(x, "masked_scores");
  for (size_t r = 0; r < x->rows.count; r++) {
    naive_softmax_row(p, s, x->h, row_of(x, r), row_of(x, r));
  }
  show(x, "weights");
}

void show_scores(AttendContext *context, const Problem *p, ShowProduct product, void *scratch) {
  if (!context->tap) return;
  const Places places = place(context, p);
  for (size_t b = 0; b < p->shape.batch; b++) {
    const Sequence sequence = problem_sequence(p, b);
    const TapRows rows = context_tap_rows(context, sequence.query_tokens);
    for (size_t h = 0; h < p->shape.query_heads; h++) {
      HeadScores shown = {.context = context,
                          .problem = p,
                          .sequence = sequence,
                          .h = h,
                          .rows = rows,
                          .queries = layout_at(scratch, places.queries),
                          .panel = layout_at(scratch, places.panel),
                          .scores = layout_at(scratch, places.scores),
                          .stride = places.stride};
      if (rows.count > 0 && sequence.key_tokens > 0) {
        gather_keys(&shown, layout_at(scratch, places.keys));
        if (product == SHOW_BY_BLAS) {
          multiply_by_blas(&shown);
        } else if (context->settings.precision != ATTEND_PRECISION_FP32) {
          multiply_by_bf16_terms(&shown);
        } else {
          multiply_by_kernels(&shown);
        }
      }
      show_steps(&shown);
    }
  }
}
