/* test_config_attention.c - what a config.json says of RoPE, windows, norms and scores, in every
 * spelling that is read, and what is filled in where it says nothing.
 */
#include "tests/support/config_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define QWEN2 "{\"model_type\": \"qwen2\", "
#define QWEN3 "{\"model_type\": \"qwen3\", "
#define MISTRAL "{\"model_type\": \"mistral\", "
#define GEMMA2 "{\"model_type\": \"gemma2\", \"num_key_value_heads\": 2, "
#define GPT_OSS "{\"model_type\": \"gpt_oss\", \"num_key_value_heads\": 2, "
/* Heads of 16 dimensions in six layers. */
#define SMALL                                                                                      \
  "\"hidden_size\": 64, \"num_attention_heads\": 4, \"head_dim\": 16, \"num_hidden_layers\": 6"
#define ROPE_SCALING(text) LLAMA SMALL ", \"rope_scaling\": {" text "}}"

/* What differs from attend_default_rope(), apart from the pairing. */
typedef struct RopeCase {
  const char *text;
  AttendRopeScaling scaling;
  size_t dims;
  double base, factor, original_positions, low, high, beta_fast, beta_slow, attention_factor;
  bool untruncated;
} RopeCase;

#define LLAMA3_FIELDS                                                                              \
  "\"factor\": 8, \"low_freq_factor\": 2, \"high_freq_factor\": 6.5, "                             \
  "\"original_max_position_embeddings\": 1024"

/* clang-format off */
static const RopeCase rope_cases[] = {
  /* No scaling, said in every way. */
  {LLAMA SMALL "}", ATTEND_ROPE_UNSCALED, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"rope_theta\": 500000, \"rope_scaling\": null}",
   ATTEND_ROPE_UNSCALED, 0, 500000, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"rope_theta\": null}",
   ATTEND_ROPE_UNSCALED, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING(""), ATTEND_ROPE_UNSCALED, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING("\"rope_type\": \"default\", \"factor\": 9"),
   ATTEND_ROPE_UNSCALED, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {GPT_OSS SMALL ", \"rope_scaling\": {\"type\": \"default\"}}",
   ATTEND_ROPE_UNSCALED, 0, 150000, 1, 8192, 1, 4, 32, 1, 0, false},

  /* The base, beside or inside, or in both. */
  {LLAMA SMALL ", \"rope_parameters\": {\"rope_theta\": 2.5}}",
   ATTEND_ROPE_UNSCALED, 0, 2.5, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"rope_theta\": 7, \"rope_parameters\": {\"rope_theta\": 7.0}}",
   ATTEND_ROPE_UNSCALED, 0, 7, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"rope_theta\": 7, \"rope_parameters\": {\"rope_type\": \"default\"}}",
   ATTEND_ROPE_UNSCALED, 0, 7, 1, 8192, 1, 4, 32, 1, 0, false},

  /* Part of a head. */
  {LLAMA SMALL ", \"partial_rotary_factor\": 0.5}",
   ATTEND_ROPE_UNSCALED, 8, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"rope_parameters\": {\"partial_rotary_factor\": 0.26}}",
   ATTEND_ROPE_UNSCALED, 4, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"partial_rotary_factor\": 1}",
   ATTEND_ROPE_UNSCALED, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},

  /* Every type, by both spellings. */
  {ROPE_SCALING("\"type\": \"linear\", \"factor\": 2.5"),
   ATTEND_ROPE_LINEAR, 0, 10000, 2.5, 8192, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING("\"rope_type\": \"linear\", \"type\": \"dynamic\", \"factor\": 4"),
   ATTEND_ROPE_LINEAR, 0, 10000, 4, 8192, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING("\"rope_type\": null, \"type\": \"linear\", \"factor\": 1"),
   ATTEND_ROPE_LINEAR, 0, 10000, 1, 8192, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING("\"rope_type\": \"llama3\", " LLAMA3_FIELDS),
   ATTEND_ROPE_LLAMA3, 0, 10000, 8, 1024, 2, 6.5, 32, 1, 0, false},
  {ROPE_SCALING("\"type\": \"llama3\", " LLAMA3_FIELDS),
   ATTEND_ROPE_LLAMA3, 0, 10000, 8, 1024, 2, 6.5, 32, 1, 0, false},
  {ROPE_SCALING("\"type\": \"yarn\", \"factor\": 4, \"finetuned\": true, "
   "\"original_max_position_embeddings\": 32768"),
   ATTEND_ROPE_YARN, 0, 10000, 4, 32768, 1, 4, 32, 1, 0, false},
  {ROPE_SCALING("\"rope_type\": \"yarn\", \"factor\": 4, \"beta_fast\": 64, \"beta_slow\": 0.5, "
   "\"attention_factor\": 1.25, \"truncate\": false, \"original_max_position_embeddings\": 2048.0"),
   ATTEND_ROPE_YARN, 0, 10000, 4, 2048, 1, 4, 64, 0.5, 1.25, true},

  /* Without positions of its own YaRN takes those of the file; a beta of 0 or null is none. */
  {LLAMA SMALL ", \"max_position_embeddings\": 512, \"rope_scaling\": {\"rope_type\": \"yarn\","
   "\"factor\": 2, \"beta_fast\": 0, \"beta_slow\": null, \"truncate\": true}}",
   ATTEND_ROPE_YARN, 0, 10000, 2, 512, 1, 4, 32, 1, 0, false},
  {LLAMA SMALL ", \"max_position_embeddings\": 512, \"rope_scaling\": {\"rope_type\": \"yarn\","
   "\"factor\": 2, \"original_max_position_embeddings\": 256}}",
   ATTEND_ROPE_YARN, 0, 10000, 2, 256, 1, 4, 32, 1, 0, false},

  /* gpt_oss scales where its file says nothing. */
  {GPT_OSS SMALL "}", ATTEND_ROPE_YARN, 0, 150000, 32, 4096, 1, 4, 32, 1, 0, true},
  {GPT_OSS SMALL ", \"rope_theta\": 9, \"rope_scaling\": null}",
   ATTEND_ROPE_YARN, 0, 9, 32, 4096, 1, 4, 32, 1, 0, true},

  /* Both spellings of the whole, if they agree. */
  {LLAMA SMALL ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2},"
   "\"rope_parameters\": {\"factor\": 2, \"type\": \"linear\"}}",
   ATTEND_ROPE_LINEAR, 0, 10000, 2, 8192, 1, 4, 32, 1, 0, false},
};
/* clang-format on */

static void rope_is_read_in_every_spelling(void **state) {
  for (size_t i = 0; i < COUNT(rope_cases); i++) {
    const RopeCase *const expected = &rope_cases[i];
    AttendModel model;
    read_good(*state, expected->text, &model);
    const AttendRope *const rope = &model.rope;
    if (rope->pairing != ATTEND_ROPE_HALF || rope->scaling != expected->scaling ||
        rope->dims != expected->dims || rope->base != expected->base ||
        rope->factor != expected->factor ||
        rope->original_positions != expected->original_positions ||
        rope->low_frequency_factor != expected->low ||
        rope->high_frequency_factor != expected->high || rope->beta_fast != expected->beta_fast ||
        rope->beta_slow != expected->beta_slow ||
        rope->attention_factor != expected->attention_factor ||
        rope->untruncated != expected->untruncated) {
      fail_msg("%s gives scaling %d, dims %zu, base %g, factor %g, positions %g, bands %g and %g, "
               "betas %g and %g, attention factor %g, untruncated %d",
               expected->text, rope->scaling, rope->dims, rope->base, rope->factor,
               rope->original_positions, rope->low_frequency_factor, rope->high_frequency_factor,
               rope->beta_fast, rope->beta_slow, rope->attention_factor, rope->untruncated);
    }
  }
}

static void mscale_gives_the_attention_factor(void **state) {
#define YARN(text)                                                                                 \
  ROPE_SCALING(                                                                                    \
      "\"type\": \"yarn\", \"original_max_position_embeddings\": 64, \"factor\": 40, " text)
  AttendModel model;
  read_good(*state, YARN("\"mscale\": 1.0, \"mscale_all_dim\": 0.5"), &model);
  const double growth = 0.1 * log(40);
  assert_true(fabs(model.rope.attention_factor - (1 + growth) / (1 + 0.5 * growth)) < 1e-15);
  read_good(*state, YARN("\"mscale\": 0.707, \"mscale_all_dim\": 0.707"), &model);
  assert_true(model.rope.attention_factor == 1);

  /* Either alone says nothing, and a stated factor counts before both. */
  read_good(*state, YARN("\"mscale\": 0.5"), &model);
  assert_true(model.rope.attention_factor == 0);
  read_good(*state, YARN("\"mscale\": 0.5, \"mscale_all_dim\": 0"), &model);
  assert_true(model.rope.attention_factor == 0);
  read_good(*state, YARN("\"mscale\": 2, \"mscale_all_dim\": 1, \"attention_factor\": 3"), &model);
  assert_true(model.rope.attention_factor == 3);
#undef YARN
}

#define SLIDES "\"sliding_attention\""
#define FULL "\"full_attention\""

/* clang-format off */
static const struct {
  const char *text;
  size_t window;
  uint64_t sliding; /* of six layers */
} window_cases[] = {
  /* llama has no window, whatever its file says. */
  {LLAMA SMALL ", \"sliding_window\": 8, \"layer_types\": [" SLIDES "]}", 0, 0},

  {MISTRAL SMALL "}", 4096, 0x3f},
  {MISTRAL SMALL ", \"sliding_window\": null}", 0, 0},
  {MISTRAL SMALL ", \"sliding_window\": 1}", 1, 0x3f},
  {MISTRAL SMALL ", \"sliding_window\": 8, \"layer_types\": [" FULL ", " SLIDES ", " SLIDES ", "
   FULL ", " FULL ", " SLIDES "]}", 8, 0x26},

  {QWEN2 SMALL ", \"sliding_window\": 8, \"max_window_layers\": 2}", 0, 0},
  {QWEN2 SMALL ", \"use_sliding_window\": false, \"sliding_window\": \"any\"}", 0, 0},
  {QWEN2 SMALL ", \"use_sliding_window\": true, \"sliding_window\": null}", 0, 0},
  {QWEN2 SMALL ", \"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 4}",
   8, 0x30},
  {QWEN2 SMALL ", \"use_sliding_window\": true, \"max_window_layers\": 0}", 4096, 0x3f},
  {QWEN3 SMALL ", \"use_sliding_window\": true, \"max_window_layers\": 5}", 4096, 0x20},
  /* 28 layers without a window are more than there are. */
  {QWEN3 SMALL ", \"use_sliding_window\": true, \"sliding_window\": 8}", 0, 0},
  {QWEN3 SMALL ", \"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 0,"
   "\"layer_types\": [" SLIDES ", " FULL ", " FULL ", " FULL ", " FULL ", " FULL "]}", 8, 1},
  {QWEN3 SMALL ", \"layer_types\": [" FULL ", " FULL ", " FULL ", " FULL ", " FULL ", " FULL "]}",
   0, 0},

  {GEMMA2 SMALL "}", 4096, 0x15},
  {GEMMA2 SMALL ", \"sliding_window\": 2048, \"layer_types\": null}", 2048, 0x15},
  {GEMMA2 SMALL ", \"sliding_window\": null}", 0, 0},
  {GPT_OSS SMALL "}", 128, 0x15},
  {GPT_OSS SMALL ", \"layer_types\": [" FULL ", " SLIDES ", " FULL ", " SLIDES ", " FULL ", "
   SLIDES "]}", 128, 0x2a},
};
/* clang-format on */

static void windows_are_on_the_layers_that_have_them(void **state) {
  for (size_t i = 0; i < COUNT(window_cases); i++) {
    AttendModel model;
    read_good(*state, window_cases[i].text, &model);
    if (model.window != window_cases[i].window || model.sliding[0] != window_cases[i].sliding) {
      fail_msg("%s gives window %zu on layers %#llx", window_cases[i].text, model.window,
               (unsigned long long)model.sliding[0]);
    }
    for (size_t word = 1; word < COUNT(model.sliding); word++)
      assert_true(model.sliding[word] == 0);
  }
}

static void the_last_of_256_layers_can_slide(void **state) {
  AttendModel model;
  read_good(*state,
            MISTRAL "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_hidden_layers\": 256}",
            &model);
  for (size_t word = 0; word < COUNT(model.sliding); word++) {
    assert_true(model.sliding[word] == UINT64_MAX);
  }
  read_good(*state,
            QWEN2 "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_hidden_layers\": 256,"
                  "\"use_sliding_window\": true, \"max_window_layers\": 255}",
            &model);
  assert_true(model.sliding[3] == UINT64_C(1) << 63);
  assert_true(model.sliding[0] == 0 && model.sliding[1] == 0 && model.sliding[2] == 0);
}

static void scores_and_norms_are_of_their_family(void **state) {
  AttendModel model;
  read_good(*state, QWEN3 SMALL ", \"rms_norm_eps\": 0.001, \"attn_logit_softcapping\": 9}",
            &model);
  assert_true(model.qk_norm && model.norm_epsilon == 0.001f);
  assert_true(model.softcap == 0 && model.scale == 0 && !model.sinks);
  read_good(*state, QWEN3 SMALL ", \"rms_norm_eps\": 0}", &model);
  assert_true(model.qk_norm && model.norm_epsilon == 0);

  read_good(*state, LLAMA SMALL ", \"rms_norm_eps\": 1e-05, \"query_pre_attn_scalar\": 4}", &model);
  assert_true(!model.qk_norm && model.norm_epsilon == 0 && model.scale == 0);

  read_good(*state, GEMMA2 SMALL "}", &model);
  assert_true(model.softcap == 50 && model.scale == 0.0625f);
  read_good(*state,
            GEMMA2 SMALL ", \"attn_logit_softcapping\": null, \"query_pre_attn_scalar\": 224}",
            &model);
  assert_true(model.softcap == 0 && model.scale == (float)(1 / sqrt(224)));
  read_good(*state, GEMMA2 SMALL ", \"attn_logit_softcapping\": 30}", &model);
  assert_true(model.softcap == 30);

  read_good(*state, GPT_OSS SMALL "}", &model);
  assert_true(model.sinks && model.softcap == 0 && model.scale == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rope_is_read_in_every_spelling),
      cmocka_unit_test(mscale_gives_the_attention_factor),
      cmocka_unit_test(windows_are_on_the_layers_that_have_them),
      cmocka_unit_test(the_last_of_256_layers_can_slide),
      cmocka_unit_test(scores_and_norms_are_of_their_family),
  };
  return cmocka_run_group_tests_name("config_attention", tests, make_folder, remove_folder);
}
