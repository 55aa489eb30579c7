/* picture_svg.c - a picture as SVG 1.1, by hand: valid XML, generic fonts, no style sheet, no
 * script.
 *
 * Only what is used is defined: a page without hatching has no pattern, one without arrows no
 * marker.
 */
#include "cli/picture/picture.h"

#include <ctype.h>
#include <string.h>

#define SHIFT_PER_SIZE 0.25 /* how far an index or exponent leaves the line */
#define INDEX_PER_SIZE 0.75 /* its size */
#define HALF_HEIGHT 0.35    /* from the middle of a capital to its foot */

static void write_escaped(FILE *file, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    switch (text[i]) {
    case '<':
      fputs("&lt;", file);
      break;
    case '>':
      fputs("&gt;", file);
      break;
    case '&':
      fputs("&amp;", file);
      break;
    case '"':
      fputs("&quot;", file);
      break;
    default:
      fputc(text[i], file);
      break;
    }
  }
}

static bool has_fill(const Picture *picture, PictureFill fill) {
  for (size_t i = 0; i < picture->boxes.count; i++) {
    if (picture->boxes.items[i].fill == fill) return true;
  }
  return false;
}

static bool has_arrow(const Picture *picture) {
  for (size_t i = 0; i < picture->lines.count; i++) {
    if (picture->lines.items[i].arrow) return true;
  }
  return false;
}

/* Diagonals that meet at the edges of their tiles. */
static void write_pattern(FILE *file, const char *name, const char *path) {
  fprintf(file,
          "<pattern id=\"%s\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
          "<rect width=\"6\" height=\"6\" fill=\"#fff\"/>"
          "<path d=\"%s\" stroke=\"#888\" stroke-width=\"0.8\"/></pattern>\n",
          name, path);
}

static void write_definitions(const Picture *picture, FILE *file) {
  const bool hatched = has_fill(picture, PICTURE_HATCHED);
  const bool crossed = has_fill(picture, PICTURE_CROSSED), arrow = has_arrow(picture);
  if (!hatched && !crossed && !arrow) return;
  fputs("<defs>\n", file);
  if (hatched) write_pattern(file, "hatched", "M-1 1L1-1M0 6L6 0M5 7L7 5");
  if (crossed) write_pattern(file, "crossed", "M0 0L6 6M0 6L6 0");
  if (arrow) {
    fputs("<marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" "
          "markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
          "<path d=\"M0 0.8L8 4L0 7.2z\"/></marker>\n",
          file);
  }
  fputs("</defs>\n", file);
}

static void write_fill(const PictureBox *box, FILE *file) {
  switch (box->fill) {
  case PICTURE_HATCHED:
    fputs("url(#hatched)", file);
    break;
  case PICTURE_CROSSED:
    fputs("url(#crossed)", file);
    break;
  default:
    fprintf(file, "#%06x", (unsigned)box->colour);
    break;
  }
}

/* Edges are not smoothed, so that boxes without an outline meet without a seam. Outlines are
 * smoothed; otherwise parts of them would vanish on a page that is shown smaller. */
static void write_boxes(const Picture *picture, FILE *file) {
  fputs("<g shape-rendering=\"crispEdges\">\n", file);
  for (size_t i = 0; i < picture->boxes.count; i++) {
    const PictureBox *const box = &picture->boxes.items[i];
    fprintf(file, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" fill=\"", box->x,
            box->y, box->width, box->height);
    write_fill(box, file);
    fputs(box->outlined ? "\" stroke=\"#000\" shape-rendering=\"auto\"/>\n" : "\"/>\n", file);
  }
  fputs("</g>\n", file);
}

static void write_lines(const Picture *picture, FILE *file) {
  static const char *const dashes[] = {"", " stroke-dasharray=\"7 4\"",
                                       " stroke-dasharray=\"1.5 3\""};
  fputs("<g stroke=\"#000\" stroke-width=\"1.2\">\n", file);
  for (size_t i = 0; i < picture->lines.count; i++) {
    const PictureLine *const line = &picture->lines.items[i];
    fprintf(file, "<path d=\"M%.6g %.6gL%.6g %.6g\"%s%s/>\n", line->x1, line->y1, line->x2,
            line->y2, dashes[line->dash], line->arrow ? " marker-end=\"url(#head)\"" : "");
  }
  fputs("</g>\n", file);
}

/* Characters at one height; none, if the run is empty. *from is the height before, and becomes this
 * one. */
static void write_run(const char *text, size_t length, double level, double size, double *from,
                      FILE *file) {
  if (length == 0) return;
  fprintf(file, "<tspan dy=\"%.4g\" font-size=\"%.4g\">", level - *from, size);
  write_escaped(file, text, length);
  fputs("</tspan>", file);
  *from = level;
}

/* Bytes of the index or exponent that follows a _ or ^. */
static size_t index_bytes(const char *text) {
  size_t bytes = 0;
  while (isalnum((unsigned char)text[bytes]) ||
         (text[bytes] == ',' && isalnum((unsigned char)text[bytes + 1])))
    bytes++;
  return bytes;
}

static void write_formula(const char *text, double size, FILE *file) {
  const double shift = SHIFT_PER_SIZE * size;
  double level = 0;
  while (*text) {
    const size_t plain = strcspn(text, "_^");
    write_run(text, plain, 0, size, &level, file);
    text += plain;
    if (!*text) break;
    const size_t length = index_bytes(text + 1);
    write_run(text + 1, length, *text == '_' ? shift : -1.5 * shift, INDEX_PER_SIZE * size, &level,
              file);
    text += 1 + length;
  }
}

static void write_text(const PictureWords *words, FILE *file) {
  static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  const PictureText *const place = &words->place;
  fprintf(file, "<text x=\"%.6g\" y=\"%.6g\" font-size=\"%.4g\"%s%s", place->x,
          place->y + HALF_HEIGHT * place->size, place->size, anchors[place->align],
          place->bold ? " font-weight=\"bold\"" : "");
  if (place->colour != PICTURE_BLACK) fprintf(file, " fill=\"#%06x\"", (unsigned)place->colour);
  if (place->upwards) fprintf(file, " transform=\"rotate(-90 %.6g %.6g)\"", place->x, place->y);
  /* Tokens may begin or end with spaces. */
  fputs(" xml:space=\"preserve\">", file);
  if (place->formula) {
    write_formula(words->text, place->size, file);
  } else {
    write_escaped(file, words->text, strlen(words->text));
  }
  fputs("</text>\n", file);
}

void picture_write_svg(const Picture *picture, FILE *file) {
  fprintf(file,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.6g\" "
          "height=\"%.6g\" viewBox=\"0 0 %.6g %.6g\" font-family=\"sans-serif\">\n",
          picture->width, picture->height, picture->width, picture->height);
  if (picture->title) {
    fputs("<title>", file);
    write_escaped(file, picture->title, strlen(picture->title));
    fputs("</title>\n", file);
  }
  write_definitions(picture, file);
  fprintf(file, "<rect width=\"%.6g\" height=\"%.6g\" fill=\"#fff\"/>\n", picture->width,
          picture->height);
  write_boxes(picture, file);
  write_lines(picture, file);
  for (size_t i = 0; i < picture->texts.count; i++) write_text(&picture->texts.items[i], file);
  fputs("</svg>\n", file);
}
