/* cache_model.c - what a cache must hold and refuse, by the rules of attend.h, and random
 * operations. */
#include "tests/support/cache_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t row_floats(const CacheModel *m) {
  return m->shape.kv_heads * (m->shape.head_dim + m->shape.value_dim);
}

static size_t blocks_of(const CacheModel *m, size_t tokens) {
  return (tokens + m->settings.block_tokens - 1) / m->settings.block_tokens;
}

CacheModel model_open(const AttendLayerShape *shape, const AttendCacheSettings *settings) {
  CacheModel m = {.shape = *shape, .settings = *settings};
  m.context = auto_open(1);
  assert_ok(m.context, attend_open_cache(m.context, shape, settings, &m.cache));
  m.capacity = blocks_of(&m, settings->capacity) * settings->block_tokens;
  assert_int_equal(attend_cache_capacity(m.cache), m.capacity);
  assert_true(settings->sequences <= MODEL_SEQUENCES);
  assert_true(blocks_of(&m, settings->capacity) <= MODEL_PAGES);
  snprintf(m.label, sizeof m.label, "after opening");
  model_check(&m);
  return m;
}

void model_close(CacheModel *m) {
  for (size_t s = 0; s < MODEL_SEQUENCES; s++) free(m->sequences[s].rows);
  attend_close_cache(&m->cache);
  assert_null(m->cache);
  attend_close(&m->context);
}

/* Makes room for so many tokens and fills those from `from` on with numbers never used before,
 * which the storage holds exactly. */
static void make_rows(CacheModel *m, ModelSequence *s, size_t from, size_t tokens) {
  const size_t width = row_floats(m);
  if (tokens > s->room) {
    s->room = 2 * tokens;
    s->rows = realloc(s->rows, s->room * width * sizeof *s->rows);
    if (!s->rows) fail_msg("the test could not keep %zu tokens", s->room);
  }
  for (size_t t = from; t < tokens; t++) {
    fill_random(++m->tokens_made, 1.0f, s->rows + t * width, width);
    round_to_storage(m->settings.storage, s->rows + t * width, width);
  }
}

static bool names_block(const CacheModel *m, size_t sequence, size_t block) {
  const ModelSequence *const s = &m->sequences[sequence];
  for (size_t p = 0; p < blocks_of(m, s->length); p++)
    if (s->pages[p] == block) return true;
  return false;
}

/* Pages that some sequence names, each counted once. */
static size_t blocks_in_use(const CacheModel *m) {
  size_t count = 0;
  for (size_t s = 0; s < m->settings.sequences; s++)
    for (size_t p = 0; p < blocks_of(m, m->sequences[s].length); p++) {
      bool counted = false;
      for (size_t t = 0; t < s; t++)
        counted = counted || names_block(m, t, m->sequences[s].pages[p]);
      count += !counted;
    }
  return count;
}

static bool pool_suffices(const CacheModel *m) {
  return m->settings.pool_blocks == 0 || blocks_in_use(m) <= m->settings.pool_blocks;
}

static void check_rows(const CacheModel *m, size_t sequence) {
  const ModelSequence *const s = &m->sequences[sequence];
  const size_t width = row_floats(m), tokens = s->length - s->first;
  const size_t key_floats = m->shape.kv_heads * m->shape.head_dim;
  const size_t value_floats = m->shape.kv_heads * m->shape.value_dim;
  StoredRows got = cache_read(m->context, m->cache, &m->shape, sequence, s->first, tokens);
  for (size_t t = 0; t < tokens; t++) {
    const float *const expected = s->rows + (s->first + t) * width;
    if (memcmp(got.key + t * key_floats, expected, key_floats * sizeof *expected) != 0)
      fail_msg("%s: sequence %zu, token %zu of %zu: another key", m->label, sequence, s->first + t,
               s->length);
    if (memcmp(got.value + t * value_floats, expected + key_floats,
               value_floats * sizeof *expected) != 0)
      fail_msg("%s: sequence %zu, token %zu of %zu: another value", m->label, sequence,
               s->first + t, s->length);
  }
  stored_rows_free(&got);
}

/* Tokens before the first one kept and behind the last one cannot be read. */
static void check_ends(const CacheModel *m, size_t sequence) {
  const ModelSequence *const s = &m->sequences[sequence];
  const size_t heads = m->shape.kv_heads;
  float *const buffer = new_bytes(row_floats(m) * sizeof *buffer);
  const AttendOutputView key = attend_output_bnhd(buffer, 1, heads, m->shape.head_dim);
  const AttendOutputView value =
      attend_output_bnhd(buffer + heads * m->shape.head_dim, 1, heads, m->shape.value_dim);
  const size_t gone[] = {s->length, s->first - 1};
  for (size_t k = 0; k < (s->first > 0 ? 2 : 1); k++)
    if (attend_read_cache(m->context, m->cache, sequence, gone[k], 1, key, value) !=
        ATTEND_STATUS_BAD_SIZE)
      fail_msg("%s: sequence %zu: token %zu can be read, but %zu to %zu are kept", m->label,
               sequence, gone[k], s->first, s->length);
  free(buffer);
}

static void check_number(const CacheModel *m, const char *what, size_t got, size_t expected) {
  if (got != expected) fail_msg("%s: %s is %zu, expected %zu", m->label, what, got, expected);
}

void model_check(const CacheModel *m) {
  const size_t pool = m->settings.pool_blocks;
  check_number(m, "the number of free pages", attend_cache_free_blocks(m->cache),
               pool ? pool - blocks_in_use(m) : 0);
  for (size_t s = 0; s < m->settings.sequences; s++) {
    check_number(m, "a length", attend_cache_length(m->cache, s), m->sequences[s].length);
    check_number(m, "a first token", attend_cache_first(m->cache, s), m->sequences[s].first);
    check_rows(m, s);
    check_ends(m, s);
  }
}

/* Compares how an operation ended, then everything. */
static bool end_operation(CacheModel *m, AttendStatus got, AttendStatus expected) {
  snprintf(m->sentence, sizeof m->sentence, "%s", attend_get_error(m->context));
  if (got != expected)
    fail_msg("%s: status is %s (\"%s\"), expected %s", m->label, attend_status_name(got),
             attend_get_error(m->context), attend_status_name(expected));
  model_check(m);
  return expected == ATTEND_OK;
}

/* Gives a sequence of a pool new pages for so many more tokens; returns whether one of them takes
 * the place of a page that others name too. */
static bool add_blocks(CacheModel *m, ModelSequence *s, size_t tokens) {
  const size_t sequence = (size_t)(s - m->sequences);
  bool shared = false;
  if (tokens > 0 && s->length % m->settings.block_tokens != 0) {
    size_t *const open = &s->pages[s->length / m->settings.block_tokens];
    for (size_t other = 0; other < m->settings.sequences; other++)
      shared = shared || (other != sequence && names_block(m, other, *open));
    if (shared) *open = ++m->block_number;
  }
  for (size_t p = blocks_of(m, s->length); p < blocks_of(m, s->length + tokens); p++)
    s->pages[p] = ++m->block_number;
  return shared;
}

/* Makes the sequence longer, if there is room. */
static bool grow(CacheModel *m, ModelSequence *s, size_t tokens) {
  const ModelSequence before = *s;
  const size_t window = m->settings.window;
  if (s->length + tokens > m->capacity && (!window || window + tokens > m->capacity)) return false;
  const bool copied = m->settings.pool_blocks > 0 && add_blocks(m, s, tokens);
  s->length += tokens;
  if (s->length > s->first + m->capacity) s->first = s->length - m->capacity;
  if (pool_suffices(m)) {
    m->counts.copies += copied;
    return true;
  }
  *s = before;
  return false;
}

bool model_append(CacheModel *m, size_t sequence, size_t tokens) {
  ModelSequence *const s = &m->sequences[sequence];
  const AttendLayerShape *const shape = &m->shape;
  const size_t first = s->length, width = row_floats(m);
  make_rows(m, s, first, first + tokens);
  const bool fits = grow(m, s, tokens);
  *(fits ? &m->counts.appends : &m->counts.full_appends) += 1;
  const float *const rows = s->rows + first * width;
  const AttendView key = {rows, 0, width, shape->head_dim};
  const AttendView value = {rows + shape->kv_heads * shape->head_dim, 0, width, shape->value_dim};
  return end_operation(m, attend_append_cache(m->context, m->cache, sequence, tokens, key, value),
                       fits ? ATTEND_OK : ATTEND_STATUS_CACHE_FULL);
}

bool model_truncate(CacheModel *m, size_t sequence, size_t length) {
  ModelSequence *const s = &m->sequences[sequence];
  const size_t window = m->settings.window;
  const size_t needed = length > window ? length - window : 0;
  const bool allowed = length == 0 || (length <= s->length && s->first <= needed);
  *(allowed ? &m->counts.truncations : &m->counts.refused_truncations) += 1;
  if (allowed) s->length = length;
  if (allowed && length == 0) s->first = 0;
  return end_operation(m, attend_truncate_cache(m->cache, sequence, length),
                       allowed ? ATTEND_OK : ATTEND_STATUS_BAD_SIZE);
}

/* Pages of `to` after a fork: the full ones shared, the open one its own. */
static bool share(CacheModel *m, size_t from, size_t to, size_t length) {
  ModelSequence *const t = &m->sequences[to];
  const ModelSequence *const f = &m->sequences[from];
  const ModelSequence before = *t;
  t->length = length;
  t->first = f->first;
  if (m->settings.pool_blocks > 0) {
    memcpy(t->pages, f->pages, sizeof t->pages);
    if (length % m->settings.block_tokens != 0)
      t->pages[length / m->settings.block_tokens] = ++m->block_number;
  }
  if (pool_suffices(m)) return true;
  *t = before;
  return false;
}

bool model_fork(CacheModel *m, size_t from, size_t to, size_t length) {
  ModelSequence *const f = &m->sequences[from], *const t = &m->sequences[to];
  AttendStatus expected = ATTEND_OK;
  if (from == to || length > f->length || (m->settings.window && length != f->length)) {
    expected = ATTEND_STATUS_BAD_SIZE;
    m->counts.refused_forks++;
  } else if (!share(m, from, to, length)) {
    expected = ATTEND_STATUS_CACHE_FULL;
    m->counts.full_forks++;
  } else {
    m->counts.forks++;
    make_rows(m, t, length, length);
    if (length > 0) memcpy(t->rows, f->rows, length * row_floats(m) * sizeof *t->rows);
  }
  return end_operation(m, attend_fork_cache(m->context, m->cache, from, to, length), expected);
}

/* A number below `limit`, by SplitMix64. */
static size_t draw(uint64_t *state, size_t limit) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (size_t)((z ^ (z >> 31)) % limit);
}

/* One token as often as not; else about a page, or anything up to more than there is room for. */
static size_t draw_tokens(const CacheModel *m, uint64_t *state) {
  switch (draw(state, 6)) {
  case 0:
    return draw(state, m->capacity + 2);
  case 1:
  case 2:
    return draw(state, m->settings.block_tokens + 2);
  default:
    return 1;
  }
}

/* A length to return to: 0 now and then, mostly not far back, sometimes one that was not
 * reached. */
static size_t draw_length(const CacheModel *m, uint64_t *state, size_t length) {
  const size_t far = 2 * m->settings.block_tokens;
  if (draw(state, 8) == 0) return 0;
  if (draw(state, 8) == 0) return length + 1;
  return length - draw(state, (length < far ? length : far) + 1);
}

static void run_operations(CacheModel *m, uint64_t seed, size_t operations) {
  uint64_t state = seed;
  for (size_t k = 0; k < operations; k++) {
    const size_t kind = draw(&state, 8), s = draw(&state, m->settings.sequences);
    const size_t t = draw(&state, m->settings.sequences), held = m->sequences[s].length;
    const int head =
        snprintf(m->label, sizeof m->label,
                 "seed %" PRIu64 ", operation %zu, block %zu, pool %zu, window %zu, ", seed, k,
                 m->settings.block_tokens, m->settings.pool_blocks, m->settings.window);
    char *const rest = m->label + head;
    const size_t size = sizeof m->label - (size_t)head;
    if (kind < 5) {
      const size_t tokens = draw_tokens(m, &state);
      snprintf(rest, size, "append %zu to %zu", tokens, s);
      model_append(m, s, tokens);
    } else if (kind < 7) {
      const size_t length = draw_length(m, &state, held);
      snprintf(rest, size, "truncate %zu to %zu", s, length);
      model_truncate(m, s, length);
    } else {
      const size_t length = draw(&state, 2) ? held : draw_length(m, &state, held);
      snprintf(rest, size, "fork %zu of %zu to %zu", length, s, t);
      model_fork(m, s, t, length);
    }
  }
}

static void require_more(const ModelCounts *counts, const ModelCounts *least) {
  assert_true(counts->appends > least->appends);
  assert_true(counts->full_appends > least->full_appends);
  assert_true(counts->truncations > least->truncations);
  assert_true(counts->refused_truncations > least->refused_truncations);
  assert_true(counts->forks > least->forks);
  assert_true(counts->refused_forks > least->refused_forks);
  assert_true(least->full_forks == 0 || counts->full_forks > least->full_forks);
  assert_true(least->copies == 0 || counts->copies > least->copies);
}

void model_run(const AttendLayerShape *shape, const AttendCacheSettings *settings, uint64_t seed,
               size_t operations, const ModelCounts *least) {
  for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
    AttendCacheSettings stored = *settings;
    stored.storage = (AttendStorage)storage;
    CacheModel model = model_open(shape, &stored);
    run_operations(&model, seed, operations);
    require_more(&model.counts, least);
    if (settings->pool_blocks > 0) {
      for (size_t s = 0; s < settings->sequences; s++) assert_true(model_truncate(&model, s, 0));
      assert_int_equal(attend_cache_free_blocks(model.cache), settings->pool_blocks);
    }
    model_close(&model);
  }
}
