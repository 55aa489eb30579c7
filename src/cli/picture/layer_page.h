/* layer_page.h - the vocabulary of a layer's page: matrices, arrows, signs, and texts that fit. */
#ifndef ATTEND_SRC_CLI_PICTURE_LAYER_PAGE_H
#define ATTEND_SRC_CLI_PICTURE_LAYER_PAGE_H

#include "cli/picture/layer_parts.h"
#include "cli/picture/picture.h"

#define PAGE_GREY 0x444444u
#define PAGE_RESULT_COLOUR 0xf2f2f2u

/* Parts of Q, K and V differ by colour on a screen, by dashes in print. */
extern const uint32_t page_part_colours[LAYER_PARTS];
extern const PictureDash page_part_dashes[LAYER_PARTS];

/* Places of a name or formula of the tool's own, and of a shape; both have their middle at x, y. */
PictureText page_name_at(double x, double y);
PictureText page_small_at(double x, double y);

void page_box(Picture *picture, double x, double y, double width, double height, uint32_t colour);
void page_arrow(Picture *picture, double x1, double y1, double x2, double y2, PictureDash dash);

/* A text that is made smaller where it would be wider than `width`. */
void page_fitted(Picture *picture, PictureText place, double width, const char *text);

/* A box with a matrix's name above its shape. */
void page_matrix(Picture *picture, double x, double y, double width, double height, uint32_t colour,
                 const char *name, LayerWords shape);

/* "·", "=" or "…" between matrices. */
void page_sign(Picture *picture, double x, double y, const char *text);

#endif
