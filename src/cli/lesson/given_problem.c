/* given_problem.c - derives the shape of a problem from its matrices; refuses what does not fit.
 *
 * Owns the sentences on matrices that do not go together. A matrix is judged against those before
 * it, in the order X, weights, W_o (or Q, K, V, W_o), so that the first one that is wrong is named.
 */
#include "cli/lesson/given_problem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WHY_SIZE 160

const char *given_name(GivenName name) {
  static const char *const names[] = {
#define GIVEN_FIELD(name, field) [GIVEN_##name] = (field),
      GIVEN_MATRICES(GIVEN_FIELD)
#undef GIVEN_FIELD
  };
  return names[name];
}

void given_init(GivenProblem *problem) {
  *problem = (GivenProblem){
      .shape = {.query_heads = 1, .kv_heads = 1},
      .round = GIVEN_NOT_ROUNDED,
  };
}

void given_free(GivenProblem *problem) {
  for (size_t i = 0; i < GIVEN_COUNT; i++) matrix_free(&problem->matrices[i]);
  matrix_free(&problem->query_norm);
  matrix_free(&problem->key_norm);
  matrix_free(&problem->sinks);
  free(problem->mask);
  free(problem->labels);
  given_init(problem);
}

__attribute__((format(printf, 2, 3))) static bool refuse(char *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error, GIVEN_ERROR_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

/* A matrix that must have so many rows or columns; `why` follows the number expected. */
static bool has_rows(const GivenProblem *problem, GivenName name, size_t rows, const char *why,
                     char *error) {
  const size_t found = problem->matrices[name].rows;
  if (found == rows) return true;
  return refuse(error, "%s has %zu row%s; %zu %s expected, %s", given_name(name), found,
                found == 1 ? "" : "s", rows, rows == 1 ? "is" : "are", why);
}

static bool has_columns(const GivenProblem *problem, GivenName name, size_t columns,
                        const char *why, char *error) {
  const size_t found = problem->matrices[name].columns;
  if (found == columns) return true;
  return refuse(error, "%s has %zu column%s; %zu %s expected, %s", given_name(name), found,
                found == 1 ? "" : "s", columns, columns == 1 ? "is" : "are", why);
}

/* Columns that are shared by `heads` heads: *each receives the width of one. */
static bool divide_columns(const GivenProblem *problem, GivenName name, size_t heads, size_t *each,
                           char *error) {
  const size_t columns = problem->matrices[name].columns;
  if (columns % heads != 0) {
    return refuse(error, "%s has %zu columns, which %zu heads cannot share equally",
                  given_name(name), columns, heads);
  }
  *each = columns / heads;
  return true;
}

static bool refuse_present(const GivenProblem *problem, GivenName first, GivenName last,
                           const char *why, char *error) {
  for (int name = (int)first; name <= (int)last; name++) {
    if (given_has(problem, (GivenName)name)) {
      return refuse(error, "%s %s", given_name((GivenName)name), why);
    }
  }
  return true;
}

static bool require(const GivenProblem *problem, GivenName name, const char *why, char *error) {
  if (given_has(problem, name)) return true;
  return refuse(error, "%s is missing; %s", given_name(name), why);
}

/* A bias is as long as its matrix has columns. */
static bool check_bias(const GivenProblem *problem, GivenName bias, GivenName of, char *error) {
  if (!given_has(problem, bias)) return true;
  const size_t found = problem->matrices[bias].columns, wanted = problem->matrices[of].columns;
  if (found == wanted) return true;
  return refuse(error, "%s has %zu element%s; %zu %s expected, one for each column of %s",
                given_name(bias), found, found == 1 ? "" : "s", wanted, wanted == 1 ? "is" : "are",
                given_name(of));
}

static bool complete_fused(GivenProblem *problem, char *error) {
  AttendLayerShape *const s = &problem->shape;
  if (!refuse_present(problem, GIVEN_W_Q, GIVEN_W_V,
                      "stands beside W_qkv; give either W_qkv, or W_q, W_k and W_v", error) ||
      !refuse_present(problem, GIVEN_B_Q, GIVEN_B_V,
                      "stands beside W_qkv, whose bias is b_qkv; give that one", error) ||
      !has_rows(problem, GIVEN_W_QKV, s->width, "one for each column of X", error) ||
      !check_bias(problem, GIVEN_B_QKV, GIVEN_W_QKV, error)) {
    return false;
  }
  const size_t columns = problem->matrices[GIVEN_W_QKV].columns;
  if (given_has(problem, GIVEN_W_O)) {
    const size_t rows = problem->matrices[GIVEN_W_O].rows;
    if (rows % s->query_heads != 0) {
      return refuse(error, "W_o has %zu rows, which %zu heads cannot share equally", rows,
                    s->query_heads);
    }
    s->value_dim = rows / s->query_heads;
    const size_t values = s->kv_heads * s->value_dim, heads = s->query_heads + s->kv_heads;
    if (columns <= values || (columns - values) % heads != 0) {
      return refuse(error,
                    "W_qkv has %zu columns, which do not divide into %zu query, %zu key and %zu "
                    "value heads (of dimension %zu, by the rows of W_o)",
                    columns, s->query_heads, s->kv_heads, s->kv_heads, s->value_dim);
    }
    s->head_dim = (columns - values) / heads;
    return true;
  }
  const size_t heads = s->query_heads + 2 * s->kv_heads;
  if (columns % heads != 0) {
    return refuse(error,
                  "W_qkv has %zu columns, which do not divide into %zu query, %zu key and %zu "
                  "value heads",
                  columns, s->query_heads, s->kv_heads, s->kv_heads);
  }
  s->head_dim = s->value_dim = columns / heads;
  return true;
}

static bool complete_separate(GivenProblem *problem, char *error) {
  AttendLayerShape *const s = &problem->shape;
  static const char needed[] = "X goes with W_q, W_k and W_v, or with W_qkv";
  static const char rows[] = "one for each column of X";
  for (int name = GIVEN_W_Q; name <= GIVEN_W_V; name++) {
    if (!require(problem, (GivenName)name, needed, error) ||
        !has_rows(problem, (GivenName)name, s->width, rows, error)) {
      return false;
    }
  }
  if (!refuse_present(problem, GIVEN_B_QKV, GIVEN_B_QKV,
                      "stands beside separate W_q, W_k and W_v; give b_q, b_k and b_v", error) ||
      !divide_columns(problem, GIVEN_W_Q, s->query_heads, &s->head_dim, error)) {
    return false;
  }
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu key/value head%s, as W_q has for each head",
           s->head_dim, s->kv_heads, s->kv_heads == 1 ? "" : "s");
  return has_columns(problem, GIVEN_W_K, s->kv_heads * s->head_dim, why, error) &&
         divide_columns(problem, GIVEN_W_V, s->kv_heads, &s->value_dim, error) &&
         check_bias(problem, GIVEN_B_Q, GIVEN_W_Q, error) &&
         check_bias(problem, GIVEN_B_K, GIVEN_W_K, error) &&
         check_bias(problem, GIVEN_B_V, GIVEN_W_V, error);
}

static bool complete_core(GivenProblem *problem, char *error) {
  AttendLayerShape *const s = &problem->shape;
  static const char needed[] = "give Q, K and V, or X with weights";
  for (int name = GIVEN_Q; name <= GIVEN_V; name++) {
    if (!require(problem, (GivenName)name, needed, error)) return false;
  }
  if (!refuse_present(problem, GIVEN_X, GIVEN_B_QKV,
                      "stands beside Q, K and V, which it would make; give either", error) ||
      !divide_columns(problem, GIVEN_Q, s->query_heads, &s->head_dim, error)) {
    return false;
  }
  problem->query_tokens = problem->matrices[GIVEN_Q].rows;
  problem->key_tokens = problem->matrices[GIVEN_K].rows;
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu key/value head%s, as Q has for each head",
           s->head_dim, s->kv_heads, s->kv_heads == 1 ? "" : "s");
  return has_columns(problem, GIVEN_K, s->kv_heads * s->head_dim, why, error) &&
         has_rows(problem, GIVEN_V, problem->key_tokens, "one for each row of K", error) &&
         divide_columns(problem, GIVEN_V, s->kv_heads, &s->value_dim, error);
}

static bool complete_layer(GivenProblem *problem, char *error) {
  if (!require(problem, GIVEN_X, "give X with weights, or Q, K and V", error)) return false;
  problem->shape.width = problem->matrices[GIVEN_X].columns;
  problem->query_tokens = problem->key_tokens = problem->matrices[GIVEN_X].rows;
  return given_has(problem, GIVEN_W_QKV) ? complete_fused(problem, error)
                                         : complete_separate(problem, error);
}

static bool complete_output(GivenProblem *problem, bool core, char *error) {
  AttendLayerShape *const s = &problem->shape;
  if (!given_has(problem, GIVEN_W_O)) {
    return refuse_present(problem, GIVEN_B_O, GIVEN_B_O, "is given without W_o", error);
  }
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu query head%s", s->value_dim, s->query_heads,
           s->query_heads == 1 ? "" : "s");
  if (core) s->width = problem->matrices[GIVEN_W_O].columns;
  return has_rows(problem, GIVEN_W_O, s->query_heads * s->value_dim, why, error) &&
         has_columns(problem, GIVEN_W_O, s->width, "because the output is as wide as X", error) &&
         check_bias(problem, GIVEN_B_O, GIVEN_W_O, error);
}

bool given_complete(GivenProblem *problem, char *error) {
  const AttendLayerShape *const s = &problem->shape;
  if (s->query_heads % s->kv_heads != 0) {
    return refuse(error, "kv_heads is %zu, which does not divide the %zu query heads", s->kv_heads,
                  s->query_heads);
  }
  const bool core =
      given_has(problem, GIVEN_Q) || given_has(problem, GIVEN_K) || given_has(problem, GIVEN_V);
  return (core ? complete_core(problem, error) : complete_layer(problem, error)) &&
         complete_output(problem, core, error);
}

AttendOptions given_options(const GivenProblem *problem) {
  AttendOptions options;
  attend_default_options(&options);
  if (problem->of_model) attend_model_options(&problem->model, 0, &options);
  options.causal = problem->causal;
  if (problem->scale != 0) options.scale = problem->scale;
  options.normalization = problem->normalization;
  options.sinks = problem->sinks.data;
  /* Queries fewer than the keys are those of the last tokens. */
  if (!given_is_layer(problem)) {
    options.q_start = (int64_t)problem->key_tokens - (int64_t)problem->query_tokens;
  }
  if (problem->mask != NULL) {
    options.mask.data = problem->mask;
    options.mask.query_stride = problem->key_tokens;
    options.mask.key_stride = 1;
  }
  return options;
}

float given_scale(const GivenProblem *problem) {
  const float scale = given_options(problem).scale;
  return scale != 0 ? scale : (float)(1 / sqrt((double)problem->shape.head_dim));
}

const char *given_key_label(const GivenProblem *problem, size_t key, GivenLabel *text) {
  if (problem->labels != NULL) return problem->labels[key].text;
  snprintf(text->text, sizeof text->text, "%zu", key);
  return text->text;
}

const char *given_query_label(const GivenProblem *problem, size_t query, GivenLabel *text) {
  const size_t keys = problem->key_tokens, queries = problem->query_tokens;
  if (problem->labels != NULL && queries <= keys) {
    return problem->labels[keys - queries + query].text;
  }
  snprintf(text->text, sizeof text->text, "%zu", query);
  return text->text;
}
