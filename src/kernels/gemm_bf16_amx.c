/* gemm_bf16_amx.c - gemm_bf16 on AMX tiles: 32 rows by a panel of columns at once. Compiled in
 * place of gemm_bf16.c.
 *
 *                       b: 16 pairs x 16 columns   b: 16 pairs x 16 columns
 *                              tile 6                     tile 7
 *    a: rows 0 .. 15  tile 4   tile 0                     tile 1
 *    a: rows 16 .. 31 tile 5   tile 2                     tile 3
 *
 * Packed pairs need no rearranging: 16 rows of a step of pairs are a tile, and so is half a panel.
 * Tiles of rows are configured with as many rows as the call has, so that no other row is read or
 * written. With 16 rows or fewer, tiles 2, 3 and 5 are not used. Four loads feed four dot products
 * of 16 x 16 x 16 pairs.
 *
 * A thread's tiles stay configured between calls, until `release`.
 *
 * A dot product of tiles takes one step of pairs and adds to the sums as they stand. So a call that
 * is cut between steps gives the same bits. Chains are those of gemm_bf16.c, but all levels of a
 * chain share one sum; the smallest products come first.
 *
 * Vectors and tiles exchange data through memory, and a load waits until the store before it has
 * reached L1. So sums are rescaled one panel before their dot products, and a chain is added to c
 * one chain later.
 */
#include <string.h>

#include "kernels/member.h"

_Static_assert(KERNEL_STEP == 16 && KERNEL_PANEL == 32, "an AMX tile is a step by half a panel");
_Static_assert(KERNEL_MAX_ROWS == 32, "two AMX tiles hold all rows");

#define AMX_TILE_ROWS 16
#define PANEL_BYTES (KERNEL_PANEL * 4)

/* What LDTILECFG loads (palette 1). */
typedef struct AmxConfig {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} AmxConfig;

_Static_assert(sizeof(AmxConfig) == 64, "the layout is the processor's");

/* The sums of a panel, in memory between vectors and tiles. */
typedef struct PanelSums {
  _Alignas(KERNEL_ALIGNMENT) float sum[KERNEL_MAX_ROWS][KERNEL_PANEL];
} PanelSums;

KERNEL_INLINE AmxConfig amx_config(size_t rows) {
  const uint8_t upper = (uint8_t)(rows < AMX_TILE_ROWS ? rows : AMX_TILE_ROWS);
  const uint8_t lower = (uint8_t)(rows - upper);
  AmxConfig config = {
      .palette = 1,
      .rows = {upper, upper, lower, lower, upper, lower, AMX_TILE_ROWS, AMX_TILE_ROWS}};
  for (size_t tile = 0; tile < 8; tile++) config.row_bytes[tile] = config.rows[tile] ? 64 : 0;
  return config;
}

/* Configuring takes some 200 cycles by Intel's manual, reading the configuration some 20, and all
 * dot products of a call may take as few as 500. So a call with as many rows as the one before does
 * not configure again. */
KERNEL_INLINE void configure_tiles(size_t rows) {
  const AmxConfig wanted = amx_config(rows);
  AmxConfig found;
  AMX_CONFIGURATION(&found);
  if (memcmp(&found, &wanted, sizeof wanted) != 0) AMX_CONFIGURE(&wanted);
}

KERNEL_INLINE void zero_tiles(const bool two) {
  AMX_ZERO(0);
  AMX_ZERO(1);
  if (two) {
    AMX_ZERO(2);
    AMX_ZERO(3);
  }
}

/* stride, here and below: floats from row to row. */
KERNEL_INLINE void load_tiles(const bool two, const float *from, size_t stride) {
  AMX_LOAD(0, from, stride * sizeof *from);
  AMX_LOAD(1, from + AMX_TILE_ROWS, stride * sizeof *from);
  if (two) {
    AMX_LOAD(2, from + AMX_TILE_ROWS * stride, stride * sizeof *from);
    AMX_LOAD(3, from + AMX_TILE_ROWS * stride + AMX_TILE_ROWS, stride * sizeof *from);
  }
}

KERNEL_INLINE void store_tiles(const bool two, float *to, size_t stride) {
  AMX_STORE(0, to, stride * sizeof *to);
  AMX_STORE(1, to + AMX_TILE_ROWS, stride * sizeof *to);
  if (two) {
    AMX_STORE(2, to + AMX_TILE_ROWS * stride, stride * sizeof *to);
    AMX_STORE(3, to + AMX_TILE_ROWS * stride + AMX_TILE_ROWS, stride * sizeof *to);
  }
}

/* Adds the products of pairs from .. to of terms p of a and q of b. */
KERNEL_INLINE void dot_tiles(const bool two, size_t from, size_t to, KernelPairs a, size_t p,
                             KernelPairs b, size_t q) {
  const uint32_t *const rows = a.pairs + p * a.term_stride;
  const uint32_t *const panel = b.pairs + q * b.term_stride;
  const size_t row_bytes = a.stride * sizeof *rows;
  for (size_t i = from; i < to; i += KERNEL_STEP) {
    AMX_LOAD(4, rows + i, row_bytes);
    AMX_LOAD(6, panel + i * KERNEL_PANEL, PANEL_BYTES);
    AMX_LOAD(7, panel + i * KERNEL_PANEL + AMX_TILE_ROWS, PANEL_BYTES);
    AMX_DOT(0, 4, 6);
    AMX_DOT(1, 4, 7);
    if (two) {
      AMX_LOAD(5, rows + AMX_TILE_ROWS * a.stride + i, row_bytes);
      AMX_DOT(2, 5, 6);
      AMX_DOT(3, 5, 7);
    }
  }
}

/* Whether c needs no scaling. 1 * c is c, so leaving it out changes no bit. */
KERNEL_INLINE bool all_ones(size_t rows, const float *rescale) {
  bool ones = true;
  for (size_t r = 0; r < rows; r++) ones &= rescale[r] == 1.0f;
  return ones;
}

KERNEL_INLINE void scale_panel(size_t rows, const float *rescale, const float *c, size_t c_stride,
                               PanelSums *scaled) {
  for (size_t r = 0; r < rows; r++) {
    const vfloat factor = v_set1(rescale[r]);
    for (size_t j = 0; j < KERNEL_PANEL; j += LANES) {
      v_store(scaled->sum[r] + j, v_mul(factor, v_load(c + r * c_stride + j)));
    }
  }
}

/* One chain a panel. The next panel's sums are scaled before the dot products of this one, so that
 * they have reached L1 when tiles load them. */
KERNEL_INLINE void gemm_one_chain(const bool two, size_t rows, size_t pairs, size_t width,
                                  KernelPairs a, KernelPairs b, const float *rescale, float *c,
                                  size_t c_stride) {
  const bool begins = !rescale, scales = rescale && !all_ones(rows, rescale);
  PanelSums scaled[2];
  if (scales) scale_panel(rows, rescale, c, c_stride, &scaled[0]);
  for (size_t j = 0, current = 0; j < width; j += KERNEL_PANEL, current ^= 1) {
    if (begins) {
      zero_tiles(two);
    } else if (scales) {
      load_tiles(two, scaled[current].sum[0], KERNEL_PANEL);
    } else {
      load_tiles(two, c + j, c_stride);
    }
    if (scales && j + KERNEL_PANEL < width) {
      scale_panel(rows, rescale, c + j + KERNEL_PANEL, c_stride, &scaled[current ^ 1]);
    }
    dot_tiles(two, 0, pairs, a, 0, b, 0);
    store_tiles(two, c + j, c_stride);
    b.pairs += b.stride;
  }
}

/* Sums of a chain that are still to be added to c. */
typedef struct ChainSums {
  float *c;
  const float *rescale; /* null: 1 */
  PanelSums sums;
} ChainSums;

/* c = rescale * c + sums. */
KERNEL_INLINE void add_chain(size_t rows, const ChainSums *chain, size_t c_stride) {
  for (size_t r = 0; r < rows; r++) {
    const vfloat factor = v_set1(chain->rescale ? chain->rescale[r] : 1.0f);
    for (size_t j = 0; j < KERNEL_PANEL; j += LANES) {
      float *const at = chain->c + r * c_stride + j;
      v_store(at, v_fma(factor, v_load(at), v_load(chain->sums.sum[r] + j)));
    }
  }
}

/* The products of all levels of a chain, the smallest first. */
KERNEL_INLINE void dot_levels(const bool two, size_t from, size_t to, size_t bf16_terms,
                              KernelPairs a, KernelPairs b) {
  zero_tiles(two);
  for (size_t level = bf16_terms; level-- > 0;) {
    for (size_t p = 0; p <= level; p++) {
      if (p < a.terms && level - p < b.terms) dot_tiles(two, from, to, a, p, b, level - p);
    }
  }
}

/* Several chains a panel. Each is added to c after the dot products of the next one have been
 * issued, so that vectors and tiles work at the same time. */
KERNEL_INLINE void gemm_chains(const bool two, size_t rows, size_t pairs, size_t width,
                               size_t bf16_terms, KernelPairs a, KernelPairs b,
                               const float *rescale, float *c, size_t c_stride) {
  ChainSums chains[2];
  chains[0].c = chains[1].c = NULL;
  size_t current = 0;
  for (size_t j = 0; j < width; j += KERNEL_PANEL, b.pairs += b.stride) {
    for (size_t from = 0; from < pairs; from += KERNEL_CHAIN) {
      dot_levels(two, from, pairs - from < KERNEL_CHAIN ? pairs : from + KERNEL_CHAIN, bf16_terms,
                 a, b);
      if (from == 0 && !rescale) {
        store_tiles(two, c + j, c_stride);
        continue;
      }
      ChainSums *const chain = &chains[current], *const before = &chains[current ^= 1];
      chain->c = c + j;
      chain->rescale = from == 0 ? rescale : NULL;
      store_tiles(two, chain->sums.sum[0], KERNEL_PANEL);
      if (before->c) add_chain(rows, before, c_stride);
    }
  }
  if (chains[current ^ 1].c) add_chain(rows, &chains[current ^ 1], c_stride);
}

KERNEL_INLINE void gemm_panels(const bool two, size_t rows, size_t pairs, size_t width,
                               size_t bf16_terms, KernelPairs a, KernelPairs b,
                               const float *rescale, float *c, size_t c_stride) {
  if (bf16_terms == 1) {
    gemm_one_chain(two, rows, pairs, width, a, b, rescale, c, c_stride);
  } else {
    gemm_chains(two, rows, pairs, width, bf16_terms, a, b, rescale, c, c_stride);
  }
}

void MEMBER(gemm_bf16)(size_t rows, size_t pairs, size_t width, size_t bf16_terms, KernelPairs a,
                       KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  configure_tiles(rows);
  if (rows > AMX_TILE_ROWS) {
    gemm_panels(true, rows, pairs, width, bf16_terms, a, b, rescale, c, c_stride);
  } else {
    gemm_panels(false, rows, pairs, width, bf16_terms, a, b, rescale, c, c_stride);
  }
}

void MEMBER(release)(void) {
  AMX_RELEASE();
}
