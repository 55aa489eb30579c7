/* test_config_refused.c - every way in which a config.json can be wrong: the status, the field
 * that is named and its value, for a model that is left alone.
 */
#include "tests/support/config_file.h"
#include "tests/support/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct BadCase {
  const char *text;
  AttendStatus status;
  const char *words; /* of the sentence */
} BadCase;

#define INVALID ATTEND_STATUS_FILE_INVALID
#define BAD_HEADS ATTEND_STATUS_BAD_HEADS

/* The ends of a file: what its YaRN or llama3 scaling has beside what every one needs. */
#define YARN(text)                                                                                 \
  ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, "                                  \
  "\"original_max_position_embeddings\": 64, " text "}}"
#define LLAMA3(text)                                                                               \
  ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 2, "                                \
  "\"original_max_position_embeddings\": 64, " text "}}"
#define TWO_LAYERS(family)                                                                         \
  "{\"model_type\": \"" family "\", \"hidden_size\": 8, \"num_attention_heads\": 2, "              \
  "\"num_key_value_heads\": 2, \"head_dim\": 4, \"num_hidden_layers\": 2"
#define GPT2 "{\"model_type\": \"gpt2\", \"n_embd\": 8, \"n_head\": 2, \"n_layer\": 1"

/* clang-format off */
static const BadCase bad_cases[] = {
  /* Not JSON, or not an object. */
  {"", INVALID, "empty"},
  {"   \n", INVALID, "JSON 2:0"},
  {"{\n  \"hidden_size\": 896,\n  oops\n}", INVALID, "JSON 3:6"},
  {"{\"hidden_size\": 896", INVALID, "JSON 1:19"},
  {"{\"a\": 1,}", INVALID, "JSON 1:9"},
  {"{\"a\": NaN}", INVALID, "JSON 1:9"},
  {LLAMA SIZES "} trailing", INVALID, "JSON 1:"},
  {"{\"a\": \"line\nbreak\"}", INVALID, "JSON 1:"},
  {"{\"a\": \"\xff\xfe\"}", INVALID, "JSON 1:"},
  {"{\"a\": \"\\u0000\"}", INVALID, "JSON 1:"},
  {"{\"hidden_size\": 896,\n \"hidden_size\": 1024}", INVALID, "2:14 duplicate object key"},
  {"{\"hidden_size\": 99999999999999999999}", INVALID, "1:36 too big integer"},
  {"[1, 2]", INVALID, "JSON array"},
  {"896", INVALID, "JSON 896"},
  {"\"llama\"", INVALID, "JSON \"llama\""},
  {"null", INVALID, "JSON null"},

  /* The family. */
  {"{}", INVALID, "model_type missing"},
  {"{" SIZES "}", INVALID, "model_type missing"},
  {"{\"model_type\": \"bert\"}", INVALID, "model_type \"bert\""},
  {"{\"model_type\": \"LLAMA\"}", INVALID, "model_type \"LLAMA\""},
  {"{\"model_type\": \"qwen2_vl\"}", INVALID, "model_type \"qwen2_vl\""},
  {"{\"model_type\": null}", INVALID, "model_type null"},
  {"{\"model_type\": [\"llama\"]}", INVALID, "model_type array"},
  {"{\"model_type\": {}}", INVALID, "model_type object"},
  {"{\"model_type\": true}", INVALID, "model_type true"},
  {"{\"model_type\": \"two\\nlines\"}", INVALID, "model_type \"two?lines\""},
  {"{\"model_type\": \"0123456789012345678901234567890123456789\"}",
   INVALID, "model_type \"0123456789012345678901234567890123456789\""},
  {"{\"model_type\": \"0123456789012345678901234567890123456789X\"}",
   INVALID, "model_type \"0123456789012345678901234567890123456789...\""},
  /* A cut that would fall inside a character falls before it. */
  {"{\"model_type\": \"012345678901234567890123456789012345678\xc3\xa9\"}",
   INVALID, "model_type \"012345678901234567890123456789012345678...\""},

  /* Fields that are missing. */
  {LLAMA "\"num_attention_heads\": 14, \"num_hidden_layers\": 24}", INVALID, "hidden_size missing"},
  {LLAMA "\"hidden_size\": 896, \"num_hidden_layers\": 24}",
   INVALID, "num_attention_heads missing"},
  {LLAMA "\"hidden_size\": 896, \"num_attention_heads\": 14}",
   INVALID, "num_hidden_layers missing"},
  {"{\"model_type\": \"gpt2\", " SIZES "}", INVALID, "n_embd missing"},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768}", INVALID, "n_head missing"},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768, \"n_head\": 12}", INVALID, "n_layer missing"},

  /* Fields of the wrong type or outside their range. */
  {LLAMA "\"hidden_size\": 0}", INVALID, "hidden_size 0"},
  {LLAMA "\"hidden_size\": -896}", INVALID, "hidden_size -896"},
  {LLAMA "\"hidden_size\": 2147483648}", INVALID, "hidden_size 2147483648"},
  {LLAMA "\"hidden_size\": 9223372036854775807}", INVALID, "hidden_size 9223372036854775807"},
  {LLAMA "\"hidden_size\": -9223372036854775808}", INVALID, "hidden_size -9223372036854775808"},
  {LLAMA "\"hidden_size\": 896.0}", INVALID, "hidden_size 896"},
  {LLAMA "\"hidden_size\": 1e300}", INVALID, "hidden_size 1e+300"},
  {LLAMA "\"hidden_size\": \"896\"}", INVALID, "hidden_size \"896\""},
  {LLAMA "\"hidden_size\": null}", INVALID, "hidden_size null"},
  {LLAMA "\"hidden_size\": false}", INVALID, "hidden_size false"},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": [8, 8]}",
   INVALID, "num_attention_heads array"},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 0}",
   INVALID, "num_hidden_layers 0"},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 257}",
   INVALID, "num_hidden_layers 257"},
  {LLAMA SIZES ", \"num_key_value_heads\": 0}", INVALID, "num_key_value_heads 0"},
  {LLAMA SIZES ", \"num_key_value_heads\": \"two\"}", INVALID, "num_key_value_heads \"two\""},
  {LLAMA SIZES ", \"head_dim\": -64}", INVALID, "head_dim -64"},
  {LLAMA SIZES ", \"head_dim\": 0}", INVALID, "head_dim 0"},
  {LLAMA SIZES ", \"head_dim\": {}}", INVALID, "head_dim object"},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"head_dim\": 64.5}", INVALID, "head_dim 64.5"},
  {LLAMA SIZES ", \"attention_bias\": 1}", INVALID, "attention_bias 1"},
  {LLAMA SIZES ", \"attention_bias\": \"true\"}", INVALID, "attention_bias \"true\""},

  /* Fields that contradict each other. */
  {LLAMA "\"hidden_size\": 100, \"num_attention_heads\": 7, \"num_hidden_layers\": 1}",
   INVALID, "hidden_size 100 num_attention_heads 7"},
  {LLAMA "\"hidden_size\": 4, \"num_attention_heads\": 8, \"num_hidden_layers\": 1, \"head_dim\": null}",
   INVALID, "hidden_size 4 num_attention_heads 8"},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 770, \"n_head\": 12, \"n_layer\": 12, \"head_dim\": 64}",
   INVALID, "n_embd 770 n_head 12"},
  {LLAMA SIZES ", \"num_key_value_heads\": 4}",
   BAD_HEADS, "num_attention_heads 14 num_key_value_heads 4"},
  {LLAMA SIZES ", \"num_key_value_heads\": 28}",
   BAD_HEADS, "num_attention_heads 14 num_key_value_heads 28"},

  /* RoPE. */
  {LLAMA SIZES ", \"rope_theta\": 0}", INVALID, "rope_theta 0"},
  {LLAMA SIZES ", \"rope_theta\": \"1e6\"}", INVALID, "rope_theta \"1e6\""},
  {LLAMA SIZES ", \"rope_scaling\": \"yarn\"}", INVALID, "rope_scaling \"yarn\""},
  {LLAMA SIZES ", \"rope_parameters\": []}", INVALID, "rope_parameters array"},
  {LLAMA SIZES ", \"rope_scaling\": {\"factor\": 2}}", INVALID, "rope_scaling.rope_type missing"},
  {LLAMA SIZES ", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
   INVALID, "rope_scaling.type \"dynamic\""},
  {LLAMA SIZES ", \"rope_parameters\": {\"rope_type\": \"longrope\", \"type\": \"linear\"}}",
   INVALID, "rope_parameters.rope_type \"longrope\""},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": 3}}", INVALID, "rope_scaling.rope_type 3"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"linear\"}}",
   INVALID, "rope_scaling.factor missing"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0.5}}",
   INVALID, "rope_scaling.factor 0.5"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": null}}",
   INVALID, "rope_scaling.factor null"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}}",
   INVALID, "rope_scaling.original_max_position_embeddings missing"},
  {LLAMA SIZES ", \"max_position_embeddings\": 0, \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}}",
   INVALID, "max_position_embeddings 0"},
  {LLAMA SIZES YARN("\"beta_fast\": -1"), INVALID, "rope_scaling.beta_fast -1"},
  {LLAMA SIZES YARN("\"beta_fast\": 2, \"beta_slow\": 3"),
   INVALID, "rope_scaling.beta_fast 2 beta_slow 3"},
  {LLAMA SIZES ", \"rope_theta\": 1" YARN("\"beta_slow\": 1"), INVALID, "rope_theta 1 yarn"},
  {LLAMA SIZES YARN("\"attention_factor\": 0"), INVALID, "rope_scaling.attention_factor 0"},
  {LLAMA SIZES YARN("\"mscale\": \"1\""), INVALID, "rope_scaling.mscale \"1\""},
  {LLAMA SIZES YARN("\"mscale_all_dim\": -1"), INVALID, "rope_scaling.mscale_all_dim -1"},
  {LLAMA SIZES YARN("\"truncate\": 0"), INVALID, "rope_scaling.truncate 0"},
  {LLAMA SIZES LLAMA3("\"low_freq_factor\": 1"), INVALID, "rope_scaling.high_freq_factor missing"},
  {LLAMA SIZES LLAMA3("\"high_freq_factor\": 4"), INVALID, "rope_scaling.low_freq_factor missing"},
  {LLAMA SIZES LLAMA3("\"low_freq_factor\": 4, \"high_freq_factor\": 4"),
   INVALID, "rope_scaling.high_freq_factor 4 low_freq_factor 4"},
  {LLAMA SIZES ", \"rope_theta\": 7, \"rope_parameters\": {\"rope_theta\": 8}}",
   INVALID, "rope_parameters.rope_theta 8 rope_theta 7"},
  {LLAMA SIZES ", \"rope_scaling\": {}, \"rope_parameters\": {\"rope_theta\": 8}}",
   INVALID, "rope_scaling rope_parameters"},
  {LLAMA SIZES ", \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 8}}}",
   INVALID, "rope_parameters.full_attention object"},
  {LLAMA SIZES ", \"partial_rotary_factor\": 1.5}", INVALID, "partial_rotary_factor 1.5"},
  {LLAMA SIZES ", \"partial_rotary_factor\": 0.3}", INVALID, "19 64 partial_rotary_factor 0.3"},
  {LLAMA SIZES ", \"partial_rotary_factor\": 0.01}", INVALID, "0 64 partial_rotary_factor 0.01"},
  {LLAMA SIZES ", \"head_dim\": 3}", INVALID, "3 3 partial_rotary_factor 1"},

  /* Windows. */
  {"{\"model_type\": \"mistral\", " SIZES ", \"sliding_window\": 0}", INVALID, "sliding_window 0"},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_sliding_window\": \"no\"}",
   INVALID, "use_sliding_window \"no\""},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_sliding_window\": true, \"max_window_layers\": -1}",
   INVALID, "max_window_layers -1"},
  {"{\"model_type\": \"mistral\", " SIZES ", \"layer_types\": {}}", INVALID, "layer_types object"},
  {"{\"model_type\": \"mistral\", " SIZES ", \"layer_types\": [\"full_attention\"]}",
   INVALID, "layer_types 1 num_hidden_layers 24"},
  {TWO_LAYERS("mistral") ", \"layer_types\": [\"full_attention\", \"linear_attention\"]}",
   INVALID, "layer_types[1] \"linear_attention\""},
  {TWO_LAYERS("mistral") ", \"layer_types\": [null, \"full_attention\"]}",
   INVALID, "layer_types[0] null"},
  {TWO_LAYERS("qwen3") ", \"layer_types\": [\"full_attention\", \"sliding_attention\"]}",
   INVALID, "layer_types[1] \"sliding_attention\""},

  /* Norms and scores. */
  {"{\"model_type\": \"qwen3\", " SIZES ", \"rms_norm_eps\": -1}", INVALID, "rms_norm_eps -1"},
  {TWO_LAYERS("gemma2") ", \"attn_logit_softcapping\": 0}", INVALID, "attn_logit_softcapping 0"},
  {TWO_LAYERS("gemma2") ", \"attn_logit_softcapping\": 1e300}",
   INVALID, "attn_logit_softcapping 1e+300"},
  {TWO_LAYERS("gemma2") ", \"query_pre_attn_scalar\": -256}",
   INVALID, "query_pre_attn_scalar -256"},

  /* What no AttendModel can say. */
  {TWO_LAYERS("gemma2") ", \"use_bidirectional_attention\": true}",
   INVALID, "use_bidirectional_attention true"},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_mrope\": true}", INVALID, "use_mrope true"},
  {GPT2 ", \"scale_attn_weights\": false}", INVALID, "scale_attn_weights false"},
  {GPT2 ", \"scale_attn_by_inverse_layer_idx\": true}",
   INVALID, "scale_attn_by_inverse_layer_idx true"},
  {GPT2 ", \"scale_attn_weights\": 1}", INVALID, "scale_attn_weights 1"},
};
/* clang-format on */

static void bad_files_are_refused(void **state) {
  const Folder *const made = *state;
  for (size_t i = 0; i < COUNT(bad_cases); i++) {
    const BadCase *const expected = &bad_cases[i];
    write_text(made->file, expected->text);
    char sentence[ATTEND_FILE_ERROR_SIZE];
    const AttendStatus status = read_refused(made->file, sentence);
    if (status != expected->status)
      fail_msg("%s gives %s: %s", expected->text, attend_status_name(status), sentence);
    require_words(sentence, expected->words, expected->text);
  }
}

static void a_size_that_cannot_be_counted_is_an_overflow(void **state) {
  const Folder *const made = *state;
  write_text(made->file, LLAMA "\"hidden_size\": 2147483647, \"num_attention_heads\": 2147483647,"
                               "\"num_hidden_layers\": 1, \"head_dim\": 2147483647}");
  char sentence[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_OVERFLOW);
  require_words(sentence, "width heads dimension 2147483647", "a huge matrix");

#if SIZE_MAX > UINT32_MAX
  /* (1 + 2) * 2^60 floats are less than 2^64 bytes; (2 + 4) * 2^60 are more. */
  AttendModel model;
  read_good(made,
            LLAMA "\"hidden_size\": 1073741824, \"num_attention_heads\": 1,"
                  "\"num_hidden_layers\": 1, \"head_dim\": 1073741824}",
            &model);
  write_text(made->file, LLAMA "\"hidden_size\": 1073741824, \"num_attention_heads\": 2,"
                               "\"num_hidden_layers\": 1, \"head_dim\": 1073741824}");
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_OVERFLOW);
#endif
}

static void bytes_after_a_null_byte_are_not_ignored(void **state) {
  const Folder *const made = *state;
  static const char text[] = LLAMA SIZES "}\0garbage";
  write_bytes(made->file, text, sizeof text - 1);
  char sentence[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_FILE_INVALID);
  require_words(sentence, "JSON 1:", "a null byte");
}

/* Deep nesting must end in a sentence, not in a stack overflow. */
static void deep_nesting_is_refused(void **state) {
  const Folder *const made = *state;
  const size_t depth = 1000 * 1000;
  char *const text = malloc(depth);
  assert_non_null(text);
  memset(text, '[', depth);
  write_bytes(made->file, text, depth);
  char sentence[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_FILE_INVALID);
  require_words(sentence, "JSON depth", "deep nesting");
  free(text);
}

static void what_is_no_readable_file_is_refused(void **state) {
  const Folder *const made = *state;
  char sentence[ATTEND_FILE_ERROR_SIZE], path[192];

  snprintf(path, sizeof path, "%s/absent.json", made->folder);
  assert_int_equal(read_refused(path, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  require_words(sentence, "No such file", path);

  assert_int_equal(read_refused(made->folder, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  require_words(sentence, "directory", made->folder);

  snprintf(path, sizeof path, "%s/pipe", made->folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(read_refused(path, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  require_words(sentence, "pipe", path);
  unlink(path);

  if (geteuid() != 0) { /* root may read anything */
    write_text(made->file, LLAMA SIZES "}");
    assert_int_equal(chmod(made->file, 0), 0);
    assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_FILE_UNREADABLE);
    require_words(sentence, "Permission denied", made->file);
    assert_int_equal(chmod(made->file, 0600), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(a_size_that_cannot_be_counted_is_an_overflow),
      cmocka_unit_test(bytes_after_a_null_byte_are_not_ignored),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(what_is_no_readable_file_is_refused),
  };
  return cmocka_run_group_tests_name("config_refused", tests, make_folder, remove_folder);
}
