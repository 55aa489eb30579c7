/* config.h - reads a config.json, for the other readers. attend/io.h has the public calls. */
#ifndef ATTEND_SRC_IO_CONFIG_CONFIG_H
#define ATTEND_SRC_IO_CONFIG_CONFIG_H

#include "attend/io.h"
#include "fault.h"

/* As attend_read_config_beside(). fault->place is `path`, which is not null. */
AttendStatus config_read_beside(const char *path, AttendModel *model, Fault *fault);

#endif
