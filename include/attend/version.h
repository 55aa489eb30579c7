/* attend/version.h - the version of the library, in the one place where it is written.
 *
 * The build file reads these three numbers: they name the shared object (soname = MAJOR while
 * MAJOR > 0, else 0.MINOR), attend.pc and `attend --version`. A change of a public signature or
 * struct raises MINOR while MAJOR is 0, MAJOR afterwards.
 */
#ifndef ATTEND_VERSION_H
#define ATTEND_VERSION_H

#define ATTEND_VERSION_MAJOR 0
#define ATTEND_VERSION_MINOR 3
#define ATTEND_VERSION_PATCH 0

#endif
