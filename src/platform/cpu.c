/* cpu.c - asks the processor what it can do, and chooses the ISA that AUTO stands for.
 *
 * Which ISAs there are, what each needs and how they rank is isas.def's to say. The compiler's
 * feature test reads CPUID and XGETBV, so a feature counts only when the operating
 * system saves its registers; for AMX, which that test does not know, the same is done here. F16C,
 * which it may not know either, uses AVX's registers. Nothing is cached: a context asks once, when
 * it is opened.
 */
#include "platform/cpu.h"

#include <limits.h>
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

/* The words of isas.def. */
#if defined(__x86_64__)
#  define CPU_HAS(feature) __builtin_cpu_supports(feature)
#  define CPU_HAS_F16C converts_halves()
#else
#  define CPU_HAS(feature) false
#  define CPU_HAS_F16C false
#endif
#ifdef HAS_TILES
#  define CPU_HAS_AMX tiles_supported()
#else
#  define CPU_HAS_AMX false
#endif

/* What an ISA needs beyond the one that it extends. */
static bool has_features(AttendIsa isa) {
  switch (isa) {
#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  case ATTEND_ISA_##id:                                                                            \
    return needs;
#include "kernels/isas.def"
#undef ATTEND_ISA
  default:
    return false;
  }
}

typedef struct IsaRecord {
  AttendIsa extends;
  unsigned fp32_rank, bf16_rank;
} IsaRecord;

static const IsaRecord records[ATTEND_ISA_COUNT] = {
#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  [ATTEND_ISA_##id] = {ATTEND_ISA_##extends, fp32_rank, bf16_rank},
#include "kernels/isas.def"
#undef ATTEND_ISA
};

/* Whether the processor has the ISA and all that it extends, and the system saves its registers. */
static bool supports(AttendIsa isa) {
  if (isa <= ATTEND_ISA_AUTO || isa >= ATTEND_ISA_COUNT) return false;
  const AttendIsa base = records[isa].extends;
  return (base == ATTEND_ISA_AUTO || supports(base)) && has_features(isa);
}

bool cpu_usable(AttendIsa isa) {
  return kernels_get(isa) && supports(isa);
}

bool cpu_enable(AttendIsa isa) {
#ifdef HAS_TILES
  if (isa == ATTEND_ISA_AMX) return tiles_enabled();
#else
  (void)isa;
#endif
  return true;
}

static unsigned rank(AttendIsa isa, AttendPrecision precision) {
  return precision == ATTEND_PRECISION_FP32 ? records[isa].fp32_rank : records[isa].bf16_rank;
}

/* The usable ISA that ranks highest below `limit`. */
static AttendIsa best_below(unsigned limit, AttendPrecision precision) {
  AttendIsa best = ATTEND_ISA_SCALAR;
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    const unsigned its = rank((AttendIsa)isa, precision);
    if (its < limit && its > rank(best, precision) && cpu_usable((AttendIsa)isa))
      best = (AttendIsa)isa;
  }
  return best;
}

AttendIsa cpu_best(AttendPrecision precision) {
  AttendIsa best = best_below(UINT_MAX, precision);
  while (best != ATTEND_ISA_SCALAR && !cpu_enable(best))
    best = best_below(rank(best, precision), precision);
  return best;
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
