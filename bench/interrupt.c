/* interrupt.c - the flag, which is global because signals are.
 *
 * SA_RESETHAND gives the second signal its default action back. System calls are restarted, so that
 * a report that is being written is not cut short. A signal that is ignored stays so: nohup and
 * shells that put a command in the background mean it.
 */
#include "bench/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof signals / sizeof *signals };

static volatile sig_atomic_t seen;
static struct sigaction before[SIGNALS];

static void note(int signal_number) {
  seen = signal_number;
}

void interrupt_catch(void) {
  struct sigaction action = {.sa_flags = SA_RESTART | (int)SA_RESETHAND};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  seen = 0;
  for (size_t i = 0; i < SIGNALS; i++)
    if (sigaction(signals[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
      sigaction(signals[i], &action, NULL);
}

void interrupt_release(void) {
  for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
}

bool interrupt_seen(void) {
  return seen != 0;
}

int interrupt_status(void) {
  return 128 + (int)seen;
}
