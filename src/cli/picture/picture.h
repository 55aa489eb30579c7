/* picture.h - boxes, lines and texts on a page, written as SVG.
 *
 * The unit is a pixel, x goes right and y goes down. Boxes lie below lines and lines below texts,
 * in whatever order they were added; of one kind, later ones lie above. When memory runs out, the
 * picture remembers it and is not written.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_PICTURE_H
#define ATTEND_SRC_CLI_PICTURE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PICTURE_BLACK 0x000000u
#define PICTURE_WHITE 0xffffffu

typedef enum PictureFill {
  PICTURE_PLAIN,
  PICTURE_HATCHED, /* diagonals of the colour on white */
  PICTURE_CROSSED, /* diagonals both ways */
} PictureFill;

typedef struct PictureBox {
  double x, y, width, height;
  PictureFill fill;
  uint32_t colour; /* 0xrrggbb */
  bool outlined;   /* a thin black line around it */
} PictureBox;

typedef enum PictureDash { PICTURE_SOLID, PICTURE_DASHED, PICTURE_DOTTED } PictureDash;

typedef struct PictureLine {
  double x1, y1, x2, y2;
  PictureDash dash;
  bool arrow; /* its head at x2, y2 */
} PictureLine;

typedef enum PictureAlign { PICTURE_LEFT, PICTURE_CENTRE, PICTURE_RIGHT } PictureAlign;

/* x is where the text begins, has its middle or ends; y is the middle of its height. */
typedef struct PictureText {
  double x, y, size;
  PictureAlign align;
  bool bold, upwards; /* upwards: turned by a quarter, read from below */
  bool formula;       /* _ and ^ set the letters, digits and inner commas after them low or high */
  uint32_t colour;
} PictureText;

typedef struct PictureBoxes {
  size_t count, capacity;
  PictureBox *items;
} PictureBoxes;

typedef struct PictureLines {
  size_t count, capacity;
  PictureLine *items;
} PictureLines;

typedef struct PictureWords {
  PictureText place;
  char *text;
} PictureWords;

typedef struct PictureTexts {
  size_t count, capacity;
  PictureWords *items;
} PictureTexts;

typedef struct Picture {
  double width, height;
  char *title; /* for readers who cannot see it; null: none */
  PictureBoxes boxes;
  PictureLines lines;
  PictureTexts texts;
  bool out_of_memory;
} Picture;

/* An empty white page. The title is copied; it is not drawn. */
void picture_init(Picture *picture, const char *title);
void picture_free(Picture *picture);

void picture_add_box(Picture *picture, PictureBox box);
void picture_add_line(Picture *picture, PictureLine line);
void picture_add_text(Picture *picture, PictureText place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An estimate of the width of a text in a sans-serif font; rather too wide than too narrow. */
double picture_text_width(const char *text, double size);

/* Writes the picture. The caller looks at ferror(). */
void picture_write_svg(const Picture *picture, FILE *file);

#endif
