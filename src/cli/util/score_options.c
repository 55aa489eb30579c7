/* score_options.c - windows, caps, slopes, masks and sinks on the command line.
 *
 * Owns the forms of their values and the sentences on wrong ones; what they mean is the library's.
 */
#include "cli/util/score_options.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One side of a window: a whole number, or none. */
static bool parse_side(const char *text, int64_t *side) {
  size_t keys = 0;
  if (strcmp(text, "none") == 0) {
    *side = -1;
    return true;
  }
  if (!parse_size("--window", text, 0, INT64_MAX, &keys)) return false;
  *side = (int64_t)keys;
  return true;
}

static bool parse_window(const char *text, BenchScores *scores) {
  char left[32];
  const size_t length = strcspn(text, ",");
  const char *const right = text[length] ? text + length + 1 : "none";
  if (length == 0 || length >= sizeof left || *right == '\0' || strchr(right, ',')) {
    usage_error(
        "--window: \"%s\" is not LEFT or LEFT,RIGHT, each of them a number of keys or none.", text);
    return false;
  }
  snprintf(left, sizeof left, "%.*s", (int)length, text);
  int64_t sides[2];
  if (!parse_side(left, &sides[0]) || !parse_side(right, &sides[1])) return false;
  scores->has_window = true;
  scores->window_left = sides[0];
  scores->window_right = sides[1];
  return true;
}

/* All of the text is a number. */
static bool read_number(const char *text, double *number) {
  char *end = NULL;
  *number = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*number);
}

static bool parse_softcap(const char *text, BenchScores *scores) {
  double cap = 0;
  const bool is_number = read_number(text, &cap);
  if (!is_number || cap < 0 || isinf((float)cap) || (cap > 0 && (float)cap == 0.0f)) {
    usage_error("--softcap: \"%s\" is not a cap; give a number above 0, or 0 for none.", text);
    return false;
  }
  scores->has_softcap = true;
  scores->softcap = (float)cap;
  return true;
}

static bool parse_mask(const char *text, BenchScores *scores) {
  static const char random[] = "random:";
  for (int mask = BENCH_MASK_NONE; mask <= BENCH_MASK_BIAS; mask++) {
    if (mask == BENCH_MASK_RANDOM || strcmp(text, bench_mask_name((BenchMask)mask)) != 0) continue;
    scores->mask = (BenchMask)mask;
    return true;
  }
  if (strncmp(text, random, strlen(random)) != 0) {
    usage_error("--mask: there is no mask \"%s\"; they are none, random:P and bias.", text);
    return false;
  }
  double share = 0;
  if (!read_number(text + strlen(random), &share) || share < 0 || share >= 1) {
    usage_error("--mask: \"%s\" is not a share of the pairs; give one from 0 to below 1, as in "
                "random:0.5.",
                text + strlen(random));
    return false;
  }
  scores->mask = BENCH_MASK_RANDOM;
  scores->mask_share = share;
  return true;
}

OptionTaken take_score_option(BenchScores *scores, int code, const char *value) {
  bool accepted = true;
  switch (code) {
  case OPTION_WINDOW:
    accepted = parse_window(value, scores);
    break;
  case OPTION_SOFTCAP:
    accepted = parse_softcap(value, scores);
    break;
  case OPTION_ALIBI:
    scores->alibi = true;
    break;
  case OPTION_MASK:
    accepted = parse_mask(value, scores);
    break;
  case OPTION_SINKS:
    scores->sinks = true;
    break;
  default:
    return OPTION_FOREIGN;
  }
  return accepted ? OPTION_TAKEN : OPTION_REFUSED;
}

const char *score_option_given(const BenchScores *scores) {
  if (scores->has_window) return "--window";
  if (scores->has_softcap) return "--softcap";
  if (scores->alibi) return "--alibi";
  if (scores->mask != BENCH_MASK_NONE) return "--mask";
  return scores->sinks ? "--sinks" : NULL;
}
