// Runs a grid on one processor. A thread goes on until it waits for others; then another one runs, on a stack
// of its own. Threads start in rising order in one launch and in falling order in the next, so a result that
// depends on the order does not stay the same. Waiting that never ends, as when not all threads of a block
// come to a barrier, ends the process.
#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr size_t stack_bytes = 256 << 10;

struct Barrier {
  unsigned arrived = 0;
  uint64_t generation = 0;
};

// Runs threads of the block, one after the other as long as none waits.
struct Fiber {
  // How it starts, and where it goes on: jumps need no system call.
  ucontext_t context;
  jmp_buf place;
  bool started = false;
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  unsigned thread = 0;
  bool idle = true;
  const Barrier* waits_for = nullptr;
  uint64_t generation = 0;
};

struct Block {
  const std::function<void()>* kernel;
  bool falling;
  unsigned next, finished;
  Barrier all;
  std::vector<Barrier> warps;
  std::vector<uint64_t> bits;
};

jmp_buf scheduler;
// Never destroyed: a thread may still run a grid when the process exits.
std::vector<std::unique_ptr<Fiber>>& fibers = *new std::vector<std::unique_ptr<Fiber>>;
Fiber* current = nullptr;
Block& block = *new Block;
bool falling = false;

void pause() {
  if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

void work() {
  for (;;) {
    while (block.next < blockDim.x) {
      const unsigned thread = block.next++;
      current->thread = block.falling ? blockDim.x - 1 - thread : thread;
      threadIdx = {current->thread, 0, 0};
      (*block.kernel)();
      block.finished++;
    }
    current->idle = true;
    pause();
  }
}

void resume(Fiber& fiber) {
  current = &fiber;
  threadIdx = {fiber.thread, 0, 0};
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.place, 1);
  fiber.started = true;
  setcontext(&fiber.context);
}

Fiber& idle_fiber() {
  for (const auto& fiber : fibers) {
    if (fiber->idle) return *fiber;
  }
  Fiber& fiber = *fibers.emplace_back(std::make_unique<Fiber>());
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = stack_bytes;
  makecontext(&fiber.context, work, 0);
  return fiber;
}

void wait(Barrier& barrier, unsigned expected) {
  if (++barrier.arrived == expected) {
    barrier.arrived = 0;
    barrier.generation++;
    return;
  }
  Fiber& fiber = *current;
  fiber.waits_for = &barrier;
  fiber.generation = barrier.generation;
  pause();
  fiber.waits_for = nullptr;
}

void run_block(const std::function<void()>& kernel) {
  block.kernel = &kernel;
  block.falling = falling;
  block.next = block.finished = 0;
  block.all = {};
  block.warps.assign((blockDim.x + 31) / 32, {});
  block.bits.assign(blockDim.x, 0);
  while (block.finished < blockDim.x) {
    bool moved = false;
    while (block.next < blockDim.x) {
      Fiber& fiber = idle_fiber();
      fiber.idle = false;
      resume(fiber);
      moved = true;
    }
    for (size_t i = 0; i < fibers.size(); i++) {
      Fiber& fiber = *fibers[i];
      if (fiber.idle || !fiber.waits_for || fiber.waits_for->generation == fiber.generation) continue;
      resume(fiber);
      moved = true;
    }
    if (!moved) {
      std::fprintf(stderr, "emulation: block %u waits for threads that never come\n", blockIdx.x);
      std::abort();
    }
  }
}

}  // namespace

void run_grid(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
  for (unsigned i = 0; i < blocks; i++) {
    blockIdx = {falling ? blocks - 1 - i : i, 0, 0};
    run_block(kernel);
  }
  falling = !falling;
}

void __syncthreads() { wait(block.all, blockDim.x); }

uint64_t emulated_shuffle_down(uint64_t bits, unsigned distance, int width) {
  const unsigned thread = threadIdx.x, lane = thread % unsigned(width);
  Barrier& warp = block.warps[thread / 32];
  const unsigned first = thread / 32 * 32, size = std::min(32u, blockDim.x - first);
  block.bits[thread] = bits;
  wait(warp, size);
  const unsigned from = lane + distance < unsigned(width) ? thread + distance : thread;
  const uint64_t taken = block.bits[from];
  wait(warp, size);
  return taken;
}
