/* attend/attend.h - multi-head attention layers on a CPU.
 *
 * One call takes the activations X of a transformer layer and gives the layer's output Y:
 *
 *   X -- fused QKV projection -- per-head views -- attention core -- heads side by side -- W_o -- Y
 *
 * The header is in layers, and each can be used without those after it:
 *
 *   0. status     what every call returns
 *   1. context    threads, instruction set, path; profile and last error
 *   2. core       attention over the caller's strided Q, K, V
 *   3. layer      packed weights and one forward call
 *   4. cache      keys and values of past tokens, for chunked prefill and decode
 *   5. inside     plan, profile, taps: what runs, how long it takes, every matrix on the way
 *   6. models     shapes of published models
 *   7. machine    what the processor and the BLAS are
 *
 * Letters used in every comment:
 *   B   batch                    Nq, Nk  query tokens, key tokens      E  model width (d_model)
 *   Hq  query heads              Hk      key/value heads, Hq % Hk == 0
 *   D   head dimension of Q, K   Dv      head dimension of V
 *
 * Conventions:
 *   - Data is fp32, row-major. Sizes and strides are counted in elements; a name that ends in
 *     `_bytes` is in bytes. [B, N, H, D] lists dimensions from the slowest to the fastest.
 *   - A linear map is Y = X W + b with W stored [in, out].
 *   - A function that can fail returns AttendStatus. Unless its comment says otherwise, a failed
 *     call leaves outputs, caches and handles as they were, and attend_get_error() has a sentence.
 *   - The library never prints, exits or aborts. A call that changes a setting of OpenBLAS or OpenMP
 *     restores it before it returns. (OpenBLAS and OpenMP themselves end the process if they get no
 *     memory or threads: docs/security.md.)
 *   - A context (and the caches and taps used with it) is used by one thread at a time. Different
 *     contexts may be used at the same time; packed weights may be shared between them.
 */
#ifndef ATTEND_ATTEND_H
#define ATTEND_ATTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attend/version.h"

#if defined(__GNUC__)
#  define ATTEND_API __attribute__((visibility("default")))
#else
#  define ATTEND_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------
 * 0. Status
 */

/* X(NAME, VALUE, MESSAGE): every status with its fixed number and its sentence. */
#define ATTEND_STATUS_MAP(X)                                                                       \
  X(OK, 0, "success")                                                                              \
  X(NULL_POINTER, 1, "a pointer that must point to something is null")                             \
  X(MISALIGNED, 2, "a pointer to floats is not aligned to 4 bytes")                                \
  X(BAD_SIZE, 3, "a size is zero or outside its range")                                            \
  X(BAD_STRIDE, 4, "a stride lets rows of an output overlap each other")                           \
  X(BAD_HEADS, 5, "the number of query heads is not a multiple of the number of kv heads")         \
  X(BAD_OPTION, 6, "an option or setting is outside its range, or a struct was not initialised")   \
  X(OVERFLOW, 7, "a product of sizes is too large to be counted in bytes")                         \
  X(OVERLAP, 8, "an output overlaps an input")                                                     \
  X(ISA_UNAVAILABLE, 9, "the instruction set asked for is not usable on this machine")             \
  X(PATH_REFUSED, 10, "the path asked for cannot run this problem")                                \
  X(MEMORY_LIMIT, 11, "the path asked for needs more memory than its limit allows")                \
  X(OUT_OF_MEMORY, 12, "memory could not be allocated")                                            \
  X(WORKSPACE_TOO_SMALL, 13, "the workspace supplied by the caller is too small")                  \
  X(CACHE_FULL, 14, "the cache has no room for the new tokens")                                    \
  X(SHAPE_MISMATCH, 15, "two arguments do not agree in their shapes")                              \
  X(UNKNOWN_MODEL, 16, "no preset has this name")                                                  \
  X(FILE_UNREADABLE, 17, "a file cannot be opened or read")                                        \
  X(FILE_INVALID, 18, "a file's contents are not valid")                                           \
  X(FILE_UNWRITABLE, 19, "a file cannot be written")

/* What a call returns: ATTEND_OK, or ATTEND_STATUS_... as listed above with their numbers. */
typedef enum AttendStatus {
#define ATTEND_DECLARE_STATUS(name, value, message) ATTEND_STATUS_##name = (value),
  ATTEND_STATUS_MAP(ATTEND_DECLARE_STATUS)
#undef ATTEND_DECLARE_STATUS
} AttendStatus;

#define ATTEND_OK ATTEND_STATUS_OK

/* The status's name without prefix ("BAD_SIZE"), or "UNKNOWN_STATUS". Never null. */
ATTEND_API const char *attend_status_name(AttendStatus status);

/* The status's sentence. For a number that is no status, a sentence that says so. Never null. */
ATTEND_API const char *attend_status_message(AttendStatus status);

/* The version of the loaded library, as "MAJOR.MINOR.PATCH". The version of this header is
 * ATTEND_VERSION_MAJOR, _MINOR and _PATCH. */
ATTEND_API const char *attend_version(void);

/* ------------------------------------------------------------------------------------------------
 * 1. Context
 */

/* The algorithms. AUTO takes the first of tiled, blas, naive that accepts the problem; the plan
 * says which and why. */
typedef enum AttendPath {
  ATTEND_PATH_AUTO = 0,
  ATTEND_PATH_TILED = 1, /* online softmax over tiles of keys; O(tile) scratch beside packed K, V */
  ATTEND_PATH_BLAS = 2,  /* a head's whole score matrix, by two cblas_sgemm */
  ATTEND_PATH_NAIVE = 3, /* plain loops that read like the formula; no BLAS, no intrinsics */
} AttendPath;
#define ATTEND_PATH_COUNT 4 /* AUTO included: an array of this size is indexed by AttendPath */

/* Instruction sets of the tiled path's kernels. AUTO takes the best one for the context's precision
 * that the processor, the operating system and the build allow. AVX512_BF16 and AMX add products of
 * bf16 alone, so in fp32 AUTO does not take them. Asking for an ISA that is missing is an error,
 * never a silent fallback. */
typedef enum AttendIsa {
  ATTEND_ISA_AUTO = 0,
  ATTEND_ISA_SCALAR = 1,      /* plain C, vectorised by the compiler for the baseline processor */
  ATTEND_ISA_AVX2 = 2,        /* AVX2, FMA and F16C, which every processor with AVX2 has */
  ATTEND_ISA_AVX512 = 3,      /* AVX-512 F, VL, DQ, BW */
  ATTEND_ISA_AVX512_BF16 = 4, /* AVX512's, with kernels of AVX-512 BF16 for products of bf16 */
  ATTEND_ISA_AMX = 5,         /* AVX512_BF16's, with kernels of AMX for products of bf16 */
} AttendIsa;
#define ATTEND_ISA_COUNT 6

/* How the tiled path multiplies, in the core and in the projections. Sums, softmax and the output
 * are always fp32. A float is written as a sum of up to three bf16 terms, and a product of floats
 * as a sum of bf16 products (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial
 * Intelligence Datatype For Higher-Precision Computations"). The errors below are the largest
 * relative errors of one product; docs/numerics.md bounds scores and outputs. */
typedef enum AttendPrecision {
  ATTEND_PRECISION_FP32 = 0,   /* multiply-adds in fp32 */
  ATTEND_PRECISION_BF16X6 = 1, /* three terms, six products: as exact as fp32 */
  ATTEND_PRECISION_BF16X3 = 2, /* two terms, three products: about 2^-15 */
  ATTEND_PRECISION_BF16 = 3,   /* operands rounded to bf16: about 2^-7 */
} AttendPrecision;
#define ATTEND_PRECISION_COUNT 4

/* How weights, and the keys and values of a cache, are stored. Any context can use any storage.
 * AUTO takes the one that the precision of the packing or opening context multiplies without
 * conversion: FP32 for FP32, BF16X3 for BF16X6, BF16X2 for BF16X3, BF16 for BF16.
 *
 * FP16 rounds to nearest, ties to even: from 2^-14 on with a relative error of at most 2^-11, below
 * that to multiples of 2^-24. Numbers that round beyond 65504 become infinite. FP16 is meant for
 * precision fp32; the other precisions split each number into bf16 terms every time they read it. */
typedef enum AttendStorage {
  ATTEND_STORAGE_AUTO = 0,
  ATTEND_STORAGE_FP32 = 1,   /* 4 bytes a number */
  ATTEND_STORAGE_BF16 = 2,   /* 2 bytes: rounded to nearest, ties to even; exact for bf16 files */
  ATTEND_STORAGE_BF16X2 = 3, /* 4 bytes: a sum of two bf16 terms, relative error 2^-17 */
  ATTEND_STORAGE_BF16X3 = 4, /* 6 bytes: a sum of three, exact unless the smallest underflows */
  ATTEND_STORAGE_FP16 = 5,   /* 2 bytes: see above; exact for F16 files */
} AttendStorage;
#define ATTEND_STORAGE_COUNT 6

/* The names that options and reports use: "auto", "tiled", "blas", "naive"; "auto", "scalar",
 * "avx2", "avx512", "avx512bf16", "amx"; "fp32", "bf16x6", "bf16x3", "bf16"; "auto", "fp32", "bf16",
 * "bf16x2", "bf16x3", "fp16". Null for a number outside the enum. */
ATTEND_API const char *attend_path_name(AttendPath path);
ATTEND_API const char *attend_isa_name(AttendIsa isa);
ATTEND_API const char *attend_precision_name(AttendPrecision precision);
ATTEND_API const char *attend_storage_name(AttendStorage storage);

/* Bytes of one number in that storage, without the padding that kernels read: 4 for fp32. 0 for AUTO
 * and for a number outside the enum. */
ATTEND_API double attend_storage_bytes(AttendStorage storage);

/* The inverse: sets *path (*isa, ...) and returns true if name is one of the names above; otherwise
 * returns false and leaves it untouched. A null name is none of them. */
ATTEND_API bool attend_find_path(const char *name, AttendPath *path);
ATTEND_API bool attend_find_isa(const char *name, AttendIsa *isa);
ATTEND_API bool attend_find_precision(const char *name, AttendPrecision *precision);
ATTEND_API bool attend_find_storage(const char *name, AttendStorage *storage);

/* How a context works. Fill it with attend_default_settings(), then change what you want. */
typedef struct AttendSettings {
  size_t struct_size; /* set by attend_default_settings(); tells versions of the struct apart */

  /* 1..1024, or 0 (default): as many threads as OpenMP would take (OMP_NUM_THREADS, else the cores
   * that this process may run on). */
  size_t threads;

  AttendIsa isa;             /* default ATTEND_ISA_AUTO */
  AttendPath path;           /* default ATTEND_PATH_AUTO */
  AttendPrecision precision; /* default FP32; the blas and naive paths refuse any other */
  bool naive_parallel;       /* default true: the naive path runs its heads in parallel */
  bool profile;              /* default false; true measures each phase: attend_get_profile() */

  /* The most that the score matrices of the blas and naive paths may take; default 2 GiB. A path
   * that needs more refuses the call. */
  size_t score_memory_limit_bytes;
} AttendSettings;

/* Fills *settings with the defaults above. Does nothing if settings is null. */
ATTEND_API void attend_default_settings(AttendSettings *settings);

/* Threads, kernels and scratch memory of one user of the library. */
typedef struct AttendContext AttendContext;

/* Opens a context. settings null takes the defaults.
 * Returns OK; NULL_POINTER (context is null); BAD_OPTION (a setting is outside its range, or
 * struct_size is unknown); ISA_UNAVAILABLE; OUT_OF_MEMORY. On failure *context is null, and
 * attend_status_message() has the sentence. */
ATTEND_API AttendStatus attend_open(AttendContext **context, const AttendSettings *settings);

/* Frees the context and its workspace and sets *context to null. Null is allowed at both levels. */
ATTEND_API void attend_close(AttendContext **context);

/* One sentence on why the last call with this context failed: the argument, the value found and the
 * value expected. "" after a call that succeeded. Reading the profile does not change it. Valid
 * until the next call with the context. */
ATTEND_API const char *attend_get_error(const AttendContext *context);

/* Makes the context use `bytes` bytes of the caller's memory as its scratch, in place of its own.
 * The memory must stay valid while the context uses it. A call that needs more then fails with
 * WORKSPACE_TOO_SMALL instead of allocating. memory null with bytes 0 returns to the context's own
 * scratch. The memory may have any alignment; aligning it costs up to 64 bytes, which the sizes in
 * plans already include.
 * Returns OK; NULL_POINTER (context is null, or memory is null with bytes > 0). */
ATTEND_API AttendStatus attend_set_workspace(AttendContext *context, void *memory, size_t bytes);

/* Makes the context's own workspace at least `bytes` large (a plan's workspace_bytes), so that
 * later calls of that size allocate nothing. OpenBLAS and OpenMP still take memory of their own for
 * their threads.
 * Returns OK; NULL_POINTER; WORKSPACE_TOO_SMALL (the caller's workspace is smaller); OUT_OF_MEMORY
 * (the old workspace is kept). */
ATTEND_API AttendStatus attend_reserve_workspace(AttendContext *context, size_t bytes);

/* ------------------------------------------------------------------------------------------------
 * 2. Core: softmax(scale * Q K^T + mask) V, per head
 */

/* Sizes of one core call. batch, query_heads, kv_heads, head_dim and value_dim are at least 1.
 * query_tokens may be 0 (there is nothing to do), and so may key_tokens (no row sees a key). Hq
 * must be a multiple of Hk: query head h reads key/value head h / (Hq / Hk). */
typedef struct AttendShape {
  size_t batch;        /* B  */
  size_t query_tokens; /* Nq */
  size_t key_tokens;   /* Nk */
  size_t query_heads;  /* Hq */
  size_t kv_heads;     /* Hk */
  size_t head_dim;     /* D  */
  size_t value_dim;    /* Dv */
} AttendShape;

/* A read-only view [B, N, H, dim]: element (b, n, h, d) is
 * data[b*batch_stride + n*token_stride + h*head_stride + d].
 * Strides describe any order of the first three dimensions, and chunks of a fused QKV buffer. A
 * stride of 0 repeats an element. */
typedef struct AttendView {
  const float *data;
  size_t batch_stride;
  size_t token_stride;
  size_t head_stride;
} AttendView;

/* A writable view, of the same form. Its rows must not overlap: with the three dimensions ordered
 * by stride, each stride must be at least the extent of the dimensions inside it. */
typedef struct AttendOutputView {
  float *data;
  size_t batch_stride;
  size_t token_stride;
  size_t head_stride;
} AttendOutputView;

/* Views of dense buffers: [B, N, H, dim] (heads side by side) and [B, H, N, dim] (heads apart). */
static inline AttendView attend_view_bnhd(const float *data, size_t tokens, size_t heads,
                                          size_t dim) {
  const AttendView view = {data, tokens * heads * dim, heads * dim, dim};
  return view;
}
static inline AttendView attend_view_bhnd(const float *data, size_t tokens, size_t heads,
                                          size_t dim) {
  const AttendView view = {data, tokens * heads * dim, dim, tokens * dim};
  return view;
}
static inline AttendOutputView attend_output_bnhd(float *data, size_t tokens, size_t heads,
                                                  size_t dim) {
  const AttendOutputView view = {data, tokens * heads * dim, heads * dim, dim};
  return view;
}
static inline AttendOutputView attend_output_bhnd(float *data, size_t tokens, size_t heads,
                                                  size_t dim) {
  const AttendOutputView view = {data, tokens * heads * dim, dim, tokens * dim};
  return view;
}

/* A number that is added to each score: for the score [B, Hq, Nq, Nk] at (b, h, i, j) it is
 * data[b*batch_stride + h*head_stride + i*query_stride + j*key_stride]. A stride of 0 repeats an
 * element; every broadcast is written that way. i and j count from the first query and the first
 * key of the sequence. data null (default): no bias. */
typedef struct AttendBias {
  const float *data;
  size_t batch_stride, head_stride, query_stride, key_stride;
  size_t key_tokens; /* keys that it covers, later ones are hidden; 0 (default): all */
} AttendBias;

/* A byte for each score, addressed like a bias: 0 hides the key from the query, anything else shows
 * it. data null (default): no mask. */
typedef struct AttendMask {
  const uint8_t *data;
  size_t batch_stride, head_stride, query_stride, key_stride;
  size_t key_tokens;
} AttendMask;

/* Options of a core or layer call. Fill it with attend_default_options(). Query i stands at position
 * p = q_start + i. Its score with key j goes through these steps, in this order:
 *
 *   s = scale * q.k                                           "scores"
 *   s = softcap * tanh(s / softcap)            if softcap > 0 "capped_scores"
 *   s = s - alibi_slopes[h] * |p - j| + bias                  "masked_scores"
 *   s = -inf  where causal, the window, the mask, the key length or a bias of -inf hides the key.
 *             The contents of a hidden key or value have no effect, NaN included.
 *   w = softmax of the row, with sinks[h] as one more score that has no value       "weights" */
typedef struct AttendOptions {
  size_t struct_size; /* set by attend_default_options() */

  /* Factor of q.k. 0 (default): 1/sqrt(D). It must be finite, also times log2(e). */
  float scale;

  bool causal; /* default true: key j is visible to a query at position p when j <= p */

  /* Position of the first query; key 0 is at 0. Default 0. A negative one puts the first rows
   * before the first key, so that they see no key. A call with a cache sets q_start itself and wants
   * 0 here. */
  int64_t q_start;

  int64_t window_left;       /* default -1, no limit; w >= 0: key j is visible only if j >= p - w */
  int64_t window_right;      /* default -1, no limit; w >= 0: key j is visible only if j <= p + w */
  float softcap;             /* default 0, none; else finite and > 0 (Gemma 2: 50) */
  const float *alibi_slopes; /* [Hq] or null (default); Press et al. 2022 */

  /* [Hq] or null (default): one more logit per head, in the denominator only (Xiao et al. 2024;
   * gpt-oss). It is part of the LSE. A sink of -inf is none. */
  const float *sinks;

  AttendBias bias;
  AttendMask mask;

  /* Sequences of different lengths. All four are null by default: every sequence is as long as the
   * shape says.
   *   key_lengths    keys from key_lengths[b] on (right padding) are hidden
   *   q_starts       replaces q_start, one for each sequence
   *   query_offsets  makes the batch ragged: sequence b is tokens query_offsets[b] up to
   *                  query_offsets[b + 1] of query and out. Both are then [total, H, dim], and their
   *                  batch strides are not used; shape.query_tokens is the total, which is the last
   *                  offset. The LSE of a ragged batch is [Hq, total].
   *   key_offsets    does the same for key and value. It goes with query_offsets, except where the
   *                  keys come from a cache.
   * Offsets begin with 0 and never fall. */
  const size_t *key_lengths;   /* [B] */
  const int64_t *q_starts;     /* [B] */
  const size_t *query_offsets; /* [B + 1] */
  const size_t *key_offsets;   /* [B + 1] */

  /* Layer and cache calls only: the cache's sequence that each sequence of the batch uses. A layer
   * call may name none twice. Null (default): 0, 1, 2, ... */
  const size_t *cache_sequences; /* [B] */

  /* Layer calls with RoPE only: the positions that it rotates by. Null (default): p, as above.
   * Visibility does not depend on them. */
  const int64_t *positions; /* [B, N] (ragged: [total]) */
} AttendOptions;

/* Fills *options with the defaults above. Does nothing if options is null. */
ATTEND_API void attend_default_options(AttendOptions *options);

/* Attention over strided views:
 *
 *   out[b,i,h,:] = sum_j w_j v[b,j,g,:],   w = softmax_j(scale * q[b,i,h,:] . k[b,j,g,:]),
 *
 * over the visible keys j, with g = h / (Hq / Hk) and the further steps that the options ask for
 * (Vaswani et al. 2017; grouped heads: Ainslie et al. 2023).
 *   query   [B, Nq, Hq, D]   key [B, Nk, Hk, D]   value [B, Nk, Hk, Dv]   out [B, Nq, Hq, Dv]
 *   lse     [B, Hq, Nq] dense, or null: natural log of the sum of exponentials of the row's scores
 *   options null for the defaults
 * A row that sees no key, or only keys whose score is -inf, gives a zero row. Its LSE is -inf, or
 * the sink if there is one.
 * NaN and +inf reach a row if it sees the data that holds them; hidden data never does.
 * The tiled path gives a row the same bits whatever the threads, the batch and the other rows are.
 * Scratch comes from the context's workspace; attend_plan_core() says how much.
 * A data pointer may be null if its view has no elements.
 * Returns OK; NULL_POINTER; MISALIGNED; BAD_SIZE (offsets or lengths that do not fit included);
 * BAD_STRIDE; BAD_HEADS; BAD_OPTION; OVERFLOW; OVERLAP (out or lse shares memory with an input or
 * with each other, judged by the whole range of addresses that each spans); PATH_REFUSED;
 * MEMORY_LIMIT; OUT_OF_MEMORY; WORKSPACE_TOO_SMALL. On failure out and lse are untouched. */
ATTEND_API AttendStatus attend_core_forward(AttendContext *context, const AttendShape *shape,
                                            AttendView query, AttendView key, AttendView value,
                                            const AttendOptions *options, AttendOutputView out,
                                            float *lse);

/* The result of attention over a part of the keys, with what it takes to combine it with the
 * rest. */
typedef struct AttendState {
  AttendView out;   /* [B, Nq, Hq, Dv] */
  const float *lse; /* [B, Hq, Nq] */
} AttendState;

/* Combines attention over parts of the keys into attention over all of them (Dao et al. 2022,
 * section 3.1): with m = max_k lse_k,
 *   lse = m + log sum_k exp(lse_k - m),   out = sum_k exp(lse_k - lse) out_k.
 *   shape   batch, query_tokens, query_heads and value_dim are used
 *   parts   [count] states over disjoint keys, in any order; at most one of them includes sinks
 *   out     [B, Nq, Hq, Dv]; may be the memory of one part's out, with the same strides
 *   lse     [B, Hq, Nq] dense, or null; may be the memory of one part's lse
 * A part whose LSE of a row is -inf saw no key there and is not read in that row. If only one part
 * saw keys, the row keeps that part's bits.
 * Returns OK; NULL_POINTER; MISALIGNED; BAD_SIZE (count is 0 too); BAD_STRIDE; OVERFLOW;
 * OVERLAP. On failure out and lse are untouched. */
ATTEND_API AttendStatus attend_merge_states(AttendContext *context, const AttendShape *shape,
                                            const AttendState *parts, size_t count,
                                            AttendOutputView out, float *lse);

/* ------------------------------------------------------------------------------------------------
 * 3. Layer: projections around the core
 */

/* Sizes of a layer's weights. They are independent: Hq * D may differ from E. */
typedef struct AttendLayerShape {
  size_t width;       /* E  */
  size_t query_heads; /* Hq */
  size_t kv_heads;    /* Hk */
  size_t head_dim;    /* D  */
  size_t value_dim;   /* Dv */
} AttendLayerShape;

/* The order of a weight matrix's dimensions in memory. */
typedef enum AttendOrientation {
  ATTEND_IN_OUT = 0, /* [in, out]: Y = X W (this library, GPT-2's Conv1D) */
  ATTEND_OUT_IN = 1, /* [out, in]: Y = X W^T (PyTorch's nn.Linear, safetensors of most models) */
} AttendOrientation;

/* Which two dimensions of a head RoPE rotates together. */
typedef enum AttendRopePairing {
  ATTEND_ROPE_NONE = 0,
  ATTEND_ROPE_HALF = 1,        /* d and d + dims/2 (GPT-NeoX, Hugging Face) */
  ATTEND_ROPE_INTERLEAVED = 2, /* 2d and 2d + 1 (Su et al. 2021; the original LLaMA code) */
} AttendRopePairing;

/* How RoPE is stretched beyond the positions of training. */
typedef enum AttendRopeScaling {
  ATTEND_ROPE_UNSCALED = 0,
  ATTEND_ROPE_LINEAR = 1, /* positions divided by factor (Chen et al. 2023) */
  ATTEND_ROPE_NTK = 2,    /* base * factor^(dims / (dims - 2)) (bloc97 2023) */
  ATTEND_ROPE_YARN = 3,   /* by frequency, with an attention factor (Peng et al. 2023) */
  ATTEND_ROPE_LLAMA3 = 4, /* by frequency bands (Llama 3.1) */
} AttendRopeScaling;

/* Rotary position embedding (Su et al. 2021): RoPE rotates pair k of a head of Q and K at position p
 * by the angle p * theta_k, theta_k = base^(-2k/dims), scaled as asked. Angles are computed in
 * double. Fill it with attend_default_rope(). */
typedef struct AttendRope {
  AttendRopePairing pairing; /* default NONE: no RoPE, and the fields below are not used */
  size_t dims;               /* even, 2..D: the first `dims` dimensions rotate; 0 (default): D */
  double base;               /* default 10000; finite, > 0 */
  AttendRopeScaling scaling; /* default UNSCALED */
  double factor;             /* default 1; finite, >= 1 */
  double original_positions; /* YARN, LLAMA3: positions seen in training; default 8192 */
  double low_frequency_factor, high_frequency_factor; /* LLAMA3; default 1 and 4 */
  double beta_fast, beta_slow;                        /* YARN; default 32 and 1 */
  double attention_factor; /* YARN: of both cos and sin; 0 (default): 0.1 ln(factor) + 1 */
  bool untruncated; /* YARN: default false; true keeps the band's ends fractional (gpt-oss) */

  /* Tables [table_positions, dims/2] in place of the formula, or null (default). A position beyond
   * the table is refused. */
  const float *cos, *sin;
  size_t table_positions;
} AttendRope;

/* Fills *rope with the defaults above. Does nothing if rope is null. */
ATTEND_API void attend_default_rope(AttendRope *rope);

/* Where a layer's weights come from: either query, key and value apart, or qkv already fused. The
 * shapes below are [in, out]; ATTEND_OUT_IN swaps the two. A bias has as many elements as its matrix
 * has columns of [in, out]; null is a bias of zero.
 *   query [E, Hq*D]   key [E, Hk*D]   value [E, Hk*Dv]   qkv [E, Hq*D + Hk*D + Hk*Dv]
 *   output [Hq*Dv, E]   output_bias [E]
 * query_norm and key_norm [D] are the weights of QK-norm: each head x of Q (of K) becomes
 * x / sqrt(mean(x^2) + norm_epsilon) * weight (RMSNorm, Zhang and Sennrich 2019), before RoPE.
 * Fill it with attend_default_weight_source(). */
typedef struct AttendWeightSource {
  size_t struct_size;            /* set by attend_default_weight_source() */
  AttendOrientation orientation; /* of all matrices; default ATTEND_IN_OUT */
  const float *query, *key, *value;
  const float *query_bias, *key_bias, *value_bias;
  const float *qkv, *qkv_bias;
  const float *output, *output_bias;
  const float *query_norm, *key_norm; /* both or neither (default) */
  float norm_epsilon;                 /* default 1e-6; finite, >= 0 */
  AttendRope rope;                    /* default none; tables are copied */
  AttendStorage storage; /* of W_qkv and W_o; default AUTO. Biases and norms are fp32. */
} AttendWeightSource;

/* Fills *source with the defaults above and every pointer null. Does nothing if source is null. */
ATTEND_API void attend_default_weight_source(AttendWeightSource *source);

/* Weights as the layer reads them: W_qkv = [W_q | W_k | W_v], [E, Hq*D + Hk*D + Hk*Dv], so that one
 * product gives Q, K and V side by side; W_o; QK-norm and RoPE. They never change, so contexts and
 * threads may share them. */
typedef struct AttendWeights AttendWeights;

/* Copies the source into packed weights. The source may be freed afterwards.
 * Returns OK; NULL_POINTER (context, shape, source, weights or output is null; qkv is null and so is
 * one of query, key and value; one norm or one RoPE table is given without the other); MISALIGNED;
 * BAD_SIZE; BAD_HEADS; BAD_OPTION (qkv is given together with query, key or value; a bias does not
 * match that choice; a setting of RoPE or QK-norm is outside its range); OVERFLOW; OUT_OF_MEMORY. On
 * failure *weights is null. */
ATTEND_API AttendStatus attend_pack_weights(AttendContext *context, const AttendLayerShape *shape,
                                            const AttendWeightSource *source,
                                            AttendWeights **weights);

/* Frees packed weights and sets *weights to null. Null is allowed at both levels. */
ATTEND_API void attend_free_weights(AttendWeights **weights);

/* The shape that the weights were packed for, and the bytes that they take. weights must not be
 * null. */
ATTEND_API AttendLayerShape attend_weights_shape(const AttendWeights *weights);
ATTEND_API size_t attend_weights_bytes(const AttendWeights *weights);

/* Keys and values of past tokens: section 4. */
typedef struct AttendCache AttendCache;

/* The whole layer: Y = concat(attention(X W_qkv + b_qkv)) W_o + b_o, with QK-norm and RoPE of Q and
 * K before the attention if the weights have them.
 *   x [B, N, E] dense   y [B, N, E] dense   tokens N   options null for the defaults
 *   With options.query_offsets x and y are [total, E], and `tokens` is that total.
 *   With cache null the tokens of a sequence attend to each other. The keys then stand at 0, 1, ...
 *   whatever q_start says, so a q_start above 0 shows a causal token the tokens after it; to shift
 *   RoPE alone, set options.positions.
 *   With a cache, which must have the weights' heads, the call appends the tokens' keys and values to
 *   it, and the tokens attend to all of it. Positions count from the cache's first token.
 * tokens 0 is allowed and does nothing. The projections use cblas_sgemm, or a kernel of this library
 * for up to 16 rows; the naive path has loops of its own.
 * Returns what attend_core_forward() returns, and: SHAPE_MISMATCH (the cache does not fit the
 * weights); CACHE_FULL; BAD_OPTION (q_start, q_starts, key_lengths or key_offsets is set where the
 * call sets it itself; a sequence of the cache is named twice or does not exist; a window is wider
 * than the cache keeps; a position is beyond RoPE's table). On failure y and the cache are as
 * before. */
ATTEND_API AttendStatus attend_layer_forward(AttendContext *context, const AttendWeights *weights,
                                             AttendCache *cache, size_t batch, size_t tokens,
                                             const float *x, const AttendOptions *options,
                                             float *y);

/* ------------------------------------------------------------------------------------------------
 * 4. Cache: keys and values of past tokens
 *
 * A cache holds `sequences` sequences, each with a length of its own, in blocks of tokens. It stores
 * keys in the order in which the kernels read them, so that decode packs nothing again.
 */

/* Settings of a cache. Fill it with attend_default_cache_settings(). */
typedef struct AttendCacheSettings {
  size_t struct_size;  /* set by attend_default_cache_settings() */
  size_t sequences;    /* default 1 */
  size_t capacity;     /* tokens a sequence may hold, >= 1, rounded up to blocks; no default */
  size_t block_tokens; /* 32, 64 or 128 (default) */

  /* 0 (default): every sequence has its blocks from the start. Otherwise the cache is paged: all
   * sequences share a pool of so many blocks. They take blocks as they grow, give them back, and
   * share the blocks of a common prefix. */
  size_t pool_blocks;

  /* 0 (default): the cache keeps all tokens. w >= 1 makes it a ring: it keeps at least the last w
   * tokens, a sequence grows without end, and `capacity` is the number it holds at a time. An append
   * of n tokens needs w + n <= capacity. A ring has no pool_blocks. The naive path and taps still
   * form rows over all tokens so far; the tiled and blas paths read the window alone. */
  size_t window;

  AttendStorage storage; /* default AUTO */
} AttendCacheSettings;

/* Fills *settings with the defaults above. Does nothing if settings is null. */
ATTEND_API void attend_default_cache_settings(AttendCacheSettings *settings);

/* Opens an empty cache for the shape's kv_heads, head_dim and value_dim. Contexts of any instruction
 * set may use it.
 * Returns OK; NULL_POINTER; BAD_SIZE; BAD_HEADS; BAD_OPTION; OVERFLOW; OUT_OF_MEMORY. On failure
 * *cache is null. */
ATTEND_API AttendStatus attend_open_cache(AttendContext *context, const AttendLayerShape *shape,
                                          const AttendCacheSettings *settings, AttendCache **cache);

/* Frees a cache and sets *cache to null. Null is allowed at both levels. */
ATTEND_API void attend_close_cache(AttendCache **cache);

/* What a cache holds. All six are 0 for a null cache, and the first two for a sequence that does not
 * exist.
 *   length       tokens of the sequence so far; in a ring, those that it has dropped included
 *   first        the first token that it still keeps: 0 except in a ring
 *   capacity     tokens that a sequence may hold
 *   free_blocks  free blocks of the pool; 0 without a pool
 *   token_bytes  bytes that keys and values of one token of one sequence take, padding included
 *   bytes        bytes that the whole cache has taken from the system */
ATTEND_API size_t attend_cache_length(const AttendCache *cache, size_t sequence);
ATTEND_API size_t attend_cache_first(const AttendCache *cache, size_t sequence);
ATTEND_API size_t attend_cache_capacity(const AttendCache *cache);
ATTEND_API size_t attend_cache_free_blocks(const AttendCache *cache);
ATTEND_API size_t attend_cache_token_bytes(const AttendCache *cache);
ATTEND_API size_t attend_cache_bytes(const AttendCache *cache);

/* Appends tokens computed elsewhere to one sequence: key [tokens, Hk, D], value [tokens, Hk, Dv].
 * Batch strides are not used.
 * Returns OK; NULL_POINTER; MISALIGNED; BAD_SIZE (no such sequence); OVERFLOW; CACHE_FULL. On
 * failure the cache is as before. */
ATTEND_API AttendStatus attend_append_cache(AttendContext *context, AttendCache *cache,
                                            size_t sequence, size_t tokens, AttendView key,
                                            AttendView value);

/* Copies tokens first up to first + tokens of a sequence out of the cache: key [tokens, Hk, D],
 * value [tokens, Hk, Dv]. Strides may interleave the two, but they must have no element in common;
 * this is not checked.
 * Returns OK; NULL_POINTER; MISALIGNED; BAD_SIZE (the cache does not keep one of the tokens);
 * BAD_STRIDE; OVERFLOW. On failure nothing is written. */
ATTEND_API AttendStatus attend_read_cache(AttendContext *context, const AttendCache *cache,
                                          size_t sequence, size_t first, size_t tokens,
                                          AttendOutputView key, AttendOutputView value);

/* Forgets a sequence's tokens from `length` on (rollback) and gives their blocks back to the pool.
 * length 0 empties the sequence.
 * Returns OK; NULL_POINTER; BAD_SIZE (no such sequence; length is more than it has; a ring has
 * already dropped tokens that the window before `length` needs). On failure the cache is as before.
 * Writes no error sentence, because it has no context. */
ATTEND_API AttendStatus attend_truncate_cache(AttendCache *cache, size_t sequence, size_t length);

/* Replaces sequence `to` by the first `length` tokens of sequence `from`. In a pool the two share
 * all full blocks until one of them writes there. A ring can only be forked at its end: length must
 * then be the whole length of `from`.
 * Returns OK; NULL_POINTER; BAD_SIZE (no such sequence, from == to, or a length that is more than
 * `from` has or that a ring does not allow); CACHE_FULL. On failure the cache is as before. */
ATTEND_API AttendStatus attend_fork_cache(AttendContext *context, AttendCache *cache, size_t from,
                                          size_t to, size_t length);

/* Attention of new queries over a cache, without any projection. The queries are the last tokens of
 * their sequences: query i of Nq stands at position length - Nq + i. A negative position is before
 * the first key.
 *   shape  as in attend_core_forward(); key_tokens is not used, and kv_heads, head_dim and value_dim
 *          must be the cache's. Sequence b of the batch reads options.cache_sequences[b], which
 *          several may share.
 *   query [B, Nq, Hq, D]   out [B, Nq, Hq, Dv]   lse [B, Hq, Nq] or null
 * Returns what attend_core_forward() returns, SHAPE_MISMATCH, BAD_OPTION as in
 * attend_layer_forward(), and BAD_SIZE if the first queries see tokens that a ring has dropped. On
 * failure out and lse are untouched. */
ATTEND_API AttendStatus attend_cached_forward(AttendContext *context, const AttendShape *shape,
                                              const AttendCache *cache, AttendView query,
                                              const AttendOptions *options, AttendOutputView out,
                                              float *lse);

/* ------------------------------------------------------------------------------------------------
 * 5. Inside: plan, profile, taps
 */

#define ATTEND_REASON_SIZE 256

/* What one path says about a problem. */
typedef struct AttendPathVerdict {
  AttendStatus status;             /* OK: the path can run this problem */
  size_t workspace_bytes;          /* scratch that it would take; 0 if that is not known */
  size_t score_bytes;              /* the part of the scratch that holds whole score matrices */
  char reason[ATTEND_REASON_SIZE]; /* why it is taken, or why it is not */
} AttendPathVerdict;

/* What a call of the given size would do, without doing it. */
typedef struct AttendPlan {
  size_t struct_size;        /* set by the caller: sizeof(AttendPlan) */
  AttendPath path;           /* the path that would run; never AUTO in a plan that succeeded */
  AttendIsa isa;             /* of the context's kernels; the naive path uses none of them */
  AttendPrecision precision; /* of the context */
  size_t threads;            /* at most this many */
  size_t query_tile;         /* rows of a tile (br) of the tiled path, else 0 */
  size_t key_tile;           /* keys of a tile (bc) of the tiled path, else 0 */
  size_t workspace_bytes;    /* scratch of the whole call, alignment included */
  double core_flops;         /* 2 (D + Dv) per query head and visible pair */
  double projection_flops;   /* 2 * rows * in * out of both projections; 0 in a core plan */
  AttendPathVerdict verdicts[ATTEND_PATH_COUNT]; /* indexed by AttendPath; [AUTO] is not used */
} AttendPlan;

/* Plans a core call. options null takes the defaults. Set plan->struct_size = sizeof *plan before the
 * call. A call that fails has filled the verdicts of the paths that it asked, so that their reasons
 * can be shown.
 * Returns what attend_core_forward() would for the same arguments, pointers aside. */
ATTEND_API AttendStatus attend_plan_core(AttendContext *context, const AttendShape *shape,
                                         const AttendOptions *options, AttendPlan *plan);

/* Plans a layer call: `tokens` new tokens after `past` cached ones in every sequence. has_cache says
 * whether the call has a cache; without one `past` is not used. The workspace also suffices for
 * calls with fewer past tokens: where sequences differ, plan with the longest.
 * Sets *plan and returns as attend_plan_core() does. */
ATTEND_API AttendStatus attend_plan_layer(AttendContext *context, const AttendLayerShape *shape,
                                          size_t batch, size_t tokens, size_t past, bool has_cache,
                                          const AttendOptions *options, AttendPlan *plan);

/* Plans an attend_cached_forward() call over the cache as it is. Sets *plan and returns as
 * attend_plan_core() does, and SHAPE_MISMATCH if the shape is not the cache's. */
ATTEND_API AttendStatus attend_plan_cached(AttendContext *context, const AttendShape *shape,
                                           const AttendCache *cache, const AttendOptions *options,
                                           AttendPlan *plan);

/* Writes the plan as a few lines of text into text[0..size), terminated if size > 0. Returns the
 * length of the whole text without its terminator, as snprintf does. */
ATTEND_API size_t attend_describe_plan(const AttendPlan *plan, char *text, size_t size);

/* The phases of a call. The blas and naive paths report SCORES, SOFTMAX and WEIGHTED_SUM apart. The
 * tiled path fuses the three and reports ATTENTION; where it packs K and V tile by tile, that is
 * part of ATTENTION too. */
typedef enum AttendPhase {
  ATTEND_PHASE_QKV_PROJECTION = 0,
  ATTEND_PHASE_QK_NORM_ROPE = 1,
  ATTEND_PHASE_PACKING = 2, /* K and V into panels, unless tile by tile; append to a cache */
  ATTEND_PHASE_SCORES = 3,  /* scale * Q K^T, softcap, bias and mask */
  ATTEND_PHASE_SOFTMAX = 4,
  ATTEND_PHASE_WEIGHTED_SUM = 5, /* weights V */
  ATTEND_PHASE_ATTENTION = 6,    /* scores, softmax and weighted sum, fused */
  ATTEND_PHASE_OUTPUT_PROJECTION = 7,
} AttendPhase;
#define ATTEND_PHASE_COUNT 8

/* "qkv_projection", "qk_norm_rope", "packing", "scores", "softmax", "weighted_sum", "attention",
 * "output_projection". Null for a number outside the enum. */
ATTEND_API const char *attend_phase_name(AttendPhase phase);

/* Sums over the calls since the last reset. In a parallel region the seconds of a phase are the mean
 * over the threads, so that the phases add up to at most the call's time. flops counts visible pairs
 * only; bytes counts what the algorithm must move at least once. */
typedef struct AttendProfile {
  size_t calls;
  double seconds; /* whole calls */
  struct {
    double seconds, flops, bytes;
  } phases[ATTEND_PHASE_COUNT];
} AttendProfile;

/* Reads or clears the profile, which is all zero unless settings.profile was set. Clearing the
 * profile of a null context does nothing.
 * attend_get_profile() returns OK; NULL_POINTER. It writes no error sentence. */
ATTEND_API AttendStatus attend_get_profile(const AttendContext *context, AttendProfile *profile);
ATTEND_API void attend_reset_profile(AttendContext *context);

/* One intermediate matrix, handed to a tap: [rows, columns], element (r, c) at
 * data[r*row_stride + c]. Valid only while the tap runs. Its name is one of "query", "key", "value",
 * "scores", "capped_scores", "masked_scores", "weights", "context", "concat" and "output". */
typedef struct AttendMatrix {
  const char *name;
  size_t batch;     /* which sequence */
  size_t head;      /* which query head (key, value: which kv head); 0 for concat and output */
  size_t first_row; /* the query token of row 0; 0 unless attend_set_tap_rows() chose rows */
  size_t rows, columns, row_stride;
  const float *data;
} AttendMatrix;

/* Receives a matrix, and the pointer that was given to attend_set_tap(). */
typedef void (*AttendTap)(void *user, const AttendMatrix *matrix);

/* Makes later calls hand their intermediate matrices to `tap`, per sequence and head in order:
 * query, key, value, scores (scaled), capped_scores (if there is a softcap), masked_scores,
 * weights, context; then, in layer calls, concat and output of each sequence. These are modes 0 to
 * 3 of qk_matmul_output_mode in ONNX's Attention operator.
 *   naive   all of them, as it forms them. The heads then run one after the other.
 *   blas    scores to weights of all rows; concat and output
 *   tiled   scores to weights of the rows that attend_set_tap_rows() names (none by default), which
 *           its kernels form once more after the result; concat and output
 * A tap runs inside the call, in its thread. It must not call the library with the same context, and
 * cannot end the call early. tap null removes the tap.
 * Returns OK; NULL_POINTER (context is null). */
ATTEND_API AttendStatus attend_set_tap(AttendContext *context, AttendTap tap, void *user);

/* Restricts the matrices from scores to weights that a tap gets to query tokens first up to
 * first + count of each sequence, as far as it has them; a sequence that has none of them shows
 * matrices of 0 rows. count 0 (default): all rows in the naive and blas paths, none in the tiled
 * path. The workspace of a plan made afterwards includes what the tap needs.
 * Returns OK; NULL_POINTER (context is null). */
ATTEND_API AttendStatus attend_set_tap_rows(AttendContext *context, size_t first, size_t count);

/* ------------------------------------------------------------------------------------------------
 * 6. Models
 */

#define ATTEND_NAME_SIZE 64
#define ATTEND_MODEL_LAYERS 256

/* The attention layers of a published model. */
typedef struct AttendModel {
  char name[ATTEND_NAME_SIZE]; /* "qwen2.5-0.5b" */
  AttendLayerShape shape;
  bool qkv_bias;      /* W_q, W_k, W_v have biases */
  bool output_bias;   /* W_o has one */
  bool qk_norm;       /* heads of Q and K go through RMSNorm */
  bool sinks;         /* one learned sink per head */
  float norm_epsilon; /* of qk_norm */
  float scale;        /* of the scores; 0: 1/sqrt(D) */
  float softcap;      /* of the scores; 0: none */
  AttendRope rope;    /* tables are never set */
  size_t window;      /* keys a sliding layer sees, the query's own included; 0: no such layer */
  size_t layers;      /* attention layers in the model, at most ATTEND_MODEL_LAYERS */

  /* Bit l % 64 of word l / 64 says that layer l has the window. */
  uint64_t sliding[ATTEND_MODEL_LAYERS / 64];

  const char *source; /* where the figures are published; null for a model read from a file */
} AttendModel;

/* Sets scale, softcap and window of *options to those of layer `layer` of the model. The other
 * fields stay as they are: sinks are weights, so the caller sets them. Does nothing if the model has
 * no such layer. */
ATTEND_API void attend_model_options(const AttendModel *model, size_t layer,
                                     AttendOptions *options);

/* Sets RoPE of *source, and the epsilon of QK-norm if the model has QK-norm, to those of the model's
 * layers. The other fields stay as they are. */
ATTEND_API void attend_model_source(const AttendModel *model, AttendWeightSource *source);

/* The presets in a fixed order, index 0 to attend_model_count() - 1; null for any other index. */
ATTEND_API size_t attend_model_count(void);
ATTEND_API const AttendModel *attend_model_at(size_t index);

/* The preset of that name, whatever its case, or null. */
ATTEND_API const AttendModel *attend_find_model(const char *name);

/* ------------------------------------------------------------------------------------------------
 * 7. Machine
 */

/* The processor and the BLAS that the library found. */
typedef struct AttendMachine {
  char processor[64];                   /* brand string, "" if unknown */
  bool isa_built[ATTEND_ISA_COUNT];     /* this build has the kernels; [AUTO] is not used */
  bool isa_usable[ATTEND_ISA_COUNT];    /* and the processor and operating system allow them */
  AttendIsa isa_best;                   /* the one that AUTO takes in fp32 */
  size_t cores;                         /* cores that this process may run on */
  size_t openmp_threads;                /* threads that OpenMP would take */
  size_t l1d_bytes, l2_bytes, l3_bytes; /* cache sizes, 0 if unknown */
  char blas_config[128];                /* openblas_get_config() */
  char blas_version[16];                /* "0.3.21" */
  char blas_core[32];                   /* kernels in use: "SkylakeX", "Haswell", ... */
  int blas_threading;                   /* openblas_get_parallel(): 0 none, 1 pthreads, 2 OpenMP */
  size_t blas_threads;                  /* openblas_get_num_threads() */
} AttendMachine;

/* Fills *machine. Returns OK; NULL_POINTER (machine is null). */
ATTEND_API AttendStatus attend_describe_machine(AttendMachine *machine);

#ifdef __cplusplus
}
#endif
#endif
