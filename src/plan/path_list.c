/* path_list.c - the table of paths, in the order of paths.def. */
#include "plan/path.h"

const Path *const path_list[] = {
#define ATTEND_PATH_RECORD(name, ID) &PATH_RECORD(name),
#include "plan/paths.def"
#undef ATTEND_PATH_RECORD
    NULL,
};

const Path *path_get(AttendPath id) {
  for (size_t i = 0; path_list[i]; i++) {
    if (path_list[i]->id == id) return path_list[i];
  }
  return NULL;
}
