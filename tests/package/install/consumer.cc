// A host program in C++, compiled by tests/package/check_install.sh against the installed tree.
//
// With equal keys every visible token weighs the same: a causal row is the mean of the values so far,
// and its log-sum-exp exceeds the score by the log of their number.
#include <attend/attend.h>
#include <attend/io.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

bool near(double found, double expected) {
  if (std::fabs(found - expected) <= 1e-5) return true;
  std::fprintf(stderr, "consumer: found %.9g, expected %.9g\n", found, expected);
  return false;
}

bool check_core(AttendContext *context) {
  const std::size_t tokens = 5;
  const AttendShape shape = {1, tokens, tokens, 2, 1, 1, 1};
  const std::vector<float> query(tokens * 2, 3.0f), key(tokens, 0.5f);
  const std::vector<float> value = {1, -4, 2, 8, 16};
  std::vector<float> out(tokens * 2), lse(tokens * 2);
  AttendOptions options;
  attend_default_options(&options);
  const AttendStatus status = attend_core_forward(
      context, &shape, attend_view_bnhd(query.data(), tokens, 2, 1),
      attend_view_bnhd(key.data(), tokens, 1, 1), attend_view_bnhd(value.data(), tokens, 1, 1),
      &options, attend_output_bhnd(out.data(), tokens, 2, 1), lse.data());
  if (status != ATTEND_OK) {
    std::fprintf(stderr, "consumer: %s\n", attend_get_error(context));
    return false;
  }
  bool good = true;
  double sum = 0;
  for (std::size_t i = 0; i < tokens; i++) {
    sum += value[i];
    const double seen = static_cast<double>(i + 1);
    for (std::size_t head = 0; head < 2; head++) {
      good &= near(out[head * tokens + i], sum / seen);
      good &= near(lse[head * tokens + i], 1.5 + std::log(seen));
    }
  }
  return good;
}

bool check_io() {
  AttendModel model;
  std::string error(ATTEND_FILE_ERROR_SIZE, '\0');
  const AttendStatus status =
      attend_read_config("/nonexistent/config.json", &model, &error[0], error.size());
  if (status == ATTEND_STATUS_FILE_UNREADABLE && error[0] != '\0') return true;
  std::fprintf(stderr, "consumer: a missing file gave %s\n", attend_status_name(status));
  return false;
}

} // namespace

int main() {
  AttendContext *context = nullptr;
  const AttendStatus status = attend_open(&context, nullptr);
  if (status != ATTEND_OK) {
    std::fprintf(stderr, "consumer: %s\n", attend_status_message(status));
    return 1;
  }
  const bool core = check_core(context);
  attend_close(&context);
  return core && check_io() ? 0 : 1;
}
