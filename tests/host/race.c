/* race.c - two data races that a build with ThreadSanitizer must report, and a loop without one.
 *
 *   race threads | openmp    ends with ThreadSanitizer's exit status, 66
 *   race none                ends with 0, if ThreadSanitizer knows what an OpenMP barrier orders
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 1000 };

static void *increment(void *user) {
  size_t *const sum = user;
  for (size_t i = 0; i < COUNT; i++) ++*sum;
  return NULL;
}

static size_t race_of_threads(void) {
  size_t sum = 0;
  pthread_t other;
  if (pthread_create(&other, NULL, increment, &sum)) return 0;
  increment(&sum);
  pthread_join(other, NULL);
  return sum;
}

static size_t race_in_a_loop(void) {
  size_t sum = 0;
#pragma omp parallel for num_threads(2)
  for (size_t i = 0; i < COUNT; i++) ++sum;
  return sum;
}

/* What one loop writes the next one reads, in another thread. */
static size_t no_race(void) {
  size_t squares[COUNT], sum = 0;
#pragma omp parallel for num_threads(2)
  for (size_t i = 0; i < COUNT; i++) squares[i] = i * i;
#pragma omp parallel for num_threads(2) reduction(+ : sum)
  for (size_t i = 0; i < COUNT; i++) sum += squares[COUNT - 1 - i];
  return sum;
}

int main(int count, char **arguments) {
  const char *const kind = count == 2 ? arguments[1] : "";
  const size_t sum = strcmp(kind, "threads") == 0  ? race_of_threads()
                     : strcmp(kind, "openmp") == 0 ? race_in_a_loop()
                                                   : no_race();
  printf("%zu\n", sum);
  return EXIT_SUCCESS;
}
