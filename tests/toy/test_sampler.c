/* test_sampler.c - how examples/toy chooses tokens: how often, among which, and always alike. */
#include <math.h>

#include "examples/toy/sampler.h"
#include "tests/support/support.h"

enum { TOKENS = 6, DRAWS = 40000 };

/* Probabilities .1 .4 .2 .2 .05 .05 at temperature 1, up to a constant factor. */
static const double probabilities[TOKENS] = {0.1, 0.4, 0.2, 0.2, 0.05, 0.05};

static void fill_logits(float logits[static TOKENS]) {
  for (size_t i = 0; i < TOKENS; i++) logits[i] = (float)(log(probabilities[i]) + 3);
}

static void draw_many(const SamplerSettings *settings, size_t counts[static TOKENS]) {
  Sampler sampler;
  float logits[TOKENS];
  fill_logits(logits);
  assert_true(sampler_open(&sampler, settings, TOKENS));
  for (size_t i = 0; i < TOKENS; i++) counts[i] = 0;
  for (size_t i = 0; i < DRAWS; i++) {
    const size_t token = sampler_pick(&sampler, logits);
    assert_true(token < TOKENS);
    counts[token]++;
  }
  sampler_close(&sampler);
}

/* Each count within five standard deviations of what a binomial of these weights gives. */
static void check_counts(const size_t counts[static TOKENS], const double weights[static TOKENS]) {
  double sum = 0;
  for (size_t i = 0; i < TOKENS; i++) sum += weights[i];
  for (size_t i = 0; i < TOKENS; i++) {
    const double p = weights[i] / sum, expected = p * DRAWS;
    const double allowed = 5 * sqrt(expected * (1 - p));
    if (fabs((double)counts[i] - expected) > allowed)
      fail_msg("token %zu was chosen %zu times, expected %.0f within %.0f", i, counts[i], expected,
               allowed);
  }
}

static void temperatures(void **state) {
  (void)state;
  static const double all[] = {0.5, 1, 2};
  for (size_t t = 0; t < COUNT_OF(all); t++) {
    size_t counts[TOKENS];
    double weights[TOKENS];
    for (size_t i = 0; i < TOKENS; i++) weights[i] = pow(probabilities[i], 1 / all[t]);
    draw_many(&(SamplerSettings){all[t], 1, 11 + t}, counts);
    check_counts(counts, weights);
  }
}

/* .4 and .2 do not reach .7, the second .2 does; of the two equal ones the first comes first. */
static void top_p(void **state) {
  (void)state;
  static const struct {
    double p;
    bool taken[TOKENS];
  } cases[] = {
      {1e-9, {false, true}},
      {0.399, {false, true}},
      {0.5, {false, true, true}},
      {0.7, {false, true, true, true}},
      {0.85, {true, true, true, true}},
      {0.92, {true, true, true, true, true}},
  };
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    size_t counts[TOKENS];
    double weights[TOKENS];
    for (size_t i = 0; i < TOKENS; i++) weights[i] = cases[c].taken[i] ? probabilities[i] : 0;
    draw_many(&(SamplerSettings){1, cases[c].p, 5}, counts);
    check_counts(counts, weights);
  }
}

static void greedy_takes_the_first_largest(void **state) {
  (void)state;
  Sampler sampler;
  assert_true(sampler_open(&sampler, &(SamplerSettings){0, 1, 1}, 4));
  assert_int_equal(sampler_pick(&sampler, (const float[]){1, 3, 3, 2}), 1);
  assert_int_equal(sampler_pick(&sampler, (const float[]){-5, -INFINITY, -6, -7}), 0);
  sampler_close(&sampler);
}

static void what_is_no_number_is_reported(void **state) {
  (void)state;
  static const float bad[][4] = {
      {1, NAN, 0, 0},
      {1, INFINITY, 0, 0},
      {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
  };
  for (int temperature = 0; temperature < 2; temperature++) {
    Sampler sampler;
    assert_true(sampler_open(&sampler, &(SamplerSettings){temperature, 0.9, 1}, 4));
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_int_equal(sampler_pick(&sampler, bad[i]), 4);
    sampler_close(&sampler);
  }
}

static void seeds(void **state) {
  (void)state;
  float logits[TOKENS];
  fill_logits(logits);
  Sampler a, b, c;
  assert_true(sampler_open(&a, &(SamplerSettings){1, 1, 7}, TOKENS));
  assert_true(sampler_open(&b, &(SamplerSettings){1, 1, 7}, TOKENS));
  assert_true(sampler_open(&c, &(SamplerSettings){1, 1, 8}, TOKENS));
  size_t different = 0;
  for (size_t i = 0; i < 100; i++) {
    const size_t token = sampler_pick(&a, logits);
    assert_int_equal(sampler_pick(&b, logits), token);
    different += sampler_pick(&c, logits) != token;
  }
  assert_true(different > 0);
  sampler_close(&a), sampler_close(&b), sampler_close(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(temperatures),
      cmocka_unit_test(top_p),
      cmocka_unit_test(greedy_takes_the_first_largest),
      cmocka_unit_test(what_is_no_number_is_reported),
      cmocka_unit_test(seeds),
  };
  return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
