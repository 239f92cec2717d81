#include "resize_arguments.h"

#include <string>

#include "arguments.h"

namespace critmap::binding {
namespace {

constexpr size_t most_side = (size_t(1) << 31) - 1;
// Of the result, in bytes.
constexpr size_t most_result = size_t(1) << 30;

constexpr std::pair<const char*, Filter> filters[] = {
    {"nearest", Filter::nearest}, {"box", Filter::box},         {"bilinear", Filter::bilinear},
    {"hamming", Filter::hamming}, {"bicubic", Filter::bicubic}, {"lanczos", Filter::lanczos},
};

Filter read_filter(Napi::Value value, const char* name) {
  const std::string given = short_string(value, name);
  for (const auto& [known, filter] : filters) {
    if (given == known) return filter;
  }
  throw_range(value.Env(),
              std::string(name) + " must be nearest, box, bilinear, hamming, bicubic or lanczos");
}

size_t read_side(Napi::Object from, const char* property, const std::string& name) {
  const size_t side = positive_integer(from.Get(property), (name + property).c_str());
  if (side > most_side) throw_range(from.Env(), name + property + " must be below 2 ** 31");
  return side;
}

}  // namespace

Resize read_resize(Napi::Value value) {
  const Napi::Env env = value.Env();
  const Napi::Object all = object(value, "resize");
  const Napi::Object from = object(all.Get("from"), "resize.from");
  const Napi::Object to = object(all.Get("to"), "resize.to");
  const Napi::Object window = object(all.Get("window"), "resize.window");
  Resize resize;
  resize.channels = positive_integer(all.Get("channels"), "resize.channels");
  if (resize.channels != 1 && resize.channels != 3) throw_range(env, "resize.channels must be 1 or 3");
  resize.from_height = read_side(from, "height", "resize.from.");
  resize.from_width = read_side(from, "width", "resize.from.");
  resize.to_height = read_side(to, "height", "resize.to.");
  resize.to_width = read_side(to, "width", "resize.to.");
  resize.height = read_side(window, "height", "resize.window.");
  resize.width = read_side(window, "width", "resize.window.");
  resize.top = index_number(window.Get("top"), "resize.window.top");
  resize.left = index_number(window.Get("left"), "resize.window.left");
  resize.filter = read_filter(all.Get("filter"), "resize.filter");
  if (resize.height > resize.to_height || resize.top > resize.to_height - resize.height ||
      resize.width > resize.to_width || resize.left > resize.to_width - resize.width) {
    throw_range(env, "resize.window must lie within resize.to");
  }
  if (resize.height > most_result / resize.channels / resize.width) {
    throw_range(env, "resize.window must have at most 2 ** 30 bytes");
  }
  return resize;
}

size_t read_channels(Napi::Value value) {
  const size_t channels = positive_integer(value, "channels");
  if (channels != 1 && channels != 3) throw_range(value.Env(), "channels must be 1 or 3");
  return channels;
}

Size read_size(Napi::Value value, const std::string& name) {
  const Napi::Object size = object(value, name.c_str());
  return {read_side(size, "height", name + "."), read_side(size, "width", name + ".")};
}

Fit read_fit(Napi::Value value, size_t channels) {
  const Napi::Object all = object(value, "fit");
  const Size crop = read_size(all.Get("crop"), "fit.crop");
  if (crop.height > most_result / channels / crop.width) {
    throw_range(value.Env(), "fit.crop must have at most 2 ** 30 bytes");
  }
  const size_t short_side = all.Get("resize").IsNull() ? 0 : read_side(all, "resize", "fit.");
  const Filter filter = read_filter(all.Get("interpolation"), "fit.interpolation");
  return {channels, short_side, crop.height, crop.width, filter};
}

}  // namespace critmap::binding
