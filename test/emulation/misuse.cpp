// emulation-misuse CASE: does with two emulated cards what the emulation has to end the process for, or to
// refuse. Exit code 0 if it went on.
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "cuda/launch.h"
#include "cuda/runtime.h"
#include "emulation.h"

namespace {

using namespace critmap::cuda;

__global__ void write(float* at) { *at = 1; }

// One float on a card, and a stream of it.
struct Card {
  explicit Card(int index) : stream((use_device(index), Stream())), memory(sizeof(float)) {}
  float* data() const { return memory.as<float>(); }
  Stream stream;
  DeviceMemory memory;
};

__global__ void count_late(float* at, int* late) {
  if (*at != 0) *late += 1;
  *at = 1;
}

// How often a stream's kernels read what the legacy stream had to clear before.
int times_late(Card& card, Stream::Kind kind) {
  Stream stream(kind);
  int late = 0;
  for (int i = 0; i < 100; i++) {
    check(cudaMemset(card.data(), 0, sizeof(float)), "clearing");
    check(launch(count_late, 1, 1, stream.handle(), card.data(), &late), "starting a kernel");
  }
  stream.synchronize();
  return late;
}

// Of what a blocking stream has queued, how often the legacy stream was earlier.
bool waits_for_others(Card& card) {
  card.stream.fill(card.data(), 0xff, sizeof(float));
  for (int i = 0; i < 100; i++) {
    check(launch(write, 1, 1, card.stream.handle(), card.data()), "starting a kernel");
    check(cudaMemset(card.data(), 0, sizeof(float)), "clearing");
  }
  float found = 2;
  card.stream.download(&found, card.data(), sizeof(float));
  card.stream.synchronize();
  return found == 0;
}

void try_out(const char* what) {
  Card first(0), second(1);
  const float value = 1;
  const auto is = [&](const char* name) { return std::strcmp(what, name) == 0; };
  use_device(0);
  if (is("copy")) first.stream.upload(second.data(), &value, sizeof(value));
  if (is("copy-over")) first.stream.copy(second.data(), first.data(), sizeof(value));
  if (is("fill")) first.stream.fill(second.data(), 0, sizeof(value));
  if (is("kernel")) check(launch(write, 1, 1, first.stream.handle(), second.data()), "starting a kernel");
  if (is("launch")) check(launch(write, 1, 1, second.stream.handle(), second.data()), "starting a kernel");
  if (is("event")) Event().record(second.stream);
  if (is("host")) *first.data() = value;
  if (is("run")) check(run_on(first.stream.handle(), [&] { *second.data() = 1; }), "computing");
  if (is("own-run")) check(run_on(first.stream.handle(), [&] { *first.data() = 1; }), "computing");
  if (is("ordered") && (times_late(first, Stream::Kind::ordered) > 0 || !waits_for_others(first)))
    throw std::runtime_error("not in order with the legacy stream");
  if (is("beside") && times_late(first, Stream::Kind::beside) > 0)
    throw std::runtime_error("not in order with the legacy stream");
  if (is("fault")) {
    for (int i = 0; i < 3; i++) first.stream.fill(first.data(), 0, sizeof(float));
    first.stream.synchronize();
  }
  if (is("device")) use_device(2);
  if (is("memory")) {
    use_device(1);
    DeviceMemory(size_t(17) << 20);
  }
  first.stream.synchronize();
  second.stream.synchronize();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  try {
    try_out(arguments[1]);
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return 0;
}
