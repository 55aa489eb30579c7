/* shape_table.h - every matrix of an attention layer with its shape, as rows that a writer prints.
 *
 * One builder makes the rows, whether sizes are numbers or letters (symbolic_size.h). Elements are
 * the product of a row's dimensions, bytes four times that. The helpers below compute both and
 * nothing stores them, so they cannot disagree with the shape.
 */
#ifndef ATTEND_SRC_CLI_SHAPES_SHAPE_TABLE_H
#define ATTEND_SRC_CLI_SHAPES_SHAPE_TABLE_H

#include "attend/attend.h"
#include "cli/shapes/symbolic_size.h"

#define SHAPE_RANK 4
#define SHAPE_NOTES_MAX 12
#define SHAPE_NOTE_SIZE 512
/* A mask of at most this many rows is drawn. */
#define SHAPE_MASK_MAX 12

/* A set of topics has bit 1 << topic for each. */
typedef enum ShapeTopic {
  SHAPE_HEAD,   /* one head, from the input to its share of the output */
  SHAPE_BLOCK,  /* the same with its weights, one product at a time */
  SHAPE_LAYER,  /* all heads, with the fused projection */
  SHAPE_CHUNKS, /* the columns of each head in the fused projection */
  SHAPE_CAUSAL, /* what the causal mask does to the scores */
} ShapeTopic;
#define SHAPE_TOPICS 5

/* "head", "block", "layer", "chunks", "causal"; null beyond. */
const char *shape_topic_name(size_t topic);

/* The sizes of a layer. They share the letters; without a batch, batch.count is 0. */
typedef struct ShapeSizes {
  SizeLetters letters;
  SymbolicSize batch, tokens, width, heads, kv_heads, head_dim, value_dim;
  const AttendModel *model; /* what a model adds to its sizes; null for sizes by hand */
  size_t real_kv_heads;     /* of the model where `heads` stand in for them, else 0 */
} ShapeSizes;

typedef struct ShapeRow {
  const char *id;    /* fixed word for programs; not unique in chunks */
  char symbol[40];   /* "Q = X W_q" */
  const char *label; /* "queries" */
  size_t rank;
  SymbolicSize dims[SHAPE_RANK];
  bool counted; /* flops counts the step that makes it */
  SymbolicSize flops;
  bool cut; /* it is columns first .. end - 1 of QKV */
  SymbolicSize first, end;
} ShapeRow;

typedef struct ShapeSection {
  const char *id, *title;
  ShapeRow *rows;
  size_t count, capacity;
} ShapeSection;

/* A sentence about the shapes. A quiz leaves out those that give an answer away. */
typedef struct ShapeNote {
  char text[SHAPE_NOTE_SIZE];
  bool answers;
} ShapeNote;

typedef struct ShapeTable {
  SizeLetters letters;
  char title[256];
  ShapeSection sections[SHAPE_TOPICS + 1]; /* causal takes two where there are several heads */
  size_t section_count;
  ShapeNote notes[SHAPE_NOTES_MAX];
  size_t note_count;
  size_t mask_rows; /* of the causal mask, to be drawn; 0: none */
} ShapeTable;

typedef enum ShapeOutcome {
  SHAPE_BUILT,
  SHAPE_TOO_LARGE, /* a product of the sizes cannot be counted */
  SHAPE_NO_MEMORY,
} ShapeOutcome;

/* Makes the topics' sections. On failure the table is empty. */
ShapeOutcome shape_table_open(const ShapeSizes *sizes, unsigned topics, ShapeTable *table);
void shape_table_close(ShapeTable *table);

SymbolicSize shape_row_elements(const ShapeRow *row);
SymbolicSize shape_row_bytes(const ShapeRow *row);

#endif
