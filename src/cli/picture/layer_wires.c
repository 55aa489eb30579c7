/* layer_wires.c - owns the order of the levels.
 *
 * Wires to the right take the upper levels, the rightmost first; wires to the left the lower ones,
 * the leftmost first. Wires of one direction then do not cross at all if their ends have the order
 * of their beginnings.
 */
#include "cli/picture/layer_wires.h"

#include <math.h>
#include <stdlib.h>

#define NEAR 6.0        /* vertical lines closer than this look like one */
#define STRAIGHT 20.0   /* a smaller shift is left out: the wire runs straight down */
#define ARROW_ROOM 14.0 /* below the lowest level */
#define DOT 4.0

void wires_add(Wires *wires, double x, double y, PictureDash dash, double end) {
  for (size_t i = 0; i < wires->count; i++) {
    Wire *const wire = &wires->items[i];
    if (wire->x == x && wire->end_count < WIRE_ENDS) {
      wire->ends[wire->end_count++] = end;
      return;
    }
  }
  if (wires->count < WIRES_MAX) {
    wires->items[wires->count++] =
        (Wire){.x = x, .y = y, .end_count = 1, .ends = {end}, .dash = dash};
  }
}

static double last_end(const Wire *wire) {
  return wire->ends[wire->end_count - 1];
}

static bool goes_right(const Wire *wire) {
  return last_end(wire) >= wire->x;
}

static int by_level(const void *left, const void *right) {
  const Wire *const a = left, *const b = right;
  if (goes_right(a) != goes_right(b)) return goes_right(a) ? -1 : 1;
  if (a->x == b->x) return 0;
  return (a->x > b->x) == goes_right(a) ? -1 : 1;
}

/* Moves aside the ends that lie below the beginning of another wire. */
static void part(Wires *wires) {
  for (size_t w = 0; w < wires->count; w++) {
    for (size_t e = 0; e < wires->items[w].end_count; e++) {
      double *const end = &wires->items[w].ends[e];
      for (size_t other = 0; other < wires->count; other++) {
        const double apart = *end - wires->items[other].x;
        if (other != w && fabs(apart) < NEAR) *end += apart < 0 ? -NEAR : NEAR;
      }
    }
  }
}

static void draw_wire(const Wire *wire, double level, double bottom, Picture *picture) {
  const double left = fmin(wire->x, wire->ends[0]), right = fmax(wire->x, last_end(wire));
  picture_add_line(picture, (PictureLine){wire->x, wire->y, wire->x, level, wire->dash, false});
  if (right > left) {
    picture_add_line(picture, (PictureLine){left, level, right, level, wire->dash, false});
  }
  for (size_t e = 0; e < wire->end_count; e++) {
    const double x = wire->ends[e];
    picture_add_line(picture, (PictureLine){x, level, x, bottom, wire->dash, true});
    if (x <= left || x >= right) continue;
    picture_add_box(picture, (PictureBox){.x = x - DOT / 2,
                                          .y = level - DOT / 2,
                                          .width = DOT,
                                          .height = DOT,
                                          .colour = PICTURE_BLACK});
  }
}

static void straighten(Wires *wires) {
  for (size_t w = 0; w < wires->count; w++) {
    Wire *const wire = &wires->items[w];
    if (wire->end_count == 1 && fabs(wire->x - wire->ends[0]) < STRAIGHT) wire->x = wire->ends[0];
  }
}

void wires_draw(Wires *wires, double top, double bottom, Picture *picture) {
  straighten(wires);
  part(wires);
  qsort(wires->items, wires->count, sizeof *wires->items, by_level);
  const double step = (bottom - ARROW_ROOM - top) / (double)(wires->count + 1);
  for (size_t i = 0; i < wires->count; i++) {
    draw_wire(&wires->items[i], top + step * (double)(i + 1), bottom, picture);
  }
}
