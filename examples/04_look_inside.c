/* What a call does: its plan beforehand, its matrices on the way, its phases afterwards. */
#include <attend/attend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 5, HEADS = 2, DIM = 4 };

/* Called with every matrix of the call, by name, sequence and head. */
static void print_matrix(void *user, const AttendMatrix *m) {
  const char *const wanted = user;
  printf("%-13s head %zu  [%zu, %zu]\n", m->name, m->head, m->rows, m->columns);
  if (strcmp(m->name, wanted) != 0) return;
  for (size_t r = 0; r < m->rows; r++) {
    for (size_t c = 0; c < m->columns; c++) printf("%8.4f", (double)m->data[r * m->row_stride + c]);
    putchar('\n');
  }
}

static void print_plan(const AttendPlan *plan) {
  char text[2048];
  attend_describe_plan(plan, text, sizeof text);
  puts(text);
}

static void print_profile(const AttendContext *context) {
  AttendProfile profile;
  if (attend_get_profile(context, &profile) != ATTEND_OK) return;
  for (int p = 0; p < ATTEND_PHASE_COUNT; p++) {
    if (profile.phases[p].seconds == 0) continue;
    printf("%-18s %8.2f us %8.0f flops\n", attend_phase_name((AttendPhase)p),
           1e6 * profile.phases[p].seconds, profile.phases[p].flops);
  }
}

int main(void) {
  /* Q, K and V side by side in one buffer [TOKENS, 3, HEADS, DIM], as a fused projection leaves
   * them. */
  float qkv[TOKENS * 3 * HEADS * DIM], out[TOKENS * HEADS * DIM];
  for (size_t i = 0; i < sizeof qkv / sizeof *qkv; i++)
    qkv[i] = 4 * ((float)rand() / (float)RAND_MAX - 0.5f);
  const size_t row = 3 * HEADS * DIM;
  const AttendView query = {qkv, 0, row, DIM}, key = {qkv + HEADS * DIM, 0, row, DIM},
                   value = {qkv + 2 * HEADS * DIM, 0, row, DIM};
  const AttendShape shape = {1, TOKENS, TOKENS, HEADS, HEADS, DIM, DIM};

  AttendSettings settings;
  attend_default_settings(&settings);
  settings.profile = true;
  settings.path = ATTEND_PATH_NAIVE; /* the path that forms every matrix */
  AttendContext *context = NULL;
  AttendPlan plan = {.struct_size = sizeof plan};
  char wanted[] = "weights"; /* the matrix whose numbers are printed; of the others the shape */

  AttendStatus status = attend_open(&context, &settings);
  if (!status) status = attend_plan_core(context, &shape, NULL, &plan);
  if (!status) print_plan(&plan);
  if (!status) status = attend_set_tap(context, print_matrix, wanted);
  if (!status)
    status = attend_core_forward(context, &shape, query, key, value, NULL,
                                 attend_output_bnhd(out, TOKENS, HEADS, DIM), NULL);
  if (status)
    fprintf(stderr, "%s\n", context ? attend_get_error(context) : attend_status_message(status));
  else
    print_profile(context);
  attend_close(&context);
  return status != ATTEND_OK;
}
