// Cards and their buffers as JavaScript holds them: objects tagged as ours. What is asked of a card is done
// by its thread (cuda/card_thread.h), and comes back over a thread-safe function. A buffer's finalizer frees
// its memory on the card; when the card and all its buffers are collected, or the environment ends first
// (process.exit, a terminated worker thread), the thread is joined and the card closed. A call keeps its
// object alive, and the event loop only while one is outstanding.
#pragma once

#include <napi.h>

#include <memory>

#include "cuda/card_thread.h"
#include "deferred.h"

namespace critmap::binding {

class OpenCard;

// One call from JavaScript: a task of the card whose end settles a promise.
class CardCall : public cuda::CardTask {
 public:
  void finished(std::unique_ptr<cuda::CardTask> self) override;

 protected:
  // On the environment's thread: what to resolve with; null with an exception pending or where the
  // environment refuses. The object that the call was about, unless overridden.
  virtual napi_value result(napi_env, napi_value self) { return self; }

 private:
  friend OpenCard;
  OpenCard* card_ = nullptr;
  napi_threadsafe_function completions_ = nullptr;
  Deferred deferred_;
  // Keeps the object from being collected, and so the card from being closed.
  napi_ref self_ = nullptr;
};

class OpenCard {
 public:
  OpenCard(Napi::Env env, int index);
  ~OpenCard();

  // A new object that holds `card`.
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<OpenCard> card);
  // TypeError unless `value` came from `wrap`.
  static std::shared_ptr<OpenCard>& of(Napi::Value value);

  // TypeError when it is closed.
  void require_open(Napi::Env env) const;
  // `self`: the object that the call is about, of this card or one of its buffers.
  Napi::Value submit(Napi::Value self, std::unique_ptr<CardCall> call);
  // Work that nobody waits for.
  void queue(std::unique_ptr<cuda::CardTask> task) { thread_.queue(std::move(task)); }
  // No call is taken any more.
  void refuse_calls() { closed_ = true; }
  // Joins the thread.
  void close() { thread_.close(); }
  uint64_t next_array() { return next_array_++; }

 private:
  static void settle(napi_env env, napi_value, void* context, void* data);
  static void end_environment(void* data);
  void release_completions();

  napi_env env_;
  cuda::CardThread thread_;
  napi_threadsafe_function completions_ = nullptr;
  size_t outstanding_ = 0;
  bool closed_ = false;
  uint64_t next_array_ = 0;
};

struct CardBuffer {
  std::shared_ptr<OpenCard> card;
  uint64_t array;
  size_t count;
  bool released = false;

  // An object that owns a new array of the card's, which is to be taken.
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<OpenCard> card, size_t count);
  // TypeError unless `value` came from `wrap`; `name` is for the message.
  static CardBuffer& of(Napi::Value value, const char* name);
  // TypeError when it is released or its card is closed.
  void require_usable(Napi::Env env, const char* name) const;
  // Frees the memory after what is queued; more than once, too.
  void release();
};

}  // namespace critmap::binding
