/* layer_wires.h - lines from the chunks of Q, K and V down to the heads that read them.
 *
 * Every wire runs down, along a level of its own, and down again, so that two wires only ever
 * cross.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_LAYER_WIRES_H
#define ATTEND_SRC_CLI_PICTURE_LAYER_WIRES_H

#include "cli/picture/picture.h"

#define WIRE_ENDS 3
#define WIRES_MAX 9

typedef struct Wire {
  double x, y;            /* where it begins */
  size_t end_count;       /* one for each head shown that reads it */
  double ends[WIRE_ENDS]; /* their x, from left to right */
  PictureDash dash;
} Wire;

typedef struct Wires {
  size_t count;
  Wire items[WIRES_MAX];
} Wires;

/* Adds an end to the wire that begins at x, y. The first end makes the wire. */
void wires_add(Wires *wires, double x, double y, PictureDash dash, double end);

/* Draws them with their levels between top and bottom, and their arrows at `bottom`. The order of
 * the wires is lost. */
void wires_draw(Wires *wires, double top, double bottom, Picture *picture);

#endif
