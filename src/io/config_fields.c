/* config_fields.c - one field of a config.json: found, read, or refused in one sentence.
 *
 * A value is taken only if it has the type and the range asked for; nothing is rounded or
 * converted, except that an integer may stand where a number is asked for. The sentence of a
 * refusal names the file, the field with the object it stands in, what was found, and what is
 * expected.
 */
#include "io/config_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is shown of a long path (its end), so that any sentence fits ATTEND_FILE_ERROR_SIZE. */
#define MAX_SHOWN_PATH 192

AttendStatus config_refuse(const ConfigReport *report, AttendStatus status, const char *format,
                           ...) {
  if (report->error_size == 0) return status;

  const size_t path_length = strlen(report->path);
  const size_t hidden = path_length > MAX_SHOWN_PATH ? path_length - MAX_SHOWN_PATH : 0;
  char sentence[ATTEND_FILE_ERROR_SIZE];
  const int head =
      snprintf(sentence, sizeof sentence, "%s%s: ", hidden > 0 ? "..." : "", report->path + hidden);
  if (head < 0) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence + head, sizeof sentence - (size_t)head, format, arguments);
  va_end(arguments);

  const size_t length = strnlen(sentence, sizeof sentence - 1);
  const size_t copied = length < report->error_size ? length : report->error_size - 1;
  for (size_t i = 0; i < copied; i++) {
    const unsigned char byte = (unsigned char)sentence[i];
    report->error[i] = byte < 0x20 || byte == 0x7f ? '?' : sentence[i];
  }
  report->error[copied] = '\0';
  return status;
}

void config_describe_value(const json_t *value, char *text, size_t size) {
  static const char *const kinds[] = {
      [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",      [JSON_NULL] = "null",
  };
  if (json_is_integer(value)) {
    snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  } else if (json_is_real(value)) {
    snprintf(text, size, "the real number %g", json_real_value(value));
  } else if (json_is_string(value)) {
    const char *const string = json_string_value(value);
    size_t shown = strnlen(string, CONFIG_MAX_STRING);
    /* jansson has checked that this is UTF-8: the cut must not fall inside a character. */
    while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80) shown--;
    snprintf(text, size, "the string \"%.*s%s\"", (int)shown, string,
             string[shown] == '\0' ? "" : "...");
  } else {
    snprintf(text, size, "%s", kinds[json_typeof(value)]);
  }
}

/* "FIELD", or "OBJECT.FIELD" for a field of an object inside the file. */
static void write_name(const ConfigObject *object, const char *field, char *text, size_t size) {
  snprintf(text, size, "%s%s%s", object->name == NULL ? "" : object->name,
           object->name == NULL ? "" : ".", field);
}

AttendStatus config_refuse_field(const ConfigObject *object, const char *field, const json_t *found,
                                 const char *expected) {
  char name[96];
  write_name(object, field, name, sizeof name);
  if (found == NULL) {
    return config_refuse(object->report, ATTEND_STATUS_FILE_INVALID,
                         "field \"%s\" is missing; %s is expected", name, expected);
  }
  char text[CONFIG_VALUE_SIZE];
  config_describe_value(found, text, sizeof text);
  return config_refuse(object->report, ATTEND_STATUS_FILE_INVALID,
                       "field \"%s\" is %s; %s is expected", name, text, expected);
}

const json_t *config_find(const ConfigObject *object, const char *field) {
  const json_t *const value = field == NULL ? NULL : json_object_get(object->json, field);
  return json_is_null(value) ? NULL : value;
}

AttendStatus config_read_size(const ConfigObject *object, const char *field, size_t least,
                              size_t most, size_t *size) {
  const json_t *const value = json_object_get(object->json, field);
  if (json_is_integer(value) && json_integer_value(value) >= (json_int_t)least &&
      json_integer_value(value) <= (json_int_t)most) {
    *size = (size_t)json_integer_value(value);
    return ATTEND_OK;
  }
  char expected[64];
  snprintf(expected, sizeof expected, "an integer from %zu to %zu", least, most);
  return config_refuse_field(object, field, value, expected);
}

AttendStatus config_read_number(const ConfigObject *object, const char *field,
                                const ConfigRange *range, double *number) {
  const json_t *const value = json_object_get(object->json, field);
  if (json_is_number(value) && json_number_value(value) >= range->least &&
      json_number_value(value) <= range->most) {
    *number = json_number_value(value);
    return ATTEND_OK;
  }
  return config_refuse_field(object, field, value, range->words);
}

AttendStatus config_read_optional_number(const ConfigObject *object, const char *field,
                                         const ConfigRange *range, double *number) {
  if (config_find(object, field) == NULL) return ATTEND_OK;
  return config_read_number(object, field, range, number);
}

AttendStatus config_read_optional_flag(const ConfigObject *object, const char *field, bool *flag) {
  const json_t *const value = config_find(object, field);
  if (value == NULL) return ATTEND_OK;
  if (!json_is_boolean(value)) {
    return config_refuse_field(object, field, value, "true or false");
  }
  *flag = json_is_true(value);
  return ATTEND_OK;
}
