/* test_sentences.c - the sentence of every kind of fault, word for word: what was wrong, where, and
 * what would be right.
 *
 * Wording is judged here and nowhere else. The other tests say which calls are refused, with which
 * status and what they leave untouched, and look for the names and values in a sentence.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/config_file.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

/* Calls that are right: of the core, of a layer of the same heads over a cache, and of what they
 * need. A fault breaks one thing and makes one of them. */
typedef struct Calls {
  AttendContext *context;
  AttendShape shape; /* of the core */
  AttendLayerShape layer;
  AttendView query, key, value;
  AttendOutputView out;
  float *lse;
  AttendOptions options;
  AttendWeightSource source;
  AttendWeights *weights;
  AttendCacheSettings settings;
  AttendCache *cache;
  size_t batch, tokens;
  float *data, *memory;
} Calls;

enum { FLOATS = 512 };

static Calls calls_new(void) {
  Calls c = {.shape = {2, 4, 4, 4, 2, 8, 8}, .layer = {8, 4, 2, 8, 8}, .batch = 2, .tokens = 4};
  c.context = engine_open((Engine){ATTEND_PATH_TILED, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 1);
  c.data = new_random(1, 1.0f, 3 * FLOATS);
  c.memory = new_bytes(2 * FLOATS * sizeof *c.memory);
  c.query = attend_view_bnhd(c.data, 4, 4, 8);
  c.key = attend_view_bnhd(c.data + FLOATS, 4, 2, 8);
  c.value = attend_view_bnhd(c.data + 2 * FLOATS, 4, 2, 8);
  c.out = attend_output_bnhd(c.memory, 4, 4, 8);
  c.lse = c.memory + FLOATS;
  attend_default_options(&c.options);
  attend_default_weight_source(&c.source);
  c.source.query = c.source.key = c.source.value = c.source.output = c.data;
  assert_ok(c.context, attend_pack_weights(c.context, &c.layer, &c.source, &c.weights));
  attend_default_cache_settings(&c.settings);
  c.settings.sequences = 2;
  c.settings.capacity = 32;
  c.settings.block_tokens = 32;
  assert_ok(c.context, attend_open_cache(c.context, &c.layer, &c.settings, &c.cache));
  return c;
}

static void calls_free(Calls *c) {
  attend_close_cache(&c->cache);
  attend_free_weights(&c->weights);
  attend_close(&c->context);
  free(c->data);
  free(c->memory);
}

static AttendStatus core(Calls *c) {
  return attend_core_forward(c->context, &c->shape, c->query, c->key, c->value, &c->options, c->out,
                             c->lse);
}

static AttendStatus layer(Calls *c) {
  return attend_layer_forward(c->context, c->weights, c->cache, c->batch, c->tokens, c->data,
                              &c->options, c->memory);
}

static AttendStatus pack(Calls *c) {
  AttendWeights *weights = NULL;
  return attend_pack_weights(c->context, &c->layer, &c->source, &weights);
}

static AttendStatus open_cache(Calls *c) {
  AttendCache *cache = NULL;
  return attend_open_cache(c->context, &c->layer, &c->settings, &cache);
}

static AttendStatus append(Calls *c) {
  return attend_append_cache(c->context, c->cache, 0, c->tokens, c->key, c->value);
}

static AttendStatus reserve(Calls *c) {
  return attend_reserve_workspace(c->context, c->tokens);
}

/* FAULT(name, call, what is broken first) */
#define FAULT(name, call, ...)                                                                     \
  static AttendStatus name(Calls *c) {                                                             \
    __VA_ARGS__;                                                                                   \
    return call(c);                                                                                \
  }

FAULT(null_query, core, c->query.data = NULL)
FAULT(odd_key, core, c->key.data = off_by_a_byte(c->key.data))
FAULT(no_batch, core, c->shape.batch = 0)
FAULT(endless_shape, core, c->shape.head_dim = SIZE_MAX / 2)
FAULT(endless_stride, core, c->key.token_stride = SIZE_MAX / 2)
FAULT(uneven_heads, core, c->shape.query_heads = 3)
FAULT(narrow_rows, core, c->out.head_stride = 7)
FAULT(out_over_value, core, c->out.data = c->data + 2 * FLOATS)
FAULT(unset_options, core, c->options.struct_size = 0)
FAULT(scale_of_nan, core, c->options.scale = NAN)
FAULT(negative_softcap, core, c->options.softcap = -1.0f)
FAULT(negative_window, core, c->options.window_left = -2)
FAULT(long_lengths, core, static const size_t lengths[] = {4, 5}; c->options.key_lengths = lengths)
FAULT(query_offsets_alone, core, static const size_t offsets[] = {0, 1, 4};
      c->options.query_offsets = offsets)
FAULT(small_workspace, core, attend_set_workspace(c->context, c->lse, 16))
FAULT(null_weights, layer, attend_free_weights(&c->weights))
FAULT(full_cache, layer, c->tokens = 33)
FAULT(more_sequences, layer, c->batch = 3)
FAULT(q_start_and_cache, layer, c->options.q_start = 7)
FAULT(null_matrix, pack, c->source.key = NULL)
FAULT(fused_and_separate, pack, c->source.qkv = c->data)
FAULT(odd_matrix, pack, c->source.output = off_by_a_byte(c->data))
FAULT(unknown_storage, pack, c->source.storage = ATTEND_STORAGE_COUNT)
FAULT(one_norm, pack, c->source.query_norm = c->data)
FAULT(rope_base, pack, c->source.rope.pairing = ATTEND_ROPE_HALF; c->source.rope.base = -1.0)
FAULT(rope_dims, pack, c->source.rope.pairing = ATTEND_ROPE_HALF; c->source.rope.dims = 7)
FAULT(no_width, pack, c->layer.width = 0)
FAULT(no_capacity, open_cache, c->settings.capacity = 0)
FAULT(odd_pages, open_cache, c->settings.block_tokens = 96)
FAULT(window_and_pool, open_cache, c->settings.window = 8; c->settings.pool_blocks = 3)
FAULT(endless_cache, open_cache, c->settings.capacity = SIZE_MAX - 5)
FAULT(full_sequence, append, c->tokens = 33)
FAULT(null_value, append, c->value.data = NULL)
FAULT(everything, reserve, c->tokens = SIZE_MAX / 2)

/* A "*" stands for any text: an address. */
static const struct {
  AttendStatus (*fault)(Calls *c);
  const char *sentence;
} calls[] = {
    {null_query, "query is null; it must hold 256 floats"},
    {odd_key, "key is at address *; it must be a multiple of 4"},
    {no_batch, "shape.batch is 0; it must be at least 1"},
    {endless_shape, "B = 2, Nq = 4, Nk = 4, Hq = 4, Hk = 2, D = 9223372036854775807, Dv = 8 cannot "
                    "be counted in bytes"},
    {endless_stride, "key with strides 64 (batch), 9223372036854775807 (token), 8 (head) spans "
                     "more bytes than can be counted"},
    {uneven_heads,
     "query_heads is 3 and kv_heads is 2; the first must be a multiple of the second"},
    {narrow_rows,
     "out has a stride of 7 that must be at least 8, the extent of what it steps over"},
    {out_over_value, "out (256 floats from *)"},
    {unset_options, "options.struct_size is 0; attend_default_options() sets it to *"},
    {scale_of_nan,
     "options.scale is nan; it must be finite, also times log2(e) (0 means 1/sqrt(D))"},
    {negative_softcap, "options.softcap is -1; it must be finite and positive, or 0 for none"},
    {negative_window, "options.window_left is -2; it must be a number of keys, or -1 for no limit"},
    {long_lengths, "options.key_lengths[1] is 5; the sequence has 4 keys"},
    {query_offsets_alone,
     "options.query_offsets is set without key_offsets; a ragged batch wants both"},
    {small_workspace, "the workspace supplied has 16 bytes; this call needs *"},
    {null_weights, "weights is null"},
    {full_cache, "sequence 0 of the cache holds 0 of 32 tokens; 33 more do not fit"},
    {more_sequences,
     "sequence 2 of the batch is number 2 of the cache, which has 2 sequences, counted from 0"},
    {q_start_and_cache,
     "options.q_start is 7 together with a cache, which sets it itself; leave it 0"},
    {null_matrix, "source needs qkv, or query, key and value; key is null"},
    {fused_and_separate, "source has qkv and also a separate query, key or value matrix or bias; "
                         "give one or the other"},
    {odd_matrix, "source.output is at address *; it must be a multiple of 4"},
    {unknown_storage, "source.storage is 6; it must be one of ATTEND_STORAGE_..., 0 to 5"},
    {one_norm, "source.key_norm is null and the other norm is not; give both or neither"},
    {rope_base, "source.rope.base is -1; it must be finite and above 0"},
    {rope_dims, "source.rope.dims is 7; it must be even and from 2 to head_dim, which is 8"},
    {no_width, "width is 0; it must be at least 1"},
    {no_capacity, "settings.capacity is 0; it must be at least 1"},
    {odd_pages, "settings.block_tokens is 96; it must be 32, 64 or 128"},
    {window_and_pool, "settings.window is 8 and settings.pool_blocks is 3; a ring has no pool, so "
                      "one of them must be 0"},
    {endless_cache, "a cache of 2 sequences of 18446744073709551610 tokens (0 blocks in a pool), 2 "
                    "kv heads and 8 + 8 numbers a token cannot be counted in bytes"},
    {full_sequence, "sequence 0 of the cache holds 0 of 32 tokens; 33 more do not fit"},
    {null_value, "value is null; it must hold 64 floats"},
    {everything, "9223372036854775807 bytes of workspace could not be allocated"},
};

/* Whether a sentence is as expected, with at most one "*" there. */
static bool is_as_expected(const char *got, const char *expected) {
  const char *const star = strchr(expected, '*');
  if (!star) return strcmp(got, expected) == 0;
  const size_t before = (size_t)(star - expected), after = strlen(star + 1);
  return strlen(got) >= before + after && strncmp(got, expected, before) == 0 &&
         strcmp(got + strlen(got) - after, star + 1) == 0;
}

static void require_sentence(const char *got, const char *expected) {
  if (!is_as_expected(got, expected)) fail_msg("the sentence is\n  %s\nnot\n  %s", got, expected);
}

static void of_calls(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    Calls c = calls_new();
    assert_int_not_equal(calls[k].fault(&c), ATTEND_OK);
    require_sentence(attend_get_error(c.context), calls[k].sentence);
    calls_free(&c);
  }
}

/* What is in a file, and what is said of it after the file's path. */
typedef struct FileCase {
  const char *text, *sentence;
} FileCase;

#define EXPECTED_SIZE "; an integer from 1 to 2147483647 is expected"

static const FileCase configs[] = {
    {"", "the file is empty; a JSON object is expected"},
    {"{\"hidden_size\": 896", "not valid JSON at 1:19 (line:column): *"},
    {"[1, 2]", "the file's JSON is an array; an object is expected"},
    {"{}", "field \"model_type\" is missing; one of \"llama\", \"mistral\", \"qwen2\", \"qwen3\", "
           "\"gemma2\", \"gpt2\", \"gpt_oss\" is expected"},
    {"{\"model_type\": \"bert\"}",
     "field \"model_type\" is the string \"bert\"; one of \"llama\", \"mistral\", \"qwen2\", "
     "\"qwen3\", \"gemma2\", \"gpt2\", \"gpt_oss\" is expected"},
    {LLAMA "\"num_attention_heads\": 14}", "field \"hidden_size\" is missing" EXPECTED_SIZE},
    {LLAMA "\"hidden_size\": -896}", "field \"hidden_size\" is -896" EXPECTED_SIZE},
    {LLAMA "\"hidden_size\": 896.5}",
     "field \"hidden_size\" is the real number 896.5" EXPECTED_SIZE},
    {LLAMA "\"hidden_size\": \"896\"}",
     "field \"hidden_size\" is the string \"896\"" EXPECTED_SIZE},
    {LLAMA "\"hidden_size\": [8]}", "field \"hidden_size\" is an array" EXPECTED_SIZE},
    {LLAMA "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_hidden_layers\": 257}",
     "field \"num_hidden_layers\" is 257; an integer from 1 to 256 is expected"},
    {LLAMA "\"hidden_size\": 4, \"num_attention_heads\": 8, \"num_hidden_layers\": 1}",
     "field \"hidden_size\" is 4; a multiple of \"num_attention_heads\" (8), or a field "
     "\"head_dim\", is expected"},
    {LLAMA SIZES ", \"num_key_value_heads\": 4}",
     "field \"num_attention_heads\" is 14; a multiple of \"num_key_value_heads\" (4) is expected"},
    {LLAMA SIZES ", \"attention_bias\": 1}",
     "field \"attention_bias\" is 1; true or false is expected"},
    {LLAMA SIZES ", \"rope_theta\": 0}", "field \"rope_theta\" is 0; a number above 0 is expected"},
    {LLAMA SIZES ", \"rope_scaling\": \"yarn\"}",
     "field \"rope_scaling\" is the string \"yarn\"; an object or null is expected"},
    {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"longrope\"}}",
     "field \"rope_scaling.rope_type\" is the string \"longrope\"; one of \"default\", \"linear\", "
     "\"yarn\", \"llama3\" is expected"},
    {LLAMA SIZES ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0.5}}",
     "field \"rope_scaling.factor\" is the real number 0.5; a number of at least 1 is expected"},
    {LLAMA SIZES ", \"rope_theta\": 7, \"rope_parameters\": {\"rope_theta\": 8}}",
     "field \"rope_parameters.rope_theta\" is 8; the same as \"rope_theta\" (7) is expected"},
    {LLAMA SIZES ", \"partial_rotary_factor\": 0.3}",
     "RoPE rotates 19 of the 64 dimensions of a head (\"partial_rotary_factor\" 0.3); an even "
     "number "
     "from 2 on is expected"},
    {"{\"model_type\": \"mistral\", " SIZES ", \"layer_types\": [\"full_attention\"]}",
     "field \"layer_types\" has a length of 1; that of \"num_hidden_layers\" (24) is expected"},
    {"{\"model_type\": \"qwen3\", " SIZES ", \"rms_norm_eps\": -1}",
     "field \"rms_norm_eps\" is -1; a number of at least 0 that fits fp32 is expected"},
    {"{\"model_type\": \"qwen2\", " SIZES ", \"use_mrope\": true}",
     "field \"use_mrope\" is true; false is expected"},
};

static void of_configs(void **state) {
  char path[SCRATCH_PATH_SIZE], sentence[ATTEND_FILE_ERROR_SIZE];
  scratch_path(state, "config.json", path);
  for (size_t k = 0; k < COUNT_OF(configs); k++) {
    write_text(path, configs[k].text);
    read_refused(path, sentence);
    require_sentence(sentence, configs[k].sentence);
  }
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* Headers of safetensors, before 8 bytes of data. */
static const FileCase tensor_files[] = {
    {"[]", "the header does not begin with \"{\"; a safetensors file is expected"},
    {"{\"a\":", "not valid JSON at 1:5 (line:column): *"},
    {"{\"a\":8}", "tensor \"a\": its value is 8; an object is expected"},
    {"{\"a\":{\"dtype\":\"U8\"}}",
     "tensor \"a\": \"shape\" is missing; an array of sizes is expected"},
    {"{" TENSOR("a", "U8", "[-8]", "[0,8]") "}",
     "tensor \"a\": a dimension is -8; a size of at least 0 is expected"},
    {"{" TENSOR("a", "U8", "[8]", "[0]") "}", "tensor \"a\": \"data_offsets\" is an array; an "
                                              "array of two sizes, begin and end, is expected"},
    {"{" TENSOR("a", "U8", "[9]", "[0,9]") "}",
     "tensor \"a\" is said to be bytes 0 to 9 of the data, which has 8; a begin, and behind it an "
     "end that is inside, are expected"},
    {"{" TENSOR("a", "U8", "[5]", "[0,5]") "," TENSOR("b", "U8", "[4]", "[4,8]") "}",
     "tensors \"a\" and \"b\" overlap at byte 4 of the data; each byte belongs to one tensor"},
    {"{" TENSOR("a", "U8", "[7]", "[0,7]") "}",
     "byte 7 of the data belongs to no tensor; the tensors are expected to cover all 8 bytes"},
    {"{" TENSOR("a", "F32", "[3]", "[0,8]") "}",
     "tensor \"a\" has 8 bytes; 12 are expected for F32 of shape [3]"},
    {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "[0,8]") "}",
     "tensor \"a\" has shape [4611686018427387904, 4], which makes no number of bytes that can be "
     "addressed"},
};

static void of_tensor_files(void **state) {
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  scratch_path(state, "sentences.safetensors", path);
  for (size_t k = 0; k < COUNT_OF(tensor_files); k++) {
    AttendTensorFile *file = NULL;
    scratch_write_tensors(path, tensor_files[k].text, 8);
    assert_int_not_equal(attend_open_tensors(path, &file, error, sizeof error), ATTEND_OK);
    require_sentence(error + strlen(path) + 2, tensor_files[k].sentence);
  }
}

/* Dictionaries of arrays, of 43 bytes each, before 24 bytes of data. */
#define OF(descr, order, shape)                                                                    \
  "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
static const FileCase arrays[] = {
    {OF("'<i4'", "False", "(6,)"),
     "the elements are of type \"<i4\"; \"<f2\", \"<f4\" or \"<f8\" is expected"},
    {OF("[('a', '<f4')]", "False", "(6,)"),
     "the elements are structures; \"<f2\", \"<f4\" or \"<f8\" is expected"},
    {OF("'<f4'", "Maybe", "(6,)"),
     "byte 44 of the header is not as in a .npy file; True or False is expected"},
    {OF("'<f4'", "False", "(-6,)"),
     "byte 61 of the header is not as in a .npy file; a whole number or \")\" is expected"},
    {OF("'<f4'", "False", "(1, 1, 1, 1, 6)"),
     "the array has more than 4 dimensions; at most 4 are read"},
    {OF("'<f4'", "False", "(7,)"), "24 bytes follow the header; its shape and type make 28"},
    {OF("'<f4'", "False", "(4294967296, 4294967296)"),
     "the dimensions multiply to more than 9223372036854775807 bytes"},
    {"{'descr': '<f4', 'shape': (6,)}",
     "the header has no key \"fortran_order\"; descr, fortran_order and shape are expected"},
    {"{'descr': '<f4', 'descr': '<f4'}", "the header has twice the key \"descr\"; descr, "
                                         "fortran_order and shape, each once, are expected"},
    {"{'descr': '<f4', 'extra': 1}",
     "the header has the key \"extra\"; descr, fortran_order and shape, each once, are expected"},
};

static void of_arrays(void **state) {
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  scratch_path(state, "sentences.npy", path);
  for (size_t k = 0; k < COUNT_OF(arrays); k++) {
    const size_t length = strlen(arrays[k].text);
    unsigned char bytes[256] = "\x93NUMPY\x01";
    bytes[8] = (unsigned char)length;
    memcpy(bytes + 10, arrays[k].text, length);
    scratch_write(path, bytes, 10 + length + 24);
    AttendArray array;
    assert_int_not_equal(attend_read_npy(path, &array, error, sizeof error), ATTEND_OK);
    require_sentence(error + strlen(path) + 2, arrays[k].sentence);
  }
}

/* Files that are none, or cannot be written. */
static void of_paths(void **state) {
  const float data[] = {1, 2};
  const size_t dims[] = {2};
  const Scratch *const made = *state;
  char path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  read_refused(scratch_path(state, "absent.json", path), error);
  require_sentence(error, "the file cannot be opened: No such file or directory");
  read_refused(made->folder, error);
  require_sentence(error, "this is a directory; a regular file is expected");
  read_refused("/dev/null", error);
  require_sentence(error, "this is a device, pipe or socket; a regular file is expected");
  attend_write_npy("/dev/full", data, dims, 1, error, sizeof error);
  require_sentence(error, "/dev/full: the file cannot be written: No space left on device");
  attend_write_npy(path, NULL, dims, 1, error, sizeof error);
  require_sentence(error + strlen(path), ": the data is null; a pointer to 2 numbers is expected");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_calls),  cmocka_unit_test(of_configs), cmocka_unit_test(of_tensor_files),
      cmocka_unit_test(of_arrays), cmocka_unit_test(of_paths),
  };
  return cmocka_run_group_tests_name("sentences", tests, scratch_setup, scratch_teardown);
}
