#include "engine_devices.h"

#include <algorithm>

#include "arguments.h"
#include "engine_program.h"

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

ort::CudaOptions read_cuda_options(const Napi::Object& options) {
  ort::CudaOptions read;
  const Napi::Value tf32 = options.Get("tf32"), search = options.Get("cudnnSearch");
  if (!tf32.IsUndefined()) {
    if (!tf32.IsBoolean()) throw_type(options.Env(), "options.tf32 must be a boolean");
    read.tf32 = tf32.As<Napi::Boolean>();
  }
  if (search.IsUndefined()) return read;
  const std::string word = text(search, "options.cudnnSearch");
  for (const auto& [known, meaning] : {std::pair{"heuristic", "HEURISTIC"}, std::pair{"default", "DEFAULT"},
                                       std::pair{"exhaustive", "EXHAUSTIVE"}}) {
    if (word != known) continue;
    read.cudnn_search = meaning;
    return read;
  }
  throw_range(options.Env(), "options.cudnnSearch must be heuristic, default or exhaustive");
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

}  // namespace critmap::binding
