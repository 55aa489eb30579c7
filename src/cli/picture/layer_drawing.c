/* layer_drawing.c - the page: four rows, from the input on top to the output at the bottom.
 *
 * W_qkv with the columns of every head; under each column block the product that it makes; wires
 * from there to one panel for each head shown; the heads side by side, W_o and Y. The y of every
 * row is set once, below; everything else follows from the number of heads shown. Colour alone says
 * nothing: dashes and names tell Q, K and V apart in print.
 */
#include "cli/picture/layer_drawing.h"

#include <math.h>

#include "cli/picture/layer_page.h"
#include "cli/picture/layer_panel.h"
#include "cli/picture/layer_parts.h"
#include "cli/picture/layer_wires.h"
#include "cli/util/utf8.h"

#define PAGE_WIDTH 1280.0
#define PAGE_HEIGHT 720.0
#define MARGIN 30.0

#define WEIGHTS_Y 142.0 /* W_qkv */
#define WEIGHTS_HEIGHT 56.0
#define CHUNKS_Y 226.0 /* Q, K and V */
#define CHUNKS_HEIGHT 44.0
#define CACHE_Y 282.0 /* the part of the past that joins them */
#define CACHE_HEIGHT 38.0
#define PANELS_Y 380.0
#define CONCAT_Y 630.0
#define CONCAT_HEIGHT 56.0
#define CAPTIONS_Y 702.0

#define STRIP_ROOM 200.0 /* from the input to W_qkv */
#define STRIP_CELL_MOST 130.0
#define INPUT_WIDTH 130.0
#define INPUT_ROWS 6 /* tokens named one by one; of more, only the first two and the last */
#define OUTPUT_WEIGHTS_WIDTH 150.0
#define OUTPUT_WIDTH 120.0
#define SIGN_ROOM 46.0 /* for a sign between two factors */
#define DOTS_SHARE 0.4 /* of a cell */

/* Cells side by side, one for each head shown. */
typedef struct Strip {
  double x, cell;
  LayerHeads heads;
} Strip;

static double slot_share(size_t head) {
  return head == LAYER_DOTS ? DOTS_SHARE : 1;
}

static double shares(LayerHeads heads) {
  double sum = 0;
  for (size_t i = 0; i < heads.count; i++) sum += slot_share(heads.items[i]);
  return sum;
}

static double strip_end(const Strip *strip) {
  return strip->x + strip->cell * shares(strip->heads);
}

/* Left edge of a slot. */
static double slot_x(const Strip *strip, size_t slot) {
  double x = strip->x;
  for (size_t i = 0; i < slot; i++) x += strip->cell * slot_share(strip->heads.items[i]);
  return x;
}

/* Middle of the cell of a head; of the dots if it is not shown. */
static double head_x(const Strip *strip, size_t head) {
  size_t slot = 0;
  while (strip->heads.items[slot] != head && strip->heads.items[slot] != LAYER_DOTS) slot++;
  if (strip->heads.items[slot] != head && head == strip->heads.items[strip->heads.count - 1])
    slot = strip->heads.count - 1;
  return slot_x(strip, slot) + strip->cell * slot_share(strip->heads.items[slot]) / 2;
}

/* The page while it is drawn. */
typedef struct Page {
  const LayerDrawing *drawing;
  Picture *picture;
  double input_x;
  Strip parts[LAYER_PARTS];
  Strip concat;
  LayerHeads heads;            /* a panel each */
  double panel_x[LAYER_SLOTS]; /* of each slot; of the dots their middle */
} Page;

/* The fused matrix with the input before it, in the middle of the page. */
static void lay_out_strips(Page *page) {
  double all = 0;
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) {
    page->parts[p].heads = layer_columns(page->drawing, p).heads;
    all += shares(page->parts[p].heads);
  }
  const double before = page->drawing->from_input ? STRIP_ROOM : 0;
  const double room = PAGE_WIDTH - 2 * MARGIN - before;
  const double cell = fmin(room / all, STRIP_CELL_MOST);
  page->input_x = MARGIN + (room - cell * all) / 2;
  double x = page->input_x + before;
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) {
    page->parts[p].x = x;
    page->parts[p].cell = cell;
    x = strip_end(&page->parts[p]);
  }
}

/* The heads side by side, with room for the caption below them; one head alone in the middle. */
static void lay_out_concat(Page *page) {
  static const double cells[LAYER_SLOTS] = {200, 130, 104, 104};
  page->concat = (Strip){MARGIN, cells[page->heads.count - 1], page->heads};
  if (page->heads.count > 1) return;
  const double after = 2 * SIGN_ROOM + OUTPUT_WEIGHTS_WIDTH + OUTPUT_WIDTH;
  const double width = page->concat.cell + (page->drawing->to_output ? after : 0);
  page->concat.x = (PAGE_WIDTH - width) / 2;
}

static void lay_out_panels(Page *page) {
  static const double places[LAYER_SLOTS][LAYER_SLOTS] = {
      {454}, {180, 728}, {MARGIN, 454, 878}, {MARGIN, 427, 838, 878}};
  const size_t count = page->heads.count;
  for (size_t i = 0; i < count; i++) page->panel_x[i] = places[count - 1][i];
}

static void draw_title(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  picture_add_text(page->picture, (PictureText){.x = MARGIN, .y = 28, .size = 22, .bold = true},
                   "%s", d->name);
  picture_add_text(page->picture,
                   (PictureText){.x = MARGIN, .y = 56, .size = 14, .colour = PAGE_GREY}, "%s",
                   layer_size_words(d).text);
}

/* The rows of the input: all tokens while they are few, else the first two and the last. Returns
 * how many there are. */
static size_t list_input_rows(size_t tokens, size_t rows[static INPUT_ROWS]) {
  const LayerHeads few = layer_heads(tokens);
  for (size_t i = 0; i < few.count; i++) rows[i] = few.items[i];
  if (tokens > INPUT_ROWS) return few.count;
  for (size_t i = 0; i < tokens; i++) rows[i] = i;
  return tokens;
}

static void draw_input_row(const Page *page, size_t token, double y, double height) {
  const char *const *const labels = page->drawing->labels;
  char word[64] = "…";
  page_box(page->picture, page->input_x, y, INPUT_WIDTH, height, PAGE_RESULT_COLOUR);
  if (token != LAYER_DOTS && labels) utf8_copy(labels[token], 16, word, sizeof word);
  if (token != LAYER_DOTS && !labels) snprintf(word, sizeof word, "token %zu", token);
  picture_add_text(page->picture, page_small_at(page->input_x + INPUT_WIDTH / 2, y + height / 2),
                   "%s", word);
}

static void draw_input(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  const double y = WEIGHTS_Y - 16, height = WEIGHTS_HEIGHT + 32;
  size_t rows[INPUT_ROWS];
  const size_t count = list_input_rows(d->query_tokens, rows);
  const double step = height / (double)count;
  for (size_t i = 0; i < count; i++) draw_input_row(page, rows[i], y + step * (double)i, step);
  picture_add_text(page->picture, page_name_at(page->input_x + INPUT_WIDTH / 2, y - 18), "X %s",
                   layer_shape_words(d->query_tokens, d->shape.width).text);
  page_sign(page->picture, page->input_x + INPUT_WIDTH + 16, WEIGHTS_Y + WEIGHTS_HEIGHT / 2, "·");
}

/* One of W_q, W_k and W_v: a cell for each head, its columns of W_qkv above it. */
static void draw_weights(const Page *page, LayerPart part) {
  const LayerColumns c = layer_columns(page->drawing, part);
  const Strip *const strip = &page->parts[part];
  const char index = (char)(c.name - 'A' + 'a');
  const size_t width = page->drawing->shape.width;
  const double middle = (strip->x + strip_end(strip)) / 2;
  picture_add_text(page->picture, page_name_at(middle, WEIGHTS_Y - 34), "W_%c %s", index,
                   layer_shape_words(width, c.head_count * c.width).text);
  for (size_t i = 0; i < c.heads.count; i++) {
    const size_t head = c.heads.items[i];
    const double x = slot_x(strip, i), cell = strip->cell * slot_share(head);
    if (head == LAYER_DOTS) {
      page_box(page->picture, x, WEIGHTS_Y, cell, WEIGHTS_HEIGHT, page_part_colours[part]);
      page_sign(page->picture, x + cell / 2, WEIGHTS_Y + WEIGHTS_HEIGHT / 2, "…");
      continue;
    }
    LayerWords name;
    snprintf(name.text, sizeof name.text, "W_%c,%zu", index, head);
    page_matrix(page->picture, x, WEIGHTS_Y, cell, WEIGHTS_HEIGHT, page_part_colours[part],
                name.text, layer_shape_words(width, c.width));
    page_fitted(page->picture, page_small_at(x + cell / 2, WEIGHTS_Y - 12), cell,
                layer_range_words(c.first + head * c.width, c.width).text);
    page_arrow(page->picture, x + cell / 2, WEIGHTS_Y + WEIGHTS_HEIGHT, x + cell / 2, CHUNKS_Y,
               PICTURE_SOLID);
  }
}

static void draw_fused_names(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  const size_t columns = layer_fused_columns(&d->shape);
  const double left = page->parts[LAYER_Q].x, right = strip_end(&page->parts[LAYER_V]);
  picture_add_text(page->picture, page_name_at((left + right) / 2, WEIGHTS_Y - 58),
                   "W_qkv = [ W_q | W_k | W_v ] %s",
                   layer_shape_words(d->shape.width, columns).text);
  PictureText place = page_small_at(left - 6, WEIGHTS_Y - 12);
  place.align = PICTURE_RIGHT;
  picture_add_text(page->picture, place, "columns");
  place = page_small_at(left - 14, CHUNKS_Y + CHUNKS_HEIGHT / 2 + 10);
  place.align = PICTURE_RIGHT;
  picture_add_text(page->picture, place, "%s", layer_shape_words(d->query_tokens, columns).text);
  place = page_name_at(left - 14, CHUNKS_Y + CHUNKS_HEIGHT / 2 - 9);
  place.align = PICTURE_RIGHT;
  picture_add_text(page->picture, place, "X W_qkv =");
}

/* What the cache adds to a chunk of keys or values. */
static void draw_cached(const Page *page, LayerPart part, double x, double cell) {
  const LayerDrawing *const d = page->drawing;
  const LayerColumns c = layer_columns(d, part);
  page_arrow(page->picture, x + cell / 2, CHUNKS_Y + CHUNKS_HEIGHT, x + cell / 2, CACHE_Y,
             PICTURE_SOLID);
  page_box(page->picture, x, CACHE_Y, cell, CACHE_HEIGHT, page_part_colours[part]);
  LayerWords words;
  snprintf(words.text, sizeof words.text, "+ %zu cached", d->key_tokens - d->query_tokens);
  page_fitted(page->picture, page_small_at(x + cell / 2, CACHE_Y + 12), cell, words.text);
  page_fitted(page->picture, page_small_at(x + cell / 2, CACHE_Y + 27), cell,
              layer_shape_words(c.tokens, c.width).text);
}

/* Q, K or V: a cell for each head. */
static void draw_chunks(const Page *page, LayerPart part) {
  const LayerDrawing *const d = page->drawing;
  const LayerColumns c = layer_columns(d, part);
  const Strip *const strip = &page->parts[part];
  const bool cached = layer_has_cache(d) && part != LAYER_Q;
  for (size_t i = 0; i < c.heads.count; i++) {
    const size_t head = c.heads.items[i];
    const double x = slot_x(strip, i), cell = strip->cell * slot_share(head);
    if (head == LAYER_DOTS) {
      page_box(page->picture, x, CHUNKS_Y, cell, CHUNKS_HEIGHT, page_part_colours[part]);
      page_sign(page->picture, x + cell / 2, CHUNKS_Y + CHUNKS_HEIGHT / 2, "…");
      continue;
    }
    LayerWords name;
    snprintf(name.text, sizeof name.text, "%c_%zu", c.name, head);
    page_matrix(page->picture, x, CHUNKS_Y, cell, CHUNKS_HEIGHT, page_part_colours[part], name.text,
                layer_shape_words(d->from_input ? d->query_tokens : c.tokens, c.width));
    if (cached) draw_cached(page, part, x, cell);
  }
}

static void draw_panels(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  const double beginning = layer_has_cache(d) ? CACHE_Y + CACHE_HEIGHT : CHUNKS_Y + CHUNKS_HEIGHT;
  Wires wires = {0};
  for (size_t i = 0; i < page->heads.count; i++) {
    const size_t head = page->heads.items[i], g = head / layer_group(&d->shape);
    const double x = page->panel_x[i];
    if (head == LAYER_DOTS) {
      page_sign(page->picture, x, PANELS_Y + PANEL_HEIGHT / 2, "…");
      continue;
    }
    panel_draw(d, page->picture, x, PANELS_Y, head);
    for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) {
      const double y = p == LAYER_Q ? CHUNKS_Y + CHUNKS_HEIGHT : beginning;
      wires_add(&wires, head_x(&page->parts[p], p == LAYER_Q ? head : g), y, page_part_dashes[p],
                panel_port_x(x, p));
    }
  }
  wires_draw(&wires, beginning, PANELS_Y + PANEL_PADDING, page->picture);
}

/* The heads side by side: a wire from each panel, on levels from top to bottom. */
static void draw_concat(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  const Strip *const strip = &page->concat;
  const double bottom = PANELS_Y + PANEL_HEIGHT - PANEL_PADDING;
  for (size_t i = 0; i < page->heads.count; i++) {
    const size_t head = page->heads.items[i];
    const double x = slot_x(strip, i), cell = strip->cell * slot_share(head);
    if (head == LAYER_DOTS) {
      page_box(page->picture, x, CONCAT_Y, cell, CONCAT_HEIGHT, PAGE_RESULT_COLOUR);
      page_sign(page->picture, x + cell / 2, CONCAT_Y + CONCAT_HEIGHT / 2, "…");
      continue;
    }
    LayerWords name;
    snprintf(name.text, sizeof name.text, "H_%zu", head);
    page_matrix(page->picture, x, CONCAT_Y, cell, CONCAT_HEIGHT, PAGE_RESULT_COLOUR, name.text,
                layer_shape_words(d->query_tokens, d->shape.value_dim));
    const double from = page->panel_x[i] + PANEL_WIDTH / 2;
    const double to = x + cell / 2, level = bottom + 15 + 8 * (double)i;
    picture_add_line(page->picture,
                     (PictureLine){.x1 = from, .y1 = bottom, .x2 = from, .y2 = level});
    picture_add_line(page->picture, (PictureLine){.x1 = from, .y1 = level, .x2 = to, .y2 = level});
    page_arrow(page->picture, to, level, to, CONCAT_Y, PICTURE_SOLID);
  }
  PictureText caption = page_name_at(strip->x, CAPTIONS_Y);
  caption.align = PICTURE_LEFT;
  picture_add_text(
      page->picture, caption, "%s %s",
      d->shape.query_heads > 1 ? "heads side by side" : "the only head",
      layer_shape_words(d->query_tokens, d->shape.query_heads * d->shape.value_dim).text);
}

/* W_o, whose rows belong to the heads, and Y. */
static void draw_output(const Page *page) {
  const LayerDrawing *const d = page->drawing;
  const size_t dv = d->shape.value_dim, rows = d->shape.query_heads * dv;
  const double middle = CONCAT_Y + CONCAT_HEIGHT / 2;
  const double x = strip_end(&page->concat) + SIGN_ROOM, width = OUTPUT_WEIGHTS_WIDTH;
  const double height = CONCAT_HEIGHT + 8;
  const double step = height / (double)page->heads.count, y = CONCAT_Y - 4;
  page_sign(page->picture, x - SIGN_ROOM / 2, middle, "·");
  for (size_t i = 0; i < page->heads.count; i++) {
    const size_t head = page->heads.items[i];
    const double top = y + step * (double)i;
    page_box(page->picture, x, top, width, step, PAGE_RESULT_COLOUR);
    if (head == LAYER_DOTS) {
      picture_add_text(page->picture, page_small_at(x + width / 2, top + step / 2), "…");
    } else {
      picture_add_text(page->picture, page_small_at(x + width / 2, top + step / 2), "rows %s",
                       layer_range_words(head * dv, dv).text);
    }
  }
  picture_add_text(page->picture, page_name_at(x + width / 2, CAPTIONS_Y), "W_o %s",
                   layer_shape_words(rows, d->shape.width).text);
  page_sign(page->picture, x + width + SIGN_ROOM / 2, middle, "=");
  page_matrix(page->picture, x + width + SIGN_ROOM, CONCAT_Y, OUTPUT_WIDTH, CONCAT_HEIGHT,
              PAGE_RESULT_COLOUR, "Y", layer_shape_words(d->query_tokens, d->shape.width));
}

static void draw_notes(const Page *page) {
  PictureText place = {.x = 950, .y = CONCAT_Y + 2, .size = 12.5, .formula = true};
  LayerWords words;
  for (size_t i = 0; layer_note(page->drawing, i, &words); i++, place.y += 16) {
    picture_add_text(page->picture, place, "%s", words.text);
  }
}

/* Without a W_qkv, all that was drawn below the title moves up into its room. The first
 * `title_texts` texts are the title. */
static void lift(Picture *picture, size_t title_texts, double by) {
  for (size_t i = 0; i < picture->boxes.count; i++) picture->boxes.items[i].y -= by;
  for (size_t i = title_texts; i < picture->texts.count; i++) picture->texts.items[i].place.y -= by;
  for (size_t i = 0; i < picture->lines.count; i++) {
    picture->lines.items[i].y1 -= by;
    picture->lines.items[i].y2 -= by;
  }
  picture->height -= by;
}

void layer_drawing_make(const LayerDrawing *drawing, Picture *picture) {
  picture_init(picture, drawing->name);
  picture->width = PAGE_WIDTH;
  picture->height = PAGE_HEIGHT;
  Page page = {
      .drawing = drawing, .picture = picture, .heads = layer_heads(drawing->shape.query_heads)};
  lay_out_strips(&page);
  lay_out_concat(&page);
  lay_out_panels(&page);
  draw_title(&page);
  const size_t title_texts = picture->texts.count;
  if (drawing->from_input) {
    draw_input(&page);
    draw_fused_names(&page);
  } else {
    picture_add_text(picture, page_name_at(PAGE_WIDTH / 2, CHUNKS_Y - 30), "Q, K and V are given.");
  }
  for (LayerPart p = LAYER_Q; p < LAYER_PARTS; p++) {
    if (drawing->from_input) draw_weights(&page, p);
    draw_chunks(&page, p);
  }
  draw_panels(&page);
  draw_concat(&page);
  if (drawing->to_output) draw_output(&page);
  draw_notes(&page);
  if (!drawing->from_input) lift(picture, title_texts, CHUNKS_Y - WEIGHTS_Y);
}
