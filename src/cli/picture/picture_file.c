/* picture_file.c - owns which form a name asks for, and the sentences when a picture fails. */
#include "cli/picture/picture_file.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli/message.h"
#include "cli/picture/picture_png.h"

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
  if (file->png && !picture_png_is_known()) {
    failure("%s cannot be drawn, because this tool was built without librsvg; install "
            "librsvg2-dev and build it again, or give a name that ends in .svg.",
            name);
    return false;
  }
  if (output_file_open(&file->output, name)) return true;
  failure("%s cannot be written: %s.", name, strerror(errno));
  return false;
}

void picture_file_discard(PictureFile *file) {
  output_file_discard(&file->output);
}

/* Why the picture is not in its place; null if it is. */
static const char *write_form(PictureFile *file, const Picture *picture) {
  FILE *const stream = file->output.stream;
  const char *fault = NULL;
  if (picture->out_of_memory) return "memory is short";
  if (file->png) {
    fault = picture_write_png(picture, PNG_SCALE, stream);
  } else {
    picture_write_svg(picture, stream);
  }
  if (!fault && !output_file_commit(&file->output)) fault = strerror(errno);
  return fault;
}

int picture_file_write(PictureFile *file, const Picture *picture) {
  const char *const fault = write_form(file, picture);
  picture_file_discard(file);
  return fault ? failure("%s could not be written: %s.", file->name, fault) : EXIT_SUCCESS;
}
