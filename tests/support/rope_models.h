/* rope_models.h - RoPE as published models set it, and the same setting in the oracle's words. */
#ifndef ATTEND_TESTS_SUPPORT_ROPE_MODELS_H
#define ATTEND_TESTS_SUPPORT_ROPE_MODELS_H

#include "attend/attend.h"
#include "bench/oracle/oracle_rope.h"

typedef struct RopeModel {
  const char *name;
  size_t head_dim;
  AttendRope rope;
} RopeModel;

/* Model number `index`, false beyond the last. */
bool rope_model(size_t index, RopeModel *model);

/* The model of that name, which there must be. */
AttendRope rope_of_model(const char *name);

/* The oracle's form of a setting for heads of head_dim. */
OracleRope oracle_of_rope(const AttendRope *rope, size_t head_dim);

#endif
