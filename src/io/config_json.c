/* config_json.c - a config.json from the file system to a parsed object.
 *
 * The text is read whole, through one descriptor whose kind and size have been checked, and parsed
 * by jansson; keys given twice are refused, because which of them counts would have to be guessed.
 * Nothing here knows what a field means.
 */
#include "io/config_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Published files are a few KiB; the limit keeps a wrong file name (weights, say) out of memory. */
#define MAX_FILE_BYTES ((off_t)16 * 1024 * 1024)

/* Opens the file if it is one that can be read whole. O_NONBLOCK keeps a named pipe without a
 * writer from holding the call up before it can be refused. */
static AttendStatus open_file(const ConfigReport *report, int *file, size_t *bytes) {
  const int opened = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) {
    return config_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be opened: %m");
  }

  AttendStatus status = ATTEND_OK;
  struct stat facts;
  if (fstat(opened, &facts) != 0) {
    status =
        config_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be examined: %m");
  } else if (!S_ISREG(facts.st_mode)) {
    status = config_refuse(report, ATTEND_STATUS_FILE_UNREADABLE,
                           "this is %s; a regular file is expected",
                           S_ISDIR(facts.st_mode) ? "a directory" : "a device, pipe or socket");
  } else if (facts.st_size == 0) {
    status = config_refuse(report, ATTEND_STATUS_FILE_INVALID,
                           "the file is empty; a JSON object is expected");
  } else if (facts.st_size > MAX_FILE_BYTES) {
    status = config_refuse(report, ATTEND_STATUS_FILE_INVALID,
                           "the file has %lld bytes; a config.json of at most %lld is expected",
                           (long long)facts.st_size, (long long)MAX_FILE_BYTES);
  }

  if (status != ATTEND_OK) {
    close(opened);
    return status;
  }
  *file = opened;
  *bytes = (size_t)facts.st_size;
  return ATTEND_OK;
}

/* Reads up to `bytes` bytes into text; *length is less only if the file has shrunk meanwhile. */
static AttendStatus read_bytes(const ConfigReport *report, int file, char *text, size_t bytes,
                               size_t *length) {
  *length = 0;
  while (*length < bytes) {
    const ssize_t got = read(file, text + *length, bytes - *length);
    if (got == 0) break;
    if (got > 0) {
      *length += (size_t)got;
    } else if (errno != EINTR) {
      return config_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be read: %m");
    }
  }
  return ATTEND_OK;
}

static AttendStatus read_text(const ConfigReport *report, char **text, size_t *length) {
  int file = -1;
  size_t bytes = 0;
  AttendStatus status = open_file(report, &file, &bytes);
  if (status != ATTEND_OK) return status;

  char *const buffer = malloc(bytes);
  if (buffer == NULL) {
    status = config_refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                           bytes);
  } else {
    status = read_bytes(report, file, buffer, bytes, length);
  }
  close(file);

  if (status != ATTEND_OK) {
    free(buffer);
    return status;
  }
  *text = buffer;
  return ATTEND_OK;
}

/* Where an allocation fails jansson gives its code for that, or no text at all; but a string that its
 * lexer has no memory for is a token of no kind to it, the only such token that ends in a quotation
 * mark. */
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

static AttendStatus parse_object(const ConfigReport *report, const char *text, size_t length,
                                 json_t **config) {
  json_error_t problem;
  json_t *const root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
  if (root == NULL) {
    if (ran_out_of_memory(&problem, text, length)) {
      return config_refuse(report, ATTEND_STATUS_OUT_OF_MEMORY,
                           "the JSON does not fit into memory");
    }
    return config_refuse(report, ATTEND_STATUS_FILE_INVALID,
                         "not valid JSON at %d:%d (line:column): %s", problem.line, problem.column,
                         problem.text);
  }
  if (!json_is_object(root)) {
    char found[CONFIG_VALUE_SIZE];
    config_describe_value(root, found, sizeof found);
    json_decref(root);
    return config_refuse(report, ATTEND_STATUS_FILE_INVALID,
                         "the file's JSON is %s; an object is expected", found);
  }
  *config = root;
  return ATTEND_OK;
}

AttendStatus config_load(const ConfigReport *report, json_t **root) {
  char *text = NULL;
  size_t length = 0;
  AttendStatus status = read_text(report, &text, &length);
  if (status != ATTEND_OK) return status;
  status = parse_object(report, text, length, root);
  free(text);
  return status;
}
