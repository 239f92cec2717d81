// placement and fitJpeg: from JavaScript's sizes, paths and arrays to cpp/images/fit.h and cpp/images/jpeg.h.
#include <algorithm>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "images/file.h"
#include "images/jpeg.h"
#include "promise_worker.h"
#include "random/sha256.h"
#include "resize_arguments.h"

namespace critmap::binding {
namespace {

using Bytes = std::vector<uint8_t>;

// An array that is written to when the work is done.
class Target {
 public:
  // Throws unless `value` is an array of so many elements.
  Target(Napi::Value value, const char* name, size_t length) {
    if (elements<uint8_t>(value, name).size() != length) {
      throw_range(value.Env(), std::string(name) + " must have " + std::to_string(length) + " elements");
    }
    reference_ = Reference::New(value, 1);
  }
  // False if the array is not there any more, or the environment.
  bool write(napi_env env, const Bytes& bytes) {
    napi_value array;
    void* data = nullptr;
    size_t length = 0;
    if (napi_get_reference_value(env, reference_, &array) != napi_ok || !array ||
        !try_elements(env, array, napi_uint8_array, &data, &length) || length != bytes.size()) {
      return false;
    }
    std::copy(bytes.begin(), bytes.end(), static_cast<uint8_t*>(data));
    return true;
  }

 private:
  using Reference = Napi::Reference<Napi::Value>;
  Reference reference_;
};

// A JPEG file, by its path or copied at the call, to a crop and its hash.
class FitJpegWorker : public PromiseWorker {
 public:
  FitJpegWorker(Napi::Env env, std::variant<std::string, Bytes> file, const Fit& fit, size_t most_pixels,
                Target out, std::optional<Target> digest)
      : kernels_(*Environment::of(env).kernels),
        file_(std::move(file)),
        fit_(fit),
        most_pixels_(most_pixels),
        out_(std::move(out)),
        digest_(std::move(digest)) {}

 protected:
  void execute() override {
    Bytes read;
    const std::string* const path = std::get_if<std::string>(&file_);
    if (path && !read_file(*path, read)) return;
    const Bytes& bytes = path ? read : std::get<Bytes>(file_);
    crop_.resize(fit_.crop_height * fit_.crop_width * fit_.channels);
    hash_.resize(digest_ ? sha256_bytes : 0);
    // Hashed first: a process without the function would decode in vain.
    done_ = (!digest_ || sha256(bytes, hash_.data())) &&
            fit_jpeg(kernels_, bytes, fit_, most_pixels_, crop_.data());
  }

  napi_value finish(napi_env env) override {
    napi_value done;
    if (done_ && !(out_.write(env, crop_) && (!digest_ || digest_->write(env, hash_)))) {
      fail_type("out or digest was detached or resized before the file was read");
      return nullptr;
    }
    return napi_get_boolean(env, done_, &done) == napi_ok ? done : nullptr;
  }

 private:
  const Kernels& kernels_;
  const std::variant<std::string, Bytes> file_;
  const Fit fit_;
  const size_t most_pixels_;
  Target out_;
  std::optional<Target> digest_;
  Bytes crop_, hash_;
  bool done_ = false;
};

std::variant<std::string, Bytes> read_source(Napi::Value value) {
  if (!value.IsString()) {
    const std::span<uint8_t> bytes = elements<uint8_t>(value, "file");
    return Bytes(bytes.begin(), bytes.end());
  }
  const std::string path = text(value, "file");
  // The operating system would take what is before it.
  if (path.find('\0') != std::string::npos) throw_range(value.Env(), "file must not contain a NUL");
  return path;
}

Napi::Object rectangle(Napi::Env env, size_t height, size_t width) {
  const Napi::Object made = Napi::Object::New(env);
  made.Set("height", double(height));
  made.Set("width", double(width));
  return made;
}

}  // namespace

Napi::Value place(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Size from = read_size(argument(info, 0), "from");
  const Placement place = placement(from.height, from.width, read_fit(argument(info, 1), 1));
  const Napi::Object window = rectangle(env, place.resize.height, place.resize.width);
  window.Set("top", double(place.resize.top));
  window.Set("left", double(place.resize.left));
  const Napi::Object made = Napi::Object::New(env);
  made.Set("to", rectangle(env, place.resize.to_height, place.resize.to_width));
  made.Set("window", window);
  made.Set("top", double(place.top));
  made.Set("left", double(place.left));
  return made;
}

Napi::Value fit_jpeg_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Fit fit = read_fit(argument(info, 2), read_channels(argument(info, 1)));
  const size_t most_pixels = positive_integer(argument(info, 3), "mostPixels");
  Target out(argument(info, 4), "out", fit.crop_height * fit.crop_width * fit.channels);
  std::optional<Target> digest;
  if (!argument(info, 5).IsNull()) digest.emplace(argument(info, 5), "digest", sha256_bytes);
  return PromiseWorker::start(
      env, std::make_unique<FitJpegWorker>(env, read_source(argument(info, 0)), fit, most_pixels,
                                           std::move(out), std::move(digest)));
}

}  // namespace critmap::binding
