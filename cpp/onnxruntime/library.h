// ONNX Runtime as a shared library, loaded at run time: the same file, and so the same copy in this process,
// as the onnxruntime-node package uses. Library, environment and arena are one per process, made on first use
// and never freed, since ONNX Runtime keeps threads and statics of its own and the other user of the library
// may come before or after us.
#pragma once

#include <stdexcept>
#include <string>

#include "onnxruntime/api.h"

namespace critmap::ort {

// A UTF-8 file name as the system wants it.
std::basic_string<PathChar> system_path(const std::string& path);

// Tells every ONNX Runtime of this process to gather and send no usage data, which Linux's otherwise does: it
// reads the environment variable ORT_DISABLE_TELEMETRY when its environment is made, whoever makes it.
void refuse_telemetry();

// Something that ONNX Runtime refused, with its message; `code` is its own, 0 if the failure is ours.
class Error : public std::runtime_error {
 public:
  Error(const std::string& message, int code) : std::runtime_error(message), code(code) {}
  int code;
};

class Library {
 public:
  // The library in `path`, checked and self-tested, from any thread. Throws Error that names the file.
  static const Library& load(const std::string& path);

  // Throws what `status` says, after `context`, and releases it; does nothing for null.
  void check(OrtStatus* status, const std::string& context = {}) const;

  // How an arena that many sessions share grows: by what is asked for. The caller releases it.
  OrtArenaCfg* make_arena() const;

  Api api;
  std::string path, version;
  OrtEnv* env = nullptr;
  // CPU memory that someone else owns.
  OrtMemoryInfo* memory = nullptr;
  // Of names that the API hands out.
  OrtAllocator* allocator = nullptr;

 private:
  Library(const std::string& path, const ApiBase& base);
  void register_arena() const;
};

// Tries every slot that a sweep needs on a two-element graph; throws Error if one does not do what it should.
void self_test(const Library& library);

}  // namespace critmap::ort
