#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace critmap::cuda {
namespace {

// Long enough to hide what a copy costs besides, short enough that the host's part of it is soon done.
constexpr size_t half_bytes = size_t(4) << 20;

}  // namespace

struct Staging::Half {
  PinnedMemory memory{half_bytes};
  Event free;
};

Staging::Staging() = default;
Staging::~Staging() = default;

Staging::Half& Staging::next() {
  std::unique_ptr<Half>& half = halves_[used_++ % 2];
  if (!half) half = std::make_unique<Half>();
  half->free.synchronize();
  return *half;
}

void Staging::upload(Stream& stream, void* device, const void* host, size_t bytes) {
  for (size_t at = 0; at < bytes; at += half_bytes) {
    const size_t part = std::min(half_bytes, bytes - at);
    Half& half = next();
    memcpy(half.memory.data(), static_cast<const std::byte*>(host) + at, part);
    stream.upload(static_cast<std::byte*>(device) + at, half.memory.data(), part);
    half.free.record(stream);
  }
}

void Staging::download(Stream& stream, void* host, const void* device, size_t bytes) {
  Half* before = nullptr;
  size_t from = 0;
  // What the half before has, while the card fills the next one.
  const auto empty = [&](size_t part) {
    before->free.synchronize();
    memcpy(static_cast<std::byte*>(host) + from, before->memory.data(), part);
    from += part;
  };
  for (size_t at = 0; at < bytes; at += half_bytes) {
    Half& half = next();
    stream.download(half.memory.data(), static_cast<const std::byte*>(device) + at,
                    std::min(half_bytes, bytes - at));
    half.free.record(stream);
    if (before) empty(half_bytes);
    before = &half;
  }
  if (before) empty(bytes - from);
}

}  // namespace critmap::cuda
