/* options.c - the options of a call alone: their defaults and their ranges.
 *
 * Nothing here knows the problem that they belong to: lengths and arrays, which must suit its
 * sizes, are checked in sequence_check.c and problem_check.c. What an option means for a score
 * stands in attend.h, and which keys a row sees in problem.h.
 */
#include "problem/options.h"

#include <math.h>

void attend_default_options(AttendOptions *options) {
  if (!options) return;
  *options = (AttendOptions){
      .struct_size = sizeof *options, .causal = true, .window_left = -1, .window_right = -1};
}

static AttendStatus check_window(const char *name, int64_t window, Fault *fault) {
  if (window >= -1) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "options.%s is %lld; it must be a number of keys, or -1 for no limit", name,
                   (long long)window);
}

AttendStatus options_check(const AttendOptions *options, Fault *fault) {
  if (!options) return ATTEND_OK;
  if (options->struct_size != sizeof *options) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.struct_size is %zu; attend_default_options() sets it to %zu",
                     options->struct_size, sizeof *options);
  }
  /* The paths multiply it by log2(e). */
  if (!isfinite(1.4427f * options->scale)) {
    return fault_set(
        fault, ATTEND_STATUS_BAD_OPTION,
        "options.scale is %g; it must be finite, also times log2(e) (0 means 1/sqrt(D))",
        (double)options->scale);
  }
  if (check_window("window_left", options->window_left, fault) ||
      check_window("window_right", options->window_right, fault)) {
    return fault->status;
  }
  if (!(options->softcap >= 0.0f) || !isfinite(1.4427f * options->softcap)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.softcap is %g; it must be finite and positive, or 0 for none",
                     (double)options->softcap);
  }
  return ATTEND_OK;
}
