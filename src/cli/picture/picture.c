/* picture.c - owns the lists of boxes, lines and texts that a picture is made of.
 *
 * Texts pass through utf8_copy() when they are added, so that no writer meets a byte that it cannot
 * write.
 */
#include "cli/picture/picture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/util/utf8.h"

/* Wide enough for digits, capitals and lower case alike in the usual sans-serif fonts. */
#define COLUMN_PER_SIZE 0.62

#define TEXT_COLUMNS 200
#define TEXT_BYTES 1024

static char *copy_text(const char *text) {
  char fit[TEXT_BYTES];
  utf8_copy(text, TEXT_COLUMNS, fit, sizeof fit);
  return strdup(fit);
}

void picture_init(Picture *picture, const char *title) {
  *picture = (Picture){0};
  if (!title) return;
  picture->title = copy_text(title);
  if (!picture->title) picture->out_of_memory = true;
}

void picture_free(Picture *picture) {
  for (size_t i = 0; i < picture->texts.count; i++) free(picture->texts.items[i].text);
  free(picture->title);
  free(picture->boxes.items);
  free(picture->lines.items);
  free(picture->texts.items);
  *picture = (Picture){0};
}

/* The array with room for one more item; null if memory is short, and the array is then
 * unchanged. */
static void *with_room(void *items, size_t count, size_t *capacity, size_t item_bytes) {
  if (count < *capacity) return items;
  const size_t more = *capacity ? 2 * *capacity : 64;
  void *const grown = reallocarray(items, more, item_bytes);
  if (grown) *capacity = more;
  return grown;
}

void picture_add_box(Picture *picture, PictureBox box) {
  PictureBoxes *const boxes = &picture->boxes;
  PictureBox *const items = with_room(boxes->items, boxes->count, &boxes->capacity, sizeof *items);
  if (!items) {
    picture->out_of_memory = true;
    return;
  }
  boxes->items = items;
  items[boxes->count++] = box;
}

void picture_add_line(Picture *picture, PictureLine line) {
  PictureLines *const lines = &picture->lines;
  PictureLine *const items = with_room(lines->items, lines->count, &lines->capacity, sizeof *items);
  if (!items) {
    picture->out_of_memory = true;
    return;
  }
  lines->items = items;
  items[lines->count++] = line;
}

void picture_add_text(Picture *picture, PictureText place, const char *format, ...) {
  PictureTexts *const texts = &picture->texts;
  char text[TEXT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  PictureWords *const items =
      with_room(texts->items, texts->count, &texts->capacity, sizeof *items);
  if (items) texts->items = items;
  char *const copy = items ? copy_text(text) : NULL;
  if (!copy) {
    picture->out_of_memory = true;
    return;
  }
  items[texts->count++] = (PictureWords){place, copy};
}

double picture_text_width(const char *text, double size) {
  return (double)utf8_columns(text) * size * COLUMN_PER_SIZE;
}
