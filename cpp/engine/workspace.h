// Where tensors are and what computes on them besides ONNX Runtime: the seam between a program's interpreter
// (machine.h) and the kind of device. An engine has one Device or several; each of its workers has one
// Workspace of one of them, which belongs to the worker's thread.
#pragma once

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/job.h"
#include "onnxruntime/cuda_options.h"

namespace critmap {

class Workspace {
 public:
  virtual ~Workspace() = default;

  // Frees what it has and takes memory for another program, which outlives it or the next `prepare`.
  void prepare(const Program& program);
  // A slot's memory, in the device's addresses.
  std::byte* address(size_t slot) const;
  float* floats(size_t slot) const { return reinterpret_cast<float*>(address(slot)); }

  // The job's images into the program's input, normalised; what a short batch leaves is zero.
  virtual void load_images(const Job& job) = 0;
  virtual void reset(const Job& job, const Step& step) = 0;
  // Makes a slot's numbers zero.
  virtual void clear(size_t slot) = 0;
  // The logits in `slot` with the original ones: row 0 of the job's rows is the original's. They are kept,
  // too, for a job that asks for it.
  virtual void compare(Job& job, size_t row, size_t slot) = 0;
  // The logits in `slot` instead of rows, for a job that wants them.
  virtual void read_logits(Job& job, size_t slot) = 0;
  // After the last step.
  virtual void send_rows(Job& job) = 0;
  // Until the job's rows are there.
  virtual void finish(Job& job) = 0;
  // Instead, for a job that goes no further: until its work is done. Throws nothing.
  virtual void abandon(Job& job) = 0;
  // How many jobs may be between `load_images` and `finish`. With more than one, the next job's work is
  // queued while the device computes, and nothing but `finish` waits for it.
  virtual size_t depth() const = 0;

 protected:
  // Takes zeroed storage of these bytes and whatever else `program_` needs.
  virtual std::vector<std::byte*> take(const Program& program) = 0;
  virtual void release() = 0;

  const Program* program_ = nullptr;

 private:
  std::vector<std::byte*> storages_;
};

// What is asked of a device on which this process can compute nothing any more.
class DeviceLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What is asked of a device that has not enough memory for it.
class DeviceFull : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Device {
 public:
  virtual ~Device() = default;
  // In front of what fails on it; empty for the processor.
  virtual std::string name() const { return {}; }
  // Why this process can compute nothing on it any more; empty while it can.
  virtual std::string lost() const { return {}; }
  // What failed while it was used, which may mean that.
  virtual void failed(const std::exception&) {}
  // Whether what failed says that its memory did not suffice.
  virtual bool is_full(const std::exception&) const { return false; }
  // From the worker's thread.
  virtual std::unique_ptr<Workspace> make_workspace() = 0;
  // Null for ONNX Runtime's own kernels.
  virtual const ort::Provider* provider() const { return nullptr; }
  // Of its tensors.
  virtual const OrtMemoryInfo* memory() const = 0;
  // How many workers it can use.
  virtual size_t most_workers() const { return SIZE_MAX; }
};

std::unique_ptr<Device> make_host_device(const ort::Library& library);
// `index`: CUDA's number of the card. Throws cuda::Error, ort::Error when this ONNX Runtime has no CUDA
// provider, or DeviceLost; each names the card. cuda_workspace_none.cpp where there is no CUDA code.
std::unique_ptr<Device> make_cuda_device(const ort::Library& library, int index,
                                         const ort::CudaOptions& options);

}  // namespace critmap
