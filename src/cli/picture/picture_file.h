/* picture_file.h - a picture on its way into a file: SVG, or PNG where librsvg is built in.
 *
 * The file is opened before the work, so that a path that cannot be written is known early, and
 * gets its name when the picture is complete.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_PICTURE_FILE_H
#define ATTEND_SRC_CLI_PICTURE_PICTURE_FILE_H

#include "cli/picture/picture.h"
#include "platform/output_file.h"

typedef struct PictureFile {
  OutputFile output;
  const char *name; /* as the user gave it; it must outlive the struct */
  bool png;
} PictureFile;

/* Whether the name ends in .svg or .png, which decide the form of the picture. */
bool picture_file_accepts(const char *name);

/* Opens a file of an accepted name. False, with the sentence printed, if it cannot be written,
 * or if it is to be PNG and this tool cannot draw PNG. */
bool picture_file_open(PictureFile *file, const char *name);

/* Writes the picture and closes the file. EXIT_SUCCESS, or EXIT_FAILURE with the sentence printed;
 * what was at the path before is then still there. */
int picture_file_write(PictureFile *file, const Picture *picture);

/* Leaves no trace of a file that was opened and not written. Allowed on a zero struct. */
void picture_file_discard(PictureFile *file);

#endif
