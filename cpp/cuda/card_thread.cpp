#include "cuda/card_thread.h"

#include <exception>
#include <new>

namespace critmap::cuda {
namespace {

struct Failure {
  // Empty where nothing failed.
  std::string text;
  bool lost = false;
};

// What `step` fails with, on `card` once there is one.
template <class Step>
Failure failure_of(const std::unique_ptr<Card>& card, const Step& step) {
  try {
    step();
    return {};
  } catch (const std::bad_alloc&) {
    return {"not enough memory for this call"};
  } catch (const CardLost& error) {
    return {error.what(), true};
  } catch (const std::exception& error) {
    const std::string lost = card ? card->lost(error) : std::string();
    return lost.empty() ? Failure{error.what()} : Failure{lost, true};
  }
}

}  // namespace

CardThread::CardThread(std::function<std::unique_ptr<Card>()> open)
    : thread_([this, open = std::move(open)] { work(open); }) {}

void CardThread::queue(std::unique_ptr<CardTask> task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void CardThread::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  tasks_.clear();
}

void CardThread::work(const std::function<std::unique_ptr<Card>()>& open) {
  std::unique_ptr<Card> card;
  const Failure refused = failure_of(card, [&] { card = open(); });
  for (;;) {
    std::unique_ptr<CardTask> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
      if (closed_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    const Failure failure = card ? failure_of(card, [&] { task->run(*card); }) : refused;
    task->error = failure.text;
    task->lost = failure.lost;
    CardTask& done = *task;
    done.finished(std::move(task));
  }
}

}  // namespace critmap::cuda
