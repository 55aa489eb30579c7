/* interrupt.h - Ctrl-C and the signals of batch systems, as a flag that is polled between samples.
 *
 * A run that is interrupted keeps the rows measured so far. The handler only sets a flag. A second
 * signal ends the process at once.
 */
#ifndef ATTEND_BENCH_INTERRUPT_H
#define ATTEND_BENCH_INTERRUPT_H

#include <stdbool.h>

/* After interrupt_catch() the first SIGINT, SIGTERM or SIGHUP sets the flag; interrupt_release()
 * restores the handlers that were there before. */
void interrupt_catch(void);
void interrupt_release(void);

/* Whether a signal came, and the exit status of a command that it ended: 128 plus its number, 130
 * for Ctrl-C. */
bool interrupt_seen(void);
int interrupt_status(void);

#endif
