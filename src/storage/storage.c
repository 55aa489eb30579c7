/* storage.c - owns the table of storages that storage.def fills. */
#include "storage/storage.h"

#define ATTEND_STORAGE_FORMAT(NAME, text, number, terms, rounding)                                 \
  [ATTEND_STORAGE_##NAME] = {KERNEL_##number, terms, rounding},

static const StorageFormat formats[ATTEND_STORAGE_COUNT] = {
#include "storage/storage.def"
};

StorageFormat storage_format(AttendStorage storage) {
  return formats[storage];
}
