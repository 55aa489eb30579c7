/* test_data.c - random numbers, guarded and fenced memory, and comparisons under an allowance. */
#include "tests/support/test_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_BYTES 128
#define GUARD_BYTE 0xa5
#define UNTOUCHED 0x7fc5a5a5u

/* Some cases ask for more memory than there is and want null, also from the sanitizer's malloc. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

/* SplitMix64 (Steele, Lea and Flood 2014), indexed instead of stepped. */
static uint64_t scramble(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static float random_float(uint64_t seed, uint64_t index, float bound) {
  return bound * ((float)(scramble(seed, index) >> 40) * 0x1p-23f - 1.0f);
}

void fill_random(uint64_t seed, float bound, float *data, size_t count) {
  for (size_t i = 0; i < count; i++) data[i] = random_float(seed, i, bound);
}

void *new_bytes(size_t bytes) {
  void *const memory = malloc(bytes ? bytes : 1);
  if (!memory) fail_msg("the test could not allocate %zu bytes", bytes);
  return memory;
}

float *new_random(uint64_t seed, float bound, size_t count) {
  float *const data = new_bytes(count * sizeof *data);
  fill_random(seed, bound, data, count);
  return data;
}

/* Stands right before the first guard zone of guarded memory. */
typedef struct GuardHeader {
  void *base;
  size_t bytes;
} GuardHeader;

static GuardHeader guard_header(const void *memory) {
  GuardHeader header;
  memcpy(&header, (const unsigned char *)memory - GUARD_BYTES - sizeof header, sizeof header);
  return header;
}

void *guarded_new(size_t bytes, size_t offset) {
  unsigned char *const base =
      new_bytes(sizeof(GuardHeader) + 2 * GUARD_BYTES + bytes + offset + 64);
  uintptr_t address = (uintptr_t)base + sizeof(GuardHeader) + GUARD_BYTES;
  address = (address + 63) / 64 * 64 + offset;
  unsigned char *const memory = base + (address - (uintptr_t)base);
  const GuardHeader header = {base, bytes};
  memcpy(memory - GUARD_BYTES - sizeof header, &header, sizeof header);
  memset(memory - GUARD_BYTES, GUARD_BYTE, GUARD_BYTES);
  memset(memory + bytes, GUARD_BYTE, GUARD_BYTES);
  const uint32_t pattern = UNTOUCHED;
  for (size_t i = 0; i + sizeof pattern <= bytes; i += sizeof pattern)
    memcpy(memory + i, &pattern, sizeof pattern);
  return memory;
}

void guarded_check(const void *memory, const char *what) {
  const unsigned char *const data = memory;
  const GuardHeader header = guard_header(memory);
  for (size_t i = 0; i < GUARD_BYTES; i++) {
    if (data[-1 - (ptrdiff_t)i] != GUARD_BYTE)
      fail_msg("%s: the byte %zu before the buffer was written", what, i + 1);
    if (data[header.bytes + i] != GUARD_BYTE)
      fail_msg("%s: the byte %zu after the buffer of %zu was written", what, i + 1, header.bytes);
  }
}

void guarded_free(void *memory, const char *what) {
  if (!memory) return;
  guarded_check(memory, what);
  free(guard_header(memory).base);
}

/* Bytes of the pages that hold so many floats, without the page behind them. */
static size_t fenced_bytes(size_t floats) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (floats * sizeof(float) + page - 1) / page * page;
}

float *fenced_new(size_t floats) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = fenced_bytes(floats);
  char *const pages =
      mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fail_msg("the test could not map %zu bytes", bytes + page);
  assert_int_equal(mprotect(pages + bytes, page, PROT_NONE), 0);
  for (size_t i = 0; i < bytes / sizeof(float); i++)
    ((float *)(void *)pages)[i] = untouched_float();
  return (float *)(void *)(pages + bytes) - floats;
}

void fenced_free(float *data, size_t floats) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = fenced_bytes(floats);
  assert_int_equal(munmap((char *)(data + floats) - bytes, bytes + page), 0);
}

const float *off_by_a_byte(const float *data) {
  return (const float *)(const void *)((const char *)data + 1);
}

float untouched_float(void) {
  const uint32_t pattern = UNTOUCHED;
  float value;
  memcpy(&value, &pattern, sizeof value);
  return value;
}

bool is_untouched(const float *value) {
  const uint32_t pattern = UNTOUCHED;
  return memcmp(value, &pattern, sizeof pattern) == 0;
}

const char *number(char text[static NUMBER_SIZE], size_t value) {
  snprintf(text, NUMBER_SIZE, "%zu", value);
  return text;
}

bool is_close(double got, double expected, double allowed) {
  if (isnan(expected)) return isnan(got);
  if (isinf(expected)) return got == expected || (expected > 0 && !isfinite(got));
  return fabs(got - expected) <= allowed;
}

double fixed_allowance(double expected) {
  return 1e-5 + 5e-6 * fabs(expected);
}

void check_close(const char *label, const float *got, const double *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_untouched(got + i) ||
        !is_close((double)got[i], expected[i], fixed_allowance(expected[i])))
      fail_msg("%s: element %zu of %zu is %.9g, expected %.9g", label, i, count, (double)got[i],
               expected[i]);
}
