/* test_model.c - what a model's figures set in the options of a layer and in a weight source, and
 * what they leave alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attend/attend.h"

static const AttendModel *find(const char *name) {
  const AttendModel *const model = attend_find_model(name);
  if (model == NULL) fail_msg("no preset is named %s", name);
  return model;
}

/* Options in which every field that a model sets holds another model's value. */
static AttendOptions used_options(void) {
  AttendOptions options;
  attend_default_options(&options);
  options.scale = 7;
  options.softcap = 7;
  options.window_left = 7;
  options.window_right = 3;
  options.causal = false;
  options.q_start = -2;
  return options;
}

static void assert_layer(const char *name, size_t layer, float scale, float softcap,
                         int64_t window_left) {
  AttendOptions options = used_options();
  attend_model_options(find(name), layer, &options);
  if (options.scale != scale || options.softcap != softcap || options.window_left != window_left) {
    fail_msg("layer %zu of %s: scale %g, softcap %g, window_left %lld", layer, name,
             (double)options.scale, (double)options.softcap, (long long)options.window_left);
  }
  AttendOptions expected = used_options();
  expected.scale = scale;
  expected.softcap = softcap;
  expected.window_left = window_left;
  assert_memory_equal(&options, &expected, sizeof options);
}

/* A window of w keys has the query's own among them. */
static void a_layer_has_its_models_scale_softcap_and_window(void **state) {
  (void)state;
  assert_layer("llama3-8b", 0, 0, 0, -1);
  assert_layer("mistral-7b", 0, 0, 0, 4095);
  assert_layer("mistral-7b", 31, 0, 0, 4095);
  assert_layer("gemma-2-2b", 0, 0.0625f, 50, 4095);
  assert_layer("gemma-2-2b", 1, 0.0625f, 50, -1);
  assert_layer("gemma-2-27b", 44, 1.0f / 12, 50, 4095);
  assert_layer("gemma-2-27b", 45, 1.0f / 12, 50, -1);
  assert_layer("gpt-oss-20b", 22, 0, 0, 127);
  assert_layer("gpt-oss-120b", 35, 0, 0, -1);
}

static void a_layer_that_is_none_changes_nothing(void **state) {
  (void)state;
  const AttendOptions before = used_options();
  static const size_t layers[] = {26, 64, ATTEND_MODEL_LAYERS, SIZE_MAX};
  for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
    AttendOptions options = before;
    attend_model_options(find("gemma-2-2b"), layers[i], &options);
    assert_memory_equal(&options, &before, sizeof options);
  }
  AttendOptions options = before;
  attend_model_options(NULL, 0, &options);
  assert_memory_equal(&options, &before, sizeof options);
  attend_model_options(find("gemma-2-2b"), 0, NULL);
}

/* A model that claims more layers than there are bits must not be read beyond them. */
static void every_bit_is_the_layer_of_its_number(void **state) {
  (void)state;
  AttendModel model = {.layers = SIZE_MAX, .window = 1};
  for (size_t slides = 0; slides < ATTEND_MODEL_LAYERS; slides++) {
    memset(model.sliding, 0, sizeof model.sliding);
    model.sliding[slides / 64] = UINT64_C(1) << (slides % 64);
    for (size_t layer = 0; layer < ATTEND_MODEL_LAYERS; layer++) {
      AttendOptions options = used_options();
      attend_model_options(&model, layer, &options);
      assert_int_equal(options.window_left, layer == slides ? 0 : -1);
    }
  }
  AttendOptions options = used_options();
  attend_model_options(&model, ATTEND_MODEL_LAYERS, &options);
  assert_int_equal(options.window_left, 7);
}

static void bits_without_a_window_and_endless_windows_limit_nothing(void **state) {
  (void)state;
  AttendModel model = {.layers = 1, .sliding = {1}};
  AttendOptions options = used_options();
  attend_model_options(&model, 0, &options);
  assert_int_equal(options.window_left, -1);

  model.window = SIZE_MAX;
  options = used_options();
  attend_model_options(&model, 0, &options);
  assert_int_equal(options.window_left, -1);
}

static void a_source_gets_rope_and_the_epsilon_of_its_norm(void **state) {
  (void)state;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  const float weights[4] = {0};
  source.qkv = weights;
  source.norm_epsilon = 0.5f;
  source.rope.dims = 6;

  AttendWeightSource expected = source;
  expected.rope = find("llama3.2-1b")->rope;
  attend_model_source(find("llama3.2-1b"), &source);
  assert_memory_equal(&source, &expected, sizeof source);
  assert_int_equal(source.rope.dims, 0);

  attend_model_source(find("qwen3-8b"), &source);
  assert_true(source.norm_epsilon == 1e-6f);
  assert_true(source.rope.base == 1000000 && source.rope.scaling == ATTEND_ROPE_UNSCALED);

  attend_model_source(find("gpt2-small"), &source);
  assert_int_equal(source.rope.pairing, ATTEND_ROPE_NONE);
  assert_ptr_equal(source.qkv, weights);

  expected = source;
  attend_model_source(NULL, &source);
  assert_memory_equal(&source, &expected, sizeof source);
  attend_model_source(find("gpt2-small"), NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_layer_has_its_models_scale_softcap_and_window),
      cmocka_unit_test(a_layer_that_is_none_changes_nothing),
      cmocka_unit_test(every_bit_is_the_layer_of_its_number),
      cmocka_unit_test(bits_without_a_window_and_endless_windows_limit_nothing),
      cmocka_unit_test(a_source_gets_rope_and_the_epsilon_of_its_norm),
  };
  return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
