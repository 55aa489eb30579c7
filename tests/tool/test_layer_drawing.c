/* test_layer_drawing.c - drawings of layers, as a page and as text: the shapes and columns in them,
 * which heads read what, and that words from outside stay words.
 *
 * No test can say how a picture looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/picture/layer_drawing.h"
#include "tests/support/picture_check.h"

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
  char *const text = checked_svg(&picture);
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
  /* Dots stand for the third head. */
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

/* Without W_qkv, Q, K and V follow the title at once. */
static void a_core_has_no_empty_room(void **state) {
  (void)state;
  LayerDrawing core = qwen;
  core.from_input = false;
  Picture whole, part;
  layer_drawing_make(&qwen, &whole);
  layer_drawing_make(&core, &part);
  assert_true(part.height < whole.height);
  double highest = part.height;
  for (size_t i = 0; i < part.boxes.count; i++)
    if (part.boxes.items[i].y < highest) highest = part.boxes.items[i].y;
  assert_true(highest < 160);
  free(checked_svg(&part));
  picture_free(&whole);
  picture_free(&part);
}

static void words_stay_words(void **state) {
  (void)state;
  LayerDrawing drawing = qwen;
  drawing.name = "</title><script>&amp;";
  drawing.query_tokens = drawing.key_tokens = NASTY_WORDS;
  drawing.labels = nasty_words;
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layer_has_its_shapes),
      cmocka_unit_test(heads_of_every_kind),
      cmocka_unit_test(a_core_has_no_empty_room),
      cmocka_unit_test(words_stay_words),
  };
  return cmocka_run_group_tests_name("layer_drawing", tests, NULL, NULL);
}
