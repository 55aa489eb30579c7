/* config_parts.h - families and fields, for the parts of the config.json reader.
 *
 * config.c owns the families, the sizes and the public calls, config_fields.c the single field,
 * config_rope.c RoPE, config_layers.c the layers that have the window.
 */
#ifndef ATTEND_SRC_IO_CONFIG_CONFIG_PARTS_H
#define ATTEND_SRC_IO_CONFIG_CONFIG_PARTS_H

#include "io/json_text.h"

/* The largest size that a field may have: the models' own code uses 32-bit integers. */
#define CONFIG_MAX_SIZE INT32_MAX

/* An object of the file: the whole file, or the value of a field. */
typedef struct ConfigObject {
  Fault *fault;
  const json_t *json;
  const char *name; /* of the field; null for the whole file */
} ConfigObject;

/* The range of a number, and the words for it in a sentence ("a number above 0"). */
typedef struct ConfigRange {
  double least, most;
  const char *words;
} ConfigRange;

/* Which layers have the sliding window if the file has no "layer_types". */
typedef enum ConfigWindow {
  CONFIG_NO_WINDOW = 0,  /* the family has none, and we ignore "layer_types" */
  CONFIG_WINDOW_ON_ALL,  /* every layer */
  CONFIG_WINDOW_ON_EVEN, /* layers 0, 2, 4, ... */
  CONFIG_WINDOW_ON_LATE, /* from "max_window_layers" on, if "use_sliding_window" is true */
} ConfigWindow;

/* How a family spells its fields (null: it has no such field), and the defaults of its own code. */
typedef struct ConfigFamily {
  const char *model_type;
  const char *width, *query_heads, *kv_heads, *head_dim, *layers;
  size_t default_kv_heads;            /* 0: query_heads */
  size_t default_head_dim;            /* 0: width / query_heads */
  const char *bias;                   /* a field that gives all four matrices a bias */
  bool default_bias;                  /* of that field */
  bool has_qkv_bias, has_output_bias; /* biases that it always has */
  bool qk_norm, sinks;
  double rope_base;                   /* "rope_theta"; 0: the family has no RoPE */
  double yarn_factor, yarn_positions; /* > 0: untruncated YaRN by default */
  ConfigWindow window_rule;
  size_t default_window;
  double default_softcap;      /* "attn_logit_softcapping"; 0: the family has no such field */
  double default_query_scalar; /* "query_pre_attn_scalar"; 0: the family has no such field */
  struct {
    const char *field;
    bool only; /* the only value that this library can run, and the default */
  } fixed[2];  /* flags that change what a layer computes */
} ConfigFamily;

/* Refuses a field. `found` is its value, null if it is missing; `expected` says what is right. */
AttendStatus config_refuse_field(const ConfigObject *object, const char *field, const json_t *found,
                                 const char *expected);

/* A field's value; null if the family has no such field or the file does not have it. In the
 * models' own code, and here, a JSON null counts as missing. */
const json_t *config_find(const ConfigObject *object, const char *field);

/* Read a field that must be there. On failure the result is untouched. */
AttendStatus config_read_size(const ConfigObject *object, const char *field, size_t least,
                              size_t most, size_t *size);
AttendStatus config_read_number(const ConfigObject *object, const char *field,
                                const ConfigRange *range, double *number);

/* Read a field that may be missing; the result is then untouched. */
AttendStatus config_read_optional_number(const ConfigObject *object, const char *field,
                                         const ConfigRange *range, double *number);
AttendStatus config_read_optional_flag(const ConfigObject *object, const char *field, bool *flag);

/* Reads the RoPE of all layers, for heads of head_dim dimensions. */
AttendStatus config_read_rope(const ConfigObject *config, const ConfigFamily *family,
                              size_t head_dim, AttendRope *rope);

/* Reads the window, and which of the model->layers layers have it. */
AttendStatus config_read_layers(const ConfigObject *config, const ConfigFamily *family,
                                AttendModel *model);

#endif
