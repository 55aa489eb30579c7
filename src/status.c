/* status.c - names and sentences of statuses, paths, ISAs, precisions, storages and phases.
 *
 * All of them are constant strings. Statuses come from the map in attend.h, and paths, ISAs and
 * storages from their tables, so that none of them can exist without its name.
 */
#include <string.h>

#include "attend/attend.h"

#define STRING_OF(x) #x
#define VERSION_STRING(major, minor, patch)                                                        \
  STRING_OF(major) "." STRING_OF(minor) "." STRING_OF(patch)

const char *attend_version(void) {
  return VERSION_STRING(ATTEND_VERSION_MAJOR, ATTEND_VERSION_MINOR, ATTEND_VERSION_PATCH);
}

const char *attend_status_name(AttendStatus status) {
  switch (status) {
#define STATUS_NAME(name, value, message)                                                          \
  case ATTEND_STATUS_##name:                                                                       \
    return #name;
    ATTEND_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
  }
  return "UNKNOWN_STATUS";
}

const char *attend_status_message(AttendStatus status) {
  switch (status) {
#define STATUS_MESSAGE(name, value, message)                                                       \
  case ATTEND_STATUS_##name:                                                                       \
    return message;
    ATTEND_STATUS_MAP(STATUS_MESSAGE)
#undef STATUS_MESSAGE
  }
  return "this number is not a status of this library";
}

static const char *const path_names[ATTEND_PATH_COUNT] = {
    [ATTEND_PATH_AUTO] = "auto",
#define ATTEND_PATH_RECORD(name, ID) [ATTEND_PATH_##ID] = #name,
#include "plan/paths.def"
#undef ATTEND_PATH_RECORD
};

static const char *const isa_names[ATTEND_ISA_COUNT] = {
    [ATTEND_ISA_AUTO] = "auto",
#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  [ATTEND_ISA_##id] = #name,
#include "kernels/isas.def"
#undef ATTEND_ISA
};

static const char *const precision_names[ATTEND_PRECISION_COUNT] = {
    [ATTEND_PRECISION_FP32] = "fp32",
    [ATTEND_PRECISION_BF16X6] = "bf16x6",
    [ATTEND_PRECISION_BF16X3] = "bf16x3",
    [ATTEND_PRECISION_BF16] = "bf16",
};

static const char *const storage_names[ATTEND_STORAGE_COUNT] = {
    [ATTEND_STORAGE_AUTO] = "auto",
#define ATTEND_STORAGE_FORMAT(NAME, text, number, terms, rounding) [ATTEND_STORAGE_##NAME] = text,
#include "storage/storage.def"
#undef ATTEND_STORAGE_FORMAT
};

static const char *const phase_names[ATTEND_PHASE_COUNT] = {
    [ATTEND_PHASE_QKV_PROJECTION] = "qkv_projection",
    [ATTEND_PHASE_QK_NORM_ROPE] = "qk_norm_rope",
    [ATTEND_PHASE_PACKING] = "packing",
    [ATTEND_PHASE_SCORES] = "scores",
    [ATTEND_PHASE_SOFTMAX] = "softmax",
    [ATTEND_PHASE_WEIGHTED_SUM] = "weighted_sum",
    [ATTEND_PHASE_ATTENTION] = "attention",
    [ATTEND_PHASE_OUTPUT_PROJECTION] = "output_projection",
};

/* names[index], or null where the index is outside; a negative enum value is far outside. */
static const char *name_at(const char *const *names, size_t count, size_t index) {
  return index < count ? names[index] : NULL;
}

static bool find_name(const char *const *names, size_t count, const char *name, size_t *index) {
  for (size_t i = 0; name && i < count; i++) {
    if (strcmp(names[i], name) == 0) {
      *index = i;
      return true;
    }
  }
  return false;
}

const char *attend_path_name(AttendPath path) {
  return name_at(path_names, ATTEND_PATH_COUNT, (size_t)path);
}

const char *attend_isa_name(AttendIsa isa) {
  return name_at(isa_names, ATTEND_ISA_COUNT, (size_t)isa);
}

const char *attend_precision_name(AttendPrecision precision) {
  return name_at(precision_names, ATTEND_PRECISION_COUNT, (size_t)precision);
}

const char *attend_storage_name(AttendStorage storage) {
  return name_at(storage_names, ATTEND_STORAGE_COUNT, (size_t)storage);
}

const char *attend_phase_name(AttendPhase phase) {
  return name_at(phase_names, ATTEND_PHASE_COUNT, (size_t)phase);
}

bool attend_find_path(const char *name, AttendPath *path) {
  size_t index = 0;
  if (!path || !find_name(path_names, ATTEND_PATH_COUNT, name, &index)) return false;
  *path = (AttendPath)index;
  return true;
}

bool attend_find_isa(const char *name, AttendIsa *isa) {
  size_t index = 0;
  if (!isa || !find_name(isa_names, ATTEND_ISA_COUNT, name, &index)) return false;
  *isa = (AttendIsa)index;
  return true;
}

bool attend_find_precision(const char *name, AttendPrecision *precision) {
  size_t index = 0;
  if (!precision || !find_name(precision_names, ATTEND_PRECISION_COUNT, name, &index)) return false;
  *precision = (AttendPrecision)index;
  return true;
}

bool attend_find_storage(const char *name, AttendStorage *storage) {
  size_t index = 0;
  if (!storage || !find_name(storage_names, ATTEND_STORAGE_COUNT, name, &index)) return false;
  *storage = (AttendStorage)index;
  return true;
}
