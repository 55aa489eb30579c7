/* test_config.c - config.json files of every family give their model; files of unusual size and
 * paths of unusual length are read; buffers of every length survive.
 */
#include "tests/support/config_file.h"
#include "tests/support/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct GoodCase {
  const char *text;
  const char *name;
  AttendLayerShape shape;
  size_t layers;
  bool qkv_bias, output_bias;
} GoodCase;

/* clang-format off */
static const GoodCase good_cases[] = {
  /* As published: an old LLaMA file has neither kv heads nor head_dim nor biases. */
  {"{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_act\": \"silu\", \"hidden_size\": 6656,"
   "\"initializer_range\": 0.02, \"intermediate_size\": 17920, \"model_type\": \"llama\","
   "\"num_attention_heads\": 52, \"num_hidden_layers\": 60, \"rms_norm_eps\": 1e-06}",
   "llama", {6656, 52, 52, 128, 128}, 60, false, false},
  {"{\"_name_or_path\": \"meta-llama/Llama-3.2-1B\", \"attention_bias\": false, \"head_dim\": 64,"
   "\"hidden_size\": 2048, \"model_type\": \"llama\", \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 16, \"num_key_value_heads\": 8, \"rope_scaling\": null}",
   "meta-llama/Llama-3.2-1B", {2048, 32, 8, 64, 64}, 16, false, false},
  {"{\"hidden_size\": 896, \"model_type\": \"qwen2\", \"num_attention_heads\": 14,"
   "\"num_hidden_layers\": 24, \"num_key_value_heads\": 2, \"use_sliding_window\": false}",
   "qwen2", {896, 14, 2, 64, 64}, 24, true, false},
  {"{\"attention_bias\": false, \"head_dim\": 128, \"hidden_size\": 1024,"
   "\"model_type\": \"qwen3\", \"num_attention_heads\": 16, \"num_hidden_layers\": 28,"
   "\"num_key_value_heads\": 8, \"rope_scaling\": null}",
   "qwen3", {1024, 16, 8, 128, 128}, 28, false, false},
  {"{\"hidden_size\": 4096, \"model_type\": \"mistral\", \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 32, \"num_key_value_heads\": 8, \"sliding_window\": 4096}",
   "mistral", {4096, 32, 8, 128, 128}, 32, false, false},
  {"{\"model_type\": \"gpt2\", \"n_ctx\": 1024, \"n_embd\": 768, \"n_head\": 12, \"n_layer\": 12}",
   "gpt2", {768, 12, 12, 64, 64}, 12, true, true},

  /* head_dim frees the width from the heads; a null counts as left out. */
  {LLAMA "\"hidden_size\": 100, \"num_attention_heads\": 7, \"num_hidden_layers\": 1,"
   "\"head_dim\": 6}", "llama", {100, 7, 7, 6, 6}, 1, false, false},
  {LLAMA SIZES ", \"head_dim\": null, \"num_key_value_heads\": null, \"attention_bias\": null,"
   "\"_name_or_path\": null}", "llama", {896, 14, 14, 64, 64}, 24, false, false},
  {"{\"model_type\": \"mistral\", " SIZES ", \"head_dim\": null, \"num_key_value_heads\": 7}",
   "mistral", {896, 14, 7, 64, 64}, 24, false, false},
  /* qwen3 has 128 of its own, not 896 / 14. */
  {"{\"model_type\": \"qwen3\", " SIZES "}", "qwen3", {896, 14, 14, 128, 128}, 24, false, false},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"head_dim\": null}",
   "qwen3", {896, 14, 14, 128, 128}, 24, false, false},

  /* gemma2 and gpt_oss have heads of their own where the file leaves them out. */
  {"{\"model_type\": \"gemma2\", \"hidden_size\": 2304, \"num_attention_heads\": 8,"
   "\"num_hidden_layers\": 26}", "gemma2", {2304, 8, 4, 256, 256}, 26, false, false},
  {"{\"model_type\": \"gpt_oss\", \"hidden_size\": 2880, \"num_attention_heads\": 64,"
   "\"num_hidden_layers\": 24}", "gpt_oss", {2880, 64, 8, 64, 64}, 24, true, true},
  {"{\"model_type\": \"gemma2\", " SIZES ", \"num_key_value_heads\": null}",
   "gemma2", {896, 14, 14, 256, 256}, 24, false, false},

  /* attention_bias is of all four matrices where the family's code reads it, and ignored else. */
  {LLAMA SIZES ", \"attention_bias\": true}", "llama", {896, 14, 14, 64, 64}, 24, true, true},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"attention_bias\": true}",
   "qwen3", {896, 14, 14, 128, 128}, 24, true, true},
  {"{\"model_type\": \"gemma2\", " SIZES ", \"num_key_value_heads\": 14,"
   "\"attention_bias\": true}", "gemma2", {896, 14, 14, 256, 256}, 24, true, true},
  {"{\"model_type\": \"gpt_oss\", " SIZES ", \"num_key_value_heads\": 14,"
   "\"attention_bias\": false}", "gpt_oss", {896, 14, 14, 64, 64}, 24, false, false},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"attention_bias\": true}",
   "qwen2", {896, 14, 14, 64, 64}, 24, true, false},
  {"{\"model_type\": \"mistral\", " SIZES ", \"attention_bias\": true}",
   "mistral", {896, 14, 14, 64, 64}, 24, false, false},

  /* gpt2 has none of the others' fields: what stands there means nothing to it. */
  {"{\"model_type\": \"gpt2\", \"n_embd\": 8, \"n_head\": 2, \"n_layer\": 1, \"head_dim\": -1,"
   "\"num_key_value_heads\": \"none\", \"attention_bias\": 7, \"hidden_size\": 0,"
   "\"rope_theta\": false, \"rope_scaling\": 7, \"sliding_window\": \"no\", \"layer_types\": 3}",
   "gpt2", {8, 2, 2, 4, 4}, 1, true, true},

  /* Both ends of the range. */
  {LLAMA "\"hidden_size\": 2, \"num_attention_heads\": 1, \"num_hidden_layers\": 1}",
   "llama", {2, 1, 1, 2, 2}, 1, false, false},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 1, \"n_head\": 1, \"n_layer\": 1}",
   "gpt2", {1, 1, 1, 1, 1}, 1, true, true},
  {LLAMA "\"hidden_size\": 2147483647, \"num_attention_heads\": 1, \"head_dim\": 2,"
   "\"num_hidden_layers\": 256}", "llama", {2147483647, 1, 1, 2, 2}, 256, false, false},

  /* Names that do not fit, or are none. 63 bytes fit, 64 do not. */
  {LLAMA SIZES ", \"_name_or_path\": "
   "\"0123456789012345678901234567890123456789012345678901234567890ab\"}",
   "0123456789012345678901234567890123456789012345678901234567890ab", {896, 14, 14, 64, 64}, 24,
   false, false},
  {LLAMA SIZES ", \"_name_or_path\": "
   "\"0123456789012345678901234567890123456789012345678901234567890abc\"}",
   "llama", {896, 14, 14, 64, 64}, 24, false, false},
  {LLAMA SIZES ", \"_name_or_path\": \"\"}", "llama", {896, 14, 14, 64, 64}, 24, false, false},
  {LLAMA SIZES ", \"_name_or_path\": \"a\\nb\"}", "llama", {896, 14, 14, 64, 64}, 24, false, false},
  {LLAMA SIZES ", \"_name_or_path\": 7}", "llama", {896, 14, 14, 64, 64}, 24, false, false},
};
/* clang-format on */

static void good_files_give_their_model(void **state) {
  for (size_t i = 0; i < COUNT(good_cases); i++) {
    const GoodCase *const expected = &good_cases[i];
    AttendModel model;
    read_good(*state, expected->text, &model);
    assert_string_equal(model.name, expected->name);
    if (memcmp(&model.shape, &expected->shape, sizeof model.shape) != 0 ||
        model.layers != expected->layers || model.qkv_bias != expected->qkv_bias ||
        model.output_bias != expected->output_bias) {
      fail_msg("%s gives E %zu, Hq %zu, Hk %zu, D %zu, Dv %zu, %zu layers, biases %d and %d",
               expected->text, model.shape.width, model.shape.query_heads, model.shape.kv_heads,
               model.shape.head_dim, model.shape.value_dim, model.layers, model.qkv_bias,
               model.output_bias);
    }
    assert_null(model.source);
  }
}

static void a_file_of_16_mib_is_read_and_a_longer_one_is_not(void **state) {
  const Folder *const made = *state;
  static const char text[] = LLAMA SIZES "}";
  const size_t limit = 16 * 1024 * 1024;
  char *const padded = malloc(limit + 1);
  assert_non_null(padded);
  memset(padded, ' ', limit + 1);
  memcpy(padded, text, sizeof text - 1);

  AttendModel model;
  char error[ATTEND_FILE_ERROR_SIZE];
  write_bytes(made->file, padded, limit);
  assert_int_equal(attend_read_config(made->file, &model, error, sizeof error), ATTEND_OK);
  assert_int_equal(model.shape.width, 896);

  write_bytes(made->file, padded, limit + 1);
  char sentence[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_FILE_INVALID);
  require_words(sentence, "16777217 16777216", "a file that is too long");
  free(padded);
}

/* The sentence ends in what is wrong: a long path must not push that out of the buffer. */
static void a_long_path_is_shown_from_its_end(void **state) {
  const Folder *const made = *state;
  char path[2048];
  size_t length = (size_t)snprintf(path, sizeof path, "%s", made->folder);
  while (length < 1500) {
    length += (size_t)snprintf(path + length, sizeof path - length, "/.");
  }
  snprintf(path + length, sizeof path - length, "/config.json");
  write_text(path, LLAMA "\"hidden_size\": 0}");
  char sentence[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(path, sentence), ATTEND_STATUS_FILE_INVALID);
  require_words(sentence, "hidden_size 0 1 2147483647", "a long path");

  char error[ATTEND_FILE_ERROR_SIZE];
  AttendModel model;
  attend_read_config(path, &model, error, sizeof error);
  assert_memory_equal(error, ".../.", 5);
}

static void a_line_break_in_a_path_stays_on_one_line(void **state) {
  const Folder *const made = *state;
  char path[192], error[ATTEND_FILE_ERROR_SIZE];
  snprintf(path, sizeof path, "%s/two\nlines", made->folder);
  AttendModel model;
  assert_int_equal(attend_read_config(path, &model, error, sizeof error),
                   ATTEND_STATUS_FILE_UNREADABLE);
  assert_null(strchr(error, '\n'));
  assert_non_null(strstr(error, "/two?lines: "));
  require_words(error, "No such file", "a line break");
}

static void a_short_buffer_gets_the_beginning_and_is_not_overrun(void **state) {
  const Folder *const made = *state;
  write_text(made->file, LLAMA "\"hidden_size\": 0}");
  AttendModel model;
  char whole[ATTEND_FILE_ERROR_SIZE];
  attend_read_config(made->file, &model, whole, sizeof whole);
  const size_t length = strlen(whole);

  for (size_t size = 0; size <= length + 2; size++) {
    char *const error = malloc(length + 16);
    assert_non_null(error);
    memset(error, 'x', length + 16);
    assert_int_equal(attend_read_config(made->file, &model, error, size),
                     ATTEND_STATUS_FILE_INVALID);
    const size_t copied = size > length ? length : size > 0 ? size - 1 : 0;
    assert_memory_equal(error, whole, copied);
    if (size > 0) assert_int_equal(error[copied], '\0');
    for (size_t i = size; i < length + 16; i++) assert_int_equal(error[i], 'x');
    free(error);
  }
}

static void null_arguments_are_refused(void **state) {
  const Folder *const made = *state;
  write_text(made->file, LLAMA SIZES "}");
  AttendModel model;
  char error[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(attend_read_config(NULL, &model, error, sizeof error),
                   ATTEND_STATUS_NULL_POINTER);
  require_words(error, "config.json: path null", "no path");
  assert_int_equal(attend_read_config(NULL, &model, NULL, 0), ATTEND_STATUS_NULL_POINTER);

  const AttendStatus status = attend_read_config(made->file, NULL, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_NULL_POINTER, error, made->file, "model null");

  assert_int_equal(attend_read_config(made->file, &model, NULL, 0), ATTEND_OK);
  assert_int_equal(attend_read_config(made->file, &model, error, 0), ATTEND_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_files_give_their_model),
      cmocka_unit_test(a_file_of_16_mib_is_read_and_a_longer_one_is_not),
      cmocka_unit_test(a_long_path_is_shown_from_its_end),
      cmocka_unit_test(a_line_break_in_a_path_stays_on_one_line),
      cmocka_unit_test(a_short_buffer_gets_the_beginning_and_is_not_overrun),
      cmocka_unit_test(null_arguments_are_refused),
  };
  return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
