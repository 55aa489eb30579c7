/* blas.c - the only file that includes <cblas.h>, and the owner of OpenBLAS's thread count.
 *
 * That count is global to the process, so the one piece of global state of this library mirrors it:
 * how many scopes of ours are open, and what the host had set before the first of them. A lock
 * guards it, so that contexts in several threads can open and close scopes in any order and the
 * host's setting is back when the last one is closed. In the OpenMP build of OpenBLAS, setting the
 * count also changes the calling thread's OpenMP default, which each scope saves and restores, as
 * it does with OpenMP's leave to take fewer threads than asked for. Where the memory of a process
 * with a limit has run out, a scope has one thread, because OpenBLAS ends the process if it gets
 * none for the others.
 */
#include "platform/blas.h"

#include <cblas.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "platform/parallel.h"

static struct {
  pthread_mutex_t lock;
  size_t scopes; /* open ones */
  int host;      /* OpenBLAS's count before the first */
  int current;   /* now */
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* OpenBLAS mallocs so much for every pair of the threads that it was built for, whenever a product
 * runs on several, and a malloc() of its size comes from the system: 512 KiB in Debian's build. */
#define PAIR_BYTES 128
#define MAX_BUILT_FOR 4096
#define USUALLY_BUILT_FOR 64
#define SPARE_BYTES ((size_t)64 << 10)

static size_t threads_built_for(void) {
  static const char key[] = "MAX_THREADS=";
  const char *const found = strstr(openblas_get_config(), key);
  const unsigned long threads = found ? strtoul(found + sizeof key - 1, NULL, 10) : 0;
  return threads && threads <= MAX_BUILT_FOR ? threads : USUALLY_BUILT_FOR;
}

static bool is_limited(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* Whether the system would give that now. Without a limit it would, as a rule; under one it is
 * asked for address space that nobody touches, which takes some microseconds. */
static bool has_memory_for_threads(void) {
  if (!is_limited(RLIMIT_AS) && !is_limited(RLIMIT_DATA)) return true;
  const size_t threads = threads_built_for();
  const size_t bytes = threads * threads * PAIR_BYTES + SPARE_BYTES;
  void *const memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, bytes);
  return true;
}

/* The OpenMP build runs a product on one thread where OpenMP's default is one, whatever its own
 * count, which then need not change under the products of other threads. */
static bool needs_count(size_t threads) {
  return threads > 1 || openblas_get_parallel() != OPENBLAS_OPENMP;
}

/* Takes part in OpenBLAS's count and returns the threads that it allows this scope. */
static size_t share_count(size_t threads) {
  pthread_mutex_lock(&shared.lock);
  if (shared.scopes++ == 0) {
    shared.host = openblas_get_num_threads();
    shared.current = shared.host;
  }
  if (shared.scopes == 1 && shared.current != (int)threads) {
    openblas_set_num_threads((int)threads);
    shared.current = (int)threads;
  }
  /* A change now would free buffers that a product of the other scope is using. */
  if (shared.current != (int)threads) threads = 1;
  pthread_mutex_unlock(&shared.lock);
  return threads;
}

static void leave_count(void) {
  pthread_mutex_lock(&shared.lock);
  if (--shared.scopes == 0 && openblas_get_num_threads() != shared.host) {
    openblas_set_num_threads(shared.host);
  }
  pthread_mutex_unlock(&shared.lock);
}

void blas_begin(BlasScope *scope, size_t threads) {
  scope->openmp_threads = parallel_default_threads();
  scope->openmp_dynamic = parallel_is_dynamic();
  if (threads > 1 && !has_memory_for_threads()) threads = 1;
  scope->counted = needs_count(threads);
  if (scope->counted) threads = share_count(threads);
  /* OpenBLAS's threads wait for each other, and for ever if OpenMP gives fewer than it asked
   * for. */
  parallel_set_dynamic(false);
  parallel_set_default_threads(threads);
}

void blas_end(const BlasScope *scope) {
  if (scope->counted) leave_count();
  parallel_set_default_threads(scope->openmp_threads);
  parallel_set_dynamic(scope->openmp_dynamic);
}

void blas_gemm(size_t m, size_t n, size_t k, float alpha, const float *a, size_t a_stride,
               const float *b, size_t b_stride, bool b_transposed, float beta, float *c,
               size_t c_stride) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, (blasint)m,
              (blasint)n, (blasint)k, alpha, a, (blasint)a_stride, b, (blasint)b_stride, beta, c,
              (blasint)c_stride);
}

void blas_gemv(size_t rows, size_t columns, float alpha, const float *a, size_t a_stride,
               bool a_transposed, const float *x, size_t x_stride, float *y, size_t y_stride) {
  cblas_sgemv(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, (blasint)rows,
              (blasint)columns, alpha, a, (blasint)a_stride, x, (blasint)x_stride, 0.0f, y,
              (blasint)y_stride);
}

const char *blas_config(void) {
  return openblas_get_config();
}

const char *blas_core(void) {
  return openblas_get_corename();
}

int blas_threading(void) {
  return openblas_get_parallel();
}

size_t blas_threads(void) {
  return (size_t)openblas_get_num_threads();
}
