/* test_heat_map.c - heat maps, as a page and in the terminal: numbers, hidden elements, scales and
 * labels.
 *
 * No test can say how a map looks, but one can say that the scales only grow darker.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/picture/heat_map.h"
#include "cli/picture/heat_scale.h"
#include "cli/util/utf8.h"
#include "tests/support/picture_check.h"

/* Causal scores of n tokens and their weights, [n, n] each. */
static void fill_causal(size_t n, float *scores, float *weights) {
  for (size_t i = 0; i < n; i++) {
    float sum = 0;
    for (size_t j = 0; j < n; j++) {
      scores[i * n + j] = j <= i ? sinf((float)(i * 7 + j * 3)) : -INFINITY;
      sum += weights[i * n + j] = expf(scores[i * n + j]);
    }
    for (size_t j = 0; j < n; j++) weights[i * n + j] /= sum;
  }
}

static char *heat_svg(const HeatMap *maps, size_t count) {
  const HeatSheet sheet = {"heat & \"maps\"", count, maps};
  Picture picture;
  heat_sheet_make(&sheet, &picture);
  char *const text = checked_svg(&picture);
  picture_free(&picture);
  return text;
}

static char *heat_text(const HeatMap *maps, size_t count, bool colour) {
  const HeatSheet sheet = {"heat", count, maps};
  Written written;
  written_open(&written);
  heat_sheet_print(&sheet, colour, written.file);
  fclose(written.file);
  return written.text;
}

static void heat_map_of_six(void **state) {
  (void)state;
  float scores[36], weights[36];
  fill_causal(6, scores, weights);
  const HeatMap maps[] = {{"scores", HEAT_SCORES, 6, 6, 6, scores, nasty_words, nasty_words},
                          {"weights", HEAT_WEIGHTS, 6, 6, 6, weights, nasty_words, nasty_words}};
  char *const svg = heat_svg(maps, 2);
  /* Fifteen scores are hidden, and hatched with the sample below; the weights have numbers
   * alone. */
  assert_int_equal(count_of(svg, "url(#hatched)"), 16);
  assert_int_equal(count_of(svg, ">0</text>"), 1 + 15 + 1);
  require(svg, "hidden (−∞)");
  assert_null(strstr(svg, "not a number"));
  assert_int_equal(count_of(svg, "&lt;b&gt;&amp;&quot;'"), 4);
  free(svg);
}

static void heat_map_of_fifty(void **state) {
  (void)state;
  enum { N = 50, HEADS = 14 };
  static float scores[N * N], weights[N * N];
  fill_causal(N, scores, weights);
  HeatMap maps[HEADS];
  for (size_t h = 0; h < HEADS; h++)
    maps[h] = (HeatMap){"weights", HEAT_WEIGHTS, N, N, N, weights, NULL, NULL};
  char *const svg = heat_svg(maps, HEADS);
  assert_int_equal(count_of(svg, "font-weight=\"bold\" xml:space=\"preserve\">weights<"), HEADS);
  require(svg, "shade: square root");
  free(svg);
}

/* The titles of small maps are wider than the maps, and do not run into each other. */
static void titles_have_room(void **state) {
  (void)state;
  const float equal[4] = {0};
  HeatMap maps[4];
  for (size_t m = 0; m < COUNT_OF(maps); m++)
    maps[m] = (HeatMap){"masked_scores, head 12", HEAT_SCORES, 2, 2, 2, equal, NULL, NULL};
  const HeatSheet sheet = {"a", COUNT_OF(maps), maps};
  Picture picture;
  heat_sheet_make(&sheet, &picture);
  double end = 0, line = 0;
  size_t titles = 0, beside = 0;
  for (size_t i = 0; i < picture.texts.count; i++) {
    const PictureWords *const words = &picture.texts.items[i];
    if (strcmp(words->text, maps[0].title) != 0) continue;
    beside += titles > 0 && words->place.y == line;
    if (titles > 0 && words->place.y == line) assert_true(words->place.x >= end);
    end = words->place.x + picture_text_width(words->text, words->place.size);
    line = words->place.y;
    assert_true(end <= picture.width);
    titles++;
  }
  assert_int_equal(titles, COUNT_OF(maps));
  assert_true(beside > 0);
  picture_free(&picture);
}

/* One cell; all equal; all hidden; infinities and NaN. */
static void heat_maps_at_the_edges(void **state) {
  (void)state;
  const float one[] = {1}, equal[] = {3, 3, 3, 3, 3, 3}, none[] = {-INFINITY, -INFINITY};
  const float strange[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0};
  const struct {
    size_t rows, columns;
    const float *data;
    const char *svg, *text;
  } cases[] = {
      {1, 1, one, ">1</text>", "1██"},
      {2, 3, equal, ">3</text>", "3██     3██"},
      {1, 2, none, "url(#hatched)", "−∞··    −∞··"},
      {2, 3, strange, "url(#crossed)", "NaN??     ∞██    −∞··"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    for (HeatKind kind = HEAT_SCORES; kind < HEAT_KINDS; kind++) {
      const HeatMap map = {"m",           kind, cases[i].rows, cases[i].columns, cases[i].columns,
                           cases[i].data, NULL, NULL};
      char *const svg = heat_svg(&map, 1), *const text = heat_text(&map, 1, false);
      require(svg, cases[i].svg);
      require(text, cases[i].text);
      assert_null(strstr(svg, "nan"));
      assert_null(strstr(svg, "inf"));
      free(svg);
      free(text);
    }
  }
}

static void nothing_to_draw(void **state) {
  (void)state;
  char *const svg = heat_svg(NULL, 0), *const text = heat_text(NULL, 0, true);
  require(svg, "There is nothing to draw.");
  assert_string_equal(text, "");
  free(svg);
  free(text);
}

/* A cell of a large map is the largest of its elements; the map stays small as a file. */
static void large_maps_are_gathered(void **state) {
  (void)state;
  enum { N = 1000 };
  float *const scores = malloc(N * N * sizeof *scores);
  assert_non_null(scores);
  for (size_t i = 0; i < N * N; i++) scores[i] = i % N > i / N ? -INFINITY : (float)(i % 97);
  HeatMap map = {"scores", HEAT_SCORES, N, N, N, scores, NULL, NULL};
  const size_t block = heat_block(&map, 128);
  assert_int_equal(block, 8);
  assert_true(heat_cell(&map, block, 0, 1) == -INFINITY);
  assert_true(heat_cell(&map, block, 0, 0) == (double)scores[4 * N + 2] ||
              heat_cell(&map, block, 0, 0) > (double)scores[4 * N + 2]);
  scores[7 * N + 3] = 5000;
  assert_true(heat_cell(&map, block, 0, 0) == 5000);
  scores[7 * N + 4] = NAN;
  assert_true(isnan(heat_cell(&map, block, 0, 0)));
  char *const svg = heat_svg(&map, 1);
  require(svg, "the largest of 8 × 8");
  assert_true(strlen(svg) < 2000000);
  free(svg);
  free(scores);
}

static double lightness(uint32_t colour) {
  return 0.299 * (colour >> 16) + 0.587 * (colour >> 8 & 0xff) + 0.114 * (colour & 0xff);
}

/* The colours 16 to 231 of a terminal are a cube of these levels. */
static uint32_t cube_colour(unsigned index) {
  static const uint32_t levels[] = {0, 95, 135, 175, 215, 255};
  assert_true(index >= 16 && index <= 231);
  return levels[(index - 16) / 36] << 16 | levels[(index - 16) / 6 % 6] << 8 |
         levels[(index - 16) % 6];
}

static void scales_only_grow_darker(void **state) {
  (void)state;
  for (int i = 1; i <= 64; i++) {
    assert_true(lightness(heat_colour(i / 64.0)) < lightness(heat_colour((i - 1) / 64.0)));
    const unsigned now = heat_terminal_colour(i / 64.0),
                   before = heat_terminal_colour((i - 1) / 64.0);
    assert_true(now == before || lightness(cube_colour(now)) < lightness(cube_colour(before)));
  }
  assert_true(heat_is_dark(heat_colour(1)) && !heat_is_dark(heat_colour(0)));
}

/* Maps of one kind share a scale, weights begin at 0, and only finite values count. */
static void scale_of_a_sheet(void **state) {
  (void)state;
  const float first[] = {0.25f, 0.5f}, second[] = {0.75f, -INFINITY, NAN, INFINITY};
  const HeatMap maps[] = {{"a", HEAT_WEIGHTS, 1, 2, 2, first, NULL, NULL},
                          {"b", HEAT_WEIGHTS, 2, 1, 2, second, NULL, NULL},
                          {"c", HEAT_SCORES, 2, 2, 2, second, NULL, NULL}};
  const HeatSheet sheet = {"", 3, maps};
  /* The second map is one column of two: its rows stand two apart. */
  const HeatScale weights = heat_scale(&sheet, HEAT_WEIGHTS);
  const HeatScale scores = heat_scale(&sheet, HEAT_SCORES);
  assert_true(weights.least == 0 && weights.most == 0.75 && !weights.hidden);
  assert_true(weights.not_a_number && !weights.root);
  assert_true(scores.least == 0.75 && scores.most == 0.75 && scores.hidden);
  assert_true(heat_share(&weights, 0.375) == 0.5 && heat_share(&weights, INFINITY) == 1);
  assert_true(heat_share(&scores, 0.75) == 1);
}

static void numbers_in_cells(void **state) {
  (void)state;
  static const struct {
    bool whole;
    double value;
    const char *text;
  } cases[] = {{false, 0, "0"},           {false, -0.0, "0"},         {false, 0.5, "0.50"},
               {false, -1.25, "-1.25"},   {false, 12, "12.00"},       {true, 12, "12"},
               {false, 0.004, "0.004"},   {false, 1234.5, "1234"},    {false, -1e30, "-1e+30"},
               {false, -99.99, "-99.99"}, {false, -99.999, "-100"},   {true, -9999, "-9999"},
               {true, 1e6, "1e+06"},      {false, INFINITY, "∞"},     {false, -INFINITY, "−∞"},
               {false, NAN, "NaN"},       {false, -0.0049, "-0.005"}, {false, 0.996, "1.00"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const HeatScale scale = {.whole = cases[i].whole};
    const HeatNumber number = heat_number(&scale, cases[i].value);
    assert_string_equal(number.text, cases[i].text);
    assert_true(utf8_columns(number.text) <= 6);
  }
}

static void terminal_without_colour(void **state) {
  (void)state;
  const float weights[] = {1, 0, 0.5f, 0.5f};
  static const char *const words[] = {"the", "cat"};
  const HeatMap map = {"weights", HEAT_WEIGHTS, 2, 2, 2, weights, words, words};
  char *const text = heat_text(&map, 1, false);
  assert_string_equal(text, "   weights\n"
                            "         the     cat   \n"
                            "   the   1.00██     0  \n"
                            "   cat   0.50▒▒  0.50▒▒\n"
                            "   weights: 0     ░░░░▒▒▒▒▓▓▓▓████ 1.00\n");
  free(text);
}

/* Every line leaves the terminal as it found it. */
static void terminal_with_colour(void **state) {
  (void)state;
  float scores[36], weights[36];
  fill_causal(6, scores, weights);
  const HeatMap map = {"scores", HEAT_SCORES, 6, 6, 6, scores, nasty_words, nasty_words};
  char *const text = heat_text(&map, 1, true);
  bool set = false;
  for (const char *at = text; *at; at++) {
    if (*at == '\x1b') set = strncmp(at, "\x1b[0m", 4) != 0;
    if (*at == '\n') assert_false(set);
  }
  assert_true(count_of(text, "\x1b[48;5;") > 20);
  assert_int_equal(count_of(text, "\x1b"),
                   count_of(text, "\x1b[48;5;") + count_of(text, "\x1b[0m"));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heat_map_of_six),         cmocka_unit_test(heat_map_of_fifty),
      cmocka_unit_test(titles_have_room),        cmocka_unit_test(heat_maps_at_the_edges),
      cmocka_unit_test(nothing_to_draw),         cmocka_unit_test(large_maps_are_gathered),
      cmocka_unit_test(scales_only_grow_darker), cmocka_unit_test(scale_of_a_sheet),
      cmocka_unit_test(numbers_in_cells),        cmocka_unit_test(terminal_without_colour),
      cmocka_unit_test(terminal_with_colour),
  };
  return cmocka_run_group_tests_name("heat_map", tests, NULL, NULL);
}
