/* tensor_type.c - the dtypes of safetensors, and the bytes of a tensor by dtype and shape.
 *
 * Owns the table of names. We do not know the size of any other dtype and cannot read it, but we do
 * not refuse the file for it: its other tensors can still be read.
 */
#include <stdio.h>

#include "io/safetensors/tensor_parts.h"
#include "size.h"

static const struct {
  const char *name;
  size_t bits;
} types[] = {
    {"F64", 64},    {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F32", 32},
    {"I32", 32},    {"U32", 32},    {"F16", 16},    {"BF16", 16},   {"I16", 16},
    {"U16", 16},    {"I8", 8},      {"U8", 8},      {"BOOL", 8},    {"F8_E4M3", 8},
    {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
};

size_t tensor_type_bits(const char *dtype) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(dtype, types[i].name) == 0) return types[i].bits;
  }
  return 0;
}

bool tensor_type_floats(const char *dtype, NumberKind *kind) {
  static const struct {
    const char *name;
    NumberKind kind;
  } floats[] = {{"F32", NUMBER_F32}, {"F16", NUMBER_F16}, {"BF16", NUMBER_BF16}};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
    if (strcmp(dtype, floats[i].name) != 0) continue;
    *kind = floats[i].kind;
    return true;
  }
  return false;
}

/* The bound counts 8 bytes per element, the widest dtype. If it does not wrap, no product does. */
bool tensor_count_bytes(const size_t *dims, size_t rank, size_t bits, size_t *bytes) {
  bool overflow = false;
  size_t bound = sizeof(uint64_t), count = 1;
  for (size_t i = 0; i < rank; i++) {
    bound = size_multiply(bound, size_max(dims[i], 1), &overflow);
    count *= dims[i];
  }
  if (overflow || count % 8 * bits % 8 != 0) return false;
  *bytes = count / 8 * bits + count % 8 * bits / 8;
  return true;
}

void tensor_write_shape(const size_t *dims, size_t rank, char *text, size_t size) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (size_t i = 0; i < rank && used < size; i++) {
    used += (size_t)snprintf(text + used, size - used, "%s%zu", i > 0 ? ", " : "", dims[i]);
  }
  if (used < size) snprintf(text + used, size - used, "]");
}
