/* kv_source.h - the places from which the kernels take K and V, one record each.
 *
 *   head       a thread packs all tiles of a kv head for itself and then takes all of its query
 *              tiles: its K and V stay in that core's caches. Prefill with as many kv heads as
 *              threads.
 *   shared     all threads pack all kv heads first. Then every (kv head, query tile) is a piece of
 *              work. Prefill with fewer heads, or with heads that do not divide well.
 *   local      one query tile holds all rows of a kv head, so a packed copy would have one user:
 *              each tile is packed into the thread's scratch when its turn comes. Short chunks.
 *   in place   one register block holds all rows: the rows of K and V are read where they are.
 *              Decode without a cache.
 *   cached     the pages of the cache are multiplied as they lie.
 *   gathered   likewise, but the values of several small pages are copied into one tile, because
 *              the chain of a weighted sum with several bf16 terms covers a whole tile.
 *   widened    pairs of the cache become floats, tile by tile. Precision fp32.
 *   converted  other numbers of the cache become bf16 terms, tile by tile. The bf16 precisions.
 *
 * All of them give the same bits.
 */
#ifndef ATTEND_SRC_TILED_KV_SOURCE_H
#define ATTEND_SRC_TILED_KV_SOURCE_H

#include "cache/kvcache.h"
#include "tiled/tile.h"

typedef enum PackedBy {
  PACKED_BY_NOBODY,     /* ahead; each fetch finds or makes its tile */
  PACKED_BY_ITS_THREAD, /* a kv head is one piece of work */
  PACKED_BY_ALL_THREADS,
} PackedBy;

struct KvSource {
  const char *description; /* for plans */
  Tile (*fetch)(const KvHead *head, size_t tile);
  PackedBy packed_by;
  bool scratch_tile;     /* a thread has room for one tile, in case a fetch makes one */
  bool fetch_overwrites; /* the tile fetched before */
  bool as_stored;        /* the numbers multiplied are those that the cache stores */
};

extern const KvSource kv_source_head, kv_source_shared, kv_source_local, kv_source_in_place,
    kv_source_cached, kv_source_gathered, kv_source_widened, kv_source_converted;

/* Packs all tiles of a kv head into the scratch of its thread, for kv_source_head. */
void kv_source_pack_head(const KvHead *head);

/* Packs panel number `panel` of a sequence's keys and values, of all kv heads, for
 * kv_source_shared. With heads side by side in memory a token's row is read from end to end. */
void kv_source_pack_shared(const Job *job, const SequencePlan *plan, size_t panel);

/* Panels of a sequence that kv_source_pack_shared() packs; 0 for another source. */
size_t kv_source_shared_panels(const SequencePlan *plan);

/* Tiles of a sequence for which a thread needs room of its own. */
size_t kv_source_scratch_tiles(const SequencePlan *plan);

#endif
