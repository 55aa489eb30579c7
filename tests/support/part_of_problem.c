/* part_of_problem.c - moves the views and options of a core problem to a part of it. */
#include "tests/support/part_of_problem.h"

static Part whole_of(const CoreProblem *problem) {
  return (Part){.shape = problem->spec.shape,
                .options = problem->options,
                .query = problem->query,
                .key = problem->key,
                .value = problem->value};
}

/* Moves bias and mask by sequences, query heads and query tokens. */
static void move_grids(AttendOptions *options, size_t batch, size_t head, size_t token) {
  AttendBias *const bias = &options->bias;
  AttendMask *const mask = &options->mask;
  if (bias->data)
    bias->data +=
        batch * bias->batch_stride + head * bias->head_stride + token * bias->query_stride;
  if (mask->data)
    mask->data +=
        batch * mask->batch_stride + head * mask->head_stride + token * mask->query_stride;
}

static void move_tokens(AttendView *view, size_t batch, size_t token) {
  view->data += batch * view->batch_stride + token * view->token_stride;
}

Part part_of_sequence(const CoreProblem *problem, size_t batch) {
  Part part = whole_of(problem);
  AttendOptions *const o = &part.options;
  const OracleCore core = problem_oracle(problem);
  const OracleSequence sequence = oracle_sequence(&core, batch);
  part.shape.batch = 1;
  part.shape.query_tokens = sequence.query_tokens;
  part.shape.key_tokens = sequence.key_tokens;
  move_tokens(&part.query, sequence.query_batch, sequence.query_at);
  move_tokens(&part.key, sequence.key_batch, sequence.key_at);
  move_tokens(&part.value, sequence.key_batch, sequence.key_at);
  move_grids(o, batch, 0, 0);
  o->q_start = sequence.q_start;
  o->q_starts = NULL;
  o->query_offsets = o->key_offsets = NULL;
  if (o->key_lengths) o->key_lengths += batch;
  return part;
}

Part part_of_heads(const CoreProblem *problem, size_t kv_head) {
  Part part = whole_of(problem);
  AttendOptions *const o = &part.options;
  const size_t group = part.shape.query_heads / part.shape.kv_heads, head = kv_head * group;
  part.shape.kv_heads = 1;
  part.shape.query_heads = group;
  part.query.data += head * part.query.head_stride;
  part.key.data += kv_head * part.key.head_stride;
  part.value.data += kv_head * part.value.head_stride;
  move_grids(o, 0, head, 0);
  if (o->alibi_slopes) o->alibi_slopes += head;
  if (o->sinks) o->sinks += head;
  return part;
}

Part part_of_tokens(const Part *sequence, size_t first, size_t tokens) {
  Part part = *sequence;
  AttendOptions *const o = &part.options;
  part.shape.query_tokens = tokens;
  move_tokens(&part.query, 0, first);
  move_grids(o, 0, 0, first);
  o->q_start += (int64_t)first;
  if (!o->causal || o->key_lengths) return part;
  const int64_t known = o->q_start + (int64_t)tokens;
  if (known < (int64_t)part.shape.key_tokens) part.shape.key_tokens = known < 0 ? 0 : (size_t)known;
  return part;
}

Result part_run(AttendContext *context, const Part *part) {
  return core_run(context, &part->shape, part->query, part->key, part->value, &part->options);
}

void same_alone(const CoreProblem *problem, Engine engine) {
  const AttendShape *const s = &problem->spec.shape;
  Result expected = core_run_problem(problem, engine, 2);
  AttendContext *context = engine_open(engine, 3);
  for (size_t b = 0; b < s->batch; b++) {
    const Part part = part_of_sequence(problem, b);
    Result got = part_run(context, &part);
    for (size_t i = 0; i < s->query_tokens; i++)
      same_row("alone", &part.shape, &got, 0, i, s, &expected, b, i);
    result_free(&got);
  }
  attend_close(&context);
  result_free(&expected);
}

void same_in_chunks(const CoreProblem *problem, Engine engine,
                    void (*check)(const CoreProblem *problem, Engine engine, size_t chunk,
                                  const Result *expected)) {
  Result expected = core_run_problem(problem, engine, 2);
  const AttendPlan plan = plan_of(engine, &problem->spec.shape, &problem->options);
  const size_t chunks[] = {1, 7, 64, plan.query_tile + 1};
  for (size_t c = 0; c < COUNT_OF(chunks); c++) check(problem, engine, chunks[c], &expected);
  result_free(&expected);
}
