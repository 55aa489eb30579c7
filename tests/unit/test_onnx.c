/* test_onnx.c - the semantics of ONNX's Attention operator, opsets 23 to 25, through the C API.
 *
 * Every node runs on every engine, and Y and the output of all four qk_matmul_output_modes are held
 * against the operator's definition (onnx_attention.c), which is itself held against numbers worked
 * out by hand.
 */
#include <math.h>
#include <string.h>

#include "tests/unit/onnx_attention.h"

static const size_t lengths[] = {7, 3}, short_lengths[] = {2, 9}, empty_length[] = {0, 5};

static const OnnxNode nodes[] = {
    {.name = "4d", {2, 3, 3, 4, 6, 8, 8}},
    {.name = "3d", {2, 3, 3, 4, 6, 8, 8}, .three_dims = true},
    {.name = "gqa", {2, 9, 3, 4, 6, 8, 8}},
    {.name = "3d gqa", {2, 9, 3, 4, 6, 8, 8}, .three_dims = true},
    {.name = "mqa, long", {1, 4, 1, 33, 300, 16, 16}},
    {.name = "value size", {2, 3, 3, 4, 6, 8, 10}},
    {.name = "3d value size", {2, 3, 3, 4, 6, 8, 10}, .three_dims = true},
    {.name = "scale", {2, 3, 3, 4, 6, 8, 8}, .scale = 0.01f},
    {.name = "softcap", {2, 3, 3, 4, 6, 8, 8}, .softcap = 2.0f},
    {.name = "3d softcap, gqa", {2, 9, 3, 4, 6, 8, 8}, .three_dims = true, .softcap = 3.0f},

    {.name = "causal", {2, 3, 3, 6, 6, 8, 8}, .is_causal = true},
    {.name = "causal, fewer queries", {2, 3, 3, 4, 6, 8, 8}, .is_causal = true},
    {.name = "causal, more queries", {2, 3, 3, 6, 4, 8, 8}, .is_causal = true},
    {.name = "3d causal", {2, 3, 3, 4, 6, 8, 8}, .three_dims = true, .is_causal = true},
    {.name = "causal, past", {2, 3, 3, 4, 4, 8, 8}, .past_length = 12, .is_causal = true},
    {.name = "past", {2, 9, 3, 4, 6, 8, 10}, .past_length = 12},
    {.name = "3d past", {2, 9, 3, 4, 6, 8, 10}, .past_length = 12, .three_dims = true},
    {.name = "decode", {2, 9, 3, 1, 1, 16, 16}, .past_length = 200, .is_causal = true},

    {.name = "bool mask 2d", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {1, 1, 4, 6}, 40}},
    {.name = "bool mask 3d", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {1, 3, 4, 6}, 40}},
    {.name = "bool mask 4d", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {2, 3, 4, 6}, 40}},
    {.name = "bool mask of the batch",
     {2, 9, 3, 4, 6, 8, 8},
     .mask = {ONNX_BOOL_MASK, {2, 1, 1, 6}, 40}},
    {.name = "float mask 2d", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_FLOAT_MASK, {1, 1, 4, 6}, 0}},
    {.name = "float mask 4d", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_FLOAT_MASK, {2, 3, 4, 6}, 30}},
    {.name = "3d float mask of heads",
     {2, 3, 3, 4, 6, 8, 8},
     .three_dims = true,
     .mask = {ONNX_FLOAT_MASK, {1, 3, 1, 6}, 10}},
    {.name = "short bool mask", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {1, 1, 4, 4}, 20}},
    {.name = "short float mask",
     {2, 3, 3, 4, 6, 8, 8},
     .mask = {ONNX_FLOAT_MASK, {2, 3, 4, 4}, 20}},
    {.name = "mask of one key", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {1, 1, 4, 1}, 0}},
    {.name = "mask, past",
     {2, 3, 3, 4, 6, 8, 8},
     .past_length = 12,
     .mask = {ONNX_FLOAT_MASK, {1, 1, 4, 18}, 20}},
    {.name = "short mask, past",
     {2, 3, 3, 4, 6, 8, 8},
     .past_length = 12,
     .mask = {ONNX_FLOAT_MASK, {1, 1, 4, 15}, 20}},
    {.name = "mask, causal, softcap",
     {2, 9, 3, 4, 6, 8, 8},
     .is_causal = true,
     .softcap = 0.5f,
     .mask = {ONNX_FLOAT_MASK, {1, 9, 4, 6}, 20}},
    {.name = "bool mask, causal, past",
     {2, 3, 3, 4, 6, 8, 8},
     .past_length = 3,
     .is_causal = true,
     .mask = {ONNX_BOOL_MASK, {2, 1, 4, 9}, 30}},
    {.name = "rows all hidden", {2, 3, 3, 4, 6, 8, 8}, .mask = {ONNX_BOOL_MASK, {2, 3, 4, 6}, 85}},
    {.name = "everything hidden",
     {2, 3, 3, 4, 6, 8, 8},
     .mask = {ONNX_FLOAT_MASK, {1, 1, 4, 6}, 100}},

    {.name = "nonpad", {2, 3, 3, 2, 9, 8, 8}, .nonpad_kv_seqlen = lengths},
    {.name = "nonpad, causal",
     {2, 3, 3, 2, 9, 8, 8},
     .is_causal = true,
     .nonpad_kv_seqlen = lengths},
    {.name = "nonpad, more queries",
     {2, 3, 3, 4, 9, 8, 8},
     .is_causal = true,
     .nonpad_kv_seqlen = short_lengths},
    {.name = "nonpad, empty",
     {2, 9, 3, 2, 9, 8, 8},
     .is_causal = true,
     .nonpad_kv_seqlen = empty_length},
    {.name = "nonpad, mask",
     {2, 3, 3, 4, 9, 8, 8},
     .nonpad_kv_seqlen = lengths,
     .mask = {ONNX_BOOL_MASK, {1, 1, 4, 9}, 20}},

    {.name = "window", {1, 2, 2, 40, 40, 8, 8}, .is_causal = true, .window = {true, 5, -1}},
    {.name = "window on both sides", {1, 2, 1, 40, 40, 8, 8}, .window = {true, 3, 7}},
    {.name = "window, past",
     {2, 4, 2, 5, 5, 8, 8},
     .past_length = 300,
     .is_causal = true,
     .window = {true, 130, 0}},
    {.name = "window, nonpad",
     {2, 4, 2, 2, 9, 8, 8},
     .nonpad_kv_seqlen = lengths,
     .is_causal = true,
     .window = {true, 1, -1}},
};

static void check_on_all_engines(const OnnxCall *call) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) onnx_call_check(call, engines[k]);
}

static void nodes_as_defined(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT_OF(nodes); k++) {
    OnnxCall call = onnx_call_new(&nodes[k], k + 1);
    check_on_all_engines(&call);
    onnx_call_free(&call);
  }
}

/* One head of size 1 with a query of 1 and a scale of 1: keys are scores. */
static OnnxCall call_of_scores(const OnnxNode *node, const float *scores) {
  OnnxCall call = onnx_call_new(node, 1);
  for (size_t i = 0; i < node->q_length; i++) call.q[i] = 1.0f;
  memcpy(call.k, scores, node->kv_length * sizeof *scores);
  for (size_t j = 0; j < node->kv_length; j++) call.v[j] = (float)(1 << j);
  return call;
}

static void expect_numbers(const OnnxCall *call, const double *y, const double *weights) {
  const size_t queries = call->node.q_length, keys = call->total;
  for (size_t i = 0; i < queries; i++) {
    if (!is_close(call->y[i], y[i], 1e-6))
      fail_msg("%s: row %zu is %.9g, expected %.9g", call->node.name, i, call->y[i], y[i]);
    for (size_t j = 0; j < keys; j++)
      assert_true(is_close(call->qk[3][i * keys + j], weights[i * keys + j], 1e-6));
  }
}

/* Scores 0, ln 2 and ln 3 with values 1, 2 and 4. */
static void worked_out_by_hand(void **state) {
  (void)state;
  static const float scores[] = {0.0f, 0.693147181f, 1.09861229f};
  static const struct {
    OnnxNode node;
    double y[3], weights[9];
  } cases[] = {
      {{.name = "all", {1, 1, 1, 3, 3, 1, 1}, .scale = 1.0f},
       {17. / 6, 17. / 6, 17. / 6},
       {1. / 6, 2. / 6, 3. / 6, 1. / 6, 2. / 6, 3. / 6, 1. / 6, 2. / 6, 3. / 6}},
      {{.name = "causal", {1, 1, 1, 3, 3, 1, 1}, .scale = 1.0f, .is_causal = true},
       {1, 5. / 3, 17. / 6},
       {1, 0, 0, 1. / 3, 2. / 3, 0, 1. / 6, 2. / 6, 3. / 6}},
      {{.name = "window",
        {1, 1, 1, 3, 3, 1, 1},
        .scale = 1.0f,
        .is_causal = true,
        .window = {true, 1, -1}},
       {1, 5. / 3, 16. / 5},
       {1, 0, 0, 1. / 3, 2. / 3, 0, 0, 2. / 5, 3. / 5}},
      {{.name = "short mask",
        {1, 1, 1, 3, 3, 1, 1},
        .scale = 1.0f,
        .mask = {ONNX_BOOL_MASK, {1, 1, 3, 2}, 0}},
       {5. / 3, 5. / 3, 5. / 3},
       {1. / 3, 2. / 3, 0, 1. / 3, 2. / 3, 0, 1. / 3, 2. / 3, 0}},
      {{.name = "nothing",
        {1, 1, 1, 3, 3, 1, 1},
        .scale = 1.0f,
        .mask = {ONNX_BOOL_MASK, {1, 1, 1, 3}, 100}},
       {0, 0, 0},
       {0, 0, 0, 0, 0, 0, 0, 0, 0}},
  };
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    OnnxCall call = call_of_scores(&cases[k].node, scores);
    onnx_call_define(&call);
    expect_numbers(&call, cases[k].y, cases[k].weights);
    check_on_all_engines(&call);
    onnx_call_free(&call);
  }
}

/* With a sequence of two keys that are not padding, four queries stand at -2, -1, 0 and 1. */
static void more_queries_than_keys_that_are_not_padding(void **state) {
  (void)state;
  static const float scores[] = {0.0f, 0.693147181f, 1.09861229f};
  static const size_t two[] = {2};
  static const double y[] = {0, 0, 1, 5. / 3};
  static const double weights[] = {0, 0, 0, 0, 0, 0, 1, 0, 0, 1. / 3, 2. / 3, 0};
  const OnnxNode node = {.name = "bottom right",
                         {1, 1, 1, 4, 3, 1, 1},
                         .scale = 1.0f,
                         .is_causal = true,
                         .nonpad_kv_seqlen = two};
  OnnxCall call = call_of_scores(&node, scores);
  onnx_call_define(&call);
  expect_numbers(&call, y, weights);
  check_on_all_engines(&call);
  onnx_call_free(&call);
}

/* The cap comes before the mask: were it after, a hidden key would keep the weight exp(-cap). */
static void softcap_hides_nothing_and_shows_nothing(void **state) {
  (void)state;
  static const float scores[] = {0.0f, 0.761500052f,
                                 50.0f}; /* ln 2 ln 3, so that the cap is ln 2 */
  static const double y[] = {5. / 3};
  static const double weights[] = {1. / 3, 2. / 3, 0};
  const OnnxNode node = {.name = "softcap, mask",
                         {1, 1, 1, 1, 3, 1, 1},
                         .scale = 1.0f,
                         .softcap = 1.38629436f,
                         .mask = {ONNX_FLOAT_MASK, {1, 1, 1, 3}, 0}};
  OnnxCall call = call_of_scores(&node, scores);
  call.float_mask[0] = call.float_mask[1] = 0.0f;
  call.float_mask[2] = -INFINITY;
  onnx_call_define(&call);
  expect_numbers(&call, y, weights);
  check_on_all_engines(&call);
  onnx_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nodes_as_defined),
      cmocka_unit_test(worked_out_by_hand),
      cmocka_unit_test(more_queries_than_keys_that_are_not_padding),
      cmocka_unit_test(softcap_hides_nothing_and_shows_nothing),
  };
  return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
