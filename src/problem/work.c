/* work.c - counts visible pairs in closed form.
 *
 * From row to row, the first and the last key that a row sees rise by one, within the keys of the
 * sequence. A sum over all rows is therefore an arithmetic series between two flat parts.
 */
#include "problem/work.h"

#include "size.h"

/* Sum over i < rows of first + i, clipped to 0 .. limit. */
static double sum_of_clipped(int64_t first, size_t rows, size_t limit) {
  const uint64_t below = first < 0 ? (uint64_t)0 - (uint64_t)first : 0;
  const uint64_t above = (uint64_t)limit - (uint64_t)first; /* modulo 2^64, and first < limit */
  const size_t zeros = below < rows ? (size_t)below : rows;
  const bool starts_above = first >= 0 && (uint64_t)first >= limit;
  const size_t rising_end = starts_above ? 0 : above < rows ? (size_t)above : rows;
  double sum = (double)(rows - rising_end) * (double)limit;
  if (rising_end > zeros) {
    const double count = (double)(rising_end - zeros);
    const double start = first > 0 ? (double)first : 0.0;
    sum += count * start + count * (count - 1.0) / 2.0;
  }
  return sum;
}

/* Sum of problem_range() over the rows of a sequence. */
static double visible_pairs(const Problem *p, const Sequence *s) {
  const AttendOptions *const o = &p->options;
  const int64_t right = o->causal ? 0 : o->window_right;
  const size_t rows = s->query_tokens, limit = s->key_limit;
  const double ends =
      right >= 0 ? sum_of_clipped(problem_shift(problem_shift(s->q_start, right), 1), rows, limit)
                 : (double)rows * (double)limit;
  if (o->window_left < 0) return ends;
  return ends - sum_of_clipped(problem_shift(s->q_start, -o->window_left), rows, limit);
}

/* Keys that any row of a sequence sees. */
static double visible_keys(const Problem *p, const Sequence *s) {
  if (s->query_tokens == 0) return 0.0;
  const size_t last = s->query_tokens - 1;
  return (double)problem_range(p, s, last).end - (double)problem_range(p, s, 0).begin;
}

CoreWork work_of(const Problem *p) {
  double pairs = 0.0, queries = 0.0, keys = 0.0;
  for (size_t b = 0; b < p->shape.batch; b++) {
    const Sequence s = problem_sequence(p, b);
    pairs += visible_pairs(p, &s);
    queries += (double)s.query_tokens;
    keys += visible_keys(p, &s);
  }
  const double Hq = (double)p->shape.query_heads, Hk = (double)p->shape.kv_heads;
  const double D = (double)p->shape.head_dim, Dv = (double)p->shape.value_dim;
  const double operand_rows = Hq * queries + Hk * keys;
  return (CoreWork){.score_flops = 2.0 * D * Hq * pairs,
                    .sum_flops = 2.0 * Dv * Hq * pairs,
                    .score_operand_bytes = sizeof(float) * D * operand_rows,
                    .sum_operand_bytes = sizeof(float) * Dv * operand_rows,
                    .score_bytes = sizeof(float) * Hq * pairs};
}

void work_count_score_matrices(Profiler *profiler, const CoreWork *work) {
  profile_count(profiler, ATTEND_PHASE_SCORES, work->score_flops,
                work->score_operand_bytes + work->score_bytes);
  profile_count(profiler, ATTEND_PHASE_SOFTMAX, 0.0, 2.0 * work->score_bytes);
  profile_count(profiler, ATTEND_PHASE_WEIGHTED_SUM, work->sum_flops,
                work->sum_operand_bytes + work->score_bytes);
}
