/* host_tiles.h - the AMX tiles of a host: a product of its own, and what of its tile state is in
 * use.
 *
 * The host's tiles have other shapes than any of the library, so that neither can work with the
 * other's configuration. Nothing here asserts, so that signal handlers and any thread may call it.
 */
#ifndef ATTEND_TESTS_EMULATOR_HOST_TILES_H
#define ATTEND_TESTS_EMULATOR_HOST_TILES_H

/* Whether the process has been given the state of tiles. Asks for nothing. */
_Bool host_tiles_permitted(void);

/* Configures tiles, loads them and leaves them so. */
void host_tiles_hold(void);

/* Configures, loads, multiplies, stores and releases: whether the product is right to the bit. */
_Bool host_tiles_multiply(void);

/* Whether the calling thread's tiles, or their configuration, differ from the initial state. */
_Bool host_tiles_in_use(void);

/* The same at the moment when a signal came; `context` is the third argument of its handler. */
_Bool host_tiles_interrupted(const void *context);

#endif
