/* rope.c - rotary position embedding.
 *
 * Frequencies and angles are formed in double, and only cosines and sines are rounded to float: at
 * position 131071 an angle is still right to 1e-9, where one formed in float would be off by 4e-3.
 * A position may be negative, which rotates the other way, unless a table replaces the formula.
 *
 * A head is rotated by products and sums that round one by one, in an order that depends on the
 * pair alone. This file knows nothing of batches, caches or threads.
 */
#include "layer/rope.h"

#include <math.h>

#include "problem/shape.h"
#include "size.h"

void attend_default_rope(AttendRope *rope) {
  if (!rope) return;
  *rope = (AttendRope){.pairing = ATTEND_ROPE_NONE,
                       .base = 10000.0,
                       .scaling = ATTEND_ROPE_UNSCALED,
                       .factor = 1.0,
                       .original_positions = 8192.0,
                       .low_frequency_factor = 1.0,
                       .high_frequency_factor = 4.0,
                       .beta_fast = 32.0,
                       .beta_slow = 1.0};
}

size_t rope_dims(const AttendRope *rope, size_t head_dim) {
  return rope->dims ? rope->dims : head_dim;
}

/* ---- checks ---- */

static AttendStatus check_above(const char *name, double value, double bound, Fault *fault) {
  if (isfinite(value) && value > bound) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "source.rope.%s is %g; it must be finite and above %g", name, value, bound);
}

static AttendStatus check_from(const char *name, double value, double bound, Fault *fault) {
  if (isfinite(value) && value >= bound) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "source.rope.%s is %g; it must be finite and at least %g", name, value, bound);
}

static AttendStatus check_dims(const AttendRope *rope, size_t head_dim, Fault *fault) {
  const size_t dims = rope_dims(rope, head_dim);
  if (dims % 2 == 0 && dims <= head_dim) return ATTEND_OK;
  if (rope->dims == 0) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.rope.dims is 0, which means head_dim, and that is %zu; dimensions are "
                     "rotated in pairs, so name an even number of them",
                     head_dim);
  }
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "source.rope.dims is %zu; it must be even and from 2 to head_dim, which is %zu",
                   rope->dims, head_dim);
}

static AttendStatus check_tables(const AttendRope *rope, size_t head_dim, Fault *fault) {
  if (!rope->cos || !rope->sin) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                     "source.rope.%s is null and the other table is not; give both or neither",
                     rope->cos ? "sin" : "cos");
  }
  if (rope->table_positions == 0) {
    return fault_set(
        fault, ATTEND_STATUS_BAD_OPTION,
        "source.rope.table_positions is 0; the tables must have at least one position");
  }
  bool overflow = false;
  const size_t pairs = rope_dims(rope, head_dim) / 2;
  const size_t floats = size_multiply(rope->table_positions, pairs, &overflow);
  size_multiply(floats, 2 * sizeof(float), &overflow);
  if (overflow) {
    return fault_set(
        fault, ATTEND_STATUS_OVERFLOW,
        "tables of %zu positions (source.rope.table_positions) and %zu pairs cannot be "
        "counted in bytes",
        rope->table_positions, pairs);
  }
  const Span cosines = {"source.rope.cos", rope->cos, floats};
  const Span sines = {"source.rope.sin", rope->sin, floats};
  if (shape_check_pointer(cosines, fault)) return fault->status;
  return shape_check_pointer(sines, fault);
}

static AttendStatus check_yarn(const AttendRope *rope, Fault *fault) {
  if (check_above("base", rope->base, 1.0, fault) ||
      check_above("original_positions", rope->original_positions, 0.0, fault) ||
      check_above("beta_slow", rope->beta_slow, 0.0, fault) ||
      check_from("beta_fast", rope->beta_fast, rope->beta_slow, fault)) {
    return fault->status;
  }
  return check_from("attention_factor", rope->attention_factor, 0.0, fault);
}

static AttendStatus check_bands(const AttendRope *rope, Fault *fault) {
  const double low = rope->low_frequency_factor;
  if (check_above("original_positions", rope->original_positions, 0.0, fault) ||
      check_above("low_frequency_factor", low, 0.0, fault)) {
    return fault->status;
  }
  return check_above("high_frequency_factor", rope->high_frequency_factor, low, fault);
}

AttendStatus rope_check(const AttendRope *rope, size_t head_dim, Fault *fault) {
  const int pairing = (int)rope->pairing, scaling = (int)rope->scaling;
  if (pairing == ATTEND_ROPE_NONE) return ATTEND_OK;
  if (pairing != ATTEND_ROPE_HALF && pairing != ATTEND_ROPE_INTERLEAVED) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.rope.pairing is %d; it must be one of AttendRopePairing, 0 to %d",
                     pairing, (int)ATTEND_ROPE_INTERLEAVED);
  }
  if (check_dims(rope, head_dim, fault)) return fault->status;
  if (rope->cos || rope->sin) return check_tables(rope, head_dim, fault);
  if (scaling < ATTEND_ROPE_UNSCALED || scaling > ATTEND_ROPE_LLAMA3) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.rope.scaling is %d; it must be one of AttendRopeScaling, 0 to %d",
                     scaling, (int)ATTEND_ROPE_LLAMA3);
  }
  if (check_above("base", rope->base, 0.0, fault)) return fault->status;
  if (scaling == ATTEND_ROPE_UNSCALED) return ATTEND_OK;
  if (check_from("factor", rope->factor, 1.0, fault)) return fault->status;
  if (scaling == ATTEND_ROPE_YARN) return check_yarn(rope, fault);
  return scaling == ATTEND_ROPE_LLAMA3 ? check_bands(rope, fault) : ATTEND_OK;
}

AttendStatus rope_check_positions(const Rope *rope, int64_t first, int64_t last, Fault *fault) {
  if (!rope->cos) return ATTEND_OK;
  const bool before = first < 0;
  if (!before && (uint64_t)last < rope->table_positions) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "a token stands at position %lld; RoPE's table has positions 0 to %zu",
                   (long long)(before ? first : last), rope->table_positions - 1);
}

/* ---- frequencies ---- */

/* The pairs between which YaRN goes over from unscaled to scaled frequencies. */
typedef struct Band {
  double low, high;
} Band;

/* The pair, as a fractional index, with so many rotations over the positions of training: the
 * inverse of rotations = original * base^(-2k/dims) / 2 pi (Peng et al. 2023, section 3.2). */
static double pair_of_rotations(const AttendRope *rope, size_t dims, double rotations) {
  const double ratio = rope->original_positions / (2.0 * M_PI * rotations);
  return 0.5 * (double)dims * log(ratio) / log(rope->base);
}

/* Ends, limits and the smallest width are those of the code published with YaRN (jquesnelle/yarn,
 * YarnRotaryEmbedding), of which gpt-oss leaves out the rounding. */
static Band yarn_band(const AttendRope *rope, size_t dims) {
  double low = pair_of_rotations(rope, dims, rope->beta_fast);
  double high = pair_of_rotations(rope, dims, rope->beta_slow);
  if (!rope->untruncated) {
    low = floor(low);
    high = ceil(high);
  }
  low = fmax(low, 0.0);
  high = fmin(high, (double)dims - 1.0);
  return (Band){low, low == high ? high + 0.001 : high};
}

/* Peng et al. 2023, section 3.2 ("NTK-by-parts"), the ramp linear in the pair's index as
 * published. */
static double yarn_frequency(const AttendRope *rope, Band band, size_t k, double theta) {
  const double ramp = fmin(fmax(((double)k - band.low) / (band.high - band.low), 0.0), 1.0);
  return (1.0 - ramp) * theta + ramp * (theta / rope->factor);
}

/* The bands of Llama 3.1 (meta-llama/llama-models, apply_scaling): waves short against training
 * keep their frequency, long ones are stretched, and between them the two are mixed. */
static double llama3_frequency(const AttendRope *rope, double theta) {
  const double low = rope->low_frequency_factor, high = rope->high_frequency_factor;
  const double rotations = rope->original_positions * theta / (2.0 * M_PI);
  if (rotations > high) return theta;
  if (rotations < low) return theta / rope->factor;
  const double kept = (rotations - low) / (high - low);
  return (1.0 - kept) * (theta / rope->factor) + kept * theta;
}

void rope_set_frequencies(const AttendRope *rope, size_t dims, double *frequencies) {
  const bool is_yarn = rope->scaling == ATTEND_ROPE_YARN;
  const Band band = is_yarn ? yarn_band(rope, dims) : (Band){0.0, 0.0};
  double base = rope->base;
  /* bloc97 2023 ("NTK-aware scaled RoPE"). With two dims the base is infinite and of no
   * consequence: the only pair has the power 0 of it. */
  if (rope->scaling == ATTEND_ROPE_NTK) {
    base *= pow(rope->factor, (double)dims / ((double)dims - 2.0));
  }
  for (size_t k = 0; k < dims / 2; k++) {
    /* Su et al. 2021, section 3.2.2. */
    const double theta = pow(base, -2.0 * (double)k / (double)dims);
    switch (rope->scaling) {
    case ATTEND_ROPE_UNSCALED:
    case ATTEND_ROPE_NTK:
      frequencies[k] = theta;
      break;
    case ATTEND_ROPE_LINEAR: /* Chen et al. 2023, section 2.3: position p becomes p / factor */
      frequencies[k] = theta / rope->factor;
      break;
    case ATTEND_ROPE_YARN:
      frequencies[k] = yarn_frequency(rope, band, k, theta);
      break;
    case ATTEND_ROPE_LLAMA3:
      frequencies[k] = llama3_frequency(rope, theta);
      break;
    }
  }
}

/* Peng et al. 2023, section 3.4: sqrt(1/t) = 0.1 ln(s) + 1. */
double rope_attention_factor(const AttendRope *rope) {
  if (rope->scaling != ATTEND_ROPE_YARN || rope->cos) return 1.0;
  return rope->attention_factor > 0.0 ? rope->attention_factor : 0.1 * log(rope->factor) + 1.0;
}

/* ---- rotation ---- */

RopeRow rope_row(const Rope *rope, int64_t position, float *scratch) {
  const size_t pairs = rope->dims / 2;
  if (rope->cos) {
    const size_t at = (size_t)position * pairs;
    return (RopeRow){rope->cos + at, rope->sin + at};
  }
  float *const cosines = scratch, *const sines = scratch + pairs;
  for (size_t k = 0; k < pairs; k++) {
    const double angle = (double)position * rope->frequencies[k];
    cosines[k] = (float)(rope->attention_factor * cos(angle));
    sines[k] = (float)(rope->attention_factor * sin(angle));
  }
  return (RopeRow){cosines, sines};
}

static void rotate_halves(size_t pairs, RopeRow row, float *restrict low, float *restrict high) {
  for (size_t k = 0; k < pairs; k++) {
    const float a = low[k], b = high[k];
    low[k] = a * row.cos[k] - b * row.sin[k];
    high[k] = b * row.cos[k] + a * row.sin[k];
  }
}

static void rotate_neighbours(size_t pairs, RopeRow row, float *restrict head) {
  for (size_t k = 0; k < pairs; k++) {
    const float a = head[2 * k], b = head[2 * k + 1];
    head[2 * k] = a * row.cos[k] - b * row.sin[k];
    head[2 * k + 1] = b * row.cos[k] + a * row.sin[k];
  }
}

void rope_rotate(const Rope *rope, RopeRow row, float *head) {
  const size_t pairs = rope->dims / 2;
  if (rope->pairing == ATTEND_ROPE_HALF) rotate_halves(pairs, row, head, head + pairs);
  if (rope->pairing == ATTEND_ROPE_INTERLEAVED) rotate_neighbours(pairs, row, head);
}
