/* emulated_tiles.h - the tile vocabulary of src/kernels/simd/amx.h in plain C, by Intel's manual.
 *
 * Eight tiles of 16 rows of 64 bytes for each thread. A load or a store touches the rows and bytes
 * that the configuration gives a tile. Where the processor would raise an exception, because a tile
 * is not configured or its shape does not fit a dot product, the program ends with a line that says
 * why: this may happen on any thread, but only a test's own thread can fail the test.
 */
#ifndef ATTEND_TESTS_EMULATOR_EMULATED_TILES_H
#define ATTEND_TESTS_EMULATOR_EMULATED_TILES_H

#include <stddef.h>

#define AMX_CONFIGURE(config) emulated_configure(config)
#define AMX_CONFIGURATION(config) emulated_configuration(config)
#define AMX_RELEASE() emulated_release()
#define AMX_ZERO(tile) emulated_zero(tile)
#define AMX_LOAD(tile, from, stride) emulated_load((tile), (from), (stride))
#define AMX_STORE(tile, to, stride) emulated_store((tile), (to), (stride))
#define AMX_DOT(c, a, b) emulated_dot((c), (a), (b))

void emulated_configure(const void *config);
void emulated_configuration(void *config);
void emulated_release(void);
void emulated_zero(size_t tile);
void emulated_load(size_t tile, const void *from, size_t stride);
void emulated_store(size_t tile, void *to, size_t stride);
void emulated_dot(size_t c, size_t a, size_t b);

/* The threads whose tiles are configured, and dot products so far, of all threads. After
 * `release` on each of them there are no such threads. */
size_t emulated_threads_configured(void);
size_t emulated_dots(void);

#endif
