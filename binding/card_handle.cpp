#include "card_handle.h"

#include "arguments.h"
#include "guard.h"

namespace critmap::binding {
namespace {

constexpr napi_type_tag card_tag = {0x6372'6974'6d61'7031, 0x6361'7264'0000'0001};
constexpr napi_type_tag buffer_tag = {0x6372'6974'6d61'7031, 0x6275'6666'6572'0001};

class Release : public cuda::CardTask {
 public:
  explicit Release(uint64_t array) : array_(array) {}
  void run(cuda::Card& card) override { card.release(array_); }

 private:
  uint64_t array_;
};

// An object that owns `held`, which its finalizer deletes.
template <class T>
Napi::Object tagged(Napi::Env env, std::unique_ptr<T> held, const napi_type_tag& tag) {
  const Napi::Object object = Napi::Object::New(env);
  check(env, napi_type_tag_object(env, object, &tag));
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  check(env, napi_wrap(env, object, held.get(), finalize, nullptr, nullptr));
  held.release();
  return object;
}

// What an object with this tag owns; null for any other value.
void* untagged(Napi::Value value, const napi_type_tag& tag) {
  const Napi::Env env = value.Env();
  bool ours = false;
  void* held = nullptr;
  const bool is = value.Type() == napi_object &&
                  napi_check_object_type_tag(env, value, &tag, &ours) == napi_ok && ours &&
                  napi_unwrap(env, value, &held) == napi_ok;
  return is ? held : nullptr;
}

struct HeldBuffer : CardBuffer {
  ~HeldBuffer() { release(); }
};

}  // namespace

void CardCall::finished(std::unique_ptr<cuda::CardTask> self) {
  // The queue is not bounded, so this does not wait; it fails only while the environment ends.
  if (napi_call_threadsafe_function(completions_, this, napi_tsfn_nonblocking) == napi_ok) self.release();
}

OpenCard::OpenCard(Napi::Env env, int index)
    : env_(env), thread_([index] { return cuda::open_card(index); }) {
  const Napi::String name = Napi::String::New(env, "critmap card");
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                             settle, &completions_));
  napi_unref_threadsafe_function(env, completions_);
  // After the thread-safe function: hooks run last to first, and this one must come before its own.
  if (napi_add_env_cleanup_hook(env, end_environment, this) != napi_ok) {
    release_completions();
    throw Napi::Error::New(env);
  }
}

OpenCard::~OpenCard() {
  napi_remove_env_cleanup_hook(env_, end_environment, this);
  close();
  release_completions();
}

Napi::Object OpenCard::wrap(Napi::Env env, std::shared_ptr<OpenCard> card) {
  return tagged(env, std::make_unique<std::shared_ptr<OpenCard>>(std::move(card)), card_tag);
}

std::shared_ptr<OpenCard>& OpenCard::of(Napi::Value value) {
  void* const held = untagged(value, card_tag);
  if (!held) throw_type(value.Env(), "card must be a handle that card.open returned");
  return *static_cast<std::shared_ptr<OpenCard>*>(held);
}

void OpenCard::require_open(Napi::Env env) const {
  if (closed_) throw_type(env, "the card is closed");
}

Napi::Value OpenCard::submit(Napi::Value self, std::unique_ptr<CardCall> call) {
  const Napi::Env env = self.Env();
  call->card_ = this;
  call->completions_ = completions_;
  const napi_value promise = call->deferred_.start(env);
  check(env, napi_create_reference(env, self, 1, &call->self_));
  if (outstanding_++ == 0) napi_ref_threadsafe_function(env, completions_);
  thread_.queue(std::move(call));
  return Napi::Value(env, promise);
}

void OpenCard::settle(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<CardCall> call(static_cast<CardCall*>(data));
  if (!env) return;
  OpenCard& card = *call->card_;
  if (--card.outstanding_ == 0) napi_unref_threadsafe_function(env, card.completions_);
  napi_value self = nullptr, result = nullptr;
  if (call->error.empty() && napi_get_reference_value(env, call->self_, &self) == napi_ok) {
    result = call->result(env, self);
  }
  if (result) {
    call->deferred_.resolve(env, result);
  } else {
    call->deferred_.reject(env, Failure::other, call->error, call->lost ? device_lost_code : "ERR_CUDA");
  }
  // Last: the card may go with it.
  napi_delete_reference(env, call->self_);
}

// The thread-safe function may be freed once its environment ends, so it is let go before that.
void OpenCard::release_completions() {
  if (!completions_) return;
  napi_release_threadsafe_function(completions_, napi_tsfn_release);
  completions_ = nullptr;
}

void OpenCard::end_environment(void* data) {
  auto& card = *static_cast<OpenCard*>(data);
  card.closed_ = true;
  card.close();
  card.release_completions();
}

Napi::Object CardBuffer::wrap(Napi::Env env, std::shared_ptr<OpenCard> card, size_t count) {
  const uint64_t array = card->next_array();
  return tagged(env, std::unique_ptr<HeldBuffer>(new HeldBuffer{{std::move(card), array, count}}),
                buffer_tag);
}

CardBuffer& CardBuffer::of(Napi::Value value, const char* name) {
  void* const held = untagged(value, buffer_tag);
  if (!held) throw_type(value.Env(), std::string(name) + " must be a handle that card.take returned");
  return *static_cast<HeldBuffer*>(held);
}

void CardBuffer::require_usable(Napi::Env env, const char* name) const {
  if (released) throw_type(env, std::string(name) + " is disposed");
  card->require_open(env);
}

void CardBuffer::release() {
  if (released) return;
  released = true;
  card->queue(std::make_unique<Release>(array));
}

}  // namespace critmap::binding
