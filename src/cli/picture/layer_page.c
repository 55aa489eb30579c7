/* layer_page.c - owns the colours, dashes and sizes of text of a layer's page. */
#include "cli/picture/layer_page.h"

#define NAME_SIZE 15.0
#define SHAPE_SIZE 11.5

const uint32_t page_part_colours[LAYER_PARTS] = {0xe3ecf8, 0xfdebd3, 0xe2f2e0};
const PictureDash page_part_dashes[LAYER_PARTS] = {PICTURE_SOLID, PICTURE_DASHED, PICTURE_DOTTED};

void page_box(Picture *picture, double x, double y, double width, double height, uint32_t colour) {
  picture_add_box(picture, (PictureBox){x, y, width, height, PICTURE_PLAIN, colour, true});
}

void page_arrow(Picture *picture, double x1, double y1, double x2, double y2, PictureDash dash) {
  picture_add_line(picture, (PictureLine){x1, y1, x2, y2, dash, true});
}

PictureText page_name_at(double x, double y) {
  return (PictureText){.x = x, .y = y, .size = NAME_SIZE, .align = PICTURE_CENTRE, .formula = true};
}

PictureText page_small_at(double x, double y) {
  return (PictureText){
      .x = x, .y = y, .size = SHAPE_SIZE, .align = PICTURE_CENTRE, .colour = PAGE_GREY};
}

void page_fitted(Picture *picture, PictureText place, double width, const char *text) {
  const double wide = picture_text_width(text, place.size);
  if (wide > width) place.size *= width / wide;
  picture_add_text(picture, place, "%s", text);
}

void page_matrix(Picture *picture, double x, double y, double width, double height, uint32_t colour,
                 const char *name, LayerWords shape) {
  page_box(picture, x, y, width, height, colour);
  page_fitted(picture, page_name_at(x + width / 2, y + height / 2 - 8), width, name);
  page_fitted(picture, page_small_at(x + width / 2, y + height / 2 + 10), width, shape.text);
}

void page_sign(Picture *picture, double x, double y, const char *text) {
  picture_add_text(picture,
                   (PictureText){.x = x, .y = y, .size = 20, .align = PICTURE_CENTRE, .bold = true},
                   "%s", text);
}
