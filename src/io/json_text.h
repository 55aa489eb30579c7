/* json_text.h - JSON in files that nobody vouches for: an object, or a refusal in one sentence. */
#ifndef ATTEND_SRC_IO_JSON_TEXT_H
#define ATTEND_SRC_IO_JSON_TEXT_H

#include <jansson.h>

#include "io/file.h"

/* Room for any value in words, as json_describe() writes it. */
#define JSON_WORDS_SIZE 72

/* Reads a file of at most `limit` bytes, which ought to be `name` ("a config.json"), and parses it.
 * *root is an object, to be released by json_decref(). */
AttendStatus json_read_file(const FileReport *report, size_t limit, const char *name,
                            json_t **root);

/* Parses length > 0 bytes, called `place` in sentences ("the file", "the header"). Keys given twice
 * are refused, because which of them counts would have to be guessed. */
AttendStatus json_parse_object(const FileReport *report, const char *place, const char *text,
                               size_t length, json_t **root);

/* What a value is, in words that can follow "is". */
void json_describe(const json_t *value, char *text, size_t size);

#endif
