/* path_list.c - the ordered table of paths. */
#include "plan/path.h"

const Path *const path_list[] = {&path_tiled, &path_blas, &path_naive, NULL};

const Path *path_get(AttendPath id) {
  for (size_t i = 0; path_list[i]; i++) {
    if (path_list[i]->id == id) return path_list[i];
  }
  return NULL;
}
