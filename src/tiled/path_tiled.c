/* path_tiled.c - attention by online softmax over tiles of keys; never an Nq x Nk matrix.
 *
 *                 keys, in tiles of KEY_TILE anchored at key 0, in splits of KEY_SPLIT
 *               ┌────────┬────────┬────────┬────────┐
 *   query tile  │  full  │  full  │ ragged │ skipped│   rows of one kv head's group:
 *   (br rows)   │  full  │  full  │  full  │ ragged │   row = token * group + head in group
 *               └────────┴────────┴────────┴────────┘
 *
 * A query tile is a list of register blocks of R rows. Each tile of keys is visited by each block,
 * for scores, softmax and weighted sum (pipeline.c, block.c), while the tile's K and V panels (128
 * KiB at D = Dv = 128) stay in L2. Tiles that no row of a block sees are skipped.
 *
 * Same row, same bits: a row's state starts empty in each split, takes the tiles of the split in
 * order, and the splits merge in order; a tile or split without a key for the row changes nothing.
 * Every chain of operations belongs to one row, so neither the tile's height, the rows beside it,
 * the threads nor the order of work changes a bit.
 *
 * Where the kernels find K and V, with the same bits, chosen for each sequence:
 *   head     a kv head is a piece of work: a thread packs its K and V, which then stay in that
 *            core's caches, and takes all its query tiles. Prefill with as many kv heads as
 *            threads.
 *   shared   packed once for all kv heads, by all threads; then every (kv head, query tile) is a
 *            piece of work. Prefill with fewer heads, or heads that do not divide well.
 *   local    one query tile holds all rows of a kv head, so nobody else would use a packed copy:
 *            each tile of keys is packed into the thread's scratch when its turn comes. Short
 *            chunks.
 *   direct   one register block holds all rows: K and V are read where they are. Decode without a
 *            cache.
 *   cached   the cache holds them packed. Every (kv head, query tile) is a piece of work. Where it
 *            stores them in another form than the precision multiplies, each tile is brought into it
 *            in scratch when its turn comes: widened, split, or gathered from several pages.
 * In the precisions of bf16, queries, K, V and the weights of softmax are packed as pairs in
 * terms, and one kernel, `gemm_bf16`, makes the scores and the weighted sums; what is between them
 * is fp32.
 *
 * Where one query tile holds all rows and heads are too few for the threads, each split is a piece
 * of work of its own, and the partial states merge afterwards. Sequences with the most work come
 * first.
 */
#include "cache/kvcache.h"
#include "layer/project.h"
#include "paths/adjustment.h"
#include "paths/show_scores.h"
#include "plan/path.h"
#include "platform/parallel.h"
#include "tiled/pipeline.h"
#include "tiled/query.h"
#include "tiled/tile_pack.h"

/* Register blocks of a query tile, where they have the fewest rows. */
#define MAX_BLOCKS (QUERY_TILE / KERNEL_MIN_ROWS)

/* Rows of scores are formed for a tap only where they were asked for by number. */
static bool rows_are_shown(const AttendContext *context) {
  return context->tap && context->tap_count > 0;
}

/* Terms of K and V in which the kernels find them; 0: they are floats, or those of the cache in
 * fp16. */
static size_t terms_multiplied(const Problem *p, const Tiling *t) {
  const KvSource source = t->first.source;
  const bool stored = source == KV_SOURCE_CACHED || source == KV_SOURCE_GATHERED;
  if (!stored || !p->cache) return t->bf16_terms;
  if (p->cache->number == KERNEL_FP16) return 0;
  return t->bf16_terms ? size_min(t->bf16_terms, p->cache->terms) : p->cache->terms;
}

/* What numbers K and V are, as the end of a sentence on where they come from; "" if they are floats
 * all along. */
static void describe_numbers(const Problem *p, const Tiling *t, char *text, size_t size) {
  const bool fp16 = p->cache && p->cache->number == KERNEL_FP16;
  const size_t terms = terms_multiplied(p, t);
  const char *const stored = !fp16                                 ? ""
                             : t->first.source == KV_SOURCE_CACHED ? " in fp16"
                                                                   : " from fp16";
  if (terms > 0) {
    snprintf(text, size, "%s as %zu term%s of bf16", stored, terms, terms == 1 ? "" : "s");
  } else {
    snprintf(text, size, "%s", stored);
  }
}

static void fits(const AttendContext *context, const Problem *p, PathFit *fit) {
  Tiling *const t = &fit->tiled;
  if (p->options.normalization != ATTEND_NORMALIZE_SOFTMAX) {
    *fit = (PathFit){.refusal = PATH_OTHER_NORMALIZATION};
    return;
  }
  *t = tiling_of(context, p);
  const ShowNeeds show = rows_are_shown(context) ? show_scores_needs(context, p) : (ShowNeeds){0};
  fit->workspace_bytes = size_max(t->bytes, show.bytes);
  fit->score_bytes = show.score_bytes;
  fit->query_tile = t->query_tile;
  fit->key_tile = KEY_TILE;
  fit->refusal = t->overflow || show.overflow ? PATH_NOT_COUNTABLE : PATH_FITS;
}

static void explain(const AttendContext *context, const Problem *p, const PathFit *fit,
                    char text[ATTEND_REASON_SIZE]) {
  static const char *const sources[] = {
      [KV_SOURCE_HEAD] = "K and V packed head by head",
      [KV_SOURCE_SHARED] = "K and V packed once for all threads",
      [KV_SOURCE_LOCAL] = "K and V packed tile by tile",
      [KV_SOURCE_DIRECT] = "K and V read in place",
      [KV_SOURCE_CACHED] = "K and V read from the cache as packed",
      [KV_SOURCE_GATHERED] = "K read from the cache as packed, V gathered tile by tile",
      [KV_SOURCE_WIDENED] = "K and V of the cache widened tile by tile",
      [KV_SOURCE_CONVERTED] = "K and V of the cache split tile by tile",
  };
  const Tiling *const t = &fit->tiled;
  char numbers[64];
  switch (fit->refusal) {
  case PATH_OTHER_NORMALIZATION:
    snprintf(text, ATTEND_REASON_SIZE,
             "its tiles keep the state of a softmax; only the naive path divides scores by "
             "their sum%s",
             context->settings.precision == ATTEND_PRECISION_FP32 ? "" : ", in fp32");
    return;
  case PATH_NOT_COUNTABLE:
    snprintf(text, ATTEND_REASON_SIZE,
             "packed keys and values of %zu sequences x %zu heads x %zu keys cannot be "
             "counted in bytes",
             p->shape.batch, p->shape.kv_heads, p->shape.key_tokens);
    return;
  default:
    describe_numbers(p, t, numbers, sizeof numbers);
    snprintf(text, ATTEND_REASON_SIZE,
             "online softmax in tiles of %zu rows x %d keys, no score matrix; %s%s%s%s",
             t->query_tile, KEY_TILE, sources[t->first.source], numbers,
             t->first.by_split ? ", keys split over threads" : "",
             problem_is_ragged(p) ? " (first sequence)" : "");
  }
}

/* Packed keys and values of a tile of a shared sequence. */
static float *shared_keys(const Job *job, const SequencePlan *cut, size_t g, size_t tile) {
  const Tiling *const t = &job->tiling;
  const size_t tiles = cut->tile_end - cut->tile_begin;
  return layout_at(job->workspace, t->packed_at) + cut->packed_at +
         (g * tiles + tile - cut->tile_begin) * (t->key_tile_words + t->value_tile_words);
}

/* Tile number `tile` of kv head g: packed before, packed now, in place or of the cache. */
static Tile fetch_tile(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                       size_t tile) {
  const Tiling *const t = &job->tiling;
  const Sequence *const sequence = &cut->sequence;
  switch (cut->source) {
  case KV_SOURCE_SHARED: {
    float *const key = shared_keys(job, cut, g, tile);
    return tile_at(job, sequence, tile, key, key + t->key_tile_words);
  }
  case KV_SOURCE_HEAD:
    return tile_at(job, sequence, tile, s->key + (tile - cut->tile_begin) * t->key_tile_words,
                   s->value + (tile - cut->tile_begin) * t->value_tile_words);
  case KV_SOURCE_LOCAL:
    tile_pack(job, sequence, g, tile, s->key, s->value);
    return tile_at(job, sequence, tile, s->key, s->value);
  case KV_SOURCE_CACHED:
    return tile_of_cache(job, sequence, g, tile);
  case KV_SOURCE_GATHERED:
    return tile_gather(job, sequence, g, tile, s->value);
  case KV_SOURCE_WIDENED:
    return tile_widen(job, sequence, g, tile, s->key, s->value);
  case KV_SOURCE_CONVERTED:
    return tile_convert(job, sequence, g, tile, s->key, s->value);
  case KV_SOURCE_DIRECT:
    break;
  }
  return tile_in_place(job, sequence, g, tile);
}

/* Whether fetching a tile writes over the one before it. */
static bool tile_takes_scratch(KvSource source) {
  return source == KV_SOURCE_LOCAL || source == KV_SOURCE_GATHERED || source == KV_SOURCE_WIDENED ||
         source == KV_SOURCE_CONVERTED;
}

/* The register blocks of rows row .. row + rows of a kv head, whose queries are packed. */
static size_t list_blocks(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                          size_t row, size_t rows, Block *blocks) {
  const Problem *const p = job->problem;
  const size_t height = query_block_height(job, rows);
  size_t count = 0;
  for (size_t r = 0; r < rows; r += height, count++) {
    const size_t here = size_min(height, rows - r);
    blocks[count] = (Block){.cut = cut,
                            .kv_head = g,
                            .row = row + r,
                            .rows = here,
                            .top = block_range(p, cut, row + r),
                            .bottom = block_range(p, cut, row + r + here - 1),
                            .query = query_of(job, cut, s->query, r, count)};
  }
  return count;
}

/* Rows row .. row + rows of a kv head against the visible tiles of a split, from an empty state. */
static void attend_split(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                         size_t row, size_t rows, size_t split, Online state) {
  Block blocks[MAX_BLOCKS];
  const size_t count = list_blocks(job, s, cut, g, row, rows, blocks);
  const size_t top = block_range(job->problem, cut, row).begin;
  const size_t bottom = block_range(job->problem, cut, row + rows - 1).end;
  const size_t begin = size_max(top / KEY_TILE * KEY_TILE, split * KEY_SPLIT);
  const size_t end = size_min(bottom, (split + 1) * KEY_SPLIT);
  Pipeline pipeline;
  pipeline_begin(&pipeline, job, s);
  online_init(state, rows);
  for (size_t first = begin; first < end; first += KEY_TILE) {
    if (tile_takes_scratch(cut->source)) pipeline_finish(&pipeline);
    pipeline_keep_tile(&pipeline, fetch_tile(job, s, cut, g, first / KEY_TILE));
    for (size_t k = 0; k < count; k++) {
      pipeline_push(&pipeline, &blocks[k], online_from(state, blocks[k].row - row));
    }
  }
  pipeline_finish(&pipeline);
}

static void prefetch_row_to_write(float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 1, 3);
}

/* Where row `row` of kv head g goes. */
static float *out_row(const Problem *p, const Sequence *s, size_t g, size_t row) {
  return problem_out(p, s, block_token(p, row), block_head(p, g, row));
}

static void finish_rows(const Job *job, const Sequence *s, size_t g, size_t row, size_t rows,
                        Online state) {
  const Problem *const p = job->problem;
  const size_t ahead = 4;
  for (size_t r = 0; r < rows; r++) {
    const size_t i = block_token(p, row + r), h = block_head(p, g, row + r);
    float *const lse = problem_lse(s, i, h);
    if (r + ahead < rows) {
      prefetch_row_to_write(out_row(p, s, g, row + r + ahead), p->shape.value_dim);
    }
    if (p->options.sinks) online_add_logit(job->kernels, state, r, adjustment_sink(p, h));
    online_finish(state, r, out_row(p, s, g, row + r));
    if (lse) *lse = online_lse(state, r);
  }
}

/* One query tile of one kv head, over all splits that it sees. */
static void attend_query_tile(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                              size_t tile) {
  const Problem *const p = job->problem;
  const size_t row = tile * cut->query_tile, rows = size_min(cut->query_tile, cut->rows - row);
  const size_t first = block_range(p, cut, row).begin / KEY_SPLIT;
  const size_t end = size_ceil_divide(block_range(p, cut, row + rows - 1).end, KEY_SPLIT);
  query_pack(job, cut, g, row, rows, s->query);
  attend_split(job, s, cut, g, row, rows, first, s->total);
  for (size_t split = first + 1; split < end; split++) {
    attend_split(job, s, cut, g, row, rows, split, s->split);
    online_merge(job->kernels, s->total, s->split, rows);
  }
  finish_rows(job, &cut->sequence, g, row, rows, s->total);
}

/* A kv head whose K and V the thread packs for itself. */
static void attend_head(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                        size_t thread) {
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  double clock = profile_start(profiler);
  for (size_t tile = cut->tile_begin; tile < cut->tile_end; tile++) {
    const size_t at = tile - cut->tile_begin;
    tile_pack(job, &cut->sequence, g, tile, s->key + at * t->key_tile_words,
              s->value + at * t->value_tile_words);
  }
  clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  for (size_t tile = 0; tile < cut->query_tiles; tile++) attend_query_tile(job, s, cut, g, tile);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

/* All rows of a kv head over one split, into its partial state. */
static void attend_one_split(const Job *job, const Scratch *s, const SequencePlan *cut, size_t g,
                             size_t split) {
  const Online state = tiling_partial(&job->tiling, job->problem, job->workspace, cut, g, split);
  query_pack(job, cut, g, 0, cut->rows, s->query);
  attend_split(job, s, cut, g, 0, cut->rows, split, state);
}

/* The cut that entry `index` of a list of work belongs to: the last one that begins at or before
 * it. `member` is the offset of first_piece, first_pack or first_merge. */
static const SequencePlan *find_cut(const Job *job, size_t index, size_t member) {
  size_t low = 0, high = job->problem->shape.batch;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    const size_t first = *(const size_t *)(const void *)((const char *)&job->cuts[middle] + member);
    if (first <= index) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return &job->cuts[low];
}

/* A piece of work. Within a head the last query tile, which sees the most keys, comes first. */
static void attend_part(const Job *job, size_t index, size_t thread) {
  Profiler *const profiler = &job->context->profiler;
  const SequencePlan *const cut = find_cut(job, index, offsetof(SequencePlan, first_piece));
  const size_t piece = index - cut->first_piece;
  const size_t per_head = cut->pieces / job->problem->shape.kv_heads;
  const size_t g = piece / per_head, part = piece % per_head;
  const Scratch s = tiling_scratch(&job->tiling, job->problem, job->workspace, thread);
  if (cut->source == KV_SOURCE_HEAD) {
    attend_head(job, &s, cut, g, thread);
    return;
  }
  const double clock = profile_start(profiler);
  if (cut->by_split) {
    attend_one_split(job, &s, cut, g, cut->split_begin + part);
  } else {
    attend_query_tile(job, &s, cut, g, cut->query_tiles - 1 - part);
  }
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void attend_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  attend_part(job, index, thread);
  job->kernels->release();
}

/* One panel of keys and values of all kv heads of a sequence. With heads side by side in memory a
 * token's row is then read from end to end. */
static void pack_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const SequencePlan *const cut = find_cut(job, index, offsetof(SequencePlan, first_pack));
  const size_t first = cut->tile_begin * KEY_TILE + (index - cut->first_pack) * KERNEL_PANEL;
  const double clock = profile_start(profiler);
  for (size_t g = 0; g < p->shape.kv_heads && first < cut->sequence.key_limit; g++) {
    float *const key = shared_keys(job, cut, g, first / KEY_TILE);
    tile_pack_panel(job, &cut->sequence, g, first, key, key + job->tiling.key_tile_words);
  }
  profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
}

static void merge_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const SequencePlan *const cut = find_cut(job, index, offsetof(SequencePlan, first_merge));
  const size_t g = index - cut->first_merge;
  const double clock = profile_start(profiler);
  const Online total = tiling_partial(&job->tiling, p, job->workspace, cut, g, cut->split_begin);
  for (size_t split = cut->split_begin + 1; split < cut->split_end; split++) {
    online_merge(job->kernels, total,
                 tiling_partial(&job->tiling, p, job->workspace, cut, g, split), cut->rows);
  }
  finish_rows(job, &cut->sequence, g, 0, cut->rows, total);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void run(AttendContext *context, const Problem *p, const PathFit *fit, void *workspace) {
  Job job = {.context = context,
             .kernels = context->kernels,
             .problem = p,
             .tiling = fit->tiled,
             .workspace = workspace};
  job.cuts = tiling_cuts(context, &job.tiling, p, workspace);
  const double depth = (double)(p->shape.head_dim + p->shape.value_dim);
  const size_t threads = parallel_worth(context->settings.threads, job.tiling.pairs / 2.0 * depth);
  Profiler *const profiler = &context->profiler;
  profile_gather(profiler, parallel_for(threads, job.tiling.packs, pack_piece, &job));
  profile_gather(profiler, parallel_for(threads, job.tiling.pieces, attend_piece, &job));
  profile_gather(profiler, parallel_for(threads, job.tiling.merges, merge_piece, &job));
  if (rows_are_shown(context)) show_scores(context, p, SHOW_BY_KERNELS, workspace);
}

static void count(Profiler *profiler, const CoreWork *work) {
  profile_count(profiler, ATTEND_PHASE_ATTENTION, work->score_flops + work->sum_flops,
                work->score_operand_bytes + work->sum_operand_bytes);
}

const Path path_tiled = {
    .id = ATTEND_PATH_TILED,
    .nature = "online softmax over tiles of keys",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = count,
    .project_bytes = project_bytes,
    .project = project_rows,
};
