/* options.c - reading a command's arguments, and saying what is wrong with them.
 *
 * Owns the wording of usage errors. Numbers are read digit by digit rather than by strtoul(), which
 * takes signs, spaces and hexadecimal, and wraps "-1" to a huge size. A parser writes its output
 * only when the whole value is right. Refuses to guess: a near name is suggested, never taken.
 */
#include "cli/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "attend/io.h"

static const char *option_name_at(const void *context, size_t index) {
  const struct option *options = context;
  return options[index].name;
}

static bool has_code(const struct option *options, int code) {
  for (; options->name != NULL; options++) {
    if (options->val == code) return true;
  }
  return false;
}

static size_t count_abbreviated(const struct option *options, const char *name) {
  size_t count = 0;
  for (; options->name != NULL; options++) count += strncmp(options->name, name, strlen(name)) == 0;
  return count;
}

static int unknown_long_option(const char *command, const char *argument,
                               const struct option *options) {
  char name[ATTEND_NAME_SIZE];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
  if (count_abbreviated(options, name) > 1) {
    return usage_error("%s: --%s is the beginning of more than one option; write it out.", command,
                       name);
  }
  const char *nearest = nearest_name(name, option_name_at, options);
  if (nearest != NULL) {
    return usage_error("%s: there is no option --%s; did you mean --%s?", command, name, nearest);
  }
  return usage_error("%s: there is no option --%s; attend %s --help lists them.", command, name,
                     command);
}

int bad_option(const char *command, int code, char **argv, const struct option *options) {
  const char *argument = argv[optind - 1];
  if (code == ':' && strncmp(argument, "--", 2) == 0) {
    return usage_error("%s: %s needs a value.", command, argument);
  }
  if (code == ':') return usage_error("%s: -%c needs a value.", command, optopt);
  if (optopt == 0) return unknown_long_option(command, argument, options);
  if (has_code(options, optopt)) {
    return usage_error("%s: %.*s takes no value.", command, (int)strcspn(argument, "="), argument);
  }
  return usage_error("%s: there is no option -%c; attend %s --help lists them.", command, optopt,
                     command);
}

int bad_argument(const char *command, const char *argument) {
  return usage_error("%s: \"%s\" is not an option; attend %s --help lists them.", command, argument,
                     command);
}

/* Reads a run of digits. False with *too_large unset if it is none, set if it overflows. */
static bool read_digits(const char *text, size_t *value, bool *too_large) {
  size_t sum = 0;
  *too_large = false;
  if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') return false;
  for (; *text != '\0'; text++) {
    const size_t digit = (size_t)(*text - '0');
    if (sum > (SIZE_MAX - digit) / 10) {
      *too_large = true;
      return false;
    }
    sum = sum * 10 + digit;
  }
  *value = sum;
  return true;
}

bool parse_size(const char *option, const char *text, size_t least, size_t most, size_t *size) {
  size_t value = 0;
  bool too_large = false;
  if (!read_digits(text, &value, &too_large) && !too_large) {
    usage_error("%s: \"%s\" is not a whole number; give one from %zu to %zu.", option, text, least,
                most);
    return false;
  }
  if (too_large || value < least || value > most) {
    usage_error("%s: %s is out of range; give a number from %zu to %zu.", option, text, least,
                most);
    return false;
  }
  *size = value;
  return true;
}

bool parse_seconds(const char *option, const char *text, double *seconds) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(value) || value <= 0 || value > 86400) {
    usage_error("%s: \"%s\" is not a time; give seconds such as 0.5, above 0 and at most 86400.",
                option, text);
    return false;
  }
  *seconds = value;
  return true;
}

/* Calls append(option, item, list) for each item of a list that already has `count` items, as long
 * as it returns true. False, with the sentence printed, for an empty or overlong item and for a
 * list that grows beyond OPTION_LIST_MAX. */
static bool read_list(const char *option, const char *text, size_t count,
                      bool (*append)(const char *option, const char *item, void *list),
                      void *list) {
  for (size_t place = 1;; place++) {
    char item[ATTEND_NAME_SIZE];
    const size_t length = strcspn(text, ",");
    if (length == 0) {
      usage_error("%s: item %zu of the list is empty; separate items by one comma, as in a,b,c.",
                  option, place);
      return false;
    }
    if (length >= sizeof item) {
      usage_error("%s: item %zu of the list is longer than %zu characters.", option, place,
                  sizeof item - 1);
      return false;
    }
    if (count + place > OPTION_LIST_MAX) {
      usage_error("%s: the list has more than %d items.", option, OPTION_LIST_MAX);
      return false;
    }
    memcpy(item, text, length);
    item[length] = '\0';
    if (!append(option, item, list)) return false;
    text += length;
    if (*text == '\0') return true;
    text++;
  }
}

typedef struct BoundedSizes {
  size_t least, most;
  SizeList list;
} BoundedSizes;

static bool append_size(const char *option, const char *item, void *context) {
  BoundedSizes *sizes = context;
  if (!parse_size(option, item, sizes->least, sizes->most, &sizes->list.items[sizes->list.count])) {
    return false;
  }
  sizes->list.count++;
  return true;
}

bool parse_sizes(const char *option, const char *text, size_t least, size_t most, SizeList *list) {
  BoundedSizes sizes = {.least = least, .most = most};
  if (!read_list(option, text, 0, append_size, &sizes)) return false;
  *list = sizes.list;
  return true;
}

static const char *model_name_at(const void *context, size_t index) {
  (void)context;
  const AttendModel *model = attend_model_at(index);
  return model != NULL ? model->name : NULL;
}

bool parse_path(const char *option, const char *text, AttendPath *path) {
  if (attend_find_path(text, path)) return true;
  usage_error("%s: there is no path \"%s\"; the paths are tiled, blas, naive and auto.", option,
              text);
  return false;
}

bool parse_isa(const char *option, const char *text, AttendIsa *isa) {
  if (attend_find_isa(text, isa)) return true;
  usage_error("%s: there is no instruction set \"%s\"; they are scalar, avx2, avx512, "
              "avx512bf16, amx and auto.",
              option, text);
  return false;
}

bool parse_precision(const char *option, const char *text, AttendPrecision *precision) {
  if (attend_find_precision(text, precision)) return true;
  usage_error("%s: there is no precision \"%s\"; they are fp32, bf16x6, bf16x3 and bf16.", option,
              text);
  return false;
}

bool parse_storage(const char *option, const char *text, AttendStorage *storage) {
  if (attend_find_storage(text, storage)) return true;
  usage_error("%s: there is no storage \"%s\"; they are fp32, bf16, bf16x2, bf16x3, fp16 and auto.",
              option, text);
  return false;
}

static bool append_path(const char *option, const char *item, void *context) {
  PathList *list = context;
  if (!parse_path(option, item, &list->items[list->count])) return false;
  list->count++;
  return true;
}

bool parse_paths(const char *option, const char *text, PathList *list) {
  PathList paths = {0};
  if (!read_list(option, text, 0, append_path, &paths)) return false;
  *list = paths;
  return true;
}

static bool append_precision(const char *option, const char *item, void *context) {
  PrecisionList *list = context;
  if (!parse_precision(option, item, &list->items[list->count])) return false;
  list->count++;
  return true;
}

bool parse_precisions(const char *option, const char *text, PrecisionList *list) {
  PrecisionList precisions = {0};
  if (!read_list(option, text, 0, append_precision, &precisions)) return false;
  *list = precisions;
  return true;
}

static bool append_isa(const char *option, const char *item, void *context) {
  IsaList *list = context;
  if (!parse_isa(option, item, &list->items[list->count])) return false;
  list->count++;
  return true;
}

bool parse_isas(const char *option, const char *text, IsaList *list) {
  IsaList isas = {0};
  if (!read_list(option, text, 0, append_isa, &isas)) return false;
  *list = isas;
  return true;
}

static bool append_model(const char *option, const char *item, void *context) {
  ModelList *list = context;
  const AttendModel *model = attend_find_model(item);
  if (model != NULL) {
    list->items[list->count++] = *model;
    return true;
  }
  const char *nearest = nearest_name(item, model_name_at, NULL);
  if (nearest != NULL) {
    usage_error("%s: there is no model \"%s\"; did you mean %s?", option, item, nearest);
  } else {
    usage_error("%s: there is no model \"%s\"; attend info --models lists them.", option, item);
  }
  return false;
}

bool parse_models(const char *option, const char *text, ModelList *list) {
  ModelList models = *list;
  if (!read_list(option, text, list->count, append_model, &models)) return false;
  *list = models;
  return true;
}

bool append_config(const char *option, const char *path, ModelList *list) {
  char error[ATTEND_FILE_ERROR_SIZE];
  if (list->count == OPTION_LIST_MAX) {
    usage_error("%s: there are more than %d models.", option, OPTION_LIST_MAX);
    return false;
  }
  if (attend_read_config(path, &list->items[list->count], error, sizeof error) != ATTEND_OK) {
    failure("%s: %s", option, error);
    return false;
  }
  list->count++;
  return true;
}

OptionTaken take_common_option(CommonOptions *common, int code, const char *value) {
  switch (code) {
  case OPTION_BLAS_CORE:
    if (*value == '\0') {
      usage_error("--blas-core: the name is empty; give best, or a name such as Haswell.");
      return OPTION_REFUSED;
    }
    common->blas_core = value;
    return OPTION_TAKEN;
  case OPTION_NO_RESTART:
    common->no_restart = true;
    return OPTION_TAKEN;
  default:
    return OPTION_FOREIGN;
  }
}
