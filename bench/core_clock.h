/* core_clock.h - cycles per second of the core that this thread runs on, right now.
 *
 * The time-stamp counter ticks at one fixed rate whatever the core does, so its ticks are not
 * cycles. A chain of dependent additions counts cycles: each takes one, on every x86-64 processor.
 */
#ifndef ATTEND_BENCH_CORE_CLOCK_H
#define ATTEND_BENCH_CORE_CLOCK_H

/* Measures for some tens of microseconds. 0 where no such chain is known. Called straight after a
 * kernel it sees the clock that the kernel had, because a core that wide vectors have slowed down
 * takes longer than that to recover. An interrupt makes the result too low, never too high. */
double core_clock_hertz(void);

#endif
