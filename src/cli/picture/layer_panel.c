/* layer_panel.c - Q, K and V on top, below them scores, weights and context, each where its inputs
 * meet.
 */
#include "cli/picture/layer_panel.h"

#include "cli/picture/layer_page.h"

#define PANEL_LABEL 60.0
#define CHIP_WIDTH 99.0
#define CHIP_STEP 102.5

double panel_port_x(double panel, LayerPart part) {
  return panel + PANEL_LABEL + CHIP_STEP * (double)part + CHIP_WIDTH / 2;
}

static void draw_title(Picture *picture, double x, double y, size_t head) {
  const double middle = x + PANEL_LABEL / 2;
  PictureText place = {.x = middle, .y = y + 20, .size = 13, .align = PICTURE_CENTRE, .bold = true};
  picture_add_text(picture, place, "head");
  place.y += 16;
  picture_add_text(picture, place, "%zu", head);
}

/* The matrices of a head, from the scores to its context. */
static void draw_steps(const LayerDrawing *d, Picture *picture, double x, double y, size_t head,
                       size_t g) {
  const double left = x + PANEL_PADDING;
  const double wide = panel_port_x(x, LAYER_K) + CHIP_WIDTH / 2 - left;
  const LayerWords scores = layer_shape_words(d->query_tokens, d->key_tokens);
  LayerWords name;
  snprintf(name.text, sizeof name.text, "S_%zu = scale · Q_%zu K_%zu^T", head, head, g);
  page_matrix(picture, left, y + 60, wide, 38, PAGE_RESULT_COLOUR, name.text, scores);
  page_arrow(picture, left + wide / 2, y + 98, left + wide / 2, y + 109, PICTURE_SOLID);
  page_matrix(picture, left, y + 109, wide, 38, PAGE_RESULT_COLOUR,
              layer_weight_words(d, head).text, scores);
  page_arrow(picture, left + wide / 2, y + 147, left + wide / 2, y + 158, PICTURE_SOLID);
  snprintf(name.text, sizeof name.text, "H_%zu = A_%zu V_%zu", head, head, g);
  page_matrix(picture, left, y + 158, PANEL_WIDTH - 2 * PANEL_PADDING, 40, PAGE_RESULT_COLOUR,
              name.text, layer_shape_words(d->query_tokens, d->shape.value_dim));
}

void panel_draw(const LayerDrawing *d, Picture *picture, double x, double y, size_t head) {
  const size_t g = head / layer_group(&d->shape);
  page_box(picture, x, y, PANEL_WIDTH, PANEL_HEIGHT, PICTURE_WHITE);
  draw_title(picture, x, y, head);
  draw_steps(d, picture, x, y, head, g);
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) {
    const LayerColumns c = layer_columns(d, p);
    const double port = panel_port_x(x, p);
    LayerWords name;
    snprintf(name.text, sizeof name.text, "%c_%zu", c.name, p == LAYER_Q ? head : g);
    page_matrix(picture, port - CHIP_WIDTH / 2, y + PANEL_PADDING, CHIP_WIDTH, 38,
                page_part_colours[p], name.text, layer_shape_words(c.tokens, c.width));
    page_arrow(picture, port, y + 46, port, y + (p == LAYER_V ? 158 : 60), page_part_dashes[p]);
  }
}
