/* test_pictures.c - pictures as files: the form that a name asks for, that a file is whole or not
 * there, and text that is made fit for a page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/picture/layer_drawing.h"
#include "cli/picture/picture_file.h"
#include "cli/util/utf8.h"
#include "tests/support/picture_check.h"

static void text_is_made_fit(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t columns, size, taken;
    const char *fit;
  } cases[] = {
      {"", 5, 8, 0, ""},
      {"token", 5, 8, 5, "token"},
      {"tokens", 5, 16, 5, "toke…"},
      {"tokens", 6, 6, 3, "to…"},
      {"tokens", 0, 8, 0, ""},
      {"tokens", 6, 3, 0, ""},
      {"猫猫", 4, 16, 4, "猫猫"},
      {"猫猫", 3, 16, 3, "猫…"},
      {"e\xcc\x81", 1, 16, 1, "e\xcc\x81"},
      {"\n\t\x01\x7f", 8, 32, 4, "↵⇥\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80\xf4\x90\x80\x80", 8, 32, 2, "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xe7\x8c", 8, 32, 1, "\xef\xbf\xbd"},
      {"\xe7!\xff\xc0\xaf\x80", 8, 32, 4, "\xef\xbf\xbd!\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xef\xbf\xbe\xcd\xb8", 8, 32, 2, "\xef\xbf\xbd\xef\xbf\xbd"}, /* no characters */
      {"a\xe2\x80\xae", 1, 32, 1, "a\xe2\x80\xae"},                   /* right to left */
      {"🐈‍⬛", 8, 32, 4, "🐈‍⬛"},
      {"a\xc2\x9b"
       "b",
       8, 32, 3,
       "a\xef\xbf\xbd"
       "b"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char fit[40];
    memset(fit, '#', sizeof fit);
    assert_int_equal(utf8_copy(cases[i].text, cases[i].columns, fit, cases[i].size),
                     cases[i].taken);
    assert_string_equal(fit, cases[i].fit);
    assert_int_equal(utf8_columns(fit), cases[i].taken);
    assert_true(fit[cases[i].size] == '#');
  }
}

static const LayerDrawing layer = {.name = "a layer",
                                   .shape = {896, 14, 2, 64, 64},
                                   .batch = 1,
                                   .query_tokens = 50,
                                   .key_tokens = 50,
                                   .from_input = true,
                                   .to_output = true};

/* Draws a layer into `name`, in a directory of its own, and returns the status. */
static int draw_into(const char *name) {
  Picture picture;
  PictureFile file;
  layer_drawing_make(&layer, &picture);
  assert_true(picture_file_open(&file, name));
  const int status = picture_file_write(&file, &picture);
  picture_free(&picture);
  return status;
}

static void files_are_whole_or_not_there(void **state) {
  (void)state;
  char directory[] = "/tmp/attend-pictures-XXXXXX", here[4096];
  assert_non_null(getcwd(here, sizeof here));
  assert_non_null(mkdtemp(directory));
  assert_int_equal(chdir(directory), 0);
  assert_int_equal(draw_into("layer.svg"), EXIT_SUCCESS);
  if (has_command("command -v gnuplot >/dev/null")) {
    assert_int_equal(draw_into("it's a layer.PNG"), EXIT_SUCCESS);
    assert_true(has_command("head -c 4 \"it's a layer.PNG\" | grep -q PNG"));
    assert_int_equal(remove("it's a layer.PNG"), 0);
  }
  /* Without gnuplot there is no PNG, and what was there before stays. */
  char *const path = strdup(getenv("PATH"));
  setenv("PATH", directory, 1);
  assert_int_equal(draw_into("layer.png"), EXIT_FAILURE);
  setenv("PATH", path, 1);
  free(path);
  assert_true(has_command("test \"$(ls -A)\" = layer.svg"));

  Picture picture;
  PictureFile file;
  picture_init(&picture, "a picture that is not complete");
  picture.out_of_memory = true;
  assert_true(picture_file_open(&file, "layer.svg"));
  assert_int_equal(picture_file_write(&file, &picture), EXIT_FAILURE);
  picture_free(&picture);
  assert_true(
      has_command("test \"$(ls -A)\" = layer.svg && tail -n 1 layer.svg | grep -q '</svg>'"));
  assert_false(picture_file_open(&file, "/nonexistent/layer.svg"));
  assert_int_equal(remove("layer.svg"), 0);
  assert_int_equal(chdir(here), 0);
  assert_int_equal(rmdir(directory), 0);
}

static void names_decide_the_form(void **state) {
  (void)state;
  assert_true(picture_file_accepts("a.svg") && picture_file_accepts("x/b.PNG"));
  assert_false(picture_file_accepts(".svg") || picture_file_accepts("a.pdf") ||
               picture_file_accepts("svg") || picture_file_accepts(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_made_fit),
      cmocka_unit_test(files_are_whole_or_not_there),
      cmocka_unit_test(names_decide_the_form),
  };
  return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
