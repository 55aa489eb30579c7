/* test_profile.c - what a call says of itself afterwards: phases, their time and work; the machine
 * it ran on, and the host's settings, which it leaves as they were.
 */
#include "platform/cpu.h"
#include "tests/support/core_check.h"

#include <stdlib.h>
#include <string.h>

static double phase_sum(const AttendProfile *profile) {
  double sum = 0.0;
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) sum += profile->phases[p].seconds;
  return sum;
}

static void check_core_phases(const AttendProfile *profile, AttendPath path, double flops) {
  static const AttendPhase apart[] = {ATTEND_PHASE_SCORES, ATTEND_PHASE_SOFTMAX,
                                      ATTEND_PHASE_WEIGHTED_SUM};
  double counted = profile->phases[ATTEND_PHASE_ATTENTION].flops;
  for (size_t p = 0; p < COUNT_OF(apart); p++) {
    assert_int_equal(profile->phases[apart[p]].seconds > 0.0, path != ATTEND_PATH_TILED);
    assert_int_equal(profile->phases[apart[p]].bytes > 0.0, path != ATTEND_PATH_TILED);
    counted += profile->phases[apart[p]].flops;
  }
  assert_int_equal(profile->phases[ATTEND_PHASE_ATTENTION].seconds > 0.0,
                   path == ATTEND_PATH_TILED);
  assert_int_equal(profile->phases[ATTEND_PHASE_ATTENTION].bytes > 0.0, path == ATTEND_PATH_TILED);
  assert_true(counted == flops);
}

/* Two layer calls with a cache: every phase is there, and together they take no longer than the
 * calls. */
static void check_profile(Engine engine, bool on) {
  const AttendLayerShape s = {128, 4, 2, 32, 32};
  AttendSettings settings = engine_settings(engine, 2);
  settings.profile = on;
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  float *const data = new_random(1, 0.1f, 128 * 256), *const y = new_bytes(100 * 128 * 4);
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = source.output = data;
  AttendWeights *weights = NULL;
  double core_flops = 0.0, projection_flops = 0.0;
  assert_ok(context, attend_pack_weights(context, &s, &source, &weights));
  AttendCache *cache = cache_open(context, &s, 1, 200);
  AttendProfile profile;
  for (size_t call = 0; call < 2; call++) {
    AttendPlan plan = {.struct_size = sizeof plan};
    assert_ok(context, attend_plan_layer(context, &s, 1, 100, 100 * call, true, NULL, &plan));
    assert_ok(context, attend_layer_forward(context, weights, cache, 1, 100, data, NULL, y));
    core_flops += plan.core_flops;
    projection_flops += plan.projection_flops;
  }
  assert_int_equal(attend_get_profile(context, &profile), ATTEND_OK);
  if (on) {
    assert_int_equal(profile.calls, 2);
    assert_true(profile.seconds > 0.0);
    assert_true(phase_sum(&profile) > 0.0 && phase_sum(&profile) <= 1.0001 * profile.seconds);
    check_core_phases(&profile, engine.path, core_flops);
    assert_true(profile.phases[ATTEND_PHASE_QKV_PROJECTION].seconds > 0.0);
    assert_true(profile.phases[ATTEND_PHASE_OUTPUT_PROJECTION].seconds > 0.0);
    assert_true(profile.phases[ATTEND_PHASE_PACKING].seconds > 0.0);
    assert_true(profile.phases[ATTEND_PHASE_QKV_PROJECTION].flops +
                    profile.phases[ATTEND_PHASE_OUTPUT_PROJECTION].flops ==
                projection_flops);
    attend_reset_profile(context);
    assert_int_equal(attend_get_profile(context, &profile), ATTEND_OK);
  }
  assert_int_equal(profile.calls, 0);
  assert_true(profile.seconds == 0.0);
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++)
    assert_true(profile.phases[p].seconds == 0.0 && profile.phases[p].flops == 0.0 &&
                profile.phases[p].bytes == 0.0);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
  free(data);
  free(y);
}

static void profiles(void **state) {
  (void)state;
  static const char *const names[] = {"qkv_projection", "qk_norm_rope",     "packing",
                                      "scores",         "softmax",          "weighted_sum",
                                      "attention",      "output_projection"};
  assert_int_equal(COUNT_OF(names), ATTEND_PHASE_COUNT);
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++)
    assert_string_equal(attend_phase_name((AttendPhase)p), names[p]);
  assert_null(attend_phase_name((AttendPhase)ATTEND_PHASE_COUNT));
  assert_null(attend_phase_name((AttendPhase)-1));
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    check_profile(engines[k], true);
    check_profile(engines[k], false);
  }
  AttendContext *context = engine_open(engines[0], 1);
  assert_int_equal(attend_get_profile(context, NULL), ATTEND_STATUS_NULL_POINTER);
  attend_close(&context);
}

static void machines_are_described(void **state) {
  (void)state;
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  assert_true(machine.isa_usable[ATTEND_ISA_SCALAR]);
  assert_true(machine.isa_usable[machine.isa_best]);
  if (machine.isa_usable[ATTEND_ISA_AVX512])
    assert_int_equal(machine.isa_best,
                     ATTEND_ISA_AVX512); /* those with a dot product of bf16 too */
  else if (machine.isa_usable[ATTEND_ISA_AVX2])
    assert_int_equal(machine.isa_best, ATTEND_ISA_AVX2);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    if (machine.isa_usable[isa]) assert_true(machine.isa_built[isa]);
  }
  assert_true(machine.cores >= 1);
  assert_true(machine.openmp_threads >= 1);
  assert_true(machine.blas_threads >= 1);
  assert_non_null(strstr(machine.blas_config, machine.blas_version));
  assert_true(strlen(machine.blas_version) >= 3 && strlen(machine.blas_core) >= 1);
  assert_in_range(machine.blas_threading, 0, 2);
}

/* A call leaves the threads of OpenMP and of the BLAS as the host program had set them. */
static void host_settings_are_restored(void **state) {
  (void)state;
  AttendMachine before, after;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const CoreCase spec = {.shape = {1, 300, 300, 2, 2, 64, 64}};
  CoreProblem problem = problem_new(&spec);
  problem_expect(&problem);
  assert_int_equal(attend_describe_machine(&before), ATTEND_OK);
  for (size_t k = 0; k < count; k++) {
    for (size_t threads = 1; threads <= 5; threads += 2) {
      problem_check_engine(&problem, engines[k], threads);
      check_profile(engines[k], false);
      assert_int_equal(attend_describe_machine(&after), ATTEND_OK);
      assert_int_equal(after.openmp_threads, before.openmp_threads);
      assert_int_equal(after.blas_threads, before.blas_threads);
    }
  }
  problem_free(&problem);
}

/* In precisions of bf16 a dot product of bf16 counts; the system may refuse AMX its tiles. */
static void auto_takes_the_best_for_the_precision(void **state) {
  (void)state;
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  assert_int_equal(cpu_best(ATTEND_PRECISION_FP32), machine.isa_best);
  for (int p = ATTEND_PRECISION_FP32 + 1; p < ATTEND_PRECISION_COUNT; p++) {
    const AttendIsa isa = cpu_best((AttendPrecision)p);
    if (machine.isa_usable[ATTEND_ISA_AMX])
      assert_true(isa == ATTEND_ISA_AMX || isa == ATTEND_ISA_AVX512_BF16);
    else if (machine.isa_usable[ATTEND_ISA_AVX512_BF16])
      assert_int_equal(isa, ATTEND_ISA_AVX512_BF16);
    else
      assert_int_equal(isa, machine.isa_best);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(profiles),
      cmocka_unit_test(machines_are_described),
      cmocka_unit_test(auto_takes_the_best_for_the_precision),
      cmocka_unit_test(host_settings_are_restored),
  };
  return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
