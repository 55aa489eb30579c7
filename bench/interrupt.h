/* interrupt.h - Ctrl-C as a question that is asked between samples.
 *
 * A run that is interrupted keeps the rows measured so far. The handler only sets a flag; the
 * second Ctrl-C ends the process as usual, for whoever does not want to wait for the sample to end.
 */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

#include <stdbool.h>

/* Exit status of a command that Ctrl-C ended: 128 + SIGINT. */
#define EXIT_INTERRUPTED 130

/* From now on the first SIGINT sets the flag; and back to what was before. */
void interrupt_catch(void);
void interrupt_release(void);

/* Whether it came. */
bool interrupt_seen(void);

#endif
