#include "engine/engine.h"

#include <stdexcept>

#include "engine/machine.h"

namespace critmap {

namespace {

// What fails on one of several cards says on which.
std::string named(const Device& device, const std::string& what) {
  const std::string name = device.name();
  return name.empty() ? what : name + ": " + what;
}

void require_whole(const Device& device) {
  const std::string lost = device.lost();
  if (!lost.empty()) throw DeviceLost(named(device, lost));
}

}  // namespace

Engine::Engine(const ort::Library& library, size_t threads, std::vector<std::shared_ptr<Device>> devices)
    : library_(library),
      devices_(std::move(devices)),
      prepacked_(ort::make_prepacked_weights(library)),
      threads_(threads) {}

Engine::~Engine() { close(); }

void Engine::require_open() const {
  if (closed_) throw std::logic_error("the engine is closed");
}

size_t Engine::add_constant(std::shared_ptr<const Constant> constant) {
  const std::lock_guard lock(mutex_);
  require_open();
  constants_.push_back(std::move(constant));
  return constants_.size() - 1;
}

std::shared_ptr<const Constant> Engine::constant(size_t index) const {
  const std::lock_guard lock(mutex_);
  require_open();
  return index < constants_.size() ? constants_[index] : nullptr;
}

size_t Engine::reserve_session() {
  const std::lock_guard lock(mutex_);
  require_open();
  sessions_.push_back(nullptr);
  return sessions_.size() - 1;
}

void Engine::create_session(size_t index, std::string name, std::span<const uint8_t> model,
                            ort::Optimise optimise, ort::ConvolutionWeights weights,
                            std::vector<External> externals) {
  {
    // Closed while this waited for its thread: a session nobody wants takes a second to build.
    const std::lock_guard lock(mutex_);
    require_open();
  }
  const auto loaded = std::make_shared<LoadedSession>();
  loaded->name = std::move(name);
  std::vector<ort::Initializer> initializers;
  for (External& external : externals) {
    // The ABI has no read-only tensors; initialisers are only read.
    float* const data = const_cast<float*>(external.constant->values.data());
    loaded->values.push_back(ort::make_value(
        library_, library_.memory, data, external.constant->values.size() * sizeof(float), external.dims, 1));
    loaded->constants.push_back(std::move(external.constant));
    initializers.push_back({std::move(external.name), loaded->values.back().get()});
  }
  for (const std::shared_ptr<Device>& device : devices_) {
    try {
      // Weights that a provider's kernels repack are on its device.
      const ort::Provider* const provider = device->provider();
      loaded->copies.push_back(
          {device, std::make_unique<ort::Session>(library_, model, optimise, initializers,
                                                  provider ? nullptr : prepacked_.get(), provider, weights)});
    } catch (const ort::Error& error) {
      device->failed(error);
      require_whole(*device);
      const std::string text = named(*device, "session " + loaded->name + ": " + error.what());
      if (device->is_full(error)) throw DeviceFull(text);
      throw ort::Error(text, error.code);
    }
  }
  const std::lock_guard lock(mutex_);
  require_open();
  sessions_[index] = loaded;
}

void Engine::load(Program program) {
  const auto loaded = std::make_shared<Program>(std::move(program));
  {
    const std::lock_guard lock(mutex_);
    require_open();
    loaded->sessions = sessions_;
    for (size_t i = 0; i < loaded->constant_indices.size(); i++) {
      const size_t index = loaded->constant_indices[i];
      if (index >= constants_.size()) {
        throw std::out_of_range(entry("constants", i) + " must be less than the number of constants, " +
                                std::to_string(constants_.size()));
      }
      loaded->constants.push_back(constants_[index]);
    }
  }
  check(*loaded);
  const std::lock_guard lock(mutex_);
  require_open();
  bool busy = !queue_.empty();
  for (const auto& worker : workers_) busy = busy || !worker->jobs.empty();
  if (busy) throw std::logic_error("a program cannot be loaded while batches are running");
  program_ = loaded;
}

std::shared_ptr<const Program> Engine::program() const {
  const std::lock_guard lock(mutex_);
  return program_;
}

void Engine::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    require_open();
    size_t busy = queue_.size() + 1;
    for (const auto& worker : workers_) busy += worker->jobs.size();
    // Threads, and their tensors, come with the work for them.
    if (workers_.size() < std::min(most_workers(), busy)) add_worker();
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

size_t Engine::most_workers() const {
  size_t sum = 0;
  for (const auto& device : devices_) sum += std::min(threads_, device->most_workers());
  return sum;
}

// For the device that has the fewest of those that can use one more.
void Engine::add_worker() {
  std::vector<size_t> counts(devices_.size());
  for (const auto& worker : workers_) counts[worker->device]++;
  size_t chosen = devices_.size();
  for (size_t i = 0; i < devices_.size(); i++) {
    const bool free = counts[i] < std::min(threads_, devices_[i]->most_workers());
    if (free && (chosen == devices_.size() || counts[i] < counts[chosen])) chosen = i;
  }
  Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.device = chosen;
  try {
    worker.thread = std::thread([this, &worker] { work(worker); });
  } catch (...) {
    workers_.pop_back();
    throw;
  }
}

void Engine::work(Worker& worker) {
  std::unique_ptr<Machine> machine;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return closed_ || !queue_.empty() || !worker.jobs.empty(); });
    std::unique_ptr<Job> ended;
    // The next job begins before the last one is waited for, so that a card never lacks work.
    if (!queue_.empty() && worker.jobs.size() < (machine ? machine->depth() : 1)) {
      worker.jobs.push_back(std::move(queue_.front()));
      queue_.pop_front();
      if (begin(worker, machine, lock)) continue;
      ended = std::move(worker.jobs.back());
      worker.jobs.pop_back();
    } else if (!worker.jobs.empty()) {
      Job& oldest = *worker.jobs.front();
      lock.unlock();
      machine->finish(oldest);
      lock.lock();
      ended = std::move(worker.jobs.front());
      worker.jobs.pop_front();
    } else {
      return;
    }
    if (ended->outcome == Job::Outcome::failed) ended->error = named(*devices_[worker.device], ended->error);
    lock.unlock();
    // Out of the lock, since it may call back.
    const auto done = std::move(ended->done);
    done(std::move(ended));
    lock.lock();
  }
}

// Begins the newest of the worker's jobs, out of the lock; false if it ended with that.
bool Engine::begin(Worker& worker, std::unique_ptr<Machine>& machine, std::unique_lock<std::mutex>& lock) {
  Job& job = *worker.jobs.back();
  Device& device = *devices_[worker.device];
  bool begun = false;
  lock.unlock();
  try {
    if (const std::string lost = device.lost(); !lost.empty()) throw DeviceLost(lost);
    if (!machine) {
      try {
        machine = std::make_unique<Machine>(library_, device, worker.device, counters_);
      } catch (const std::exception& error) {
        device.failed(error);
        throw;
      }
    }
    lock.lock();
    // Jobs cancelled before this are seen by their flag.
    worker.run_options = machine->run_options();
    library_.check(library_.api.RunOptionsUnsetTerminate(worker.run_options));
    lock.unlock();
    begun = machine->begin(job);
  } catch (const std::exception& error) {
    Machine::fail(job, device, error);
  }
  if (!lock.owns_lock()) lock.lock();
  worker.run_options = nullptr;
  return begun;
}

// Under the lock, so that no worker takes another job meanwhile.
void Engine::stop_running() {
  for (const auto& worker : workers_) {
    for (const auto& job : worker->jobs) job->cancelled = true;
    if (worker->run_options) {
      OrtStatus* const status = library_.api.RunOptionsSetTerminate(worker->run_options);
      if (status) library_.api.ReleaseStatus(status);
    }
  }
}

void Engine::cancel() {
  std::deque<std::unique_ptr<Job>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(queue_);
    stop_running();
  }
  for (std::unique_ptr<Job>& job : waiting) {
    job->outcome = Job::Outcome::cancelled;
    const auto done = std::move(job->done);
    done(std::move(job));
  }
}

void Engine::close() {
  const std::lock_guard closing(closing_);
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  cancel();
  wake_.notify_all();
  for (const auto& worker : workers_) worker->thread.join();
  const std::lock_guard lock(mutex_);
  workers_.clear();
  program_ = nullptr;
  sessions_.clear();
  constants_.clear();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats{most_workers(),     0,  0,      program_ ? program_->slot_bytes() : 0, queue_.size(), 0,
                    counters_.computed, {}, closed_};
  for (size_t i = 0; i < stages.size(); i++) stats.stage_seconds[i] = double(counters_.nanoseconds[i]) / 1e9;
  for (const auto& session : sessions_) stats.sessions += session != nullptr;
  for (const auto& constant : constants_) stats.constant_bytes += constant->values.size() * sizeof(float);
  for (const auto& worker : workers_) stats.running += worker->jobs.size();
  return stats;
}

}  // namespace critmap
