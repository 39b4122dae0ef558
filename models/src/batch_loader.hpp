#ifndef LAVOISIER_MODELS_BATCH_LOADER_HPP
#define LAVOISIER_MODELS_BATCH_LOADER_HPP

#include "subset_rows.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lavoisier::detail {

/// Which rows the coming steps need, known ahead.
struct LoadPlan {
  std::int64_t requests = 0;
  /// The places of request 0, 1, ... in turn; called on the loading thread, so it may only read what does not change.
  std::function<void(std::int64_t request, std::vector<std::int64_t>& places)> places;
};

/// Reads the rows of coming steps on a thread of its own while the present step computes: a queue of whole requests,
/// bounded by its bytes.
class BatchLoader {
 public:
  /// `budget`: bytes of rows that may wait, which the largest request must fit into; 0: no thread, each request is read
  /// when it is asked for. `rows` is referred to.
  BatchLoader(const SubsetRows& rows, std::int64_t row_bytes, LoadPlan plan, std::int64_t budget);
  /// Ends and joins the thread, whatever it is doing.
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  /// The rows of the next request; `to`'s memory is used for a later one. What reading them threw is thrown here, when
  /// their turn has come.
  void next(StandardisedRows& to);

 private:
  void load();
  const SubsetRows& rows_;
  std::int64_t row_bytes_;
  LoadPlan plan_;
  std::int64_t budget_, asked_ = 0;
  std::vector<std::int64_t> places_;  ///< without a thread

  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  std::deque<StandardisedRows> ready_;
  std::vector<StandardisedRows> spare_;
  std::int64_t waiting_bytes_ = 0;
  bool stop_ = false, ended_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace lavoisier::detail

#endif
