/* heat_map.c - the page: maps in a grid, with their tokens, and the scales below them.
 *
 * All maps have the same room, that of the largest. Neighbours of one shade become one box, which
 * keeps the files of large maps small. An element that shows its number keeps a box of its own.
 */
#include "cli/picture/heat_map.h"

#include <math.h>

#include "cli/picture/heat_scale.h"
#include "cli/util/utf8.h"

#define MARGIN 24.0
#define TITLE_HEIGHT 40.0
#define MAP_TITLE_HEIGHT 22.0
#define AXIS_ROOM 18.0 /* for "keys" and "queries" */
#define GAP 28.0
#define LEGEND_HEIGHT 34.0
#define LEAST_WIDTH 560.0

#define SMALL_MAP HEAT_MANY_KEYS /* larger maps show no numbers */
#define SMALL_CELL 44.0
#define MAP_SIDE 340.0 /* of a map without numbers, rounded to whole pixels per cell */
#define CELLS_OF_SIDE 128
#define CELLS_OF_SHEET 65536
#define SHADES 64

#define MAP_TITLE_SIZE 14.0
#define BOLD 1.15 /* times the width of plain text */
#define LABEL_SIZE 11.0
#define LABEL_COLUMNS 14
#define LABEL_STEP 13.0 /* between two labels that can be read */
#define GREY 0x444444u

typedef struct Page {
  const HeatSheet *sheet;
  Picture *picture;
  HeatScale scales[HEAT_KINDS];
  bool numbers;                     /* in the cells */
  size_t most_cells;                /* on a side of a map */
  double cell;                      /* width of a cell */
  double row_labels, column_labels; /* room for them */
  double width, height;             /* of a map with all that belongs to it */
  size_t across;                    /* maps in a line */
} Page;

typedef struct LabelText {
  char text[96];
} LabelText;

static LabelText label_text(const char *const *labels, size_t index) {
  LabelText label;
  if (labels) {
    utf8_copy(labels[index], LABEL_COLUMNS, label.text, sizeof label.text);
  } else {
    snprintf(label.text, sizeof label.text, "%zu", index);
  }
  return label;
}

static double widest_label(const char *const *labels, size_t count) {
  /* The last number is the widest one. */
  if (!labels) return picture_text_width(label_text(NULL, count - 1).text, LABEL_SIZE);
  double widest = 0;
  for (size_t i = 0; i < count; i++)
    widest = fmax(widest, picture_text_width(label_text(labels, i).text, LABEL_SIZE));
  return widest;
}

static size_t cells_of(size_t elements, size_t block) {
  return (elements + block - 1) / block;
}

static bool labels_stand(const Page *page) {
  return page->column_labels > LABEL_STEP + 4;
}

/* Cells and labels come first, because they decide how much room a map takes. */
static void measure_maps(Page *page) {
  const HeatSheet *const sheet = page->sheet;
  size_t rows = 1, columns = 1;
  double widest = 0, title = 0;
  page->numbers = true;
  for (size_t m = 0; m < sheet->count; m++) {
    const HeatMap *const map = &sheet->maps[m];
    const size_t block = heat_block(map, page->most_cells);
    const size_t down = cells_of(map->rows, block), over = cells_of(map->columns, block);
    rows = down > rows ? down : rows;
    columns = over > columns ? over : columns;
    page->numbers &= map->rows <= SMALL_MAP && map->columns <= SMALL_MAP;
    page->row_labels = fmax(page->row_labels, widest_label(map->row_labels, map->rows) + 6);
    widest = fmax(widest, widest_label(map->column_labels, map->columns));
    title = fmax(title, BOLD * picture_text_width(map->title, MAP_TITLE_SIZE));
  }
  const size_t side = rows > columns ? rows : columns;
  page->cell = page->numbers ? SMALL_CELL : fmax(3, floor(MAP_SIDE / (double)side));
  page->column_labels = widest + 4 < page->cell ? LABEL_STEP + 3 : widest + 8;
  page->width = AXIS_ROOM + page->row_labels + fmax(page->cell * (double)columns, title);
  page->height =
      MAP_TITLE_HEIGHT + AXIS_ROOM + page->column_labels + page->cell * (double)rows + GAP;
}

static void measure_page(Page *page) {
  const size_t count = page->sheet->count ? page->sheet->count : 1;
  page->across = (size_t)ceil(sqrt((double)count * page->height / page->width));
  if (page->across > count) page->across = count;
  const size_t down = (count + page->across - 1) / page->across;
  /* The fewest columns that fill these lines, so that four maps make a square. */
  page->across = (count + down - 1) / down;
  const double wide = (double)page->across * (page->width + GAP) - GAP;
  size_t kinds = 0;
  for (int k = 0; k < HEAT_KINDS; k++) kinds += page->scales[k].least <= page->scales[k].most;
  page->picture->width = 2 * MARGIN + fmax(wide, LEAST_WIDTH);
  page->picture->height = 2 * MARGIN + TITLE_HEIGHT + (double)down * page->height +
                          LEGEND_HEIGHT * (double)(kinds ? kinds : 1);
}

static PictureText label_at(double x, double y, PictureAlign align) {
  return (PictureText){.x = x, .y = y, .size = LABEL_SIZE, .align = align};
}

/* A map in its place: where its first cell begins, and how its elements become cells. */
typedef struct Placed {
  const HeatMap *map;
  double x, y;
  size_t block, rows, columns; /* of cells */
} Placed;

static void draw_labels(const Page *page, const Placed *p) {
  const size_t step = (size_t)ceil(LABEL_STEP / page->cell);
  const bool stand = labels_stand(page);
  for (size_t r = 0; r < p->rows; r += step) {
    const double y = p->y + page->cell * ((double)r + 0.5);
    picture_add_text(page->picture, label_at(p->x - 5, y, PICTURE_RIGHT), "%s",
                     label_text(p->map->row_labels, r * p->block).text);
  }
  for (size_t c = 0; c < p->columns; c += step) {
    const double x = p->x + page->cell * ((double)c + 0.5);
    PictureText place = label_at(x, p->y - (stand ? 5 : 9), stand ? PICTURE_LEFT : PICTURE_CENTRE);
    place.upwards = stand;
    picture_add_text(page->picture, place, "%s",
                     label_text(p->map->column_labels, c * p->block).text);
  }
}

static void draw_names(const Page *page, const Placed *p) {
  PictureText place = {.x = p->x,
                       .y = p->y - page->column_labels - AXIS_ROOM - MAP_TITLE_HEIGHT / 2,
                       .size = MAP_TITLE_SIZE,
                       .bold = true};
  picture_add_text(page->picture, place, "%s", p->map->title);
  place = label_at(p->x, p->y - page->column_labels - AXIS_ROOM / 2, PICTURE_LEFT);
  place.colour = GREY;
  if (p->block > 1) {
    picture_add_text(page->picture, place, "keys (a cell: the largest of %zu × %zu)", p->block,
                     p->block);
  } else {
    picture_add_text(page->picture, place, "keys");
  }
  place = label_at(p->x - page->row_labels - AXIS_ROOM / 2, p->y + page->cell * (double)p->rows / 2,
                   PICTURE_CENTRE);
  place.colour = GREY;
  place.upwards = true;
  picture_add_text(page->picture, place, "queries");
}

/* How a cell is filled. Cells that look the same compare equal. */
typedef struct Shade {
  PictureFill fill;
  uint32_t colour;
} Shade;

static Shade shade_of(const HeatScale *scale, double value) {
  if (isnan(value)) return (Shade){PICTURE_CROSSED, 0};
  if (value == -INFINITY) return (Shade){PICTURE_HATCHED, 0};
  return (Shade){PICTURE_PLAIN, heat_colour(round(heat_share(scale, value) * SHADES) / SHADES)};
}

static bool same_shade(Shade a, Shade b) {
  return a.fill == b.fill && a.colour == b.colour;
}

static void draw_number(const Page *page, const HeatScale *scale, double x, double y, Shade shade,
                        double value) {
  /* The hatching of a hidden element is sign enough. */
  if (shade.fill == PICTURE_HATCHED) return;
  const HeatNumber number = heat_number(scale, value);
  PictureText place = label_at(x + page->cell / 2, y + page->cell / 2, PICTURE_CENTRE);
  place.size = 12;
  if (picture_text_width(number.text, place.size) > page->cell - 2) place.size = 9;
  const bool dark = shade.fill == PICTURE_PLAIN && heat_is_dark(shade.colour);
  place.colour = dark ? PICTURE_WHITE : PICTURE_BLACK;
  picture_add_text(page->picture, place, "%s", number.text);
}

static void draw_row(const Page *page, const Placed *p, size_t row) {
  const HeatScale *const scale = &page->scales[p->map->kind];
  const double y = p->y + page->cell * (double)row;
  size_t first = 0;
  Shade shade = shade_of(scale, heat_cell(p->map, p->block, row, 0));
  for (size_t c = 1; c <= p->columns; c++) {
    const bool more = c < p->columns;
    const Shade next =
        more ? shade_of(scale, heat_cell(p->map, p->block, row, c)) : (Shade){PICTURE_PLAIN, 0};
    if (more && !page->numbers && same_shade(shade, next)) continue;
    picture_add_box(page->picture, (PictureBox){.x = p->x + page->cell * (double)first,
                                                .y = y,
                                                .width = page->cell * (double)(c - first),
                                                .height = page->cell,
                                                .fill = shade.fill,
                                                .colour = shade.colour});
    if (page->numbers) {
      draw_number(page, scale, p->x + page->cell * (double)first, y, shade,
                  heat_cell(p->map, 1, row, first));
    }
    first = c;
    shade = next;
  }
}

static void draw_frame(const Page *page, const Placed *p) {
  const double right = p->x + page->cell * (double)p->columns;
  const double bottom = p->y + page->cell * (double)p->rows;
  picture_add_line(page->picture, (PictureLine){.x1 = p->x, .y1 = p->y, .x2 = right, .y2 = p->y});
  picture_add_line(page->picture,
                   (PictureLine){.x1 = right, .y1 = p->y, .x2 = right, .y2 = bottom});
  picture_add_line(page->picture,
                   (PictureLine){.x1 = right, .y1 = bottom, .x2 = p->x, .y2 = bottom});
  picture_add_line(page->picture, (PictureLine){.x1 = p->x, .y1 = bottom, .x2 = p->x, .y2 = p->y});
}

static void draw_map(const Page *page, size_t index) {
  const HeatMap *const map = &page->sheet->maps[index];
  const size_t block = heat_block(map, page->most_cells);
  const double left = MARGIN + (double)(index % page->across) * (page->width + GAP);
  const double top = MARGIN + TITLE_HEIGHT + (double)(index / page->across) * page->height;
  const Placed placed = {.map = map,
                         .x = left + AXIS_ROOM + page->row_labels,
                         .y = top + MAP_TITLE_HEIGHT + AXIS_ROOM + page->column_labels,
                         .block = block,
                         .rows = cells_of(map->rows, block),
                         .columns = cells_of(map->columns, block)};
  for (size_t r = 0; r < placed.rows; r++) draw_row(page, &placed, r);
  draw_frame(page, &placed);
  draw_labels(page, &placed);
  draw_names(page, &placed);
}

static double draw_swatch(const Page *page, double x, double y, PictureFill fill,
                          const char *text) {
  picture_add_box(
      page->picture,
      (PictureBox){.x = x, .y = y - 8, .width = 16, .height = 16, .fill = fill, .outlined = true});
  picture_add_text(page->picture, label_at(x + 22, y, PICTURE_LEFT), "%s", text);
  return x + 22 + picture_text_width(text, LABEL_SIZE) + 18;
}

/* One scale: its name, its least value, the shades, its largest value. Returns where it ends. */
static double draw_scale(const Page *page, HeatKind kind, double x, double y) {
  static const char *const names[HEAT_KINDS] = {"scores", "weights"};
  const HeatScale *const scale = &page->scales[kind];
  const HeatNumber least = heat_number(scale, scale->least), most = heat_number(scale, scale->most);
  const double width = 192;
  picture_add_text(page->picture, label_at(x, y, PICTURE_LEFT), "%s", names[kind]);
  x += 60 + picture_text_width(least.text, LABEL_SIZE);
  picture_add_text(page->picture, label_at(x - 6, y, PICTURE_RIGHT), "%s", least.text);
  for (size_t i = 0; i < SHADES; i++) {
    const double share = (double)i / (SHADES - 1);
    picture_add_box(page->picture, (PictureBox){.x = x + width / SHADES * (double)i,
                                                .y = y - 8,
                                                .width = width / SHADES,
                                                .height = 16,
                                                .colour = heat_colour(share)});
  }
  char end[64];
  snprintf(end, sizeof end, "%s%s", most.text, scale->root ? ", shade: square root" : "");
  picture_add_text(page->picture, label_at(x + width + 6, y, PICTURE_LEFT), "%s", end);
  return x + width + 6 + picture_text_width(end, LABEL_SIZE) + 24;
}

static void draw_legend(const Page *page) {
  bool hidden = false, not_a_number = false;
  double y = page->picture->height - MARGIN - 10, x = MARGIN;
  for (int k = HEAT_KINDS - 1; k >= 0; k--) {
    const HeatScale *const scale = &page->scales[k];
    hidden |= scale->hidden;
    not_a_number |= scale->not_a_number;
    if (scale->least > scale->most) continue;
    x = fmax(x, draw_scale(page, (HeatKind)k, MARGIN, y));
    y -= LEGEND_HEIGHT;
  }
  y = page->picture->height - MARGIN - 10;
  if (hidden) x = draw_swatch(page, x, y, PICTURE_HATCHED, "hidden (−∞)");
  if (not_a_number) draw_swatch(page, x, y, PICTURE_CROSSED, "not a number");
}

void heat_sheet_make(const HeatSheet *sheet, Picture *picture) {
  picture_init(picture, sheet->title);
  Page page = {.sheet = sheet, .picture = picture};
  for (int k = 0; k < HEAT_KINDS; k++) page.scales[k] = heat_scale(sheet, (HeatKind)k);
  page.most_cells =
      (size_t)fmin(CELLS_OF_SIDE, sqrt(CELLS_OF_SHEET / fmax(1, (double)sheet->count)));
  if (page.most_cells < SMALL_MAP) page.most_cells = SMALL_MAP;
  measure_maps(&page);
  measure_page(&page);
  picture_add_text(picture, (PictureText){.x = MARGIN, .y = MARGIN + 8, .size = 20, .bold = true},
                   "%s", sheet->title);
  for (size_t m = 0; m < sheet->count; m++) draw_map(&page, m);
  if (sheet->count == 0) {
    picture_add_text(picture, label_at(MARGIN, MARGIN + TITLE_HEIGHT, PICTURE_LEFT),
                     "There is nothing to draw.");
  }
  draw_legend(&page);
}
