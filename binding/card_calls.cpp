// A card's calls: open, take, write, read, reset, compare, release, synchronize, close. What each does is
// said in src/native/card.ts.
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "card_handle.h"
#include "comparison.h"
#include "environment.h"
#include "reset_request.h"

namespace critmap::binding {
namespace {

constexpr size_t highest_card = 1 << 20;

class Open : public CardCall {
  void run(cuda::Card&) override {}
};

class Take : public CardCall {
 public:
  // With values or, for zeros, without any.
  Take(const CardBuffer& buffer, std::span<const float> values)
      : array_(buffer.array), count_(buffer.count), values_(values.begin(), values.end()) {}

 private:
  void run(cuda::Card& card) override {
    card.take(array_, count_);
    card.write(array_, 0, values_);
  }

  uint64_t array_;
  size_t count_;
  std::vector<float> values_;
};

class Write : public CardCall {
 public:
  Write(const CardBuffer& buffer, std::span<const float> values, size_t first)
      : array_(buffer.array), first_(first), values_(values.begin(), values.end()) {}

 private:
  void run(cuda::Card& card) override { card.write(array_, first_, values_); }

  uint64_t array_;
  size_t first_;
  std::vector<float> values_;
};

class Read : public CardCall {
 public:
  Read(const Environment& environment, const CardBuffer& buffer)
      : environment_(environment), array_(buffer.array), count_(buffer.count) {}

 private:
  void run(cuda::Card& card) override {
    values_.resize(count_);
    card.read(array_, values_);
  }

  napi_value result(napi_env env, napi_value) override {
    napi_value constructor, length, array;
    void* data = nullptr;
    size_t actual = 0;
    if (napi_get_reference_value(env, environment_.float32_array, &constructor) != napi_ok ||
        napi_create_double(env, double(count_), &length) != napi_ok ||
        napi_new_instance(env, constructor, 1, &length, &array) != napi_ok ||
        !try_elements(env, array, napi_float32_array, &data, &actual) || actual != count_) {
      return nullptr;
    }
    std::copy(values_.begin(), values_.end(), static_cast<float*>(data));
    return array;
  }

  const Environment& environment_;
  uint64_t array_;
  size_t count_;
  std::vector<float> values_;
};

class Reset : public CardCall {
 public:
  Reset(const CardBuffer& buffer, const ResetRequest& request, const ResetArrays& arrays)
      : array_(buffer.array),
        rule_(request.rule.rule),
        layout_(arrays.layout),
        donor_(arrays.donor.begin(), arrays.donor.end()),
        factor_(arrays.factor.begin(), arrays.factor.end()),
        scales_(arrays.scales.begin(), arrays.scales.end()),
        has_donor_(request.rule.donor.has_value()),
        has_factor_(request.factor.has_value()) {}

 private:
  void run(cuda::Card& card) override {
    rule_.donor = has_donor_ ? donor_.data() : nullptr;
    rule_.scales = scales_.empty() ? nullptr : scales_.data();
    card.reset(array_, rule_, layout_, has_factor_ ? factor_.data() : nullptr);
  }

  uint64_t array_;
  ResetRule rule_;
  ResetLayout layout_;
  std::vector<float> donor_, factor_, scales_;
  bool has_donor_, has_factor_;
};

class Compare : public CardCall {
 public:
  Compare(const Environment& environment, const CardBuffer& original, const CardBuffer& changed,
          size_t classes, std::span<const int32_t> labels, bool labelled)
      : original_(original.array),
        changed_(changed.array),
        classes_(classes),
        rows_(original.count / classes),
        labels_(labels.begin(), labels.end()),
        labelled_(labelled),
        comparison_(environment, rows_, labelled) {}

 private:
  void run(cuda::Card& card) override {
    const Results room = comparison_.room();
    comparison_.counts =
        card.compare(original_, changed_, rows_, classes_, labelled_ ? labels_.data() : nullptr, room.out());
  }
  napi_value result(napi_env env, napi_value) override { return comparison_.result(env); }

  uint64_t original_, changed_;
  size_t classes_, rows_;
  std::vector<int32_t> labels_;
  bool labelled_;
  OwnedComparison comparison_;
};

class Synchronize : public CardCall {
  void run(cuda::Card& card) override { card.synchronize(); }
};

class Close : public CardCall {
 public:
  explicit Close(OpenCard& card) : card_(card) {}

 private:
  void run(cuda::Card& card) override { card.clear(); }
  napi_value result(napi_env, napi_value self) override {
    card_.close();
    return self;
  }

  OpenCard& card_;
};

}  // namespace

Napi::Value card_open(const Napi::CallbackInfo& info) {
  const size_t index = index_number(argument(info, 0), "index");
  if (index > highest_card) throw_range(info.Env(), "index must be at most " + std::to_string(highest_card));
  const auto card = std::make_shared<OpenCard>(info.Env(), int(index));
  return card->submit(OpenCard::wrap(info.Env(), card), std::make_unique<Open>());
}

Napi::Value card_take(const Napi::CallbackInfo& info) {
  const std::shared_ptr<OpenCard>& card = OpenCard::of(argument(info, 0));
  const Napi::Value given = argument(info, 1);
  const std::span<const float> values =
      given.IsNumber() ? std::span<const float>() : elements<float>(given, "values");
  const size_t count = given.IsNumber() ? index_number(given, "values") : values.size();
  card->require_open(info.Env());
  const Napi::Object object = CardBuffer::wrap(info.Env(), card, count);
  return card->submit(object, std::make_unique<Take>(CardBuffer::of(object, "the buffer"), values));
}

Napi::Value card_write(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CardBuffer& buffer = CardBuffer::of(argument(info, 0), "the buffer");
  const std::span<float> values = elements<float>(argument(info, 1), "values");
  const size_t first = index_number(argument(info, 2), "offset");
  buffer.require_usable(env, "the buffer");
  if (first > buffer.count || values.size() > buffer.count - first) {
    throw_range(env, "values must end within the buffer");
  }
  return buffer.card->submit(argument(info, 0), std::make_unique<Write>(buffer, values, first));
}

Napi::Value card_read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CardBuffer& buffer = CardBuffer::of(argument(info, 0), "the buffer");
  buffer.require_usable(env, "the buffer");
  return buffer.card->submit(argument(info, 0), std::make_unique<Read>(Environment::of(env), buffer));
}

Napi::Value card_reset(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CardBuffer& buffer = CardBuffer::of(argument(info, 0), "the buffer");
  const ResetRequest request = read_reset(argument(info, 1), argument(info, 2));
  // Reading ran getters, which may have disposed it.
  buffer.require_usable(env, "the buffer");
  const ResetArrays arrays = take_reset_arrays(env, request, buffer.count);
  return buffer.card->submit(argument(info, 0), std::make_unique<Reset>(buffer, request, arrays));
}

Napi::Value card_compare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CardBuffer& original = CardBuffer::of(argument(info, 0), "original");
  const CardBuffer& changed = CardBuffer::of(argument(info, 1), "changed");
  const size_t classes = positive_integer(argument(info, 2), "classes");
  original.require_usable(env, "original");
  changed.require_usable(env, "changed");
  if (original.card != changed.card) throw_type(env, "original and changed must be buffers of one card");
  if (original.count != changed.count) throw_range(env, "changed must have the length of original");
  if (original.count % classes) throw_range(env, "original's length must be a multiple of classes");
  const Napi::Value labels = argument(info, 3);
  const bool labelled = !labels.IsUndefined();
  const std::span<int32_t> taken =
      labelled ? take_labels(labels, original.count / classes, classes) : std::span<int32_t>();
  return original.card->submit(
      argument(info, 0),
      std::make_unique<Compare>(Environment::of(env), original, changed, classes, taken, labelled));
}

Napi::Value card_release(const Napi::CallbackInfo& info) {
  CardBuffer::of(argument(info, 0), "the buffer").release();
  return info.Env().Undefined();
}

Napi::Value card_synchronize(const Napi::CallbackInfo& info) {
  const std::shared_ptr<OpenCard>& card = OpenCard::of(argument(info, 0));
  card->require_open(info.Env());
  return card->submit(argument(info, 0), std::make_unique<Synchronize>());
}

Napi::Value card_close(const Napi::CallbackInfo& info) {
  const std::shared_ptr<OpenCard>& card = OpenCard::of(argument(info, 0));
  card->require_open(info.Env());
  const Napi::Value promise = card->submit(argument(info, 0), std::make_unique<Close>(*card));
  card->refuse_calls();
  return promise;
}

}  // namespace critmap::binding
