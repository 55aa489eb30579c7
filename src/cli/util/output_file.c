/* output_file.c - mkstemp beside the target, then rename.
 *
 * The file gets the permissions that the umask gives to a new file, not mkstemp's. A symbolic link
 * is followed, so that the link stays and what it points to is replaced.
 */
#include "cli/util/output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path with symbolic links resolved, or as it is if nothing is there yet. */
static bool resolve(const char *path, char *resolved) {
  if (realpath(path, resolved)) return true;
  if (errno != ENOENT) return false;
  const int length = snprintf(resolved, PATH_MAX, "%s", path);
  if (length < PATH_MAX) return true;
  errno = ENAMETOOLONG;
  return false;
}

static bool open_temporary(OutputFile *file) {
  const int length = snprintf(file->temporary, sizeof file->temporary, "%s.XXXXXX", file->path);
  if (length >= (int)sizeof file->temporary) {
    errno = ENAMETOOLONG;
    return false;
  }
  const int descriptor = mkstemp(file->temporary);
  if (descriptor < 0) return false;
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  file->stream = fdopen(descriptor, "w");
  if (file->stream) return true;
  const int error = errno;
  close(descriptor);
  unlink(file->temporary);
  errno = error;
  return false;
}

bool output_file_open(OutputFile *file, const char *path) {
  *file = (OutputFile){0};
  struct stat existing;
  if (!*path) {
    errno = ENOENT;
  } else if (resolve(path, file->path)) {
    if (stat(file->path, &existing) != 0 || S_ISREG(existing.st_mode)) {
      if (open_temporary(file)) return true;
    } else if (S_ISDIR(existing.st_mode)) {
      errno = EISDIR;
    } else if ((file->stream = fopen(file->path, "w"))) {
      return true;
    }
  }
  const int error = errno;
  *file = (OutputFile){0};
  errno = error;
  return false;
}

bool output_file_commit(OutputFile *file) {
  bool written = !ferror(file->stream) && fflush(file->stream) == 0;
  int error = written ? 0 : errno ? errno : EIO;
  if (fclose(file->stream) != 0 && written) {
    written = false;
    error = errno;
  }
  if (*file->temporary && written && rename(file->temporary, file->path) != 0) {
    written = false;
    error = errno;
  }
  if (*file->temporary && !written) unlink(file->temporary);
  *file = (OutputFile){0};
  errno = error;
  return written;
}

void output_file_discard(OutputFile *file) {
  if (!file->stream) return;
  fclose(file->stream);
  if (*file->temporary) unlink(file->temporary);
  *file = (OutputFile){0};
}
