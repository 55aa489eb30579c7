/* heat_scale.h - turns values into shades, and squares of elements into cells. */
#ifndef ATTEND_SRC_CLI_PICTURE_HEAT_SCALE_H
#define ATTEND_SRC_CLI_PICTURE_HEAT_SCALE_H

#include "cli/picture/heat_map.h"

/* The values of all maps of a kind. least > most if no element is finite. Weights over many keys
 * are small beside the 1 of a row with a single key, so their shade goes with the square root. */
typedef struct HeatScale {
  double least, most;
  bool root;
  bool whole;                /* all are whole numbers */
  bool hidden, not_a_number; /* some elements are */
} HeatScale;

#define HEAT_MANY_KEYS 12 /* more keys than this are many */

HeatScale heat_scale(const HeatSheet *sheet, HeatKind kind);

/* How dark a value is: 0 for the least, 1 for the largest and for +inf. If all values are equal,
 * each is 1. The value must be neither hidden nor NaN. */
double heat_share(const HeatScale *scale, double value);

/* The colour of a share; its lightness falls all the way from 0 to 1. */
uint32_t heat_colour(double share);

/* The nearest of the 256 colours of a terminal. */
unsigned heat_terminal_colour(double share);

/* Whether white text reads better on it than black. */
bool heat_is_dark(uint32_t colour);

/* Elements along a side of a cell, for a map to have at most `most` cells on a side. */
size_t heat_block(const HeatMap *map, size_t most);

/* The cell at a row and column of cells: the largest of its elements that is not hidden; -inf if
 * all are, NaN if one is. */
double heat_cell(const HeatMap *map, size_t block, size_t row, size_t column);

typedef struct HeatNumber {
  char text[24];
} HeatNumber;

/* A value of a map of that scale in at most six characters: whole numbers where all are whole, else
 * two digits after the point; an exact 0 is "0" in any case. */
HeatNumber heat_number(const HeatScale *scale, double value);

#endif
