/* test_config.c - config.json files of every family, and every way in which one can be wrong.
 *
 * Files are written to a temporary folder from the strings below. A failing read is checked for its
 * status and its whole sentence, for a model that is left alone bit by bit, and for buffers of
 * every length, the bytes behind which must survive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "attend/io.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What every family but gpt2 must state, for the cases that are about another field. */
#define SIZES "\"hidden_size\": 896, \"num_attention_heads\": 14, \"num_hidden_layers\": 24"
#define LLAMA "{\"model_type\": \"llama\", "
#define EXPECTED_SIZE "; an integer from 1 to 2147483647 is expected"

typedef struct Folder {
  char folder[64];
  char file[96]; /* the config.json in it */
} Folder;

static int make_folder(void **state) {
  static Folder made; /* one group of tests at a time */
  snprintf(made.folder, sizeof made.folder, "/tmp/attend-test-config-XXXXXX");
  if (mkdtemp(made.folder) == NULL) return -1;
  snprintf(made.file, sizeof made.file, "%s/config.json", made.folder);
  *state = &made;
  return 0;
}

static int remove_folder(void **state) {
  const Folder *const made = *state;
  unlink(made->file);
  return rmdir(made->folder);
}

static void write_bytes(const char *path, const char *bytes, size_t length) {
  FILE *const file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *text) {
  write_bytes(path, text, strlen(text));
}

/* Reads a file that must be refused, and returns the sentence after "PATH: " in sentence. */
static AttendStatus read_refused(const char *path, char sentence[ATTEND_FILE_ERROR_SIZE]) {
  AttendModel model, before;
  memset(&model, 0xa5, sizeof model);
  memset(&before, 0xa5, sizeof before);
  char error[ATTEND_FILE_ERROR_SIZE];
  memset(error, 'x', sizeof error);

  const AttendStatus status = attend_read_config(path, &model, error, sizeof error);
  assert_int_not_equal(status, ATTEND_OK);
  assert_memory_equal(&model, &before, sizeof model);
  assert_non_null(memchr(error, '\0', sizeof error));
  for (const char *c = error; *c != '\0'; c++) assert_true((unsigned char)*c >= 0x20);

  const char *const shown = strlen(path) > 192 ? path + strlen(path) - 192 : path;
  const char *const start = strstr(error, shown);
  assert_non_null(start);
  assert_memory_equal(start + strlen(shown), ": ", 2);
  snprintf(sentence, ATTEND_FILE_ERROR_SIZE, "%s", start + strlen(shown) + 2);

  assert_int_equal(attend_read_config(path, &model, NULL, 0), status);
  assert_int_equal(attend_read_config(path, &model, NULL, 100), status);
  assert_memory_equal(&model, &before, sizeof model);
  return status;
}

static void read_good(const Folder *made, const char *text, AttendModel *model) {
  write_text(made->file, text);
  char error[ATTEND_FILE_ERROR_SIZE] = "left over";
  memset(model, 0xa5, sizeof *model);
  const AttendStatus status = attend_read_config(made->file, model, error, sizeof error);
  if (status != ATTEND_OK) fail_msg("%s was refused: %s", text, error);
  assert_string_equal(error, "");
}

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
   "\"num_hidden_layers\": 16, \"num_key_value_heads\": 8, \"rope_scaling\": {\"factor\": 32.0}}",
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
   "\"head_dim\": 3}", "llama", {100, 7, 7, 3, 3}, 1, false, false},
  {LLAMA SIZES ", \"head_dim\": null, \"num_key_value_heads\": null, \"attention_bias\": null,"
   "\"_name_or_path\": null}", "llama", {896, 14, 14, 64, 64}, 24, false, false},
  {"{\"model_type\": \"mistral\", " SIZES ", \"head_dim\": null, \"num_key_value_heads\": 7}",
   "mistral", {896, 14, 7, 64, 64}, 24, false, false},
  /* qwen3 has 128 of its own, not 896 / 14. */
  {"{\"model_type\": \"qwen3\", " SIZES "}", "qwen3", {896, 14, 14, 128, 128}, 24, false, false},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"head_dim\": null}",
   "qwen3", {896, 14, 14, 128, 128}, 24, false, false},

  /* attention_bias is of all four matrices where the family's code reads it, and ignored else. */
  {LLAMA SIZES ", \"attention_bias\": true}", "llama", {896, 14, 14, 64, 64}, 24, true, true},
  {"{\"model_type\": \"qwen3\", " SIZES ", \"attention_bias\": true}",
   "qwen3", {896, 14, 14, 128, 128}, 24, true, true},
  {"{\"model_type\": \"qwen2\", " SIZES ", \"attention_bias\": true}",
   "qwen2", {896, 14, 14, 64, 64}, 24, true, false},
  {"{\"model_type\": \"mistral\", " SIZES ", \"attention_bias\": true}",
   "mistral", {896, 14, 14, 64, 64}, 24, false, false},

  /* gpt2 has none of the others' fields: what stands there means nothing to it. */
  {"{\"model_type\": \"gpt2\", \"n_embd\": 8, \"n_head\": 2, \"n_layer\": 1, \"head_dim\": -1,"
   "\"num_key_value_heads\": \"none\", \"attention_bias\": 7, \"hidden_size\": 0}",
   "gpt2", {8, 2, 2, 4, 4}, 1, true, true},

  /* Both ends of the range. */
  {LLAMA "\"hidden_size\": 1, \"num_attention_heads\": 1, \"num_hidden_layers\": 1}",
   "llama", {1, 1, 1, 1, 1}, 1, false, false},
  {LLAMA "\"hidden_size\": 2147483647, \"num_attention_heads\": 1, \"head_dim\": 1,"
   "\"num_hidden_layers\": 2147483647}", "llama", {2147483647, 1, 1, 1, 1}, 2147483647, false,
   false},

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

/* What a preset says must be what the reader makes of the fields it was published with. */
static void presets_survive_a_round_trip(void **state) {
  static const struct {
    const char *preset, *model_type;
  } families[] = {{"qwen2.5-0.5b", "qwen2"},
                  {"qwen3-32b", "qwen3"},
                  {"llama3-70b", "llama"},
                  {"mistral-7b", "mistral"}};
  for (size_t i = 0; i < COUNT(families); i++) {
    const AttendModel *const preset = attend_find_model(families[i].preset);
    assert_non_null(preset);
    const AttendLayerShape *const shape = &preset->shape;
    char text[256];
    snprintf(text, sizeof text,
             "{\"model_type\": \"%s\", \"hidden_size\": %zu, \"num_attention_heads\": %zu, "
             "\"num_key_value_heads\": %zu, \"num_hidden_layers\": %zu}",
             families[i].model_type, shape->width, shape->query_heads, shape->kv_heads,
             preset->layers);
    AttendModel model;
    read_good(*state, text, &model);
    assert_memory_equal(&model.shape, shape, sizeof *shape);
    assert_int_equal(model.layers, preset->layers);
    assert_int_equal(model.qkv_bias, preset->qkv_bias);
    assert_int_equal(model.output_bias, preset->output_bias);
  }
}

typedef struct BadCase {
  const char *text;
  AttendStatus status;
  const char *sentence; /* the whole of it, or with a last "*" its beginning */
} BadCase;

#define INVALID ATTEND_STATUS_FILE_INVALID
#define BAD_HEADS ATTEND_STATUS_BAD_HEADS
#define FAMILIES "one of \"llama\", \"mistral\", \"qwen2\", \"qwen3\", \"gpt2\" is expected"

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
   "field \"num_hidden_layers\" is missing" EXPECTED_SIZE},
  {"{\"model_type\": \"gpt2\", " SIZES "}", INVALID, "field \"n_embd\" is missing" EXPECTED_SIZE},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768}", INVALID,
   "field \"n_head\" is missing" EXPECTED_SIZE},
  {"{\"model_type\": \"gpt2\", \"n_embd\": 768, \"n_head\": 12}", INVALID,
   "field \"n_layer\" is missing" EXPECTED_SIZE},

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
   INVALID, "field \"num_hidden_layers\" is 0" EXPECTED_SIZE},
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
  assert_string_equal(sentence,
                      "the file has 16777217 bytes; a config.json of at most 16777216 is expected");
  free(padded);
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

static size_t allocations_left;

static void *allocate_some(size_t bytes) {
  if (allocations_left == 0) return NULL;
  allocations_left--;
  return malloc(bytes);
}

/* Lets the parser's first, second, third ... allocation fail, until it needs no more of them. Its
 * lexer takes a string without memory for a wrong token, so that some rounds end in FILE_INVALID;
 * none may succeed by halves or fail without a reason. */
static void a_failed_allocation_is_an_error_with_a_reason(void **state) {
  const Folder *const made = *state;
  write_text(made->file, LLAMA SIZES ", \"rope_scaling\": {\"factor\": 32.0, \"list\": [1, 2]}}");
  json_malloc_t usual_malloc;
  json_free_t usual_free;
  json_get_alloc_funcs(&usual_malloc, &usual_free);
  json_set_alloc_funcs(allocate_some, free);

  AttendStatus status = INVALID;
  size_t rounds = 0, out_of_memory = 0, without_reason = 0;
  AttendModel model;
  for (; status != ATTEND_OK && rounds < 1000; rounds++) {
    char error[ATTEND_FILE_ERROR_SIZE];
    allocations_left = rounds;
    status = attend_read_config(made->file, &model, error, sizeof error);
    out_of_memory += status == ATTEND_STATUS_OUT_OF_MEMORY &&
                     strstr(error, ": the JSON does not fit into memory") != NULL;
    without_reason += status != ATTEND_OK && strcmp(error + strlen(error) - 2, ": ") == 0;
  }
  json_set_alloc_funcs(usual_malloc, usual_free);
  assert_int_equal(status, ATTEND_OK);
  assert_int_equal(model.shape.width, 896);
  assert_int_equal(without_reason, 0);
  assert_in_range(out_of_memory, 5, rounds);
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
  assert_string_equal(sentence, "field \"hidden_size\" is 0" EXPECTED_SIZE);

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
  assert_non_null(strstr(error, "/two?lines: the file cannot be opened"));
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
  assert_string_equal(error, "config.json: the path is null; a pointer is expected");
  assert_int_equal(attend_read_config(NULL, &model, NULL, 0), ATTEND_STATUS_NULL_POINTER);

  char sentence[ATTEND_FILE_ERROR_SIZE + 96];
  assert_int_equal(attend_read_config(made->file, NULL, error, sizeof error),
                   ATTEND_STATUS_NULL_POINTER);
  snprintf(sentence, sizeof sentence, "%s: the model to fill is null; a pointer is expected",
           made->file);
  assert_string_equal(error, sentence);

  assert_int_equal(attend_read_config(made->file, &model, NULL, 0), ATTEND_OK);
  assert_int_equal(attend_read_config(made->file, &model, error, 0), ATTEND_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_files_give_their_model),
      cmocka_unit_test(presets_survive_a_round_trip),
      cmocka_unit_test(bad_files_are_refused_with_one_sentence),
      cmocka_unit_test(a_size_that_cannot_be_counted_is_an_overflow),
      cmocka_unit_test(bytes_after_a_null_byte_are_not_ignored),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(a_file_of_16_mib_is_read_and_a_longer_one_is_not),
      cmocka_unit_test(what_is_no_readable_file_is_refused),
      cmocka_unit_test(a_failed_allocation_is_an_error_with_a_reason),
      cmocka_unit_test(a_long_path_is_shown_from_its_end),
      cmocka_unit_test(a_line_break_in_a_path_stays_on_one_line),
      cmocka_unit_test(a_short_buffer_gets_the_beginning_and_is_not_overrun),
      cmocka_unit_test(null_arguments_are_refused),
  };
  return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
