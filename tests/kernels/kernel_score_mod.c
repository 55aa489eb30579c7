/* kernel_score_mod.c - checks softcap, ALiBi, bias and mask of a row of scores, alone and together. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_KEYS (2 * KERNEL_PANEL + 3)

/* One row, its options, and what the call reads. */
typedef struct ScoreModCall {
  size_t keys;
  KernelScoreMod how;
  float *before; /* whole vectors are read and written */
  float *bias;
  uint8_t *mask;
} ScoreModCall;

/* parts: bits for softcap 1, slope 2, bias 4, mask 8. */
static ScoreModCall score_mod_new(size_t keys, unsigned parts, size_t stride) {
  ScoreModCall call = {.keys = keys};
  const size_t last = keys ? (keys - 1) * stride + 1 : 0;
  call.before = new_packed(MOST_KEYS + 16);
  fill_random(keys + parts, 90.0f, call.before, MOST_KEYS + 16);
  call.how.distance = (float)keys / 2.0f - 5.0f;
  if (parts & 1) call.how.softcap = 72.0f;
  if (parts & 2) call.how.slope = 0.375f;
  if (parts & 4) {
    call.bias = new_random(keys + 1, 3.0f, last);
    for (size_t j = 2; j < keys; j += 5) call.bias[j * stride] = -INFINITY;
    call.how.bias = call.bias;
    call.how.bias_stride = stride;
  }
  if (parts & 8) {
    call.mask = malloc(last ? last : 1);
    assert_non_null(call.mask);
    for (size_t j = 0; j < last; j++) call.mask[j] = (uint8_t)(j * 7 % 3 * 100);
    call.how.mask = call.mask;
    call.how.mask_stride = stride;
  }
  return call;
}

static void score_mod_free(ScoreModCall *call) {
  guarded_free(call->before, "scores before");
  free(call->bias);
  free(call->mask);
}

static bool is_hidden(const ScoreModCall *call, size_t j) {
  const KernelScoreMod *const how = &call->how;
  return (how->bias && how->bias[j * how->bias_stride] == -INFINITY) ||
         (how->mask && how->mask[j * how->mask_stride] == 0);
}

/* The steps in double, and the sum of what each may be off. */
static double expected_score(const ScoreModCall *call, size_t j, double *allowed) {
  const KernelScoreMod *const how = &call->how;
  double s = (double)call->before[j];
  *allowed = 0.0;
  if (how->softcap > 0.0f) {
    const double cap = (double)how->softcap;
    s = cap * tanh(s / cap);
    *allowed += fmin(3e-7 * cap, 1.0) + 4.0 * FLOAT_UNIT * fabs(s);
  }
  if (how->slope != 0.0f) {
    const double drop = (double)how->slope * fabs((double)how->distance - (double)j);
    s -= drop;
    *allowed += 2.0 * FLOAT_UNIT * (drop + fabs(s));
  }
  if (how->bias) {
    const double bias = (double)how->bias[j * how->bias_stride] * 1.4426950408889634;
    s += bias;
    *allowed += 2.0 * FLOAT_UNIT * (fabs(bias) + fabs(s));
  }
  return s;
}

static void check_call(const Kernels *kernels, const ScoreModCall *call) {
  float *const scores = new_packed(MOST_KEYS + 16);
  memcpy(scores, call->before, (MOST_KEYS + 16) * sizeof *scores);
  kernels->score_mod(call->keys, &call->how, scores);
  for (size_t j = 0; j < call->keys; j++) {
    if (is_hidden(call, j)) {
      if (scores[j] != -INFINITY)
        fail_kernel(kernels, "a hidden score", call->keys, j, (double)scores[j], -INFINITY);
      continue;
    }
    double allowed = 0.0;
    const double expected = expected_score(call, j, &allowed);
    if (!is_close((double)scores[j], expected, allowed))
      fail_kernel(kernels, "score", call->keys, j, (double)scores[j], expected);
  }
  guarded_free(scores, "scores");
}

/* The softcap's error relative to the result, over sixty binades of s / cap, and its sign. */
static void check_softcap_range(const Kernels *kernels) {
  float *const scores = new_packed(64);
  for (int exponent = -30; exponent <= 30; exponent++) {
    for (size_t j = 0; j < 64; j++) {
      scores[j] = ldexpf(1.0f + (float)j / 64.0f, exponent) * (j % 2 ? -1.0f : 1.0f);
    }
    const KernelScoreMod how = {.softcap = 2.0f};
    kernels->score_mod(64, &how, scores);
    for (size_t j = 0; j < 64; j++) {
      const double x = ldexp(1.0 + (double)j / 64.0, exponent) * (j % 2 ? -1.0 : 1.0);
      const double expected = 2.0 * tanh(x / 2.0);
      if (!is_close((double)scores[j], expected, 8.0 * FLOAT_UNIT * fabs(expected)))
        fail_kernel(kernels, "softcap", (size_t)(exponent + 30), j, (double)scores[j], expected);
    }
  }
  guarded_free(scores, "scores");
}

/* A cap whose inverse overflows leaves 0 at 0, and all else within the cap. */
static void check_smallest_softcap(const Kernels *kernels) {
  const KernelScoreMod how = {.softcap = 0x1p-140f};
  float *const scores = new_packed(64);
  for (size_t j = 0; j < 64; j++) scores[j] = j % 3 ? (float)j - 32.0f : 0.0f;
  kernels->score_mod(64, &how, scores);
  for (size_t j = 0; j < 64; j++)
    if (!(fabsf(scores[j]) <= how.softcap) || (j % 3 == 0 && scores[j] != 0.0f))
      fail_kernel(kernels, "the smallest softcap", 0, j, (double)scores[j], 0.0);
  guarded_free(scores, "scores");
}

/* NaN and infinities stay what they are where they are seen, and vanish where they are hidden. */
static void check_score_mod_specials(const Kernels *kernels) {
  const float specials[] = {NAN, INFINITY, -INFINITY};
  for (unsigned parts = 0; parts < 16; parts++) {
    for (size_t at = 0; at < KERNEL_PANEL; at++) {
      ScoreModCall call = score_mod_new(KERNEL_PANEL, parts, 1);
      float *const scores = new_packed(MOST_KEYS + 16);
      for (size_t k = 0; k < COUNT_OF(specials); k++) {
        memcpy(scores, call.before, (MOST_KEYS + 16) * sizeof *scores);
        scores[at] = specials[k];
        kernels->score_mod(call.keys, &call.how, scores);
        const float capped = copysignf(call.how.softcap, specials[k]);
        const bool finite = isfinite(scores[at]) != 0;
        if (is_hidden(&call, at) ? scores[at] != -INFINITY
            : isnan(specials[k]) ? !isnan(scores[at])
            : parts & 1          ? !finite || signbit(scores[at] - capped * 0.5f) != signbit(capped)
                                 : scores[at] != specials[k])
          fail_kernel(kernels, "a special score", parts, at, (double)scores[at],
                      (double)specials[k]);
      }
      guarded_free(scores, "scores");
      score_mod_free(&call);
    }
  }
}

void check_score_mod(const Kernels *kernels) {
  for (size_t keys = 0; keys <= MOST_KEYS; keys++) {
    for (unsigned parts = 0; parts < 16; parts++) {
      for (size_t stride = 0; stride <= 3; stride++) {
        ScoreModCall call = score_mod_new(keys, parts, stride);
        check_call(kernels, &call);
        score_mod_free(&call);
      }
    }
  }
  check_softcap_range(kernels);
  check_smallest_softcap(kernels);
  check_score_mod_specials(kernels);
}
