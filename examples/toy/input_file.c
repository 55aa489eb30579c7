/* input_file.c - opening and reading; see input_file.h. */
#include "input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool input_open(InputFile *file, const char *path, Complaint *complaint) {
  struct stat status;
  *file = (InputFile){path, -1, 0};
  /* Without O_NONBLOCK, open() would wait for the writer of a pipe. */
  file->descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0) {
    complain(complaint, "%s cannot be opened: %s", path, strerror(errno));
    input_close(file);
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    input_close(file);
    return complain(complaint, "%s is not a regular file", path);
  }
  file->bytes = (size_t)status.st_size;
  return true;
}

bool input_read(InputFile *file, void *to, size_t bytes, Complaint *complaint) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = read(file->descriptor, (char *)to + done, bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return complain(complaint, "%s cannot be read: %s", file->path, strerror(errno));
    if (got == 0) return complain(complaint, "%s ends too early", file->path);
    done += (size_t)got;
  }
  return true;
}

void input_close(InputFile *file) {
  if (file->descriptor >= 0) close(file->descriptor);
  file->descriptor = -1;
}
