/* picture_file.c - owns the choice between the two writers, and the sentences when one fails.
 *
 * gnuplot draws into the temporary name; it gets its place like any other output.
 */
#include "cli/picture/picture_file.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli/message.h"
#include "cli/util/gnuplot.h"

/* Pixels of a PNG for each unit: sharp enough for a projector. */
#define PNG_SCALE 2.0

static bool ends_with(const char *name, const char *ending) {
  const size_t length = strlen(name), tail = strlen(ending);
  return length > tail && strcasecmp(name + length - tail, ending) == 0;
}

bool picture_file_accepts(const char *name) {
  return ends_with(name, ".svg") || ends_with(name, ".png");
}

bool picture_file_open(PictureFile *file, const char *name) {
  *file = (PictureFile){.name = name, .png = ends_with(name, ".png")};
  if (output_file_open(&file->output, name)) return true;
  failure("%s cannot be written: %s.", name, strerror(errno));
  return false;
}

void picture_file_discard(PictureFile *file) {
  output_file_discard(&file->output);
}

static PlotOutcome draw_png(const PictureFile *file, const Picture *picture) {
  const OutputFile *const output = &file->output;
  FILE *const script = tmpfile();
  if (!script) return PLOT_UNWRITABLE;
  picture_write_gnuplot(picture, PNG_SCALE, *output->temporary ? output->temporary : output->path,
                        script);
  const PlotOutcome outcome = gnuplot_run(script, output->stream);
  const int error = errno;
  fclose(script);
  errno = error;
  return outcome;
}

int picture_file_write(PictureFile *file, const Picture *picture) {
  if (picture->out_of_memory) {
    picture_file_discard(file);
    return failure("%s was not drawn, because memory is short.", file->name);
  }
  PlotOutcome outcome = PLOT_DRAWN;
  if (file->png) {
    outcome = draw_png(file, picture);
  } else {
    picture_write_svg(picture, file->output.stream);
  }
  if (outcome == PLOT_DRAWN && !output_file_commit(&file->output)) outcome = PLOT_UNWRITABLE;
  const int error = errno;
  picture_file_discard(file);
  switch (outcome) {
  case PLOT_DRAWN:
    return EXIT_SUCCESS;
  case PLOT_NO_GNUPLOT:
    return failure("%s was not drawn, because gnuplot is not installed; a name that ends in .svg "
                   "needs none.",
                   file->name);
  case PLOT_UNWRITABLE:
    return failure("%s could not be written: %s.", file->name, strerror(error));
  default:
    return failure("%s was not drawn, because gnuplot failed.", file->name);
  }
}
