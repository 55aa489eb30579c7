/* test_allocation_failure_files.c - memory that fails while a file is read.
 *
 * config.json goes through a buffer of the library's own and the memory of jansson, which is told
 * to use the hook's. There all allocations after the failing one fail too: jansson's lexer leaves a
 * byte of a token out when its buffer cannot grow at that byte and can at the next, and does not
 * say so.
 */
#include "tests/support/allocation_hook.h"
#include "tests/support/config_file.h"
#include "tests/support/injection.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Every kind of value; keys of many lengths, of which one makes the lexer's buffer grow. */
static const char config[] =
    LLAMA SIZES ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 32.0, \"list\": [1, 2]}, "
                "\"rope_theta\": 1e5, \"attention_bias\": true, \"bos_token_id\": null, "
                "\"_name_or_path\": \"a name \\u00e9 that jansson has to decode\"}";

static void reading_a_config(void **state) {
  const Folder *const made = *state;
  Injection injection = injection_all;
  AttendModel model, before;
  char error[ATTEND_FILE_ERROR_SIZE];
  json_malloc_t usual_malloc;
  json_free_t usual_free;
  write_text(made->file, config);
  memset(&model, 0xa5, sizeof model);
  memset(&before, 0xa5, sizeof before);
  json_get_alloc_funcs(&usual_malloc, &usual_free);
  json_set_alloc_funcs(hook_malloc, hook_free);
  const size_t live = hook_live();
  while (refused(&injection, NULL, attend_read_config(made->file, &model, error, sizeof error))) {
    assert_memory_equal(&model, &before, sizeof model);
    assert_non_null(strstr(error, made->file));
    if (!strstr(error, "could not be allocated") && !strstr(error, "does not fit into memory"))
      fail_msg("without allocation %zu: \"%s\"", injection.refusals, error);
  }
  json_set_alloc_funcs(usual_malloc, usual_free);
  assert_int_equal(hook_live(), live);
  /* The file's text; and jansson's: a string for every key and string, and the objects. */
  assert_in_range(injection.refusals, 1 + 15, 200);
  assert_string_equal(error, "");
  assert_int_equal(model.shape.width, 896);
  assert_true(model.qkv_bias);
  assert_true(model.rope.base == 1e5);
  assert_string_equal(model.name, "a name \xc3\xa9 that jansson has to decode");
}

/* A fact about the caches that cannot be read is 0; nothing else depends on files. */
static void describing_the_machine(void **state) {
  (void)state;
  AttendMachine whole, part;
  const size_t made = hook_made(), live = hook_live();
  assert_int_equal(attend_describe_machine(&whole), ATTEND_OK);
  const size_t files = hook_made() - made;
  assert_true(files > 0);
  for (size_t k = 0; k < 2 * files; k++) {
    hook_fail_after(k / 2, k % 2);
    const AttendStatus status = attend_describe_machine(&part);
    assert_true(hook_stop() > 0);
    assert_int_equal(status, ATTEND_OK);
    assert_int_equal(hook_live(), live);
    assert_true(part.l1d_bytes == whole.l1d_bytes || part.l1d_bytes == 0);
    assert_true(part.l2_bytes == whole.l2_bytes || part.l2_bytes == 0);
    assert_true(part.l3_bytes == whole.l3_bytes || part.l3_bytes == 0);
    part.l1d_bytes = whole.l1d_bytes;
    part.l2_bytes = whole.l2_bytes;
    part.l3_bytes = whole.l3_bytes;
    assert_memory_equal(&part, &whole, sizeof part);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reading_a_config),
      cmocka_unit_test(describing_the_machine),
  };
  return cmocka_run_group_tests_name("allocation_failure_files", tests, make_folder, remove_folder);
}
