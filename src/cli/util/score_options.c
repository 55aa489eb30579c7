/* score_options.c - windows, caps, slopes, masks and sinks on the command line.
 *
 * Owns the forms of their values and the sentences on wrong ones. The library says what they
 * mean.
 */
#include "cli/util/score_options.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"

/* One side of a window: a whole number, or none. */
static bool read_side(const Option *option, const char *text, int64_t *side) {
  Option keys_option = *option;
  size_t keys = 0;
  if (strcmp(text, "none") == 0) {
    *side = -1;
    return true;
  }
  keys_option.most = INT64_MAX;
  if (read_size(&keys_option, text, &keys) != EXIT_SUCCESS) return false;
  *side = (int64_t)keys;
  return true;
}

static int read_window(const Option *option, const char *text, void *field) {
  BenchScores *const scores = field;
  char left[32];
  const size_t length = strcspn(text, ",");
  const char *const right = text[length] ? text + length + 1 : "none";
  if (length == 0 || length >= sizeof left || *right == '\0' || strchr(right, ',')) {
    return usage_error(
        "--window: \"%s\" is not LEFT or LEFT,RIGHT, each of them a number of keys or none.", text);
  }
  snprintf(left, sizeof left, "%.*s", (int)length, text);
  int64_t sides[2];
  if (!read_side(option, left, &sides[0]) || !read_side(option, right, &sides[1])) {
    return EXIT_USAGE;
  }
  scores->has_window = true;
  scores->window_left = sides[0];
  scores->window_right = sides[1];
  return EXIT_SUCCESS;
}

/* All of the text is a number. */
static bool read_number(const char *text, double *number) {
  char *end = NULL;
  *number = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*number);
}

static int read_softcap(const Option *option, const char *text, void *field) {
  (void)option;
  BenchScores *const scores = field;
  double cap = 0;
  const bool is_number = read_number(text, &cap);
  if (!is_number || cap < 0 || isinf((float)cap) || (cap > 0 && (float)cap == 0.0f)) {
    return usage_error("--softcap: \"%s\" is not a cap; give a number above 0, or 0 for none.",
                       text);
  }
  scores->has_softcap = true;
  scores->softcap = (float)cap;
  return EXIT_SUCCESS;
}

static int read_mask(const Option *option, const char *text, void *field) {
  (void)option;
  BenchScores *const scores = field;
  static const char random[] = "random:";
  for (int mask = BENCH_MASK_NONE; mask <= BENCH_MASK_BIAS; mask++) {
    if (mask == BENCH_MASK_RANDOM || strcmp(text, bench_mask_name((BenchMask)mask)) != 0) continue;
    scores->mask = (BenchMask)mask;
    return EXIT_SUCCESS;
  }
  if (strncmp(text, random, strlen(random)) != 0) {
    return usage_error("--mask: there is no mask \"%s\"; give none, random:P or bias.", text);
  }
  double share = 0;
  if (!read_number(text + strlen(random), &share) || share < 0 || share >= 1) {
    return usage_error("--mask: \"%s\" is not a share of the pairs; give one from 0 to below 1, as "
                       "in random:0.5.",
                       text + strlen(random));
  }
  scores->mask = BENCH_MASK_RANDOM;
  scores->mask_share = share;
  return EXIT_SUCCESS;
}

static const char *mask_word(int mask) {
  return mask == BENCH_MASK_RANDOM ? "random:" : bench_mask_name((BenchMask)mask);
}

static const Choices masks = {"mask", mask_word, .count = BENCH_MASK_BIAS + 1};

/* Readers that fill several members get the whole struct. */
#define OPTIONS BenchScores
const Option score_options[] = {
    {"window", "LEFT[,RIGHT]", read_window,
     .help = "keys that a query sees before and after its own; none: no limit"},
    {"softcap", "X", read_softcap, .help = "replace scores by X tanh(score / X); 0: leave them"},
    {"alibi", NULL, FLAG(alibi), .help = "lower scores with distance, by slopes 2^(-8h/HQ)"},
    {"mask", "KIND", read_mask, .choices = &masks, .derived = "none",
     .help = "random:P (bytes that hide a share P of the pairs), bias (a random number added to "
             "each), or none"},
    {"sinks", NULL, FLAG(sinks), .help = "add one random logit per head to the softmax"},
    {0},
};
