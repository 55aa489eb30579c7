/* shape_report.h - the forms in which a table of shapes is printed, on stdout.
 *
 * All show the same rows in the same order. A quiz leaves out everything that a student can work
 * out: sides, elements, bytes, FLOPs, columns, and the notes that would give them away. Its key is
 * the whole table. Both number their rows alike, through all sections.
 */
#ifndef ATTEND_SRC_CLI_SHAPES_SHAPE_REPORT_H
#define ATTEND_SRC_CLI_SHAPES_SHAPE_REPORT_H

#include "cli/shapes/shape_table.h"

/* Raised when a member of the JSON form changes its meaning or goes away; new members do not. */
#define SHAPE_SCHEMA_VERSION 1

#define SHAPE_BLANK "____"

typedef enum ShapePurpose { SHAPE_WHOLE, SHAPE_QUIZ, SHAPE_KEY } ShapePurpose;

/* Aligned text for people, or a Markdown table for each section. */
void shape_print_text(const ShapeTable *table, ShapePurpose purpose);
void shape_print_markdown(const ShapeTable *table, ShapePurpose purpose);

/* One object: numbers as numbers, formulas as strings, blanks as null. False if memory is missing;
 * nothing is printed then. */
bool shape_print_json(const ShapeTable *table, ShapePurpose purpose);

#endif
