// resample, resampleJpeg and normalize: from JavaScript's arrays and sizes to cpp/images/resample.h,
// cpp/images/jpeg.h and cpp/images/normalize.h.
#include <memory>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "images/jpeg.h"
#include "images/normalize.h"
#include "images/resample.h"
#include "promise_worker.h"
#include "resize_arguments.h"

namespace critmap::binding {
namespace {

// Pixels or a file, copied at the call, to the window's pixels.
class ResampleWorker : public PromiseWorker {
 public:
  enum class Content { pixels, jpeg };

  ResampleWorker(Napi::Env env, Content content, std::span<const uint8_t> bytes, const Resize& resize)
      : environment_(Environment::of(env)),
        kernels_(*environment_.kernels),
        content_(content),
        bytes_(bytes.begin(), bytes.end()),
        resize_(resize) {}

 protected:
  void execute() override {
    window_.resize(resize_.height * resize_.width * resize_.channels);
    if (content_ == Content::jpeg) {
      resample_jpeg(kernels_, bytes_, resize_, window_.data());
    } else {
      resample(kernels_, bytes_.data(), resize_, window_.data());
    }
  }

  napi_value finish(napi_env env) override {
    napi_value constructor, length, array;
    void* data = nullptr;
    size_t actual = 0;
    if (napi_get_reference_value(env, environment_.uint8_array, &constructor) != napi_ok ||
        napi_create_double(env, double(window_.size()), &length) != napi_ok ||
        napi_new_instance(env, constructor, 1, &length, &array) != napi_ok ||
        !try_elements(env, array, napi_uint8_array, &data, &actual) || actual != window_.size()) {
      return nullptr;
    }
    std::copy(window_.begin(), window_.end(), static_cast<uint8_t*>(data));
    return array;
  }

 private:
  Environment& environment_;
  const Kernels& kernels_;
  const Content content_;
  const std::vector<uint8_t> bytes_;
  const Resize resize_;
  std::vector<uint8_t> window_;
};

}  // namespace

Napi::Value resample_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Resize resize = read_resize(argument(info, 1));
  const std::span<uint8_t> pixels = elements<uint8_t>(argument(info, 0), "pixels");
  const size_t row = resize.from_width * resize.channels;
  if (pixels.size() % row || pixels.size() / row != resize.from_height) {
    throw_range(env, "pixels must have resize.from.height * resize.from.width * resize.channels elements");
  }
  return PromiseWorker::start(
      env, std::make_unique<ResampleWorker>(env, ResampleWorker::Content::pixels, pixels, resize));
}

Napi::Value resample_jpeg_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Resize resize = read_resize(argument(info, 1));
  const std::span<uint8_t> file = elements<uint8_t>(argument(info, 0), "file");
  if (!jpeg_library()) throw Napi::Error::New(env, "this build has no JPEG decoder (info().jpeg is null)");
  return PromiseWorker::start(
      env, std::make_unique<ResampleWorker>(env, ResampleWorker::Content::jpeg, file, resize));
}

Napi::Value normalize_now(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const size_t start = index_number(argument(info, 3), "start");
  const std::span<uint8_t> pixels = elements<uint8_t>(argument(info, 0), "pixels");
  const std::span<float> table = elements<float>(argument(info, 1), "table");
  const std::span<float> out = elements<float>(argument(info, 2), "out");
  const size_t channels = table.size() / 256;
  if (!channels || table.size() % 256) throw_range(env, "table must have 256 elements per channel");
  if (pixels.size() % channels) throw_range(env, "pixels must have one element per channel and pixel");
  if (start > out.size() || pixels.size() > out.size() - start) {
    throw_range(env, "out must have room for the pixels from start on");
  }
  normalize(pixels.data(), pixels.size() / channels, channels, table.data(), out.data() + start);
  return env.Undefined();
}

}  // namespace critmap::binding
