/* test_config_refused.c - every way in which a config.json can be wrong: the status and the whole
 * sentence of each, for a model that is left alone.
 */
#include "tests/support/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct BadCase {
  const char *text;
  AttendStatus status;
  const char *sentence; /* the whole of it, or with a last "*" its beginning */
} BadCase;

#define EXPECTED_EVEN "; an even number from 2 on is expected"
#define EXPECTED_LAYERS "; an integer from 1 to 256 is expected"
#define INVALID ATTEND_STATUS_FILE_INVALID
#define BAD_HEADS ATTEND_STATUS_BAD_HEADS
#define FAMILIES                                                                                   \
  "one of \"llama\", \"mistral\", \"qwen2\", \"qwen3\", "                                          \
  "\"gemma2\", \"gpt2\", \"gpt_oss\" is expected"

#define ROPE_TYPES "one of \"default\", \"linear\", \"yarn\", \"llama3\" is expected"
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
  {"", INVALID, "the file is empty; a JSON object is expected"},
  {"   \n", INVALID, "not valid JSON at 2:0 (line:column): *"},
  {"{\n  \"hidden_size\": 896,\n  oops\n}", INVALID, "not valid JSON at 3:6 (line:column): *"},
  {"{\"hidden_size\": 896", INVALID, "not valid JSON at 1:19 (line:column): *"},
  {"{\"a\": 1,}", INVALID, "not valid JSON at 1:9 (line:column): *"},
  {"{\"a\": NaN}", INVALID, "not valid JSON at 1:9 (line:column): *"},
  {LLAMA SIZES "} trailing", INVALID, "not valid JSON at 1:*"},
  {"{\"a\": \"line\nbreak\"}", INVALID, "not valid JSON at 1:*"},
  {"{\"a\": \"\xff\xfe\"}", INVALID, "not valid JSON at 1:*"},
  {"{\"a\": \"\\u0000\"}", INVALID, "not valid JSON at 1:*"},
  {"{\"hidden_size\": 896,\n \"hidden_size\": 1024}", INVALID,
   "not valid JSON at 2:14 (line:column): duplicate object key*"},
  {"{\"hidden_size\": 99999999999999999999}", INVALID,
   "not valid JSON at 1:36 (line:column): too big integer*"},
  {"[1, 2]", INVALID, "the file's JSON is an array; an object is expected"},
  {"896", INVALID, "the file's JSON is 896; an object is expected"},
  {"\"llama\"", INVALID, "the file's JSON is the string \"llama\"; an object is expected"},
  {"null", INVALID, "the file's JSON is null; an object is expected"},

  /* The family. */
  {"{}", INVALID, "field \"model_type\" is missing; " FAMILIES},
  {"{" SIZES "}", INVALID, "field \"model_type\" is missing; " FAMILIES},
  {"{\"model_type\": \"bert\"}", INVALID, "field \"model_type\" is the string \"bert\"; " FAMILIES},
  {"{\"model_type\": \"LLAMA\"}", INVALID,
   "field \"model_type\" is the string \"LLAMA\"; " FAMILIES},
  {"{\"model_type\": \"qwen2_vl\"}", INVALID,
   "field \"model_type\" is the string \"qwen2_vl\"; " FAMILIES},
  {"{\"model_type\": null}", INVALID, "field \"model_type\" is null; " FAMILIES},
  {"{\"model_type\": [\"llama\"]}", INVALID, "field \"model_type\" is an array; " FAMILIES},
  {"{\"model_type\": {}}", INVALID, "field \"model_type\" is an object; " FAMILIES},
  {"{\"model_type\": true}", INVALID, "field \"model_type\" is true; " FAMILIES},
  {"{\"model_type\": \"two\\nlines\"}", INVALID,
   "field \"model_type\" is the string \"two?lines\"; " FAMILIES},
  {"{\"model_type\": \"0123456789012345678901234567890123456789\"}", INVALID,
   "field \"model_type\" is the string \"0123456789012345678901234567890123456789\"; " FAMILIES},
  {"{\"model_type\": \"0123456789012345678901234567890123456789X\"}", INVALID,
   "field \"model_type\" is the string \"0123456789012345678901234567890123456789...\"; " FAMILIES},
  /* A cut that would fall inside a character falls before it. */
  {"{\"model_type\": \"012345678901234567890123456789012345678\xc3\xa9\"}", INVALID,
   "field \"model_type\" is the string \"012345678901234567890123456789012345678...\"; " FAMILIES},

  /* Fields that are missing. */
  {LLAMA "\"num_attention_heads\": 14, \"num_hidden_layers\": 24}", INVALID,
   "field \"hidden_size\" is missing" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 896, \"num_hidden_layers\": 24}", INVALID,
   "field \"num_attention_heads\" is missing" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 896, \"num_attention_heads\": 14}", INVALID,
   "field \"num_hidden_layers\" is missing" EXPECTED_LAYERS},
  {"{\"model_type\": \"gpt2\", " SIZES "}", INVALID, "field \"n_embd\" is missing" EXPECTED_SIZE},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768}", INVALID,
   "field \"n_head\" is missing" EXPECTED_SIZE},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768, \"n_head\": 12}", INVALID,
   "field \"n_layer\" is missing" EXPECTED_LAYERS},

  /* Fields of the wrong type or outside their range. */
  {LLAMA "\"hidden_size\": 0}", INVALID, "field \"hidden_size\" is 0" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": -896}", INVALID, "field \"hidden_size\" is -896" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 2147483648}", INVALID,
   "field \"hidden_size\" is 2147483648" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 9223372036854775807}", INVALID,
   "field \"hidden_size\" is 9223372036854775807" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": -9223372036854775808}", INVALID,
   "field \"hidden_size\" is -9223372036854775808" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 896.0}", INVALID,
   "field \"hidden_size\" is the real number 896" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 1e300}", INVALID,
   "field \"hidden_size\" is the real number 1e+300" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": \"896\"}", INVALID,
   "field \"hidden_size\" is the string \"896\"" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": null}", INVALID, "field \"hidden_size\" is null" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": false}", INVALID, "field \"hidden_size\" is false" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": [8, 8]}", INVALID,
   "field \"num_attention_heads\" is an array" EXPECTED_SIZE},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 0}",
   INVALID, "field \"num_hidden_layers\" is 0" EXPECTED_LAYERS},
  {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 257}",
   INVALID, "field \"num_hidden_layers\" is 257" EXPECTED_LAYERS},
  {LLAMA SIZES ", \"num_key_value_heads\": 0}", INVALID,
   "field \"num_key_value_heads\" is 0" EXPECTED_SIZE},
  {LLAMA SIZES ", \"num_key_value_heads\": \"two\"}", INVALID,
   "field \"num_key_value_heads\" is the string \"two\"" EXPECTED_SIZE},
  {LLAMA SIZES ", \"head_dim\": -64}", INVALID, "field \"head_dim\" is -64" EXPECTED_SIZE},
  {LLAMA SIZES ", \"head_dim\": 0}", INVALID, "field \"head_dim\" is 0" EXPECTED_SIZE},
  {LLAMA SIZES ", \"head_dim\": {}}", INVALID, "field \"head_dim\" is an object" EXPECTED_SIZE},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"head_dim\": 64.5}", INVALID,
   "field \"head_dim\" is the real number 64.5" EXPECTED_SIZE},
  {LLAMA SIZES ", \"attention_bias\": 1}", INVALID,
   "field \"attention_bias\" is 1; true or false is expected"},
  {LLAMA SIZES ", \"attention_bias\": \"true\"}", INVALID,
   "field \"attention_bias\" is the string \"true\"; true or false is expected"},

  /* Fields that contradict each other. */
  {LLAMA "\"hidden_size\": 100, \"num_attention_heads\": 7, \"num_hidden_layers\": 1}",
   INVALID, "field \"hidden_size\" is 100; a multiple of "
   "\"num_attention_heads\" (7), or a field \"head_dim\", is expected"},
  {LLAMA "\"hidden_size\": 4, \"num_attention_heads\": 8, \"num_hidden_layers\": 1,"
   "\"head_dim\": null}", INVALID, "field \"hidden_size\" is 4; a multiple of "
   "\"num_attention_heads\" (8), or a field \"head_dim\", is expected"},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 770, \"n_head\": 12, \"n_layer\": 12, \"head_dim\": 64}",
   INVALID, "field \"n_embd\" is 770; a multiple of \"n_head\" (12) is expected"},
  {LLAMA SIZES ", \"num_key_value_heads\": 4}", BAD_HEADS,
   "field \"num_attention_heads\" is 14; a multiple of \"num_key_value_heads\" (4) is expected"},
  {LLAMA SIZES ", \"num_key_value_heads\": 28}", BAD_HEADS,
   "field \"num_attention_heads\" is 14; a multiple of \"num_key_value_heads\" (28) is expected"},

  /* RoPE. */
  {LLAMA SIZES ", \"rope_theta\": 0}", INVALID,
   "field \"rope_theta\" is 0; a number above 0 is expected"},
  {LLAMA SIZES ", \"rope_theta\": \"1e6\"}", INVALID,
   "field \"rope_theta\" is the string \"1e6\"; a number above 0 is expected"},
  {LLAMA SIZES ", \"rope_scaling\": \"yarn\"}", INVALID,
   "field \"rope_scaling\" is the string \"yarn\"; an object or null is expected"},
  {LLAMA SIZES ", \"rope_parameters\": []}", INVALID,
   "field \"rope_parameters\" is an array; an object or null is expected"},
  {LLAMA SIZES ", \"rope_scaling\": {\"factor\": 2}}", INVALID,
   "field \"rope_scaling.rope_type\" is missing; " ROPE_TYPES},
  {LLAMA SIZES ", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}", INVALID,
   "field \"rope_scaling.type\" is the string \"dynamic\"; " ROPE_TYPES},
  {LLAMA SIZES ", \"rope_parameters\": {\"rope_type\": \"longrope\", \"type\": \"linear\"}}",
   INVALID, "field \"rope_parameters.rope_type\" is the string \"longrope\"; " ROPE_TYPES},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": 3}}", INVALID,
   "field \"rope_scaling.rope_type\" is 3; " ROPE_TYPES},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"linear\"}}", INVALID,
   "field \"rope_scaling.factor\" is missing; a number of at least 1 is expected"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0.5}}", INVALID,
   "field \"rope_scaling.factor\" is the real number 0.5; a number of at least 1 is expected"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": null}}", INVALID,
   "field \"rope_scaling.factor\" is null; a number of at least 1 is expected"},
  {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}}", INVALID,
   "field \"rope_scaling.original_max_position_embeddings\" is missing; a number of at least 1 is "
   "expected"},
  {LLAMA SIZES ", \"max_position_embeddings\": 0,"
   "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}}", INVALID,
   "field \"max_position_embeddings\" is 0; a number of at least 1 is expected"},
  {LLAMA SIZES YARN("\"beta_fast\": -1"), INVALID,
   "field \"rope_scaling.beta_fast\" is -1; a number of at least 0 is expected"},
  {LLAMA SIZES YARN("\"beta_fast\": 2, \"beta_slow\": 3"), INVALID,
   "field \"rope_scaling.beta_fast\" is 2; at least \"beta_slow\" (3) is expected"},
  {LLAMA SIZES ", \"rope_theta\": 1" YARN("\"beta_slow\": 1"), INVALID,
   "the base \"rope_theta\" is 1; more than 1 is expected for \"yarn\""},
  {LLAMA SIZES YARN("\"attention_factor\": 0"), INVALID,
   "field \"rope_scaling.attention_factor\" is 0; a number above 0 is expected"},
  {LLAMA SIZES YARN("\"mscale\": \"1\""), INVALID,
   "field \"rope_scaling.mscale\" is the string \"1\"; a number of at least 0 is expected"},
  {LLAMA SIZES YARN("\"mscale_all_dim\": -1"), INVALID,
   "field \"rope_scaling.mscale_all_dim\" is -1; a number of at least 0 is expected"},
  {LLAMA SIZES YARN("\"truncate\": 0"), INVALID,
   "field \"rope_scaling.truncate\" is 0; true or false is expected"},
  {LLAMA SIZES LLAMA3("\"low_freq_factor\": 1"), INVALID,
   "field \"rope_scaling.high_freq_factor\" is missing; a number above 0 is expected"},
  {LLAMA SIZES LLAMA3("\"high_freq_factor\": 4"), INVALID,
   "field \"rope_scaling.low_freq_factor\" is missing; a number above 0 is expected"},
  {LLAMA SIZES LLAMA3("\"low_freq_factor\": 4, \"high_freq_factor\": 4"), INVALID,
   "field \"rope_scaling.high_freq_factor\" is 4; more than \"low_freq_factor\" (4) is expected"},
  {LLAMA SIZES ", \"rope_theta\": 7, \"rope_parameters\": {\"rope_theta\": 8}}", INVALID,
   "field \"rope_parameters.rope_theta\" is 8; the same as \"rope_theta\" (7) is expected"},
  {LLAMA SIZES ", \"rope_scaling\": {}, \"rope_parameters\": {\"rope_theta\": 8}}", INVALID,
   "fields \"rope_scaling\" and \"rope_parameters\" differ; one of them is expected"},
  {LLAMA SIZES ", \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 8}}}", INVALID,
   "field \"rope_parameters.full_attention\" is an object; one setting for all layers is expected"},
  {LLAMA SIZES ", \"partial_rotary_factor\": 1.5}", INVALID,
   "field \"partial_rotary_factor\" is the real number 1.5; a number above 0 and at most 1 is "
   "expected"},
  {LLAMA SIZES ", \"partial_rotary_factor\": 0.3}", INVALID,
   "RoPE turns 19 of the 64 dimensions of a head (\"partial_rotary_factor\" 0.3)" EXPECTED_EVEN},
  {LLAMA SIZES ", \"partial_rotary_factor\": 0.01}", INVALID,
   "RoPE turns 0 of the 64 dimensions of a head (\"partial_rotary_factor\" 0.01)" EXPECTED_EVEN},
  {LLAMA SIZES ", \"head_dim\": 3}", INVALID,
   "RoPE turns 3 of the 3 dimensions of a head (\"partial_rotary_factor\" 1)" EXPECTED_EVEN},

  /* Windows. */
  {"{\"model_type\": \"mistral\", " SIZES ", \"sliding_window\": 0}", INVALID,
   "field \"sliding_window\" is 0" EXPECTED_SIZE},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_sliding_window\": \"no\"}", INVALID,
   "field \"use_sliding_window\" is the string \"no\"; true or false is expected"},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_sliding_window\": true,"
   "\"max_window_layers\": -1}", INVALID,
   "field \"max_window_layers\" is -1; an integer from 0 to 2147483647 is expected"},
  {"{\"model_type\": \"mistral\", " SIZES ", \"layer_types\": {}}", INVALID,
   "field \"layer_types\" is an object; an array is expected"},
  {"{\"model_type\": \"mistral\", " SIZES ", \"layer_types\": [\"full_attention\"]}", INVALID,
   "field \"layer_types\" has a length of 1; that of \"num_hidden_layers\" (24) is expected"},
  {TWO_LAYERS("mistral") ", \"layer_types\": [\"full_attention\", \"linear_attention\"]}", INVALID,
   "field \"layer_types[1]\" is the string \"linear_attention\"; \"full_attention\" or "
   "\"sliding_attention\" is expected"},
  {TWO_LAYERS("mistral") ", \"layer_types\": [null, \"full_attention\"]}", INVALID,
   "field \"layer_types[0]\" is null; \"full_attention\" or \"sliding_attention\" is expected"},
  {TWO_LAYERS("qwen3") ", \"layer_types\": [\"full_attention\", \"sliding_attention\"]}", INVALID,
   "field \"layer_types[1]\" is the string \"sliding_attention\"; \"full_attention\", as no "
   "\"sliding_window\" is in use, is expected"},

  /* Norms and scores. */
  {"{\"model_type\": \"qwen3\", " SIZES ", \"rms_norm_eps\": -1}", INVALID,
   "field \"rms_norm_eps\" is -1; a number of at least 0 that fits fp32 is expected"},
  {TWO_LAYERS("gemma2") ", \"attn_logit_softcapping\": 0}", INVALID,
   "field \"attn_logit_softcapping\" is 0; a number above 0 that fits fp32 is expected"},
  {TWO_LAYERS("gemma2") ", \"attn_logit_softcapping\": 1e300}", INVALID,
   "field \"attn_logit_softcapping\" is the real number 1e+300; a number above 0 that fits fp32 is "
   "expected"},
  {TWO_LAYERS("gemma2") ", \"query_pre_attn_scalar\": -256}", INVALID,
   "field \"query_pre_attn_scalar\" is -256; a number above 0 that fits fp32 is expected"},

  /* What no AttendModel can say. */
  {TWO_LAYERS("gemma2") ", \"use_bidirectional_attention\": true}", INVALID,
   "field \"use_bidirectional_attention\" is true; false is expected"},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"use_mrope\": true}", INVALID,
   "field \"use_mrope\" is true; false is expected"},
  {GPT2 ", \"scale_attn_weights\": false}", INVALID,
   "field \"scale_attn_weights\" is false; true is expected"},
  {GPT2 ", \"scale_attn_by_inverse_layer_idx\": true}", INVALID,
   "field \"scale_attn_by_inverse_layer_idx\" is true; false is expected"},
  {GPT2 ", \"scale_attn_weights\": 1}", INVALID,
   "field \"scale_attn_weights\" is 1; true or false is expected"},
};
/* clang-format on */

static void bad_files_are_refused_with_one_sentence(void **state) {
  const Folder *const made = *state;
  for (size_t i = 0; i < COUNT(bad_cases); i++) {
    const BadCase *const expected = &bad_cases[i];
    write_text(made->file, expected->text);
    char sentence[ATTEND_FILE_ERROR_SIZE];
    const AttendStatus status = read_refused(made->file, sentence);
    const char *const star = strchr(expected->sentence, '*');
    const size_t compared =
        star == NULL ? ATTEND_FILE_ERROR_SIZE : (size_t)(star - expected->sentence);
    if (status != expected->status || strncmp(sentence, expected->sentence, compared) != 0) {
      fail_msg("%s gives status %d and\n  %s\nnot %d and\n  %s", expected->text, (int)status,
               sentence, (int)expected->status, expected->sentence);
    }
  }
}

static void a_size_that_cannot_be_counted_is_an_overflow(void **state) {
  const Folder *const made = *state;
  write_text(made->file, LLAMA "\"hidden_size\": 2147483647, \"num_attention_heads\": 2147483647,"
                               "\"num_hidden_layers\": 1, \"head_dim\": 2147483647}");
  char sentence[ATTEND_FILE_ERROR_SIZE], expected[ATTEND_FILE_ERROR_SIZE];
  assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_OVERFLOW);
  snprintf(expected, sizeof expected,
           "width 2147483647, 2147483647 query heads, 2147483647 kv heads and head dimension "
           "2147483647 give a weight matrix of more than %zu bytes; smaller sizes are expected",
           SIZE_MAX);
  assert_string_equal(sentence, expected);

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
  assert_memory_equal(sentence, "not valid JSON at 1:", strlen("not valid JSON at 1:"));
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
  assert_non_null(strstr(sentence, "depth"));
  free(text);
}

static void what_is_no_readable_file_is_refused(void **state) {
  const Folder *const made = *state;
  char sentence[ATTEND_FILE_ERROR_SIZE], path[192];

  snprintf(path, sizeof path, "%s/absent.json", made->folder);
  assert_int_equal(read_refused(path, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  assert_string_equal(sentence, "the file cannot be opened: No such file or directory");

  assert_int_equal(read_refused(made->folder, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  assert_string_equal(sentence, "this is a directory; a regular file is expected");

  snprintf(path, sizeof path, "%s/pipe", made->folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(read_refused(path, sentence), ATTEND_STATUS_FILE_UNREADABLE);
  assert_string_equal(sentence, "this is a device, pipe or socket; a regular file is expected");
  unlink(path);

  if (geteuid() != 0) { /* root may read anything */
    write_text(made->file, LLAMA SIZES "}");
    assert_int_equal(chmod(made->file, 0), 0);
    assert_int_equal(read_refused(made->file, sentence), ATTEND_STATUS_FILE_UNREADABLE);
    assert_string_equal(sentence, "the file cannot be opened: Permission denied");
    assert_int_equal(chmod(made->file, 0600), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_files_are_refused_with_one_sentence),
      cmocka_unit_test(a_size_that_cannot_be_counted_is_an_overflow),
      cmocka_unit_test(bytes_after_a_null_byte_are_not_ignored),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(what_is_no_readable_file_is_refused),
  };
  return cmocka_run_group_tests_name("config_refused", tests, make_folder, remove_folder);
}
