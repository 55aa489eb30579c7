/* test_pictures.c - pictures as files. A name decides the form, a file is whole or not there, and
 * text from outside is fit for a page.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if ATTEND_PNG
#  include <cairo.h>
#endif

#include <cmocka.h>

#include "cli/picture/layer_drawing.h"
#include "cli/picture/picture_file.h"
#include "cli/picture/picture_png.h"
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
  if (picture_png_is_known()) {
    assert_int_equal(draw_into("it's a layer.PNG"), EXIT_SUCCESS);
    assert_true(has_command("head -c 4 \"it's a layer.PNG\" | grep -q PNG"));
    assert_int_equal(remove("it's a layer.PNG"), 0);
  } else {
    PictureFile refused;
    assert_false(picture_file_open(&refused, "layer.png"));
  }
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

#if ATTEND_PNG
static cairo_status_t read_from(void *file, unsigned char *data, unsigned length) {
  return fread(data, 1, length, file) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_READ_ERROR;
}

static uint32_t pixel_of(cairo_surface_t *surface, int x, int y) {
  uint32_t pixel;
  memcpy(&pixel,
         cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface) +
             4 * x,
         sizeof pixel);
  return pixel & 0xffffff;
}

/* Red on the left, white on the right, and a line of text that must leave a mark below. */
static void png_has_the_page_or_a_reason(void **state) {
  (void)state;
  Picture picture;
  picture_init(&picture, "<red & white>");
  picture.width = 99.7;
  picture.height = 50;
  picture_add_box(&picture, (PictureBox){.width = 50, .height = 25, .colour = 0xcc0000});
  picture_add_text(&picture, (PictureText){.x = 50, .y = 37, .size = 20, .align = PICTURE_CENTRE},
                   "MMMM");
  FILE *const file = tmpfile();
  assert_non_null(file);
  assert_null(picture_write_png(&picture, 2, file));
  rewind(file);
  cairo_surface_t *const surface = cairo_image_surface_create_from_png_stream(read_from, file);
  assert_int_equal(cairo_image_surface_get_width(surface), 200);
  assert_int_equal(cairo_image_surface_get_height(surface), 100);
  assert_int_equal(pixel_of(surface, 10, 10), 0xcc0000);
  assert_int_equal(pixel_of(surface, 98, 48), 0xcc0000);
  assert_int_equal(pixel_of(surface, 102, 10), 0xffffff);
  assert_int_equal(pixel_of(surface, 199, 10), 0xffffff);
  size_t dark = 0;
  for (int x = 0; x < 200; x++)
    for (int y = 52; y < 100; y++) dark += pixel_of(surface, x, y) < 0x400000;
  assert_in_range(dark, 100, 5000);
  cairo_surface_destroy(surface);

  /* The disk is full; a side is too long. */
  FILE *const full = fopen("/dev/full", "w");
  assert_non_null(full);
  setvbuf(full, NULL, _IONBF, 0);
  assert_string_equal(picture_write_png(&picture, 2, full), strerror(ENOSPC));
  fclose(full);
  assert_non_null(strstr(picture_write_png(&picture, 1000, file), "32767"));
  fclose(file);
  picture_free(&picture);
}
#else
static void png_has_the_page_or_a_reason(void **state) {
  (void)state;
  Picture picture;
  picture_init(&picture, "no PNG");
  assert_non_null(strstr(picture_write_png(&picture, 2, stdout), "without librsvg"));
  picture_free(&picture);
}
#endif

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
      cmocka_unit_test(png_has_the_page_or_a_reason),
  };
  return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
