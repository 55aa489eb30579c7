/* json_text.c - parses JSON objects by jansson, with limits and sentences of its own.
 *
 * Owns how a wrong value is put into words. jansson bounds the depth of nesting; the caller bounds
 * the length. Nothing here knows what a field means.
 */
#include "io/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is shown of a long string in the file (its beginning). */
#define MAX_STRING 40

/* Where an allocation fails jansson gives its code for that, or no text at all; but a string that
 * its lexer has no memory for is a token of no kind to it, the only such token that ends in a
 * quotation mark. */
static bool ran_out_of_memory(const json_error_t *problem, const char *text, size_t length) {
  if (json_error_code(problem) == json_error_out_of_memory || problem->text[0] == '\0') return true;
  const size_t end = problem->position > 0 ? (size_t)problem->position : 0;
  if (end == 0 || end > length || text[end - 1] != '"') return false;
  static const char *const of_no_kind[] = {"invalid token", "string or '}' expected"};
  for (size_t i = 0; i < sizeof of_no_kind / sizeof *of_no_kind; i++) {
    if (strncmp(problem->text, of_no_kind[i], strlen(of_no_kind[i])) == 0) return true;
  }
  return false;
}

AttendStatus json_parse_object(const FileReport *report, const char *place, const char *text,
                               size_t length, json_t **root) {
  json_error_t problem;
  json_t *const parsed =
      json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
  if (parsed == NULL) {
    if (ran_out_of_memory(&problem, text, length)) {
      return file_refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "the JSON does not fit into memory");
    }
    return file_refuse(report, ATTEND_STATUS_FILE_INVALID,
                       "not valid JSON at %d:%d (line:column): %s", problem.line, problem.column,
                       problem.text);
  }
  if (!json_is_object(parsed)) {
    char found[JSON_WORDS_SIZE];
    json_describe(parsed, found, sizeof found);
    json_decref(parsed);
    return file_refuse(report, ATTEND_STATUS_FILE_INVALID, "%s's JSON is %s; an object is expected",
                       place, found);
  }
  *root = parsed;
  return ATTEND_OK;
}

AttendStatus json_read_file(const FileReport *report, size_t limit, const char *name,
                            json_t **root) {
  char *text = NULL;
  size_t length = 0;
  AttendStatus status = file_read_whole(report, limit, name, "a JSON object", &text, &length);
  if (status != ATTEND_OK) return status;
  status = json_parse_object(report, "the file", text, length, root);
  free(text);
  return status;
}

void json_describe(const json_t *value, char *text, size_t size) {
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
    size_t shown = strnlen(string, MAX_STRING);
    /* jansson has checked that this is UTF-8: the cut must not fall inside a character. */
    while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80) shown--;
    snprintf(text, size, "the string \"%.*s%s\"", (int)shown, string,
             string[shown] == '\0' ? "" : "...");
  } else {
    snprintf(text, size, "%s", kinds[json_typeof(value)]);
  }
}
