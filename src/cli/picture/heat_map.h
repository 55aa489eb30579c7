/* heat_map.h - scores and weights as a picture: dark is much, light is little, in colour and in
 * grey.
 *
 * All maps of one kind in a sheet share one scale, so that heads can be compared. Hidden elements
 * (-inf) are hatched and NaN is crossed, so that neither is taken for a value. Elements of a small
 * map show their numbers; of a large one each cell stands for a square of elements and shows the
 * largest of them. Weights are shown from 0 on, scores from the least one.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_HEAT_MAP_H
#define ATTEND_SRC_CLI_PICTURE_HEAT_MAP_H

#include "cli/picture/picture.h"

typedef enum HeatKind { HEAT_SCORES, HEAT_WEIGHTS, HEAT_KINDS } HeatKind;

typedef struct HeatMap {
  const char *title; /* "weights, head 3" */
  HeatKind kind;
  size_t rows, columns, row_stride; /* query tokens, key tokens; at least 1 */
  const float *data;
  const char *const *row_labels;    /* [rows], the tokens' words; null: numbers */
  const char *const *column_labels; /* [columns] */
} HeatMap;

typedef struct HeatSheet {
  const char *title;
  size_t count;
  const HeatMap *maps;
} HeatSheet;

/* A page with all maps of the sheet. picture_free() it in any case. */
void heat_sheet_make(const HeatSheet *sheet, Picture *picture);

/* The sheet on a terminal: blocks in five shades, and with `colour` 256 colours. */
void heat_sheet_print(const HeatSheet *sheet, bool colour, FILE *file);

#endif
