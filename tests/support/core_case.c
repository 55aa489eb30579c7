/* core_case.c - core cases as text from which they can be run again. */
#include "tests/support/core_case.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

CoreCase case_of_three_tiles(void) {
  return (CoreCase){
      .shape = {2, 20, 300, 4, 2, 24, 16}, .q_start = 280, .poison = POISON_HIDDEN, .seed = 5};
}

/* Text that grows at its end and never beyond its size. */
typedef struct Line {
  char *text;
  size_t size, length;
} Line;

__attribute__((format(printf, 2, 3))) static void append(Line *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int more =
      vsnprintf(line->text + line->length, line->size - line->length, format, arguments);
  va_end(arguments);
  if (more > 0) line->length += (size_t)more;
  if (line->length >= line->size) line->length = line->size - 1;
}

static void append_flag(Line *line, const char *name, bool value) {
  if (value) append(line, "%s = true, ", name);
}

static void append_float(Line *line, const char *name, float value) {
  if (value != 0.0f) append(line, "%s = %.9g, ", name, (double)value);
}

static void append_window(Line *line, const char *name, CaseWindow window) {
  if (window.limited) append(line, "%s = {true, %" PRId64 "}, ", name, window.keys);
}

static void append_grid(Line *line, const char *name, const CaseGrid *grid) {
  if (grid->used)
    append(line, "%s = {true, %u, %u, %zu, %zu}, ", name, grid->repeat, grid->hidden, grid->key_gap,
           grid->uncovered);
}

static void append_options(Line *line, const CaseOptions *options) {
  append(line, ".options = {");
  append_window(line, ".left", options->left);
  append_window(line, ".right", options->right);
  append_float(line, ".softcap", options->softcap);
  append_flag(line, ".alibi", options->alibi);
  append_flag(line, ".sinks", options->sinks);
  append_grid(line, ".bias", &options->bias);
  append_grid(line, ".mask", &options->mask);
  append_flag(line, ".key_lengths", options->key_lengths);
  append_flag(line, ".q_starts", options->q_starts);
  append_flag(line, ".ragged", options->ragged);
  append(line, "}, ");
}

void case_describe(const CoreCase *spec, char *text, size_t size) {
  static const char *const layouts[LAYOUT_COUNT] = {"BNHD",  "BHND",   "NBHD",
                                                    "FUSED", "PADDED", "SHARED"};
  static const char *const poisons[] = {"NONE", "HIDDEN", "VISIBLE"};
  const AttendShape *const s = &spec->shape;
  Line line = {text, size, 0};
  append(&line, "{.shape = {%zu, %zu, %zu, %zu, %zu, %zu, %zu}, ", s->batch, s->query_tokens,
         s->key_tokens, s->query_heads, s->kv_heads, s->head_dim, s->value_dim);
  if (spec->layout) append(&line, ".layout = LAYOUT_%s, ", layouts[spec->layout]);
  append_flag(&line, ".bidirectional", spec->bidirectional);
  if (spec->q_start) append(&line, ".q_start = %" PRId64 ", ", spec->q_start);
  append_float(&line, ".scale", spec->scale);
  append_float(&line, ".bound", spec->bound);
  append_options(&line, &spec->options);
  if (spec->poison) append(&line, ".poison = POISON_%s, ", poisons[spec->poison]);
  append(&line, ".seed = %" PRIu64 "}", spec->seed);
}

/* SplitMix64 (Steele, Lea and Flood 2014), indexed instead of stepped. */
size_t case_draw(uint64_t seed, uint64_t index, size_t count) {
  uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (size_t)(((z ^ (z >> 31)) >> 16) % count);
}
