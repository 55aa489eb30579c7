/* shape_sections.h - the sections of a shape table, one function each; internal to the builder. */
#ifndef ATTEND_SRC_CLI_SHAPES_SHAPE_SECTIONS_H
#define ATTEND_SRC_CLI_SHAPES_SHAPE_SECTIONS_H

#include "cli/shapes/shape_table.h"

/* What the sections share: the sizes, those that follow from them, and the table that they fill. */
typedef struct ShapeBuilder {
  const ShapeSizes *sizes;
  ShapeTable *table;
  SymbolicSize key_width;   /* of W_q and W_k for one head: D, spelled out */
  SymbolicSize value_width; /* of W_v for one head */
  SymbolicSize head_dim,
      value_dim; /* the same in Q, K, V, by the names d_k and d_v where they have no other */
  SymbolicSize query_columns;  /* of all heads: Hq D */
  SymbolicSize key_columns;    /* Hk D */
  SymbolicSize value_columns;  /* Hk Dv */
  SymbolicSize fused_columns;  /* of W_qkv */
  SymbolicSize concat_columns; /* Hq Dv */
  bool failed;                 /* memory is missing */
} ShapeBuilder;

typedef struct ShapeSides {
  size_t count;
  SymbolicSize sides[SHAPE_RANK - 1];
} ShapeSides;

/* Begins a section; rows go to the last one begun. */
void shape_begin(ShapeBuilder *builder, const char *id, const char *title);

/* Adds a row of a matrix of these sides: a weight as it is, an activation once for each sequence.
 * The row is valid until the next one is added; null if memory is missing. */
ShapeRow *shape_add_weight(ShapeBuilder *builder, const char *id, const char *label,
                           const char *symbol, ShapeSides sides);
ShapeRow *shape_add_activation(ShapeBuilder *builder, const char *id, const char *label,
                               const char *symbol, ShapeSides sides);

/* Counts the FLOPs of the product that makes the row: 2 * inner for each element. Null is
 * allowed. */
void shape_count_product(ShapeRow *row, SymbolicSize inner);

/* [a, b] and [a, b, c] */
ShapeSides shape_sides(SymbolicSize a, SymbolicSize b);
ShapeSides shape_cube(SymbolicSize a, SymbolicSize b, SymbolicSize c);

void shape_add_note(ShapeBuilder *builder, bool answers, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void shape_head_section(ShapeBuilder *builder);
void shape_block_section(ShapeBuilder *builder);
void shape_layer_section(ShapeBuilder *builder);
void shape_chunks_section(ShapeBuilder *builder);
void shape_causal_sections(ShapeBuilder *builder);

#endif
