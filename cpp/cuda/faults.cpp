#include "cuda/faults.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "cuda/runtime.h"

namespace critmap::cuda {
namespace {

// Cards that do nothing more for this process, by number, with what failed first.
class LostCards {
 public:
  std::string reason(int card) const {
    const std::lock_guard lock(mutex_);
    const auto found = reasons_.find(card);
    return found == reasons_.end() ? std::string() : found->second;
  }
  void add(int card, const std::string& what) {
    const std::lock_guard lock(mutex_);
    reasons_.emplace(card, what + ". CUDA does nothing more on this card for this process");
  }
  static LostCards& all() {
    static LostCards& cards = *new LostCards;
    return cards;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, std::string> reasons_;
};

// A cudaError_t; 0 where the failure is none of CUDA's. ONNX Runtime's message names it.
int status_of(const std::exception& error) {
  if (const auto* const own = dynamic_cast<const Error*>(&error)) return own->code;
  constexpr const char* words = "CUDA failure ";
  const char* const found = strstr(error.what(), words);
  return found ? atoi(found + strlen(words)) : 0;
}

}  // namespace

std::string lost_reason(int card) { return LostCards::all().reason(card); }

bool note_failure(int card, const std::exception& error) {
  const bool is_lasting = lasts(status_of(error));
  if (is_lasting) LostCards::all().add(card, error.what());
  return is_lasting;
}

void note_failure(int card, const std::exception& error, const std::exception& found) {
  if (lasts(status_of(found)))
    LostCards::all().add(card, std::string(error.what()) + " (" + found.what() + ")");
}

bool is_of_memory(const std::exception& error) {
  if (is_memory(status_of(error))) return true;
  // ONNX Runtime's arena, cuDNN and cuBLAS.
  for (const char* const words :
       {"Failed to allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"}) {
    if (strstr(error.what(), words)) return true;
  }
  return false;
}

}  // namespace critmap::cuda
