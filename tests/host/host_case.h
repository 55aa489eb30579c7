/* host_case.h - one user of the library within a host: opens everything, feeds a prompt and the
 * tokens after it, closes everything, and holds the results against the oracle.
 */
#ifndef ATTEND_TESTS_HOST_HOST_CASE_H
#define ATTEND_TESTS_HOST_HOST_CASE_H

#include "tests/support/full_layer.h"

/* A prompt of more rows than the projection kernel takes, so that OpenBLAS has a part; then
 * decode. */
enum { PROMPT = 30, TOKENS = 32 };

typedef struct HostCase {
  FullLayer layer;
  float *x;  /* [TOKENS, E] */
  double *y; /* the oracle's */
} HostCase;

/* With the full layer of that index. */
HostCase host_case_new(size_t index);
void host_case_free(HostCase *c);

/* Called after each call of the library; null: nobody looks. */
typedef void (*Watch)(void *user, const char *call);

/* Returns what went wrong, or null. Asserts nothing, so that any thread may call it. */
const char *host_case_use(const HostCase *c, Engine engine, size_t threads, Watch watch,
                          void *user);

#endif
