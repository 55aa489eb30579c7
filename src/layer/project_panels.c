/* project_panels.c - linear maps over 16 bits: over weights stored in panels, or in a precision of
 * bf16.
 *
 *             INPUTS                     GROUP columns, up to four panels
 *   x  ┌─────────┬─────────┬─           ┌──────────┐
 *      │ rows of │         │   INPUTS W │ in L2    │
 *      │ a block │         │            ├──────────┤      sums += x W, and on to the next INPUTS;
 *      ├─────────┼─        │            │          │      sums of up to PIECE_ROWS rows stay in L2
 *
 *   precision   storage         x              W                     product
 *   fp32        one term       copied         as it lies            gemm_mixed
 *   fp32        more terms     copied         widened, piecewise    weighted_sum, the same chain
 *   bf16...     bf16 terms     bf16 terms     as it lies            gemm_bf16
 *   bf16...     fp32, fp16     bf16 terms     bf16 terms, piecewise gemm_bf16
 *
 * The rows of copies of x do not compete for the same cache sets. A sum begins with the bias and
 * goes through the inputs in one order, in pieces where that keeps the kernels' bits. So a row of y
 * depends on its own x alone, not on other rows, their number or the threads. In fp32 the chain is
 * that of `project`: up to KERNEL_PROJECT_ROWS rows, the bits are those of fp32 storage of the
 * rounded weights.
 *
 * Measured at 4096 x 2048 with 256 rows on one core of a Zen 4: gemm_mixed reaches 111 GFLOP/s
 * and widened panels 108, where cblas_sgemm over widened strips has 88, so BLAS has no part here;
 * `gemm_bf16` with one term reaches 222. INPUTS from 256 on, and groups of two panels or four, make
 * no difference beyond 2 %; one panel, or 128 inputs, cost 5 to 25 %.
 */
#include "layer/project.h"

#include <string.h>

#include "platform/parallel.h"
#include "storage/convert_panel.h"

/* Rows of x that are laid out at a time. Each of them again reads all of W from memory. */
#define BLOCK_ROWS 1024
/* Rows, inputs and columns of a piece's step. Inputs are whole chains of the kernels. */
#define PIECE_ROWS 256
#define INPUTS 512
#define GROUP_PANELS 4
/* Up to this many rows take W at the speed of the memory. */
#define FEW_ROWS 4
/* Floats by which rows of x are apart beyond their length: one cache line. */
#define ROW_PAD 16
/* Rows that a thread lays out at a time. */
#define LAID_ROWS 8

_Static_assert(INPUTS / 4 % (2 * KERNEL_CHAIN) == 0, "pieces of inputs are whole chains");

static const float ones[KERNEL_MAX_ROWS] = {[0 ... KERNEL_MAX_ROWS - 1] = 1.0f};

/* The parts of the scratch, in bytes from its beginning; strides in floats, or in pairs. */
typedef struct Places {
  size_t x, x_stride, x_term;
  size_t own, own_floats, sum_floats; /* of each thread: sums, then a piece of W */
} Places;

static Places lay_out(const AttendContext *context, size_t in, size_t out, size_t rows,
                      Layout *layout) {
  const size_t bf16_terms = precision_terms(context->settings.precision);
  const size_t held = size_min(rows, BLOCK_ROWS), pairs = stored_word_rows(KERNEL_BF16, in);
  const size_t columns = size_min(size_round_up(out, KERNEL_PANEL), GROUP_PANELS * KERNEL_PANEL);
  const size_t inputs = size_min(2 * pairs, INPUTS);
  Places at = {.x_stride = (bf16_terms ? pairs : 2 * pairs) + ROW_PAD};
  at.x_term = size_multiply(held, at.x_stride, &layout->overflow);
  at.x = layout_floats(layout, size_max(bf16_terms, 1), at.x_term);
  at.sum_floats = size_min(held, PIECE_ROWS) * columns;
  at.own_floats = at.sum_floats + inputs * columns * (bf16_terms ? bf16_terms : 2) / 2;
  at.own = layout_floats(layout, context->settings.threads, at.own_floats);
  return at;
}

size_t project_bytes(const AttendContext *context, size_t in, size_t out, size_t rows,
                     bool *overflow) {
  Layout layout = {0};
  lay_out(context, in, out, rows, &layout);
  *overflow |= layout.overflow;
  return layout.bytes;
}

/* A block of rows through a matrix. */
typedef struct Job {
  const Kernels *kernels;
  const Linear *linear;
  size_t bf16_terms; /* 0: fp32 */
  Places at;
  void *scratch;
  size_t rows, columns; /* of the block; of a piece, whole panels */
  size_t inputs;        /* of a piece's step */
  const float *x;
  float *y;
} Job;

/* What one thread multiplies at a time: rows of the block by a group of panels. */
typedef struct Piece {
  size_t row, rows;
  size_t column, columns; /* whole panels, the last one beyond `out` */
  float *sums;            /* [rows, columns] */
  void *weight;           /* room for INPUTS inputs of W */
} Piece;

static void lay_rows(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const size_t in = job->linear->in, first = index * LAID_ROWS;
  const size_t count = size_min(LAID_ROWS, job->rows - first);
  float *const to = layout_at(job->scratch, job->at.x) + first * job->at.x_stride;
  const float *row[LAID_ROWS];
  (void)thread;
  for (size_t r = 0; r < count; r++) row[r] = job->x + (first + r) * in;
  if (job->bf16_terms) {
    job->kernels->pack_row_pairs(count, in, row, 1.0f, KERNEL_BF16, job->bf16_terms, job->at.x_term,
                                 job->at.x_stride, (void *)to);
    return;
  }
  for (size_t r = 0; r < count; r++) memcpy(to + r * job->at.x_stride, row[r], in * sizeof *to);
}

/* Inputs i .. i + inputs of the piece's columns as the bf16 terms that the precision multiplies. */
static KernelPairs convert_inputs(const Job *job, const Piece *piece, size_t i, size_t inputs) {
  const Linear *const linear = job->linear;
  const size_t term = stored_word_rows(KERNEL_BF16, inputs) * KERNEL_PANEL;
  const KernelPairs converted = {piece->weight, job->bf16_terms, term, job->bf16_terms * term,
                                 KERNEL_BF16};
  uint32_t *panel = piece->weight;
  for (size_t c = 0; c < piece->columns; c += KERNEL_PANEL, panel += converted.stride) {
    const size_t column = piece->column + c;
    if (linear->weight.number == KERNEL_FP32) {
      job->kernels->pack_value_pairs(inputs, size_min(KERNEL_PANEL, linear->out - column),
                                     stored_floats(&linear->weight, i, 0) + column, linear->out,
                                     KERNEL_BF16, job->bf16_terms, term, panel);
    } else {
      convert_panel(job->kernels, inputs, stored_pairs(&linear->weight, i, column), job->bf16_terms,
                    term, panel);
    }
  }
  return converted;
}

/* Whether W lies as `gemm_bf16` reads it. */
static bool in_terms(const Linear *linear) {
  return linear->weight.number == KERNEL_BF16;
}

static void multiply_pairs(const Job *job, const Piece *piece, size_t i, size_t inputs) {
  const KernelPairs weights = in_terms(job->linear)
                                  ? stored_pairs(&job->linear->weight, i, piece->column)
                                  : convert_inputs(job, piece, i, inputs);
  const size_t step = KERNEL_MAX_ROWS / job->kernels->gemm_bf16_rows * job->kernels->gemm_bf16_rows;
  const uint32_t *const x = (const void *)layout_at(job->scratch, job->at.x);
  for (size_t r = 0; r < piece->rows; r += step) {
    const KernelPairs rows = {x + (piece->row + r) * job->at.x_stride + i / 2, job->bf16_terms,
                              job->at.x_term, job->at.x_stride, KERNEL_BF16};
    job->kernels->gemm_bf16(size_min(step, piece->rows - r), stored_word_rows(KERNEL_BF16, inputs),
                            piece->columns, job->bf16_terms, rows, weights, ones,
                            piece->sums + r * piece->columns, piece->columns);
  }
}

static void multiply_floats(const Job *job, const Piece *piece, size_t i, size_t inputs) {
  const Kernels *const kernels = job->kernels;
  const KernelPairs weights = stored_pairs(&job->linear->weight, i, piece->column);
  const bool wide = weights.terms > 1;
  const size_t panel = 2 * stored_word_rows(KERNEL_BF16, inputs) * KERNEL_PANEL;
  const size_t step = kernels->block_rows, stride = job->at.x_stride;
  float *const widened = piece->weight;
  for (size_t p = 0; wide && p < piece->columns / KERNEL_PANEL; p++) {
    KernelPairs from = weights;
    from.pairs += p * from.stride;
    kernels->widen(stored_word_rows(KERNEL_BF16, inputs), from, widened + p * panel);
  }
  for (size_t r = 0; r < piece->rows; r += step) {
    const size_t rows = size_min(step, piece->rows - r);
    const float *const x = layout_at(job->scratch, job->at.x) + (piece->row + r) * stride + i;
    float *const sums = piece->sums + r * piece->columns;
    if (wide) {
      kernels->weighted_sum(rows, inputs, piece->columns, x, stride, widened, panel, ones, sums,
                            piece->columns);
    } else {
      kernels->gemm_mixed(rows, inputs, piece->columns, x, stride, weights, ones, sums,
                          piece->columns);
    }
  }
}

static size_t groups_of_rows(const Job *job) {
  return size_ceil_divide(job->rows, PIECE_ROWS);
}

/* Pieces that lie side by side share their columns, which are then in a cache. */
static void project_piece(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Linear *const linear = job->linear;
  const size_t row = index % groups_of_rows(job) * PIECE_ROWS;
  const size_t column = index / groups_of_rows(job) * job->columns;
  float *const own = layout_at(job->scratch, job->at.own) + thread * job->at.own_floats;
  const Piece piece = {
      .row = row,
      .rows = size_min(PIECE_ROWS, job->rows - row),
      .column = column,
      .columns = size_min(job->columns, size_round_up(linear->out - column, KERNEL_PANEL)),
      .sums = own,
      .weight = own + job->at.sum_floats};
  const size_t columns = size_min(piece.columns, linear->out - column);
  for (size_t r = 0; r < piece.rows; r++) {
    float *const sums = piece.sums + r * piece.columns;
    memset(sums, 0, piece.columns * sizeof *sums);
    if (linear->bias) memcpy(sums, linear->bias + column, columns * sizeof *sums);
  }
  for (size_t i = 0; i < linear->in; i += job->inputs) {
    (job->bf16_terms ? multiply_pairs : multiply_floats)(job, &piece, i,
                                                         size_min(job->inputs, linear->in - i));
  }
  job->kernels->release();
  for (size_t r = 0; r < piece.rows; r++) {
    memcpy(job->y + (row + r) * linear->out + column, piece.sums + r * piece.columns,
           columns * sizeof *job->y);
  }
}

/* Few rows take W as it lies panel by panel, each from its first input to its last: one stream,
 * which the processor's prefetchers follow. */
static bool takes_whole_panels(const Job *job) {
  const Linear *const linear = job->linear;
  return job->rows <= FEW_ROWS && (job->bf16_terms ? in_terms(linear) : linear->weight.terms == 1);
}

/* Columns of a piece: as many panels as go together best, but several pieces for each thread. */
static size_t piece_columns(const Job *job, size_t threads) {
  if (takes_whole_panels(job)) return KERNEL_PANEL;
  const size_t panels = size_ceil_divide(job->linear->out, KERNEL_PANEL);
  const size_t fair = panels * groups_of_rows(job) / (4 * threads);
  const size_t most = size_min(panels, GROUP_PANELS);
  return KERNEL_PANEL * (threads == 1 ? most : size_max(1, size_min(fair, most)));
}

/* Inputs of a piece's step. Tiles want 64 bytes a cycle, more than L2 gives: so few inputs that 32
 * rows of x and a panel of W lie in L1 together, and the next panel finds the rows there (of
 * three terms they fill it). */
static size_t step_inputs(const Job *job) {
  if (takes_whole_panels(job)) return job->linear->in;
  if (!job->kernels->gemm_bf16_has_own_unit || job->bf16_terms == 0) return INPUTS;
  return job->bf16_terms == 1 ? INPUTS / 2 : INPUTS / 4;
}

void project_panels(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                    void *scratch, float *y) {
  Layout layout = {0};
  Job job = {.kernels = context->kernels,
             .linear = linear,
             .bf16_terms = precision_terms(context->settings.precision),
             .at = lay_out(context, linear->in, linear->out, rows, &layout),
             .scratch = scratch};
  const double weights = (double)linear->in * (double)linear->out;
  for (size_t row = 0; row < rows; row += BLOCK_ROWS) {
    job.rows = size_min(BLOCK_ROWS, rows - row);
    job.x = x + row * linear->in;
    job.y = y + row * linear->out;
    const size_t threads = parallel_worth(context->settings.threads, (double)job.rows * weights);
    job.columns = piece_columns(&job, threads);
    job.inputs = step_inputs(&job);
    const size_t groups = size_ceil_divide(linear->out, job.columns);
    parallel_for(threads, size_ceil_divide(job.rows, LAID_ROWS), lay_rows, &job);
    parallel_for(threads, groups * groups_of_rows(&job), project_piece, &job);
  }
}
