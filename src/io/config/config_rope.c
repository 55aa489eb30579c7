/* config_rope.c - reads RoPE from a config.json.
 *
 * There are two generations of files: "rope_theta" beside a "rope_scaling" object, and a
 * "rope_parameters" object that holds the base too. Missing fields get the defaults of the models'
 * own code.
 *
 * Refuses types whose frequencies depend on the length of the sequence ("dynamic", "longrope"), and
 * types that it does not know: with the wrong RoPE a layer's results merely look right.
 */
#include "io/config/config_parts.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const ConfigRange above_zero = {DBL_MIN, DBL_MAX, "a number above 0"};
static const ConfigRange from_zero = {0, DBL_MAX, "a number of at least 0"};
static const ConfigRange from_one = {1, DBL_MAX, "a number of at least 1"};
static const ConfigRange share = {DBL_MIN, 1, "a number above 0 and at most 1"};

/* Finds the object with the settings of RoPE. Its json is null if the file has none. */
static AttendStatus find_settings(const ConfigObject *config, ConfigObject *settings) {
  static const char *const spellings[] = {"rope_scaling", "rope_parameters"};
  *settings = (ConfigObject){.fault = config->fault};
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
    const json_t *const value = config_find(config, spellings[i]);
    if (value == NULL) continue;
    if (!json_is_object(value)) {
      return config_refuse_field(config, spellings[i], value, "an object or null");
    }
    if (settings->json != NULL && !json_equal(settings->json, value)) {
      return fault_set(config->fault, ATTEND_STATUS_FILE_INVALID,
                       "fields \"%s\" and \"%s\" differ; one of them is expected", settings->name,
                       spellings[i]);
    }
    settings->json = value;
    settings->name = spellings[i];
  }
  return ATTEND_OK;
}

/* Newer files may give each kind of layer an object of its own; an AttendModel has one RoPE. */
static AttendStatus refuse_several(const ConfigObject *settings) {
  static const char *const kinds[] = {"full_attention", "sliding_attention"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    const json_t *const value = json_object_get(settings->json, kinds[i]);
    if (value != NULL) {
      return config_refuse_field(settings, kinds[i], value, "one setting for all layers");
    }
  }
  return ATTEND_OK;
}

/* Reads a number that may stand in the file, in the settings, or in both if they agree. */
static AttendStatus read_shared(const ConfigObject *config, const ConfigObject *settings,
                                const char *field, const ConfigRange *range, double *number) {
  AttendStatus status = config_read_optional_number(config, field, range, number);
  if (status != ATTEND_OK || config_find(settings, field) == NULL) return status;
  double inner = 0;
  status = config_read_number(settings, field, range, &inner);
  if (status != ATTEND_OK) return status;
  if (config_find(config, field) != NULL && inner != *number) {
    return fault_set(config->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"%s.%s\" is %g; the same as \"%s\" (%g) is expected", settings->name,
                     field, inner, field, *number);
  }
  *number = inner;
  return ATTEND_OK;
}

/* RoPE rotates pairs, so the part of the head that it rotates must have an even number of
 * dimensions. */
static AttendStatus read_dims(const ConfigObject *config, const ConfigObject *settings,
                              size_t head_dim, size_t *dims) {
  double part = 1;
  if (read_shared(config, settings, "partial_rotary_factor", &share, &part)) {
    return settings->fault->status;
  }
  const size_t rotated = (size_t)((double)head_dim * part);
  if (rotated < 2 || rotated % 2 != 0) {
    return fault_set(config->fault, ATTEND_STATUS_FILE_INVALID,
                     "RoPE rotates %zu of the %zu dimensions of a head (\"partial_rotary_factor\" "
                     "%g); an even number from 2 on is expected",
                     rotated, head_dim, part);
  }
  *dims = rotated == head_dim ? 0 : rotated;
  return ATTEND_OK;
}

static AttendStatus read_linear(const ConfigObject *config, const ConfigObject *settings,
                                AttendRope *rope) {
  (void)config;
  return config_read_number(settings, "factor", &from_one, &rope->factor);
}

/* In the models' own code a 0 counts as missing here. */
static AttendStatus read_beta(const ConfigObject *settings, const char *field, double *beta) {
  double stated = 0;
  const AttendStatus status = config_read_optional_number(settings, field, &from_zero, &stated);
  if (stated > 0) *beta = stated;
  return status;
}

/* cos and sin are multiplied by "attention_factor". If it is missing, "mscale" and "mscale_all_dim"
 * give it together; one of them alone has no effect. */
static AttendStatus read_attention_factor(const ConfigObject *settings, AttendRope *rope) {
  double own = 0, all = 0;
  AttendStatus status = config_read_optional_number(settings, "mscale", &from_zero, &own);
  if (status == ATTEND_OK) {
    status = config_read_optional_number(settings, "mscale_all_dim", &from_zero, &all);
  }
  if (own > 0 && all > 0) {
    const double growth = 0.1 * log(rope->factor);
    rope->attention_factor = (own * growth + 1) / (all * growth + 1);
  }
  if (status != ATTEND_OK) return status;
  return config_read_optional_number(settings, "attention_factor", &above_zero,
                                     &rope->attention_factor);
}

static AttendStatus read_yarn(const ConfigObject *config, const ConfigObject *settings,
                              AttendRope *rope) {
  static const char positions[] = "original_max_position_embeddings";
  AttendStatus status = config_read_number(settings, "factor", &from_one, &rope->factor);
  if (status != ATTEND_OK) return status;
  if (config_find(settings, positions) == NULL &&
      config_find(config, "max_position_embeddings") != NULL) {
    status =
        config_read_number(config, "max_position_embeddings", &from_one, &rope->original_positions);
  } else {
    status = config_read_number(settings, positions, &from_one, &rope->original_positions);
  }
  bool truncated = true;
  if (status == ATTEND_OK) status = read_beta(settings, "beta_fast", &rope->beta_fast);
  if (status == ATTEND_OK) status = read_beta(settings, "beta_slow", &rope->beta_slow);
  if (status == ATTEND_OK) status = read_attention_factor(settings, rope);
  if (status == ATTEND_OK) status = config_read_optional_flag(settings, "truncate", &truncated);
  if (status != ATTEND_OK) return status;
  rope->untruncated = !truncated;
  if (rope->base <= 1) {
    return fault_set(settings->fault, ATTEND_STATUS_FILE_INVALID,
                     "the base \"rope_theta\" is %g; more than 1 is expected for \"yarn\"",
                     rope->base);
  }
  if (rope->beta_fast < rope->beta_slow) {
    return fault_set(settings->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"%s.beta_fast\" is %g; at least \"beta_slow\" (%g) is expected",
                     settings->name, rope->beta_fast, rope->beta_slow);
  }
  return ATTEND_OK;
}

static AttendStatus read_llama3(const ConfigObject *config, const ConfigObject *settings,
                                AttendRope *rope) {
  (void)config;
  const struct {
    const char *field;
    const ConfigRange *range;
    double *number;
  } fields[] = {
      {"factor", &from_one, &rope->factor},
      {"original_max_position_embeddings", &from_one, &rope->original_positions},
      {"low_freq_factor", &above_zero, &rope->low_frequency_factor},
      {"high_freq_factor", &above_zero, &rope->high_frequency_factor},
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (config_read_number(settings, fields[i].field, fields[i].range, fields[i].number)) {
      return settings->fault->status;
    }
  }
  if (rope->high_frequency_factor <= rope->low_frequency_factor) {
    return fault_set(settings->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"%s.high_freq_factor\" is %g; more than \"low_freq_factor\" (%g) "
                     "is expected",
                     settings->name, rope->high_frequency_factor, rope->low_frequency_factor);
  }
  return ATTEND_OK;
}

/* Reads the type, which has two spellings, and its settings. A base without a factor needs no
 * type. */
static AttendStatus read_scaling(const ConfigObject *config, const ConfigObject *settings,
                                 AttendRope *rope) {
  static const struct {
    const char *name;
    AttendRopeScaling scaling;
    AttendStatus (*read)(const ConfigObject *config, const ConfigObject *settings,
                         AttendRope *rope);
  } types[] = {
      {"default", ATTEND_ROPE_UNSCALED, NULL},
      {"linear", ATTEND_ROPE_LINEAR, read_linear},
      {"yarn", ATTEND_ROPE_YARN, read_yarn},
      {"llama3", ATTEND_ROPE_LLAMA3, read_llama3},
  };
  const char *const field =
      config_find(settings, "rope_type") == NULL && config_find(settings, "type") != NULL
          ? "type"
          : "rope_type";
  const json_t *const type = config_find(settings, field);
  if (type == NULL && config_find(settings, "factor") == NULL) return ATTEND_OK;
  for (size_t i = 0; json_is_string(type) && i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(json_string_value(type), types[i].name) != 0) continue;
    rope->scaling = types[i].scaling;
    return types[i].read == NULL ? ATTEND_OK : types[i].read(config, settings, rope);
  }
  return config_refuse_field(settings, field, type,
                             "one of \"default\", \"linear\", \"yarn\", \"llama3\"");
}

AttendStatus config_read_rope(const ConfigObject *config, const ConfigFamily *family,
                              size_t head_dim, AttendRope *rope) {
  attend_default_rope(rope);
  if (family->rope_base == 0) return ATTEND_OK;

  rope->pairing = ATTEND_ROPE_HALF;
  rope->base = family->rope_base;
  ConfigObject settings;
  AttendStatus status = find_settings(config, &settings);
  if (status == ATTEND_OK) status = refuse_several(&settings);
  if (status == ATTEND_OK) {
    status = read_shared(config, &settings, "rope_theta", &above_zero, &rope->base);
  }
  if (status == ATTEND_OK) status = read_dims(config, &settings, head_dim, &rope->dims);
  if (status != ATTEND_OK) return status;

  if (settings.json != NULL) return read_scaling(config, &settings, rope);
  if (family->yarn_factor > 0) {
    rope->scaling = ATTEND_ROPE_YARN;
    rope->factor = family->yarn_factor;
    rope->original_positions = family->yarn_positions;
    rope->untruncated = true;
  }
  return ATTEND_OK;
}
