/* test_lengths.c - sequences of different lengths in one core call, on every engine, against the
 * oracle.
 *
 * Right-padded keys, first positions of their own, ragged batches and cross-attention. What lies
 * behind a sequence's keys is NaN.
 */
#include <math.h>
#include <string.h>

#include "tests/support/core_check.h"

static void key_lengths(void **state) {
  (void)state;
  static const size_t lengths[][2] = {{0, 300}, {1, 0}, {127, 128}, {129, 256}, {299, 31}};
  for (size_t k = 0; k < COUNT_OF(lengths); k++) {
    for (size_t way = 0; way < 4; way++) {
      CoreCase spec = case_of_three_tiles();
      spec.shape.query_tokens = way % 2 ? 1 : 20;
      spec.bidirectional = way / 2 != 0;
      spec.options.key_lengths = true;
      spec.poison = POISON_NONE;
      CoreProblem problem = problem_new(&spec);
      for (size_t b = 0; b < 2; b++) {
        problem.data.key_lengths[b] = lengths[k][b];
        for (size_t j = lengths[k][b]; j < 300; j++)
          for (size_t g = 0; g < 2; g++)
            *problem_row(&problem.key, b, j, g) = *problem_row(&problem.value, b, j, g) = NAN;
      }
      problem_check_all(&problem, 2);
    }
  }
}

/* Right-padded keys with the queries at their end: positions length - Nq, negative where a sequence
 * has fewer keys than there are queries. */
static void lengths_with_negative_starts(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 7, 20, 21, 150, 300};
  for (size_t k = 0; k < COUNT_OF(lengths); k++) {
    CoreCase spec = case_of_three_tiles();
    spec.options.key_lengths = spec.options.q_starts = true;
    spec.poison = POISON_NONE;
    CoreProblem problem = problem_new(&spec);
    for (size_t b = 0; b < 2; b++) {
      problem.data.key_lengths[b] = lengths[(k + b) % COUNT_OF(lengths)];
      problem.data.q_starts[b] = (int64_t)problem.data.key_lengths[b] - 20;
    }
    problem_check_all(&problem, 2);
  }
}

/* Sets where the queries and keys of each sequence begin, [B + 1]. Queries stand at the end of
 * their keys. */
static void place_sequences(CoreProblem *problem, const size_t *queries, const size_t *keys) {
  const size_t batch = problem->spec.shape.batch;
  memcpy(problem->data.query_offsets, queries, (batch + 1) * sizeof *queries);
  memcpy(problem->data.key_offsets, keys, (batch + 1) * sizeof *keys);
  for (size_t b = 0; b < batch; b++)
    problem->data.q_starts[b] =
        (int64_t)(keys[b + 1] - keys[b]) - (int64_t)(queries[b + 1] - queries[b]);
}

/* Ragged batches with sequences without queries, without keys, without either. */
static void ragged_batches(void **state) {
  (void)state;
  static const size_t queries[] = {0, 0, 5, 5, 6, 38, 38, 60};
  static const size_t keys[] = {0, 10, 15, 40, 300, 300, 300, 429};
  static const CaseLayout layouts[] = {LAYOUT_BNHD, LAYOUT_BHND, LAYOUT_NBHD, LAYOUT_PADDED};
  for (size_t l = 0; l < COUNT_OF(layouts); l++) {
    for (int options = 0; options < 2; options++) {
      CoreCase spec = {.shape = {7, 60, 429, 6, 2, 16, 24}, .layout = layouts[l]};
      spec.options.ragged = spec.options.q_starts = true;
      spec.options.sinks = options != 0;
      if (options) spec.options.mask = (CaseGrid){.used = true, .hidden = 30};
      CoreProblem problem = problem_new(&spec);
      place_sequences(&problem, queries, keys);
      problem_check_all(&problem, 3);
    }
  }
}

/* Decode steps, a chunk and a whole prompt in one call. */
static void mixed_prefill_and_decode(void **state) {
  (void)state;
  static const size_t queries[] = {0, 1, 2, 42, 43, 143};
  static const size_t keys[] = {0, 700, 703, 903, 2103, 2203};
  CoreCase spec = {.shape = {5, 143, 2203, 4, 1, 16, 16}};
  spec.options.ragged = spec.options.q_starts = true;
  CoreProblem problem = problem_new(&spec);
  place_sequences(&problem, queries, keys);
  problem_check_all(&problem, 3);
}

/* Queries of one text, keys and values of another. */
static void cross_attention(void **state) {
  (void)state;
  static const size_t tokens[][2] = {{1, 300}, {50, 7}, {13, 129}, {64, 1}, {130, 260}};
  for (size_t k = 0; k < COUNT_OF(tokens); k++) {
    for (int layout = 0; layout < LAYOUT_COUNT; layout++) {
      if (layout == LAYOUT_FUSED) continue;
      CoreCase spec = {.shape = {3, tokens[k][0], tokens[k][1], 4, 4, 40, 72},
                       .layout = (CaseLayout)layout,
                       .bidirectional = true,
                       .poison = POISON_HIDDEN};
      spec.options.mask =
          (CaseGrid){.used = k % 2 == 0, .hidden = 20, .repeat = REPEAT_HEADS | REPEAT_QUERIES};
      check_case(&spec, 2);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(key_lengths),     cmocka_unit_test(lengths_with_negative_starts),
      cmocka_unit_test(ragged_batches),  cmocka_unit_test(mixed_prefill_and_decode),
      cmocka_unit_test(cross_attention),
  };
  return cmocka_run_group_tests_name("lengths", tests, NULL, NULL);
}
