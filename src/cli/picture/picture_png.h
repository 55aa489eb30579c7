/* picture_png.h - a picture as PNG, which librsvg makes of its SVG.
 *
 * librsvg is optional when the tool is built; the rest of the tool asks here whether it is there.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_PICTURE_PNG_H
#define ATTEND_SRC_CLI_PICTURE_PICTURE_PNG_H

#include "cli/picture/picture.h"

/* Whether this tool was built with librsvg. */
bool picture_png_is_known(void);

/* Writes the picture, each unit `scale` pixels wide. Returns null, or the reason why not all of it
 * is in the file. */
const char *picture_write_png(const Picture *picture, double scale, FILE *file);

#endif
