/* interrupt.h - Ctrl-C, and what batch systems send, as a question that is asked between samples.
 *
 * A run that is interrupted keeps the rows measured so far. The handler only sets a flag; the
 * second signal ends the process as usual, for whoever does not want to wait for the sample to end.
 */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT, SIGTERM or SIGHUP sets the flag; and back to what was before. */
void interrupt_catch(void);
void interrupt_release(void);

/* Whether one came; and the exit status of a command that it ended: 128 and its number, 130 for
 * Ctrl-C. */
bool interrupt_seen(void);
int interrupt_status(void);

#endif
