/* support.h - what the library's tests share: engines, random data, guarded memory.
 *
 * A test that fails prints one line from which the case can be run again: path, ISA, precision,
 * threads, sizes, options, seed, place, what was found and what was expected.
 *
 * ATTEND_ISA in the environment (scalar, avx2, ...) forces the kernels of every test; a set that
 * this machine cannot run is a failure. Unset, every usable one is tested in turn.
 * ATTEND_PRECISION (fp32, bf16x6, ...) leaves out what tests of all precisions do in the others.
 */
#ifndef ATTEND_TESTS_SUPPORT_H
#define ATTEND_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attend/attend.h"
#include "tests/support/refusal.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- engines: a path with its kernels and the precision of its products ---- */

typedef struct Engine {
  AttendPath path;
  AttendIsa isa;
  AttendPrecision precision;
} Engine;

#define MAX_ENGINES 8
#define MAX_TILED_ENGINES (ATTEND_ISA_COUNT * ATTEND_PRECISION_COUNT)

/* The ISAs under test, in the order of AttendIsa. */
size_t list_isas(AttendIsa isas[static ATTEND_ISA_COUNT]);

/* naive, blas, and tiled with each ISA under test, all in fp32. */
size_t list_engines(Engine engines[static MAX_ENGINES]);

/* Tiled with each ISA under test, in one precision (none if it is left out) and in all of them. */
size_t list_engines_in(AttendPrecision precision, Engine engines[static MAX_ENGINES]);
size_t list_tiled_engines(Engine engines[static MAX_TILED_ENGINES]);

/* The settings of an engine, and a context opened with them; failing to open fails the test. */
AttendSettings engine_settings(Engine engine, size_t threads);
AttendContext *engine_open(Engine engine, size_t threads);

/* A context that chooses path and ISA itself, in fp32. */
AttendContext *auto_open(size_t threads);

/* Calls check(engine) for each of list_engines(). */
void for_each_engine(void (*check)(Engine engine));

/* Fails the test unless the call returned OK; the message has the context's sentence. */
#define assert_ok(context, call) require_ok((context), (call), #call, __FILE__, __LINE__)
void require_ok(const AttendContext *context, AttendStatus status, const char *call,
                const char *file, int line);

/* ---- data ---- */

/* Fills data with numbers in [-bound, bound) that depend on seed and index alone. */
void fill_random(uint64_t seed, float bound, float *data, size_t count);

/* A new array filled likewise. Freed with free(). */
float *new_random(uint64_t seed, float bound, size_t count);

/* malloc() that fails the test in place of returning null. */
void *new_bytes(size_t bytes);

/* Memory between two guard zones, `offset` bytes after a 64-byte boundary, filled with a pattern
 * that reads as NaN. check fails the test if a guard changed; free checks first. */
void *guarded_new(size_t bytes, size_t offset);
void guarded_check(const void *memory, const char *what);
void guarded_free(void *memory, const char *what);

/* Floats that end where a page without access begins, so that reading or writing beyond them ends
 * the program; filled with the same pattern. */
float *fenced_new(size_t floats);
void fenced_free(float *data, size_t floats);

/* An address that no float may have. */
const float *off_by_a_byte(const float *data);

/* The value that guarded memory is filled with: a NaN that no computation makes. */
float untouched_float(void);
bool is_untouched(const float *value);

/* A number as text, for fragments of sentences. */
#define NUMBER_SIZE 32
const char *number(char text[static NUMBER_SIZE], size_t value);

/* ---- caches ---- */

/* An empty cache of blocks of 32 tokens, the smallest; failing to open fails the test. */
AttendCache *cache_open(AttendContext *context, const AttendLayerShape *shape, size_t sequences,
                        size_t capacity);

/* Appends tokens to sequences 0 .. sequences - 1: views [sequences, tokens, Hk, D or Dv]. */
void cache_append(AttendContext *context, AttendCache *cache, size_t sequences, size_t tokens,
                  AttendView key, AttendView value);

/* Tokens first .. first + tokens - 1 of a sequence of a cache of that shape. */
typedef struct StoredRows {
  float *key;   /* [tokens, Hk, D] */
  float *value; /* [tokens, Hk, Dv] */
} StoredRows;

StoredRows cache_read(AttendContext *context, const AttendCache *cache,
                      const AttendLayerShape *shape, size_t sequence, size_t first, size_t tokens);
void stored_rows_free(StoredRows *rows);

/* A finite number as a storage keeps it: the sum of its terms, each the rest rounded to 8 bits,
 * ties to even. */
float stored_number(float x, AttendStorage storage);
void round_to_storage(AttendStorage storage, float *data, size_t count);

/* ---- comparing ---- */

/* |got - expected| <= allowed. What is not finite in expected must not be finite in got, and a NaN
 * stays a NaN. */
bool is_close(double got, double expected, double allowed);

/* 1e-5 + 5e-6 |expected|: the most that any fp32 result of inputs in [-1, 1] may be off. */
double fixed_allowance(double expected);

/* Compares arrays under the fixed allowance; the failure line begins with `label`. */
void check_close(const char *label, const float *got, const double *expected, size_t count);

#endif
