/* injection.h - one public call, made again and again with its first allocation failing, then its
 * second, until it needs no more of them.
 *
 *   Injection injection = injection_of(state);
 *   while (refused(&injection, context, attend_...(context, ...)))
 *     what a refused call must have left alone is checked here;
 *   what the call gave in the end is checked here, and that injection.refusals is as expected
 *
 * Every test is run twice: one allocation fails, or it and all after it.
 */
#ifndef ATTEND_TESTS_SUPPORT_INJECTION_H
#define ATTEND_TESTS_SUPPORT_INJECTION_H

#include "tests/support/support.h"

typedef struct Injection {
  bool and_all_later;
  size_t refusals; /* so far: the allocations that the call makes, once it succeeds */
} Injection;

/* True, with the refusal checked, if an allocation of the call failed: its status is OUT_OF_MEMORY,
 * the context (null if there is none) has a sentence, and no allocation was left behind. False if
 * the call needed no more of them and succeeded. */
#define refused(injection, context, call)                                                          \
  (injection_arm(injection), injection_judge((injection), (context), (call), #call))
void injection_arm(Injection *injection);
bool injection_judge(Injection *injection, const AttendContext *context, AttendStatus status,
                     const char *call);

/* Fails the test unless the call succeeds, where every allocation fails, without trying one. */
#define assert_needs_no_memory(context, call)                                                      \
  (injection_forbid(), injection_require_none((context), (call), #call))
void injection_forbid(void);
void injection_require_none(const AttendContext *context, AttendStatus status, const char *call);

/* A test in both forms, as entries of a list of tests. Each fails if it leaves allocations
 * behind. */
#define INJECTED_TEST(test)                                                                        \
  {INJECTED_FORM(test, #test ", one allocation fails", injection_one)}, {                          \
    INJECTED_FORM(test, #test ", all later ones fail too", injection_all)                          \
  }
#define INJECTED_FORM(test, name, form)                                                            \
  name, test, injection_begin_test, injection_end_test, (void *)&(form)
extern const Injection injection_one, injection_all;
int injection_begin_test(void **state);
int injection_end_test(void **state);
Injection injection_of(void **state);

/* Fails the test unless no float was written since guarded_new() gave them. */
void require_untouched(const float *data, size_t floats, const char *what);

/* A copy of the one block of memory that a cache is, and whether the cache still is that copy. */
void *cache_snapshot(const AttendCache *cache);
void require_snapshot(const AttendCache *cache, const void *snapshot);

#endif
