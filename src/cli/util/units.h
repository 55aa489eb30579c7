/* units.h - numbers for people: four digits at most, with the unit that keeps them short.
 *
 * Results are small structs by value, so that a line can print several of them.
 */
#ifndef ATTEND_SRC_CLI_UTIL_UNITS_H
#define ATTEND_SRC_CLI_UTIL_UNITS_H

#include <stddef.h>

typedef struct UnitText {
  char text[24];
} UnitText;

UnitText unit_seconds(double seconds); /* "1.234 ms" */
UnitText unit_bytes(double bytes);     /* "1.50 MiB", "0" */
UnitText unit_count(double count);     /* "12.3 k" */
UnitText unit_gflops(double gflops);   /* "101.2", "0.012"; of GB/s too; the unit is in the head */
UnitText unit_share(double share); /* "71%", "0.4%", "<0.1%"; "-" for 0: nothing to compare with */

#endif
