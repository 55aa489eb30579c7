/* random_case.c - draws core cases and makes them simpler.
 *
 * Every option is off more often than on, so that most pairs and triples of options meet in a few
 * thousand cases without every case having all of them. Sizes are cut until the case costs the
 * oracle a few milliseconds.
 */
#include "tests/property/random_case.h"

#include <string.h>

/* Multiply-adds of a case: most are small, one in sixteen is larger. */
#define SMALL_COST 1500000
#define LARGE_COST 12000000

/* True once in `times`. */
static bool chance(Draw *d, size_t times) {
  return draw(d, times) == 0;
}

#define PICK(d, array) (array)[draw((d), sizeof(array) / sizeof *(array))]

static size_t draw_queries(Draw *d, size_t query_tile) {
  const size_t edges[] = {query_tile > 1 ? query_tile - 1 : 1, query_tile, query_tile + 1,
                          2 * query_tile + 3};
  switch (draw(d, 8)) {
  case 0:
  case 1:
    return 1;
  case 2:
  case 3:
    return 1 + draw(d, 13);
  case 4:
  case 5:
    return PICK(d, edges);
  default:
    return chance(d, 20) ? 0 : 1 + draw(d, 60);
  }
}

static size_t draw_keys(Draw *d) {
  static const size_t edges[] = {1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 259};
  static const size_t splits[] = {1023, 1024, 1025, 1151, 1153, 2047, 2049, 2100};
  switch (draw(d, 16)) {
  case 0:
    return PICK(d, splits);
  case 1:
  case 2:
  case 3:
    return 1 + draw(d, 20);
  case 4:
  case 5:
  case 6:
  case 7:
    return PICK(d, edges);
  default:
    return chance(d, 30) ? 0 : 1 + draw(d, 300);
  }
}

static void draw_shape(Draw *d, size_t query_tile, AttendShape *s) {
  static const size_t dims[] = {1, 2, 5, 8, 12, 16, 17, 24, 32, 33, 40, 64, 80, 128};
  const size_t group = 1 + (chance(d, 3) ? 0 : draw(d, 8));
  s->batch = 1 + draw(d, 3);
  s->kv_heads = 1 + draw(d, 3);
  s->query_heads = s->kv_heads * group;
  s->head_dim = PICK(d, dims);
  s->value_dim = chance(d, 2) ? PICK(d, dims) : s->head_dim;
  /* A tile's rows are those of all heads of a group. */
  s->query_tokens = draw_queries(d, chance(d, 2) ? query_tile : query_tile / group + 1);
  s->key_tokens = draw_keys(d);
}

static double cost_of(const AttendShape *s) {
  return (double)(s->batch * s->query_heads * s->query_tokens) *
         (double)(s->key_tokens * (s->head_dim + s->value_dim));
}

/* Cuts what costs until the rest is affordable: dimensions first, since tokens are what is
 * tested. */
static void cut_shape(AttendShape *s, double most) {
  while (cost_of(s) > most) {
    if (s->head_dim > 16)
      s->head_dim /= 2;
    else if (s->value_dim > 16)
      s->value_dim /= 2;
    else if (s->batch > 1)
      s->batch--;
    else if (s->kv_heads > 1)
      s->query_heads -= s->query_heads / s->kv_heads--;
    else if (s->query_heads > 2)
      s->query_heads--;
    else
      s->query_tokens /= 2;
  }
}

static int64_t draw_start(Draw *d, const AttendShape *s, bool may_be_huge) {
  static const int64_t huge[] = {INT64_MIN, INT64_MAX, -1000000007, 1000000007};
  const int64_t queries = (int64_t)s->query_tokens, keys = (int64_t)s->key_tokens;
  switch (draw(d, 6)) {
  case 0:
    return 0;
  case 1:
    return (int64_t)draw(d, s->query_tokens + s->key_tokens + 8) - queries - 3;
  case 2:
    return may_be_huge && chance(d, 6) ? PICK(d, huge) : keys - queries;
  default:
    return keys - queries + (int64_t)draw(d, 5) - 2;
  }
}

static CaseWindow draw_window(Draw *d, size_t times) {
  static const int64_t widths[] = {0, 1, 2, 7, 31, 64, 128, 129, 200, INT64_MAX};
  CaseWindow window = {.limited = chance(d, times)};
  if (window.limited) window.keys = chance(d, 2) ? PICK(d, widths) : (int64_t)draw(d, 150);
  return window;
}

static CaseGrid draw_grid(Draw *d, const AttendShape *s, size_t times) {
  static const unsigned hidden[] = {0, 0, 10, 50, 95, 100};
  CaseGrid grid = {.used = chance(d, times)};
  if (!grid.used) return grid;
  grid.repeat = (unsigned)draw(d, 16);
  grid.hidden = PICK(d, hidden);
  grid.key_gap = chance(d, 4) ? 1 + draw(d, 3) : 0;
  if (chance(d, 4) && s->key_tokens > 1) grid.uncovered = draw(d, s->key_tokens);
  return grid;
}

static CaseOptions draw_options(Draw *d, const AttendShape *s) {
  static const float caps[] = {0.5f, 1.0f, 5.0f, 50.0f};
  CaseOptions o = {.left = draw_window(d, 4), .right = draw_window(d, 6)};
  o.softcap = chance(d, 4) ? PICK(d, caps) : 0.0f;
  o.alibi = chance(d, 5);
  o.sinks = chance(d, 4);
  o.bias = draw_grid(d, s, 4);
  o.mask = draw_grid(d, s, 3);
  o.key_lengths = chance(d, 4);
  o.q_starts = chance(d, 4);
  o.ragged = chance(d, 4);
  return o;
}

CoreCase case_random(uint64_t seed, size_t query_tile) {
  static const float scales[] = {1.0f, 0.3f, -0.7f, 3.0f};
  static const Poison poisons[] = {POISON_NONE,   POISON_NONE,   POISON_NONE,
                                   POISON_HIDDEN, POISON_HIDDEN, POISON_VISIBLE};
  Draw d = {seed, 1000};
  CoreCase spec = {.seed = seed};
  draw_shape(&d, query_tile, &spec.shape);
  cut_shape(&spec.shape, chance(&d, 16) ? LARGE_COST : SMALL_COST);
  spec.layout = (CaseLayout)draw(&d, LAYOUT_COUNT);
  if (spec.layout == LAYOUT_FUSED && spec.shape.query_tokens <= 300)
    spec.shape.key_tokens = spec.shape.query_tokens;
  else if (spec.layout == LAYOUT_FUSED)
    spec.layout = LAYOUT_BNHD;
  spec.options = draw_options(&d, &spec.shape);
  spec.bidirectional = chance(&d, 3);
  spec.q_start = draw_start(&d, &spec.shape, !spec.options.alibi);
  if (chance(&d, 4)) spec.scale = PICK(&d, scales);
  if (chance(&d, 8)) spec.bound = 4.0f;
  spec.poison = PICK(&d, poisons);
  cut_shape(&spec.shape, LARGE_COST);
  return spec;
}

/* Fields that can be made simpler, by the type that holds them. */
typedef enum FieldType {
  FIELD_SIZE,
  FIELD_INT64,
  FIELD_UNSIGNED,
  FIELD_FLOAT,
  FIELD_BOOL
} FieldType;

typedef struct Field {
  FieldType type;
  size_t offset;
  size_t least; /* of a size */
} Field;

#define FIELD(type, name, least) FIELD_##type, offsetof(CoreCase, name), (least)

static const Field fields[] = {
    {FIELD(UNSIGNED, layout, 0)},
    {FIELD(UNSIGNED, poison, 0)},
    {FIELD(BOOL, options.ragged, 0)},
    {FIELD(BOOL, options.bias.used, 0)},
    {FIELD(BOOL, options.mask.used, 0)},
    {FIELD(BOOL, options.alibi, 0)},
    {FIELD(BOOL, options.sinks, 0)},
    {FIELD(BOOL, options.key_lengths, 0)},
    {FIELD(BOOL, options.q_starts, 0)},
    {FIELD(BOOL, options.left.limited, 0)},
    {FIELD(BOOL, options.right.limited, 0)},
    {FIELD(FLOAT, options.softcap, 0)},
    {FIELD(FLOAT, scale, 0)},
    {FIELD(FLOAT, bound, 0)},
    {FIELD(SIZE, shape.batch, 1)},
    {FIELD(SIZE, shape.kv_heads, 1)},
    {FIELD(SIZE, shape.query_heads, 1)},
    {FIELD(SIZE, shape.head_dim, 1)},
    {FIELD(SIZE, shape.value_dim, 1)},
    {FIELD(SIZE, shape.query_tokens, 1)},
    {FIELD(SIZE, shape.key_tokens, 1)},
    {FIELD(INT64, q_start, 0)},
    {FIELD(INT64, options.left.keys, 0)},
    {FIELD(INT64, options.right.keys, 0)},
    {FIELD(SIZE, options.bias.key_gap, 0)},
    {FIELD(SIZE, options.bias.uncovered, 0)},
    {FIELD(UNSIGNED, options.bias.hidden, 0)},
    {FIELD(SIZE, options.mask.key_gap, 0)},
    {FIELD(SIZE, options.mask.uncovered, 0)},
    {FIELD(UNSIGNED, options.mask.hidden, 0)},
    {FIELD(BOOL, bidirectional, 0)},
};

/* Ways to make a number simpler, from the boldest. */
#define WAYS 3

static size_t simpler_size(size_t value, size_t least, size_t way) {
  if (value <= least) return value;
  const size_t sizes[WAYS] = {least, least + (value - least) / 2, value - 1};
  return sizes[way];
}

static int64_t simpler_int64(int64_t value, size_t way) {
  const int64_t values[WAYS] = {0, value / 2, value < 0 ? value + 1 : value - 1};
  return value ? values[way] : 0;
}

static void simplify_field(const Field *field, size_t way, CoreCase *spec) {
  void *const at = (char *)spec + field->offset;
  switch (field->type) {
  case FIELD_SIZE:
    *(size_t *)at = simpler_size(*(size_t *)at, field->least, way);
    break;
  case FIELD_INT64:
    *(int64_t *)at = simpler_int64(*(int64_t *)at, way);
    break;
  case FIELD_UNSIGNED:
    *(unsigned *)at = (unsigned)simpler_size(*(unsigned *)at, 0, way);
    break;
  case FIELD_FLOAT:
    *(float *)at = 0.0f;
    break;
  case FIELD_BOOL:
    *(bool *)at = false;
    break;
  }
}

static bool is_valid(const CoreCase *spec) {
  const AttendShape *const s = &spec->shape;
  return s->query_heads % s->kv_heads == 0 &&
         (spec->layout != LAYOUT_FUSED || s->query_tokens == s->key_tokens);
}

bool case_simplify(const CoreCase *from, size_t step, CoreCase *simpler) {
  const size_t count = sizeof fields / sizeof *fields;
  if (step >= count * WAYS) return false;
  *simpler = *from;
  simplify_field(&fields[step / WAYS], step % WAYS, simpler);
  if (!is_valid(simpler)) *simpler = *from;
  return true;
}
