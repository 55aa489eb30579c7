/* config_file.h - a config.json in a temporary folder, written by a test and read by the
 * library. */
#ifndef ATTEND_TESTS_SUPPORT_CONFIG_FILE_H
#define ATTEND_TESTS_SUPPORT_CONFIG_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attend/io.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What every family but gpt2 must state, for the cases that are about another field. */
#define SIZES "\"hidden_size\": 896, \"num_attention_heads\": 14, \"num_hidden_layers\": 24"
#define LLAMA "{\"model_type\": \"llama\", "

typedef struct Folder {
  char folder[64];
  char file[96]; /* the config.json in it */
} Folder;

/* Set-up and tear-down of a group of tests, whose state is a Folder. */
int make_folder(void **state);
int remove_folder(void **state);

void write_bytes(const char *path, const char *bytes, size_t length);
void write_text(const char *path, const char *text);

/* Reads a file that must be refused, and returns the sentence after "PATH: " in sentence. The model
 * is left alone bit by bit. */
AttendStatus read_refused(const char *path, char sentence[ATTEND_FILE_ERROR_SIZE]);

/* Writes the folder's file and reads it; a refusal fails the test. */
void read_good(const Folder *made, const char *text, AttendModel *model);

#endif
