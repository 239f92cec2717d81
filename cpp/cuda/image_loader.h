// Batches of images on their way to a card, beside what it computes: copied to pinned memory, uploaded on a
// stream of their own, and normalised into the model's input on the stream that computes. There are two
// places for batches, so one is uploaded while the one before is still read. Calls only queue, unless more
// than two batches are loaded before the first of them is read, or more memory is needed than ever before:
// they wait for that. Owns the memory on the way.
#pragma once

#include <memory>
#include <span>

#include "cuda/runtime.h"

namespace critmap::cuda {

class ImageLoader {
 public:
  // On the device in use, which has `compute` too; work there from now on must not outlive this.
  explicit ImageLoader(Stream& compute) : compute_(compute) {}
  ~ImageLoader();

  // As they are. `most`: as many numbers as may come at once, for which memory is taken now.
  void load(std::span<const float> values, float* input, size_t most = 0);
  // `images` of them, images x pixels x channels, to images x channels x pixels; the table has 256 values for
  // each channel.
  void load(std::span<const uint8_t> pixels, size_t images, std::span<const float> table, float* input,
            size_t most = 0);

 private:
  struct Place {
    std::unique_ptr<PinnedMemory> pinned;
    std::unique_ptr<DeviceMemory> device;
    // The upload is there; nothing reads it any more.
    Event uploaded, consumed;
  };

  Place& next_place(size_t bytes);
  void upload(Place& place, size_t bytes);

  Stream& compute_;
  Stream uploads_{Stream::Kind::beside};
  Place places_[2];
  size_t turn_ = 0;
};

}  // namespace critmap::cuda
