/* allocation.c - asks the kernel what is available before it asks for memory.
 *
 * A sixteenth of what is available stays for everything else. Where /proc cannot be read, all of
 * the physical memory counts as available and malloc has the last word.
 */
#include "bench/allocation.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/memory.h"

static double available_bytes(void) {
  double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  FILE *const file = fopen("/proc/meminfo", "re");
  if (!file) return bytes;
  char line[128];
  while (fgets(line, sizeof line, file)) {
    unsigned long long kibibytes;
    if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1) bytes = 1024.0 * (double)kibibytes;
  }
  fclose(file);
  return bytes;
}

bool allocation_fits(double bytes) {
  const double room = available_bytes() * 15 / 16;
  return bytes <= room && bytes < (double)(SIZE_MAX / 2);
}

float *allocate_floats(double count) {
  const double bytes = fmax(count, 1) * sizeof(float);
  return allocation_fits(bytes) ? memory_allocate((size_t)bytes) : NULL;
}
