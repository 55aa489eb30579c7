/* test_same_bits_cached.c - the tiled path gives a row the same bits from a cache as from plain
 * views.
 *
 * In every precision and storage: keys and values are such that the storage holds them exactly, so
 * that the views have the same numbers as the cache. Caches are filled in chunks of random lengths,
 * the sequences in turn, with pages of every size, contiguous, from a pool whose pages are handed
 * out in any order, and as a ring that has gone round; some have NaN and infinities in what no
 * query sees. All of a call's sequences are compared, each with a plain call over its keys.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/property/random_case.h"
#include "tests/support/core_check.h"
#include "tests/support/core_result.h"
#include "tests/support/part_of_problem.h"

#define SEQUENCES 3
#define LAST_CHUNK 20
#define RANDOM_CASES 300

/* What a cache is, and how the calls over it see it. */
typedef struct CachedCase {
  size_t block_tokens;
  bool pool;
  size_t window; /* of a ring, or 0 */
  CoreCase core; /* Nk: the longest sequence; the others are shorter */
} CachedCase;

/* Masks and biases cover the longest sequence's keys, and count keys of the sequence. */
static const CachedCase cases[] = {
    {128, false, 0, {.shape = {SEQUENCES, 1, 1300, 4, 1, 16, 16}}},
    {64, false, 0, {.shape = {SEQUENCES, 20, 700, 4, 2, 24, 40}, .options = {.softcap = 3.0f}}},
    {32,
     true,
     0,
     {.shape = {SEQUENCES, 7, 500, 6, 2, 16, 16},
      .options = {.mask = {.used = true, .hidden = 60}, .sinks = true}}},
    {64,
     true,
     0,
     {.shape = {SEQUENCES, 1, 2300, 2, 1, 32, 33},
      .options = {.bias = {.used = true, .hidden = 30}, .left = {true, 900}}}},
    {128,
     true,
     0,
     {.shape = {SEQUENCES, 17, 400, 3, 3, 40, 24},
      .bidirectional = true,
      .options = {.alibi = true, .right = {true, 3}}}},
    {32, false, 100, {.shape = {SEQUENCES, 1, 900, 4, 2, 16, 16}, .options = {.left = {true, 99}}}},
    {64,
     false,
     200,
     {.shape = {SEQUENCES, 20, 1500, 2, 1, 24, 24},
      .options = {.left = {true, 150}, .sinks = true, .softcap = 1.0f}}},
    {128,
     false,
     300,
     {.shape = {SEQUENCES, 5, 1100, 2, 2, 16, 16},
      .options = {.left = {true, 299}, .mask = {.used = true, .hidden = 50}}}},
    /* Windows that begin on both sides of a tile's end, at keys 122 to 141, with NaN before
     * them. */
    {32,
     false,
     0,
     {.shape = {SEQUENCES, 20, 300, 2, 2, 16, 16},
      .options = {.left = {true, 158}},
      .poison = POISON_HIDDEN}},
};

/* How long each sequence is: the first all of Nk, one of them shorter than the queries at times. */
static size_t length_of(const CoreProblem *problem, size_t b) {
  const size_t most = problem->spec.shape.key_tokens;
  if (b == 0) return most;
  return 1 + case_draw(problem->spec.seed, 500 + b, problem->spec.seed % 3 ? most : 30);
}

static AttendCache *open_cache(AttendContext *context, const CachedCase *spec,
                               AttendStorage storage) {
  const AttendShape *const s = &spec->core.shape;
  const AttendLayerShape layer = {16, s->query_heads, s->kv_heads, s->head_dim, s->value_dim};
  AttendCacheSettings settings;
  AttendCache *cache = NULL;
  attend_default_cache_settings(&settings);
  settings.sequences = SEQUENCES;
  settings.block_tokens = spec->block_tokens;
  settings.storage = storage;
  settings.window = spec->window;
  settings.capacity = spec->window ? spec->window + LAST_CHUNK : s->key_tokens;
  if (spec->pool)
    settings.pool_blocks =
        SEQUENCES * ((s->key_tokens + spec->block_tokens - 1) / spec->block_tokens);
  assert_ok(context, attend_open_cache(context, &layer, &settings, &cache));
  return cache;
}

static void append_tokens(AttendContext *context, AttendCache *cache, const CoreProblem *problem,
                          size_t b, size_t tokens) {
  const size_t first = attend_cache_length(cache, b);
  AttendView key = problem->key, value = problem->value;
  key.data += b * key.batch_stride + first * key.token_stride;
  value.data += b * value.batch_stride + first * value.token_stride;
  assert_ok(context, attend_append_cache(context, cache, b, tokens, key, value));
}

/* Fills all sequences but for their last tokens, then those in one piece each, so that a ring still
 * has what the first of them sees. */
static void fill_cache(AttendContext *context, AttendCache *cache, const CachedCase *spec,
                       const CoreProblem *problem) {
  const size_t queries = problem->spec.shape.query_tokens;
  const size_t most = spec->window ? LAST_CHUNK : 150;
  uint64_t turn = 1000;
  for (bool growing = true; growing;) {
    growing = false;
    for (size_t b = 0; b < SEQUENCES; b++) {
      const size_t length = length_of(problem, b), last = length < queries ? length : queries;
      const size_t left = length - last - attend_cache_length(cache, b);
      if (left == 0) continue;
      const size_t chunk = 1 + case_draw(problem->spec.seed, turn++, most);
      append_tokens(context, cache, problem, b, chunk < left ? chunk : left);
      growing = true;
    }
  }
  for (size_t b = 0; b < SEQUENCES; b++)
    append_tokens(context, cache, problem, b,
                  length_of(problem, b) - attend_cache_length(cache, b));
}

static Result cached_run(AttendContext *context, const AttendShape *shape, const AttendCache *cache,
                         AttendView query, const AttendOptions *options) {
  Result result = {.out_floats =
                       shape->batch * shape->query_tokens * shape->query_heads * shape->value_dim,
                   .lse_floats = shape->batch * shape->query_heads * shape->query_tokens};
  result.out = guarded_new(result.out_floats * sizeof(float), 0);
  result.lse = guarded_new(result.lse_floats * sizeof(float), 0);
  assert_ok(context, attend_cached_forward(context, shape, cache, query, options,
                                           attend_output_bnhd(result.out, shape->query_tokens,
                                                              shape->query_heads, shape->value_dim),
                                           result.lse));
  return result;
}

/* What is compared, and the case that it is of. */
#define LABEL_SIZE 64
static const char *label_of(char text[static LABEL_SIZE], const char *what,
                            const CoreProblem *problem) {
  snprintf(text, LABEL_SIZE, "%s, seed %" PRIu64, what, problem->spec.seed);
  return text;
}

/* A sequence's queries over its keys in plain views. */
static Part plain_part(const CoreProblem *problem, size_t b) {
  Part part = part_of_sequence(problem, b);
  part.shape.key_tokens = length_of(problem, b);
  part.options.q_start = (int64_t)part.shape.key_tokens - (int64_t)part.shape.query_tokens;
  return part;
}

/* The whole batch over the cache, in order and the other way round. */
static void check_batch(AttendContext *context, const AttendCache *cache,
                        const CoreProblem *problem) {
  static const size_t backwards[SEQUENCES] = {2, 1, 0};
  const AttendShape *const s = &problem->spec.shape;
  char label[LABEL_SIZE];
  Result in_order = cached_run(context, s, cache, problem->query, &problem->options);
  for (size_t b = 0; b < SEQUENCES; b++) {
    const Part part = plain_part(problem, b);
    Result plain = part_run(context, &part);
    for (size_t i = 0; i < s->query_tokens; i++)
      same_row(label_of(label, "from a cache", problem), s, &in_order, b, i, &part.shape, &plain, 0,
               i);
    AttendOptions options = part.options;
    AttendShape shape = part.shape;
    options.q_start = 0;
    options.cache_sequences = backwards + (SEQUENCES - 1 - b);
    Result alone = cached_run(context, &shape, cache, part.query, &options);
    for (size_t i = 0; i < s->query_tokens; i++)
      same_row(label_of(label, "one sequence of a cache", problem), &shape, &alone, 0, i,
               &part.shape, &plain, 0, i);
    result_free(&alone);
    result_free(&plain);
  }
  result_free(&in_order);
}

/* As a ragged batch: none of the first sequence's queries, the last one of the second's, all of the
 * third's. */
static void check_ragged(AttendContext *context, const AttendCache *cache,
                         const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t N = s->query_tokens, row = s->query_heads * s->head_dim;
  const size_t offsets[SEQUENCES + 1] = {0, 0, 1, 1 + N};
  char label[LABEL_SIZE];
  if (problem->options.mask.data || problem->options.bias.data) return;
  AttendShape shape = *s;
  AttendOptions options = problem->options;
  shape.query_tokens = 1 + N;
  options.query_offsets = offsets;
  float *const queries = new_bytes((1 + N) * row * sizeof *queries);
  for (size_t i = 0; i < 1 + N; i++)
    for (size_t h = 0; h < s->query_heads; h++)
      for (size_t d = 0; d < s->head_dim; d++)
        queries[i * row + h * s->head_dim + d] =
            problem_row(&problem->query, i ? 2 : 1, i ? i - 1 : N - 1, h)[d];
  Result ragged =
      cached_run(context, &shape, cache,
                 attend_view_bnhd(queries, 1 + N, s->query_heads, s->head_dim), &options);
  for (size_t b = 1; b < SEQUENCES; b++) {
    const Part part = plain_part(problem, b);
    Result plain = part_run(context, &part);
    for (size_t i = b == 1 ? N - 1 : 0; i < N; i++)
      same_row(label_of(label, "ragged", problem), &shape, &ragged, 0, b == 1 ? 0 : 1 + i,
               &part.shape, &plain, 0, i);
    result_free(&plain);
  }
  result_free(&ragged);
  free(queries);
}

/* Makes what lies before the window of the first query NaN and infinite. In a tile, and in a page,
 * it stands beside what is seen. */
static void poison_problem(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const int64_t reach = problem->options.window_left + (int64_t)s->query_tokens;
  for (size_t t = 0; problem->spec.poison && t < s->batch * s->key_tokens; t++)
    for (size_t g = 0; g < s->kv_heads; g++) {
      const size_t b = t / s->key_tokens, j = t % s->key_tokens;
      if ((int64_t)j + reach >= (int64_t)length_of(problem, b)) continue;
      float *const key = problem_row(&problem->key, b, j, g);
      float *const value = problem_row(&problem->value, b, j, g);
      for (size_t d = 0; d < s->head_dim; d++) key[d] = d % 2 ? INFINITY : NAN;
      for (size_t d = 0; d < s->value_dim; d++) value[d] = d % 2 ? NAN : -INFINITY;
    }
}

static void check_cached(const CachedCase *spec, uint64_t seed, Engine engine,
                         AttendStorage storage) {
  CoreCase core = spec->core;
  core.seed = seed;
  core.poison = POISON_NONE; /* of views, which says nothing of sequences of other lengths */
  CoreProblem problem = problem_new(&core);
  problem.spec.poison = spec->core.poison;
  problem_store(&problem, storage);
  poison_problem(&problem);
  AttendContext *context = engine_open(engine, 1 + seed % 3);
  AttendCache *cache = open_cache(context, spec, storage);
  fill_cache(context, cache, spec, &problem);
  check_batch(context, cache, &problem);
  check_ragged(context, cache, &problem);
  attend_close_cache(&cache);
  attend_close(&context);
  problem_free(&problem);
}

static void from_a_cache_or_from_views(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t c = 0; c < COUNT_OF(cases); c++)
    for (size_t k = 0; k < count; k++)
      for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
        const bool in_fp32 =
            engines[k].precision == ATTEND_PRECISION_FP32 && storage == ATTEND_STORAGE_FP32;
        for (uint64_t seed = 1; seed <= (in_fp32 ? 3 : 2); seed++)
          check_cached(&cases[c], seed, engines[k], (AttendStorage)storage);
      }
}

static CoreCase random_core(Draw *d, size_t window) {
  static const size_t dims[] = {1, 5, 16, 24, 33, 64};
  const size_t heads = 1 + draw(d, 2), keys = 30 + draw(d, draw(d, 8) ? 370 : 1500);
  const size_t D = dims[draw(d, COUNT_OF(dims))], Dv = dims[draw(d, COUNT_OF(dims))];
  CoreCase core = {.shape = {SEQUENCES, 1 + draw(d, LAST_CHUNK), keys, heads, heads, D, Dv},
                   .bidirectional = draw(d, 4) == 0};
  CaseOptions *const o = &core.options;
  core.shape.query_heads *= 1 + draw(d, 7);
  if (window || draw(d, 2)) o->left = (CaseWindow){true, (int64_t)draw(d, window ? window : 150)};
  if (draw(d, 4) == 0) o->right = (CaseWindow){true, (int64_t)draw(d, 10)};
  if (draw(d, 4) == 0) o->softcap = 2.0f;
  o->alibi = draw(d, 4) == 0;
  o->sinks = draw(d, 4) == 0;
  if (draw(d, 3) == 0) o->mask = (CaseGrid){true, 0, 30, 0, draw(d, 2) ? draw(d, keys) : 0};
  if (draw(d, 3) == 0) o->bias = (CaseGrid){true, 0, 30, 0, draw(d, 2) ? draw(d, keys) : 0};
  if (o->left.limited && draw(d, 2)) core.poison = POISON_HIDDEN;
  return core;
}

/* Any cache under any options, each case on one engine and in one storage. */
static void random_caches(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (uint64_t seed = 1; seed <= RANDOM_CASES; seed++) {
    Draw d = {seed, 0};
    CachedCase spec = {.block_tokens = (size_t)32 << draw(&d, 3)};
    if (draw(&d, 3) == 0) spec.window = 1 + draw(&d, 150);
    spec.pool = !spec.window && draw(&d, 2);
    spec.core = random_core(&d, spec.window);
    check_cached(&spec, seed, engines[draw(&d, count)],
                 (AttendStorage)(1 + draw(&d, ATTEND_STORAGE_COUNT - 1)));
  }
}

/* Every row over the cache against the oracle over `problem`. */
static void check_oracle(AttendContext *context, const AttendCache *cache,
                         const CoreProblem *problem, const char *name) {
  const AttendShape *const s = &problem->spec.shape;
  double *const scores = new_bytes(s->key_tokens * sizeof *scores);
  double *const row = new_bytes(s->value_dim * sizeof *row);
  Result got = cached_run(context, s, cache, problem->query, &problem->options);
  for (size_t r = 0; r < SEQUENCES * s->query_heads * s->query_tokens; r++) {
    const size_t b = r / (s->query_heads * s->query_tokens), h = r % s->query_heads;
    const size_t i = r / s->query_heads % s->query_tokens;
    OracleCore oracle = problem_oracle(problem);
    oracle.key_tokens = length_of(problem, b);
    oracle.q_start = (int64_t)oracle.key_tokens - (int64_t)s->query_tokens;
    const OracleRow expected = oracle_core_row(&oracle, b, i, h, scores, row, NULL, NULL);
    check_close(name, got.out + r * s->value_dim, row, s->value_dim);
    check_close("lse", got.lse + (b * s->query_heads + h) * s->query_tokens + i, &expected.lse, 1);
  }
  result_free(&got);
  free(scores);
  free(row);
}

/* All paths in fp32, over a cache in any storage that is given any numbers: what they give is the
 * attention of the numbers as they are stored, to the tolerance of fp32. */
static void numbers_are_those_stored(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t c = 0; c < COUNT_OF(cases); c++)
    for (size_t k = 0; k < count; k++) {
      const AttendStorage storage = (AttendStorage)(1 + (c + k) % (ATTEND_STORAGE_COUNT - 1));
      CoreCase core = cases[c].core;
      core.seed = 2 + c;
      CoreProblem problem = problem_new(&core);
      AttendContext *context = engine_open(engines[k], 2);
      AttendCache *cache = open_cache(context, &cases[c], storage);
      fill_cache(context, cache, &cases[c], &problem);
      problem_store(&problem, storage);
      check_oracle(context, cache, &problem, attend_path_name(engines[k].path));
      attend_close_cache(&cache);
      attend_close(&context);
      problem_free(&problem);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(from_a_cache_or_from_views),
      cmocka_unit_test(random_caches),
      cmocka_unit_test(numbers_are_those_stored),
  };
  return cmocka_run_group_tests_name("same_bits_cached", tests, NULL, NULL);
}
