/* picture_png.c - the SVG of picture_svg.c on a surface of cairo, drawn by librsvg.
 *
 * Owns the only calls of the two libraries. ATTEND_PNG says whether the build has them.
 */
#include "cli/picture/picture_png.h"

#if ATTEND_PNG

#  include <errno.h>
#  include <librsvg/rsvg.h>
#  include <math.h>
#  include <stdlib.h>
#  include <string.h>

static const char no_surface[] = "memory is short, or a side has more than 32767 pixels";

bool picture_png_is_known(void) {
  return true;
}

/* Our own pages may have more boxes than librsvg takes from strangers, hence UNLIMITED. */
static RsvgHandle *open_page(const Picture *picture) {
  char *text = NULL;
  size_t size = 0;
  FILE *const memory = open_memstream(&text, &size);
  if (!memory) return NULL;
  picture_write_svg(picture, memory);
  const bool whole = !ferror(memory);
  RsvgHandle *page = NULL;
  if (fclose(memory) == 0 && whole) {
    GInputStream *const stream = g_memory_input_stream_new_from_data(text, (gssize)size, NULL);
    page = rsvg_handle_new_from_stream_sync(stream, NULL, RSVG_HANDLE_FLAG_UNLIMITED, NULL, NULL);
    g_object_unref(stream);
  }
  free(text);
  return page;
}

static cairo_status_t append(void *file, const unsigned char *data, unsigned length) {
  return fwrite(data, 1, length, file) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static bool draw_page(RsvgHandle *page, cairo_surface_t *surface, double width, double height) {
  cairo_t *const pen = cairo_create(surface);
  const RsvgRectangle whole = {0, 0, width, height};
  /* A page need not end where a pixel does. */
  cairo_set_source_rgb(pen, 1, 1, 1);
  cairo_paint(pen);
  const bool drawn = rsvg_handle_render_document(page, pen, &whole, NULL) &&
                     cairo_status(pen) == CAIRO_STATUS_SUCCESS;
  cairo_destroy(pen);
  return drawn;
}

const char *picture_write_png(const Picture *picture, double scale, FILE *file) {
  const double width = ceil(picture->width * scale), height = ceil(picture->height * scale);
  RsvgHandle *const page = open_page(picture);
  if (!page) return no_surface;
  cairo_surface_t *const surface =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
  const char *fault = no_surface;
  if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS &&
      draw_page(page, surface, width, height)) {
    const cairo_status_t status = cairo_surface_write_to_png_stream(surface, append, file);
    if (status == CAIRO_STATUS_SUCCESS) fault = NULL;
    if (status == CAIRO_STATUS_WRITE_ERROR) fault = strerror(errno);
  }
  cairo_surface_destroy(surface);
  g_object_unref(page);
  return fault;
}

#else

bool picture_png_is_known(void) {
  return false;
}

const char *picture_write_png(const Picture *picture, double scale, FILE *file) {
  (void)picture;
  (void)scale;
  (void)file;
  return "this tool was built without librsvg";
}

#endif
