#include "batch_loader.hpp"

#include <lavoisier/status.hpp>

#include <utility>

namespace lavoisier::detail {

BatchLoader::BatchLoader(const SubsetRows& rows, std::int64_t row_bytes, LoadPlan plan, std::int64_t budget)
    : rows_(rows), row_bytes_(row_bytes), plan_(std::move(plan)), budget_(budget) {
  if (budget_ > 0 && plan_.requests > 0) thread_ = std::thread([this] { load(); });
}

BatchLoader::~BatchLoader() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BatchLoader::load() {
  std::exception_ptr failure;
  try {
    std::vector<std::int64_t> places;
    for (std::int64_t request = 0; request < plan_.requests; ++request) {
      plan_.places(request, places);
      const std::int64_t bytes = static_cast<std::int64_t>(places.size()) * row_bytes_;
      LAVOISIER_REQUIRE(bytes <= budget_, "a request fits the buffer");
      StandardisedRows read;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || waiting_bytes_ + bytes <= budget_; });
        if (stop_) return;
        waiting_bytes_ += bytes;
        if (!spare_.empty()) {
          read = std::move(spare_.back());
          spare_.pop_back();
        }
      }
      rows_.gather(places, read);
      {
        const std::lock_guard lock(mutex_);
        ready_.push_back(std::move(read));
      }
      changed_.notify_all();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    ended_ = true;
  }
  changed_.notify_all();
}

void BatchLoader::next(StandardisedRows& to) {
  LAVOISIER_REQUIRE(asked_ < plan_.requests, "a request of the plan");
  if (!thread_.joinable()) {
    plan_.places(asked_++, places_);
    rows_.gather(places_, to);
    return;
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || ended_; });
    if (ready_.empty()) std::rethrow_exception(failure_);  // all before it have been handed over
    std::swap(to, ready_.front());
    spare_.push_back(std::move(ready_.front()));
    ready_.pop_front();
    waiting_bytes_ -= to.count() * row_bytes_;
    ++asked_;
  }
  changed_.notify_all();
}

}  // namespace lavoisier::detail
