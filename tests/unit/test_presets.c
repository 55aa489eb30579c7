/* test_presets.c - every preset against its published figures, and the ways to find one.
 *
 * The figures are typed a second time here, as plain numbers and from the sources themselves, so
 * that a slip in the library's table cannot agree with itself.
 */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attend/attend.h"

typedef struct Figures {
  const char *name;
  size_t width, query_heads, kv_heads, head_dim, layers;
  bool qkv_bias, output_bias;
} Figures;

static const Figures published[] = {
    {"qwen2.5-0.5b", 896, 14, 2, 64, 24, true, false},
    {"qwen2.5-1.5b", 1536, 12, 2, 128, 28, true, false},
    {"qwen2.5-3b", 2048, 16, 2, 128, 36, true, false},
    {"qwen2.5-7b", 3584, 28, 4, 128, 28, true, false},
    {"qwen2.5-14b", 5120, 40, 8, 128, 48, true, false},
    {"qwen2.5-32b", 5120, 40, 8, 128, 64, true, false},
    {"qwen2.5-72b", 8192, 64, 8, 128, 80, true, false},
    {"qwen3-0.6b", 1024, 16, 8, 128, 28, false, false},
    {"qwen3-1.7b", 2048, 16, 8, 128, 28, false, false},
    {"qwen3-4b", 2560, 32, 8, 128, 36, false, false},
    {"qwen3-8b", 4096, 32, 8, 128, 36, false, false},
    {"qwen3-14b", 5120, 40, 8, 128, 40, false, false},
    {"qwen3-32b", 5120, 64, 8, 128, 64, false, false},
    {"llama-7b", 4096, 32, 32, 128, 32, false, false},
    {"llama-13b", 5120, 40, 40, 128, 40, false, false},
    {"llama-30b", 6656, 52, 52, 128, 60, false, false},
    {"llama-65b", 8192, 64, 64, 128, 80, false, false},
    {"llama2-70b", 8192, 64, 8, 128, 80, false, false},
    {"llama3-8b", 4096, 32, 8, 128, 32, false, false},
    {"llama3-70b", 8192, 64, 8, 128, 80, false, false},
    {"llama3.1-8b", 4096, 32, 8, 128, 32, false, false},
    {"llama3.2-1b", 2048, 32, 8, 64, 16, false, false},
    {"llama3.2-3b", 3072, 24, 8, 128, 28, false, false},
    {"mistral-7b", 4096, 32, 8, 128, 32, false, false},
    {"gemma-2-2b", 2304, 8, 4, 256, 26, false, false},
    {"gemma-2-9b", 3584, 16, 8, 256, 42, false, false},
    {"gemma-2-27b", 4608, 32, 16, 128, 46, false, false},
    {"gpt-oss-20b", 2880, 64, 8, 64, 24, true, true},
    {"gpt-oss-120b", 2880, 64, 8, 64, 36, true, true},
    {"gpt2-small", 768, 12, 12, 64, 12, true, true},
    {"class-1x512", 512, 1, 1, 512, 1, false, false},
    {"class-2x32", 64, 2, 2, 32, 1, false, false},
};
#define PUBLISHED_COUNT (sizeof published / sizeof published[0])

/* What every preset whose name begins so does to Q, K and the scores. scalar is the number whose
 * inverse root is the scale; 0 where that is the head dimension. */
typedef struct Attention {
  const char *begins;
  double base; /* 0: no RoPE */
  AttendRopeScaling scaling;
  double factor;
  float norm_epsilon;  /* 0: no QK-norm */
  size_t window, step; /* layers 0, step, 2 step, ... have the window */
  float softcap;
  double scalar;
  bool sinks;
} Attention;

static const Attention attention[] = {
    {"qwen2.5-", 1000000, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
    {"qwen3-", 1000000, ATTEND_ROPE_UNSCALED, 1, 1e-6f, 0, 1, 0, 0, false},
    {"llama-", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
    {"llama2-", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
    {"llama3-", 500000, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
    {"llama3.1-", 500000, ATTEND_ROPE_LLAMA3, 8, 0, 0, 1, 0, 0, false},
    {"llama3.2-", 500000, ATTEND_ROPE_LLAMA3, 32, 0, 0, 1, 0, 0, false},
    {"mistral-", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 4096, 1, 0, 0, false},
    {"gemma-2-2b", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 4096, 2, 50, 256, false},
    {"gemma-2-9b", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 4096, 2, 50, 256, false},
    {"gemma-2-27b", 10000, ATTEND_ROPE_UNSCALED, 1, 0, 4096, 2, 50, 144, false},
    {"gpt-oss-", 150000, ATTEND_ROPE_YARN, 32, 0, 128, 2, 0, 0, true},
    {"gpt2-", 0, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
    {"class-", 0, ATTEND_ROPE_UNSCALED, 1, 0, 0, 1, 0, 0, false},
};
#define ATTENTION_COUNT (sizeof attention / sizeof attention[0])

static const Attention *find_attention(const char *name) {
  const Attention *found = NULL;
  for (size_t i = 0; i < ATTENTION_COUNT; i++) {
    if (strncmp(name, attention[i].begins, strlen(attention[i].begins)) != 0) continue;
    if (found != NULL) fail_msg("%s has two rows here", name);
    found = &attention[i];
  }
  if (found == NULL) fail_msg("%s has no row here", name);
  return found;
}

static void presets_have_their_published_figures(void **state) {
  (void)state;
  for (size_t i = 0; i < PUBLISHED_COUNT; i++) {
    const Figures *const figures = &published[i];
    const AttendModel *const model = attend_find_model(figures->name);
    if (model == NULL) fail_msg("no preset is named %s", figures->name);
    const AttendLayerShape *const shape = &model->shape;
    if (shape->width != figures->width || shape->query_heads != figures->query_heads ||
        shape->kv_heads != figures->kv_heads || shape->head_dim != figures->head_dim ||
        shape->value_dim != figures->head_dim || model->layers != figures->layers) {
      fail_msg("%s has E %zu, Hq %zu, Hk %zu, D %zu, Dv %zu and %zu layers", figures->name,
               shape->width, shape->query_heads, shape->kv_heads, shape->head_dim, shape->value_dim,
               model->layers);
    }
    if (model->qkv_bias != figures->qkv_bias || model->output_bias != figures->output_bias) {
      fail_msg("%s has qkv_bias %d and output_bias %d", figures->name, model->qkv_bias,
               model->output_bias);
    }
  }
}

static void presets_do_to_their_scores_what_is_published(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    const Attention *const figures = find_attention(model->name);
    const double scale = figures->scalar > 0 ? 1 / sqrt(figures->scalar) : 0;
    if (model->qk_norm != (figures->norm_epsilon > 0) ||
        model->norm_epsilon != figures->norm_epsilon || model->softcap != figures->softcap ||
        model->scale != (float)scale || model->sinks != figures->sinks) {
      fail_msg("%s has qk_norm %d, norm_epsilon %g, softcap %g, scale %g and sinks %d", model->name,
               model->qk_norm, (double)model->norm_epsilon, (double)model->softcap,
               (double)model->scale, model->sinks);
    }
  }
}

static void presets_rotate_q_and_k_as_is_published(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    const Attention *const figures = find_attention(model->name);
    const AttendRope *const rope = &model->rope;
    const AttendRopePairing pairing = figures->base > 0 ? ATTEND_ROPE_HALF : ATTEND_ROPE_NONE;
    if (rope->pairing != pairing || rope->scaling != figures->scaling ||
        rope->factor != figures->factor || (figures->base > 0 && rope->base != figures->base)) {
      fail_msg("%s has pairing %d, base %g, scaling %d and factor %g", model->name, rope->pairing,
               rope->base, rope->scaling, rope->factor);
    }
    const bool yarn = rope->scaling == ATTEND_ROPE_YARN;
    assert_true(rope->original_positions == (yarn ? 4096 : 8192));
    assert_int_equal(rope->untruncated, yarn);
  }
}

/* What a model does not state must be what a caller gets who states nothing either. */
static void rope_is_otherwise_the_default(void **state) {
  (void)state;
  AttendRope usual;
  attend_default_rope(&usual);
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendRope *const rope = &attend_model_at(i)->rope;
    assert_int_equal(rope->dims, usual.dims);
    assert_true(rope->low_frequency_factor == usual.low_frequency_factor);
    assert_true(rope->high_frequency_factor == usual.high_frequency_factor);
    assert_true(rope->beta_fast == usual.beta_fast && rope->beta_slow == usual.beta_slow);
    assert_true(rope->attention_factor == usual.attention_factor);
    assert_null(rope->cos);
    assert_null(rope->sin);
    assert_int_equal(rope->table_positions, 0);
    if (rope->pairing == ATTEND_ROPE_NONE) assert_true(rope->base == usual.base);
    if (rope->scaling == ATTEND_ROPE_UNSCALED) {
      assert_true(rope->factor == usual.factor);
      assert_true(rope->original_positions == usual.original_positions);
    }
  }
}

static void windows_are_on_the_published_layers(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    const Attention *const figures = find_attention(model->name);
    assert_int_equal(model->window, figures->window);
    for (size_t layer = 0; layer < ATTEND_MODEL_LAYERS; layer++) {
      const bool expected =
          figures->window > 0 && layer < model->layers && layer % figures->step == 0;
      const bool slides = (model->sliding[layer / 64] >> (layer % 64) & 1) != 0;
      if (slides != expected) fail_msg("layer %zu of %s slides: %d", layer, model->name, slides);
    }
  }
}

static void no_preset_is_without_figures_here(void **state) {
  (void)state;
  assert_int_equal(attend_model_count(), PUBLISHED_COUNT);
  for (size_t i = 0; i < attend_model_count(); i++) {
    const char *const name = attend_model_at(i)->name;
    size_t found = 0;
    for (size_t j = 0; j < PUBLISHED_COUNT; j++) found += strcmp(name, published[j].name) == 0;
    if (found != 1) fail_msg("%s is listed %zu times here", name, found);
  }
}

static void names_are_unique_lower_case_and_fit(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const char *const name = attend_model_at(i)->name;
    const size_t length = strnlen(name, ATTEND_NAME_SIZE);
    assert_in_range(length, 1, ATTEND_NAME_SIZE - 1);
    for (size_t c = 0; c < length; c++) {
      const unsigned char letter = (unsigned char)name[c];
      if (!islower(letter) && !isdigit(letter) && letter != '.' && letter != '-') {
        fail_msg("%s has the character '%c'", name, name[c]);
      }
    }
    for (size_t j = 0; j < i; j++) assert_string_not_equal(name, attend_model_at(j)->name);
  }
}

static void every_preset_names_its_source(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    assert_non_null(model->source);
    assert_true(strlen(model->source) > 0);
  }
  assert_string_equal(attend_find_model("qwen2.5-0.5b")->source,
                      "Qwen/Qwen2.5-0.5B config.json on Hugging Face");
  assert_non_null(strstr(attend_find_model("llama-30b")->source, "table 2"));
}

/* A source that names a repository must name the model's own: its size is at the end of both. */
static void a_source_is_of_the_same_size_as_its_preset(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    const char *const dash = strrchr(model->name, '-');
    if (strstr(model->source, "Qwen/") == NULL && strstr(model->source, "-llama/") == NULL &&
        strstr(model->source, "google/") == NULL && strstr(model->source, "openai/") == NULL) {
      continue;
    }
    char source[128], size[32];
    snprintf(source, sizeof source, "%s", model->source);
    snprintf(size, sizeof size, "%s", dash);
    for (char *c = source; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    if (strstr(source, size) == NULL) fail_msg("%s comes from %s", model->name, model->source);
  }
}

static void shapes_are_ones_that_a_layer_accepts(void **state) {
  (void)state;
  size_t wider_or_narrower = 0;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    const AttendLayerShape *const shape = &model->shape;
    assert_true(shape->width > 0 && shape->head_dim > 0 && shape->value_dim > 0);
    assert_true(shape->kv_heads > 0 && shape->query_heads % shape->kv_heads == 0);
    assert_in_range(model->layers, 1, ATTEND_MODEL_LAYERS);
    wider_or_narrower += shape->query_heads * shape->head_dim != shape->width;
  }
  /* Qwen3 0.6B, 4B, 32B, Gemma 2 and gpt-oss: users of presets must not take Hq * D for E. */
  assert_int_equal(wider_or_narrower, 8);
}

static void find_ignores_case_and_nothing_else(void **state) {
  (void)state;
  const AttendModel *const model = attend_find_model("qwen2.5-0.5b");
  assert_non_null(model);
  assert_ptr_equal(attend_find_model("QWEN2.5-0.5B"), model);
  assert_ptr_equal(attend_find_model("Qwen2.5-0.5b"), model);
  assert_non_null(attend_find_model("MISTRAL-7B"));

  static const char *const unknown[] = {
      "",
      "qwen2.5",
      "qwen2.5-0.5",
      "qwen2.5-0.5b ",
      " qwen2.5-0.5b",
      "qwen2.5-0.5b-instruct",
      "qwen2.5_0.5b",
      "qwen2.5-0\0165b", /* \016 and . differ as upper and lower case do */
      "gpt-5"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    if (attend_find_model(unknown[i]) != NULL) fail_msg("\"%s\" is found", unknown[i]);
  }
  assert_null(attend_find_model(NULL));
}

static void index_and_name_lead_to_the_same_preset(void **state) {
  (void)state;
  for (size_t i = 0; i < attend_model_count(); i++) {
    const AttendModel *const model = attend_model_at(i);
    assert_non_null(model);
    assert_ptr_equal(attend_find_model(model->name), model);
  }
  assert_null(attend_model_at(attend_model_count()));
  assert_null(attend_model_at(SIZE_MAX));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(presets_have_their_published_figures),
      cmocka_unit_test(presets_do_to_their_scores_what_is_published),
      cmocka_unit_test(presets_rotate_q_and_k_as_is_published),
      cmocka_unit_test(rope_is_otherwise_the_default),
      cmocka_unit_test(windows_are_on_the_published_layers),
      cmocka_unit_test(no_preset_is_without_figures_here),
      cmocka_unit_test(names_are_unique_lower_case_and_fit),
      cmocka_unit_test(every_preset_names_its_source),
      cmocka_unit_test(a_source_is_of_the_same_size_as_its_preset),
      cmocka_unit_test(shapes_are_ones_that_a_layer_accepts),
      cmocka_unit_test(find_ignores_case_and_nothing_else),
      cmocka_unit_test(index_and_name_lead_to_the_same_preset),
  };
  return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}
