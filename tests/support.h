/* support.h - what the library's tests share: engines, random data, guarded memory, core problems.
 *
 * A test that fails prints one line from which the case can be run again: path, ISA, threads, sizes,
 * options, seed, place, what was found and what was expected.
 *
 * ATTEND_ISA in the environment (scalar, avx2, avx512) forces the kernels of every test; a set that
 * this machine cannot run is a failure. Unset, every usable one is tested in turn.
 */
#ifndef ATTEND_TESTS_SUPPORT_H
#define ATTEND_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attend/attend.h"
#include "tests/oracle.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- engines: a path with its kernels ---- */

typedef struct Engine {
  AttendPath path;
  AttendIsa isa;
} Engine;

#define MAX_ENGINES 8

/* The ISAs under test, widest last. */
size_t list_isas(AttendIsa isas[static ATTEND_ISA_COUNT]);

/* naive, blas, and tiled with each ISA under test. */
size_t list_engines(Engine engines[static MAX_ENGINES]);

/* The settings of an engine, and a context opened with them; failing to open fails the test. */
AttendSettings engine_settings(Engine engine, size_t threads);
AttendContext *engine_open(Engine engine, size_t threads);

/* Fails the test unless the call returned OK; the message has the context's sentence. */
#define assert_ok(context, call) require_ok((context), (call), #call, __FILE__, __LINE__)
void require_ok(const AttendContext *context, AttendStatus status, const char *call,
                const char *file, int line);

/* Fails the test unless the call returned `expected` and left a sentence that contains the fragment.
 * `what` names the case. */
void require_refusal(const AttendContext *context, AttendStatus got, AttendStatus expected,
                     const char *fragment, const char *what);

/* ---- data ---- */

/* Fills data with numbers in [-bound, bound) that depend on seed and index alone. */
void fill_random(uint64_t seed, float bound, float *data, size_t count);

/* A new array filled likewise. Freed with free(). */
float *new_random(uint64_t seed, float bound, size_t count);

/* malloc() that fails the test in place of returning null. */
void *new_bytes(size_t bytes);

/* Memory between two guard zones, `offset` bytes after a 64-byte boundary, filled with a pattern that
 * reads as NaN. check fails the test if a guard changed; free checks first. */
void *guarded_new(size_t bytes, size_t offset);
void guarded_check(const void *memory, const char *what);
void guarded_free(void *memory, const char *what);

/* The value that guarded memory is filled with: a NaN that no computation makes. */
float untouched_float(void);
bool is_untouched(const float *value);

/* A number as text, for fragments of sentences. */
#define NUMBER_SIZE 32
const char *number(char text[static NUMBER_SIZE], size_t value);

/* ---- comparing ---- */

/* |got - expected| <= allowed. What is not finite in expected must not be finite in got, and a NaN
 * stays a NaN. */
bool is_close(double got, double expected, double allowed);

/* 1e-5 + 5e-6 |expected|: the most that any fp32 result of inputs in [-1, 1] may be off. */
double fixed_allowance(double expected);

/* Compares arrays under the fixed allowance; the failure line begins with `label`. */
void check_close(const char *label, const float *got, const double *expected, size_t count);

/* ---- core problems ---- */

/* How the four operands of a core call lie in memory. */
typedef enum Layout {
  LAYOUT_BNHD,   /* heads side by side */
  LAYOUT_BHND,   /* heads apart */
  LAYOUT_NBHD,   /* batch inside tokens */
  LAYOUT_FUSED,  /* Q, K, V as chunks of one [B, N, Hq*D + Hk*D + Hk*Dv]; wants Nq == Nk */
  LAYOUT_PADDED, /* BNHD with gaps after every row and token, starting at an odd offset */
  LAYOUT_SHARED, /* BHND, and one K and V for the whole batch: batch stride 0 */
} Layout;
#define LAYOUT_COUNT 6

typedef struct CoreCase {
  AttendShape shape;
  Layout layout;
  bool bidirectional;
  int64_t q_start;
  float scale;
  float bound;   /* of Q and K; 0 means 1. V is always in [-1, 1]. */
  uint64_t seed; /* 0 means 1 */
} CoreCase;

/* A case with its data. Whatever the views do not reach in their buffers is NaN. */
typedef struct CoreProblem {
  CoreCase spec;
  AttendOptions options;
  AttendView query, key, value;
  float *buffers[3];
  double *out, *magnitude, *spread; /* [B, Nq, Hq, Dv], filled by problem_expect() */
  OracleRow *rows;                  /* [B, Hq, Nq] */
} CoreProblem;

CoreProblem problem_new(const CoreCase *spec);
void problem_free(CoreProblem *problem);

/* Where element 0 of a row of the operand stands, for tests that change data. */
float *problem_row(const AttendView *view, size_t batch, size_t token, size_t head);

/* Runs the oracle on the data as they are now. */
void problem_expect(CoreProblem *problem);

/* Runs the problem on a context and compares output and LSE with what the oracle expects; checks
 * that nothing but the output's elements was written. */
void problem_check(const CoreProblem *problem, AttendContext *context, Engine engine,
                   size_t threads);

/* Opens a context for the engine, checks, closes. */
void problem_check_engine(const CoreProblem *problem, Engine engine, size_t threads);

/* Builds the case, expects, checks it on all engines with `threads` threads, and frees it. */
void check_case(const CoreCase *spec, size_t threads);

/* Plans the shape on the engine's path; failing fails the test. */
AttendPlan plan_of(Engine engine, const AttendShape *shape, const AttendOptions *options);

#endif
