/* seek.c - a direction by the convex hull of differences, a length by bisection, or an ascent.
 *
 * Every key is held against that of the token that is sought: lead_j = k_token - k_j, and q.lead_j
 * is how far the token's score is ahead of key j's. The vector whose smallest lead is largest for
 * its length points to the point of the leads' convex hull that is nearest to 0. Where that point
 * is 0, the token's key lies among the others, no query can raise its weight to 1, and a concave
 * ascent finds the largest one. A split confines all of this to queries at right angles to k_token
 * - k_other.
 *
 * Works in double on the visible keys; what the query then gives is shown by the library.
 */
#include "cli/explain/seek.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HULL_STEPS 100000
#define ASCENT_STEPS 20000
#define NEAR_ZERO 1e-9
#define WHOLE_UP_TO 20
#define LENGTH_MAX 1e6

/* The leads of the token over the other visible keys, the two of a split left out. */
typedef struct Leads {
  size_t count, dim, shared;         /* shared: tokens that are to have the goal's weight, 1 or 2 */
  double *leads;                     /* [count, dim] */
  double *point, *direction, *share; /* [dim], [dim], [count] */
} Leads;

static double dot(size_t dim, const double *a, const double *b) {
  double sum = 0;
  for (size_t d = 0; d < dim; d++) sum += a[d] * b[d];
  return sum;
}

static void leads_free(Leads *leads) {
  free(leads->leads);
  free(leads->point);
  free(leads->direction);
  free(leads->share);
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
  leads->point = calloc(dim, sizeof *leads->point);
  leads->direction = calloc(dim, sizeof *leads->direction);
  leads->share = calloc(keys, sizeof *leads->share);
  if (!leads->leads || !leads->point || !leads->direction || !leads->share) {
    leads_free(leads);
    return false;
  }
  double *const apart = leads->direction;
  fill_lead(lesson, goal->token, goal->other, apart);
  for (size_t j = 0; j < keys; j++) {
    if (j == goal->token || j == goal->other || !is_visible(lesson, j)) continue;
    double *const lead = leads->leads + leads->count++ * dim;
    fill_lead(lesson, goal->token, j, lead);
    confine(dim, apart, lead);
  }
  memset(apart, 0, dim * sizeof *apart);
  return true;
}

/* What the token's softmax weight is under query t * direction. */
static double weight_at(const Leads *leads, const double *direction, double t) {
  double sum = (double)leads->shared;
  for (size_t j = 0; j < leads->count; j++) {
    sum += exp(-t * dot(leads->dim, direction, leads->leads + j * leads->dim));
  }
  return 1 / sum;
}

/* The hull point with the smallest (largest, of those that have a share) product with the point. */
static size_t extreme_lead(const Leads *leads, bool largest) {
  size_t best = leads->count;
  double bound = 0;
  for (size_t j = 0; j < leads->count; j++) {
    if (largest && leads->share[j] <= 0) continue;
    const double product = dot(leads->dim, leads->point, leads->leads + j * leads->dim);
    if (best == leads->count || (largest ? product > bound : product < bound)) {
      best = j;
      bound = product;
    }
  }
  return best;
}

/* The point of the convex hull nearest to 0 (Mitchell, Demyanov, Malozemov 1974): share moves from
 * the lead farthest along the point to the nearest one, until they are equally far. */
static void find_hull_point(Leads *leads) {
  const size_t dim = leads->dim;
  memcpy(leads->point, leads->leads, dim * sizeof *leads->point);
  leads->share[0] = 1;
  for (int step = 0; step < HULL_STEPS; step++) {
    const size_t to = extreme_lead(leads, false), from = extreme_lead(leads, true);
    double gap = 0, length = 0;
    for (size_t d = 0; d < dim; d++) {
      const double move = leads->leads[to * dim + d] - leads->leads[from * dim + d];
      gap -= move * leads->point[d];
      length += move * move;
    }
    if (length == 0 || gap <= 1e-14 * (1 + dot(dim, leads->point, leads->point))) return;
    const double moved = fmin(gap / length, leads->share[from]);
    leads->share[to] += moved;
    leads->share[from] -= moved;
    for (size_t d = 0; d < dim; d++) {
      leads->point[d] += moved * (leads->leads[to * dim + d] - leads->leads[from * dim + d]);
    }
  }
}

/* The shortest length along a direction, all of whose leads are positive, that gives the weight. */
static double find_length(const Leads *leads, double weight) {
  double low = 0, high = 1;
  while (high < LENGTH_MAX && weight_at(leads, leads->direction, high) < weight) high *= 2;
  for (int i = 0; i < 200; i++) {
    const double middle = (low + high) / 2;
    if (weight_at(leads, leads->direction, middle) < weight) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return high;
}

/* Raises the logarithm of the weight step by step; direction becomes the query itself. */
static void ascend(Leads *leads) {
  const size_t dim = leads->dim;
  double *const query = leads->direction, *const gradient = leads->point;
  memset(query, 0, dim * sizeof *query);
  double step = 1, best = weight_at(leads, query, 1);
  for (int i = 0; i < ASCENT_STEPS && step > 1e-12; i++) {
    memset(gradient, 0, dim * sizeof *gradient);
    for (size_t j = 0; j < leads->count; j++) {
      const double *const lead = leads->leads + j * dim;
      const double weight = best * exp(-dot(dim, query, lead));
      for (size_t d = 0; d < dim; d++) gradient[d] += weight * lead[d];
    }
    for (size_t d = 0; d < dim; d++) query[d] += step * gradient[d];
    const double weight = weight_at(leads, query, 1);
    if (weight > best) {
      best = weight;
      step *= 1.5;
    } else {
      for (size_t d = 0; d < dim; d++) query[d] -= step * gradient[d];
      step /= 2;
    }
  }
}

__attribute__((format(printf, 2, 3))) static void say(SeekResult *result, const char *format, ...) {
  const size_t used = strlen(result->how);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(result->how + used, sizeof result->how - used, format, arguments);
  va_end(arguments);
}

static void say_vector(SeekResult *result, size_t dim, const double *v, double factor) {
  for (size_t d = 0; d < dim; d++) {
    say(result, "%s%.4g", d == 0 ? "[" : " ", factor * v[d]);
    if (d == 7 && dim > 8) {
      say(result, " ...");
      break;
    }
  }
  say(result, "]");
}

/* The direction made whole: *factor times it has whole numbers only. False if none up to
 * WHOLE_UP_TO does. */
static bool make_whole(size_t dim, const double *direction, double *factor) {
  double largest = 0;
  for (size_t d = 0; d < dim; d++) largest = fmax(largest, fabs(direction[d]));
  for (int whole = 1; whole <= WHOLE_UP_TO; whole++) {
    size_t fits = 0;
    for (size_t d = 0; d < dim; d++) {
      const double scaled = direction[d] / largest * whole;
      fits += fabs(scaled - round(scaled)) < 1e-6;
    }
    if (fits < dim) continue;
    *factor = whole / largest;
    return true;
  }
  return false;
}

static void store(const Leads *leads, double factor, bool whole, SeekResult *result) {
  for (size_t d = 0; d < leads->dim; d++) {
    const double element = factor * leads->direction[d];
    result->query.data[d] = (float)(whole ? round(element) : element);
  }
  result->weight = (double)leads->shared * weight_at(leads, leads->direction, factor);
}

/* Along a direction in which every lead grows. */
static void follow_direction(const Lesson *lesson, const SeekGoal *goal, Leads *leads,
                             SeekResult *result) {
  const double norm = sqrt(dot(leads->dim, leads->point, leads->point));
  for (size_t d = 0; d < leads->dim; d++) leads->direction[d] = leads->point[d] / norm;
  const double length = find_length(leads, goal->weight / (double)leads->shared);
  LessonLabel label;
  const char *const name = lesson_key_label(lesson, goal->token, &label);
  say(result, "Direction ");
  say_vector(result, leads->dim, leads->direction, 1);
  say(result,
      ": of all directions%s, the one in which the score of %s is farthest ahead of the nearest "
      "other "
      "one, by %.4g for each unit of length. It points to the point of the convex hull of the "
      "differences k(%s) - k(other) that is nearest to 0. ",
      leads->shared == 2 ? " that give both tokens equal scores" : "", name, norm, name);
  say(result, "Length %.4g, by bisection, gives %s%.10g. ", length,
      leads->shared == 2 ? "both together " : "", goal->weight);
  double factor = 0;
  if (make_whole(leads->dim, leads->direction, &factor)) {
    const double times = ceil(length / factor - 1e-9);
    store(leads, (times > 1 ? times : 1) * factor, true, result);
    say(result, "The first multiple in whole numbers that is long enough is taken.");
  } else {
    /* A little longer, so that rounding to fp32 does not fall short. */
    store(leads, length * 1.0001, false, result);
  }
}

static void climb(const Lesson *lesson, const SeekGoal *goal, Leads *leads, SeekResult *result) {
  ascend(leads);
  store(leads, 1, false, result);
  LessonLabel label;
  say(result,
      "The key of %s lies among the others (in the convex hull of their keys), so that no "
      "direction "
      "puts its score ahead of all of them. Climbing the logarithm of its weight, which is concave "
      "in "
      "the query, ends at the largest weight that any query gives%s: %.4g.",
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
  if (weight_at(&leads, leads.direction, 0) >= wanted) {
    store(&leads, 0, false, result);
    say(result, "The query 0 gives every token the same weight, and that is enough.");
  } else {
    find_hull_point(&leads);
    if (sqrt(dot(leads.dim, leads.point, leads.point)) > NEAR_ZERO) {
      follow_direction(lesson, goal, &leads, result);
    } else {
      climb(lesson, goal, &leads, result);
    }
  }
  result->reached = leads.shared == 2 || result->weight >= goal->weight;
  leads_free(&leads);
  return true;
}
