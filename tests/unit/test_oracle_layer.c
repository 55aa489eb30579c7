/* test_oracle_layer.c - the forms of the layer's oracle against each other: plain, row by row, and
 * the one of whole models, which shares nothing with them.
 */
#include "tests/support/layer_problem.h"

#include <math.h>
#include <stdlib.h>

#include "bench/oracle/oracle_layer_full.h"

#define PAST 13
#define TOKENS 21
#define KEYS (PAST + TOKENS)

/* What is done to heads and scores. */
typedef struct Steps {
  bool norm, rope, window, cap, sinks, alibi, mask, bias;
} Steps;

static const Steps steps[] = {
    {0},
    {.window = true},
    {.cap = true, .sinks = true},
    {.alibi = true, .mask = true},
    {.bias = true},
    {.rope = true},
    {.norm = true},
    {.norm = true, .rope = true, .window = true, .cap = true, .sinks = true},
    {.norm = true, .rope = true, .window = true, .alibi = true, .mask = true, .bias = true},
};

static const OracleRope rope = {
    .kind = ORACLE_ROPE_LINEAR, .dims = 10, .interleaved = true, .base = 50.0L, .factor = 2.0L};

/* A problem with random data for all steps. */
typedef struct Forms {
  LayerProblem problem;
  float *query_norm, *key_norm, *slopes, *sinks, *bias, *past_key, *past_value;
  uint8_t mask[TOKENS * KEYS];
} Forms;

static Forms forms_new(bool bidirectional, bool no_bias) {
  const LayerCase spec = {.shape = {40, 6, 2, 12, 9},
                          .batch = 2,
                          .tokens = TOKENS,
                          .bidirectional = bidirectional,
                          .no_bias = no_bias};
  const AttendLayerShape *const s = &spec.shape;
  Forms f = {.problem = layer_problem_new(&spec),
             .query_norm = new_random(61, 1.5f, s->head_dim),
             .key_norm = new_random(62, 1.5f, s->head_dim),
             .slopes = new_random(63, 0.2f, s->query_heads),
             .sinks = new_random(64, 2.0f, s->query_heads),
             .bias = new_random(65, 2.0f, TOKENS * KEYS),
             .past_key = new_random(66, 1.0f, 2 * PAST * s->kv_heads * s->head_dim),
             .past_value = new_random(67, 1.0f, 2 * PAST * s->kv_heads * s->value_dim)};
  for (size_t i = 0; i < TOKENS * KEYS; i++) f.mask[i] = i % 7 != 0 && i % 5 != 1;
  return f;
}

static void forms_free(Forms *f) {
  layer_problem_free(&f->problem);
  free(f->query_norm);
  free(f->key_norm);
  free(f->slopes);
  free(f->sinks);
  free(f->bias);
  free(f->past_key);
  free(f->past_value);
}

static OracleLayer forms_oracle(const Forms *f, const Steps *step, size_t past) {
  const AttendLayerShape *const s = &f->problem.spec.shape;
  const size_t key = s->kv_heads * s->head_dim, value = s->kv_heads * s->value_dim;
  OracleLayer oracle = layer_problem_oracle(&f->problem);
  oracle.past = past;
  oracle.past_key = (OracleView){f->past_key, PAST * key, s->head_dim, PAST * s->head_dim};
  oracle.past_value = (OracleView){f->past_value, PAST * value, value, s->value_dim};
  if (step->norm) oracle.query_norm = f->query_norm;
  if (step->norm) oracle.key_norm = f->key_norm;
  oracle.norm_epsilon = 1e-3;
  if (step->rope) oracle.rope = rope;
  if (step->window) oracle.scoring.left = (OracleWindow){true, 6};
  if (step->cap) oracle.scoring.softcap = 0.5;
  if (step->sinks) oracle.scoring.sinks = f->sinks;
  if (step->alibi) oracle.scoring.alibi_slopes = f->slopes;
  if (step->mask) oracle.scoring.mask = (OracleMask){f->mask, 0, 0, KEYS, 1, 0};
  if (step->bias) oracle.scoring.bias = (OracleBias){f->bias, 0, 0, KEYS, 1, 0};
  return oracle;
}

/* Row by row, with keys formed of what the row sees and NaN elsewhere. */
static void check_rows(const OracleLayer *oracle, bool formed, size_t step,
                       const double *expected) {
  const size_t width = oracle->width, key = oracle->kv_heads * oracle->head_dim;
  double *const row = new_bytes(width * sizeof *row);
  double *const keys = new_bytes(TOKENS * key * sizeof *keys);
  for (size_t i = 0; i < oracle->batch * TOKENS; i++) {
    const size_t batch = i / TOKENS, token = i % TOKENS;
    size_t begin, end;
    oracle_layer_range(oracle, token, &begin, &end);
    begin = begin > oracle->past ? begin - oracle->past : 0;
    end = end > oracle->past ? end - oracle->past : 0;
    for (size_t k = 0; k < TOKENS * key; k++) keys[k] = NAN;
    if (formed) assert_true(oracle_layer_keys(oracle, batch, begin, end - begin, keys));
    assert_true(oracle_layer_row(oracle, batch, token, formed ? keys : NULL, row));
    for (size_t e = 0; e < width; e++)
      if (!(fabs(row[e] - expected[i * width + e]) <= 1e-12))
        fail_msg("steps %zu formed %d past %zu row %zu column %zu is %.17g, expected %.17g", step,
                 formed, oracle->past, i, e, row[e], expected[i * width + e]);
  }
  free(keys);
  free(row);
}

static void rows_are_those_of_the_whole(void **state) {
  (void)state;
  for (size_t variant = 0; variant < 8; variant++) {
    Forms f = forms_new(variant % 2 != 0, variant / 2 % 2 != 0);
    for (size_t s = 0; s < COUNT_OF(steps); s++) {
      const OracleLayer oracle = forms_oracle(&f, &steps[s], variant / 4 ? PAST : 0);
      assert_true(oracle_layer(&oracle, f.problem.y));
      check_rows(&oracle, true, s, f.problem.y);
      if (!steps[s].norm && !steps[s].rope) check_rows(&oracle, false, s, f.problem.y);
    }
    forms_free(&f);
  }
}

/* Without a past, and as far as the models' oracle goes. */
static void models_agree(void **state) {
  (void)state;
  Forms f = forms_new(false, false);
  const LayerProblem *const p = &f.problem;
  const AttendLayerShape *const s = &p->spec.shape;
  double *const y = new_bytes(TOKENS * s->width * sizeof *y);
  for (size_t k = 0; k < COUNT_OF(steps); k++) {
    if (steps[k].alibi || steps[k].mask || steps[k].bias) continue;
    const OracleLayer oracle = forms_oracle(&f, &steps[k], 0);
    const OracleFull whole = {.width = s->width,
                              .query_heads = s->query_heads,
                              .kv_heads = s->kv_heads,
                              .head_dim = s->head_dim,
                              .value_dim = s->value_dim,
                              .qkv = p->qkv,
                              .qkv_bias = p->qkv_bias,
                              .output = p->output,
                              .output_bias = p->output_bias,
                              .query_norm = oracle.query_norm,
                              .key_norm = oracle.key_norm,
                              .norm_epsilon = oracle.norm_epsilon,
                              .rope = oracle.rope,
                              .softcap = oracle.scoring.softcap,
                              .window_left = steps[k].window ? 6 : -1,
                              .causal = true,
                              .sinks = oracle.scoring.sinks};
    assert_true(oracle_layer(&oracle, p->y));
    assert_true(oracle_full(&whole, TOKENS, p->x, NULL, &(OracleFullResult){.y = y}));
    for (size_t i = 0; i < TOKENS * s->width; i++)
      if (!(fabs(y[i] - p->y[i]) <= 1e-12))
        fail_msg("steps %zu number %zu is %.17g, of whole models %.17g", k, i, p->y[i], y[i]);
  }
  free(y);
  forms_free(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_those_of_the_whole),
      cmocka_unit_test(models_agree),
  };
  return cmocka_run_group_tests_name("oracle_layer", tests, NULL, NULL);
}
