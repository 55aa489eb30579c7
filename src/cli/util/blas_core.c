/* blas_core.c - which kernels OpenBLAS uses, which it should use, and the restart between.
 *
 * Owns OPENBLAS_CORETYPE and the guard variable. The guard holds "CORE,BEFORE,ORIGIN": the core
 * that the restart asked for, the one in use before it, and whether that one was "held" by the user
 * or "detected". It counts only while OPENBLAS_CORETYPE still names the same core. Every restart
 * asks for a core that none before it asked for, so that restarts end. A core whose instructions
 * the processor lacks is refused, because OpenBLAS would take it and die.
 */
#include "cli/util/blas_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/message.h"
#include "platform/blas.h"

#define GUARD_VARIABLE "ATTEND_BLAS_CORE_APPLIED"

extern char **environ;

typedef struct KnownCore {
  const char *name;
  BlasCoreClass core_class;
} KnownCore;

/* The names of OpenBLAS's x86-64 cores, as its openblas_get_corename() gives them. Excavator stands
 * with the older ones: the processor has AVX2, the kernels do not use it. */
static const KnownCore known_cores[] = {
    {"SapphireRapids", BLAS_CLASS_AVX512},
    {"Cooperlake", BLAS_CLASS_AVX512},
    {"SkylakeX", BLAS_CLASS_AVX512},
    {"Zen", BLAS_CLASS_AVX2},
    {"Haswell", BLAS_CLASS_AVX2},
    {"Excavator", BLAS_CLASS_OLDER},
    {"Steamroller", BLAS_CLASS_OLDER},
    {"Piledriver", BLAS_CLASS_OLDER},
    {"Bulldozer", BLAS_CLASS_OLDER},
    {"Sandybridge", BLAS_CLASS_OLDER},
    {"Nehalem", BLAS_CLASS_OLDER},
    {"Dunnington", BLAS_CLASS_OLDER},
    {"Penryn", BLAS_CLASS_OLDER},
    {"Core2", BLAS_CLASS_OLDER},
    {"Atom", BLAS_CLASS_OLDER},
    {"Barcelona", BLAS_CLASS_OLDER},
    {"Bobcat", BLAS_CLASS_OLDER},
    {"Opteron_SSE3", BLAS_CLASS_OLDER},
    {"Opteron", BLAS_CLASS_OLDER},
    {"Nano", BLAS_CLASS_OLDER},
    {"Prescott", BLAS_CLASS_OLDER},
};

BlasCoreClass blas_core_class(const char *name) {
  for (size_t i = 0; i < sizeof known_cores / sizeof *known_cores; i++) {
    if (strcasecmp(name, known_cores[i].name) == 0) return known_cores[i].core_class;
  }
  return BLAS_CLASS_UNKNOWN;
}

const char *blas_core_class_name(BlasCoreClass core_class) {
  switch (core_class) {
  case BLAS_CLASS_OLDER:
    return "pre-AVX2";
  case BLAS_CLASS_AVX2:
    return "AVX2";
  case BLAS_CLASS_AVX512:
    return "AVX-512";
  case BLAS_CLASS_UNKNOWN:
    break;
  }
  return "unknown";
}

/* The cores worth asking for on this processor, best first, ended by null; all are of the class
 * returned. OpenBLAS's AVX-512 kernels need F, VL, DQ and BW, which come together on every
 * processor that has VL. */
static BlasCoreClass list_candidates(const char *candidates[3]) {
  const char *first = NULL, *second = NULL;
  BlasCoreClass processor_class = BLAS_CLASS_UNKNOWN;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    processor_class = BLAS_CLASS_AVX512;
    const bool bf16 = __builtin_cpu_supports("avx512bf16");
    first = bf16 ? "Cooperlake" : "SkylakeX";
    second = bf16 ? "SkylakeX" : NULL;
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    processor_class = BLAS_CLASS_AVX2;
    const bool amd = __builtin_cpu_is("amd");
    first = amd ? "Zen" : "Haswell";
    second = amd ? "Haswell" : "Zen";
  } else {
    processor_class = BLAS_CLASS_OLDER;
  }
#endif
  candidates[0] = first;
  candidates[1] = second;
  candidates[2] = NULL;
  return processor_class;
}

static void copy_name(char name[BLAS_CORE_NAME_SIZE], const char *text, size_t length) {
  if (length >= BLAS_CORE_NAME_SIZE) length = BLAS_CORE_NAME_SIZE - 1;
  memcpy(name, text, length);
  name[length] = '\0';
}

/* Reads the guard into state->before... and returns true, if it is there and belongs to the core
 * that OPENBLAS_CORETYPE names. */
static bool read_guard(BlasCoreState *state, const char *asked) {
  const char *guard = getenv(GUARD_VARIABLE);
  if (guard == NULL || asked == NULL) return false;
  const size_t core_length = strlen(asked);
  if (strncmp(guard, asked, core_length) != 0 || guard[core_length] != ',') return false;
  const char *before = guard + core_length + 1;
  const size_t before_length = strcspn(before, ",");
  if (before_length == 0 || before[before_length] != ',') return false;
  copy_name(state->before, before, before_length);
  state->before_held_by_user = strcmp(before + before_length + 1, "held") == 0;
  return true;
}

void blas_core_inspect(BlasCoreState *state) {
  *state = (BlasCoreState){0};
  const char *candidates[3];
  state->processor_class = list_candidates(candidates);
  if (candidates[0] != NULL) copy_name(state->best, candidates[0], strlen(candidates[0]));
  copy_name(state->name, blas_core(), strlen(blas_core()));
  copy_name(state->before, state->name, strlen(state->name));
  state->core_class = blas_core_class(state->name);
  state->selectable = strstr(blas_config(), "DYNAMIC_ARCH") != NULL;

  /* OpenBLAS ignores a name that it does not know and chooses a core itself. */
  const char *asked = getenv(BLAS_CORE_VARIABLE);
  if (read_guard(state, asked)) {
    state->origin = BLAS_CORE_RESTART;
    if (strcmp(state->name, state->before) == 0) state->selectable = false;
  } else if (asked != NULL && strcasecmp(asked, state->name) == 0) {
    state->origin = BLAS_CORE_USER;
    state->before_held_by_user = true;
  }
}

static bool is_low(const BlasCoreState *state, BlasCoreClass core_class) {
  return core_class != BLAS_CLASS_UNKNOWN && core_class < state->processor_class;
}

bool blas_core_was_low(const BlasCoreState *state) {
  return is_low(state, blas_core_class(state->before));
}

/* "NAME=VALUE" of a variable that blas_core_environment() replaces. */
static bool is_ours(const char *entry) {
  return strncmp(entry, BLAS_CORE_VARIABLE "=", sizeof BLAS_CORE_VARIABLE) == 0 ||
         strncmp(entry, GUARD_VARIABLE "=", sizeof GUARD_VARIABLE) == 0;
}

char **blas_core_environment(const BlasCoreState *state, const char *core) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  const size_t text_size = sizeof BLAS_CORE_VARIABLE + sizeof GUARD_VARIABLE + 2 * strlen(core) +
                           64 + BLAS_CORE_NAME_SIZE;
  char **entries = malloc((count + 3) * sizeof *entries + text_size);
  if (entries == NULL) return NULL;

  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (!is_ours(environ[i])) entries[kept++] = environ[i];
  }
  char *text = (char *)(entries + count + 3);
  const int length = snprintf(text, text_size, BLAS_CORE_VARIABLE "=%s", core) + 1;
  snprintf(text + length, text_size - (size_t)length, GUARD_VARIABLE "=%s,%s,%s", core,
           state->before, state->before_held_by_user ? "held" : "detected");
  entries[kept++] = text;
  entries[kept++] = text + length;
  entries[kept] = NULL;
  return entries;
}

/* Starts the tool again with the same arguments under `core`. Returns only if that fails. */
static int restart(const BlasCoreState *state, const char *core, char **argv) {
  size_t count = 0;
  while (argv[count] != NULL) count++;
  char **environment = blas_core_environment(state, core);
  char **arguments = malloc((count + 2) * sizeof *arguments);
  int error = ENOMEM;
  if (environment != NULL && arguments != NULL) {
    char program[] = "attend";
    arguments[0] = program;
    memcpy(arguments + 1, argv, (count + 1) * sizeof *arguments);
    fflush(NULL);
    execve("/proc/self/exe", arguments, environment);
    error = errno;
  }
  free(arguments);
  free(environment);
  return failure("the tool could not be started again under %s: %s; set " BLAS_CORE_VARIABLE
                 "=%s yourself.",
                 core, strerror(error), core);
}

/* The next candidate that no restart has asked for yet, or null. */
static const char *next_candidate(const BlasCoreState *state) {
  const char *candidates[3];
  list_candidates(candidates);
  if (state->origin != BLAS_CORE_RESTART) return state->selectable ? candidates[0] : NULL;
  const char *asked = getenv(BLAS_CORE_VARIABLE);
  for (size_t i = 0; asked != NULL && candidates[i] != NULL; i++) {
    if (strcasecmp(candidates[i], asked) == 0) return candidates[i + 1];
  }
  return NULL;
}

static int settle_best(const BlasCoreState *state, char **argv) {
  if (!is_low(state, state->core_class)) return EXIT_SUCCESS;
  if (!state->selectable && state->origin != BLAS_CORE_RESTART) {
    return failure(
        "--blas-core best: this build of OpenBLAS has its %s core only; install one with "
        "DYNAMIC_ARCH (Debian: libopenblas0-openmp).",
        state->name);
  }
  const char *core = next_candidate(state);
  if (core == NULL) {
    return failure("--blas-core best: OpenBLAS stays at its %s core; this build has none for %s.",
                   state->name, blas_core_class_name(state->processor_class));
  }
  notice("starting again under OpenBLAS's %s core in place of %s, as --blas-core best asks.", core,
         state->name);
  return restart(state, core, argv);
}

static const char *core_name_at(const void *context, size_t index) {
  (void)context;
  return index < sizeof known_cores / sizeof *known_cores ? known_cores[index].name : NULL;
}

/* OpenBLAS was asked for `core` and took another. */
static int report_refusal(const BlasCoreState *state, const char *core) {
  const char *nearest = nearest_name(core, core_name_at, NULL);
  if (nearest != NULL && strcasecmp(nearest, core) != 0) {
    return failure("--blas-core %s: OpenBLAS has no such core and took %s; did you mean %s?", core,
                   state->name, nearest);
  }
  return failure("--blas-core %s: this build of OpenBLAS has no such core and took %s.", core,
                 state->name);
}

static int settle_named(const BlasCoreState *state, const char *core, char **argv) {
  if (strcasecmp(core, state->name) == 0) return EXIT_SUCCESS;
  if (state->origin == BLAS_CORE_RESTART) return report_refusal(state, core);
  if (!state->selectable) {
    return failure("--blas-core %s: this build of OpenBLAS has its %s core only; install one with "
                   "DYNAMIC_ARCH (Debian: libopenblas0-openmp).",
                   core, state->name);
  }
  if (state->processor_class != BLAS_CLASS_UNKNOWN &&
      blas_core_class(core) > state->processor_class) {
    return usage_error("--blas-core %s: this core needs %s, which the processor or the operating "
                       "system does not allow; give %s.",
                       core, blas_core_class_name(blas_core_class(core)),
                       state->best[0] != '\0' ? state->best : state->name);
  }
  notice("starting again under OpenBLAS's %s core in place of %s, as --blas-core asks.", core,
         state->name);
  return restart(state, core, argv);
}

/* No core was asked for on the command line. Nothing here is a reason to stop. */
static int settle_unasked(const BlasCoreState *state, bool may_restart, bool quiet, char **argv) {
  if (!is_low(state, state->core_class)) return EXIT_SUCCESS;
  const char *processor = blas_core_class_name(state->processor_class);
  if (state->origin == BLAS_CORE_USER) {
    if (!quiet) {
      notice(BLAS_CORE_VARIABLE "=%s holds OpenBLAS at %s kernels on a processor with %s; unset it "
                                "or pass --blas-core best.",
             state->name, blas_core_class_name(state->core_class), processor);
    }
    return EXIT_SUCCESS;
  }
  const char *core = next_candidate(state);
  if (core != NULL && may_restart) {
    notice("OpenBLAS took a processor with %s for %s; starting again under its %s core.", processor,
           state->name, core);
    restart(state, core, argv);
  } else if (!quiet) {
    notice("OpenBLAS uses its %s core on a processor with %s, and %s.", state->name, processor,
           core != NULL ? "--no-restart keeps it" : "this build has no better one");
  }
  return EXIT_SUCCESS;
}

static int settle(const char *wanted, bool may_restart, bool quiet, char **argv) {
  BlasCoreState state;
  blas_core_inspect(&state);
  if (wanted == NULL) return settle_unasked(&state, may_restart, quiet, argv);
  if (strcasecmp(wanted, "best") == 0) return settle_best(&state, argv);
  return settle_named(&state, wanted, argv);
}

int blas_core_settle(const char *wanted, bool may_restart, char **argv) {
  return settle(wanted, may_restart, false, argv);
}

int blas_core_settle_quietly(const char *wanted, bool may_restart, char **argv) {
  return settle(wanted, may_restart, true, argv);
}
