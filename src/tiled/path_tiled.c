/* path_tiled.c - attention by online softmax over tiles of keys; never an Nq x Nk matrix.
 *
 *                 keys, in tiles of KEY_TILE anchored at key 0, in splits of KEY_SPLIT
 *               ┌────────┬────────┬────────┬────────┐
 *   query tile  │  full  │  full  │ ragged │ skipped│   rows of one kv head's group:
 *   (br rows)   │  full  │  full  │  full  │ ragged │   row = token * group + head in group
 *               └────────┴────────┴────────┴────────┘
 *
 * A query tile is a list of register blocks of R rows. Each block visits each tile of keys for
 * scores, softmax and weighted sum (query_tile.c, block.c), while the K and V panels of the tile
 * (128 KiB at D = Dv = 128) stay in L2. Where K and V come from is chosen for each sequence
 * (kv_source.h). In the bf16 precisions, queries, K, V and the weights of softmax are packed as
 * bf16 terms, and one kernel, `gemm_bf16`, makes the scores and the weighted sums. Everything
 * between them is fp32.
 *
 * Same row, same bits: the state of a row starts empty in each split and takes the tiles of the
 * split in order, and the splits merge in order. A tile or split without a key for the row changes
 * nothing. Every chain of operations belongs to one row. So neither the height of the query tile,
 * the rows beside it, the threads nor the order of work changes a bit.
 *
 * Owns the lists of work: packing for all threads, then pieces (a kv head, a query tile, or a split
 * where one query tile holds all rows and heads are too few for the threads), then the merges of
 * splits. Sequences with the most work come first.
 */
#include <stdio.h>

#include "cache/kvcache.h"
#include "layer/project.h"
#include "paths/show_scores.h"
#include "plan/path.h"
#include "platform/parallel.h"
#include "storage/storage.h"
#include "tiled/kv_source.h"
#include "tiled/query_tile.h"

/* Rows of scores are formed for a tap only where it asked for rows by number. */
static bool rows_are_shown(const AttendContext *context) {
  return context->tap && context->tap_count > 0;
}

/* The bf16 terms of K and V that the kernels multiply; 0 if they multiply other numbers. */
static size_t terms_multiplied(const Problem *p, const Tiling *t) {
  if (!t->first.source->as_stored || !p->cache) return t->bf16_terms;
  const StoredMatrix *const keys = &p->cache->keys;
  if (keys->number != KERNEL_BF16) return 0;
  return t->bf16_terms ? size_min(t->bf16_terms, keys->terms) : keys->terms;
}

/* The numbers that K and V are, as the end of the phrase on where they come from; "" for floats. */
static void describe_numbers(const Problem *p, const Tiling *t, char *text, size_t size) {
  const KernelNumber number = p->cache ? p->cache->keys.number : KERNEL_FP32;
  const bool named = number != KERNEL_FP32 && number != KERNEL_BF16;
  const size_t terms = terms_multiplied(p, t);
  char stored[16] = "";
  if (named) {
    snprintf(stored, sizeof stored, " %s %s", t->first.source->as_stored ? "in" : "from",
             number_name(number));
  }
  if (terms > 0) {
    snprintf(text, size, "%s (%zu bf16 term%s)", stored, terms, terms == 1 ? "" : "s");
  } else {
    snprintf(text, size, "%s", stored);
  }
}

static void fits(const AttendContext *context, const Problem *p, PathFit *fit) {
  Tiling *const t = &fit->tiled;
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
  const Tiling *const t = &fit->tiled;
  char numbers[64];
  (void)context;
  if (fit->refusal == PATH_NOT_COUNTABLE) {
    snprintf(text, ATTEND_REASON_SIZE,
             "packed keys and values of %zu sequences x %zu heads x %zu keys cannot be "
             "counted in bytes",
             p->shape.batch, p->shape.kv_heads, p->shape.key_tokens);
    return;
  }
  describe_numbers(p, t, numbers, sizeof numbers);
  snprintf(text, ATTEND_REASON_SIZE,
           "online softmax in tiles of %zu rows x %d keys, no score matrix; %s%s%s%s",
           t->query_tile, KEY_TILE, t->first.source->description, numbers,
           t->first.by_split ? ", keys split over threads" : "",
           problem_is_ragged(p) ? " (first sequence)" : "");
}

/* The plan that entry `index` of a list of work belongs to: the last one that begins at or before
 * it. `member` is the offset of first_piece, first_pack or first_merge. */
static const SequencePlan *find_plan(const Job *job, size_t index, size_t member) {
  size_t low = 0, high = job->problem->shape.batch;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    const size_t first =
        *(const size_t *)(const void *)((const char *)&job->plans[middle] + member);
    if (first <= index) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return &job->plans[low];
}

/* One panel of keys and values of all kv heads, for all threads. */
static void pack_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  Profiler *const profiler = &job->context->profiler;
  const SequencePlan *const plan = find_plan(job, index, offsetof(SequencePlan, first_pack));
  const double clock = profile_start(profiler);
  kv_source_pack_shared(job, plan, index - plan->first_pack);
  profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
}

/* A whole kv head, whose K and V the thread packs for itself. */
static void attend_head(const KvHead *head, size_t thread) {
  Profiler *const profiler = &head->job->context->profiler;
  double clock = profile_start(profiler);
  kv_source_pack_head(head);
  clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  for (size_t tile = 0; tile < head->plan->query_tiles; tile++) query_tile_attend(head, tile);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

/* One split or one query tile of a kv head. The last query tile sees the most keys and comes first.
 */
static void attend_part(const KvHead *head, size_t part, size_t thread) {
  const Job *const job = head->job;
  const SequencePlan *const plan = head->plan;
  Profiler *const profiler = &job->context->profiler;
  const double clock = profile_start(profiler);
  if (plan->by_split) {
    const size_t split = plan->split_begin + part;
    query_tile_attend_split(
        head, split,
        tiling_partial(job->tiling, job->problem, job->workspace, plan, head->g, split));
  } else {
    query_tile_attend(head, plan->query_tiles - 1 - part);
  }
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void attend_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const SequencePlan *const plan = find_plan(job, index, offsetof(SequencePlan, first_piece));
  const size_t piece = index - plan->first_piece;
  const size_t per_head = plan->pieces / job->problem->shape.kv_heads;
  const Scratch scratch = tiling_scratch(job->tiling, job->problem, job->workspace, thread);
  const KvHead head = {job, plan, piece / per_head, &scratch};
  if (plan->source->packed_by == PACKED_BY_ITS_THREAD) {
    attend_head(&head, thread);
  } else {
    attend_part(&head, piece % per_head, thread);
  }
  job->kernels->release();
}

/* The partial states of a kv head's splits, merged in order. */
static void merge_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const SequencePlan *const plan = find_plan(job, index, offsetof(SequencePlan, first_merge));
  const size_t g = index - plan->first_merge;
  const double clock = profile_start(profiler);
  const Online total = tiling_partial(job->tiling, p, job->workspace, plan, g, plan->split_begin);
  for (size_t split = plan->split_begin + 1; split < plan->split_end; split++) {
    online_merge(job->kernels, total,
                 tiling_partial(job->tiling, p, job->workspace, plan, g, split), plan->rows);
  }
  const KvHead head = {job, plan, g, NULL};
  query_tile_finish(&head, 0, plan->rows, total);
  profile_add(profiler, thread, ATTEND_PHASE_ATTENTION, clock);
}

static void run(AttendContext *context, const Problem *p, const PathFit *fit, void *workspace) {
  Job job = {.context = context,
             .kernels = context->kernels,
             .problem = p,
             .tiling = &fit->tiled,
             .workspace = workspace};
  job.plans = tiling_place_plans(context, job.tiling, p, workspace);
  const double depth = (double)(p->shape.head_dim + p->shape.value_dim);
  const size_t threads = parallel_worth(context->settings.threads, job.tiling->pairs / 2.0 * depth);
  Profiler *const profiler = &context->profiler;
  profile_gather(profiler, parallel_for(threads, job.tiling->packs, pack_piece, &job));
  profile_gather(profiler, parallel_for(threads, job.tiling->pieces, attend_piece, &job));
  profile_gather(profiler, parallel_for(threads, job.tiling->merges, merge_piece, &job));
  if (rows_are_shown(context)) show_scores(context, p, SHOW_BY_KERNELS, workspace);
}

static void count(Profiler *profiler, const CoreWork *work) {
  profile_count(profiler, ATTEND_PHASE_ATTENTION, work->score_flops + work->sum_flops,
                work->score_operand_bytes + work->sum_operand_bytes);
}

const Path PATH_RECORD(tiled) = {
    .id = ATTEND_PATH_TILED,
    .nature = "online softmax over tiles of keys",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = count,
    .project_bytes = project_bytes,
    .project = project_rows,
};
