/* seek.c - a direction by an ascent, a length by bisection.
 *
 * Every key is held against that of the token that is sought: lead_j = k_token - k_j, and q.lead_j
 * is how far the token's score is ahead of key j's. The token's weight is 1 / (1 + sum of
 * exp(-q.lead_j)). The ascent raises minus the logarithm of that sum, the soft lead, which is
 * concave in the query. Either it grows without end; the query then turns into the direction whose
 * smallest lead is largest for its length. Or it ends at a query where the gradient is 0. The
 * gradient is a weighted mean of the leads, so that the token's key is then a weighted mean of the
 * others, and no query can raise its weight to 1. A split confines all of this to queries at right
 * angles to k_token - k_other.
 *
 * Works in double on the visible keys. The library shows what the query then gives.
 */
#include "cli/explain/seek.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 300 /* of the ascent, for each length */
#define LENGTH_MAX 1e6
#define NO_GAIN 1e-9 /* of the soft lead, when the length may double */

/* The leads of the token over the other visible keys, the two of a split left out. */
typedef struct Leads {
  size_t count, dim, shared;        /* shared: tokens that are to have the goal's weight, 1 or 2 */
  double *leads;                    /* [count, dim] */
  double *query, *trial, *gradient; /* [dim] */
  double *ahead;                    /* [count]: products of a query with the leads */
} Leads;

static double dot(size_t dim, const double *a, const double *b) {
  double sum = 0;
  for (size_t d = 0; d < dim; d++) sum += a[d] * b[d];
  return sum;
}

static void leads_free(Leads *leads) {
  free(leads->leads);
  free(leads->query);
  free(leads->trial);
  free(leads->gradient);
  free(leads->ahead);
}

static bool is_visible(const Lesson *lesson, size_t key) {
  return lesson->mask == NULL || lesson->mask[key] != 0;
}

/* Takes the part along `along` out of v. */
static void confine(size_t dim, const double *along, double *v) {
  const double length = dot(dim, along, along);
  if (length == 0) return;
  const double part = dot(dim, along, v) / length;
  for (size_t d = 0; d < dim; d++) v[d] -= part * along[d];
}

static void fill_lead(const Lesson *lesson, size_t token, size_t key, double *lead) {
  const Matrix *const k = &lesson->matrices[LESSON_K];
  const double scale = (double)lesson_scale(lesson);
  for (size_t d = 0; d < k->columns; d++) {
    lead[d] =
        scale * ((double)k->data[token * k->columns + d] - (double)k->data[key * k->columns + d]);
  }
}

static bool leads_open(const Lesson *lesson, const SeekGoal *goal, Leads *leads) {
  const size_t dim = lesson->shape.head_dim, keys = lesson->key_tokens;
  *leads = (Leads){.dim = dim, .shared = goal->other == goal->token ? 1 : 2};
  leads->leads = calloc(keys * dim, sizeof *leads->leads);
  leads->query = calloc(dim, sizeof *leads->query);
  leads->trial = calloc(dim, sizeof *leads->trial);
  leads->gradient = calloc(dim, sizeof *leads->gradient);
  leads->ahead = calloc(keys, sizeof *leads->ahead);
  if (!leads->leads || !leads->query || !leads->trial || !leads->gradient || !leads->ahead) {
    leads_free(leads);
    return false;
  }
  double *const apart = leads->trial;
  fill_lead(lesson, goal->token, goal->other, apart);
  for (size_t j = 0; j < keys; j++) {
    if (j == goal->token || j == goal->other || !is_visible(lesson, j)) continue;
    double *const lead = leads->leads + leads->count++ * dim;
    fill_lead(lesson, goal->token, j, lead);
    confine(dim, apart, lead);
  }
  return true;
}

/* The soft lead of the query `length` * direction, and its gradient unless that is null. */
static double soft_lead(Leads *leads, const double *direction, double length, double *gradient) {
  const size_t dim = leads->dim;
  double least = INFINITY, sum = 0;
  for (size_t j = 0; j < leads->count; j++) {
    leads->ahead[j] = length * dot(dim, direction, leads->leads + j * dim);
    least = fmin(least, leads->ahead[j]);
  }
  if (gradient) memset(gradient, 0, dim * sizeof *gradient);
  for (size_t j = 0; j < leads->count; j++) {
    const double share = exp(least - leads->ahead[j]);
    sum += share;
    for (size_t d = 0; gradient && d < dim; d++) gradient[d] += share * leads->leads[j * dim + d];
  }
  for (size_t d = 0; gradient && d < dim; d++) gradient[d] /= sum;
  return least - log(sum);
}

/* What the token's softmax weight is. */
static double weight_at(Leads *leads, const double *direction, double length) {
  return 1 / ((double)leads->shared + exp(-soft_lead(leads, direction, length, NULL)));
}

/* Raises the soft lead step by step among queries of at most this length, and returns it. */
static double climb(Leads *leads, double length) {
  const size_t dim = leads->dim;
  double step = 1, best = 0;
  for (int i = 0; i < STEPS && step > 1e-12; i++) {
    best = soft_lead(leads, leads->query, 1, leads->gradient);
    for (size_t d = 0; d < dim; d++) {
      leads->trial[d] = leads->query[d] + step * leads->gradient[d];
    }
    const double norm = sqrt(dot(dim, leads->trial, leads->trial));
    for (size_t d = 0; d < dim; d++) leads->trial[d] *= fmin(1, length / norm);
    if (soft_lead(leads, leads->trial, 1, NULL) > best) {
      memcpy(leads->query, leads->trial, dim * sizeof *leads->query);
      step *= 1.5;
    } else {
      step /= 2;
    }
  }
  return best;
}

/* Whether the soft lead grows as long as the query may; the query is left where the ascent ends. */
static bool grows_without_end(Leads *leads) {
  double lead = climb(leads, 1);
  for (double length = 2; length <= LENGTH_MAX; length *= 2) {
    const bool better = soft_lead(leads, leads->query, 2, NULL) > lead;
    for (size_t d = 0; d < leads->dim; d++) leads->query[d] *= better ? 2 : 1;
    const double next = climb(leads, length);
    if (next - lead <= NO_GAIN * (1 + fabs(lead))) return false;
    lead = next;
  }
  return true;
}

/* The shortest length along the query's direction that gives the weight. */
static double find_length(Leads *leads, double weight) {
  double low = 0, high = 1;
  while (high < LENGTH_MAX && weight_at(leads, leads->query, high) < weight) high *= 2;
  for (int i = 0; i < 200; i++) {
    const double middle = (low + high) / 2;
    if (weight_at(leads, leads->query, middle) < weight) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return high;
}

__attribute__((format(printf, 2, 3))) static void say(SeekResult *result, const char *format, ...) {
  const size_t used = strlen(result->how);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(result->how + used, sizeof result->how - used, format, arguments);
  va_end(arguments);
}

static void say_vector(SeekResult *result, size_t dim, const double *v) {
  for (size_t d = 0; d < dim; d++) {
    say(result, "%s%.4g", d == 0 ? "[" : " ", v[d]);
    if (d == 7 && dim > 8) {
      say(result, " ...");
      break;
    }
  }
  say(result, "]");
}

static void store(Leads *leads, double length, SeekResult *result) {
  for (size_t d = 0; d < leads->dim; d++) {
    result->query.data[d] = (float)(length * leads->query[d]);
  }
  result->weight = (double)leads->shared * weight_at(leads, leads->query, length);
}

/* Takes the shortest query along a direction in which every lead grows. */
static void follow_direction(const Lesson *lesson, const SeekGoal *goal, Leads *leads,
                             SeekResult *result) {
  const double norm = sqrt(dot(leads->dim, leads->query, leads->query));
  for (size_t d = 0; d < leads->dim; d++) leads->query[d] /= norm;
  const double length = find_length(leads, goal->weight / (double)leads->shared);
  soft_lead(leads, leads->query, 1, NULL);
  double nearest = INFINITY;
  for (size_t j = 0; j < leads->count; j++) nearest = fmin(nearest, leads->ahead[j]);
  LessonLabel label;
  const char *const name = lesson_key_label(lesson, goal->token, &label);
  say(result, "Direction ");
  say_vector(result, leads->dim, leads->query);
  say(result,
      ": of all directions%s, the one in which the score of %s is farthest ahead of the nearest "
      "other one, by %.4g for each unit of length. It points to the point of the convex hull of "
      "the differences k(%s) - k(other) that is nearest to 0. ",
      leads->shared == 2 ? " that give both tokens equal scores" : "", name, nearest, name);
  say(result, "Length %.4g, by bisection, gives %s%.10g.", length,
      leads->shared == 2 ? "both together " : "", goal->weight);
  /* A little longer, so that rounding to fp32 does not fall short. */
  store(leads, length * 1.0001, result);
}

/* Takes the query where the ascent ended. */
static void stay_there(const Lesson *lesson, const SeekGoal *goal, Leads *leads,
                       SeekResult *result) {
  store(leads, 1, result);
  LessonLabel label;
  say(result,
      "The key of %s lies among the others (in the convex hull of their keys), so that no "
      "direction puts its score ahead of all of them. Climbing the logarithm of its weight, which "
      "is concave in the query, ends at the largest weight that any query gives%s: %.4g.",
      lesson_key_label(lesson, goal->token, &label), leads->shared == 2 ? " both together" : "",
      result->weight);
}

bool seek_query(const Lesson *lesson, const SeekGoal *goal, SeekResult *result, char *error) {
  *result = (SeekResult){0};
  Leads leads = {0};
  if (!is_visible(lesson, goal->token) || !is_visible(lesson, goal->other)) {
    snprintf(error, LESSON_ERROR_SIZE,
             "the mask hides that token, so that no query gives it weight");
    return false;
  }
  if (!leads_open(lesson, goal, &leads) || !matrix_new(1, leads.dim, &result->query)) {
    snprintf(error, LESSON_ERROR_SIZE, "memory for the search is missing");
    leads_free(&leads);
    return false;
  }
  const double wanted = goal->weight / (double)leads.shared;
  if (weight_at(&leads, leads.query, 0) >= wanted) {
    store(&leads, 0, result);
    say(result, "The query 0 gives every token the same weight, and that is enough.");
  } else if (grows_without_end(&leads)) {
    follow_direction(lesson, goal, &leads, result);
  } else {
    stay_there(lesson, goal, &leads, result);
  }
  result->reached = leads.shared == 2 || result->weight >= goal->weight;
  leads_free(&leads);
  return true;
}
