/* toy.c - a small inference engine: reads a model, runs the prompt, generates token by token.
 *
 * Owns the order of things, the streamed output and the two speeds. Only text goes to stdout. Errors
 * are one sentence on stderr, with exit status 2 for a wrong command line and 1
 * for everything else.
 */
#include <cblas.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "arguments.h"
#include "tokenizer.h"
#include "transformer.h"

#define DEFAULT_STEPS 256

/* Everything that a run has open; freed in run_free() as far as it came. */
typedef struct Run {
  const Arguments *arguments;
  AttendContext *context;
  Model model;
  Tokenizer tokenizer;
  Sampler sampler;
  Transformer transformer;
  size_t *prompt; /* [prompt_tokens] */
  size_t prompt_tokens, steps;
  size_t previous; /* the token printed last, or NO_TOKEN */
} Run;

/* Tokens that went through the model, and how long that took. */
typedef struct Speed {
  size_t tokens;
  double seconds;
} Speed;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- before the first token ---- */

static bool open_model(Run *run, Complaint *complaint) {
  struct stat status;
  const Arguments *a = run->arguments;
  const AttendStatus opened = attend_open(&run->context, &a->settings);
  if (opened) return complain(complaint, "%s", attend_status_message(opened));
  if (a->settings.threads > 0) openblas_set_num_threads((int)a->settings.threads);
  const bool directory = stat(a->model, &status) == 0 && S_ISDIR(status.st_mode);
  if (!(directory ? huggingface_read : checkpoint_read)(a->model, run->context, a->storage,
                                                        &run->model, complaint))
    return false;
  if (a->tokenizer && !tokenizer_open(&run->tokenizer, a->tokenizer, &run->model, complaint))
    return false;
  return sampler_open(&run->sampler, &a->sampler, run->model.vocabulary) ||
         complain(complaint, "no memory for %zu candidates", run->model.vocabulary);
}

/* Reads "1,20,300" into run->prompt. */
static bool read_tokens(Run *run, const char *text, Complaint *complaint) {
  const size_t most = run->model.vocabulary - 1;
  run->prompt = calloc(strlen(text) / 2 + 1, sizeof *run->prompt);
  if (!run->prompt) return complain(complaint, "no memory for the tokens of the prompt");
  for (const char *at = text, *end;; at = end + 1) {
    if (!parse_count(at, most, &run->prompt[run->prompt_tokens], &end))
      return complain(complaint, "--tokens: number %zu is no token of the model, 0 to %zu",
                      run->prompt_tokens + 1, most);
    run->prompt_tokens++;
    if (*end == '\0') return true;
    if (*end != ',')
      return complain(complaint, "--tokens: a comma must follow number %zu", run->prompt_tokens);
  }
}

static bool open_prompt(Run *run, Complaint *complaint) {
  const Arguments *a = run->arguments;
  if (a->tokens) return read_tokens(run, a->tokens, complaint);
  if (a->prompt)
    return tokenizer_encode(&run->tokenizer, a->prompt, &run->prompt, &run->prompt_tokens,
                            complaint) &&
           (run->prompt_tokens > 0 || complain(complaint, "--prompt has no tokens"));
  if (run->model.first_token == NO_TOKEN)
    return complain(complaint, "%s names no first token; give --tokens", a->model);
  run->prompt = calloc(1, sizeof *run->prompt);
  if (!run->prompt) return complain(complaint, "no memory for the tokens of the prompt");
  run->prompt[run->prompt_tokens++] = run->model.first_token;
  return true;
}

/* Decides on the steps and opens the transformer for so many tokens. The token that is generated
 * last is not fed again. */
static bool open_transformer(Run *run, Complaint *complaint) {
  const Arguments *a = run->arguments;
  const size_t positions = run->model.positions, prompt = run->prompt_tokens;
  if (prompt > positions)
    return complain(complaint, "the prompt has %zu tokens; the model's context is %zu", prompt,
                    positions);
  const size_t room = positions - prompt + 1;
  run->steps = a->steps != SIZE_MAX ? a->steps : room < DEFAULT_STEPS ? room : DEFAULT_STEPS;
  if (run->steps > room)
    return complain(complaint,
                    "--steps is %zu; after a prompt of %zu tokens the model's context has room "
                    "for %zu",
                    run->steps, prompt, room);
  const size_t fed = prompt + (run->steps > 0 ? run->steps - 1 : 0);
  return transformer_open(&run->transformer, &run->model, run->context, fed,
                          a->chunk < prompt ? a->chunk : prompt, complaint);
}

/* ---- token by token ---- */

static bool flush_output(Complaint *complaint) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return true;
  return complain(complaint, "the output cannot be written: %s", strerror(errno));
}

static bool print_token(Run *run, size_t token, Complaint *complaint) {
  char byte;
  const char *text;
  if (run->arguments->tokenizer && !run->arguments->numbers) {
    const size_t length = tokenizer_decode(&run->tokenizer, run->previous, token, &byte, &text);
    fwrite(text, 1, length, stdout);
  } else {
    printf(run->previous == NO_TOKEN ? "%zu" : " %zu", token);
  }
  run->previous = token;
  return flush_output(complaint);
}

static bool is_last(const Model *model, size_t token) {
  for (size_t i = 0; i < sizeof model->last_tokens / sizeof *model->last_tokens; i++)
    if (model->last_tokens[i] == token) return true;
  return false;
}

static bool feed(Run *run, const size_t *tokens, size_t count, Speed *speed, Complaint *complaint) {
  const double start = now();
  if (!transformer_feed(&run->transformer, tokens, count, complaint)) return false;
  speed->tokens += count;
  speed->seconds += now() - start;
  return true;
}

static bool generate(Run *run, Speed *prefill, Speed *decode, Complaint *complaint) {
  for (size_t i = 0; i < run->prompt_tokens; i++) {
    if (!print_token(run, run->prompt[i], complaint)) return false;
  }
  if (!feed(run, run->prompt, run->prompt_tokens, prefill, complaint)) return false;
  for (size_t step = 0; step < run->steps; step++) {
    const size_t token = sampler_pick(&run->sampler, run->transformer.logits);
    if (token == run->model.vocabulary)
      return complain(complaint, "after %zu tokens the model's logits are no numbers",
                      run->prompt_tokens + step);
    if (is_last(&run->model, token)) break;
    if (!print_token(run, token, complaint)) return false;
    if (step + 1 < run->steps && !feed(run, &token, 1, decode, complaint)) return false;
  }
  putchar('\n');
  return flush_output(complaint);
}

/* ---- the end ---- */

static void print_speed(const char *name, Speed speed) {
  if (speed.tokens == 0) return;
  fprintf(stderr, "%-8s %6zu tokens in %8.3f s, %.1f tokens/s\n", name, speed.tokens, speed.seconds,
          (double)speed.tokens / speed.seconds);
}

static void run_free(Run *run) {
  transformer_close(&run->transformer);
  sampler_close(&run->sampler);
  tokenizer_close(&run->tokenizer);
  model_free(&run->model);
  free(run->prompt);
  attend_close(&run->context);
}

int main(int argc, char **argv) {
  Arguments arguments;
  int status;
  if (!arguments_parse(argc, argv, &arguments, &status)) return status;

  static Run run; /* zero, and large */
  run.arguments = &arguments;
  run.previous = NO_TOKEN;
  Complaint complaint;
  Speed prefill = {0, 0}, decode = {0, 0};
  const bool good = open_model(&run, &complaint) && open_prompt(&run, &complaint) &&
                    open_transformer(&run, &complaint) &&
                    generate(&run, &prefill, &decode, &complaint);
  if (good) {
    print_speed("prefill", prefill);
    print_speed("decode", decode);
  } else {
    fprintf(stderr, "toy: %s.\n", complaint.text);
  }
  run_free(&run);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
