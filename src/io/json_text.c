/* json_text.c - parses JSON objects by jansson, with limits and sentences of its own.
 *
 * Owns the words for a wrong value. jansson bounds the depth of nesting; the caller bounds the
 * length. Nothing here knows what a field means.
 */
#include "io/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of a long string that are shown: its beginning. */
#define MAX_STRING 40

/* When an allocation fails, jansson gives its code for that or no text at all. There is one more
 * case: if its lexer has no memory for a string, it reports an invalid token, and no other invalid
 * token ends in a quotation mark. */
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

AttendStatus json_parse_object(const char *part, const char *text, size_t length, json_t **root,
                               Fault *fault) {
  json_error_t problem;
  json_t *const parsed =
      json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
  if (parsed == NULL) {
    if (ran_out_of_memory(&problem, text, length)) {
      return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "the JSON does not fit into memory");
    }
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID, "not valid JSON at %d:%d (line:column): %s",
                     problem.line, problem.column, problem.text);
  }
  if (!json_is_object(parsed)) {
    char found[JSON_WORDS_SIZE];
    json_describe(parsed, found, sizeof found);
    json_decref(parsed);
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID, "%s's JSON is %s; an object is expected",
                     part, found);
  }
  *root = parsed;
  return ATTEND_OK;
}

static AttendStatus read_all(const OpenFile *file, char **data, Fault *fault) {
  char *const buffer = malloc(file->bytes);
  if (buffer == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                     file->bytes);
  }
  const AttendStatus status = file_read_at(file, 0, buffer, file->bytes, fault);
  if (status != ATTEND_OK) {
    free(buffer);
    return status;
  }
  *data = buffer;
  return ATTEND_OK;
}

/* Reads a whole file of 1 to limit bytes. The caller frees *data. */
static AttendStatus read_whole(const char *path, size_t limit, const char *name, char **data,
                               size_t *bytes, Fault *fault) {
  OpenFile file = {-1, 0};
  AttendStatus status = file_open(path, &file, fault);
  if (status != ATTEND_OK) return status;
  if (file.bytes == 0) {
    status = fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                       "the file is empty; a JSON object is expected");
  } else if (file.bytes > limit) {
    status =
        fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                  "the file has %zu bytes; %s of at most %zu is expected", file.bytes, name, limit);
  } else {
    status = read_all(&file, data, fault);
  }
  close(file.descriptor);
  *bytes = file.bytes;
  return status;
}

AttendStatus json_read_file(const char *path, size_t limit, const char *name, json_t **root,
                            Fault *fault) {
  char *text = NULL;
  size_t length = 0;
  if (read_whole(path, limit, name, &text, &length, fault)) return fault->status;
  const AttendStatus status = json_parse_object("the file", text, length, root, fault);
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
    /* jansson has checked that this is UTF-8. Do not cut inside a character. */
    while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80) shown--;
    snprintf(text, size, "the string \"%.*s%s\"", (int)shown, string,
             string[shown] == '\0' ? "" : "...");
  } else {
    snprintf(text, size, "%s", kinds[json_typeof(value)]);
  }
}
