/* output_file.c - a new name beside the target, then rename.
 *
 * The new file is created exclusively, so that nothing waiting under a guessed name is opened, and
 * by open() alone: the umask applies without being read, which only changing it could do. Data are
 * synchronised before the rename: after a crash of the machine the target is the old file or the
 * new one, never an empty one. The folder is not, so it may be the old one.
 */
#include "platform/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 100
#define LINKS_MOST 40 /* as many as Linux follows */

/* Length of the folder's part of a path, with its slash; 0 for a name in the current one. */
static int folder_length(const char *path) {
  const char *const slash = strrchr(path, '/');
  return slash ? (int)(slash - path) + 1 : 0;
}

/* Whether snprintf() had room. */
static bool has_fitted(int length) {
  if (length >= 0 && length < PATH_MAX) return true;
  errno = ENAMETOOLONG;
  return false;
}

/* Replaces the path of a link by that of what it leads to. False with errno set; EINVAL or ENOENT if it is no
 * link. */
static bool follow_link(char path[static PATH_MAX]) {
  char link[PATH_MAX], next[PATH_MAX];
  const ssize_t length = readlink(path, link, sizeof link - 1);
  if (length < 0) return false;
  link[length] = '\0';
  const int folder = link[0] == '/' ? 0 : folder_length(path);
  if (!has_fitted(snprintf(next, sizeof next, "%.*s%s", folder, path, link))) return false;
  memcpy(path, next, sizeof next);
  return true;
}

/* The file that the path leads to. What is there but has no name of its own, as the pipes under /dev/fd, keeps the
 * path that was given. */
static bool resolve(const char *given, char path[static PATH_MAX]) {
  struct stat existing;
  if (!*given) {
    errno = ENOENT;
    return false;
  }
  if (realpath(given, path)) return true;
  if (errno != ENOENT || !has_fitted(snprintf(path, PATH_MAX, "%s", given))) return false;
  if (stat(path, &existing) == 0) return true;
  for (int i = 0; i < LINKS_MOST; i++)
    if (!follow_link(path)) return errno == EINVAL || errno == ENOENT;
  errno = ELOOP;
  return false;
}

/* A name of its own length, so that the longest name that a folder takes can be written too. */
static bool name_temporary(OutputFile *file) {
  uint64_t number = 0;
  return getentropy(&number, sizeof number) == 0 &&
         has_fitted(snprintf(file->temporary, sizeof file->temporary, "%.*s.attend-%016" PRIx64,
                             folder_length(file->path), file->path, number));
}

/* Creates the temporary file. Returns its descriptor, or -1 with errno set. */
static int create_beside(OutputFile *file) {
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    int descriptor = -1;
    if (name_temporary(file))
      descriptor = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) return descriptor;
    file->temporary[0] = '\0';
    if (errno != EEXIST) return -1;
  }
  return -1;
}

/* A device, or a pipe that somebody reads; O_NONBLOCK refuses one that nobody does. */
static int open_directly(const char *path) {
  const int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor >= 0) fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
  return descriptor;
}

static int open_target(OutputFile *file) {
  struct stat existing;
  if (stat(file->path, &existing) != 0) return create_beside(file);
  if (S_ISDIR(existing.st_mode)) {
    errno = EISDIR;
    return -1;
  }
  if (!S_ISREG(existing.st_mode)) return open_directly(file->path);
  const int descriptor = create_beside(file);
  if (descriptor >= 0) (void)fchmod(descriptor, existing.st_mode & 0777);
  return descriptor;
}

/* Ends with errno as it was. */
static void forget(OutputFile *file, bool remove) {
  const int error = errno;
  if (remove && *file->temporary) unlink(file->temporary);
  *file = (OutputFile){0};
  errno = error;
}

bool output_file_open(OutputFile *file, const char *path) {
  *file = (OutputFile){0};
  const int descriptor = resolve(path, file->path) ? open_target(file) : -1;
  if (descriptor >= 0) file->stream = fdopen(descriptor, "w");
  if (file->stream) return true;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  errno = error;
  forget(file, true);
  return false;
}

/* errno is taken at once: on a full disk a later call on the stream may succeed, or fail
 * otherwise. */
void output_file_write(OutputFile *file, const void *data, size_t bytes) {
  if (file->error || bytes == 0) return;
  errno = 0;
  if (fwrite(data, 1, bytes, file->stream) < bytes) file->error = errno ? errno : EIO;
}

/* Flushes and closes. Returns 0 or the first error. A device cannot be synchronised. */
static int finish(OutputFile *file) {
  int error = file->error;
  if (!error && ferror(file->stream)) error = errno ? errno : EIO;
  if (fflush(file->stream) != 0 && !error) error = errno;
  if (!error && *file->temporary && fsync(fileno(file->stream)) != 0) error = errno;
  if (fclose(file->stream) != 0 && !error) error = errno;
  return error;
}

bool output_file_commit(OutputFile *file) {
  int error = finish(file);
  if (!error && *file->temporary && rename(file->temporary, file->path) != 0) error = errno;
  errno = error;
  forget(file, error != 0);
  return error == 0;
}

void output_file_discard(OutputFile *file) {
  if (file->stream) fclose(file->stream);
  forget(file, true);
}
