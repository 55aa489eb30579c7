/* json.h - pieces of JSON that the reports share.
 *
 * A value that is not known is null, never 0. When memory is missing jansson returns null, and
 * json_pack() and the setters here make null of whatever contains it, so that a report checks only
 * the whole.
 */
#ifndef ATTEND_SRC_CLI_UTIL_JSON_H
#define ATTEND_SRC_CLI_UTIL_JSON_H

#include <jansson.h>
#include <time.h>

#include "attend/attend.h"

/* The text, or null for "" and for bytes that are not UTF-8, which JSON cannot hold. */
json_t *json_text_or_null(const char *text);

json_t *json_count_or_null(size_t count);

/* Null also for what JSON cannot hold: infinity and NaN. */
json_t *json_figure_or_null(bool known, double figure);

/* Append to an array, or set a member of an object; both take over the value. Without memory the
 * container becomes null. */
void json_append(json_t **array, json_t *value);
void json_set(json_t **object, const char *name, json_t *value);

/* "2026-01-31T12:00:00Z" */
json_t *json_time(time_t moment);

/* The processor; the FMA peaks by ISA, null where one was not measured. */
json_t *json_machine(const AttendMachine *machine);
json_t *json_peaks(const double gflops[static ATTEND_ISA_COUNT]);

#endif
