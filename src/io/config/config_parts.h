/* config_parts.h - what the parts of the config.json reader share: where a field stands, what a
 * family does where the file is silent, and how a field is read or refused.
 *
 * config.c owns the families, the sizes and the call; config_fields.c the single field;
 * config_rope.c RoPE; config_layers.c which layer has the window. A function that
 * fails has written the sentence, and returns a status that the caller passes on.
 */
#ifndef ATTEND_SRC_IO_CONFIG_CONFIG_PARTS_H
#define ATTEND_SRC_IO_CONFIG_CONFIG_PARTS_H

#include "io/json_text.h"

/* The largest size that a field may state: whatever fits the models' own 32-bit integers. */
#define CONFIG_MAX_SIZE INT32_MAX

/* An object of the file: the whole, or the value of the field that is named. */
typedef struct ConfigObject {
  Fault *fault;
  const json_t *json;
  const char *name; /* null for the whole */
} ConfigObject;

/* Numbers that a field may have, and how a sentence says so ("a number above 0"). */
typedef struct ConfigRange {
  double least, most;
  const char *words;
} ConfigRange;

/* Which layers have the sliding window where the file has no "layer_types". */
typedef enum ConfigWindow {
  CONFIG_NO_WINDOW = 0,  /* the family has none, and "layer_types" is not looked at */
  CONFIG_WINDOW_ON_ALL,  /* every layer */
  CONFIG_WINDOW_ON_EVEN, /* layers 0, 2, 4, ... */
  CONFIG_WINDOW_ON_LATE, /* from "max_window_layers" on, if "use_sliding_window" is true */
} ConfigWindow;

/* How a family spells its fields (null where it has none), and what its own code does where the
 * file says nothing. */
typedef struct ConfigFamily {
  const char *model_type;
  const char *width, *query_heads, *kv_heads, *head_dim, *layers;
  size_t default_kv_heads;            /* 0: query_heads */
  size_t default_head_dim;            /* 0: width / query_heads */
  const char *bias;                   /* a field that gives all four matrices a bias */
  bool default_bias;                  /* of that field */
  bool has_qkv_bias, has_output_bias; /* biases that its code has whatever the file says */
  bool qk_norm, sinks;
  double rope_base;                   /* "rope_theta"; 0: the family has no RoPE */
  double yarn_factor, yarn_positions; /* if > 0: untruncated YaRN where the file has no scaling */
  ConfigWindow window_rule;
  size_t default_window;
  double default_softcap;      /* "attn_logit_softcapping"; 0: the family has no such field */
  double default_query_scalar; /* "query_pre_attn_scalar"; 0: the family has no such field */
  struct {
    const char *field;
    bool only; /* the one value that this library can run, and the one that is meant if left out */
  } fixed[2];  /* flags that would change what a layer computes */
} ConfigFamily;

/* Refuses a field, with what was found in its place (null: nothing) and what would be right. */
AttendStatus config_refuse_field(const ConfigObject *object, const char *field, const json_t *found,
                                 const char *expected);

/* A field's value; null if the family has no such field or the file leaves it out. A JSON null
 * counts as left out, as it does in the models' own code. */
const json_t *config_find(const ConfigObject *object, const char *field);

/* Read a field that must be there; leave the result alone on failure. */
AttendStatus config_read_size(const ConfigObject *object, const char *field, size_t least,
                              size_t most, size_t *size);
AttendStatus config_read_number(const ConfigObject *object, const char *field,
                                const ConfigRange *range, double *number);

/* Read a field that may be left out: *result then stays as it is. */
AttendStatus config_read_optional_number(const ConfigObject *object, const char *field,
                                         const ConfigRange *range, double *number);
AttendStatus config_read_optional_flag(const ConfigObject *object, const char *field, bool *flag);

/* RoPE of all layers, for heads of head_dim dimensions. */
AttendStatus config_read_rope(const ConfigObject *config, const ConfigFamily *family,
                              size_t head_dim, AttendRope *rope);

/* The window, and which of model->layers layers have it. */
AttendStatus config_read_layers(const ConfigObject *config, const ConfigFamily *family,
                                AttendModel *model);

#endif
