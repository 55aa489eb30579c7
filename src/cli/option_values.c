/* option_values.c - reads the values of options, and knows the words that they may be.
 *
 * Owns the sentences on wrong values. Numbers are read digit by digit rather than by strtoul(),
 * which takes signs, spaces and hexadecimal, and wraps "-1" to a huge size. A reader writes its
 * member only when the whole value is right. Names come from the library's tables.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/option_table.h"

int read_flag(const Option *option, const char *text, void *field) {
  (void)option;
  (void)text;
  *(bool *)field = true;
  return EXIT_SUCCESS;
}

int read_text(const Option *option, const char *text, void *field) {
  (void)option;
  *(const char **)field = text;
  return EXIT_SUCCESS;
}

int read_name(const Option *option, const char *text, void *field) {
  if (*text == '\0') return usage_error("--%s: the name is empty.", option->name);
  return read_text(option, text, field);
}

/* Reads the digits that *text begins with and moves behind them. False: there are none. What
 * overflows is SIZE_MAX with *too_large set. */
static bool read_digits(const char **text, size_t *value, bool *too_large) {
  const char *digits = *text;
  *value = 0;
  *too_large = false;
  for (; **text >= '0' && **text <= '9'; ++*text) {
    const size_t digit = (size_t)(**text - '0');
    *too_large |= *value > (SIZE_MAX - digit) / 10;
    *value = *too_large ? SIZE_MAX : *value * 10 + digit;
  }
  return *text != digits;
}

int read_size(const Option *option, const char *text, void *field) {
  const char *end = text;
  size_t value;
  bool too_large;
  if (!read_digits(&end, &value, &too_large) || *end != '\0') {
    return usage_error("--%s: \"%s\" is not a whole number; give one from %zu to %zu.",
                       option->name, text, option->least, option->most);
  }
  if (too_large || value < option->least || value > option->most) {
    return usage_error("--%s: %s is out of range; give a number from %zu to %zu.", option->name,
                       text, option->least, option->most);
  }
  *(size_t *)field = value;
  return EXIT_SUCCESS;
}

int read_bytes(const Option *option, const char *text, void *field) {
  static const struct {
    const char *name;
    unsigned shift;
  } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  const char *unit = text;
  size_t value;
  bool too_large;
  const bool number = read_digits(&unit, &value, &too_large);
  for (size_t i = 0; number && i < sizeof units / sizeof *units; i++) {
    if (strcmp(unit, units[i].name) != 0) continue;
    if (too_large || value == 0 || value > SIZE_MAX >> units[i].shift) {
      return usage_error("--%s: %s is out of range; give at least 1 and less than 2^64.",
                         option->name, text);
    }
    *(size_t *)field = value << units[i].shift;
    return EXIT_SUCCESS;
  }
  return usage_error("--%s: \"%s\" is not a number of bytes; give one such as 1000000 or 2GiB.",
                     option->name, text);
}

int read_seconds(const Option *option, const char *text, void *field) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(value) || value <= 0 || value > 86400) {
    return usage_error(
        "--%s: \"%s\" is not a time; give seconds such as 0.5, above 0 and at most 86400.",
        option->name, text);
  }
  *(double *)field = value;
  return EXIT_SUCCESS;
}

/* Moves item number `place` (from 0) of the list *text to `item`; *text is then the rest, or null
 * behind the last. `count` are in the list already. */
static int next_item(const Option *option, const char **text, size_t place, size_t count,
                     char item[ATTEND_NAME_SIZE]) {
  const size_t length = strcspn(*text, ",");
  const size_t most = option->items > 0 ? option->items : OPTION_LIST_MAX;
  if (length == 0) {
    return usage_error(
        "--%s: item %zu of the list is empty; separate items by one comma, as in a,b,c.",
        option->name, place + 1);
  }
  if (length >= ATTEND_NAME_SIZE) {
    return usage_error("--%s: item %zu of the list is longer than %d characters.", option->name,
                       place + 1, ATTEND_NAME_SIZE - 1);
  }
  if (count == most && most == 1) {
    return usage_error("--%s: several values are given; give one.", option->name);
  }
  if (count == most) {
    return usage_error("--%s: the list has more than %zu items; give fewer.", option->name, most);
  }
  memcpy(item, *text, length);
  item[length] = '\0';
  *text = (*text)[length] == ',' ? *text + length + 1 : NULL;
  return EXIT_SUCCESS;
}

int read_sizes(const Option *option, const char *text, void *field) {
  char item[ATTEND_NAME_SIZE];
  SizeList list = {0};
  while (text != NULL) {
    int status = next_item(option, &text, list.count, list.count, item);
    if (status == EXIT_SUCCESS) status = read_size(option, item, &list.items[list.count]);
    if (status != EXIT_SUCCESS) return status;
    list.count++;
  }
  *(SizeList *)field = list;
  return EXIT_SUCCESS;
}

int choices_find(const Choices *choices, const char *name) {
  for (int value = 0; value < choices->count; value++) {
    const char *const known = choices->name(value);
    if (known != NULL && strcmp(known, name) == 0) return value;
  }
  return -1;
}

void choices_list(const Choices *choices, const char *last_separator, char *text, size_t size) {
  size_t used = 0;
  int last = choices->count - 1;
  while (last >= 0 && choices->name(last) == NULL) last--;
  text[0] = '\0';
  for (int value = 0; value <= last && used < size; value++) {
    if (choices->name(value) == NULL) continue;
    const char *const separator = used == 0 ? "" : value == last ? last_separator : ", ";
    used += (size_t)snprintf(text + used, size - used, "%s%s", separator, choices->name(value));
  }
}

static int read_value(const Option *option, const char *text, int *value) {
  char names[256];
  *value = choices_find(option->choices, text);
  if (*value >= 0) return EXIT_SUCCESS;
  choices_list(option->choices, " or ", names, sizeof names);
  return usage_error("--%s: there is no %s \"%s\"; give %s.", option->name, option->choices->noun,
                     text, names);
}

int read_choice(const Option *option, const char *text, void *field) {
  int value;
  const int status = read_value(option, text, &value);
  /* The member is an enum of any kind. */
  if (status == EXIT_SUCCESS) memcpy(field, &value, sizeof value);
  return status;
}

int read_choices(const Option *option, const char *text, void *field) {
  char item[ATTEND_NAME_SIZE];
  ChoiceList list = {0};
  while (text != NULL) {
    int value, status = next_item(option, &text, list.count, list.count, item);
    if (status == EXIT_SUCCESS) status = read_value(option, item, &value);
    if (status != EXIT_SUCCESS) return status;
    for (size_t i = 0; i < list.count; i++) {
      if (list.items[i] == value) {
        return usage_error("--%s: \"%s\" is there twice; give each once.", option->name, item);
      }
    }
    list.items[list.count++] = value;
  }
  *(ChoiceList *)field = list;
  return EXIT_SUCCESS;
}

static const char *model_name_at(const void *context, size_t index) {
  (void)context;
  const AttendModel *model = attend_model_at(index);
  return model != NULL ? model->name : NULL;
}

static int find_model(const Option *option, const char *name, const AttendModel **model) {
  *model = attend_find_model(name);
  if (*model != NULL) return EXIT_SUCCESS;
  const char *const nearest = nearest_name(name, model_name_at, NULL);
  if (nearest != NULL) {
    return usage_error("--%s: there is no model \"%s\"; did you mean %s?", option->name, name,
                       nearest);
  }
  return usage_error("--%s: there is no model \"%s\"; attend info --models lists them.",
                     option->name, name);
}

int read_model(const Option *option, const char *text, void *field) {
  const AttendModel **const chosen = field, *model;
  if (*chosen != NULL || strchr(text, ',') != NULL) {
    return usage_error("--%s: more than one model is given; give one model at a time.",
                       option->name);
  }
  const int status = find_model(option, text, &model);
  if (status == EXIT_SUCCESS) *chosen = model;
  return status;
}

int read_models(const Option *option, const char *text, void *field) {
  char item[ATTEND_NAME_SIZE];
  ModelList *const models = field, list = *models;
  for (size_t place = 0; text != NULL; place++) {
    const AttendModel *model;
    int status = next_item(option, &text, place, list.count, item);
    if (status == EXIT_SUCCESS) status = find_model(option, item, &model);
    if (status != EXIT_SUCCESS) return status;
    list.items[list.count++] = *model;
  }
  *models = list;
  return EXIT_SUCCESS;
}

static const char *any_path_name(int value) {
  return attend_path_name((AttendPath)value);
}

static const char *path_name(int value) {
  return value != ATTEND_PATH_AUTO ? attend_path_name((AttendPath)value) : NULL;
}

static const char *isa_name(int value) {
  return attend_isa_name((AttendIsa)value);
}

static const char *precision_name(int value) {
  return attend_precision_name((AttendPrecision)value);
}

static const char *storage_name(int value) {
  return attend_storage_name((AttendStorage)value);
}

static const char *model_name(int value) {
  return model_name_at(NULL, (size_t)value);
}

const Choices any_path_choices = {"path", any_path_name, .count = ATTEND_PATH_COUNT};
const Choices path_choices = {"path", path_name, .count = ATTEND_PATH_COUNT};
const Choices isa_choices = {"instruction set", isa_name, .count = ATTEND_ISA_COUNT};
const Choices precision_choices = {"precision", precision_name, .count = ATTEND_PRECISION_COUNT};
const Choices storage_choices = {"storage", storage_name, .count = ATTEND_STORAGE_COUNT};
const Choices model_choices = {"model", model_name, .count = 256};

bool isa_is_usable(AttendIsa isa) {
  AttendMachine machine;
  attend_describe_machine(&machine);
  if (isa == ATTEND_ISA_AUTO || machine.isa_usable[isa]) return true;
  usage_error("--isa: %s is not usable here, because %s; the widest that is usable is %s.",
              attend_isa_name(isa),
              machine.isa_built[isa] ? "the processor or the operating system does not allow it"
                                     : "its kernels are not in this build",
              attend_isa_name(machine.isa_best));
  return false;
}

static const char *core_name(int value) {
  static const char *const names[] = {"best", "SkylakeX", "Haswell", "Zen"};
  return names[value];
}

static const Choices cores = {"core", core_name, .count = 4};

#define OPTIONS CommonOptions
const Option common_options[] = {
    {HEADING("Other")},
    {"blas-core", "CORE", NAME(blas_core), .choices = &cores,
     .help = "start again under this core of OpenBLAS: best, or a name such as Haswell or "
             "SkylakeX"},
    {"no-restart", NULL, FLAG(no_restart),
     .help = "keep a core that OpenBLAS chose below what the processor allows"},
    {0},
};
