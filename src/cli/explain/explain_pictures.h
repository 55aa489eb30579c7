/* explain_pictures.h - the drawing of a lesson's layer, and heat maps of its scores and weights.
 *
 * The files are opened before anything is computed, so that a path that cannot be written is known
 * early.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_EXPLAIN_PICTURES_H
#define ATTEND_SRC_CLI_EXPLAIN_EXPLAIN_PICTURES_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"
#include "cli/picture/picture_file.h"

/* In place of the name of a file: the drawing as text, on standard output. */
#define EXPLAIN_DRAW_TEXT "text"

typedef struct ExplainPictures {
  PictureFile drawing, heat;
  bool draws, draws_text, heats;
} ExplainPictures;

/* Opens the files; null: not asked for. False, with the sentence printed, if one cannot be
 * written. */
bool explain_pictures_open(ExplainPictures *pictures, const char *draw, const char *heat);

/* The drawing as text, if it was asked for. */
void explain_pictures_print(const ExplainPictures *pictures, const Lesson *lesson);

/* Writes the files. An exit status, with the sentence printed. */
int explain_pictures_write(ExplainPictures *pictures, const Lesson *lesson, const Trace *trace);

/* Leaves no trace of files that were not written. */
void explain_pictures_discard(ExplainPictures *pictures);

#endif
