/* layer_drawing.h - an attention layer as a drawing: which columns of the fused W_qkv are whose,
 * where the matrices of each head arise, who shares keys and values, and how the heads come to lie
 * side by side before W_o, with the shapes of the lesson on every matrix.
 *
 * Of more than three heads the first two and the last are drawn, with dots between them. Sizes are
 * not to scale. Names: Q_h, K_g, V_g and H_h are query, key, value and context of the taps, S_h the
 * scores, A_h the weights.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_LAYER_DRAWING_H
#define ATTEND_SRC_CLI_PICTURE_LAYER_DRAWING_H

#include <stdio.h>

#include "attend/attend.h"
#include "cli/picture/picture.h"

typedef struct LayerDrawing {
  const char *name;       /* of the model or the lesson */
  AttendLayerShape shape; /* width may be 0 where neither projection is drawn */
  size_t batch;
  size_t query_tokens, key_tokens; /* the key tokens of the past lie in a cache */
  bool from_input;                 /* X and W_qkv are there; otherwise Q, K and V are given */
  bool to_output;                  /* W_o and Y are there */
  bool masked;                     /* something hides keys */
  bool by_sum;                     /* the weights are scores divided by their sum, not a softmax */
  const char *const *labels;       /* [query_tokens], the tokens' words; null: none */
} LayerDrawing;

/* A page for a slide, 16 to 9. picture_free() it in any case. */
void layer_drawing_make(const LayerDrawing *drawing, Picture *picture);

/* The same for a terminal: 80 columns at a classroom's sizes, up to 100 at those of models. */
void layer_drawing_print(const LayerDrawing *drawing, FILE *file);

#endif
