/* support.h - what nearly every test of the library begins with. */
#ifndef ATTEND_TESTS_SUPPORT_SUPPORT_H
#define ATTEND_TESTS_SUPPORT_SUPPORT_H

#include "tests/support/engine.h"
#include "tests/support/refusal.h"
#include "tests/support/stored_rows.h"
#include "tests/support/test_data.h"

#endif
