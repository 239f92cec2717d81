// emulation-misuse CASE: does with two emulated cards what the emulation has to end the process for, or to
// refuse. `wait` is what it has to let pass. Exit code 0 if it went on.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "cuda/launch.h"
#include "cuda/runtime.h"
#include "emulation.h"

namespace {

using namespace critmap::cuda;

__global__ void write(float* at) { *at = 1; }

std::atomic<bool> working = false;
__global__ void take_time(float* at) {
  working = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  *at = 1;
}

// One float on a card, and a stream of it.
struct Card {
  explicit Card(int index) : stream((use_device(index), Stream())), memory(sizeof(float)) {}
  float* data() const { return memory.as<float>(); }
  Stream stream;
  DeviceMemory memory;
};

// Another thread, which uses card `used`, touches the second card's memory while the first one works.
void touch_meanwhile(Card& first, Card& second, int used) {
  work_at_once();
  std::thread other([&] {
    use_device(used);
    while (!working) std::this_thread::yield();
    *second.data() = 2;
  });
  use_device(0);
  check(launch(take_time, 1, 1, first.stream.handle(), first.data()), "starting a kernel");
  other.join();
}

void misuse(const char* what) {
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
  if (is("wait")) touch_meanwhile(first, second, 1);
  if (is("thread")) touch_meanwhile(first, second, 0);
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
    misuse(arguments[1]);
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return 0;
}
