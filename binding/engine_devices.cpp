#include "engine_devices.h"

#include <algorithm>

#include "arguments.h"
#include "calls.h"
#include "engine_program.h"
#include "onnxruntime/nvidia_environment.h"

namespace critmap::binding {
namespace {

constexpr size_t most_cards = 1024, highest_card = 1 << 20;

std::vector<int> read_cards(Napi::Value value) {
  const Napi::Array list = array(value, "options.cards");
  const uint32_t length = list.Length();
  if (length == 0 || length > most_cards) {
    throw_range(value.Env(), "options.cards must have 1 to " + std::to_string(most_cards) + " elements");
  }
  std::vector<int> cards;
  for (uint32_t i = 0; i < length; i++) {
    const std::string name = "options.cards[" + std::to_string(i) + "]";
    const size_t card = index_number(list.Get(i), name);
    if (card > highest_card) {
      throw_range(value.Env(), name + " must be at most " + std::to_string(highest_card));
    }
    if (std::find(cards.begin(), cards.end(), int(card)) != cards.end()) {
      throw_range(value.Env(), name + " must be another card than those before it");
    }
    cards.push_back(int(card));
  }
  return cards;
}

// The meaning of one of several words.
template <class Meaning, size_t count>
Meaning read_word(Napi::Value value, const std::string& name,
                  const std::pair<const char*, Meaning> (&words)[count]) {
  const std::string word = text(value, name);
  std::string all;
  for (size_t i = 0; i < count; i++) {
    if (word == words[i].first) return words[i].second;
    all += (i == 0 ? "" : i + 1 < count ? ", " : " or ") + std::string(words[i].first);
  }
  throw_range(value.Env(), name + " must be " + all);
}

ort::Precision read_precision(Napi::Value value, const std::string& name) {
  return read_word<ort::Precision>(
      value, name,
      {{"fp32", ort::Precision::fp32}, {"tf32", ort::Precision::tf32}, {"fp16", ort::Precision::fp16}});
}

ort::CudaOptions read_cuda_options(const Napi::Object& options) {
  ort::CudaOptions read;
  const Napi::Value precision = options.Get("precision"), search = options.Get("cudnnSearch"),
                    layout = options.Get("layout");
  if (!precision.IsUndefined()) read.precision = read_precision(precision, "options.precision");
  if (!search.IsUndefined()) {
    read.cudnn_search = read_word<const char*>(
        search, "options.cudnnSearch",
        {{"heuristic", "HEURISTIC"}, {"default", "DEFAULT"}, {"exhaustive", "EXHAUSTIVE"}});
  }
  if (!layout.IsUndefined()) {
    read.channels_last = read_word<bool>(layout, "options.layout", {{"nchw", false}, {"nhwc", true}});
  }
  return read;
}

}  // namespace

std::vector<std::shared_ptr<Device>> open_devices(const ort::Library& library, const Napi::Object& options) {
  const Napi::Value cards = options.Get("cards");
  if (cards.IsUndefined()) return {make_host_device(library)};
  const std::vector<int> numbers = read_cards(cards);
  const ort::CudaOptions cuda = read_cuda_options(options);
  std::vector<std::shared_ptr<Device>> devices;
  for (const int number : numbers) devices.push_back(make_cuda_device(library, number, cuda));
  return devices;
}

Napi::Value decide_tf32(const Napi::CallbackInfo& info) {
  const Napi::Value fixed = argument(info, 1), variable = argument(info, 2);
  const std::string value = variable.IsNull() ? "" : text(variable, "variable");
  const ort::Tf32Decision decision =
      ort::decide_tf32(read_precision(argument(info, 0), "precision"),
                       fixed.IsNull() ? std::nullopt : std::optional(read_precision(fixed, "fixed")),
                       variable.IsNull() ? nullptr : value.c_str());
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("forbid", decision.forbid);
  result.Set("refusal", decision.refusal);
  return result;
}

}  // namespace critmap::binding
