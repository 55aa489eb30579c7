/* picture_check.c - checks a page: everything stands on it, and a foreign parser reads its SVG. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/picture_check.h"

const char *const nasty_words[NASTY_WORDS] = {"<b>&\"'",      "]]>",       "\n\t\x1b[31m",
                                              "\xff\xc0\xaf", "Straße 猫", "_^{}@\\"};

void written_open(Written *written) {
  *written = (Written){0};
  written->file = open_memstream(&written->text, &written->size);
  assert_non_null(written->file);
}

size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) count++;
  return count;
}

void require(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("\"%s\" is missing in:\n%.4000s", part, text);
}

bool has_command(const char *check) {
  return system(check) == 0;
}

/* Has xmllint read the text. */
static void require_xml(const char *text) {
  if (!has_command("command -v xmllint >/dev/null")) skip();
  FILE *const parser = popen("xmllint --noout --nonet - 2>&1", "w");
  assert_non_null(parser);
  const bool sent = fputs(text, parser) >= 0;
  const int status = pclose(parser);
  if (!sent || status != 0) fail_msg("not XML:\n%.4000s", text);
}

/* No text may stand outside of the page; widths of texts are estimates. */
static void require_on_page(const Picture *picture) {
  for (size_t i = 0; i < picture->boxes.count; i++) {
    const PictureBox *const box = &picture->boxes.items[i];
    assert_true(box->x >= 0 && box->x + box->width <= picture->width + 0.01);
    assert_true(box->y >= 0 && box->y + box->height <= picture->height + 0.01);
  }
  for (size_t i = 0; i < picture->texts.count; i++) {
    const PictureText *const place = &picture->texts.items[i].place;
    assert_true(place->x >= 0 && place->x <= picture->width);
    assert_true(place->y - place->size / 2 >= 0 && place->y + place->size / 2 <= picture->height);
  }
}

char *checked_svg(const Picture *picture) {
  require_on_page(picture);
  assert_false(picture->out_of_memory);
  Written written;
  written_open(&written);
  picture_write_svg(picture, written.file);
  fclose(written.file);
  require_xml(written.text);
  return written.text;
}
