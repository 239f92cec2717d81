#include "cuda/card_thread.h"

#include <exception>
#include <new>

namespace critmap::cuda {
namespace {

// What `step` fails with; empty if it does not.
template <class Step>
std::string error_of(const Step& step) {
  try {
    step();
    return {};
  } catch (const std::bad_alloc&) {
    return "not enough memory for this call";
  } catch (const std::exception& error) {
    return error.what();
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
  const std::string refused = error_of([&] { card = open(); });
  for (;;) {
    std::unique_ptr<CardTask> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
      if (closed_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task->error = card ? error_of([&] { task->run(*card); }) : refused;
    CardTask& done = *task;
    done.finished(std::move(task));
  }
}

}  // namespace critmap::cuda
