/* fuzz_npy.c - any bytes as a .npy file; what is read must be as long as it says. */
#include "tests/fuzz/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendArray array;
  const AttendStatus status = attend_read_npy(fuzz_path(data, size), &array, error, sizeof error);
  fuzz_judge(status, error);
  if (status != ATTEND_OK) return 0;
  size_t count = 1;
  for (size_t i = 0; i < array.rank; i++) count *= array.dims[i];
  require(count <= size && (array.data == NULL) == (count == 0));
  volatile float last = 0;
  for (size_t i = 0; i < count; i++) last = array.data[i];
  (void)last;
  attend_free_array(&array);
  return 0;
}
