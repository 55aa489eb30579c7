/* path_tiled.c - attention by online softmax over tiles of keys; never an Nq x Nk matrix.
 *
 *                 keys, in tiles of KEY_TILE anchored at key 0, in splits of KEY_SPLIT
 *               ┌────────┬────────┬────────┬────────┐
 *   query tile  │  full  │  full  │ ragged │ skipped│   rows of one kv head's group:
 *   (br rows)   │  full  │  full  │  full  │ ragged │   row = token * group + head in group
 *               └────────┴────────┴────────┴────────┘
 *
 * A query tile is a list of register blocks of R rows. For each tile of keys, each block goes through
 * scores, softmax and weigh while the tile's K and V panels (128 KiB at D = Dv = 128) stay in L2.
 * Tiles that no row of a block sees are skipped; only ragged ones see a mask.
 *
 * Same row, same bits: a row's state starts empty in each split, takes the tiles of the split in
 * order, and the splits merge in order. Every chain of operations belongs to one row, so neither the
 * tile's height, the rows beside it, the threads nor the order of work changes a bit.
 *
 * Two ways to share the work, with the same bits:
 *   shared   K and V of all kv heads are packed once, by all threads; then every (kv head, query
 *            tile) is a piece of work. Prefill.
 *   direct   one query tile holds all rows of a kv head, so nothing would be packed for a second
 *            use: each tile of keys is packed into the thread's scratch when its turn comes. If
 *            heads are too few for the threads, each split is a piece of work of its own, and the
 *            partial states merge afterwards. Decode.
 */
#include "online.h"
#include "parallel.h"
#include "path.h"
#include "project.h"
#include "size.h"

#define KEY_TILE 128   /* bc; a multiple of every ISA's panel */
#define KEY_SPLIT 1024 /* a multiple of KEY_TILE */
#define QUERY_TILE                                                                                 \
  96 /* br at most; a multiple of every ISA's rows. Q and O of it: 96 KiB at D = 128 */
#define LOG2_E 1.44269504088896340736f

/* Offsets and sizes of one call. Floats unless they say bytes. */
typedef struct Tiling {
  size_t R, W;
  size_t rows;                               /* of one kv head: Nq * group */
  size_t query_tile;                         /* br */
  size_t query_tiles;                        /* per kv head */
  size_t key_tiles;                          /* over all keys that any row sees */
  size_t splits;                             /* likewise */
  size_t value_panels;                       /* panels across Dv */
  size_t acc_stride;                         /* value_panels * W */
  size_t key_tile_floats, value_tile_floats; /* one packed tile of one kv head */
  bool direct;
  bool by_split; /* direct, and each split is a piece of work */
  size_t heads;  /* B * Hk */

  size_t keys_at, values_at; /* packed, for all heads; shared only. Byte offsets */
  size_t partials_at;        /* states of all splits; by_split only */
  size_t partial_bytes;      /* one of them */
  size_t threads_at, thread_bytes;
  size_t bytes;
  bool overflow;
} Tiling;

/* One thread's scratch. */
typedef struct Scratch {
  float *query;        /* [br / R] blocks of [D][R] */
  float *scores;       /* [R, KEY_TILE] */
  float *rescale;      /* [R] */
  float *key, *value;  /* one packed tile; direct only */
  Online split, total; /* [br] */
} Scratch;

static Online place_online(void *base, Layout *layout, size_t rows, size_t columns, size_t stride) {
  const size_t max = layout_floats(layout, rows, 1), sum = layout_floats(layout, rows, 1);
  const size_t acc = layout_floats(layout, rows, stride);
  if (!base) return (Online){.columns = columns, .stride = stride};
  return (Online){layout_at(base, max), layout_at(base, sum), layout_at(base, acc), columns,
                  stride};
}

/* Lays out a thread's scratch at base, or only measures it where base is null. */
static Scratch place_scratch(const Tiling *t, const Problem *p, void *base, Layout *layout) {
  const size_t Dv = p->shape.value_dim;
  const size_t query = layout_floats(layout, t->query_tile, p->shape.head_dim);
  const size_t scores = layout_floats(layout, t->R, KEY_TILE);
  const size_t rescale = layout_floats(layout, KERNEL_MAX_ROWS, 1);
  const size_t key = layout_floats(layout, t->direct ? t->key_tile_floats : 0, 1);
  const size_t value = layout_floats(layout, t->direct ? t->value_tile_floats : 0, 1);
  Scratch s = {.split = place_online(base, layout, t->query_tile, Dv, t->acc_stride),
               .total = place_online(base, layout, t->query_tile, Dv, t->acc_stride)};
  if (base) {
    s.query = layout_at(base, query);
    s.scores = layout_at(base, scores);
    s.rescale = layout_at(base, rescale);
    s.key = layout_at(base, key);
    s.value = layout_at(base, value);
  }
  return s;
}

/* Rows of a query tile: as many as fit, fewer where that would leave threads without work. Few rows
 * against many keys stay together, since splits of the keys then share the work. */
static size_t choose_query_tile(const Tiling *t, size_t threads) {
  const size_t all = size_max(size_round_up(t->rows, t->R), t->R);
  if (all <= 2 * t->R || (all <= QUERY_TILE && t->splits > 1)) return all;
  const size_t pieces = size_ceil_divide(4 * threads, t->heads);
  const size_t fair = size_round_up(size_ceil_divide(t->rows, pieces), t->R);
  return size_min(fair, QUERY_TILE);
}

static Tiling tiling_of(const AttendContext *context, const Problem *p) {
  const AttendShape *const s = &p->shape;
  Layout layout = {0};
  bool *const overflow = &layout.overflow;
  Tiling t = {.R = context->kernels->rows, .W = context->kernels->panel};
  t.heads = size_multiply(s->batch, s->kv_heads, overflow);
  t.rows = size_multiply(s->query_tokens, p->group, overflow);
  const size_t seen = s->query_tokens ? problem_visible(p, s->query_tokens - 1) : 0;
  t.key_tiles = size_ceil_divide(seen, KEY_TILE);
  t.splits = size_ceil_divide(seen, KEY_SPLIT);
  t.query_tile = choose_query_tile(&t, context->settings.threads);
  t.query_tiles = size_ceil_divide(t.rows, t.query_tile);
  t.value_panels = size_ceil_divide(s->value_dim, t.W);
  t.acc_stride = size_multiply(t.value_panels, t.W, overflow);
  t.key_tile_floats = size_multiply(s->head_dim, KEY_TILE, overflow);
  t.value_tile_floats = size_multiply(t.acc_stride, KEY_TILE, overflow);
  t.direct = t.query_tiles <= 1;
  t.by_split = t.direct && t.splits > 1 && t.heads < 4 * context->settings.threads;

  if (!t.direct) {
    const size_t tiles = size_multiply(t.heads, t.key_tiles, overflow);
    t.keys_at = layout_floats(&layout, tiles, t.key_tile_floats);
    t.values_at = layout_floats(&layout, tiles, t.value_tile_floats);
  }
  if (t.by_split) {
    Layout one = {0};
    place_online(NULL, &one, t.query_tile, s->value_dim, t.acc_stride);
    t.partial_bytes = one.bytes;
    t.partials_at = layout_floats(&layout, size_multiply(t.heads, t.splits, overflow),
                                  one.bytes / sizeof(float));
  }
  Layout scratch = {.overflow = layout.overflow};
  place_scratch(&t, p, NULL, &scratch);
  t.thread_bytes = scratch.bytes;
  t.threads_at = layout_floats(&layout, context->settings.threads, scratch.bytes / sizeof(float));
  t.bytes = layout.bytes;
  t.overflow = layout.overflow || scratch.overflow;
  return t;
}

static AttendStatus consider(const AttendContext *context, const Problem *p, PathNeeds *needs,
                             Fault *reason) {
  const Tiling t = tiling_of(context, p);
  *needs =
      (PathNeeds){.workspace_bytes = t.bytes, .query_tile = t.query_tile, .key_tile = KEY_TILE};
  if (t.overflow) {
    return fault_set(reason, ATTEND_STATUS_OVERFLOW,
                     "packed keys and values of %zu heads x %zu keys cannot be counted in bytes",
                     t.heads, p->shape.key_tokens);
  }
  fault_set(reason, ATTEND_OK, "online softmax in tiles of %zu rows x %d keys, no score matrix%s",
            t.query_tile, KEY_TILE,
            !t.direct    ? "; K and V packed once"
            : t.by_split ? "; K and V packed tile by tile, keys split over threads"
                         : "; K and V packed tile by tile");
  return ATTEND_OK;
}

typedef struct Job {
  AttendContext *context;
  const Kernels *kernels;
  const Problem *problem;
  Tiling tiling;
  void *workspace;
} Job;

static Scratch thread_scratch(const Job *job, size_t thread) {
  const Tiling *const t = &job->tiling;
  Layout layout = {0};
  char *const base = (char *)job->workspace + t->threads_at + thread * t->thread_bytes;
  return place_scratch(t, job->problem, base, &layout);
}

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

/* Packs the keys and values of one tile of kv head (b, g) that starts at key `first`. */
static void pack_tile(const Job *job, size_t b, size_t g, size_t first, float *key, float *value) {
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t keys = size_min(KEY_TILE, p->shape.key_tokens - first);
  for (size_t j = 0; j < keys; j += t->W) {
    job->kernels->pack_keys(size_min(t->W, keys - j), p->shape.head_dim,
                            problem_key(p, b, first + j, g), p->key.token_stride,
                            key + j * p->shape.head_dim);
  }
  for (size_t c = 0; c < p->shape.value_dim; c += t->W) {
    job->kernels->pack_values(keys, size_min(t->W, p->shape.value_dim - c),
                              problem_value(p, b, first, g) + c, p->value.token_stride,
                              value + c * KEY_TILE);
  }
}

static void pack_queries(const Job *job, size_t b, size_t g, size_t row, size_t rows,
                         float *packed) {
  const Problem *const p = job->problem;
  for (size_t r = 0; r < rows; r += job->tiling.R) {
    const size_t here = size_min(job->tiling.R, rows - r);
    const float *query[KERNEL_MAX_ROWS];
    for (size_t k = 0; k < here; k++) {
      query[k] = problem_query(p, b, row_token(p, row + r + k), row_head(p, g, row + r + k));
    }
    job->kernels->pack_queries(here, p->shape.head_dim, query, p->scale * LOG2_E,
                               packed + r * p->shape.head_dim);
  }
}

/* One register block (rows <= R) against one tile of keys that starts at key `first`. */
static void attend_block(const Job *job, const Scratch *s, size_t row, size_t rows, size_t first,
                         const float *query, const float *key, const float *value, Online state) {
  const Kernels *const kernels = job->kernels;
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t seen_by_first = row_visible(p, row), seen_by_last = row_visible(p, row + rows - 1);
  if (seen_by_last <= first) return;

  const size_t keys = size_min(seen_by_last - first, KEY_TILE);
  const size_t panels = size_ceil_divide(keys, t->W);
  const size_t panel_stride = (size_t)KEY_TILE * t->W;
  kernels->scores(rows, p->shape.head_dim, panels, query, key, s->scores, KEY_TILE);
  if (seen_by_first >= first + keys && keys == panels * t->W) {
    kernels->softmax_full(rows, keys, s->scores, KEY_TILE, state.max, state.sum, s->rescale);
    kernels->weigh(rows, keys, t->value_panels, s->scores, KEY_TILE, value, panel_stride,
                   s->rescale, state.acc, state.stride);
    return;
  }

  size_t visible[KERNEL_MAX_ROWS];
  for (size_t r = 0; r < rows; r++) {
    const size_t seen = row_visible(p, row + r);
    visible[r] = seen <= first ? 0 : size_min(seen - first, keys);
  }
  kernels->softmax_ragged(rows, panels * t->W, visible, s->scores, KEY_TILE, state.max, state.sum,
                          s->rescale);
  /* The keys that all rows see together, then each row's own end: a hidden value is never touched,
   * since 0 * NaN is NaN. */
  kernels->weigh(rows, visible[0], t->value_panels, s->scores, KEY_TILE, value, panel_stride,
                 s->rescale, state.acc, state.stride);
  for (size_t r = 0; r < rows; r++) {
    if (visible[r] == visible[0]) continue;
    kernels->weigh(1, visible[r] - visible[0], t->value_panels,
                   s->scores + r * KEY_TILE + visible[0], KEY_TILE, value + visible[0] * t->W,
                   panel_stride, NULL, state.acc + r * state.stride, state.stride);
  }
}

/* Packed tile number `tile` of kv head number `head`: from the shared copy, or packed now. */
static void fetch_tile(const Job *job, const Scratch *s, size_t head, size_t tile,
                       const float **key, const float **value) {
  const Tiling *const t = &job->tiling;
  if (t->direct) {
    pack_tile(job, head / job->problem->shape.kv_heads, head % job->problem->shape.kv_heads,
              tile * KEY_TILE, s->key, s->value);
    *key = s->key;
    *value = s->value;
    return;
  }
  const size_t index = head * t->key_tiles + tile;
  *key = layout_at(job->workspace, t->keys_at) + index * t->key_tile_floats;
  *value = layout_at(job->workspace, t->values_at) + index * t->value_tile_floats;
}

/* Rows row .. row + rows of a kv head against the visible tiles of one split, into an empty state. */
static void attend_split(const Job *job, const Scratch *s, size_t head, size_t row, size_t rows,
                         size_t split, Online state) {
  const Problem *const p = job->problem;
  const size_t end = size_min(row_visible(p, row + rows - 1), (split + 1) * KEY_SPLIT);
  online_init(state, rows);
  for (size_t first = split * KEY_SPLIT; first < end; first += KEY_TILE) {
    const float *key, *value;
    fetch_tile(job, s, head, first / KEY_TILE, &key, &value);
    for (size_t r = 0; r < rows; r += job->tiling.R) {
      attend_block(job, s, row + r, size_min(job->tiling.R, rows - r), first,
                   s->query + r * p->shape.head_dim, key, value, online_from(state, r));
    }
  }
}

static void finish_rows(const Problem *p, size_t head, size_t row, size_t rows, Online state) {
  const size_t b = head / p->shape.kv_heads, g = head % p->shape.kv_heads;
  for (size_t r = 0; r < rows; r++) {
    const size_t i = row_token(p, row + r), h = row_head(p, g, row + r);
    float *const lse = problem_lse(p, b, i, h);
    online_finish(state, r, problem_out(p, b, i, h));
    if (lse) *lse = online_lse(state, r);
  }
}

static void pack_shared_tile(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  const size_t head = index / t->key_tiles, tile = index % t->key_tiles;
  const size_t kv_heads = job->problem->shape.kv_heads;
  const double clock = profile_start(profiler);
  pack_tile(job, head / kv_heads, head % kv_heads, tile * KEY_TILE,
            layout_at(job->workspace, t->keys_at) + index * t->key_tile_floats,
            layout_at(job->workspace, t->values_at) + index * t->value_tile_floats);
  profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
}

/* One query tile of one kv head, over all splits that it sees. Within a head the last tile, which
 * sees the most keys, comes first. */
static void attend_query_tile(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  Profiler *const profiler = &job->context->profiler;
  const size_t head = index / t->query_tiles;
  const size_t row = (t->query_tiles - 1 - index % t->query_tiles) * t->query_tile;
  const size_t rows = size_min(t->query_tile, t->rows - row);
  const size_t splits = size_ceil_divide(row_visible(p, row + rows - 1), KEY_SPLIT);
  const Scratch s = thread_scratch(job, thread);

  const double clock = profile_start(profiler);
  pack_queries(job, head / p->shape.kv_heads, head % p->shape.kv_heads, row, rows, s.query);
  attend_split(job, &s, head, row, rows, 0, s.total);
  for (size_t split = 1; split < splits; split++) {
    attend_split(job, &s, head, row, rows, split, s.split);
    online_merge(job->kernels, s.total, s.split, rows);
  }
  finish_rows(p, head, row, rows, s.total);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static Online partial_state(const Job *job, size_t head, size_t split) {
  const Tiling *const t = &job->tiling;
  Layout layout = {0};
  char *const base =
      (char *)job->workspace + t->partials_at + (head * t->splits + split) * t->partial_bytes;
  return place_online(base, &layout, t->query_tile, job->problem->shape.value_dim, t->acc_stride);
}

/* All rows of one kv head over one split. */
static void attend_one_split(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const size_t head = index / job->tiling.splits, split = index % job->tiling.splits;
  const Scratch s = thread_scratch(job, thread);
  const double clock = profile_start(profiler);
  pack_queries(job, head / p->shape.kv_heads, head % p->shape.kv_heads, 0, job->tiling.rows,
               s.query);
  attend_split(job, &s, head, 0, job->tiling.rows, split, partial_state(job, head, split));
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void merge_splits(void *argument, size_t head, size_t thread) {
  const Job *const job = argument;
  Profiler *const profiler = &job->context->profiler;
  const double clock = profile_start(profiler);
  const Online total = partial_state(job, head, 0);
  for (size_t split = 1; split < job->tiling.splits; split++) {
    online_merge(job->kernels, total, partial_state(job, head, split), job->tiling.rows);
  }
  finish_rows(job->problem, head, 0, job->tiling.rows, total);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void run(AttendContext *context, const Problem *p, void *workspace) {
  Job job = {context, context->kernels, p, tiling_of(context, p), workspace};
  const Tiling *const t = &job.tiling;
  const size_t threads = context->settings.threads;
  if (t->by_split) {
    parallel_for(threads, t->heads * t->splits, attend_one_split, &job);
    parallel_for(threads, t->heads, merge_splits, &job);
    return;
  }
  if (!t->direct) parallel_for(threads, t->heads * t->key_tiles, pack_shared_tile, &job);
  parallel_for(threads, t->heads * t->query_tiles, attend_query_tile, &job);
}

const Path path_tiled = {
    .id = ATTEND_PATH_TILED,
    .nature = "online softmax over tiles of keys",
    .consider = consider,
    .run = run,
    .project = project_with_blas,
};
