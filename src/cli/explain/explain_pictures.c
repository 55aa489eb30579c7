/* explain_pictures.c - chooses what a drawing and a heat map show of a lesson and its trace.
 *
 * Owns the choice and the titles. layer_drawing.c and heat_map.c own the looks.
 */
#include "cli/explain/explain_pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/picture/heat_map.h"
#include "cli/picture/layer_drawing.h"

bool explain_pictures_open(ExplainPictures *pictures, const char *draw, const char *heat) {
  *pictures = (ExplainPictures){.draws = draw != NULL, .heats = heat != NULL};
  pictures->draws_text = draw != NULL && strcmp(draw, EXPLAIN_DRAW_TEXT) == 0;
  if (draw != NULL && !pictures->draws_text && !picture_file_open(&pictures->drawing, draw)) {
    return false;
  }
  return heat == NULL || picture_file_open(&pictures->heat, heat);
}

void explain_pictures_discard(ExplainPictures *pictures) {
  picture_file_discard(&pictures->drawing);
  picture_file_discard(&pictures->heat);
}

/* The labels of the last `count` tokens, to be freed. Null if there are none or memory is short;
 * pictures then number the tokens. */
static const char **labels_of(const Lesson *lesson, size_t count) {
  if (lesson->labels == NULL || count > lesson->key_tokens) return NULL;
  const char **const texts = calloc(count, sizeof *texts);
  for (size_t i = 0; texts != NULL && i < count; i++) {
    texts[i] = lesson->labels[lesson->key_tokens - count + i].text;
  }
  return texts;
}

static LayerDrawing drawing_of(const Lesson *lesson, const char *const *labels) {
  return (LayerDrawing){
      .name = lesson->name,
      .shape = lesson->shape,
      .batch = 1,
      .query_tokens = lesson->query_tokens,
      .key_tokens = lesson->key_tokens,
      .from_input = lesson_is_layer(lesson),
      .to_output = lesson_has(lesson, LESSON_W_O),
      .masked = lesson->causal || lesson->mask != NULL,
      .by_sum = lesson->normalization == NORMALIZE_SUM,
      .labels = labels,
  };
}

void explain_pictures_print(const ExplainPictures *pictures, const Lesson *lesson) {
  if (!pictures->draws_text) return;
  const char **const labels = labels_of(lesson, lesson->query_tokens);
  const LayerDrawing drawing = drawing_of(lesson, labels);
  layer_drawing_print(&drawing, stdout);
  putchar('\n');
  free(labels);
}

static int write_drawing(ExplainPictures *pictures, const Lesson *lesson) {
  const char **const labels = labels_of(lesson, lesson->query_tokens);
  const LayerDrawing drawing = drawing_of(lesson, labels);
  Picture picture;
  layer_drawing_make(&drawing, &picture);
  const int status = picture_file_write(&pictures->drawing, &picture);
  picture_free(&picture);
  free(labels);
  return status;
}

/* A picture has at most the scores and weights of this many heads. */
#define HEADS_ON_A_PAGE 8
#define MAPS_ON_A_PAGE (2 * HEADS_ON_A_PAGE)
#define TITLE_SIZE 48

typedef struct Maps {
  size_t count;
  HeatMap items[MAPS_ON_A_PAGE];
  char titles[MAPS_ON_A_PAGE][TITLE_SIZE];
} Maps;

static void add_map(Maps *maps, const HeatMap *form, HeatKind kind, const char *name, bool several,
                    size_t head, const Matrix *matrix) {
  if (matrix == NULL || maps->count == MAPS_ON_A_PAGE) return;
  char *const title = maps->titles[maps->count];
  if (several) {
    snprintf(title, TITLE_SIZE, "%s, head %zu", name, head);
  } else {
    snprintf(title, TITLE_SIZE, "%s", name);
  }
  HeatMap map = *form;
  map.title = title;
  map.kind = kind;
  map.rows = matrix->rows;
  map.columns = map.row_stride = matrix->columns;
  map.data = matrix->data;
  maps->items[maps->count++] = map;
}

/* The last scores of each head, after softcap and mask, and its weights. Scores have the name that
 * the text gives them. */
static void gather_maps(const Lesson *lesson, const Trace *trace, const HeatMap *form, Maps *maps) {
  const bool several = lesson->shape.query_heads > 1;
  const bool capped = trace_find(trace, "capped_scores", trace->first_head) != NULL;
  const char *const scores = trace_find(trace, "mask", 0) != NULL ? "masked_scores"
                             : capped                             ? "capped_scores"
                                                                  : "scores";
  for (size_t h = trace->first_head; h < trace->first_head + trace->head_count; h++) {
    add_map(maps, form, HEAT_SCORES, scores, several, h, trace_find(trace, "masked_scores", h));
    add_map(maps, form, HEAT_WEIGHTS, "weights", several, h, trace_find(trace, "weights", h));
  }
}

static int write_heat(ExplainPictures *pictures, const Lesson *lesson, const Trace *trace) {
  const char **const queries = labels_of(lesson, lesson->query_tokens);
  const char **const keys = labels_of(lesson, lesson->key_tokens);
  const HeatMap form = {.row_labels = queries, .column_labels = keys};
  Maps maps = {0};
  gather_maps(lesson, trace, &form, &maps);
  if (trace->head_count > HEADS_ON_A_PAGE) {
    notice("--heatmap: the first %d of %zu heads are drawn; --head picks another one.",
           HEADS_ON_A_PAGE, trace->head_count);
  }
  Picture picture;
  const HeatSheet sheet = {lesson->name, maps.count, maps.items};
  heat_sheet_make(&sheet, &picture);
  const int status = picture_file_write(&pictures->heat, &picture);
  picture_free(&picture);
  free(queries);
  free(keys);
  return status;
}

int explain_pictures_write(ExplainPictures *pictures, const Lesson *lesson, const Trace *trace) {
  int status = EXIT_SUCCESS;
  if (pictures->draws && !pictures->draws_text) status = write_drawing(pictures, lesson);
  if (pictures->heats && write_heat(pictures, lesson, trace) != EXIT_SUCCESS) {
    status = EXIT_FAILURE;
  }
  return status;
}
