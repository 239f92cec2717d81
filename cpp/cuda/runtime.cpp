#include "cuda/runtime.h"

#include <cuda_runtime.h>

namespace critmap::cuda {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string describe(cudaError_t status) {
  return std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status);
}

std::string reason_for(cudaError_t status, const Inventory& found) {
  if (status == cudaErrorInsufficientDriver && found.driver_version == 0) {
    return "no NVIDIA driver is installed (" + describe(status) + ")";
  }
  if (status == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver is for CUDA " + version_text(found.driver_version) +
           ", this build needs one for CUDA " + version_text(found.runtime_version) + " (" +
           describe(status) + ")";
  }
  if (status == cudaErrorNoDevice) return "the NVIDIA driver finds no GPU (" + describe(status) + ")";
  return "CUDA does not work here (" + describe(status) + ")";
}

}  // namespace

Inventory inventory() {
  Inventory found{};
  found.compiled = true;
  cudaRuntimeGetVersion(&found.runtime_version);
  cudaDriverGetVersion(&found.driver_version);
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  for (int i = 0; i < count && status == cudaSuccess; i++) {
    cudaDeviceProp properties;
    status = cudaGetDeviceProperties(&properties, i);
    if (status != cudaSuccess) break;
    found.devices.push_back({properties.name, properties.totalGlobalMem, properties.major, properties.minor});
  }
  if (status == cudaSuccess && count == 0) status = cudaErrorNoDevice;
  if (status != cudaSuccess) {
    found.devices.clear();
    found.reason = reason_for(status, found);
    // It was reported; the next call should not find it again.
    cudaGetLastError();
  }
  return found;
}

std::optional<uint64_t> free_memory(int device) {
  int used = 0;
  size_t free = 0, total = 0;
  cudaError_t status = cudaGetDevice(&used);
  if (status == cudaSuccess) status = cudaSetDevice(device);
  if (status == cudaSuccess) status = cudaMemGetInfo(&free, &total);
  // Choosing a card makes a context on it.
  if (used != device) cudaSetDevice(used);
  // Whoever computes on it will be told.
  cudaGetLastError();
  return status == cudaSuccess ? std::optional<uint64_t>(free) : std::nullopt;
}

void check(int status, const char* what) {
  if (status == cudaSuccess) return;
  // Failures that do not last are forgotten with this.
  cudaGetLastError();
  throw Error(std::string(what) + ": " + describe(cudaError_t(status)), status);
}

bool is_memory(int status) { return status == cudaErrorMemoryAllocation; }

bool lasts(int status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsRpcFailure:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
      return true;
    // Those that toolkits older than 13.0 have no names for: a contained fault, and a leak of tensor memory.
    case 226:
    case 721:
      return true;
    default:
      return false;
  }
}

void use_device(int device) { check(cudaSetDevice(device), "choosing a device"); }

Stream::Stream(Kind kind) {
  const unsigned flags = kind == Kind::ordered ? cudaStreamDefault : cudaStreamNonBlocking;
  check(cudaStreamCreateWithFlags(&handle_, flags), "making a stream");
}
Stream::~Stream() { cudaStreamDestroy(handle_); }
void Stream::synchronize() { check(cudaStreamSynchronize(handle_), "waiting for the device"); }
void Stream::wait(const Event& event) {
  check(cudaStreamWaitEvent(handle_, event.handle(), 0), "waiting for an event");
}
void Stream::upload(void* device, const void* host, size_t bytes) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, handle_), "copying to the device");
}
void Stream::download(void* host, const void* device, size_t bytes) {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, handle_), "copying from the device");
}
void Stream::copy(void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, handle_), "copying on the device");
}
void Stream::fill(void* device, uint8_t value, size_t bytes) {
  check(cudaMemsetAsync(device, value, bytes, handle_), "filling device memory");
}

Event::Event() : Event(cudaEventDisableTiming | cudaEventBlockingSync) {}
Event::Event(unsigned flags) { check(cudaEventCreateWithFlags(&handle_, flags), "making an event"); }
Event::~Event() { cudaEventDestroy(handle_); }
void Event::record(Stream& stream) { check(cudaEventRecord(handle_, stream.handle()), "recording an event"); }
void Event::synchronize() { check(cudaEventSynchronize(handle_), "waiting for an event"); }

TimedEvent::TimedEvent() : Event(cudaEventDefault) {}
float TimedEvent::milliseconds_since(const TimedEvent& begin) const {
  float elapsed = 0;
  check(cudaEventElapsedTime(&elapsed, begin.handle(), handle()), "reading an event");
  return elapsed;
}

// One byte more than nothing, so that every buffer has an address.
template <>
Memory<Place::device>::Memory(size_t bytes) : bytes_(bytes) {
  check(cudaMalloc(&data_, bytes ? bytes : 1), "taking device memory");
}
template <>
Memory<Place::device>::~Memory() {
  if (data_) cudaFree(data_);
}
template <>
Memory<Place::pinned>::Memory(size_t bytes) : bytes_(bytes) {
  check(cudaMallocHost(&data_, bytes ? bytes : 1), "taking pinned host memory");
}
template <>
Memory<Place::pinned>::~Memory() {
  if (data_) cudaFreeHost(data_);
}

template class Memory<Place::device>;
template class Memory<Place::pinned>;

}  // namespace critmap::cuda
