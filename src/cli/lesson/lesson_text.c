/* lesson_text.c - a lesson file from the file system to a parsed JSON object.
 *
 * Checks the kind and size of the open descriptor and the depth of brackets before anything is
 * parsed, so that neither a gigabyte nor a tower of brackets costs memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lesson/lesson_reader.h"
#include "cli/util/utf8.h"

/* Bytes shown of a long path (its end) and of a long string (its beginning). */
#define SHOWN_PATH 256
#define SHOWN_STRING 40

bool lesson_refuse(const LessonReport *report, const char *format, ...) {
  const size_t length = strlen(report->path);
  const size_t hidden = length > SHOWN_PATH ? length - SHOWN_PATH : 0;
  const int head = snprintf(report->error, LESSON_FILE_ERROR_SIZE,
                            "%s%s: ", hidden > 0 ? "..." : "", report->path + hidden);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(report->error + head, LESSON_FILE_ERROR_SIZE - (size_t)head, format, arguments);
  va_end(arguments);
  for (char *c = report->error; *c != '\0'; c++) memset(c, '?', utf8_control_bytes(c));
  return false;
}

LessonValue lesson_describe(const json_t *value) {
  static const char *const kinds[] = {
      [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",      [JSON_NULL] = "null",
  };
  LessonValue words;
  if (json_is_number(value)) {
    snprintf(words.text, sizeof words.text, "%.10g", json_number_value(value));
  } else if (json_is_string(value)) {
    const char *const string = json_string_value(value);
    size_t shown = strnlen(string, SHOWN_STRING);
    /* The cut must not fall inside a character of UTF-8. */
    while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80) shown--;
    snprintf(words.text, sizeof words.text, "the string \"%.*s%s\"", (int)shown, string,
             string[shown] == '\0' ? "" : "...");
  } else {
    snprintf(words.text, sizeof words.text, "%s", kinds[json_typeof(value)]);
  }
  return words;
}

/* Checks that the open file can be read whole. */
static bool check_file(const LessonReport *report, int file, size_t *bytes) {
  struct stat facts;
  if (fstat(file, &facts) != 0) {
    return lesson_refuse(report, "the file cannot be examined: %s", strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) {
    return lesson_refuse(report, "this is %s; a regular file is expected",
                         S_ISDIR(facts.st_mode) ? "a directory" : "a device, pipe or socket");
  }
  if (facts.st_size == 0) {
    return lesson_refuse(report, "the file is empty; a JSON object is expected");
  }
  if ((unsigned long long)facts.st_size > LESSON_FILE_BYTES) {
    return lesson_refuse(report,
                         "the file has %lld bytes; at most %zu are read, and larger arrays can be "
                         "given as .npy files",
                         (long long)facts.st_size, LESSON_FILE_BYTES);
  }
  *bytes = (size_t)facts.st_size;
  return true;
}

static bool read_bytes(const LessonReport *report, int file, char *text, size_t bytes,
                       size_t *length) {
  *length = 0;
  while (*length < bytes) {
    const ssize_t got = read(file, text + *length, bytes - *length);
    if (got == 0) break;
    if (got > 0) {
      *length += (size_t)got;
    } else if (errno != EINTR) {
      return lesson_refuse(report, "the file cannot be read: %s", strerror(errno));
    }
  }
  return true;
}

bool lesson_read_text(const LessonReport *report, char **text, size_t *length) {
  /* Without O_NONBLOCK, opening a named pipe without a writer would hang. */
  const int file = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return lesson_refuse(report, "the file cannot be opened: %s", strerror(errno));
  }
  size_t bytes = 0;
  bool read = check_file(report, file, &bytes);
  char *buffer = NULL;
  if (read) {
    buffer = malloc(bytes);
    read = buffer != NULL ? read_bytes(report, file, buffer, bytes, length)
                          : lesson_refuse(report, "%zu bytes could not be allocated", bytes);
  }
  close(file);
  if (!read) {
    free(buffer);
    return false;
  }
  *text = buffer;
  return true;
}

/* Skips brackets inside strings. Whether brackets match is for the parser to judge. */
static bool check_depth(const LessonReport *report, const char *text, size_t length) {
  size_t depth = 0, line = 1, line_start = 0;
  bool in_string = false;
  for (size_t i = 0; i < length; i++) {
    const char c = text[i];
    if (c == '\n') {
      line++;
      line_start = i + 1;
    } else if (in_string) {
      if (c == '\\') i++;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > LESSON_FILE_DEPTH) {
        return lesson_refuse(report,
                             "more than %d brackets are open at %zu:%zu (line:column); a matrix "
                             "needs two inside the object",
                             LESSON_FILE_DEPTH, line, i - line_start + 1);
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      depth--;
    }
  }
  return true;
}

bool lesson_parse_text(const LessonReport *report, const char *text, size_t length,
                       json_t **object) {
  if (!check_depth(report, text, length)) return false;
  json_error_t fault;
  json_t *const root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
  if (root == NULL) {
    const bool no_number = strstr(fault.text, "NaN") != NULL || strstr(fault.text, "Inf") != NULL;
    return lesson_refuse(report, "not valid JSON at %d:%d (line:column): %s%s", fault.line,
                         fault.column, fault.text[0] != '\0' ? fault.text : "memory is missing",
                         no_number ? "; every element must be a finite number" : "");
  }
  if (!json_is_object(root)) {
    lesson_refuse(report, "the file's JSON is %s; an object is expected",
                  lesson_describe(root).text);
    json_decref(root);
    return false;
  }
  *object = root;
  return true;
}
