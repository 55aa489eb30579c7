/* json_text.h - reads JSON objects from files that nobody vouches for. */
#ifndef ATTEND_SRC_IO_JSON_TEXT_H
#define ATTEND_SRC_IO_JSON_TEXT_H

#include <jansson.h>

#include "io/file.h"

/* Enough for what json_describe() writes about any value. */
#define JSON_WORDS_SIZE 72

/* Reads a file of at most `limit` bytes, which should be `name` ("a config.json"), and parses it.
 * *root is an object; the caller releases it by json_decref(). */
AttendStatus json_read_file(const char *path, size_t limit, const char *name, json_t **root,
                            Fault *fault);

/* Parses length > 0 bytes of `part` ("the file", "the header"). Refuses an object that has a key
 * twice, because nobody can say which of them counts. */
AttendStatus json_parse_object(const char *part, const char *text, size_t length, json_t **root,
                               Fault *fault);

/* Describes a value in words that can follow "is". */
void json_describe(const json_t *value, char *text, size_t size);

#endif
