/* heat_scale.c - owns the colours of heat maps.
 *
 * They run from a light yellow over green and blue to nearly black, and print well in grey, because
 * every step is darker than the one before. tests/tool/test_heat_map.c holds both tables to that.
 */
#include "cli/picture/heat_scale.h"

#include <math.h>

HeatScale heat_scale(const HeatSheet *sheet, HeatKind kind) {
  HeatScale scale = {.least = INFINITY, .most = -INFINITY, .whole = true};
  for (size_t m = 0; m < sheet->count; m++) {
    const HeatMap *const map = &sheet->maps[m];
    if (map->kind != kind) continue;
    scale.root |= kind == HEAT_WEIGHTS && map->columns > HEAT_MANY_KEYS;
    for (size_t i = 0; i < map->rows * map->columns; i++) {
      const float value = map->data[i / map->columns * map->row_stride + i % map->columns];
      if (isnan(value)) {
        scale.not_a_number = true;
      } else if (isinf(value)) {
        scale.hidden |= value < 0;
      } else {
        scale.whole &= value == floorf(value);
        scale.least = fmin(scale.least, (double)value);
        scale.most = fmax(scale.most, (double)value);
      }
    }
  }
  if (kind == HEAT_WEIGHTS && scale.least > 0 && scale.least <= scale.most) scale.least = 0;
  return scale;
}

double heat_share(const HeatScale *scale, double value) {
  if (value >= scale->most || scale->most <= scale->least) return 1;
  const double share = fmax(0, (value - scale->least) / (scale->most - scale->least));
  return scale->root ? sqrt(share) : share;
}

uint32_t heat_colour(double share) {
  static const double points[][3] = {{255, 253, 233}, {214, 235, 178}, {126, 199, 184},
                                     {58, 150, 189},  {36, 92, 160},   {16, 30, 84}};
  const size_t last = sizeof points / sizeof *points - 1;
  const double at = fmin(fmax(share, 0), 1) * (double)last;
  const size_t low = at < (double)last ? (size_t)at : last - 1;
  uint32_t colour = 0;
  for (size_t c = 0; c < 3; c++) {
    const double from = points[low][c], to = points[low + 1][c];
    colour = colour << 8 | (uint32_t)(from + (at - (double)low) * (to - from) + 0.5);
  }
  return colour;
}

unsigned heat_terminal_colour(double share) {
  static const unsigned char colours[] = {230, 193, 157, 115, 79, 73, 37, 31, 25, 24, 18, 17};
  const size_t last = sizeof colours - 1;
  return colours[(size_t)(fmin(fmax(share, 0), 1) * (double)last + 0.5)];
}

bool heat_is_dark(uint32_t colour) {
  const double red = colour >> 16, green = colour >> 8 & 0xff, blue = colour & 0xff;
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

size_t heat_block(const HeatMap *map, size_t most) {
  const size_t side = map->rows > map->columns ? map->rows : map->columns;
  return (side + most - 1) / most;
}

double heat_cell(const HeatMap *map, size_t block, size_t row, size_t column) {
  double largest = -INFINITY;
  for (size_t r = row * block; r < (row + 1) * block && r < map->rows; r++) {
    for (size_t c = column * block; c < (column + 1) * block && c < map->columns; c++) {
      const double value = (double)map->data[r * map->row_stride + c];
      if (isnan(value)) return value;
      largest = fmax(largest, value);
    }
  }
  return largest;
}

HeatNumber heat_number(const HeatScale *scale, double value) {
  HeatNumber number;
  if (isnan(value)) {
    snprintf(number.text, sizeof number.text, "NaN");
  } else if (isinf(value)) {
    snprintf(number.text, sizeof number.text, value < 0 ? "−∞" : "∞");
  } else if (fabs(value) >= 9999.5 || (value != 0 && fabs(value) < 0.005)) {
    snprintf(number.text, sizeof number.text, "%.1g", value);
  } else {
    const bool places = !scale->whole && value != 0 && fabs(value) < 99.995;
    snprintf(number.text, sizeof number.text, "%.*f", places ? 2 : 0, value + 0.0);
  }
  return number;
}
