// The thread of a card (card.h): it opens the card, does what is queued for it, one after the other, and
// closes it. So nobody who queues work waits for a card, and a card sees one thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cuda/card.h"

namespace critmap::cuda {

class CardTask {
 public:
  virtual ~CardTask() = default;
  // On the card's thread.
  virtual void run(Card& card) = 0;
  // Afterwards, likewise; `self` is this.
  virtual void finished(std::unique_ptr<CardTask>) {}

  // Why it failed; empty if it did not.
  std::string error;
  // It failed because this process can compute nothing on the card any more.
  bool lost = false;
};

class CardThread {
 public:
  explicit CardThread(std::function<std::unique_ptr<Card>()> open);
  ~CardThread() { close(); }
  CardThread(const CardThread&) = delete;
  CardThread& operator=(const CardThread&) = delete;

  // Fails with the reason if the card could not be opened. Drops the task after `close`.
  void queue(std::unique_ptr<CardTask> task);
  // Drops what has not begun and waits for what has; the card is closed when this returns. From any other
  // thread, as often as wanted.
  void close();

 private:
  void work(const std::function<std::unique_ptr<Card>()>& open);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<CardTask>> tasks_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace critmap::cuda
