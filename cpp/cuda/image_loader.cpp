#include "cuda/image_loader.h"

#include <algorithm>
#include <cstring>

#include "cuda/kernels.h"

namespace critmap::cuda {

ImageLoader::~ImageLoader() {
  // Memory goes when nothing uses it any more; what failed before was reported then.
  for (Stream* const stream : {&uploads_, &compute_}) {
    try {
      stream->synchronize();
    } catch (const Error&) {
    }
  }
}

void ImageLoader::load(std::span<const float> values, float* input, size_t most) {
  Place& place = next_place(std::max(most * sizeof(float), values.size_bytes()));
  memcpy(place.pinned->data(), values.data(), values.size_bytes());
  upload(place, values.size_bytes());
  compute_.copy(input, place.device->data(), values.size_bytes());
  place.consumed.record(compute_);
}

void ImageLoader::load(std::span<const uint8_t> pixels, size_t images, std::span<const float> table,
                       float* input, size_t most) {
  if (images == 0) return;
  // One copy for both: the table first, for its alignment.
  const size_t bytes = table.size_bytes() + pixels.size_bytes(), channels = table.size() / 256;
  Place& place = next_place(std::max(table.size_bytes() + most, bytes));
  memcpy(place.pinned->data(), table.data(), table.size_bytes());
  memcpy(place.pinned->data() + table.size_bytes(), pixels.data(), pixels.size_bytes());
  upload(place, bytes);
  normalize(compute_, place.device->as<uint8_t>() + table.size_bytes(), images,
            pixels.size() / images / channels, channels, place.device->as<float>(), input);
  place.consumed.record(compute_);
}

// The place that was used longest ago, when nothing uses it any more.
ImageLoader::Place& ImageLoader::next_place(size_t bytes) {
  Place& place = places_[turn_++ % std::size(places_)];
  if (!place.device || place.device->bytes() < bytes) {
    uploads_.synchronize();
    compute_.synchronize();
    // All at once, so that the next batch need not wait for this one.
    for (Place& each : places_) {
      each.pinned = std::make_unique<PinnedMemory>(bytes);
      each.device = std::make_unique<DeviceMemory>(bytes);
    }
  }
  // The host's wait serves the copy too: it is queued after it.
  place.consumed.synchronize();
  return place;
}

void ImageLoader::upload(Place& place, size_t bytes) {
  uploads_.upload(place.device->data(), place.pinned->data(), bytes);
  place.uploaded.record(uploads_);
  compute_.wait(place.uploaded);
}

}  // namespace critmap::cuda
