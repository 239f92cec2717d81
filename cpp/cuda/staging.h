// Copies between a card and memory that is not pinned, which CUDA alone would copy slowly and hold the caller
// up for: through pinned memory in two halves, of which the card has one while the host fills or empties the
// other.
#pragma once

#include <memory>

#include "cuda/runtime.h"

namespace critmap::cuda {

class Staging {
 public:
  Staging();
  // The halves must not be in use: of a stream that is done.
  ~Staging();

  // `host` may go when this returns; the copy is queued.
  void upload(Stream& stream, void* device, const void* host, size_t bytes);
  // Waits for the copy.
  void download(Stream& stream, void* host, const void* device, size_t bytes);

 private:
  struct Half;
  // The one that was used longer ago, when the card is done with it.
  Half& next();

  std::unique_ptr<Half> halves_[2];
  size_t used_ = 0;
};

}  // namespace critmap::cuda
