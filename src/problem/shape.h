/* shape.h - checks of sizes that are not about one problem: layers, dense buffers, overlaps. */
#ifndef ATTEND_SRC_PROBLEM_SHAPE_H
#define ATTEND_SRC_PROBLEM_SHAPE_H

#include "attend/attend.h"
#include "fault.h"

/* Columns of a layer's matrices. */
typedef struct LayerColumns {
  size_t query, key, value; /* Hq*D, Hk*D, Hk*Dv */
  size_t qkv;               /* their sum */
  size_t context;           /* Hq*Dv */
} LayerColumns;

/* Checks a layer's sizes: none zero, heads divide, weights countable in bytes, and each side small
 * enough for the integers of the BLAS. Fills *columns on success. */
AttendStatus shape_check_layer(const AttendLayerShape *shape, LayerColumns *columns, Fault *fault);

/* BAD_HEADS unless query_heads is a multiple of kv_heads, which is at least 1. */
AttendStatus shape_check_heads(size_t query_heads, size_t kv_heads, Fault *fault);

typedef struct NamedSize {
  const char *name;
  size_t size;
} NamedSize;

/* BAD_SIZE, by its name, if one of the sizes is 0. */
AttendStatus shape_check_positive(const NamedSize *sizes, size_t count, Fault *fault);

/* A range of memory that an argument spans. */
typedef struct Span {
  const char *name;
  const float *data;
  size_t floats;
} Span;

/* Of a span that is not empty: NULL_POINTER if its pointer is null, MISALIGNED if it is no address
 * of a float. */
AttendStatus shape_check_pointer(Span span, Fault *fault);

/* The span of a view [batch, tokens, heads, row] of an argument: OVERFLOW, NULL_POINTER,
 * MISALIGNED. */
AttendStatus shape_span_of_view(const char *name, AttendView view, const size_t counts[3],
                                size_t row, Span *span, Fault *fault);

/* BAD_STRIDE if rows of an output [counts[0], counts[1], counts[2], row] share an element. Sorted by
 * stride, each dimension must step over everything inside it. */
AttendStatus shape_check_rows_apart(const char *name, AttendOutputView out, const size_t counts[3],
                                    size_t row, Fault *fault);

/* OVERLAP if the two share an address. */
AttendStatus shape_check_apart(Span output, Span other, Fault *fault);

/* The most rows or columns that the BLAS can count (its integers have 32 bits). */
#define SHAPE_BLAS_LIMIT ((size_t)INT32_MAX)

#endif
