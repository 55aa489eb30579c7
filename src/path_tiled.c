/* path_tiled.c - attention by online softmax over tiles of keys; never an Nq x Nk matrix.
 *
 *                 keys, in tiles of KEY_TILE anchored at key 0, in splits of KEY_SPLIT
 *               ┌────────┬────────┬────────┬────────┐
 *   query tile  │  full  │  full  │ ragged │ skipped│   rows of one kv head's group:
 *   (br rows)   │  full  │  full  │  full  │ ragged │   row = token * group + head in group
 *               └────────┴────────┴────────┴────────┘
 *
 * A query tile is a list of register blocks of R rows. For each tile of keys, each block goes
 * through scores, softmax and weigh while the tile's K and V panels (128 KiB at D = Dv = 128) stay
 * in L2. Tiles that no row of a block sees are skipped; only ragged ones see a mask.
 *
 * Same row, same bits: a row's state starts empty in each split, takes the tiles of the split in
 * order, and the splits merge in order. Every chain of operations belongs to one row, so neither
 * the tile's height, the rows beside it, the threads nor the order of work changes a bit.
 *
 * Where the kernels find K and V, with the same bits:
 *   head     a kv head is a piece of work: a thread packs its K and V, which then stay in that
 *            core's caches, and takes all its query tiles. Prefill with as many kv heads as
 *            threads.
 *   shared   packed once for all kv heads, by all threads; then every (kv head, query tile) is a
 *            piece of work. Prefill with fewer heads, or heads that do not divide well.
 *   local    one query tile holds all rows of a kv head, so nobody else would use a packed copy:
 *            each tile of keys is packed into the thread's scratch when its turn comes. Short
 *            chunks.
 *   direct   one register block holds all rows: K and V are read where they are. Decode.
 * In the last two, if heads are too few for the threads, each split is a piece of work of its own
 * and the partial states merge afterwards.
 */
#include "online.h"
#include "parallel.h"
#include "path.h"
#include "project.h"
#include "size.h"
#include "tiling.h"

#define LOG2_E 1.44269504088896340736f

static AttendStatus consider(const AttendContext *context, const Problem *p, PathNeeds *needs,
                             Fault *reason) {
  static const char *const sources[] = {
      [SOURCE_HEAD] = "K and V packed head by head",
      [SOURCE_SHARED] = "K and V packed once for all threads",
      [SOURCE_LOCAL] = "K and V packed tile by tile",
      [SOURCE_DIRECT] = "K and V read in place",
  };
  const Tiling t = tiling_of(context, p);
  *needs =
      (PathNeeds){.workspace_bytes = t.bytes, .query_tile = t.query_tile, .key_tile = KEY_TILE};
  if (t.overflow) {
    return fault_set(reason, ATTEND_STATUS_OVERFLOW,
                     "packed keys and values of %zu heads x %zu keys cannot be counted in bytes",
                     t.heads, p->shape.key_tokens);
  }
  fault_set(reason, ATTEND_OK,
            "online softmax in tiles of %zu rows x %d keys, no score matrix; %s%s", t.query_tile,
            KEY_TILE, sources[t.source], t.by_split ? ", keys split over threads" : "");
  return ATTEND_OK;
}

typedef struct Job {
  AttendContext *context;
  const Kernels *kernels;
  const Problem *problem;
  Tiling tiling;
  void *workspace;
} Job;

/* Query token and head of a row of a kv head's group. */
static size_t row_token(const Problem *p, size_t row) {
  return row / p->group;
}

static size_t row_head(const Problem *p, size_t g, size_t row) {
  return g * p->group + row % p->group;
}

static size_t row_visible(const Problem *p, size_t row) {
  return problem_visible(p, row_token(p, row));
}

/* With heads side by side, a head's rows lie a whole token apart, often each on a page of its own,
 * where the processor does not guess the next one. */
static void prefetch_row(const float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 0, 2);
}

static void prefetch_row_to_write(float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 1, 3);
}

/* Packs up to W keys of kv head (b, g), from key `first` on, into the tile that holds them. */
static void pack_panel(const Job *job, size_t b, size_t g, size_t first, float *key, float *value) {
  const Problem *const p = job->problem;
  const size_t W = job->tiling.W, D = p->shape.head_dim, Dv = p->shape.value_dim;
  const size_t keys = size_min(W, p->shape.key_tokens - first), at = first % KEY_TILE;
  const size_t next = first + keys, more = size_min(W, p->shape.key_tokens - next);
  for (size_t j = 0; j < keys; j++) prefetch_row(problem_value(p, b, first + j, g), Dv);
  job->kernels->pack_keys(keys, D, problem_key(p, b, first, g), p->key.token_stride, key + at * D);
  for (size_t j = 0; j < more; j++) prefetch_row(problem_key(p, b, next + j, g), D);
  for (size_t c = 0; c < Dv; c += W) {
    job->kernels->pack_values(keys, size_min(W, Dv - c), problem_value(p, b, first, g) + c,
                              p->value.token_stride, value + c * KEY_TILE + at * W);
  }
}

static const float *query_row(const Problem *p, size_t b, size_t g, size_t row) {
  return problem_query(p, b, row_token(p, row), row_head(p, g, row));
}

static void pack_queries(const Job *job, size_t b, size_t g, size_t row, size_t rows,
                         float *packed) {
  const Problem *const p = job->problem;
  for (size_t r = 0; r < rows; r += job->tiling.R) {
    const size_t here = size_min(job->tiling.R, rows - r);
    const size_t next = r + here, more = size_min(job->tiling.R, rows - next);
    const float *query[KERNEL_MAX_ROWS];
    for (size_t k = 0; k < more; k++) {
      prefetch_row(query_row(p, b, g, row + next + k), p->shape.head_dim);
    }
    for (size_t k = 0; k < here; k++) query[k] = query_row(p, b, g, row + r + k);
    job->kernels->pack_queries(here, p->shape.head_dim, query, p->scale * LOG2_E,
                               packed + r * p->shape.head_dim);
  }
}

/* One tile of keys of one kv head, wherever it is. */
typedef struct Tile {
  size_t first;             /* its first key */
  const float *key, *value; /* packed; or, in place, its first rows */
  KernelAhead next_key;     /* in place: the tile after it */
} Tile;

/* Tile number `tile` of kv head number `head`: packed before, packed now, or in place. */
static Tile fetch_tile(const Job *job, const Scratch *s, size_t head, size_t tile) {
  const Tiling *const t = &job->tiling;
  const Problem *const p = job->problem;
  const size_t b = head / p->shape.kv_heads, g = head % p->shape.kv_heads;
  const size_t first = tile * KEY_TILE, index = head * t->key_tiles + tile;
  switch (t->source) {
  case SOURCE_SHARED:
    return (Tile){.first = first,
                  .key = layout_at(job->workspace, t->keys_at) + index * t->key_tile_floats,
                  .value = layout_at(job->workspace, t->values_at) + index * t->value_tile_floats};
  case SOURCE_HEAD:
    return (Tile){.first = first,
                  .key = s->key + tile * t->key_tile_floats,
                  .value = s->value + tile * t->value_tile_floats};
  case SOURCE_LOCAL:
    for (size_t j = first; j < size_min(first + KEY_TILE, p->shape.key_tokens); j += t->W) {
      pack_panel(job, b, g, j, s->key, s->value);
    }
    return (Tile){.first = first, .key = s->key, .value = s->value};
  case SOURCE_DIRECT:
    break;
  }
  Tile place = {
      .first = first, .key = problem_key(p, b, first, g), .value = problem_value(p, b, first, g)};
  if (first + 2 * KEY_TILE <= p->shape.key_tokens) {
    place.next_key = (KernelAhead){problem_key(p, b, first + KEY_TILE, g), p->key.token_stride,
                                   p->shape.head_dim};
  }
  return place;
}

/* Scores of one register block against the first `keys` keys of a tile, padded to whole panels. */
static void score_block(const Job *job, const Scratch *s, size_t rows, size_t keys,
                        const float *query, const Tile *tile) {
  const Problem *const p = job->problem;
  if (job->tiling.source == SOURCE_DIRECT) {
    const KernelAhead values = {tile->value, p->value.token_stride, p->shape.value_dim};
    job->kernels->direct_scores(rows, p->shape.head_dim, keys, query, tile->key,
                                p->key.token_stride, s->scores, KEY_TILE, values);
    return;
  }
  job->kernels->scores(rows, p->shape.head_dim, size_ceil_divide(keys, job->tiling.W), query,
                       tile->key, s->scores, KEY_TILE);
}

/* state := rescale * state + weights V over keys from .. to of a tile, for `rows` score rows. */
static void weigh_block(const Job *job, size_t rows, size_t from, size_t to, const float *weights,
                        const Tile *tile, const float *rescale, Online state) {
  const Tiling *const t = &job->tiling;
  if (t->source == SOURCE_DIRECT) {
    const size_t stride = job->problem->value.token_stride;
    job->kernels->direct_weigh(rows, to - from, job->problem->shape.value_dim, weights + from,
                               KEY_TILE, tile->value + from * stride, stride, rescale, state.acc,
                               state.stride, tile->next_key);
    return;
  }
  job->kernels->weigh(rows, to - from, t->value_panels, weights + from, KEY_TILE,
                      tile->value + from * t->W, (size_t)KEY_TILE * t->W, rescale, state.acc,
                      state.stride);
}

/* One register block (rows <= R, from row `row` of its kv head) against one tile of keys. */
static void attend_block(const Job *job, const Scratch *s, size_t row, size_t rows,
                         const float *query, const Tile *tile, Online state) {
  const Kernels *const kernels = job->kernels;
  const Problem *const p = job->problem;
  const size_t seen_by_first = row_visible(p, row), seen_by_last = row_visible(p, row + rows - 1);
  if (seen_by_last <= tile->first) return;

  const size_t keys = size_min(seen_by_last - tile->first, KEY_TILE);
  const size_t width = size_round_up(keys, job->tiling.W);
  score_block(job, s, rows, keys, query, tile);
  if (seen_by_first >= tile->first + keys && keys == width) {
    kernels->softmax_full(rows, width, s->scores, KEY_TILE, state.max, state.sum, s->rescale);
    weigh_block(job, rows, 0, keys, s->scores, tile, s->rescale, state);
    return;
  }

  size_t visible[KERNEL_MAX_ROWS];
  for (size_t r = 0; r < rows; r++) {
    const size_t seen = row_visible(p, row + r);
    visible[r] = seen <= tile->first ? 0 : size_min(seen - tile->first, keys);
  }
  kernels->softmax_ragged(rows, width, visible, s->scores, KEY_TILE, state.max, state.sum,
                          s->rescale);
  /* The keys that all rows see together, then each row's own end: a hidden value is never touched,
   * since 0 * NaN is NaN. */
  weigh_block(job, rows, 0, visible[0], s->scores, tile, s->rescale, state);
  for (size_t r = 0; r < rows; r++) {
    if (visible[r] == visible[0]) continue;
    weigh_block(job, 1, visible[0], visible[r], s->scores + r * KEY_TILE, tile, NULL,
                online_from(state, r));
  }
}

/* Rows row .. row + rows of a kv head against the visible tiles of a split, from an empty state. */
static void attend_split(const Job *job, const Scratch *s, size_t head, size_t row, size_t rows,
                         size_t split, Online state) {
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t end = size_min(row_visible(p, row + rows - 1), (split + 1) * KEY_SPLIT);
  online_init(state, rows);
  for (size_t first = split * KEY_SPLIT; first < end; first += KEY_TILE) {
    const Tile tile = fetch_tile(job, s, head, first / KEY_TILE);
    for (size_t r = 0; r < rows; r += t->R) {
      attend_block(job, s, row + r, size_min(t->R, rows - r), s->query + r * p->shape.head_dim,
                   &tile, online_from(state, r));
    }
  }
}

/* Where row `row` of kv head (b, g) goes. */
static float *out_row(const Problem *p, size_t b, size_t g, size_t row) {
  return problem_out(p, b, row_token(p, row), row_head(p, g, row));
}

static void finish_rows(const Problem *p, size_t head, size_t row, size_t rows, Online state) {
  const size_t b = head / p->shape.kv_heads, g = head % p->shape.kv_heads, ahead = 4;
  for (size_t r = 0; r < rows; r++) {
    const size_t i = row_token(p, row + r), h = row_head(p, g, row + r);
    float *const lse = problem_lse(p, b, i, h);
    if (r + ahead < rows) {
      prefetch_row_to_write(out_row(p, b, g, row + r + ahead), p->shape.value_dim);
    }
    online_finish(state, r, out_row(p, b, g, row + r));
    if (lse) *lse = online_lse(state, r);
  }
}

/* One panel of keys and values of all kv heads of a sequence. With heads side by side in memory a
 * token's row is then read from end to end, W rows at a time. */
static void pack_shared_panel(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  const size_t kv_heads = job->problem->shape.kv_heads;
  const size_t b = index / t->key_panels, first = index % t->key_panels * t->W;
  const double clock = profile_start(profiler);
  for (size_t g = 0; g < kv_heads; g++) {
    const size_t tile = (b * kv_heads + g) * t->key_tiles + first / KEY_TILE;
    pack_panel(job, b, g, first, layout_at(job->workspace, t->keys_at) + tile * t->key_tile_floats,
               layout_at(job->workspace, t->values_at) + tile * t->value_tile_floats);
  }
  profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
}

/* One query tile of one kv head, over all splits that it sees. */
static void attend_query_tile(const Job *job, const Scratch *s, size_t head, size_t tile) {
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t row = tile * t->query_tile, rows = size_min(t->query_tile, t->rows - row);
  const size_t splits = size_ceil_divide(row_visible(p, row + rows - 1), KEY_SPLIT);
  pack_queries(job, head / p->shape.kv_heads, head % p->shape.kv_heads, row, rows, s->query);
  attend_split(job, s, head, row, rows, 0, s->total);
  for (size_t split = 1; split < splits; split++) {
    attend_split(job, s, head, row, rows, split, s->split);
    online_merge(job->kernels, s->total, s->split, rows);
  }
  finish_rows(p, head, row, rows, s->total);
}

/* A piece of shared, local and direct work. Within a head the last tile, which sees the most keys,
 * comes first. */
static void attend_one_tile(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  const Scratch s = tiling_scratch(t, job->problem, job->workspace, thread);
  const double clock = profile_start(profiler);
  attend_query_tile(job, &s, index / t->query_tiles, t->query_tiles - 1 - index % t->query_tiles);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void attend_one_head(void *argument, size_t head, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  const Scratch s = tiling_scratch(t, p, job->workspace, thread);
  double clock = profile_start(profiler);
  for (size_t panel = 0; panel < t->key_panels; panel++) {
    const size_t first = panel * t->W, tile = first / KEY_TILE;
    pack_panel(job, head / p->shape.kv_heads, head % p->shape.kv_heads, first,
               s.key + tile * t->key_tile_floats, s.value + tile * t->value_tile_floats);
  }
  clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  for (size_t tile = 0; tile < t->query_tiles; tile++) attend_query_tile(job, &s, head, tile);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

/* All rows of one kv head over one split. */
static void attend_one_split(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const size_t head = index / job->tiling.splits, split = index % job->tiling.splits;
  const Scratch s = tiling_scratch(&job->tiling, p, job->workspace, thread);
  const double clock = profile_start(profiler);
  pack_queries(job, head / p->shape.kv_heads, head % p->shape.kv_heads, 0, job->tiling.rows,
               s.query);
  attend_split(job, &s, head, 0, job->tiling.rows, split,
               tiling_partial(&job->tiling, p, job->workspace, head, split));
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void merge_splits(void *argument, size_t head, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const double clock = profile_start(profiler);
  const Online total = tiling_partial(&job->tiling, p, job->workspace, head, 0);
  for (size_t split = 1; split < job->tiling.splits; split++) {
    online_merge(job->kernels, total, tiling_partial(&job->tiling, p, job->workspace, head, split),
                 job->tiling.rows);
  }
  finish_rows(p, head, 0, job->tiling.rows, total);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static size_t run(AttendContext *context, const Problem *p, void *workspace) {
  Job job = {context, context->kernels, p, tiling_of(context, p), workspace};
  const Tiling *const t = &job.tiling;
  const size_t threads = context->settings.threads;
  size_t pieces = t->heads * t->query_tiles;
  if (t->by_split) {
    pieces = t->heads * t->splits;
    parallel_for(threads, pieces, attend_one_split, &job);
    parallel_for(threads, t->heads, merge_splits, &job);
  } else if (t->source == SOURCE_HEAD) {
    pieces = t->heads;
    parallel_for(threads, pieces, attend_one_head, &job);
  } else {
    if (t->source == SOURCE_SHARED) {
      parallel_for(threads, p->shape.batch * t->key_panels, pack_shared_panel, &job);
    }
    parallel_for(threads, pieces, attend_one_tile, &job);
  }
  return parallel_allowed(size_min(threads, pieces));
}

const Path path_tiled = {
    .id = ATTEND_PATH_TILED,
    .nature = "online softmax over tiles of keys",
    .consider = consider,
    .run = run,
    .project = project_rows,
};
