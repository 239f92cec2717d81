// Cards, memory, streams and errors of the emulated runtime. An allocation ends where a page ends that cannot
// be touched, up to the 256 bytes that it is rounded to, and those are checked when it is freed; its pages
// can be touched only while work of its card's streams is done.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.h"

struct CUstream_st {
  int card;
  // Beside the legacy default stream, or in order with it.
  bool apart;
  std::deque<std::function<void()>> work;
  // Of what was ever queued, how much is done.
  uint64_t done = 0;
  // Who queued work last.
  std::thread::id user{};
};
struct CUevent_st {
  int card;
  bool timed;
  // What was queued before it was recorded is done when the stream has done so much.
  cudaStream_t stream = nullptr;
  uint64_t after = 0;
};

void misuse(const char* what) {
  std::fprintf(stderr, "emulation: %s\n", what);
  std::abort();
}

namespace {

constexpr unsigned char canary = 0xc5;

struct Allocation {
  int card;
  char* pages;
  size_t page_bytes, bytes;
};
// Never destroyed: threads may still work when the process exits.
std::map<const char*, Allocation>& allocations = *new std::map<const char*, Allocation>;
std::set<cudaStream_t>& streams = *new std::set<cudaStream_t>;
// The legacy default streams, by card.
std::map<int, cudaStream_t>& legacy = *new std::map<int, cudaStream_t>;
// Cards that do nothing more, with why.
std::map<int, cudaError_t>& broken = *new std::map<int, cudaError_t>;
uint64_t random_state = 1;
// Several workers may use a card. Whoever works for a stream has it.
std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

// The card that this thread uses, and the one whose work it does just now.
constexpr int none = -1;
thread_local int used_card = 0, working_card = none;

// Bytes of each card's memory.
const std::vector<size_t>& cards() {
  static const std::vector<size_t>& sizes = *new std::vector<size_t>([] {
    std::vector<size_t> read;
    const char* text = getenv("CRITMAP_EMULATED_CARDS");
    if (!text) text = "4096";
    while (*text) {
      char* end = nullptr;
      read.push_back(size_t(strtoull(text, &end, 10)) << 20);
      if (end == text || (*end && *end != ','))
        misuse("CRITMAP_EMULATED_CARDS must be sizes such as 1024,16");
      text = *end ? end + 1 : end;
    }
    return read;
  }());
  return sizes;
}

// The allocation that holds this address, which may also be the one behind its end; null for other memory.
const std::pair<const char* const, Allocation>* allocation_of(const void* data) {
  const char* const at = static_cast<const char*>(data);
  auto found = allocations.upper_bound(at);
  if (found == allocations.begin()) return nullptr;
  --found;
  return at <= found->first + found->second.bytes ? &*found : nullptr;
}

// Whether all `bytes` are of one allocation; part of one, or another card's, is misuse.
bool is_device(const void* data, size_t bytes, int card) {
  const auto* const found = allocation_of(data);
  if (!found) return false;
  const size_t rest = size_t(found->first + found->second.bytes - static_cast<const char*>(data));
  if (rest == 0 && bytes > 0) return false;
  if (bytes > rest) misuse("a copy goes beyond an allocation");
  if (found->second.card != card) misuse("a copy touches another card's memory");
  return true;
}

// `own`: for the pages of that card; `others`: for those of the others.
void protect(int card, int own, int others) {
  for (const auto& [data, allocation] : allocations) {
    mprotect(allocation.pages, allocation.page_bytes, allocation.card == card ? own : others);
  }
}

cudaError_t status_of(int card) {
  const auto found = broken.find(card);
  return found == broken.end() ? cudaSuccess : found->second;
}

// Whether this is the piece of work that fails.
bool is_fault() {
  static const uint64_t fails = [] {
    const char* const text = getenv("CRITMAP_EMULATED_FAULT");
    return text ? uint64_t(strtoull(text, nullptr, 10)) : 0;
  }();
  static uint64_t done = 0;
  return fails > 0 && ++done == fails;
}

// Until it has done so much, or all. A broken card's work comes to nothing.
void finish(cudaStream_t stream, uint64_t until = UINT64_MAX) {
  const Lock lock(mutex);
  if (!streams.count(stream)) misuse("a stream that does not exist");
  if (stream->work.empty() || stream->done >= until) return;
  // A stream that waits for another has the card for both.
  const int waiting = working_card;
  if (waiting == none) protect(stream->card, PROT_READ | PROT_WRITE, PROT_NONE);
  working_card = stream->card;
  while (!stream->work.empty() && stream->done < until) {
    const std::function<void()> task = std::move(stream->work.front());
    stream->work.pop_front();
    if (is_fault()) broken[stream->card] = cudaErrorIllegalAddress;
    if (!broken.count(stream->card)) task();
    stream->done++;
  }
  working_card = waiting;
  if (waiting == none) protect(stream->card, PROT_NONE, PROT_NONE);
}

struct sigaction other_faults;

// Takes the lock: while another thread's work is done, pages are not as they are for this one.
void on_fault(int, siginfo_t* info, void*) {
  const Lock lock(mutex);
  const auto* const found = allocation_of(info->si_addr);
  const char* const at = static_cast<const char*>(info->si_addr);
  // Not of an allocation's pages: it comes again, to who was here before.
  if (!found || at >= found->second.pages + found->second.page_bytes) {
    sigaction(SIGSEGV, &other_faults, nullptr);
  } else if (working_card != none && found->second.card != working_card) {
    misuse("a kernel touches another card's memory");
  } else {
    misuse("device memory is touched outside kernels");
  }
}

void watch_faults() {
  static const bool watching = [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO;
    return sigaction(SIGSEGV, &ours, &other_faults) == 0;
  }();
  if (!watching) misuse("no handler of faults");
}

uint64_t random_below(uint64_t limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (random_state >> 33) % limit;
}

// Between any two calls a card may do some of its work, of any stream, or none.
void do_some() {
  if (streams.empty() || random_below(4) != 0) return;
  const auto chosen = std::next(streams.begin(), ptrdiff_t(random_below(streams.size())));
  finish(*chosen, (*chosen)->done + 1 + random_below(4));
}

// After what another stream has got until now.
void push_wait(cudaStream_t stream, cudaStream_t other) {
  if (other->work.empty()) return;
  stream->work.push_back([other, after = other->done + other->work.size()] { finish(other, after); });
}

// The card's legacy default stream; made when it is first asked for.
cudaStream_t legacy_of(int card) {
  cudaStream_t& found = legacy[card];
  if (!found) streams.insert(found = new CUstream_st{card, false, {}});
  return found;
}

void push(cudaStream_t stream, std::function<void()> work) {
  const cudaStream_t default_stream = legacy_of(stream->card);
  if (stream == default_stream) {
    for (const cudaStream_t other : streams) {
      if (other != stream && other->card == stream->card && !other->apart) push_wait(stream, other);
    }
  } else if (!stream->apart) {
    push_wait(stream, default_stream);
  }
  stream->work.push_back(std::move(work));
}

void queue(cudaStream_t stream, std::function<void()> work) {
  const Lock lock(mutex);
  stream->user = std::this_thread::get_id();
  push(stream, std::move(work));
  do_some();
}

}  // namespace

cudaError_t run_on(cudaStream_t stream, const std::function<void()>& work) {
  const Lock lock(mutex);
  bool done = false;
  std::exception_ptr failed;
  queue(stream, [&] {
    done = true;
    try {
      work();
    } catch (...) {
      failed = std::current_exception();
    }
  });
  finish(stream);
  if (failed) std::rethrow_exception(failed);
  return done ? cudaSuccess : status_of(stream->card);
}

cudaError_t emulate(unsigned blocks, unsigned threads, cudaStream_t stream, std::function<void()> kernel) {
  if (blocks == 0 || blocks > 0x7fffffffu || threads == 0 || threads > 1024) return cudaErrorInvalidValue;
  if (stream->card != used_card) return cudaErrorInvalidResourceHandle;
  if (const cudaError_t status = status_of(used_card)) return status;
  queue(stream, [=] { run_grid(blocks, threads, kernel); });
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    default:
      return "unrecognized error code";
  }
}
const char* cudaGetErrorString(cudaError_t) { return "emulated"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = int(cards().size()), cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || size_t(device) >= cards().size()) return cudaErrorInvalidDevice;
  *properties = {"emulated on the host", cards()[size_t(device)], 0, 0};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || size_t(device) >= cards().size()) return cudaErrorInvalidDevice;
  return used_card = device, cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) { return *device = used_card, cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Lock lock(mutex);
  *free = *total = cards()[size_t(used_card)];
  for (const auto& [data, allocation] : allocations) {
    if (allocation.card == used_card) *free -= std::min(*free, allocation.bytes);
  }
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const Lock lock(mutex);
  if (bytes == 0) return *data = nullptr, cudaSuccess;
  if (const cudaError_t status = status_of(used_card)) return status;
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  static const size_t hidden = [] {
    const char* const text = getenv("CRITMAP_EMULATED_HIDDEN");
    return text ? size_t(strtoull(text, nullptr, 10)) : 0;
  }();
  if (bytes + hidden > free) return cudaErrorMemoryAllocation;
  watch_faults();
  const size_t page = size_t(sysconf(_SC_PAGESIZE)), rounded = (bytes + 255) / 256 * 256;
  const size_t page_bytes = (rounded + page - 1) / page * page;
  void* const pages = mmap(nullptr, page_bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return cudaErrorMemoryAllocation;
  mprotect(pages, page_bytes, PROT_READ | PROT_WRITE);
  char* const found = static_cast<char*>(pages) + page_bytes - rounded;
  memset(found, canary, rounded);
  mprotect(pages, page_bytes, PROT_NONE);
  allocations[found] = {used_card, static_cast<char*>(pages), page_bytes, bytes};
  *data = found;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (!data) return cudaSuccess;
  const Lock lock(mutex);
  const auto found = allocations.find(static_cast<char*>(data));
  if (found == allocations.end()) misuse("memory is freed that is not there");
  const Allocation allocation = found->second;
  for (const cudaStream_t stream : streams) {
    if (stream->card != allocation.card || broken.count(stream->card)) continue;
    // Of others it is not known to be about this memory.
    const bool own = stream->user == std::this_thread::get_id();
    if (own && !stream->work.empty()) misuse("memory is freed while a stream has work");
  }
  mprotect(allocation.pages, allocation.page_bytes, PROT_READ);
  for (const char* at = found->first + allocation.bytes; at < allocation.pages + allocation.page_bytes;
       at++) {
    if (static_cast<unsigned char>(*at) != canary) misuse("a kernel has written beyond an allocation");
  }
  munmap(allocation.pages, allocation.page_bytes + size_t(sysconf(_SC_PAGESIZE)));
  allocations.erase(found);
  return status_of(allocation.card);
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = malloc(bytes);
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* data) { return free(data), cudaSuccess; }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const Lock lock(mutex);
  if (is_device(to, bytes, stream->card) != (kind != cudaMemcpyDeviceToHost) ||
      is_device(from, bytes, stream->card) != (kind != cudaMemcpyHostToDevice)) {
    return cudaErrorInvalidValue;
  }
  if (const cudaError_t status = status_of(stream->card)) return status;
  queue(stream, [=] { memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const Lock lock(mutex);
  if (!is_device(to, bytes, stream->card)) return cudaErrorInvalidValue;
  if (const cudaError_t status = status_of(stream->card)) return status;
  queue(stream, [=] { memset(to, value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  const Lock lock(mutex);
  return cudaMemsetAsync(to, value, bytes, legacy_of(used_card));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const Lock lock(mutex);
  if (const cudaError_t status = status_of(used_card)) return status;
  streams.insert(*stream = new CUstream_st{used_card, (flags & cudaStreamNonBlocking) != 0, {}});
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(mutex);
  finish(stream);
  // Others may still wait for what it did.
  for (const cudaStream_t other : streams) finish(other);
  streams.erase(stream);
  const int card = stream->card;
  delete stream;
  return status_of(card);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(mutex);
  finish(stream);
  return status_of(stream->card);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(mutex);
  if (const cudaError_t status = status_of(stream->card)) return status;
  if (event->stream) queue(stream, [from = event->stream, after = event->after] { finish(from, after); });
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Lock lock(mutex);
  *event = new CUevent_st{used_card, (flags & cudaEventDisableTiming) == 0};
  return status_of(used_card);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(mutex);
  if (event->card != stream->card) return cudaErrorInvalidResourceHandle;
  event->stream = stream;
  event->after = stream->done + stream->work.size();
  return status_of(stream->card);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(mutex);
  if (event->stream) finish(event->stream, event->after);
  return status_of(event->card);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (!begin->timed || !end->timed) return cudaErrorInvalidResourceHandle;
  return *milliseconds = 0, cudaSuccess;
}
