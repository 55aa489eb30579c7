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

double attend_storage_bytes(AttendStorage storage) {
  if (storage <= ATTEND_STORAGE_AUTO || storage >= ATTEND_STORAGE_COUNT) return 0.0;
  return (double)(formats[storage].terms * number_bytes(formats[storage].number));
}

const char *number_name(KernelNumber number) {
#define KERNEL_NAME_OF(name, text) text,
  static const char *const names[] = {KERNEL_NUMBERS(KERNEL_NAME_OF)};
#undef KERNEL_NAME_OF
  return names[number];
}
