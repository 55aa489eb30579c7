/* options.h - checks of AttendOptions that need nothing but the options. */
#ifndef ATTEND_SRC_PROBLEM_OPTIONS_H
#define ATTEND_SRC_PROBLEM_OPTIONS_H

#include "fault.h"

/* Checks that options, null for the defaults, were initialised and that every number is in its
 * range. */
AttendStatus options_check(const AttendOptions *options, Fault *fault);

#endif
