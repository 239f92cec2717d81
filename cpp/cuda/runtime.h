// NVIDIA GPUs through CUDA's runtime: which there are, and owners of device memory, pinned host memory,
// streams and events. The runtime is linked statically and finds the driver by itself when it is first
// called, so what is built with CUDA loads where there is no driver; nothing here is called before someone
// asks for a device. Failures are thrown as `Error` with CUDA's name and text. Owners free what they hold, on
// the device where it was made; a copy or a kernel must be done before its memory goes, which
// `Stream::synchronize` waits for.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// As CUDA names what its handles point to.
struct CUstream_st;
struct CUevent_st;

namespace critmap::cuda {

struct DeviceInfo {
  std::string name;
  uint64_t memory_bytes;
  // Compute capability.
  int major, minor;
};

struct Inventory {
  // By CUDA's device number.
  std::vector<DeviceInfo> devices;
  // Why there are none; empty if there are.
  std::string reason;
  // Whether this build has CUDA code.
  bool compiled;
  // 1000 * major + 10 * minor; 0 if unknown. The driver's is the newest CUDA that it supports.
  int driver_version, runtime_version;
};

// Throws nothing; with the next the only call that is there without CUDA code too.
Inventory inventory();

// Bytes of a device's memory that nobody uses. Takes memory for this process on it, some hundred megabytes
// which are not in that; none where CUDA gives none. The device that this thread uses stays.
std::optional<uint64_t> free_memory(int device);

class Error : public std::runtime_error {
 public:
  Error(const std::string& message, int code) : std::runtime_error(message), code(code) {}
  // cudaError_t
  int code;
};

// Throws "`what`: name: text" unless `status`, a cudaError_t, is success.
void check(int status, const char* what);

// Whether this cudaError_t says that memory does not suffice.
bool is_memory(int status);

// Whether what failed with this cudaError_t lasts: CUDA then does nothing more on the device for this
// process.
bool lasts(int status);

// The device that this thread's calls go to.
void use_device(int device);

class Event;

// Work in order, of the device in use when it is made.
class Stream {
 public:
  // In order with the device's legacy default stream, or beside it. What computes is in order with it: parts
  // of ONNX Runtime clear and copy there what their kernels on this stream read.
  enum class Kind { ordered, beside };

  explicit Stream(Kind kind = Kind::ordered);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  CUstream_st* handle() const { return handle_; }
  void synchronize();
  // Later work here starts after what was queued before `event`.
  void wait(const Event& event);
  // Host memory that a copy reads or writes stays until the copy is done; the copy only runs beside the host
  // when that memory is pinned.
  void upload(void* device, const void* host, size_t bytes);
  void download(void* host, const void* device, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);
  // Every byte to `value`.
  void fill(void* device, uint8_t value, size_t bytes);

 private:
  CUstream_st* handle_ = nullptr;
};

// A place in a stream's work. It takes no time, and who waits for it sleeps.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  CUevent_st* handle() const { return handle_; }
  void record(Stream& stream);
  void synchronize();

 protected:
  explicit Event(unsigned flags);

 private:
  CUevent_st* handle_ = nullptr;
};

// One that also knows when it was reached.
class TimedEvent : public Event {
 public:
  TimedEvent();
  // Both recorded and done.
  float milliseconds_since(const TimedEvent& begin) const;
};

enum class Place { device, pinned };

// Memory of one kind, 256 bytes aligned at least; what is in it is not defined.
template <Place place>
class Memory {
 public:
  explicit Memory(size_t bytes);
  Memory(Memory&& other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }
  Memory& operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Memory();

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

using DeviceMemory = Memory<Place::device>;
using PinnedMemory = Memory<Place::pinned>;

}  // namespace critmap::cuda
