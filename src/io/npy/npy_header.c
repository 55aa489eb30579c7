/* npy_header.c - reads the header of a .npy file: magic, version, and a dictionary in Python.
 *
 * The dictionary is a literal of three keys in any order, as numpy writes it. We parse it and never
 * evaluate it. Strings have no escapes, numbers are decimal digits, and only white space may follow
 * the closing brace. Refuses everything else, and says at which byte it stands.
 */
#include "io/npy/npy_header.h"

#include <stdlib.h>

#include "size.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6
/* A header of three keys needs a few hundred bytes. Version 2 allows longer ones for structures of
 * many fields, which we do not read. */
#define MAX_HEADER_BYTES 65536

/* A position in the dictionary's text. */
typedef struct Cursor {
  Fault *fault;
  const char *text;
  size_t length, at;
  size_t first; /* byte of the file at which the text begins */
} Cursor;

static AttendStatus refuse(const Cursor *cursor, const char *expected) {
  return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                   "byte %zu of the header is not as in a .npy file; %s is expected",
                   cursor->first + cursor->at, expected);
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Skips white space and returns the next character, '\0' at the end. */
static char look(Cursor *cursor) {
  while (cursor->at < cursor->length && is_space(cursor->text[cursor->at])) cursor->at++;
  return cursor->at < cursor->length ? cursor->text[cursor->at] : '\0';
}

static bool take(Cursor *cursor, char c) {
  if (c == '\0' || look(cursor) != c) return false;
  cursor->at++;
  return true;
}

static bool take_word(Cursor *cursor, const char *word) {
  const size_t length = strlen(word);
  look(cursor);
  if (cursor->length - cursor->at < length) return false;
  if (memcmp(cursor->text + cursor->at, word, length) != 0) return false;
  cursor->at += length;
  return true;
}

/* Takes a string in single or double quotes and cuts it to the size of text. */
static bool take_string(Cursor *cursor, char *text, size_t size) {
  const char quote = look(cursor);
  if (quote != '\'' && quote != '"') return false;
  const char *const begin = cursor->text + cursor->at + 1;
  const char *const end = memchr(begin, quote, cursor->length - cursor->at - 1);
  if (end == NULL) return false;
  const size_t length = (size_t)(end - begin);
  const size_t copied = size_min(length, size - 1);
  memcpy(text, begin, copied);
  text[copied] = '\0';
  cursor->at += length + 2;
  return true;
}

/* Takes decimal digits, and the L that Python 2 wrote behind a long. */
static AttendStatus take_size(Cursor *cursor, size_t *size) {
  bool overflow = false;
  const char first = look(cursor);
  if (first < '0' || first > '9') return refuse(cursor, "a whole number or \")\"");
  *size = 0;
  for (; cursor->at < cursor->length; cursor->at++) {
    const char c = cursor->text[cursor->at];
    if (c < '0' || c > '9') break;
    *size = size_add(size_multiply(*size, 10, &overflow), (size_t)(c - '0'), &overflow);
    if (overflow) {
      return fault_set(cursor->fault, ATTEND_STATUS_OVERFLOW,
                       "a dimension at byte %zu of the header is above %zu",
                       cursor->first + cursor->at, SIZE_LIMIT);
    }
  }
  if (cursor->at < cursor->length && cursor->text[cursor->at] == 'L') cursor->at++;
  return ATTEND_OK;
}

static AttendStatus read_descr(Cursor *cursor, NpyHeader *header) {
  static const struct {
    const char *name;
    NumberKind kind;
  } types[] = {{"<f4", NUMBER_F32}, {"<f2", NUMBER_F16}, {"<f8", NUMBER_F64}};
  char descr[16];
  if (look(cursor) == '[') {
    return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                     "the elements are structures; \"<f2\", \"<f4\" or \"<f8\" is expected");
  }
  if (!take_string(cursor, descr, sizeof descr)) return refuse(cursor, "a type in quotes");
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(descr, types[i].name) != 0) continue;
    header->kind = types[i].kind;
    header->dtype = types[i].name;
    return ATTEND_OK;
  }
  return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                   "the elements are of type \"%s\"; \"<f2\", \"<f4\" or \"<f8\" is expected",
                   descr);
}

static AttendStatus read_order(Cursor *cursor, NpyHeader *header) {
  header->fortran_order = take_word(cursor, "True");
  if (header->fortran_order || take_word(cursor, "False")) return ATTEND_OK;
  return refuse(cursor, "True or False");
}

static AttendStatus read_shape(Cursor *cursor, NpyHeader *header) {
  header->rank = 0;
  if (!take(cursor, '(')) return refuse(cursor, "\"(\"");
  while (!take(cursor, ')')) {
    if (header->rank == ATTEND_ARRAY_RANK) {
      return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                       "the array has more than %d dimensions; at most %d are read",
                       ATTEND_ARRAY_RANK, ATTEND_ARRAY_RANK);
    }
    if (take_size(cursor, &header->dims[header->rank++])) return cursor->fault->status;
    if (!take(cursor, ',') && look(cursor) != ')') return refuse(cursor, "\",\" or \")\"");
  }
  return ATTEND_OK;
}

static AttendStatus read_dictionary(Cursor *cursor, NpyHeader *header) {
  static const struct {
    const char *key;
    AttendStatus (*read)(Cursor *cursor, NpyHeader *header);
  } entries[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
  enum { ENTRIES = sizeof entries / sizeof *entries };
  bool found[ENTRIES] = {false};

  if (!take(cursor, '{')) return refuse(cursor, "\"{\"");
  while (!take(cursor, '}')) {
    char key[16];
    size_t i = 0;
    if (!take_string(cursor, key, sizeof key)) return refuse(cursor, "a key in quotes");
    while (i < ENTRIES && strcmp(key, entries[i].key) != 0) i++;
    if (i == ENTRIES || found[i]) {
      return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                       "the header has %s key \"%s\"; descr, fortran_order and shape, each once, "
                       "are expected",
                       i == ENTRIES ? "the" : "twice the", key);
    }
    found[i] = true;
    if (!take(cursor, ':')) return refuse(cursor, "\":\"");
    if (entries[i].read(cursor, header)) return cursor->fault->status;
    if (!take(cursor, ',') && look(cursor) != '}') return refuse(cursor, "\",\" or \"}\"");
  }
  for (size_t i = 0; i < ENTRIES; i++) {
    if (found[i]) continue;
    return fault_set(cursor->fault, ATTEND_STATUS_FILE_INVALID,
                     "the header has no key \"%s\"; descr, fortran_order and shape are expected",
                     entries[i].key);
  }
  look(cursor);
  return cursor->at == cursor->length ? ATTEND_OK : refuse(cursor, "white space");
}

/* Checks magic and version, and finds the dictionary. */
static AttendStatus read_preamble(const OpenFile *file, size_t *first, size_t *length,
                                  Fault *fault) {
  unsigned char bytes[MAGIC_BYTES + 6] = {0};
  if (file->bytes < sizeof bytes) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the file has %zu bytes; a .npy file is longer", file->bytes);
  }
  if (file_read_at(file, 0, bytes, sizeof bytes, fault)) return fault->status;
  if (memcmp(bytes, MAGIC, MAGIC_BYTES) != 0) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the file does not begin as a .npy file does, with \\x93NUMPY");
  }
  const unsigned version = bytes[MAGIC_BYTES], minor = bytes[MAGIC_BYTES + 1];
  if (version < 1 || version > 3 || minor != 0) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the format's version is %u.%u; 1.0, 2.0 or 3.0 is expected", version, minor);
  }
  const size_t low = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  const size_t high = (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  *first = version == 1 ? 10 : 12;
  *length = version == 1 ? low : low | high;
  if (*length > MAX_HEADER_BYTES || *length > file->bytes - *first) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the header would have %zu bytes, in a file of %zu; at most %d are read",
                     *length, file->bytes, MAX_HEADER_BYTES);
  }
  return ATTEND_OK;
}

static AttendStatus check_length(const OpenFile *file, NpyHeader *header, Fault *fault) {
  bool overflow = false;
  /* In an empty array one dimension is 0, and the product of the others must not wrap either. */
  size_t bound = sizeof(double);
  header->count = 1;
  for (size_t i = 0; i < header->rank; i++) {
    bound = size_multiply(bound, size_max(header->dims[i], 1), &overflow);
    header->count *= header->dims[i];
  }
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "the dimensions multiply to more than %zu bytes", SIZE_LIMIT);
  }
  const size_t bytes = header->count * widen_bytes(header->kind);
  if (bytes != file->bytes - header->offset) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "%zu bytes follow the header; its shape and type make %zu",
                     file->bytes - header->offset, bytes);
  }
  return ATTEND_OK;
}

AttendStatus npy_read_header(const OpenFile *file, NpyHeader *header, Fault *fault) {
  Cursor cursor = {.fault = fault};
  *header = (NpyHeader){.kind = NUMBER_F32};
  if (read_preamble(file, &cursor.first, &cursor.length, fault)) return fault->status;

  header->offset = cursor.first + cursor.length;
  char *const text = malloc(cursor.length + 1);
  if (text == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                     cursor.length + 1);
  }
  AttendStatus status = file_read_at(file, cursor.first, text, cursor.length, fault);
  cursor.text = text;
  if (status == ATTEND_OK) status = read_dictionary(&cursor, header);
  free(text);
  if (status != ATTEND_OK) return status;
  return check_length(file, header, fault);
}
