#include "onnxruntime/nvidia_environment.h"

#include <cstdlib>
#include <mutex>

#include "onnxruntime/library.h"

namespace critmap::ort {
namespace {

constexpr const char* tf32_variable = "NVIDIA_TF32_OVERRIDE";

// Two workspaces of 4 MiB and eight of 16 KiB, what cuBLAS takes on cards before Hopper. Every session has a
// handle of its own, and on Hopper each would take 32 MiB: 2 GB for 60 sessions.
constexpr const char *workspaces_variable = "CUBLAS_WORKSPACE_CONFIG", *workspaces = ":4096:2:16:8";

bool wants_tf32(Precision precision) { return precision == Precision::tf32; }

void set(const char* name, const char* value) {
#if defined(_WIN32)
  _putenv_s(name, value);
#else
  setenv(name, value, 1);
#endif
}

}  // namespace

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::fp16:
      return "fp16";
  }
  return "";
}

Tf32Decision decide_tf32(Precision asked, std::optional<Precision> fixed, const char* variable) {
  const std::string name = name_of(asked), value = variable ? variable : "";
  if (fixed && wants_tf32(*fixed) != wants_tf32(asked)) {
    return {false, "this process has opened a card for " + std::string(name_of(*fixed)) +
                       ", and NVIDIA's libraries learn only once whether they may use TF32; compute in " +
                       name + " in another process"};
  }
  if (fixed) return {false, {}};
  const std::string set_to = std::string(tf32_variable) + "=" + value + " in the environment ";
  if (wants_tf32(asked)) {
    if (value != "0") return {false, {}};
    return {false, set_to + "forbids TF32; unset it, or compute in fp32 (--precision fp32)"};
  }
  if (value.empty()) return {true, {}};
  if (value == "0") return {false, {}};
  return {false, set_to + "may have NVIDIA's libraries compute float32 in TF32, which " + name +
                     " must not; unset it, or compute in tf32 (--precision tf32)"};
}

void tell_nvidia(Precision precision) {
  static std::mutex mutex;
  static std::optional<Precision> fixed;
  const std::lock_guard lock(mutex);
  const Tf32Decision decision = decide_tf32(precision, fixed, std::getenv(tf32_variable));
  if (!decision.refusal.empty()) throw Error(decision.refusal, 0);
  if (decision.forbid) set(tf32_variable, "0");
  if (!std::getenv(workspaces_variable)) set(workspaces_variable, workspaces);
  if (!fixed) fixed = precision;
}

}  // namespace critmap::ort
