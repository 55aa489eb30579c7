/* host_case.c - the calls of a user of the library, in order; see host_case.h. */
#include "tests/host/host_case.h"

#include <stdlib.h>

HostCase host_case_new(size_t index) {
  HostCase c;
  assert_true(full_layer_new(index, &c.layer));
  c.x = new_random(95, 1.0f, TOKENS * c.layer.spec.shape.width);
  c.y = full_layer_expect(&c.layer, TOKENS, c.x, NULL);
  return c;
}

void host_case_free(HostCase *c) {
  full_layer_free(&c->layer);
  free(c->x);
  free(c->y);
}

const char *host_case_use(const HostCase *c, Engine engine, size_t threads, Watch watch,
                          void *user) {
  const AttendSettings settings = engine_settings(engine, threads);
  const AttendLayerShape *const shape = &c->layer.spec.shape;
  const AttendWeightSource source = full_layer_source(&c->layer);
  AttendCacheSettings cached;
  attend_default_cache_settings(&cached);
  cached.capacity = TOKENS;
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendCache *cache = NULL;
  AttendMachine machine;
  AttendPlan plan = {.struct_size = sizeof plan};
  float *const y = malloc(TOKENS * shape->width * sizeof *y);
  const char *wrong = y ? NULL : "there is no memory";
#define DO(call)                                                                                   \
  do {                                                                                             \
    if (!wrong && (call) != ATTEND_OK) wrong = #call;                                              \
    if (watch) watch(user, #call);                                                                 \
  } while (0)
  DO(attend_describe_machine(&machine));
  DO(attend_open(&context, &settings));
  DO(attend_pack_weights(context, shape, &source, &weights));
  DO(attend_open_cache(context, shape, &cached, &cache));
  DO(attend_plan_layer(context, shape, 1, PROMPT, 0, true, &c->layer.options, &plan));
  DO(attend_layer_forward(context, weights, cache, 1, PROMPT, c->x, &c->layer.options, y));
  for (size_t t = PROMPT; t < TOKENS; t++)
    DO(attend_layer_forward(context, weights, cache, 1, 1, c->x + t * shape->width,
                            &c->layer.options, y + t * shape->width));
  for (size_t i = 0; i < TOKENS * shape->width && !wrong; i++)
    if (!is_close((double)y[i], c->y[i], fixed_allowance(c->y[i]))) wrong = "the result";
  DO(attend_layer_forward(context, weights, NULL, 1, TOKENS, c->x, &c->layer.options, y));
  for (size_t i = 0; i < TOKENS * shape->width && !wrong; i++)
    if (!is_close((double)y[i], c->y[i], fixed_allowance(c->y[i]))) wrong = "the uncached result";
#undef DO
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
  free(y);
  return wrong;
}
