/* injection.c - lets allocations of a call fail and judges what it made of it. */
#include "tests/support/injection.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/allocation_hook.h"

const Injection injection_one = {.and_all_later = false};
const Injection injection_all = {.and_all_later = true};

/* Of the test and of the call that run now; there is one of each at a time. */
static size_t live_before_test, live_before_call;

int injection_begin_test(void **state) {
  (void)state;
  live_before_test = hook_live();
  return 0;
}

int injection_end_test(void **state) {
  (void)state;
  hook_stop();
  if (hook_live() == live_before_test) return 0;
  print_error("%zu live allocations before the test, %zu after it\n", live_before_test,
              hook_live());
  return -1;
}

Injection injection_of(void **state) {
  return *(const Injection *)*state;
}

void injection_arm(Injection *injection) {
  live_before_call = hook_live();
  hook_fail_after(injection->refusals, injection->and_all_later);
}

bool injection_judge(Injection *injection, const AttendContext *context, AttendStatus status,
                     const char *call) {
  const size_t failed = hook_stop(), live = hook_live(), number = injection->refusals + 1;
  if (failed == 0) {
    require_ok(context, status, call, __FILE__, __LINE__);
    return false;
  }
  if (status != ATTEND_STATUS_OUT_OF_MEMORY)
    fail_msg("%s gives %s where allocation %zu fails", call, attend_status_name(status), number);
  if (live != live_before_call)
    fail_msg("%s leaves %zu allocations in place of %zu where allocation %zu fails", call, live,
             live_before_call, number);
  if (context && !strstr(attend_get_error(context), "could not be allocated"))
    fail_msg("%s says \"%s\" where allocation %zu fails", call, attend_get_error(context), number);
  injection->refusals = number;
  return true;
}

void injection_forbid(void) {
  hook_fail_after(0, true);
}

void injection_require_none(const AttendContext *context, AttendStatus status, const char *call) {
  const size_t failed = hook_stop();
  if (failed) fail_msg("%s tried to allocate, %zu times", call, failed);
  require_ok(context, status, call, __FILE__, __LINE__);
}

void require_untouched(const float *data, size_t floats, const char *what) {
  for (size_t i = 0; i < floats; i++)
    if (!is_untouched(data + i))
      fail_msg("%s: element %zu of %zu was written by a call that was refused", what, i, floats);
}

void *cache_snapshot(const AttendCache *cache) {
  void *const snapshot = new_bytes(attend_cache_bytes(cache));
  return memcpy(snapshot, cache, attend_cache_bytes(cache));
}

void require_snapshot(const AttendCache *cache, const void *snapshot) {
  if (memcmp(cache, snapshot, attend_cache_bytes(cache)) != 0)
    fail_msg("a call that was refused changed the cache");
}
