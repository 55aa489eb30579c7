/* test_transformer.c - the engine of examples/toy against a forward pass in float64.
 *
 *   test_transformer [CHECKPOINT]
 *
 * Random checkpoints of several forms, and the one that ATTEND_TEST_MODEL names (unset: CHECKPOINT,
 * if it is there), through every path and ISA, with the prompt fed in chunks of several sizes and
 * the rest token by token; the random ones also in the precisions and storages below fp32.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/toy/random_checkpoint.h"
#include "tests/toy/transformer_check.h"

/* Lower precisions and storages: the logits within what they may be off, and the text wherever that
 * cannot change it. Prompts and weights are not chosen for it: how many of the tokens that is, is
 * printed. Where products and numbers are exact it is all of them, and nearly all with more than
 * bf16's 8 bits. */
static void check_coarseness(const char *path, const Expected *e, size_t chunk) {
  static const Coarseness kinds[] = {
      {.precision = ATTEND_PRECISION_BF16X6, .storage = ATTEND_STORAGE_BF16X3},
      {.precision = ATTEND_PRECISION_BF16X3, .storage = ATTEND_STORAGE_BF16X2},
      {.precision = ATTEND_PRECISION_FP32, .storage = ATTEND_STORAGE_FP16},
      {.precision = ATTEND_PRECISION_FP32, .storage = ATTEND_STORAGE_BF16},
      {.precision = ATTEND_PRECISION_BF16, .storage = ATTEND_STORAGE_BF16}};
  for (size_t k = 0; k < COUNT_OF(kinds); k++) {
    Coarseness how = kinds[k];
    check_coarse(checkpoint_read, path, e, chunk, &how);
    print_message("# %s over %s: logits within %.2g, %zu of %zu tokens compared\n",
                  attend_precision_name(how.precision), attend_storage_name(how.storage),
                  how.allowed, how.compared, e->count - e->given);
    if (how.storage == ATTEND_STORAGE_BF16X3) assert_int_equal(how.compared, e->count - e->given);
    if (how.storage != ATTEND_STORAGE_BF16)
      assert_true(5 * how.compared >= 4 * (e->count - e->given));
  }
}

static void check_random(const CheckpointSizes *sizes, size_t given, size_t count) {
  char path[] = "/tmp/attend-test-transformer-XXXXXX";
  const int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  assert_true(write_checkpoint(path, sizes));
  Expected e = expect_continuation(path, NULL, given, count);
  /* Else equal tokens would be luck, and the seed must be another. */
  assert_true(e.smallest > 2 * e.allowed);
  check_engines(checkpoint_read, path, &e, (const size_t[]){1, 7, 128, given}, 4);
  check_coarseness(path, &e, 7);
  expected_free(&e);
  assert_int_equal(unlink(path), 0);
}

/* Three query heads share a kv head; the prompt is longer than a tile of keys. */
static void shared_heads(void **state) {
  (void)state;
  check_random(&(CheckpointSizes){48, 80, 3, 6, 2, 400, 256, false, 1}, 150, 200);
}

static void separate_classifier(void **state) {
  (void)state;
  check_random(&(CheckpointSizes){64, 172, 2, 4, 4, 259, 96, true, 2}, 33, 96);
}

/* One kv head, one layer, sizes that are no multiples of anything. */
static void odd_sizes(void **state) {
  (void)state;
  check_random(&(CheckpointSizes){30, 37, 1, 5, 1, 101, 75, true, 3}, 20, 75);
}

/* Heads of the smallest dimension that RoPE can turn. */
static void heads_of_two(void **state) {
  (void)state;
  check_random(&(CheckpointSizes){8, 5, 4, 4, 2, 17, 40, true, 4}, 9, 40);
}

static const char *trained_path; /* null: there is none */

static void trained_model(void **state) {
  (void)state;
  OracleTransformer *const oracle =
      oracle_transformer_open(trained_path, NULL, (OracleRounding){0});
  if (!oracle) fail_msg("%s cannot be read", trained_path);
  const size_t context = oracle_transformer_context(oracle);
  oracle_transformer_close(oracle);
  const size_t count = context < 160 ? context : 160, given = count / 3 + 1;
  Expected e = expect_continuation(trained_path, NULL, given, count);
  check_engines(checkpoint_read, trained_path, &e, (const size_t[]){1, 5, given}, 3);
  expected_free(&e);
  e = expect_continuation(trained_path, NULL, 1, count);
  check_engines(checkpoint_read, trained_path, &e, (const size_t[]){1}, 1);
  expected_free(&e);
}

int main(int argc, char **argv) {
  const char *const named = getenv("ATTEND_TEST_MODEL");
  if (named && *named)
    trained_path = named;
  else if (argc > 1 && access(argv[1], R_OK) == 0)
    trained_path = argv[1];
  const struct CMUnitTest random_models[] = {
      cmocka_unit_test(shared_heads),
      cmocka_unit_test(separate_classifier),
      cmocka_unit_test(odd_sizes),
      cmocka_unit_test(heads_of_two),
  };
  const struct CMUnitTest all_models[] = {
      cmocka_unit_test(shared_heads),  cmocka_unit_test(separate_classifier),
      cmocka_unit_test(odd_sizes),     cmocka_unit_test(heads_of_two),
      cmocka_unit_test(trained_model),
  };
  if (!trained_path) return cmocka_run_group_tests_name("transformer", random_models, NULL, NULL);
  return cmocka_run_group_tests_name("transformer", all_models, NULL, NULL);
}
