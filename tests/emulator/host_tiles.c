/* host_tiles.c - the instructions of a host that uses AMX itself, and the state that XGETBV and the
 * frame of a signal show; see host_tiles.h.
 */
#include "tests/emulator/host_tiles.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#  include <sys/syscall.h>
#  include <ucontext.h>
#  include <unistd.h>

#  define USES_TILES __attribute__((target("amx-tile,amx-bf16")))

enum { ROWS = 5, COLUMNS = 7, PAIRS = 3 };
enum { GET_PERMITTED_STATES = 0x1022 }; /* of asm/prctl.h */

/* XTILECFG and XTILEDATA in every vector of state components. */
static const uint64_t tile_states = (uint64_t)3 << 17;

typedef struct Operands {
  float c[ROWS][COLUMNS];
  uint16_t a[ROWS][2 * PAIRS], b[PAIRS][2 * COLUMNS];
} Operands;

/* A small integer, which bf16 holds exactly. */
static uint16_t bf16_of(int x) {
  const float number = (float)x;
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  return (uint16_t)(bits >> 16);
}

static int element_of_a(int r, int k) {
  return r - k;
}

static int element_of_b(int k, int j) {
  return 3 * k + j - 9;
}

static Operands operands_new(void) {
  Operands x;
  for (int r = 0; r < ROWS; r++) {
    for (int j = 0; j < COLUMNS; j++) x.c[r][j] = (float)(100 * r + j);
    for (int k = 0; k < 2 * PAIRS; k++) x.a[r][k] = bf16_of(element_of_a(r, k));
  }
  for (int k = 0; k < 2 * PAIRS; k++)
    for (int j = 0; j < COLUMNS; j++) x.b[k / 2][2 * j + k % 2] = bf16_of(element_of_b(k, j));
  return x;
}

static bool product_is_right(const Operands *x) {
  for (int r = 0; r < ROWS; r++) {
    for (int j = 0; j < COLUMNS; j++) {
      int sum = 100 * r + j;
      for (int k = 0; k < 2 * PAIRS; k++) sum += element_of_a(r, k) * element_of_b(k, j);
      if (x->c[r][j] != (float)sum) return false;
    }
  }
  return true;
}

/* c in tile 3, a in tile 1, b in tile 6. */
USES_TILES static void load(const Operands *x) {
  _Alignas(64) uint8_t config[64] = {[0] = 1,
                                     [16 + 2 * 3] = sizeof x->c[0],
                                     [16 + 2 * 1] = sizeof x->a[0],
                                     [16 + 2 * 6] = sizeof x->b[0],
                                     [48 + 3] = ROWS,
                                     [48 + 1] = ROWS,
                                     [48 + 6] = PAIRS};
  __asm__ volatile("ldtilecfg %0\n\t"
                   "tileloadd (%1,%2,1), %%tmm3\n\t"
                   "tileloadd (%3,%4,1), %%tmm1\n\t"
                   "tileloadd (%5,%6,1), %%tmm6"
                   :
                   : "m"(config), "r"(x->c), "r"(sizeof x->c[0]), "r"(x->a), "r"(sizeof x->a[0]),
                     "r"(x->b), "r"(sizeof x->b[0])
                   : "memory");
}

bool host_tiles_permitted(void) {
  uint64_t states = 0;
  return syscall(SYS_arch_prctl, GET_PERMITTED_STATES, &states) == 0 &&
         (states & tile_states) == tile_states;
}

void host_tiles_hold(void) {
  const Operands x = operands_new();
  load(&x);
}

USES_TILES bool host_tiles_multiply(void) {
  Operands x = operands_new();
  load(&x);
  __asm__ volatile("tdpbf16ps %%tmm6, %%tmm1, %%tmm3\n\t"
                   "tilestored %%tmm3, (%0,%1,1)\n\t"
                   "tilerelease"
                   :
                   : "r"(x.c), "r"(sizeof x.c[0])
                   : "memory");
  return product_is_right(&x);
}

bool host_tiles_in_use(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1)); /* the states in use */
  return (low & tile_states) != 0;
}

bool host_tiles_interrupted(const void *context) {
  const ucontext_t *const interrupted = context;
  uint64_t saved; /* XSTATE_BV, the first word behind the legacy area */
  memcpy(&saved, (const char *)interrupted->uc_mcontext.fpregs + 512, sizeof saved);
  return (saved & tile_states) != 0;
}

#else

bool host_tiles_permitted(void) {
  return false;
}

void host_tiles_hold(void) {
}

bool host_tiles_multiply(void) {
  return false;
}

bool host_tiles_in_use(void) {
  return false;
}

bool host_tiles_interrupted(const void *context) {
  (void)context;
  return false;
}

#endif
