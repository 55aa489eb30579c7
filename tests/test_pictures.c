/* test_pictures.c - drawings of layers and heat maps: what stands in them, that every SVG is XML for a
 * parser that is not ours, that text from outside stays text, and that a file is whole or not there.
 *
 * How a picture looks no test can say; that the scales only grow darker one can.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/heat_map.h"
#include "cli/heat_scale.h"
#include "cli/layer_drawing.h"
#include "cli/picture_file.h"
#include "cli/utf8.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Everything that a writer wrote; to be freed. */
typedef struct Written {
  char *text;
  size_t size;
  FILE *file;
} Written;

static void written_open(Written *written) {
  *written = (Written){0};
  written->file = open_memstream(&written->text, &written->size);
  assert_non_null(written->file);
}

static size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) count++;
  return count;
}

static void require(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("\"%s\" is missing in:\n%.4000s", part, text);
}

static bool has_command(const char *check) {
  return system(check) == 0;
}

/* Has xmllint read the text. */
static void require_xml(const char *text) {
  if (!has_command("command -v xmllint >/dev/null")) skip();
  FILE *const parser = popen("xmllint --noout --nonet - 2>&1", "w");
  assert_non_null(parser);
  const bool sent = fputs(text, parser) >= 0;
  const int status = pclose(parser);
  if (!sent || status != 0) fail_msg("not XML:\n%.4000s", text);
}

static char *svg_of(const Picture *picture) {
  assert_false(picture->out_of_memory);
  Written written;
  written_open(&written);
  picture_write_svg(picture, written.file);
  fclose(written.file);
  require_xml(written.text);
  return written.text;
}

/* No text may stand outside of the page; widths of texts are estimates. */
static void require_on_page(const Picture *picture) {
  for (size_t i = 0; i < picture->boxes.count; i++) {
    const PictureBox *const box = &picture->boxes.items[i];
    assert_true(box->x >= 0 && box->x + box->width <= picture->width + 0.01);
    assert_true(box->y >= 0 && box->y + box->height <= picture->height + 0.01);
  }
  for (size_t i = 0; i < picture->texts.count; i++) {
    const PictureText *const place = &picture->texts.items[i].place;
    assert_true(place->x >= 0 && place->x <= picture->width);
    assert_true(place->y - place->size / 2 >= 0 && place->y + place->size / 2 <= picture->height);
  }
}

/* ---- layers ---- */

static const LayerDrawing qwen = {.name = "Qwen2.5-0.5B",
                                  .shape = {896, 14, 2, 64, 64},
                                  .batch = 1,
                                  .query_tokens = 50,
                                  .key_tokens = 50,
                                  .from_input = true,
                                  .to_output = true,
                                  .masked = true};

static char *layer_svg(const LayerDrawing *drawing) {
  Picture picture;
  layer_drawing_make(drawing, &picture);
  require_on_page(&picture);
  char *const text = svg_of(&picture);
  picture_free(&picture);
  return text;
}

static char *layer_text(const LayerDrawing *drawing) {
  Written written;
  written_open(&written);
  layer_drawing_print(drawing, written.file);
  fclose(written.file);
  return written.text;
}

/* Shapes, column ranges and groups of the handout's model, in the picture and in the text. */
static void layer_has_its_shapes(void **state) {
  (void)state;
  static const char *const everywhere[] = {
      "[50 × 896]", "[896 × 1152]", "[896 × 896]", "[896 × 128]", "0–63",
      "64–127",     "832–895",      "896–959",     "960–1023",    "1024–1087",
      "[50 × 64]",  "1088–1151",    "[50 × 50]"};
  char *const svg = layer_svg(&qwen), *const text = layer_text(&qwen);
  for (size_t i = 0; i < COUNT_OF(everywhere); i++) {
    require(svg, everywhere[i]);
    require(text, everywhere[i]);
  }
  require(svg, "rows 832–895");
  require(text, "head 13 reads Q_13 [50 × 64], K_1 [50 × 64], V_1 [50 × 64]");
  require(text, "A_13 = softmax(mask(S_13)) [50 × 50]");
  require(text, "Heads 0–6 read K_0 and V_0.\n Heads 7–13 read K_1 and V_1.\n");
  /* The third head is left out, in favour of dots. */
  assert_null(strstr(text, "Q_2"));
  assert_int_equal(count_of(text, "head 1 reads"), 1);
  free(svg);
  free(text);
}

static void heads_of_every_kind(void **state) {
  (void)state;
  static const struct {
    size_t heads, kv_heads, batch, tokens, keys;
    bool from_input, to_output;
    const char *says; /* in the text; null: nothing of the kind */
  } cases[] = {
      {1, 1, 1, 2, 2, true, true, NULL},
      {2, 2, 1, 6, 6, true, true, "Every head has keys and values of its own."},
      {3, 1, 1, 1, 1, true, false, "All 3 heads read K_0 and V_0."},
      {4, 2, 1, 7, 7, false, true, "Heads 2–3 read K_1 and V_1."},
      {32, 32, 4, 100, 4196, true, true, "K and V join those of 4096 cached tokens."},
      {64, 8, 2, 4096, 131072, true, true, "Heads 56–63 read K_7 and V_7."},
      {128, 1, 3, 1, 1000000, true, true, "Shapes are those of one of the B = 3 sequences."},
      {1, 1, 1, 1, 4, false, false, "N = 1 token, 4 keys"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const LayerDrawing drawing = {.name = "a layer",
                                  .shape = {8192, cases[i].heads, cases[i].kv_heads, 128, 96},
                                  .batch = cases[i].batch,
                                  .query_tokens = cases[i].tokens,
                                  .key_tokens = cases[i].keys,
                                  .from_input = cases[i].from_input,
                                  .to_output = cases[i].to_output};
    char *const svg = layer_svg(&drawing), *const text = layer_text(&drawing);
    if (cases[i].says) require(text, cases[i].says);
    assert_true(!strstr(text, "W_qkv") == !cases[i].from_input);
    assert_true(!strstr(text, "W_o") == !cases[i].to_output);
    assert_true(!strstr(svg, ">rows ") == !cases[i].to_output);
    free(svg);
    free(text);
  }
}

/* Words that would end an element, a string or a line, and bytes that are no UTF-8. */
static const char *const nasty[] = {"<b>&\"'",      "]]>",       "\n\t\x1b[31m",
                                    "\xff\xc0\xaf", "Straße 猫", "_^{}@\\"};

static void words_stay_words(void **state) {
  (void)state;
  LayerDrawing drawing = qwen;
  drawing.name = "</title><script>&amp;";
  drawing.query_tokens = drawing.key_tokens = COUNT_OF(nasty);
  drawing.labels = nasty;
  char *const svg = layer_svg(&drawing), *const text = layer_text(&drawing);
  require(svg, "&lt;b&gt;&amp;&quot;'");
  require(svg, "]]&gt;");
  require(svg, "Straße 猫");
  require(svg, "&lt;/title&gt;&lt;script&gt;&amp;amp;");
  assert_null(strstr(svg, "<script>"));
  assert_null(strchr(text, 0x1b));
  require(text, "↵⇥\xef\xbf\xbd[31m");
  free(svg);
  free(text);
}

/* ---- heat maps ---- */

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
  require_on_page(&picture);
  char *const text = svg_of(&picture);
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
  const HeatMap maps[] = {{"scores", HEAT_SCORES, 6, 6, 6, scores, nasty, nasty},
                          {"weights", HEAT_WEIGHTS, 6, 6, 6, weights, nasty, nasty}};
  char *const svg = heat_svg(maps, 2);
  /* Fifteen scores are hidden, and hatched with the sample below; the weights have numbers alone. */
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

/* One cell; all equal; nothing but hidden; every kind of number that is none. */
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

/* Maps of one kind share a scale, weights begin at 0, and what is not finite does not count. */
static void scale_of_a_sheet(void **state) {
  (void)state;
  const float first[] = {0.25f, 0.5f}, second[] = {0.75f, -INFINITY, NAN, INFINITY};
  const HeatMap maps[] = {{"a", HEAT_WEIGHTS, 1, 2, 2, first, NULL, NULL},
                          {"b", HEAT_WEIGHTS, 2, 1, 2, second, NULL, NULL},
                          {"c", HEAT_SCORES, 2, 2, 2, second, NULL, NULL}};
  const HeatSheet sheet = {"", 3, maps};
  /* Of the second only the first column is looked at: its rows stand two apart. */
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
  const HeatMap map = {"scores", HEAT_SCORES, 6, 6, 6, scores, nasty, nasty};
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

/* ---- text ---- */

static void text_is_made_fit(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t columns, size, taken;
    const char *fit;
  } cases[] = {
      {"", 5, 8, 0, ""},
      {"token", 5, 8, 5, "token"},
      {"tokens", 5, 16, 5, "toke…"},
      {"tokens", 6, 6, 3, "to…"},
      {"tokens", 0, 8, 0, ""},
      {"tokens", 6, 3, 0, ""},
      {"猫猫", 4, 16, 4, "猫猫"},
      {"猫猫", 3, 16, 3, "猫…"},
      {"e\xcc\x81", 1, 16, 1, "e\xcc\x81"},
      {"\n\t\x01\x7f", 8, 32, 4, "↵⇥\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80\xf4\x90\x80\x80", 8, 32, 2, "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xe7\x8c", 8, 32, 1, "\xef\xbf\xbd"},
      {"a\xc2\x9b"
       "b",
       8, 32, 3,
       "a\xef\xbf\xbd"
       "b"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char fit[40];
    memset(fit, '#', sizeof fit);
    assert_int_equal(utf8_copy(cases[i].text, cases[i].columns, fit, cases[i].size),
                     cases[i].taken);
    assert_string_equal(fit, cases[i].fit);
    assert_int_equal(utf8_columns(fit), cases[i].taken);
    assert_true(fit[cases[i].size] == '#');
  }
}

/* ---- files ---- */

/* Draws a layer into `name`, in a directory of its own, and returns the status. */
static int draw_into(const char *name) {
  Picture picture;
  PictureFile file;
  layer_drawing_make(&qwen, &picture);
  assert_true(picture_file_open(&file, name));
  const int status = picture_file_write(&file, &picture);
  picture_free(&picture);
  return status;
}

static void files_are_whole_or_not_there(void **state) {
  (void)state;
  char directory[] = "/tmp/attend-pictures-XXXXXX", here[4096];
  assert_non_null(getcwd(here, sizeof here));
  assert_non_null(mkdtemp(directory));
  assert_int_equal(chdir(directory), 0);
  assert_int_equal(draw_into("layer.svg"), EXIT_SUCCESS);
  if (has_command("command -v gnuplot >/dev/null")) {
    assert_int_equal(draw_into("it's a layer.PNG"), EXIT_SUCCESS);
    assert_true(has_command("head -c 4 \"it's a layer.PNG\" | grep -q PNG"));
    assert_int_equal(remove("it's a layer.PNG"), 0);
  }
  /* Without gnuplot there is no PNG, and what was there before stays. */
  char *const path = strdup(getenv("PATH"));
  setenv("PATH", directory, 1);
  assert_int_equal(draw_into("layer.png"), EXIT_FAILURE);
  setenv("PATH", path, 1);
  free(path);
  assert_true(has_command("test \"$(ls -A)\" = layer.svg"));

  Picture picture;
  PictureFile file;
  picture_init(&picture, "a picture that is not complete");
  picture.out_of_memory = true;
  assert_true(picture_file_open(&file, "layer.svg"));
  assert_int_equal(picture_file_write(&file, &picture), EXIT_FAILURE);
  picture_free(&picture);
  assert_true(
      has_command("test \"$(ls -A)\" = layer.svg && tail -n 1 layer.svg | grep -q '</svg>'"));
  assert_false(picture_file_open(&file, "/nonexistent/layer.svg"));
  assert_int_equal(remove("layer.svg"), 0);
  assert_int_equal(chdir(here), 0);
  assert_int_equal(rmdir(directory), 0);
}

static void names_decide_the_form(void **state) {
  (void)state;
  assert_true(picture_file_accepts("a.svg") && picture_file_accepts("x/b.PNG"));
  assert_false(picture_file_accepts(".svg") || picture_file_accepts("a.pdf") ||
               picture_file_accepts("svg") || picture_file_accepts(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layer_has_its_shapes),
      cmocka_unit_test(heads_of_every_kind),
      cmocka_unit_test(words_stay_words),
      cmocka_unit_test(heat_map_of_six),
      cmocka_unit_test(heat_map_of_fifty),
      cmocka_unit_test(heat_maps_at_the_edges),
      cmocka_unit_test(nothing_to_draw),
      cmocka_unit_test(large_maps_are_gathered),
      cmocka_unit_test(scales_only_grow_darker),
      cmocka_unit_test(scale_of_a_sheet),
      cmocka_unit_test(numbers_in_cells),
      cmocka_unit_test(terminal_without_colour),
      cmocka_unit_test(terminal_with_colour),
      cmocka_unit_test(text_is_made_fit),
      cmocka_unit_test(files_are_whole_or_not_there),
      cmocka_unit_test(names_decide_the_form),
  };
  return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
