/* test_without_memory.c - calls that succeed where not one allocation can be had.
 *
 * Whatever the library takes from the system it takes when something is opened, packed or reserved.
 * The calls here are made while every allocation fails, and must not even try one; what they give
 * is compared with what they give otherwise.
 */
#include "tests/support/core_check.h"
#include "tests/support/core_result.h"
#include "tests/support/injection.h"

#include <stdlib.h>
#include <string.h>

static const AttendLayerShape layer_shape = {64, 4, 2, 16, 12};
enum { TOKENS = 100, BLOCK = 32 };

static AttendContext *context_open(void) {
  return auto_open(3);
}

/* ---- caches ---- */

static AttendCache *pool_open(AttendContext *context) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = 2;
  settings.capacity = TOKENS + BLOCK;
  settings.block_tokens = BLOCK;
  settings.pool_blocks = 8;
  AttendCache *cache = NULL;
  assert_ok(context, attend_open_cache(context, &layer_shape, &settings, &cache));
  return cache;
}

static void require_rows(AttendContext *context, const AttendCache *cache, size_t sequence,
                         size_t tokens, const float *keys, const float *values) {
  const size_t heads = layer_shape.kv_heads, D = layer_shape.head_dim, Dv = layer_shape.value_dim;
  float *const key = guarded_new(tokens * heads * D * sizeof *key, 4);
  float *const value = guarded_new(tokens * heads * Dv * sizeof *value, 8);
  assert_int_equal(attend_cache_length(cache, sequence), tokens);
  assert_needs_no_memory(context, attend_read_cache(context, cache, sequence, 0, tokens,
                                                    attend_output_bnhd(key, tokens, heads, D),
                                                    attend_output_bnhd(value, tokens, heads, Dv)));
  assert_memory_equal(key, keys, tokens * heads * D * sizeof *key);
  assert_memory_equal(value, values, tokens * heads * Dv * sizeof *value);
  guarded_free(key, "keys");
  guarded_free(value, "values");
}

/* In a pool, where a fork shares blocks and the next append copies one. */
static void operations_of_a_cache(void **state) {
  (void)state;
  const size_t heads = layer_shape.kv_heads, D = layer_shape.head_dim, Dv = layer_shape.value_dim;
  AttendContext *context = context_open();
  AttendCache *cache = pool_open(context);
  float *const keys = new_random(97, 1.0f, TOKENS * heads * D);
  float *const values = new_random(98, 1.0f, TOKENS * heads * Dv);
  const AttendView key = attend_view_bnhd(keys, TOKENS, heads, D);
  const AttendView value = attend_view_bnhd(values, TOKENS, heads, Dv);
  assert_needs_no_memory(context, attend_append_cache(context, cache, 0, TOKENS, key, value));
  require_rows(context, cache, 0, TOKENS, keys, values);
  assert_needs_no_memory(context, attend_fork_cache(context, cache, 0, 1, 70));
  require_rows(context, cache, 1, 70, keys, values);
  assert_needs_no_memory(context, attend_truncate_cache(cache, 0, 40));
  assert_needs_no_memory(context, attend_append_cache(context, cache, 0, 5, key, value));
  require_rows(context, cache, 1, 70, keys, values);
  AttendView rest[] = {key, value};
  rest[0].data += 70 * key.token_stride;
  rest[1].data += 70 * value.token_stride;
  assert_needs_no_memory(context,
                         attend_append_cache(context, cache, 1, TOKENS - 70, rest[0], rest[1]));
  require_rows(context, cache, 1, TOKENS, keys, values);
  attend_close_cache(&cache);
  free(keys);
  free(values);
  attend_close(&context);
}

/* ---- partial results ---- */

/* A result is made of itself and of a part that saw no key, in place. */
static void merging_states(void **state) {
  (void)state;
  const CoreCase spec = {.shape = {2, 5, 40, 4, 2, 16, 12}, .q_start = 35};
  CoreProblem problem = problem_new(&spec);
  const AttendShape *const s = &spec.shape;
  const Engine engine = {ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
  Result whole = core_run_problem(&problem, engine, 1),
         merged = core_run_problem(&problem, engine, 1);
  AttendShape none = *s;
  none.key_tokens = 0;
  AttendContext *context = context_open();
  Result empty = core_run(context, &none, problem.query, problem.key, problem.value, NULL);
  const size_t Nq = s->query_tokens, Hq = s->query_heads, Dv = s->value_dim;
  const AttendState parts[] = {{attend_view_bnhd(merged.out, Nq, Hq, Dv), merged.lse},
                               {attend_view_bnhd(empty.out, Nq, Hq, Dv), empty.lse}};
  assert_needs_no_memory(context, attend_merge_states(context, s, parts, COUNT_OF(parts),
                                                      attend_output_bnhd(merged.out, Nq, Hq, Dv),
                                                      merged.lse));
  same_result("merged", s, &merged, &whole);
  attend_close(&context);
  result_free(&empty);
  result_free(&merged);
  result_free(&whole);
  problem_free(&problem);
}

/* ---- plans ---- */

/* A plan and its text. */
typedef struct Told {
  AttendPlan plan;
  char text[2048];
} Told;

static void tell(Told *told) {
  memset(told, 0, sizeof *told);
  told->plan.struct_size = sizeof told->plan;
}

static void require_same_plan(Told *bare, Told *usual) {
  injection_forbid();
  const size_t length = attend_describe_plan(&bare->plan, bare->text, sizeof bare->text);
  injection_require_none(NULL, ATTEND_OK, "attend_describe_plan()");
  assert_int_equal(attend_describe_plan(&usual->plan, usual->text, sizeof usual->text), length);
  assert_true(bare->plan.workspace_bytes > 0);
  assert_memory_equal(&bare->plan, &usual->plan, sizeof bare->plan);
  assert_string_equal(bare->text, usual->text);
}

static void plans(void **state) {
  (void)state;
  const AttendShape shape = {2, 70, 100, 4, 2, 16, 12}, decode = {2, 1, 0, 4, 2, 16, 12};
  AttendContext *context = context_open();
  AttendCache *cache = cache_open(context, &layer_shape, 2, TOKENS);
  Told bare, usual;
  tell(&bare);
  tell(&usual);
  assert_needs_no_memory(context, attend_plan_core(context, &shape, NULL, &bare.plan));
  assert_ok(context, attend_plan_core(context, &shape, NULL, &usual.plan));
  require_same_plan(&bare, &usual);
  tell(&bare);
  tell(&usual);
  assert_needs_no_memory(
      context, attend_plan_layer(context, &layer_shape, 2, 20, 60, true, NULL, &bare.plan));
  assert_ok(context, attend_plan_layer(context, &layer_shape, 2, 20, 60, true, NULL, &usual.plan));
  require_same_plan(&bare, &usual);
  tell(&bare);
  tell(&usual);
  assert_needs_no_memory(context, attend_plan_cached(context, &decode, cache, NULL, &bare.plan));
  assert_ok(context, attend_plan_cached(context, &decode, cache, NULL, &usual.plan));
  require_same_plan(&bare, &usual);
  attend_close_cache(&cache);
  attend_close(&context);
}

/* ---- what a context is told and asked ---- */

static void ignore_tap(void *user, const AttendMatrix *matrix) {
  (void)user;
  (void)matrix;
}

static void settings_of_a_context(void **state) {
  (void)state;
  char memory[256];
  AttendProfile profile;
  AttendContext *context = context_open();
  assert_needs_no_memory(context, attend_set_tap(context, ignore_tap, NULL));
  assert_needs_no_memory(context, attend_set_tap_rows(context, 1, 2));
  assert_needs_no_memory(context, attend_set_workspace(context, memory, sizeof memory));
  assert_needs_no_memory(context, attend_reserve_workspace(context, sizeof memory));
  assert_needs_no_memory(context, attend_get_profile(context, &profile));
  attend_close(&context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operations_of_a_cache),
      cmocka_unit_test(merging_states),
      cmocka_unit_test(plans),
      cmocka_unit_test(settings_of_a_context),
  };
  return cmocka_run_group_tests_name("without_memory", tests, NULL, NULL);
}
