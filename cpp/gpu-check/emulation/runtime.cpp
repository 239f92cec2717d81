// Memory, streams and errors of the emulated runtime. An allocation ends where a page ends that cannot be
// touched, up to the 256 bytes that it is rounded to, and those are checked when it is freed; its pages can
// be touched only while a stream's work is done.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.h"

struct CUstream_st {
  std::deque<std::function<void()>> work;
  // Of what was ever queued, how much is done.
  uint64_t done = 0;
};
struct CUevent_st {
  // What was queued before it was recorded is done when the stream has done so much.
  cudaStream_t stream = nullptr;
  uint64_t after = 0;
};

namespace {

constexpr unsigned char canary = 0xc5;

struct Allocation {
  char* pages;
  size_t page_bytes, bytes;
};
std::map<const char*, Allocation> allocations;
std::set<cudaStream_t> streams;
bool at_once = false;
// Streams that are doing work, one waiting for the other.
int working = 0;
uint64_t random_state = 1;
// Several workers may use the one card.
std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

[[noreturn]] void misuse(const char* what) {
  std::fprintf(stderr, "emulation: %s\n", what);
  std::abort();
}

// Whether all `bytes` are of one allocation; part of one is misuse.
bool is_device(const void* data, size_t bytes) {
  const char* const at = static_cast<const char*>(data);
  auto found = allocations.upper_bound(at);
  if (found == allocations.begin()) return false;
  --found;
  const char* const end = found->first + found->second.bytes;
  if (at >= end && !(at == end && bytes == 0)) return false;
  if (bytes > size_t(end - at)) misuse("a copy goes beyond an allocation");
  return true;
}

void protect(int how) {
  if (at_once) how = PROT_READ | PROT_WRITE;
  for (const auto& [data, allocation] : allocations) {
    mprotect(allocation.pages, allocation.page_bytes, how);
  }
}

// Until it has done so much, or all.
void finish(cudaStream_t stream, uint64_t until = UINT64_MAX) {
  const Lock lock(mutex);
  if (!streams.count(stream)) misuse("a stream that does not exist");
  if (stream->work.empty() || stream->done >= until) return;
  if (working++ == 0) protect(PROT_READ | PROT_WRITE);
  while (!stream->work.empty() && stream->done < until) {
    const std::function<void()> task = std::move(stream->work.front());
    stream->work.pop_front();
    task();
    stream->done++;
  }
  if (--working == 0) protect(PROT_NONE);
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

void queue(cudaStream_t stream, std::function<void()> work) {
  const Lock lock(mutex);
  stream->work.push_back(std::move(work));
  if (at_once) {
    finish(stream);
  } else {
    do_some();
  }
}

}  // namespace

void work_at_once() {
  const Lock lock(mutex);
  at_once = true;
  protect(PROT_NONE);
}

cudaError_t emulate(unsigned blocks, unsigned threads, cudaStream_t stream, std::function<void()> kernel) {
  if (blocks == 0 || blocks > 0x7fffffffu || threads == 0 || threads > 1024) return cudaErrorInvalidValue;
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
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t) { return "emulated"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"emulated on the host", size_t(1) << 30, 0, 0};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = *total = size_t(1) << 30;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const Lock lock(mutex);
  if (bytes == 0) return *data = nullptr, cudaSuccess;
  if (bytes > size_t(1) << 30) return cudaErrorMemoryAllocation;
  const size_t page = size_t(sysconf(_SC_PAGESIZE)), rounded = (bytes + 255) / 256 * 256;
  const size_t page_bytes = (rounded + page - 1) / page * page;
  void* const pages = mmap(nullptr, page_bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return cudaErrorMemoryAllocation;
  mprotect(pages, page_bytes, PROT_READ | PROT_WRITE);
  char* const found = static_cast<char*>(pages) + page_bytes - rounded;
  memset(found, canary, rounded);
  if (!at_once) mprotect(pages, page_bytes, PROT_NONE);
  allocations[found] = {static_cast<char*>(pages), page_bytes, bytes};
  *data = found;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (!data) return cudaSuccess;
  const Lock lock(mutex);
  const auto found = allocations.find(static_cast<char*>(data));
  if (found == allocations.end()) misuse("memory is freed that is not there");
  for (const cudaStream_t stream : streams) {
    if (!stream->work.empty()) misuse("memory is freed while a stream has work");
  }
  const Allocation allocation = found->second;
  mprotect(allocation.pages, allocation.page_bytes, PROT_READ);
  for (const char* at = found->first + allocation.bytes; at < allocation.pages + allocation.page_bytes;
       at++) {
    if (static_cast<unsigned char>(*at) != canary) misuse("a kernel has written beyond an allocation");
  }
  munmap(allocation.pages, allocation.page_bytes + size_t(sysconf(_SC_PAGESIZE)));
  allocations.erase(found);
  return cudaSuccess;
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
  if (is_device(to, bytes) != (kind != cudaMemcpyDeviceToHost) ||
      is_device(from, bytes) != (kind != cudaMemcpyHostToDevice)) {
    return cudaErrorInvalidValue;
  }
  queue(stream, [=] { memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const Lock lock(mutex);
  if (!is_device(to, bytes)) return cudaErrorInvalidValue;
  queue(stream, [=] { memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Lock lock(mutex);
  streams.insert(*stream = new CUstream_st);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(mutex);
  finish(stream);
  streams.erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return finish(stream), cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(mutex);
  if (event->stream) queue(stream, [from = event->stream, after = event->after] { finish(from, after); });
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(mutex);
  event->stream = stream;
  event->after = stream->done + stream->work.size();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(mutex);
  if (event->stream) finish(event->stream, event->after);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  return *milliseconds = 0, cudaSuccess;
}
