/* layer_panel.h - what one head reads, computes and gives, as a panel of a layer's page. */
#ifndef ATTEND_SRC_CLI_PICTURE_LAYER_PANEL_H
#define ATTEND_SRC_CLI_PICTURE_LAYER_PANEL_H

#include "cli/picture/layer_parts.h"
#include "cli/picture/picture.h"

#define PANEL_WIDTH 372.0
#define PANEL_HEIGHT 206.0
#define PANEL_PADDING 8.0 /* between its edges and its matrices */

/* Where in a panel that begins at x the wire of Q, K or V ends. */
double panel_port_x(double panel, LayerPart part);

void panel_draw(const LayerDrawing *drawing, Picture *picture, double x, double y, size_t head);

#endif
