/* output.c - a new name beside the target, then rename.
 *
 * The new file is created exclusively, so that nothing waiting under a guessed name is opened, and
 * by open() alone: the umask applies without being read, which only changing it could do. It takes
 * the permissions of the file that it replaces. A symbolic link is followed: the link stays, and
 * what it points to is replaced.
 */
#include "io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 100

/* The path with symbolic links resolved, or as it is if nothing is there yet. */
static char *resolve(const char *path) {
  char resolved[PATH_MAX];
  if (realpath(path, resolved) != NULL) return file_text("%s", resolved);
  return errno == ENOENT ? file_text("%s", path) : NULL;
}

/* A name of its own length, so that the longest name that a directory takes can be written too. */
static char *make_name(const char *target) {
  const char *const slash = strrchr(target, '/');
  const int directory = slash == NULL ? 0 : (int)(slash - target) + 1;
  uint64_t number = 0;
  if (getentropy(&number, sizeof number) != 0) return NULL;
  return file_text("%.*s.attend-%016" PRIx64, directory, target, number);
}

/* Creates the temporary file. Returns its descriptor, or -1 with errno set. */
static int create_beside(Output *output) {
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    output->temporary = make_name(output->target);
    if (output->temporary == NULL) return -1;
    const int file = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0) return file;
    const int error = errno;
    free(output->temporary);
    output->temporary = NULL;
    errno = error;
    if (error != EEXIST) return -1;
  }
  return -1;
}

/* A device, or a pipe that somebody reads; O_NONBLOCK refuses one that nobody does. */
static int open_directly(const char *path) {
  const int file = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file >= 0) fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK);
  return file;
}

static int open_target(Output *output) {
  struct stat existing;
  if (stat(output->target, &existing) != 0) return create_beside(output);
  if (S_ISDIR(existing.st_mode)) {
    errno = EISDIR;
    return -1;
  }
  if (!S_ISREG(existing.st_mode)) return open_directly(output->target);
  const int file = create_beside(output);
  if (file >= 0) (void)fchmod(file, existing.st_mode & 0777);
  return file;
}

static void forget(Output *output) {
  free(output->target);
  free(output->temporary);
  *output = (Output){0};
}

static AttendStatus refuse(const FileReport *report, int error) {
  errno = error;
  return file_refuse(report,
                     error == ENOMEM ? ATTEND_STATUS_OUT_OF_MEMORY : ATTEND_STATUS_FILE_UNWRITABLE,
                     "the file cannot be written: %m");
}

AttendStatus output_open(const FileReport *report, Output *output) {
  *output = (Output){.target = resolve(report->path)};
  const int file = output->target == NULL ? -1 : open_target(output);
  if (file >= 0) output->stream = fdopen(file, "w");
  if (output->stream != NULL) return ATTEND_OK;

  const int error = errno;
  if (file >= 0) close(file);
  if (output->temporary != NULL) unlink(output->temporary);
  forget(output);
  return refuse(report, error);
}

/* errno is taken at once: on a full disk a later call on the stream may succeed, or fail
 * otherwise. */
void output_write(Output *output, const void *data, size_t bytes) {
  if (output->error != 0 || bytes == 0) return;
  errno = 0;
  if (fwrite(data, 1, bytes, output->stream) < bytes) output->error = errno != 0 ? errno : EIO;
}

/* Flushes and closes. Returns 0 or the first error. A device cannot be synchronised. */
static int finish(Output *output) {
  int error = output->error;
  if (fflush(output->stream) != 0 && error == 0) error = errno;
  if (error == 0 && output->temporary != NULL && fsync(fileno(output->stream)) != 0) error = errno;
  if (fclose(output->stream) != 0 && error == 0) error = errno;
  return error;
}

AttendStatus output_commit(const FileReport *report, Output *output) {
  int error = finish(output);
  if (output->temporary != NULL) {
    if (error == 0 && rename(output->temporary, output->target) != 0) error = errno;
    if (error != 0) unlink(output->temporary);
  }
  forget(output);
  return error == 0 ? ATTEND_OK : refuse(report, error);
}
