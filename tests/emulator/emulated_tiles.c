/* emulated_tiles.c - owns each thread's emulated tiles, and does what the manual says of each
 * instruction.
 *
 * TDPBF16PS (Intel SDM, volume 2): a row's first products of all pairs are added up in one chain of
 * fused multiply-adds from zero, the second ones in another; the two are added, and their sum to
 * the destination. Every operation rounds to nearest, ties to even; denormal operands and results
 * are zero.
 *
 * Where the processor has no fused multiply-add, one in double stands for it that is then rounded
 * to a float. The product of two bf16 numbers has 16 bits and is exact, and its sum with a float is
 * rounded once: where it takes more than the 53 bits of a double, one of the two is so much smaller
 * than the other that the sum is nowhere near the middle between two floats.
 */
#include "tests/emulator/emulated_tiles.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILES 8
#define TILE_ROWS 16
#define TILE_COLUMNS 16
#define TILE_BYTES (TILE_COLUMNS * 4)

typedef struct EmulatedTile {
  size_t rows, bytes;
  uint32_t cell[TILE_ROWS][TILE_COLUMNS];
} EmulatedTile;

static _Thread_local struct {
  bool configured;
  EmulatedTile tile[TILES];
} unit;

static atomic_size_t threads_configured, dots;

__attribute__((format(printf, 1, 2), noreturn)) static void end_program(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("tiles: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}

void emulated_configure(const void *config) {
  const unsigned char *const bytes = config;
  emulated_release();
  if (bytes[0] != 1) end_program("palette %d is not 1", bytes[0]);
  for (size_t i = 1; i < 16; i++)
    if (bytes[i]) end_program("byte %zu of the configuration is not 0", i);
  for (size_t t = 0; t < 16; t++) {
    const size_t row_bytes = bytes[16 + 2 * t] + 256u * bytes[17 + 2 * t], rows = bytes[48 + t];
    const size_t most = t < TILES ? TILE_BYTES : 0;
    if (row_bytes > most || rows > TILE_ROWS || (rows == 0) != (row_bytes == 0))
      end_program("tile %zu cannot have %zu rows of %zu bytes", t, rows, row_bytes);
    if (t < TILES) unit.tile[t].rows = rows;
    if (t < TILES) unit.tile[t].bytes = row_bytes;
  }
  unit.configured = true;
  atomic_fetch_add(&threads_configured, 1);
}

void emulated_configuration(void *config) {
  unsigned char *const bytes = config;
  memset(bytes, 0, 64);
  bytes[0] = unit.configured;
  for (size_t t = 0; t < TILES; t++) {
    bytes[16 + 2 * t] = (unsigned char)unit.tile[t].bytes;
    bytes[48 + t] = (unsigned char)unit.tile[t].rows;
  }
}

void emulated_release(void) {
  if (unit.configured) atomic_fetch_sub(&threads_configured, 1);
  memset(&unit, 0, sizeof unit);
}

size_t emulated_threads_configured(void) {
  return atomic_load(&threads_configured);
}

size_t emulated_dots(void) {
  return atomic_load(&dots);
}

static EmulatedTile *find_tile(size_t tile) {
  if (!unit.configured || unit.tile[tile].rows == 0)
    end_program("tile %zu is used and not configured", tile);
  return &unit.tile[tile];
}

void emulated_zero(size_t tile) {
  EmulatedTile *const zeroed = find_tile(tile);
  memset(zeroed->cell, 0, sizeof zeroed->cell);
}

void emulated_load(size_t tile, const void *from, size_t stride) {
  EmulatedTile *const to = find_tile(tile);
  emulated_zero(tile);
  for (size_t r = 0; r < to->rows; r++)
    memcpy(to->cell[r], (const char *)from + r * stride, to->bytes);
}

void emulated_store(size_t tile, void *to, size_t stride) {
  const EmulatedTile *const from = find_tile(tile);
  for (size_t r = 0; r < from->rows; r++)
    memcpy((char *)to + r * stride, from->cell[r], from->bytes);
}

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A denormal number becomes a zero of its sign. */
ALWAYS_INLINE float flushed(float x) {
  return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

/* a * b + c for bf16 numbers a and b, rounded once. */
ALWAYS_INLINE float multiply_add(const bool fused, float a, float b, float c) {
  return flushed(fused ? fmaf(a, b, c) : (float)((double)a * (double)b + (double)c));
}

ALWAYS_INLINE float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* The numbers of a tile of pairs. */
typedef struct Numbers {
  float first[TILE_ROWS][TILE_COLUMNS], second[TILE_ROWS][TILE_COLUMNS];
} Numbers;

ALWAYS_INLINE void widen(const EmulatedTile *tile, Numbers *numbers) {
  for (size_t r = 0; r < tile->rows; r++) {
    for (size_t j = 0; j < TILE_COLUMNS; j++) {
      numbers->first[r][j] = flushed(float_of(tile->cell[r][j] << 16));
      numbers->second[r][j] = flushed(float_of(tile->cell[r][j] & 0xffff0000u));
    }
  }
}

/* Adds the products of a row of a, its first and its second numbers, and all columns of b. */
ALWAYS_INLINE void dot_row(const bool fused, const float *a_first, const float *a_second,
                           const Numbers *b, size_t pairs, uint32_t cell[TILE_COLUMNS]) {
  float first[TILE_COLUMNS] = {0}, second[TILE_COLUMNS] = {0}, sum[TILE_COLUMNS];
  for (size_t k = 0; k < pairs; k++) {
    for (size_t j = 0; j < TILE_COLUMNS; j++) {
      first[j] = multiply_add(fused, a_first[k], b->first[k][j], first[j]);
      second[j] = multiply_add(fused, a_second[k], b->second[k][j], second[j]);
    }
  }
  memcpy(sum, cell, sizeof sum);
  for (size_t j = 0; j < TILE_COLUMNS; j++)
    sum[j] = flushed(flushed(sum[j]) + flushed(first[j] + second[j]));
  memcpy(cell, sum, sizeof sum);
}

ALWAYS_INLINE void dot_tiles(const bool fused, EmulatedTile *c, const EmulatedTile *a,
                             const EmulatedTile *b) {
  Numbers rows, columns;
  widen(a, &rows);
  widen(b, &columns);
  for (size_t r = 0; r < c->rows; r++)
    dot_row(fused, rows.first[r], rows.second[r], &columns, b->rows, c->cell[r]);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void dot_fused(EmulatedTile *c, const EmulatedTile *a,
                                                          const EmulatedTile *b) {
  dot_tiles(true, c, a, b);
}
#endif

static void dot(EmulatedTile *c, const EmulatedTile *a, const EmulatedTile *b) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    dot_fused(c, a, b);
    return;
  }
#endif
  dot_tiles(false, c, a, b);
}

void emulated_dot(size_t c, size_t a, size_t b) {
  EmulatedTile *const to = find_tile(c);
  const EmulatedTile *const rows = find_tile(a), *const columns = find_tile(b);
  if (c == a || c == b || a == b) end_program("%zu, %zu and %zu are not three", c, a, b);
  if (rows->rows != to->rows || rows->bytes != 4 * columns->rows || columns->bytes != to->bytes)
    end_program("the shapes of %zu, %zu and %zu do not fit", c, a, b);
  dot(to, rows, columns);
  atomic_fetch_add(&dots, 1);
}
