/* core_clock.c - the chain, in assembly so that no compiler and no debug build puts anything
 * between.
 *
 * The addend is a register: processors that fold additions of constants while renaming registers
 * would take less than a cycle for those.
 */
#include "bench/core_clock.h"

#include <stdint.h>

#include "bench/timer.h"

#define LINKS 128
#define ROUNDS 512

double core_clock_hertz(void) {
#if defined(__x86_64__)
  uint64_t sum = 0, addend = 1;
  const double start = timer_seconds();
  for (int i = 0; i < ROUNDS; i++) {
    __asm__ volatile(".rept 128\n\tadd %1, %0\n\t.endr" : "+r"(sum) : "r"(addend) : "cc");
  }
  return (double)LINKS * ROUNDS / (timer_seconds() - start);
#else
  return 0;
#endif
}
