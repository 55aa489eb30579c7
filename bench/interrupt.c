/* interrupt.c - the flag, which is global because signals are.
 *
 * SA_RESETHAND gives the second signal its default action back. System calls are restarted, so that
 * a report that is being written is not cut short.
 */
#include "bench/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void note(int signal_number) {
  (void)signal_number;
  seen = 1;
}

void interrupt_catch(void) {
  struct sigaction action = {.sa_flags = SA_RESTART | (int)SA_RESETHAND};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  seen = 0;
  sigaction(SIGINT, &action, NULL);
}

void interrupt_release(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

bool interrupt_seen(void) {
  return seen != 0;
}
