/* layer_check.c - what a layer call must be, before anything of it runs.
 *
 * Sizes and options become the core's problem; the cache, the buffers and the positions are held
 * against it. Nothing here writes to an output or a cache, so a refused call leaves both as they
 * were.
 */
#include "layer/layer_check.h"

#include "problem/problem_check.h"
#include "size.h"

/* The options of the core: the keys of a layer are those of its own tokens, or of the cache. */
static AttendStatus core_options(const LayerRequest *request, AttendOptions *options,
                                 Fault *fault) {
  attend_default_options(options);
  /* A struct of another size is not read; problem_set_sizes() refuses it. */
  if (request->options && request->options->struct_size == sizeof *options) {
    *options = *request->options;
  } else if (request->options) {
    options->struct_size = request->options->struct_size;
  }
  if (request->has_cache) return ATTEND_OK;
  if (options->key_offsets) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.key_offsets is set in a layer call, where the keys are those of the "
                     "queries' own tokens; leave it null");
  }
  options->key_offsets = options->query_offsets;
  return ATTEND_OK;
}

static AttendStatus set_problem(const LayerRequest *request, Problem *problem, Fault *fault) {
  const AttendLayerShape *const s = &request->shape;
  const ProblemSizes sizes = {.shape = {.batch = request->batch,
                                        .query_tokens = request->tokens,
                                        .key_tokens = request->tokens,
                                        .query_heads = s->query_heads,
                                        .kv_heads = s->kv_heads,
                                        .head_dim = s->head_dim,
                                        .value_dim = s->value_dim},
                              .has_cache = request->has_cache,
                              .cache = request->cache,
                              .past = request->past};
  AttendOptions options;
  if (core_options(request, &options, fault)) return fault->status;
  return problem_set_sizes(problem, &sizes, &options, fault);
}

static AttendStatus count_rows(const LayerRequest *request, const Problem *problem, size_t *rows,
                               Fault *fault) {
  bool overflow = false;
  *rows =
      size_multiply(problem_is_ragged(problem) ? 1 : request->batch, request->tokens, &overflow);
  const size_t floats = size_multiply(*rows, request->shape.width, &overflow);
  size_multiply(floats, sizeof(float), &overflow);
  if (!overflow && *rows <= SHAPE_BLAS_LIMIT) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                   "x of %zu sequences of %zu tokens of width %zu is too large to be counted",
                   request->batch, request->tokens, request->shape.width);
}

/* Positions that the caller gives are the one thing that is looked at row by row: RoPE's table ends
 * somewhere, and must not be left in the middle of a call. */
static AttendStatus check_positions(const LayerCall *call, Fault *fault) {
  const Rope *const rope = &call->weights->rope;
  const int64_t *const given = call->problem.options.positions;
  if (!rope->cos) return ATTEND_OK;
  for (size_t r = 0; given && r < call->rows; r++) {
    if (rope_check_positions(rope, given[r], given[r], fault)) return fault->status;
  }
  for (size_t b = 0; !given && b < call->problem.shape.batch; b++) {
    const Sequence s = problem_sequence(&call->problem, b);
    if (s.query_tokens == 0) continue;
    const int64_t last = problem_position(&s, s.query_tokens - 1);
    if (rope_check_positions(rope, s.q_start, last, fault)) return fault->status;
  }
  return ATTEND_OK;
}

/* What a call has and a plan has not. */
static AttendStatus check_data(const LayerCall *call, Fault *fault) {
  if (call->cache) {
    const CacheAppend append = layer_append(call);
    if (kvcache_check_append(call->cache, &append, fault)) return fault->status;
  }
  const size_t floats = call->rows * call->shape.width;
  const Span x = {"x", call->x, floats}, y = {"y", call->y, floats};
  if (shape_check_pointer(x, fault) || shape_check_pointer(y, fault) ||
      shape_check_apart(y, x, fault) ||
      problem_check_arrays(&call->problem, y, (Span){"lse", NULL, 0}, fault)) {
    return fault->status;
  }
  return check_positions(call, fault);
}

AttendStatus layer_check(const LayerRequest *request, LayerCall *call, Fault *fault) {
  call->shape = request->shape;
  call->weights = request->weights;
  call->cache = request->cache;
  call->x = request->x;
  call->y = request->y;
  if (shape_check_layer(&call->shape, &call->columns, fault) ||
      set_problem(request, &call->problem, fault) ||
      count_rows(request, &call->problem, &call->rows, fault)) {
    return fault->status;
  }
  return call->weights ? check_data(call, fault) : ATTEND_OK;
}
