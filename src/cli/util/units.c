/* units.c - picks the unit and the number of digits after the point.
 *
 * A value that rounds up to the next unit's 1 keeps its own unit ("1000 us"): four digits suffice
 * for that, and no value is rounded twice.
 */
#include "cli/util/units.h"

#include <stdio.h>

/* Three significant digits after the first unit is chosen; sign and zero do not occur. */
static UnitText format(double value, const char *unit) {
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  UnitText text;
  snprintf(text.text, sizeof text.text, "%.*f%s%s", digits, value, *unit ? " " : "", unit);
  return text;
}

static UnitText scaled(double value, double step, const char *const *units, size_t count) {
  size_t i = 0;
  while (i + 1 < count && value >= step) {
    value /= step;
    i++;
  }
  return format(value, units[i]);
}

UnitText unit_seconds(double seconds) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  return scaled(seconds * 1e9, 1e3, units, 4);
}

UnitText unit_bytes(double bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) {
    UnitText text;
    snprintf(text.text, sizeof text.text, bytes > 0 ? "%.0f B" : "%.0f", bytes);
    return text;
  }
  return scaled(bytes, 1024, units, 5);
}

UnitText unit_count(double count) {
  static const char *const units[] = {"", "k", "M", "G"};
  return scaled(count, 1e3, units, 4);
}

UnitText unit_gflops(double gflops) {
  UnitText text;
  snprintf(text.text, sizeof text.text, "%.*f", gflops > 0 && gflops < 0.9995 ? 3 : 1, gflops);
  return text;
}

UnitText unit_share(double share) {
  UnitText text;
  if (share > 0 && share < 0.0005)
    snprintf(text.text, sizeof text.text, "<0.1%%");
  else if (share > 0)
    snprintf(text.text, sizeof text.text, share < 0.0995 ? "%.1f%%" : "%.0f%%", 100 * share);
  else
    snprintf(text.text, sizeof text.text, "-");
  return text;
}
