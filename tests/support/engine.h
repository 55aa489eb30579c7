/* engine.h - an engine under test: a path with its kernels and the precision of its products.
 *
 * A test that fails prints one line from which the case can be run again: path, ISA, precision,
 * threads, sizes, options, seed, place, what was found and what was expected.
 *
 * ATTEND_ISA in the environment (scalar, avx2, ...) forces the kernels of every test; a set that
 * this machine cannot run is a failure. Unset, every usable one is tested in turn.
 * ATTEND_PRECISION (fp32, bf16x6, ...) limits tests of all precisions to one.
 */
#ifndef ATTEND_TESTS_SUPPORT_ENGINE_H
#define ATTEND_TESTS_SUPPORT_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attend/attend.h"

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

#endif
