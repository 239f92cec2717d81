// The call that lists NVIDIA GPUs; src/native/addon.ts says what it gives. Nothing else of CUDA is called
// before someone asks for it.
#include "arguments.h"
#include "calls.h"
#include "cuda/runtime.h"

namespace critmap::binding {
namespace {

// "13.0", or null if it is not known.
Napi::Value version_text(Napi::Env env, int version) {
  if (version == 0) return env.Null();
  return Napi::String::New(env, std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10));
}

Napi::Object describe(Napi::Env env, const cuda::DeviceInfo& device) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("name", device.name);
  result.Set("memoryBytes", double(device.memory_bytes));
  result.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
  return result;
}

// The cards whose free memory is asked for; none without the argument.
std::vector<size_t> cards_of(Napi::Value value) {
  std::vector<size_t> cards;
  if (value.IsUndefined()) return cards;
  if (!value.IsArray()) throw_type(value.Env(), "cards must be an array");
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    cards.push_back(index_number(array.Get(i), "cards[" + std::to_string(i) + "]"));
  }
  return cards;
}

}  // namespace

Napi::Value cuda_inventory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<size_t> asked = cards_of(argument(info, 0));
  const cuda::Inventory found = cuda::inventory();
  const Napi::Array devices = Napi::Array::New(env, found.devices.size());
  for (size_t i = 0; i < found.devices.size(); i++) devices.Set(uint32_t(i), describe(env, found.devices[i]));
  for (const size_t card : asked) {
    if (card >= found.devices.size()) continue;
    const std::optional<uint64_t> free = cuda::free_memory(int(card));
    devices.Get(uint32_t(card))
        .As<Napi::Object>()
        .Set("freeBytes", free ? Napi::Value(Napi::Number::New(env, double(*free))) : env.Null());
  }
  const Napi::Object result = Napi::Object::New(env);
  result.Set("compiled", found.compiled);
  result.Set("driver", version_text(env, found.driver_version));
  result.Set("runtime", version_text(env, found.runtime_version));
  result.Set("devices", devices);
  if (!found.reason.empty()) result.Set("reason", found.reason);
  return result;
}

}  // namespace critmap::binding
