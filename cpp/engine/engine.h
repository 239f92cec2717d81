// Sessions, constants and the worker threads that take batches through a program. All calls may come from any
// thread. Owns everything but the library; constants, and the sessions of each device, are shared by workers
// and never change, so results do not depend on how many workers or devices of one kind there are.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "engine/counters.h"
#include "engine/job.h"
#include "engine/workspace.h"

namespace critmap {

class Machine;

struct EngineStats {
  size_t threads, sessions, constant_bytes;
  // Of one worker.
  size_t slot_bytes;
  size_t queued, running;
  // Since the engine was opened; see Counters.
  uint64_t computed;
  // By stage, of all workers together.
  std::array<double, stages.size()> stage_seconds;
  bool closed;
};

class Engine {
 public:
  // One device or more. Each has at most `threads` workers, or as many as it can use; all take from one
  // queue.
  Engine(const ort::Library& library, size_t threads, std::vector<std::shared_ptr<Device>> devices);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const ort::Library& library() const { return library_; }

  // Indices count from 0 in the order of the calls.
  size_t add_constant(std::shared_ptr<const Constant> constant);
  std::shared_ptr<const Constant> constant(size_t index) const;
  size_t reserve_session();

  // A tensor that the model keeps outside its file, taken from a constant.
  struct External {
    std::string name;
    std::shared_ptr<const Constant> constant;
    std::vector<int64_t> dims;
  };
  // Builds the session reserved as `index`, on every device; takes long, several threads may build at once.
  void create_session(size_t index, std::string name, std::span<const uint8_t> model, ort::Optimise optimise,
                      ort::ConvolutionWeights weights, std::vector<External> externals);

  // Checks the program (std::out_of_range) and makes it the one that jobs run. Throws std::logic_error while
  // there are jobs.
  void load(Program program);
  std::shared_ptr<const Program> program() const;

  // Queues a job that fits program(). Throws std::logic_error if the engine is closed.
  void submit(std::unique_ptr<Job> job);
  // All jobs there are end as cancelled: waiting ones now, running ones before their next node.
  void cancel();
  // Cancels, waits for the workers and frees everything; later calls return at once.
  void close();
  EngineStats stats() const;

 private:
  struct Worker {
    // Among the engine's.
    size_t device;
    std::thread thread;
    // Those that it has taken, oldest first.
    std::deque<std::unique_ptr<Job>> jobs;
    // While it begins one.
    OrtRunOptions* run_options = nullptr;
  };

  void work(Worker& worker);
  bool begin(Worker& worker, std::unique_ptr<Machine>& machine, std::unique_lock<std::mutex>& lock);
  void add_worker();
  size_t most_workers() const;
  void stop_running();
  void require_open() const;

  const ort::Library& library_;
  const std::vector<std::shared_ptr<Device>> devices_;
  const ort::PrepackedWeights prepacked_;
  mutable std::mutex mutex_;
  std::mutex closing_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<const Constant>> constants_;
  std::vector<std::shared_ptr<const LoadedSession>> sessions_;
  std::shared_ptr<const Program> program_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::vector<std::unique_ptr<Worker>> workers_;
  size_t threads_;
  Counters counters_;
  bool closed_ = false;
};

}  // namespace critmap
