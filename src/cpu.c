/* cpu.c - asks the processor what it can do.
 *
 * The compiler's feature test reads CPUID and XGETBV, so a feature counts only when the operating
 * system saves its registers. Nothing is cached here: a context asks once, when it is opened.
 */
#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

#if defined(__x86_64__)
#  include <cpuid.h>
#endif

bool cpu_supports(AttendIsa isa) {
  switch (isa) {
  case ATTEND_ISA_SCALAR:
    return true;
#if defined(__x86_64__)
  case ATTEND_ISA_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  case ATTEND_ISA_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           cpu_supports(ATTEND_ISA_AVX2);
#endif
  default:
    return false;
  }
}

bool cpu_usable(AttendIsa isa) {
  return kernels_get(isa) && cpu_supports(isa);
}

AttendIsa cpu_best(void) {
  for (int isa = ATTEND_ISA_COUNT - 1; isa > ATTEND_ISA_SCALAR; isa--) {
    if (cpu_usable((AttendIsa)isa)) return (AttendIsa)isa;
  }
  return ATTEND_ISA_SCALAR;
}

void cpu_brand(char *text, size_t size) {
  char brand[49] = "";
#if defined(__x86_64__)
  for (unsigned leaf = 0; leaf < 3; leaf++) {
    unsigned r[4];
    if (!__get_cpuid(0x80000002u + leaf, &r[0], &r[1], &r[2], &r[3])) break;
    memcpy(brand + 16 * leaf, r, sizeof r);
  }
#endif
  const char *start = brand;
  while (*start == ' ') start++;
  snprintf(text, size, "%s", start);
  for (size_t end = strlen(text); end > 0 && text[end - 1] == ' '; end--) text[end - 1] = '\0';
}

/* The first word of a file of cache facts, "" if there is none. */
static void read_cache_fact(int index, const char *fact, char *word, int size) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, fact);
  word[0] = '\0';
  FILE *const file = fopen(path, "re");
  if (!file) return;
  if (!fgets(word, size, file)) word[0] = '\0';
  word[strcspn(word, "\n")] = '\0';
  fclose(file);
}

/* From the kernel's tables: sysconf() multiplies the L3 of some processors by their cores. */
size_t cpu_cache_bytes(int level) {
  for (int index = 0; index < 8; index++) {
    char type[32], text[32];
    read_cache_fact(index, "level", text, sizeof text);
    if (atoi(text) != level) continue;
    read_cache_fact(index, "type", type, sizeof type);
    if (strcmp(type, "Data") != 0 && strcmp(type, "Unified") != 0) continue;
    read_cache_fact(index, "size", text, sizeof text);
    char *unit = text;
    const size_t number = strtoul(text, &unit, 10);
    return *unit == 'K' ? number << 10 : *unit == 'M' ? number << 20 : number;
  }
  return 0;
}
