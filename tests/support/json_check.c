/* json_check.c - checks a JSON file for shell tests, which cannot count on any tool that reads
 * JSON.
 *
 *   json_check FILE PATH...
 *
 * FILE ("-": standard input) must be one JSON value and nothing after it. PATH is a chain of member
 * names and array indices separated by dots (findings.0.code) that must exist; PATH=TEXT must also
 * hold the string TEXT, the number or the word (true, false, null) that TEXT is in JSON, and PATH#N
 * an array or object of N members. The exit status is 0 if all of that holds, else 1 after one
 * sentence for each thing that does not, and 2 for wrong usage.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name) {
  json_error_t error;
  json_t *root = strcmp(name, "-") == 0 ? json_loadf(stdin, JSON_DECODE_ANY, &error)
                                        : json_load_file(name, JSON_DECODE_ANY, &error);
  if (root == NULL) fprintf(stderr, "%s:%d: %s\n", name, error.line, error.text);
  return root;
}

static const json_t *member(const json_t *parent, const char *name) {
  if (json_is_object(parent)) return json_object_get(parent, name);
  char *end = NULL;
  const unsigned long index = strtoul(name, &end, 10);
  if (!json_is_array(parent) || end == name || *end != '\0') return NULL;
  return json_array_get(parent, index);
}

/* Follows the names of `path`, which it cuts at its dots. */
static const json_t *follow(const json_t *value, char *path) {
  char *rest = path;
  for (char *name; value != NULL && (name = strsep(&rest, ".")) != NULL;) {
    value = member(value, name);
  }
  return value;
}

static bool holds(const json_t *value, const char *text) {
  if (json_is_string(value)) return strcmp(json_string_value(value), text) == 0;
  json_t *expected = json_loads(text, JSON_DECODE_ANY, NULL);
  const bool same =
      expected != NULL && (json_is_number(value) && json_is_number(expected)
                               ? json_number_value(value) == json_number_value(expected)
                               : json_equal(value, expected) != 0);
  json_decref(expected);
  return same;
}

static bool has_size(const json_t *value, const char *text) {
  const size_t size = json_is_array(value) ? json_array_size(value) : json_object_size(value);
  return size == strtoul(text, NULL, 10);
}

static bool check(const json_t *root, const char *claim) {
  char path[512];
  const size_t length = strcspn(claim, "=#");
  if (length >= sizeof path) return false;
  memcpy(path, claim, length);
  path[length] = '\0';
  const json_t *value = follow(root, path);
  if (value == NULL) return false;
  if (claim[length] == '=') return holds(value, claim + length + 1);
  return claim[length] == '\0' || has_size(value, claim + length + 1);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs("usage: json_check FILE PATH...\n", stderr);
    return 2;
  }
  json_t *root = load(argv[1]);
  if (root == NULL) return EXIT_FAILURE;
  int status = EXIT_SUCCESS;
  for (int i = 2; i < argc; i++) {
    if (check(root, argv[i])) continue;
    fprintf(stderr, "%s: %s does not hold\n", argv[1], argv[i]);
    status = EXIT_FAILURE;
  }
  json_decref(root);
  return status;
}
