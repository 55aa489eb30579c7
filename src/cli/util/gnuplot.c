/* gnuplot.c - starts gnuplot by its name, with the script as its standard input, and waits for it.
 *
 * Owns what its exit status means, and whether a picture is whole: on a full disk gnuplot ends as
 * if all were well. `-d` keeps the user's settings out of the picture.
 */
#include "cli/util/gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* In single quotes nothing is special but the quote itself, which is doubled. */
void gnuplot_quote(FILE *script, const char *text) {
  fputc('\'', script);
  for (; *text; text++) {
    if (*text == '\'') fputc('\'', script);
    fputc((unsigned char)*text < ' ' ? ' ' : *text, script);
  }
  fputc('\'', script);
}

/* A regular file must end as an SVG or a PNG does. */
static bool is_whole(FILE *image) {
  char end[16];
  struct stat status;
  if (fstat(fileno(image), &status) != 0 || !S_ISREG(status.st_mode)) return true;
  if (status.st_size < (off_t)sizeof end) return false;
  const ssize_t got = pread(fileno(image), end, sizeof end, status.st_size - (off_t)sizeof end);
  return got == (ssize_t)sizeof end &&
         (memmem(end, sizeof end, "</svg>", 6) || memmem(end, sizeof end, "IEND", 4));
}

PlotOutcome gnuplot_run(FILE *script, FILE *image) {
  if (ferror(script) || fflush(script) != 0 || fseek(script, 0, SEEK_SET) != 0)
    return PLOT_UNWRITABLE;
  char *const arguments[] = {"gnuplot", "-d", "-", NULL};
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0) return PLOT_FAILED;
  posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
  pid_t child;
  const int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error) return error == ENOENT || error == EACCES ? PLOT_NO_GNUPLOT : PLOT_FAILED;
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return PLOT_FAILED;
  if (!WIFEXITED(status)) return PLOT_FAILED;
  if (WEXITSTATUS(status) == 127) return PLOT_NO_GNUPLOT;
  return WEXITSTATUS(status) == 0 && is_whole(image) ? PLOT_DRAWN : PLOT_FAILED;
}
