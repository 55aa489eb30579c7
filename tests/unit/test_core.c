/* test_core.c - the core of every path, with every instruction set, against the oracle: its sizes.
 *
 * The tables walk the edges of tiles, heads, dimensions and layouts one at a time around a common
 * middle, and all of a table's cases run on all engines. Sizes that depend on tiles are taken from
 * the plan, so that they stay at the edges when the tiles change.
 */
#include "tests/support/core_check.h"

#include <stdlib.h>

static size_t edge_size(size_t edge, size_t tile) {
  const size_t sizes[] = {1, tile > 1 ? tile - 1 : 1, tile, tile + 1, 2 * tile + 3};
  return sizes[edge];
}

/* Tokens at every pair of edges of a tiled engine's tiles; the first tiled engine takes the other
 * paths with it. With causal rows the last query sees the last key, so that all keys matter. A tile
 * counts rows of all heads that share keys, so one head alone meets its edges exactly. */
/* Runs a case on one tiled engine, and with the first of them on naive and blas as well. */
static void check_beside_others(const CoreCase *spec, Engine engine, bool is_first) {
  Engine others[MAX_ENGINES];
  list_engines(others);
  CoreProblem problem = problem_new(spec);
  problem.precision = engine.precision;
  problem_expect(&problem);
  for (size_t other = 0; is_first && other < 2; other++)
    problem_check_engine(&problem, others[other], 2);
  problem_check_engine(&problem, engine, 2);
  problem_free(&problem);
}

static void check_tile_edges(bool bidirectional, size_t heads) {
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t k = 0; k < count; k++) {
    size_t query_tile, key_tile;
    tile_of(engines[k], &query_tile, &key_tile);
    for (size_t edge = 0; edge < 25; edge++) {
      const size_t queries = edge_size(edge / 5, query_tile), keys = edge_size(edge % 5, key_tile);
      CoreCase spec = {.shape = shape_of(queries, keys),
                       .bidirectional = bidirectional,
                       .q_start = (int64_t)keys - (int64_t)queries,
                       .seed = edge + 1};
      spec.shape.query_heads = heads;
      check_beside_others(&spec, engines[k], k == 0);
    }
  }
}

static void tile_edges_causal(void **state) {
  (void)state;
  check_tile_edges(false, 1);
  check_tile_edges(false, 2);
}

static void tile_edges_bidirectional(void **state) {
  (void)state;
  check_tile_edges(true, 1);
  check_tile_edges(true, 3);
}

/* As many queries as keys, at the sum and the product of the edges of both tiles. */
static void square_sizes(void **state) {
  (void)state;
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t k = 0; k < count; k++) {
    size_t query_tile, key_tile;
    tile_of(engines[k], &query_tile, &key_tile);
    const size_t sizes[] = {
        1, 2, query_tile, query_tile + 1, key_tile, key_tile + 1, query_tile + key_tile + 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
      for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
        const CoreCase spec = {.shape = shape_of(sizes[i], sizes[i]),
                               .bidirectional = bidirectional != 0,
                               .seed = i + 1};
        check_beside_others(&spec, engines[k], k == 0);
      }
    }
  }
}

/* Every number of rows that one or two register blocks can have. */
static void small_sizes(void **state) {
  (void)state;
  for (size_t queries = 1; queries <= 26; queries++) {
    for (size_t keys = 1; keys <= 67; keys += 11) {
      CoreCase spec = {.shape = shape_of(queries, keys), .q_start = (int64_t)keys / 2};
      spec.shape.query_heads = 1 + queries % 3;
      spec.bidirectional = keys % 2 == 0;
      check_case(&spec, 1 + queries % 2);
    }
  }
}

/* Few and many queries against numbers of keys around multiples of the tile, where work may be
 * split over keys and partial results merged. */
static void many_keys(void **state) {
  (void)state;
  static const size_t multiples[] = {4, 8, 16, 24};
  static const size_t queries[] = {1, 3, 40};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  size_t query_tile, key_tile;
  tile_of(engines[count - 1], &query_tile, &key_tile);
  for (size_t m = 0; m < COUNT_OF(multiples); m++) {
    for (size_t step = 0; step < 3; step++) {
      for (size_t q = 0; q < COUNT_OF(queries); q++) {
        const size_t keys = multiples[m] * key_tile + step - 1;
        CoreCase spec = {.shape = shape_of(queries[q], keys), .bidirectional = step == 2};
        spec.q_start = (int64_t)(keys - queries[q]);
        check_case(&spec, 2);
        spec.shape.query_heads = spec.shape.kv_heads = 5;
        check_case(&spec, 3);
      }
    }
  }
}

static void query_heads_share_kv_heads(void **state) {
  (void)state;
  static const size_t ratios[] = {1, 2, 3, 4, 6, 7, 8};
  for (size_t r = 0; r < COUNT_OF(ratios); r++) {
    for (size_t kv_heads = 1; kv_heads <= 2; kv_heads++) {
      for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
        CoreCase spec = {.shape = shape_of(41, 67), .bidirectional = bidirectional != 0};
        spec.shape.kv_heads = kv_heads;
        spec.shape.query_heads = kv_heads * ratios[r];
        spec.q_start = 26;
        check_case(&spec, 2);
        spec.shape.query_tokens = 1;
        spec.q_start = 66;
        check_case(&spec, 2);
      }
    }
  }
}

static void head_dims(void **state) {
  (void)state;
  static const size_t dims[] = {1, 2, 3, 15, 16, 17, 32, 33, 64, 65, 80, 96, 128, 256};
  for (size_t d = 0; d < COUNT_OF(dims); d++) {
    for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
      CoreCase spec = {.shape = shape_of(77, 77), .bidirectional = bidirectional != 0};
      spec.shape.head_dim = spec.shape.value_dim = dims[d];
      check_case(&spec, 2);
    }
  }
}

static void value_dims(void **state) {
  (void)state;
  static const size_t dims[][2] = {{1, 3},    {3, 1},  {16, 40}, {40, 16}, {64, 128},
                                   {128, 64}, {32, 1}, {1, 256}, {80, 96}, {192, 128}};
  for (size_t d = 0; d < COUNT_OF(dims); d++) {
    for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
      CoreCase spec = {.shape = shape_of(50, 70), .bidirectional = bidirectional != 0};
      spec.shape.head_dim = dims[d][0];
      spec.shape.value_dim = dims[d][1];
      spec.q_start = 20;
      check_case(&spec, 2);
    }
  }
}

static void layouts_and_batches(void **state) {
  (void)state;
  for (int layout = 0; layout < LAYOUT_COUNT; layout++) {
    for (size_t batch = 1; batch <= 3; batch++) {
      for (size_t heads = 1; heads <= 2; heads++) {
        CoreCase spec = {.shape = shape_of(45, 45), .layout = (CaseLayout)layout, .seed = batch};
        spec.shape.batch = batch;
        spec.shape.kv_heads = heads;
        spec.shape.query_heads = 3 * heads;
        spec.shape.head_dim = 24;
        spec.shape.value_dim = 40;
        check_case(&spec, 2);
        if (spec.layout == LAYOUT_FUSED) continue;
        spec.shape.query_tokens = 5;
        spec.bidirectional = true;
        check_case(&spec, 2);
      }
    }
  }
}

/* A stride of 0 repeats an element: one key for all tokens, one head for all heads. The blas path
 * has no such matrices and may refuse, but says so. */
static void strides_of_zero(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t operand = 0; operand < 3; operand++) {
    for (size_t axis = 0; axis < 3; axis++) {
      CoreCase spec = {.shape = shape_of(50, 50), .seed = 1 + operand + 3 * axis};
      spec.shape.kv_heads = spec.shape.query_heads = spec.shape.batch = 2;
      CoreProblem problem = problem_new(&spec);
      AttendView *const views[] = {&problem.query, &problem.key, &problem.value};
      size_t *const strides[] = {&views[operand]->batch_stride, &views[operand]->token_stride,
                                 &views[operand]->head_stride};
      *strides[axis] = 0;
      problem_expect(&problem);
      for (size_t k = 0; k < count; k++) {
        Engine engine = engines[k];
        if (engine.path == ATTEND_PATH_BLAS && axis == 1) engine.path = ATTEND_PATH_AUTO;
        problem_check_engine(&problem, engine, 2);
      }
      problem_free(&problem);
    }
  }
}

static void thread_counts(void **state) {
  (void)state;
  static const size_t threads[] = {1, 2, 3, 7};
  for (size_t t = 0; t < COUNT_OF(threads); t++) {
    CoreCase spec = {.shape = shape_of(150, 300), .q_start = 150, .seed = t + 1};
    spec.shape.query_heads = 6;
    spec.shape.kv_heads = 3;
    check_case(&spec, threads[t]);
    spec.shape.query_tokens = 1;
    spec.q_start = 299;
    check_case(&spec, threads[t]);
  }
}

static void sequential_naive_path(void **state) {
  (void)state;
  const CoreCase spec = {.shape = shape_of(30, 40), .q_start = 10};
  CoreProblem problem = problem_new(&spec);
  problem_expect(&problem);
  const Engine engine = {ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
  AttendSettings settings = engine_settings(engine, 2);
  settings.naive_parallel = false;
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  problem_check(&problem, context, engine, 2);
  attend_close(&context);
  problem_free(&problem);
}

/* Positions before, inside, at the end of and beyond the keys, and at the ends of their type. */
static void query_positions(void **state) {
  (void)state;
  static const int64_t starts[] = {
      INT64_MIN, -1000,           -70,      -69, -33, -1, 0, 1, 17, 62, 63, 64, 65,
      1000,      INT64_MAX - 100, INT64_MAX};
  for (size_t k = 0; k < COUNT_OF(starts); k++) {
    CoreCase spec = {.shape = shape_of(70, 64), .q_start = starts[k]};
    check_case(&spec, 2);
    spec.shape.query_tokens = 1;
    check_case(&spec, 2);
    spec.bidirectional = true;
    check_case(&spec, 1);
  }
}

static void zero_tokens(void **state) {
  (void)state;
  static const size_t tokens[][2] = {{0, 0}, {0, 9}, {9, 0}, {1, 0}, {0, 1}};
  for (size_t k = 0; k < COUNT_OF(tokens); k++) {
    CoreCase spec = {.shape = shape_of(tokens[k][0], tokens[k][1])};
    spec.shape.batch = 2;
    check_case(&spec, 2);
    spec.bidirectional = true;
    check_case(&spec, 2);
  }
}

/* Null is allowed where a view has no elements. */
static void null_views_without_elements(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendShape shape = shape_of(0, 0);
    const AttendView none = {NULL, 0, 0, 0};
    const AttendOutputView no_out = {NULL, 64, 64, 32};
    assert_ok(context, attend_core_forward(context, &shape, none, none, none, NULL, no_out, NULL));
    shape.query_tokens = 3;
    float *const q = new_random(1, 1.0f, 3 * 64);
    float *const out = guarded_new(3 * 64 * sizeof *out, 0);
    assert_ok(context, attend_core_forward(context, &shape, attend_view_bnhd(q, 3, 2, 32), none,
                                           none, NULL, attend_output_bnhd(out, 3, 2, 32), NULL));
    for (size_t i = 0; i < 3 * 64; i++) assert_true(out[i] == 0.0f);
    guarded_free(out, "out");
    free(q);
    attend_close(&context);
  }
}

/* lse may be null, and the output is then the same. */
static void lse_is_optional(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const CoreCase spec = {.shape = shape_of(70, 70)};
  CoreProblem problem = problem_new(&spec);
  const size_t floats = 70 * 64;
  float *const with = new_bytes(floats * sizeof *with), *const without = new_bytes(floats * 4);
  float *const lse = new_bytes(140 * sizeof *lse);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    assert_ok(context,
              attend_core_forward(context, &spec.shape, problem.query, problem.key, problem.value,
                                  NULL, attend_output_bnhd(with, 70, 2, 32), lse));
    assert_ok(context,
              attend_core_forward(context, &spec.shape, problem.query, problem.key, problem.value,
                                  NULL, attend_output_bnhd(without, 70, 2, 32), NULL));
    assert_memory_equal(with, without, floats * sizeof *with);
    attend_close(&context);
  }
  free(with);
  free(without);
  free(lse);
  problem_free(&problem);
}

/* Many shapes through one context, so that leftovers in its workspace would show. */
static void one_context_many_shapes(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  static const size_t tokens[][2] = {{90, 200}, {3, 5}, {200, 90}, {1, 300}, {64, 64}, {1, 1}};
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
      CoreCase spec = {.shape = shape_of(tokens[i][0], tokens[i][1]),
                       .q_start = (int64_t)i * 40 - 60,
                       .layout = i % 2 ? LAYOUT_BHND : LAYOUT_PADDED,
                       .seed = i + 1};
      spec.shape.head_dim = 8 + 40 * (i % 3);
      spec.shape.value_dim = 128 - 30 * (i % 4);
      CoreProblem problem = problem_new(&spec);
      problem_expect(&problem);
      problem_check(&problem, context, engines[k], 2);
      problem_free(&problem);
    }
    attend_close(&context);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tile_edges_causal),
      cmocka_unit_test(tile_edges_bidirectional),
      cmocka_unit_test(square_sizes),
      cmocka_unit_test(small_sizes),
      cmocka_unit_test(many_keys),
      cmocka_unit_test(query_heads_share_kv_heads),
      cmocka_unit_test(head_dims),
      cmocka_unit_test(value_dims),
      cmocka_unit_test(layouts_and_batches),
      cmocka_unit_test(strides_of_zero),
      cmocka_unit_test(thread_counts),
      cmocka_unit_test(sequential_naive_path),
      cmocka_unit_test(query_positions),
      cmocka_unit_test(zero_tokens),
      cmocka_unit_test(null_views_without_elements),
      cmocka_unit_test(lse_is_optional),
      cmocka_unit_test(one_context_many_shapes),
  };
  return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
