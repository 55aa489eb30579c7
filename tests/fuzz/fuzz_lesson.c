/* fuzz_lesson.c - reads any bytes as a lesson file of `attend explain`, and runs the lesson.
 *
 * A lesson that was read must run: lesson_complete() has judged its shapes, so the library refuses
 * it for its path or its options at most. A refusal must have a sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lesson/lesson_file.h"
#include "cli/lesson/lesson_run.h"

/* Larger lessons take time and find nothing new. */
#define ELEMENTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const Lesson *lesson) {
  const AttendLayerShape *const s = &lesson->shape;
  if (lesson->query_tokens * lesson->key_tokens > ELEMENTS_MAX || s->query_heads > 64 ||
      s->head_dim > 256 || s->value_dim > 256 || s->width > 256) {
    return;
  }
  const RunSettings settings = {.threads = 1, .head_count = s->query_heads};
  char error[LESSON_ERROR_SIZE];
  LessonRun opened;
  if (!lesson_run_open(lesson, &settings, &opened, error)) abort();
  for (int path = ATTEND_PATH_TILED; path < ATTEND_PATH_COUNT; path++) {
    Trace trace;
    if (!lesson_run_trace(&opened, (AttendPath)path, lesson->normalization, &trace)) abort();
    const bool refused = trace.status != ATTEND_OK;
    if (refused && (path == ATTEND_PATH_NAIVE || trace.reason[0] == '\0')) abort();
    trace_free(&trace);
  }
  lesson_run_close(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* The copy has exactly this size, so that AddressSanitizer sees a read past its end. */
  char *const text = malloc(size > 0 ? size : 1);
  if (text == NULL) return 0;
  if (size > 0) memcpy(text, data, size);
  Lesson lesson;
  char error[LESSON_FILE_ERROR_SIZE];
  if (lesson_file_parse("/nowhere/lesson.json", text, size, &lesson, error)) {
    run(&lesson);
  } else if (error[0] == '\0') {
    abort();
  }
  lesson_free(&lesson);
  free(text);
  return 0;
}
