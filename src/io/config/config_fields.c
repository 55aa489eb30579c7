/* config_fields.c - finds, reads or refuses one field of a config.json.
 *
 * A value must have the type and the range that the caller asks for. We round and convert nothing,
 * except that an integer is also a number. The sentence of a refusal names the file, the field and
 * its object, the value found, and the value expected.
 */
#include "io/config/config_parts.h"

#include <stdio.h>
#include <string.h>

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
    return fault_set(object->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"%s\" is missing; %s is expected", name, expected);
  }
  char text[JSON_WORDS_SIZE];
  json_describe(found, text, sizeof text);
  return fault_set(object->fault, ATTEND_STATUS_FILE_INVALID, "field \"%s\" is %s; %s is expected",
                   name, text, expected);
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
