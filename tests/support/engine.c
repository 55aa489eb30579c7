/* engine.c - lists the engines that this machine runs and opens contexts for them. */
#include "tests/support/engine.h"

#include <stdlib.h>

size_t list_isas(AttendIsa isas[static ATTEND_ISA_COUNT]) {
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  const char *const forced = getenv("ATTEND_ISA");
  AttendIsa only = ATTEND_ISA_AUTO;
  if (forced && *forced && (!attend_find_isa(forced, &only) || only == ATTEND_ISA_AUTO))
    fail_msg("ATTEND_ISA is \"%s\"; expected a name that attend info lists", forced);
  if (only != ATTEND_ISA_AUTO && !machine.isa_usable[only])
    fail_msg("ATTEND_ISA asks for %s, which this machine or build cannot run", forced);
  size_t count = 0;
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++)
    if (machine.isa_usable[isa] && (only == ATTEND_ISA_AUTO || (int)only == isa))
      isas[count++] = (AttendIsa)isa;
  assert_true(count > 0);
  return count;
}

size_t list_engines(Engine engines[static MAX_ENGINES]) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t isa_count = list_isas(isas);
  size_t count = 0;
  const AttendIsa last = isas[isa_count - 1];
  for (int path = ATTEND_PATH_COUNT - 1; path > ATTEND_PATH_AUTO; path--)
    if (path != ATTEND_PATH_TILED)
      engines[count++] = (Engine){(AttendPath)path, last, ATTEND_PRECISION_FP32};
  for (size_t i = 0; i < isa_count; i++)
    engines[count++] = (Engine){ATTEND_PATH_TILED, isas[i], ATTEND_PRECISION_FP32};
  return count;
}

static bool is_left_out(AttendPrecision precision) {
  const char *const forced = getenv("ATTEND_PRECISION");
  AttendPrecision only = ATTEND_PRECISION_FP32;
  if (!forced || !*forced) return false;
  if (!attend_find_precision(forced, &only))
    fail_msg("ATTEND_PRECISION is \"%s\"; expected fp32, bf16x6, bf16x3 or bf16", forced);
  return precision != only;
}

size_t list_engines_in(AttendPrecision precision, Engine engines[static MAX_ENGINES]) {
  if (is_left_out(precision)) return 0;
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t i = 0; i < count; i++) engines[i] = (Engine){ATTEND_PATH_TILED, isas[i], precision};
  return count;
}

size_t list_tiled_engines(Engine engines[static MAX_TILED_ENGINES]) {
  size_t count = 0;
  for (int precision = 0; precision < ATTEND_PRECISION_COUNT; precision++)
    count += list_engines_in((AttendPrecision)precision, engines + count);
  return count;
}

AttendSettings engine_settings(Engine engine, size_t threads) {
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.threads = threads;
  settings.isa = engine.isa;
  settings.path = engine.path;
  settings.precision = engine.precision;
  return settings;
}

AttendContext *engine_open(Engine engine, size_t threads) {
  const AttendSettings settings = engine_settings(engine, threads);
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  assert_non_null(context);
  return context;
}

AttendContext *auto_open(size_t threads) {
  return engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, threads);
}

void for_each_engine(void (*check)(Engine engine)) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) check(engines[k]);
}

void require_ok(const AttendContext *context, AttendStatus status, const char *call,
                const char *file, int line) {
  if (status == ATTEND_OK) return;
  print_error("%s: %s: %s\n", call, attend_status_name(status),
              context ? attend_get_error(context) : attend_status_message(status));
  _fail(file, line);
}
