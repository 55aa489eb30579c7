/* cache_model.h - a cache beside plain arrays that say what it must hold.
 *
 * Every operation is done to both and must end as the rules of attend.h say. The model keeps the
 * rows of all tokens, gives every page a number and counts the numbers in use; it knows nothing of
 * pages, panels or reference counts.
 */
#ifndef ATTEND_TESTS_SUPPORT_CACHE_MODEL_H
#define ATTEND_TESTS_SUPPORT_CACHE_MODEL_H

#include "tests/support/support.h"

enum { MODEL_SEQUENCES = 4, MODEL_PAGES = 16 };

typedef struct ModelSequence {
  size_t length, first;
  size_t room;               /* tokens that rows can hold */
  float *rows;               /* [room][Hk*D + Hk*Dv]: the keys of all heads, then the values */
  size_t pages[MODEL_PAGES]; /* of a pool: two sequences with a number in common share a page */
} ModelSequence;

/* How often something happened, so that a test can demand that it did. */
typedef struct ModelCounts {
  size_t appends, full_appends;
  size_t truncations, refused_truncations;
  size_t forks, full_forks, refused_forks;
  size_t copies; /* of a shared page before it was written */
} ModelCounts;

typedef struct CacheModel {
  AttendContext *context;
  AttendCache *cache;
  AttendLayerShape shape;
  AttendCacheSettings settings;
  size_t capacity;
  ModelSequence sequences[MODEL_SEQUENCES];
  size_t block_number; /* the last one given */
  size_t tokens_made;
  ModelCounts counts;
  char sentence[ATTEND_REASON_SIZE]; /* that the last append or fork left, "" if it succeeded */
  char label[256];                   /* the operation that is checked */
} CacheModel;

/* Opens the cache on one thread; sequences and pages of a sequence are at most as above. */
CacheModel model_open(const AttendLayerShape *shape, const AttendCacheSettings *settings);
void model_close(CacheModel *model);

/* Does an operation to both and compares everything; returns whether the rules allow it. */
bool model_append(CacheModel *model, size_t sequence, size_t tokens);
bool model_truncate(CacheModel *model, size_t sequence, size_t length);
bool model_fork(CacheModel *model, size_t from, size_t to, size_t length);

/* Lengths, first tokens, free pages, and the rows of every token that is kept. */
void model_check(const CacheModel *model);

/* So many operations drawn from the seed, on a new cache for floats, terms and fp16 each. Fails the
 * test unless everything happened more often than `least` says, and unless a pool has all of its
 * pages once the sequences are empty. */
void model_run(const AttendLayerShape *shape, const AttendCacheSettings *settings, uint64_t seed,
               size_t operations, const ModelCounts *least);

#endif
