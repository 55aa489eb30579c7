/* options.h - reading a command's arguments, and saying what is wrong with them.
 *
 * Every error is one sentence on stderr that begins with "attend: " and says what was found, where,
 * and what would be right. The parsers below print it themselves and return false, so that a
 * command only has to return EXIT_USAGE. On failure their output is as it was.
 *
 * A command sets opterr = 0, calls getopt_long() with short options that begin with ':', and hands
 * '?' and ':' to bad_option(). Codes of long options of its own start at OPTION_FIRST_OWN.
 */
#ifndef ATTEND_SRC_CLI_OPTIONS_H
#define ATTEND_SRC_CLI_OPTIONS_H

#include <getopt.h>

#include "attend/attend.h"
#include "cli/cli.h"
#include "cli/message.h"

/* Reports the option that getopt_long() returned `code` for ('?' unknown, ambiguous or given a
 * value that it does not take; ':' without its value), with the nearest name where there is one,
 * and returns EXIT_USAGE. Call it before the next getopt_long(). */
int bad_option(const char *command, int code, char **argv, const struct option *options);

/* Reports the first argument that is no option, and returns EXIT_USAGE. */
int bad_argument(const char *command, const char *argument);

/* Most items that a list on the command line may have. */
#define OPTION_LIST_MAX 64

typedef struct SizeList {
  size_t count;
  size_t items[OPTION_LIST_MAX];
} SizeList;

typedef struct PathList {
  size_t count;
  AttendPath items[OPTION_LIST_MAX];
} PathList;

typedef struct IsaList {
  size_t count;
  AttendIsa items[OPTION_LIST_MAX];
} IsaList;

typedef struct PrecisionList {
  size_t count;
  AttendPrecision items[OPTION_LIST_MAX];
} PrecisionList;

typedef struct ModelList {
  size_t count;
  AttendModel items[OPTION_LIST_MAX];
} ModelList;

/* Parsers of an option's value; `option` ("--tokens") is for the error message. Lists are separated
 * by commas, sizes are whole decimal numbers in [least, most], seconds are finite and in
 * (0, 86400]. Paths, ISAs, precisions and storages are named as attend_path_name() and its kin
 * do. */
bool parse_size(const char *option, const char *text, size_t least, size_t most, size_t *size);
bool parse_sizes(const char *option, const char *text, size_t least, size_t most, SizeList *list);
bool parse_seconds(const char *option, const char *text, double *seconds);
bool parse_path(const char *option, const char *text, AttendPath *path);
bool parse_paths(const char *option, const char *text, PathList *list);
bool parse_isa(const char *option, const char *text, AttendIsa *isa);
bool parse_precision(const char *option, const char *text, AttendPrecision *precision);
bool parse_precisions(const char *option, const char *text, PrecisionList *list);
bool parse_storage(const char *option, const char *text, AttendStorage *storage);
bool parse_isas(const char *option, const char *text, IsaList *list);

/* Append the presets named in `text`, or the model of a config.json, to the list. A file that
 * cannot be used is no error of usage: after append_config() a command returns EXIT_FAILURE. */
bool parse_models(const char *option, const char *text, ModelList *list);
bool append_config(const char *option, const char *path, ModelList *list);

/* What became of a code that was offered to take_...(). */
typedef enum OptionTaken {
  OPTION_TAKEN,   /* it is one of these options, and its value is stored */
  OPTION_REFUSED, /* it is one of these options, and its value is wrong; the sentence is printed */
  OPTION_FOREIGN, /* it is not one of these options */
} OptionTaken;

enum {
  OPTION_BLAS_CORE = 256,
  OPTION_NO_RESTART,
  OPTION_WIDTH,
  OPTION_HEADS,
  OPTION_KV_HEADS,
  OPTION_HEAD_DIM,
  OPTION_VALUE_DIM,
  OPTION_ONE_MODEL,
  OPTION_ONE_CONFIG,
  OPTION_WINDOW,
  OPTION_SOFTCAP,
  OPTION_ALIBI,
  OPTION_MASK,
  OPTION_SINKS,
  OPTION_FIRST_OWN
};

/* Options of every command that OpenBLAS has a part in: rows of its struct option table, and their
 * lines of its help. */
typedef struct CommonOptions {
  const char *blas_core; /* null: not given */
  bool no_restart;
} CommonOptions;

#define COMMON_OPTIONS                                                                             \
  {"help", no_argument, NULL, 'h'}, {"blas-core", required_argument, NULL, OPTION_BLAS_CORE}, {    \
    "no-restart", no_argument, NULL, OPTION_NO_RESTART                                             \
  }

#define COMMON_OPTIONS_HELP                                                                        \
  "  --blas-core CORE       start again under this core of OpenBLAS: best, or a name such as\n"    \
  "                         Haswell or SkylakeX\n"                                                 \
  "  --no-restart           keep a core that OpenBLAS chose below what the processor allows\n"     \
  "  -h, --help             print this text\n"

OptionTaken take_common_option(CommonOptions *common, int code, const char *value);

/* A layer given by its dimensions in place of a model. 0: not given. */
typedef struct DimensionOptions {
  size_t width, heads, kv_heads, head_dim, value_dim;
} DimensionOptions;

#define DIMENSION_OPTIONS                                                                          \
  {"d-model", required_argument, NULL, OPTION_WIDTH},                                              \
      {"heads", required_argument, NULL, OPTION_HEADS},                                            \
      {"kv-heads", required_argument, NULL, OPTION_KV_HEADS},                                      \
      {"head-dim", required_argument, NULL, OPTION_HEAD_DIM}, {                                    \
    "value-dim", required_argument, NULL, OPTION_VALUE_DIM                                         \
  }

#define DIMENSION_OPTIONS_HELP                                                                     \
  "  --d-model E            width of the model, for a layer that is no preset\n"                   \
  "  --heads HQ             query heads (default 1)\n"                                             \
  "  --kv-heads HK          key/value heads, a divisor of HQ (default HQ)\n"                       \
  "  --head-dim D           head dimension of Q and K (default E / HQ)\n"                          \
  "  --value-dim DV         head dimension of V (default D)\n"

/* Largest value of a dimension on the command line: far beyond any model, and far from overflow. */
#define DIMENSION_MAX ((size_t)1 << 20)

OptionTaken take_dimension_option(DimensionOptions *dimensions, int code, const char *value);

/* Whether any of them was given. */
bool dimensions_given(const DimensionOptions *dimensions);

/* The layer they describe, with the defaults of the help text, no biases, one layer, and a name
 * made of its sizes. False, with the sentence printed, if they do not make a layer. */
bool dimensions_model(const DimensionOptions *dimensions, AttendModel *model);

#endif
