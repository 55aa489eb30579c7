/* layer_parts.h - what the page and the text of a layer drawing have in common: which heads are
 * shown, which columns are theirs, and how shapes are written.
 */
#ifndef ATTEND_SRC_CLI_PICTURE_LAYER_PARTS_H
#define ATTEND_SRC_CLI_PICTURE_LAYER_PARTS_H

#include "cli/picture/layer_drawing.h"

#define LAYER_SLOTS 4
#define LAYER_DOTS SIZE_MAX

/* The heads shown, in order; LAYER_DOTS stands for those left out. */
typedef struct LayerHeads {
  size_t count;
  size_t items[LAYER_SLOTS];
} LayerHeads;

LayerHeads layer_heads(size_t heads);

/* The three parts of the fused matrix. */
typedef enum LayerPart { LAYER_Q, LAYER_K, LAYER_V, LAYER_PARTS } LayerPart;

typedef struct LayerColumns {
  LayerHeads heads;
  size_t head_count;
  size_t width;  /* columns of a head */
  size_t first;  /* of head 0 in the fused matrix */
  char name;     /* 'Q': of the product; lower case in an index */
  size_t tokens; /* rows that attention sees */
} LayerColumns;

LayerColumns layer_columns(const LayerDrawing *drawing, LayerPart part);

/* Columns of W_qkv. */
size_t layer_fused_columns(const AttendLayerShape *shape);

/* Query heads that read one key/value head. */
size_t layer_group(const AttendLayerShape *shape);

/* Whether keys and values of earlier tokens join those of this call. */
bool layer_has_cache(const LayerDrawing *drawing);

typedef struct LayerWords {
  char text[256];
} LayerWords;

/* "[50 × 64]", and "64–127" for the columns of one head. */
LayerWords layer_shape_words(size_t rows, size_t columns);
LayerWords layer_range_words(size_t first, size_t count);

/* The sizes of the lesson, in a sentence. */
LayerWords layer_size_words(const LayerDrawing *drawing);

/* Line `index` of what is said of groups and of the batch; false beyond the last. */
bool layer_note(const LayerDrawing *drawing, size_t index, LayerWords *words);

/* "A_0 = softmax(mask(S_0))", as the lesson has it. */
LayerWords layer_weight_words(const LayerDrawing *drawing, size_t head);

#endif
