/* blas_core.h - which kernels ("core") OpenBLAS uses, which it should use, and the restart between.
 *
 * OpenBLAS picks its core while it is loaded: the one that OPENBLAS_CORETYPE names, else the one
 * that it takes the processor for. Another core therefore needs another process, and the tool
 * starts itself again with the variable set. A guard variable carries what was there before through
 * the restart, so that it happens once and the second process can check and report it.
 */
#ifndef ATTEND_SRC_CLI_UTIL_BLAS_CORE_H
#define ATTEND_SRC_CLI_UTIL_BLAS_CORE_H

#include <stdbool.h>
#include <stddef.h>

#define BLAS_CORE_NAME_SIZE 32
#define BLAS_CORE_VARIABLE "OPENBLAS_CORETYPE"

/* Cores by the widest instructions that they use, in ascending order. */
typedef enum BlasCoreClass {
  BLAS_CLASS_UNKNOWN = 0, /* a name that is not in the table; judged neither low nor high */
  BLAS_CLASS_OLDER = 1,   /* SSE to AVX without FMA */
  BLAS_CLASS_AVX2 = 2,
  BLAS_CLASS_AVX512 = 3,
} BlasCoreClass;

/* Who decided on the core in use. */
typedef enum BlasCoreOrigin {
  BLAS_CORE_DETECTED, /* OpenBLAS itself */
  BLAS_CORE_USER,     /* OPENBLAS_CORETYPE in the environment */
  BLAS_CORE_RESTART,  /* the tool, by a restart */
} BlasCoreOrigin;

typedef struct BlasCoreState {
  char name[BLAS_CORE_NAME_SIZE]; /* in use */
  char best[BLAS_CORE_NAME_SIZE]; /* first choice for this processor; "" if nothing is known */
  BlasCoreClass core_class;       /* of name */
  BlasCoreClass processor_class;  /* the highest that processor and operating system allow */
  BlasCoreOrigin origin;
  bool selectable; /* OPENBLAS_CORETYPE matters: the build has several cores (DYNAMIC_ARCH), and a
                      restart, if there was one, changed the core */
  char before[BLAS_CORE_NAME_SIZE]; /* origin RESTART: the core before it, else equal to name */
  bool before_held_by_user;         /* `before` was what OPENBLAS_CORETYPE asked for */
} BlasCoreState;

/* Reads OpenBLAS, the processor and the environment. */
void blas_core_inspect(BlasCoreState *state);

/* The class of a core by its name (case is ignored, as OpenBLAS does). */
BlasCoreClass blas_core_class(const char *name);

/* "AVX-512", "AVX2", "pre-AVX2", "unknown". */
const char *blas_core_class_name(BlasCoreClass core_class);

/* True if `before` (equal to the core in use unless the tool was restarted) is below the
 * processor. */
bool blas_core_was_low(const BlasCoreState *state);

/* Settles the core; a command calls it after its options are read and before any output.
 *   wanted       null, "best" or a core's name (--blas-core)
 *   may_restart  false: a core that OpenBLAS chose too low is kept, with one line said (--no-restart)
 *   argv         the command's own, argv[0] its name, ended by null
 * With wanted, the tool starts again under that core unless it is in use already. Without it, a
 * core that the user set is respected, with one line of warning if it is below the processor, and
 * one that OpenBLAS chose too low is corrected by a restart. It says what it does and why in one
 * line on stderr. Returns EXIT_SUCCESS, also when nothing had to be done; EXIT_USAGE (the processor
 * cannot run the core wanted) or EXIT_FAILURE (OpenBLAS did not take the core wanted), with the
 * sentence printed. Does not return when the tool starts again. */
int blas_core_settle(const char *wanted, bool may_restart, char **argv);

/* The same for a command that reports on the core itself: no line about a core that is merely
 * low. */
int blas_core_settle_quietly(const char *wanted, bool may_restart, char **argv);

/* The environment of a process that is to run under `core`: that of this process with
 * OPENBLAS_CORETYPE and the guard set, as one block that the caller frees; null if memory is short.
 * A tool started in it with --blas-core `core` checks that OpenBLAS took the core. */
char **blas_core_environment(const BlasCoreState *state, const char *core);

#endif
