/* message.h - what the tool says on stderr.
 *
 * Every message is one sentence that begins with "attend: " and says what was found, where, and
 * what would be right.
 */
#ifndef ATTEND_SRC_CLI_MESSAGE_H
#define ATTEND_SRC_CLI_MESSAGE_H

#include <stddef.h>
#include <stdlib.h>

/* The exit status of wrong usage: what was asked makes no sense. */
#define EXIT_USAGE 2

/* Print "attend: ", the message and a newline to stderr. The first two return the exit status that
 * goes with them (EXIT_USAGE, EXIT_FAILURE); a notice is a remark that stops nothing. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Closes what was printed on stdout: EXIT_SUCCESS, or a failure() when it could not all be written
 * (a full disk, a closed pipe). A command that printed to stdout ends with it. */
int finish_stdout(void);

/* The name nearest to `text` (case ignored) among those that name_at(context, 0), (context, 1), ...
 * gives until it returns null; null when none is near enough to be what was meant. */
const char *nearest_name(const char *text,
                         const char *(*name_at)(const void *context, size_t index),
                         const void *context);

#endif
