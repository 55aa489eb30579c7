/* cpu.c - asks the processor what it can do.
 *
 * The compiler's feature test reads CPUID and XGETBV, so a feature counts only when the operating
 * system saves its registers; for AMX, which that test does not know, the same is done here. F16C,
 * which it may not know either, uses AVX's registers. Nothing is cached: a context asks once, when
 * it is opened.
 */
#include "platform/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

#if defined(__x86_64__)
#  include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#  include <sys/syscall.h>
#  include <unistd.h>
#  define HAS_TILES
#endif

#ifdef HAS_TILES
/* Of asm/prctl.h and the processor's manual; headers may be older than the processor. */
enum { GET_SUPPORTED_STATES = 0x1021, GET_PERMITTED_STATES = 0x1022, REQUEST_STATE = 0x1023 };
enum { STATE_TILE_CONFIG = 17, STATE_TILE_DATA = 18 };

static bool states_include_tiles(uint64_t states) {
  const uint64_t tiles = (uint64_t)1 << STATE_TILE_CONFIG | (uint64_t)1 << STATE_TILE_DATA;
  return (states & tiles) == tiles;
}

/* CPUID leaf 7, EDX: AMX-BF16 and AMX-TILE; XCR0; and what Linux says that it can save. Asks only a
 * processor with AVX-512, on which XGETBV is there to be used. */
static bool tiles_supported(void) {
  unsigned a, b, c, d, low, high;
  uint64_t states = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if (!(d & 1u << 22) || !(d & 1u << 24)) return false;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if (!states_include_tiles((uint64_t)high << 32 | low)) return false;
  return syscall(SYS_arch_prctl, GET_SUPPORTED_STATES, &states) == 0 &&
         states_include_tiles(states);
}

/* The permission is the process's, also for threads that run already; it is refused where a
 * thread's alternative signal stack is too small for the larger state. */
static bool tiles_enabled(void) {
  uint64_t states = 0;
  return syscall(SYS_arch_prctl, REQUEST_STATE, STATE_TILE_DATA) == 0 &&
         syscall(SYS_arch_prctl, GET_PERMITTED_STATES, &states) == 0 &&
         states_include_tiles(states);
}
#endif

#if defined(__x86_64__)
/* CPUID leaf 1, ECX: F16C, which not every compiler's feature test knows. Every processor with AVX2
 * has it, but a hypervisor may hide it alone. */
static bool converts_halves(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29);
}
#endif

bool cpu_supports(AttendIsa isa) {
  switch (isa) {
  case ATTEND_ISA_SCALAR:
    return true;
#if defined(__x86_64__)
  case ATTEND_ISA_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && converts_halves();
  case ATTEND_ISA_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           cpu_supports(ATTEND_ISA_AVX2);
  case ATTEND_ISA_AVX512_BF16:
    return __builtin_cpu_supports("avx512bf16") && cpu_supports(ATTEND_ISA_AVX512);
#endif
#ifdef HAS_TILES
  case ATTEND_ISA_AMX:
    return cpu_supports(ATTEND_ISA_AVX512_BF16) && tiles_supported();
#endif
  default:
    return false;
  }
}

bool cpu_usable(AttendIsa isa) {
  return kernels_get(isa) && cpu_supports(isa);
}

bool cpu_enable(AttendIsa isa) {
#ifdef HAS_TILES
  if (isa == ATTEND_ISA_AMX) return tiles_enabled();
#else
  (void)isa;
#endif
  return true;
}

AttendIsa cpu_best(AttendPrecision precision) {
  const int widest = precision == ATTEND_PRECISION_FP32 ? ATTEND_ISA_AVX512 : ATTEND_ISA_COUNT - 1;
  for (int isa = widest; isa > ATTEND_ISA_SCALAR; isa--) {
    if (cpu_usable((AttendIsa)isa) && cpu_enable((AttendIsa)isa)) return (AttendIsa)isa;
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
