/* test_huggingface.c - the engine of examples/toy on Hugging Face directories: random checkpoints,
 * written out anew, against the float64 forward pass over the checkpoint itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/toy/huggingface_copy.h"
#include "tests/toy/random_checkpoint.h"
#include "tests/toy/transformer_check.h"

typedef struct Place {
  char folder[64], checkpoint[96], config[96], tensors[96];
} Place;

static int make_place(void **state) {
  static Place place;
  snprintf(place.folder, sizeof place.folder, "/tmp/attend-test-huggingface-XXXXXX");
  if (!mkdtemp(place.folder)) return -1;
  snprintf(place.checkpoint, sizeof place.checkpoint, "%s/checkpoint.bin", place.folder);
  snprintf(place.config, sizeof place.config, "%s/config.json", place.folder);
  snprintf(place.tensors, sizeof place.tensors, "%s/model.safetensors", place.folder);
  *state = &place;
  return 0;
}

static int remove_place(void **state) {
  const Place *const place = *state;
  unlink(place->checkpoint), unlink(place->config), unlink(place->tensors);
  return rmdir(place->folder);
}

static void check_copy(const Place *place, const CheckpointSizes *sizes, const OracleBiases *biases,
                       size_t given, size_t count) {
  assert_true(write_checkpoint(place->checkpoint, sizes));
  assert_true(copy_to_huggingface(place->checkpoint, biases, place->folder));
  Expected e = expect_continuation(place->checkpoint, biases, given, count);
  assert_true(e.smallest > 2 * e.allowed);
  check_engines(huggingface_read, place->folder, &e, (const size_t[]){1, given}, 2);
  expected_free(&e);
}

static void llama(void **state) {
  check_copy(*state, &(CheckpointSizes){48, 80, 3, 6, 2, 400, 256, false, 1}, NULL, 50, 80);
}

static void llama_with_a_separate_classifier(void **state) {
  check_copy(*state, &(CheckpointSizes){30, 37, 2, 5, 1, 101, 75, true, 3}, NULL, 20, 75);
}

static void qwen2_with_biases(void **state) {
  float *const query = new_random(11, 0.7f, 2 * 64), *const key = new_random(12, 0.7f, 2 * 32),
               *const value = new_random(13, 0.7f, 2 * 32);
  const OracleBiases biases = {query, key, value};
  check_copy(*state, &(CheckpointSizes){64, 172, 2, 4, 2, 259, 96, true, 2}, &biases, 33, 60);
  free(query), free(key), free(value);
}

/* Replaces the first `from` of the config by `to` of the same length. */
static void change_config(const Place *place, const char *from, const char *to) {
  char text[1024] = "";
  FILE *file = fopen(place->config, "r+");
  assert_non_null(file);
  assert_true(fread(text, 1, sizeof text - 1, file) > 0);
  char *const found = strstr(text, from);
  assert_non_null(found);
  assert_int_equal(strlen(from), strlen(to));
  memcpy(found, to, strlen(to));
  rewind(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void refused(void **state) {
  static const struct {
    const char *from, *to, *sentence;
  } cases[] = {
      {"\"llama\"", "\"gpt2x\"", "gpt2x"},
      {"\"silu\"", "\"gelu\"", "\"hidden_act\" is gelu"},
      {"intermediate_size\": 80", "intermediate_size\": 81",
       "mlp.gate_proj.weight is not [81, 48]"},
      {"intermediate_size\": 80", "intermediate_size\": -8", "\"intermediate_size\" is not"},
      {"vocab_size\": 400", "vocab_size\": 401", "embed_tokens.weight is not [401, 48]"},
      {"vocab_size\": 400", "vocab_sizx\": 400", "\"vocab_size\" is not"},
      {"rms_norm_eps\": 1e-5", "rms_norm_eps\": null", "\"rms_norm_eps\" is not"},
      {"num_hidden_layers\": 3", "num_hidden_layers\": 4", "no tensor model.layers.3."},
      {"embeddings\": true", "embeddings\":false", "no tensor lm_head.weight"},
      {"\"hidden_act\": \"silu\"", "    \"mlp_bias\": true", "biases"},
  };
  const Place *const place = *state;
  const CheckpointSizes sizes = {48, 80, 3, 6, 2, 400, 256, false, 1};
  AttendContext *context = auto_open(1);
  Model *const model = new_bytes(sizeof *model);
  assert_true(write_checkpoint(place->checkpoint, &sizes));
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Complaint complaint = {""};
    assert_true(copy_to_huggingface(place->checkpoint, NULL, place->folder));
    change_config(place, cases[i].from, cases[i].to);
    assert_false(huggingface_read(place->folder, context, ATTEND_STORAGE_AUTO, model, &complaint));
    if (!strstr(complaint.text, cases[i].sentence))
      fail_msg("\"%s\" does not contain \"%s\"", complaint.text, cases[i].sentence);
    assert_null(model->memory);
  }
  free(model);
  attend_close(&context);
}

enum { LAYERS = 255, WIDTH = 1 << 24, HIDDEN = 1437270101 };

/* A tensor of a dtype that nobody knows takes no bytes; one of F16 those of its numbers. */
static void describe(FILE *file, const char *name, const char *shape, size_t begin,
                     size_t numbers) {
  fprintf(file, ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", name,
          numbers > 0 ? "F16" : "X1", shape, begin, begin + numbers * 2);
}

static void describe_layer(FILE *file, size_t layer) {
  static const struct {
    const char *name;
    size_t rank, dims[2];
  } tensors[] = {
      {"input_layernorm", 1, {WIDTH}},       {"post_attention_layernorm", 1, {WIDTH}},
      {"mlp.gate_proj", 2, {HIDDEN, WIDTH}}, {"mlp.up_proj", 2, {HIDDEN, WIDTH}},
      {"mlp.down_proj", 2, {WIDTH, HIDDEN}},
  };
  for (size_t i = 0; i < COUNT_OF(tensors); i++) {
    char name[64], shape[64];
    snprintf(name, sizeof name, "model.layers.%zu.%s.weight", layer, tensors[i].name);
    if (tensors[i].rank == 1)
      snprintf(shape, sizeof shape, "[%zu]", tensors[i].dims[0]);
    else
      snprintf(shape, sizeof shape, "[%zu,%zu]", tensors[i].dims[0], tensors[i].dims[1]);
    describe(file, name, shape, 0, 0);
  }
}

/* 255 layers of matrices without bytes, whose numbers and those of embedding and norm sum up to
 * 2^64 and half of what the latter two have: what is allocated by that sum is too small for
 * these. */
static void sizes_that_sum_to_little(void **state) {
  const Place *const place = *state;
  FILE *const config = fopen(place->config, "w"), *const tensors = fopen(place->tensors, "w");
  assert_non_null(config);
  assert_non_null(tensors);
  fprintf(config,
          "{\"model_type\": \"llama\", \"hidden_size\": %d, \"num_attention_heads\": 1, "
          "\"head_dim\": 2, \"num_hidden_layers\": %d, \"intermediate_size\": %d, "
          "\"vocab_size\": 1, \"max_position_embeddings\": 8, \"rms_norm_eps\": 1e-5, "
          "\"tie_word_embeddings\": true}",
          WIDTH, LAYERS, HIDDEN);
  assert_int_equal(fclose(config), 0);

  fprintf(tensors, "........{\"__metadata__\":{}");
  describe(tensors, "model.embed_tokens.weight", "[1,16777216]", 0, WIDTH);
  describe(tensors, "model.norm.weight", "[16777216]", 2 * (size_t)WIDTH, WIDTH);
  for (size_t layer = 0; layer < LAYERS; layer++) describe_layer(tensors, layer);
  fprintf(tensors, "}");
  const uint64_t header = (uint64_t)ftell(tensors) - 8;
  rewind(tensors);
  for (int i = 0; i < 8; i++) fputc((int)(header >> 8 * i & 255), tensors);
  assert_int_equal(fclose(tensors), 0);
  assert_int_equal(truncate(place->tensors, (off_t)(8 + header + 4 * (uint64_t)WIDTH)), 0);

  AttendContext *context = auto_open(1);
  Model *const model = new_bytes(sizeof *model);
  Complaint complaint = {""};
  assert_false(huggingface_read(place->folder, context, ATTEND_STORAGE_AUTO, model, &complaint));
  if (!strstr(complaint.text, "describes more weights than memory can hold"))
    fail_msg("\"%s\" is of something else", complaint.text);
  free(model);
  attend_close(&context);
}

static void sentences_have_no_control_characters(void **state) {
  (void)state;
  Complaint complaint;
  assert_false(complain(&complaint, "%s", "a\x1b[2Jb\n\x7f\xc2\x9b\xc3\xa4\xc2\xa0"));
  assert_string_equal(complaint.text, "a?[2Jb????\xc3\xa4\xc2\xa0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(llama),
      cmocka_unit_test(llama_with_a_separate_classifier),
      cmocka_unit_test(qwen2_with_biases),
      cmocka_unit_test(refused),
      cmocka_unit_test(sizes_that_sum_to_little),
      cmocka_unit_test(sentences_have_no_control_characters),
  };
  return cmocka_run_group_tests_name("huggingface", tests, make_place, remove_place);
}
