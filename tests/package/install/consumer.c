/* A host program in C, compiled by tests/package/check_install.sh against the installed tree.
 *
 * Runs a layer of one head without a mask whose weights and output can be computed by hand, and
 * fails if the library disagrees or is another version than the headers.
 */
#include <attend/attend.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "consumer: %s: %s\n", what, why);
  return 1;
}

/* Q = [[4,0],[1,1]], K = [[3,1],[1,3]], V = [[2,0],[0,2]]. The scores of row 0 differ by 8 before
 * scaling, those of row 1 not at all. */
static int check_layer(AttendContext *context, const AttendWeights *weights) {
  static const float x[4] = {1, 1, 0, 1};
  const double first = 1 / (1 + exp(-8 / sqrt(2)));
  const double expected[4] = {4 * first, 2 * (1 - first), 2, 1};
  float y[4] = {0};
  AttendOptions options;
  attend_default_options(&options);
  options.causal = false;
  if (attend_layer_forward(context, weights, NULL, 1, 2, x, &options, y) != ATTEND_OK)
    return fail("attend_layer_forward", attend_get_error(context));
  for (size_t i = 0; i < 4; i++) {
    if (!(fabs(y[i] - expected[i]) <= 1e-5)) {
      fprintf(stderr, "consumer: y[%zu] is %.9g, expected %.9g\n", i, (double)y[i], expected[i]);
      return 1;
    }
  }
  return 0;
}

static int check_version(void) {
  char expected[32];
  snprintf(expected, sizeof expected, "%d.%d.%d", ATTEND_VERSION_MAJOR, ATTEND_VERSION_MINOR,
           ATTEND_VERSION_PATCH);
  return strcmp(attend_version(), expected) == 0 ? 0 : fail("attend_version", attend_version());
}

int main(void) {
  static const float query[4] = {3, -1, 1, 1}, key[4] = {2, -2, 1, 3};
  static const float value[4] = {2, -2, 0, 2}, output[4] = {2, 0, 0, 1};
  const AttendLayerShape shape = {
      .width = 2, .query_heads = 1, .kv_heads = 1, .head_dim = 2, .value_dim = 2};
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = query;
  source.key = key;
  source.value = value;
  source.output = output;

  AttendStatus status = attend_open(&context, NULL);
  if (status != ATTEND_OK) return fail("attend_open", attend_status_message(status));
  status = attend_pack_weights(context, &shape, &source, &weights);
  int failed = status == ATTEND_OK ? check_layer(context, weights)
                                   : fail("attend_pack_weights", attend_get_error(context));
  failed |= check_version();
  attend_free_weights(&weights);
  attend_close(&context);
  return failed;
}
