/* support.c - engines, data, guarded and fenced memory of the library's tests. */
#include "tests/support/support.h"

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

/* ---- engines ---- */

size_t list_isas(AttendIsa isas[static ATTEND_ISA_COUNT]) {
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  const char *const forced = getenv("ATTEND_ISA");
  AttendIsa only = ATTEND_ISA_AUTO;
  if (forced && *forced && (!attend_find_isa(forced, &only) || only == ATTEND_ISA_AUTO))
    fail_msg("ATTEND_ISA is \"%s\"; expected a name that attend info lists", forced);
  if (only != ATTEND_ISA_AUTO && !machine.isa_usable[only])
    fail_msg("ATTEND_ISA asks for %s, which this machine or build cannot run", forced);
  size_t count = 0;
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++)
    if (machine.isa_usable[isa] && (only == ATTEND_ISA_AUTO || (int)only == isa))
      isas[count++] = (AttendIsa)isa;
  assert_true(count > 0);
  return count;
}

size_t list_engines(Engine engines[static MAX_ENGINES]) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t isa_count = list_isas(isas);
  size_t count = 0;
  const AttendIsa last = isas[isa_count - 1];
  engines[count++] = (Engine){ATTEND_PATH_NAIVE, last, ATTEND_PRECISION_FP32};
  engines[count++] = (Engine){ATTEND_PATH_BLAS, last, ATTEND_PRECISION_FP32};
  for (size_t i = 0; i < isa_count; i++)
    engines[count++] = (Engine){ATTEND_PATH_TILED, isas[i], ATTEND_PRECISION_FP32};
  return count;
}

static bool is_left_out(AttendPrecision precision) {
  const char *const forced = getenv("ATTEND_PRECISION");
  AttendPrecision only = ATTEND_PRECISION_FP32;
  if (!forced || !*forced) return false;
  if (!attend_find_precision(forced, &only))
    fail_msg("ATTEND_PRECISION is \"%s\"; expected fp32, bf16x6, bf16x3 or bf16", forced);
  return precision != only;
}

size_t list_engines_in(AttendPrecision precision, Engine engines[static MAX_ENGINES]) {
  if (is_left_out(precision)) return 0;
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t i = 0; i < count; i++) engines[i] = (Engine){ATTEND_PATH_TILED, isas[i], precision};
  return count;
}

size_t list_tiled_engines(Engine engines[static MAX_TILED_ENGINES]) {
  size_t count = 0;
  for (int precision = 0; precision < ATTEND_PRECISION_COUNT; precision++)
    count += list_engines_in((AttendPrecision)precision, engines + count);
  return count;
}

AttendSettings engine_settings(Engine engine, size_t threads) {
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.threads = threads;
  settings.isa = engine.isa;
  settings.path = engine.path;
  settings.precision = engine.precision;
  return settings;
}

AttendContext *engine_open(Engine engine, size_t threads) {
  const AttendSettings settings = engine_settings(engine, threads);
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  assert_non_null(context);
  return context;
}

AttendContext *auto_open(size_t threads) {
  return engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, threads);
}

void for_each_engine(void (*check)(Engine engine)) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) check(engines[k]);
}

void require_ok(const AttendContext *context, AttendStatus status, const char *call,
                const char *file, int line) {
  if (status == ATTEND_OK) return;
  print_error("%s: %s: %s\n", call, attend_status_name(status),
              context ? attend_get_error(context) : attend_status_message(status));
  _fail(file, line);
}

/* ---- data ---- */

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

/* ---- caches ---- */

AttendCache *cache_open(AttendContext *context, const AttendLayerShape *shape, size_t sequences,
                        size_t capacity) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.capacity = capacity;
  settings.block_tokens = 32;
  AttendCache *cache = NULL;
  assert_ok(context, attend_open_cache(context, shape, &settings, &cache));
  assert_non_null(cache);
  return cache;
}

void cache_append(AttendContext *context, AttendCache *cache, size_t sequences, size_t tokens,
                  AttendView key, AttendView value) {
  for (size_t b = 0; b < sequences; b++) {
    assert_ok(context, attend_append_cache(context, cache, b, tokens, key, value));
    key.data += key.batch_stride;
    value.data += value.batch_stride;
  }
}

StoredRows cache_read(AttendContext *context, const AttendCache *cache,
                      const AttendLayerShape *shape, size_t sequence, size_t first, size_t tokens) {
  const size_t heads = shape->kv_heads, D = shape->head_dim, Dv = shape->value_dim;
  const StoredRows rows = {guarded_new(tokens * heads * D * sizeof(float), 4),
                           guarded_new(tokens * heads * Dv * sizeof(float), 4)};
  assert_ok(context, attend_read_cache(context, cache, sequence, first, tokens,
                                       attend_output_bnhd(rows.key, tokens, heads, D),
                                       attend_output_bnhd(rows.value, tokens, heads, Dv)));
  return rows;
}

void stored_rows_free(StoredRows *rows) {
  guarded_free(rows->key, "the keys of a cache");
  guarded_free(rows->value, "the values of a cache");
  *rows = (StoredRows){NULL, NULL};
}

static double rounded(double x, int bits) {
  int exponent = 0;
  const double fraction = frexp(x, &exponent);
  return ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
}

/* Multiples of 2^-24 are all that there is below 2^-14; 65520 is the middle between the largest
 * number and the one that would follow it. */
static double rounded_to_fp16(double x) {
  if (fabs(x) >= 65520.0) return copysign(INFINITY, x);
  return fabs(x) < 0x1p-14 ? nearbyint(x * 0x1p24) * 0x1p-24 : rounded(x, 11);
}

float stored_number(float x, AttendStorage storage) {
  static const int terms[ATTEND_STORAGE_COUNT] = {
      [ATTEND_STORAGE_BF16] = 1, [ATTEND_STORAGE_BF16X2] = 2, [ATTEND_STORAGE_BF16X3] = 3};
  if (storage == ATTEND_STORAGE_FP16) return (float)rounded_to_fp16((double)x);
  if (terms[storage] == 0) return x;
  double sum = 0.0;
  for (int p = 0; p < terms[storage]; p++) sum += rounded((double)x - sum, 8);
  return (float)sum;
}

void round_to_storage(AttendStorage storage, float *data, size_t count) {
  for (size_t i = 0; i < count; i++) data[i] = stored_number(data[i], storage);
}

/* ---- comparing ---- */

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
