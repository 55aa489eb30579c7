/* test_bench_verify.c - what decides whether a row of `attend bench` counts: the comparison with
 * the oracle, which must accept every kind of pass over a workload and notice an output that is
 * wrong; and what a row is said to do to its scores.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/verify.h"
#include "cli/bench/report_words.h"

static bool never(void) {
  return false;
}

static bool always(void) {
  return true;
}

/* A workload with its reference, and a context that runs it. */
typedef struct Verified {
  AttendModel model;
  ModelWeights weights;
  Workload workload;
  Reference reference;
  AttendContext *context;
} Verified;

static const AttendModel plain = {
    .name = "plain", .shape = {24, 4, 2, 8, 6}, .qkv_bias = true, .output_bias = true, .layers = 1};
/* Two layers, of which the first has a window. */
static const AttendModel full = {.name = "full",
                                 .shape = {24, 4, 2, 8, 6},
                                 .qkv_bias = true,
                                 .qk_norm = true,
                                 .sinks = true,
                                 .norm_epsilon = 1e-5f,
                                 .scale = 0.5f,
                                 .softcap = 3.0f,
                                 .rope = {.pairing = ATTEND_ROPE_INTERLEAVED,
                                          .dims = 6,
                                          .base = 100,
                                          .scaling = ATTEND_ROPE_LINEAR,
                                          .factor = 2},
                                 .window = 9,
                                 .layers = 2,
                                 .sliding = {1}};

static void open_verified(const BenchConfig *config, const AttendModel *model, size_t tokens,
                          Verified *verified) {
  char reason[BENCH_REASON_SIZE];
  *verified = (Verified){.model = *model};
  assert_int_equal(attend_open(&verified->context, NULL), ATTEND_OK);
  assert_true(weights_open(config, &verified->model, &verified->weights, reason));
  assert_true(workload_open(config, &verified->model, &verified->weights, tokens,
                            &verified->workload, reason));
  assert_true(reference_open(&verified->workload, never, &verified->reference, reason));
}

static void close_verified(Verified *verified) {
  reference_close(&verified->reference);
  workload_close(&verified->workload);
  weights_close(&verified->weights);
  attend_close(&verified->context);
}

static double compare(const Verified *verified) {
  double error, share;
  reference_compare(&verified->reference, ATTEND_PRECISION_FP32, ATTEND_STORAGE_FP32,
                    verified->workload.output, &error, &share);
  return share;
}

/* What the oracle confirms, and what it must not let pass. */
static void check_verdicts(const BenchConfig *config, const AttendModel *model, size_t tokens) {
  Verified verified;
  open_verified(config, model, tokens, &verified);
  float *const output = verified.workload.output;
  const size_t last = config->batch * verified.workload.queries * verified.workload.width - 1;

  reference_spoil(&verified.workload);
  assert_true(isinf(compare(&verified)));
  assert_int_equal(workload_call(&verified.workload, verified.context), ATTEND_OK);
  assert_true(compare(&verified) < 1);
  const double first = compare(&verified);
  assert_int_equal(workload_call(&verified.workload, verified.context), ATTEND_OK);
  assert_true(compare(&verified) == first);

  const float kept = output[last];
  output[last] = kept + 1e-4f;
  assert_true(compare(&verified) > 1);
  output[last] = NAN;
  assert_true(isinf(compare(&verified)));
  output[last] = kept;
  assert_true(compare(&verified) < 1);
  close_verified(&verified);
}

static void outputs_are_judged(void **state) {
  (void)state;
  for (int part = BENCH_LAYER; part <= BENCH_CORE; part++)
    for (int mode = BENCH_PREFILL; mode <= BENCH_DECODE; mode++)
      for (int causal = 0; causal <= 1; causal++) {
        const BenchConfig config = {.path_count = 1,
                                    .part = (BenchPart)part,
                                    .mode = (BenchMode)mode,
                                    .causal = causal,
                                    .batch = 2,
                                    .seed = 1};
        check_verdicts(&config, &plain, 1);
        check_verdicts(&config, &plain, 37);
        check_verdicts(&config, &full, 37);
      }
}

/* The same in chunks that divide the tokens, that do not, and that are longer than they. */
static void chunks_are_judged(void **state) {
  (void)state;
  static const size_t chunks[] = {1, 5, 12, 100};
  for (int part = BENCH_LAYER; part <= BENCH_CORE; part++)
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
      const BenchConfig config = {.path_count = 1,
                                  .part = (BenchPart)part,
                                  .chunk = chunks[c],
                                  .causal = true,
                                  .batch = 3,
                                  .seed = 1};
      check_verdicts(&config, &plain, 36);
      check_verdicts(&config, &full, 37);
    }
}

/* Every option of the scores, in every mode of both parts. */
static void options_are_judged(void **state) {
  (void)state;
  static const BenchScores options[] = {
      {.has_window = true, .window_left = 4, .window_right = 2},
      {.has_window = true, .window_left = -1, .window_right = -1},
      {.has_softcap = true, .softcap = 1.5f},
      {.alibi = true},
      {.sinks = true},
      {.mask = BENCH_MASK_RANDOM, .mask_share = 0.7},
      {.mask = BENCH_MASK_BIAS},
      {.has_window = true,
       .window_left = 20,
       .window_right = -1,
       .alibi = true,
       .sinks = true,
       .mask = BENCH_MASK_RANDOM,
       .mask_share = 0.95},
  };
  for (size_t o = 0; o < sizeof options / sizeof *options; o++)
    for (int part = BENCH_LAYER; part <= BENCH_CORE; part++)
      for (int mode = 0; mode < 4; mode++) {
        const BenchConfig config = {.path_count = 1,
                                    .part = (BenchPart)part,
                                    .mode = mode == 1 ? BENCH_DECODE : BENCH_PREFILL,
                                    .chunk = mode == 2 ? 8 : 0,
                                    .causal = mode != 3,
                                    .scores = options[o],
                                    .batch = 2,
                                    .seed = 1};
        check_verdicts(&config, &plain, 37);
        check_verdicts(&config, &full, 37);
      }
}

/* An output of a neighbouring problem is wrong: without the mask, and with one key less. */
static void small_mistakes_are_noticed(void **state) {
  (void)state;
  const BenchConfig causal = {.path_count = 1, .causal = true, .batch = 1, .seed = 1};
  BenchConfig other = causal;
  Verified verified;
  open_verified(&causal, &plain, 37, &verified);
  other.causal = false;
  verified.workload.config = &other;
  assert_int_equal(workload_call(&verified.workload, verified.context), ATTEND_OK);
  assert_true(compare(&verified) > 100);
  close_verified(&verified);

  const BenchConfig decode = {
      .path_count = 1, .mode = BENCH_DECODE, .causal = true, .batch = 1, .seed = 1};
  open_verified(&decode, &plain, 37, &verified);
  assert_int_equal(attend_truncate_cache(verified.workload.cache, 0, 35), ATTEND_OK);
  verified.workload.past = 35;
  assert_int_equal(workload_call(&verified.workload, verified.context), ATTEND_OK);
  assert_true(compare(&verified) > 100);
  close_verified(&verified);
}

/* A workload that is called with something left out, or another layer of its model. */
static void missing_steps_are_noticed(void **state) {
  (void)state;
  const BenchConfig config = {.path_count = 1, .causal = true, .batch = 1, .seed = 1};
  for (int step = 0; step < 5; step++) {
    Verified verified;
    open_verified(&config, &full, 37, &verified);
    AttendModel other = full;
    BenchConfig other_config = config;
    char reason[BENCH_REASON_SIZE];
    if (step == 0) other.softcap = 0;
    if (step == 1) other.scale = 0;
    if (step == 2) other_config.layer = 1;
    if (step == 3) other.rope.pairing = ATTEND_ROPE_NONE;
    if (step == 4) other.rope.base = 120;
    ModelWeights weights;
    assert_true(weights_open(&other_config, &other, &weights, reason));
    Workload workload = verified.workload;
    workload.model = &other;
    workload.config = &other_config;
    workload.weights = &weights;
    workload.packed = weights.packed[ATTEND_STORAGE_FP32];
    assert_int_equal(workload_call(&workload, verified.context), ATTEND_OK);
    if (!(compare(&verified) > 100)) fail_msg("step %d: share %g", step, compare(&verified));
    weights_close(&weights);
    close_verified(&verified);
  }
}

/* The plan counts the FLOPs of all chunks: the pairs of a prefill in one call, and as many rows. */
static void chunks_are_planned_together(void **state) {
  (void)state;
  for (int part = BENCH_LAYER; part <= BENCH_CORE; part++) {
    BenchConfig config = {
        .path_count = 1, .part = (BenchPart)part, .causal = true, .batch = 2, .seed = 1};
    AttendPlan plans[2];
    for (int chunked = 0; chunked <= 1; chunked++) {
      Verified verified;
      config.chunk = chunked ? 5 : 0;
      open_verified(&config, &full, 37, &verified);
      assert_int_equal(workload_plan(&verified.workload, verified.context, &plans[chunked]),
                       ATTEND_OK);
      assert_int_equal(attend_reserve_workspace(verified.context, plans[chunked].workspace_bytes),
                       ATTEND_OK);
      assert_int_equal(workload_call(&verified.workload, verified.context), ATTEND_OK);
      close_verified(&verified);
    }
    /* Rows 0 .. 8 see 1 .. 9 keys, the others 9. */
    assert_true(plans[0].core_flops == 2.0 * 2 * 4 * (8 + 6) * (45 + 28 * 9));
    assert_true(plans[1].core_flops == plans[0].core_flops);
    assert_true(plans[1].projection_flops == plans[0].projection_flops);
    assert_true(plans[1].workspace_bytes > 0);
  }
}

/* The model's word, and what was asked for in its place. */
static void options_are_merged(void **state) {
  (void)state;
  char text[REPORT_SCORES_SIZE];
  BenchConfig config = {.path_count = 1, .causal = true, .batch = 1};
  assert_string_equal(report_scores(&config, &plain, text), "");
  assert_string_equal(report_scores(&config, &full, text), "window left 8, softcap 3, sinks");
  assert_true(scoring_scale(&config, &full) == 0.5);
  assert_true(fabs(scoring_scale(&config, &plain) - 1 / sqrt(8)) < 1e-15);
  config.layer = 1;
  assert_string_equal(report_scores(&config, &full, text), "softcap 3, sinks");
  config.layer = 0;
  config.scores = (BenchScores){.has_window = true,
                                .window_left = -1,
                                .window_right = 4,
                                .has_softcap = true,
                                .alibi = true,
                                .mask = BENCH_MASK_RANDOM,
                                .mask_share = 0.25};
  assert_string_equal(report_scores(&config, &full, text),
                      "window right 4, ALiBi, sinks, mask random:0.25");
  config.scores = (BenchScores){.mask = BENCH_MASK_BIAS, .sinks = true};
  assert_string_equal(report_scores(&config, &plain, text), "sinks, random bias");
}

/* A random mask hides about its share, and not the same in every row. */
static void masks_hide_their_share(void **state) {
  (void)state;
  enum { SIDE = 200 };
  const BenchConfig config = {
      .scores = {.mask = BENCH_MASK_RANDOM, .mask_share = 0.3}, .batch = 1, .seed = 5};
  ScoringData data;
  assert_true(scoring_open(&config, &plain, SIDE, SIDE, &data));
  size_t hidden = 0;
  for (size_t i = 0; i < SIDE * SIDE; i++) hidden += data.mask[i] == 0;
  /* Five deviations of sqrt(0.3 * 0.7 * 40000). */
  assert_true(fabs((double)hidden - 0.3 * SIDE * SIDE) < 5 * 92);
  assert_memory_not_equal(data.mask, data.mask + SIDE, SIDE);
  assert_null(data.bias);
  scoring_close(&data);
}

static void oracle_can_be_cancelled(void **state) {
  (void)state;
  const BenchConfig config = {.path_count = 1, .causal = true, .batch = 1, .seed = 1};
  Verified verified;
  Reference reference;
  char reason[BENCH_REASON_SIZE] = "unset";
  open_verified(&config, &plain, 5, &verified);
  assert_false(reference_open(&verified.workload, always, &reference, reason));
  assert_string_equal(reason, "");
  assert_null(reference.rows);
  close_verified(&verified);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outputs_are_judged),        cmocka_unit_test(chunks_are_judged),
      cmocka_unit_test(options_are_judged),        cmocka_unit_test(small_mistakes_are_noticed),
      cmocka_unit_test(missing_steps_are_noticed), cmocka_unit_test(chunks_are_planned_together),
      cmocka_unit_test(options_are_merged),        cmocka_unit_test(masks_hide_their_share),
      cmocka_unit_test(oracle_can_be_cancelled),
  };
  return cmocka_run_group_tests_name("bench_verify", tests, NULL, NULL);
}
