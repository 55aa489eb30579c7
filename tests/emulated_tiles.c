/* emulated_tiles.c - owns the emulated tiles, and does what the manual says of each instruction.
 *
 * TDPBF16PS (Intel SDM, volume 2): a row's first products of all pairs are added up in one chain of
 * fused multiply-adds from zero, the second ones in another; the two are added, and their sum to
 * the destination. Every operation rounds to nearest, ties to even; denormal operands and results
 * are zero.
 */
#include "tests/emulated_tiles.h"

#include <math.h>
#include <string.h>

#include "tests/kernel_pairs.h"

#define TILES 8
#define TILE_ROWS 16
#define TILE_BYTES 64

typedef struct EmulatedTile {
  size_t rows, bytes;
  uint32_t cell[TILE_ROWS][TILE_BYTES / 4];
} EmulatedTile;

static struct {
  bool configured;
  EmulatedTile tile[TILES];
} unit;

void emulated_configure(const void *config) {
  const unsigned char *const bytes = config;
  memset(&unit, 0, sizeof unit);
  if (bytes[0] != 1) fail_msg("tiles: palette %d is not 1", bytes[0]);
  for (size_t i = 1; i < 16; i++)
    if (bytes[i]) fail_msg("tiles: byte %zu of the configuration is not 0", i);
  for (size_t t = 0; t < 16; t++) {
    const size_t row_bytes = bytes[16 + 2 * t] + 256u * bytes[17 + 2 * t], rows = bytes[48 + t];
    const size_t most = t < TILES ? TILE_BYTES : 0;
    if (row_bytes > most || rows > TILE_ROWS || (rows == 0) != (row_bytes == 0))
      fail_msg("tiles: tile %zu cannot have %zu rows of %zu bytes", t, rows, row_bytes);
    if (t < TILES) unit.tile[t].rows = rows;
    if (t < TILES) unit.tile[t].bytes = row_bytes;
  }
  unit.configured = true;
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
  memset(&unit, 0, sizeof unit);
}

bool emulated_is_configured(void) {
  return unit.configured;
}

static EmulatedTile *find_tile(size_t tile) {
  if (!unit.configured || unit.tile[tile].rows == 0)
    fail_msg("tiles: tile %zu is used and not configured", tile);
  return &unit.tile[tile];
}

void emulated_zero(size_t tile) {
  memset(find_tile(tile)->cell, 0, sizeof unit.tile[0].cell);
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

/* Denormals become zeros of their sign. */
static float flushed(float x) {
  return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static float element(uint32_t pair, size_t which) {
  return flushed((float)pair_element(pair, which));
}

static float dot_of_pairs(const uint32_t *row, const EmulatedTile *b, size_t pairs, size_t column) {
  float first = 0.0f, second = 0.0f;
  for (size_t k = 0; k < pairs; k++) {
    const uint32_t other = b->cell[k][column];
    first = flushed(fmaf(element(row[k], 0), element(other, 0), first));
    second = flushed(fmaf(element(row[k], 1), element(other, 1), second));
  }
  return flushed(first + second);
}

void emulated_dot(size_t c, size_t a, size_t b) {
  EmulatedTile *const to = find_tile(c);
  const EmulatedTile *const rows = find_tile(a), *const columns = find_tile(b);
  if (c == a || c == b || a == b) fail_msg("tiles: %zu, %zu and %zu are not three", c, a, b);
  if (rows->rows != to->rows || rows->bytes != 4 * columns->rows || columns->bytes != to->bytes)
    fail_msg("tiles: the shapes of %zu, %zu and %zu do not fit", c, a, b);
  for (size_t r = 0; r < to->rows; r++) {
    for (size_t j = 0; j < to->bytes / 4; j++) {
      float sum;
      memcpy(&sum, &to->cell[r][j], sizeof sum);
      const float more = dot_of_pairs(rows->cell[r], columns, rows->bytes / 4, j);
      sum = flushed(flushed(sum) + more);
      memcpy(&to->cell[r][j], &sum, sizeof sum);
    }
  }
}
