/* block_json.c - owns the names of the members; docs/explain-json.md describes them. */
#include "cli/explain/block_json.h"

#include "cli/explain/explanation.h"
#include "cli/util/json.h"

static json_t *products_array(const BlockComparison *comparison) {
  static const char *const names[] = {"Q", "K", "V"};
  json_t *array = json_array();
  for (size_t part = 0; part < 3; part++) {
    json_append(&array, json_pack("{s:s, s:f, s:f, s:I, s:I}", "name", names[part],
                                  "largest_difference", comparison->products[part].difference,
                                  "largest_element", comparison->products[part].magnitude, "equal",
                                  (json_int_t)comparison->products[part].equal, "elements",
                                  (json_int_t)comparison->products[part].elements));
  }
  return array;
}

bool block_print_json(const BlockComparison *comparisons, size_t count) {
  json_t *sizes = json_array();
  for (size_t i = 0; i < count; i++) {
    const AttendLayerShape *const s = &comparisons[i].shape;
    json_append(&sizes,
                json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "name", comparisons[i].name,
                          "tokens", (json_int_t)comparisons[i].tokens, "width",
                          (json_int_t)s->width, "query_heads", (json_int_t)s->query_heads,
                          "kv_heads", (json_int_t)s->kv_heads, "head_dim", (json_int_t)s->head_dim,
                          "products", products_array(&comparisons[i])));
  }
  json_t *const root =
      json_pack("{s:{s:s, s:i}, s:s, s:o}", "schema", "name", "attend-explain-blocks", "version",
                EXPLAIN_SCHEMA_VERSION, "attend_version", attend_version(), "sizes", sizes);
  if (root == NULL) return false;
  const bool encoded = json_dumpf(root, stdout, JSON_INDENT(2)) == 0 || ferror(stdout);
  putchar('\n');
  json_decref(root);
  return encoded;
}
