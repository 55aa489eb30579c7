/* json.c - makes the pieces; owns the names of the members of `machine` and of the peaks. */
#include "cli/util/json.h"

json_t *json_text_or_null(const char *text) {
  json_t *const string = *text ? json_string(text) : NULL;
  return string ? string : json_null();
}

json_t *json_count_or_null(size_t count) {
  return count ? json_integer((json_int_t)count) : json_null();
}

json_t *json_figure_or_null(bool known, double figure) {
  json_t *const number = known ? json_real(figure) : NULL;
  return number ? number : json_null();
}

void json_append(json_t **array, json_t *value) {
  if (json_array_append_new(*array, value) == 0) return;
  json_decref(*array);
  *array = NULL;
}

void json_set(json_t **object, const char *name, json_t *value) {
  if (json_object_set_new(*object, name, value) == 0) return;
  json_decref(*object);
  *object = NULL;
}

json_t *json_time(time_t moment) {
  char text[32];
  struct tm utc;
  gmtime_r(&moment, &utc);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return json_string(text);
}

json_t *json_machine(const AttendMachine *machine) {
  json_t *isas = json_array();
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++)
    if (machine->isa_usable[isa]) json_append(&isas, json_string(attend_isa_name((AttendIsa)isa)));
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "processor",
      json_text_or_null(machine->processor), "cores", json_count_or_null(machine->cores),
      "openmp_threads", json_count_or_null(machine->openmp_threads), "isas", isas, "isa_best",
      attend_isa_name(machine->isa_best), "l1d_bytes", json_count_or_null(machine->l1d_bytes),
      "l2_bytes", json_count_or_null(machine->l2_bytes), "l3_bytes",
      json_count_or_null(machine->l3_bytes));
}

json_t *json_peaks(const double gflops[static ATTEND_ISA_COUNT]) {
  json_t *object = json_object();
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++)
    json_set(&object, attend_isa_name((AttendIsa)isa),
             json_figure_or_null(gflops[isa] > 0, gflops[isa]));
  return object;
}
