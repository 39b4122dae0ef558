#ifndef LAVOISIER_TESTS_MODELS_THREAD_COMMUNICATOR_HPP
#define LAVOISIER_TESTS_MODELS_THREAD_COMMUNICATOR_HPP

// Ranks that are threads of one process. A rank that leaves while others wait makes these fail instead of hang.

#include <lavoisier/training_communicator.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lavoisier::test {

class ThreadWorld {
 public:
  explicit ThreadWorld(int size) : size_(size), posts_(static_cast<std::size_t>(size)) {}
  int size() const noexcept { return size_; }

  /// Shows `post` to all ranks, lets each `read` what the others show, and ends together.
  struct Post {
    const void* data = nullptr;
    std::size_t bytes = 0;
    std::span<const std::int64_t> counts;
  };
  void meet(int rank, const Post& post, const std::function<void(const std::vector<Post>&)>& read) {
    posts_[static_cast<std::size_t>(rank)] = post;
    wait();
    read(posts_);
    wait();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
    changed_.notify_all();
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    const auto turn = turn_;
    if (++waiting_ == size_) {
      waiting_ = 0;
      ++turn_;
      changed_.notify_all();
      return;
    }
    changed_.wait(lock, [&] { return turn_ != turn || left_; });
    if (turn_ == turn) throw Error(Status::internal, "a rank has left while another waits for it");
  }

  int size_;
  std::vector<Post> posts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  std::uint64_t turn_ = 0;
  bool left_ = false;
};

class ThreadCommunicator final : public TrainingCommunicator {
 public:
  ThreadCommunicator(ThreadWorld& world, int rank) : world_(world), rank_(rank) {}
  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return world_.size(); }

  void gather(std::span<const std::byte> own, std::span<std::byte> all) override {
    world_.meet(rank_, {own.data(), own.size(), {}}, [&](const auto& posts) {
      for (std::size_t r = 0; r < posts.size(); ++r) {
        if (posts[r].bytes != own.size()) throw Error(Status::internal, "blocks of different sizes");
        std::memcpy(all.data() + r * own.size(), posts[r].data, own.size());
      }
    });
  }
  void broadcast(std::vector<std::byte>& bytes, int root) override {
    std::vector<std::byte> found;
    world_.meet(rank_, {bytes.data(), bytes.size(), {}}, [&](const auto& posts) {
      const auto& post = posts[static_cast<std::size_t>(root)];
      const auto* first = static_cast<const std::byte*>(post.data);
      found.assign(first, first + post.bytes);
    });
    bytes = std::move(found);
  }
  void exchange(std::span<const float> send, std::span<const std::int64_t> send_counts, std::span<float> received,
                std::span<const std::int64_t> receive_counts) override {
    world_.meet(rank_, {send.data(), send.size_bytes(), send_counts}, [&](const auto& posts) {
      float* to = received.data();
      for (std::size_t r = 0; r < posts.size(); ++r) {
        if (posts[r].counts.size() != posts.size()) throw Error(Status::internal, "ranks make different calls");
        const auto* from = static_cast<const float*>(posts[r].data);
        for (int q = 0; q < rank_; ++q) from += posts[r].counts[static_cast<std::size_t>(q)];
        if (posts[r].counts[static_cast<std::size_t>(rank_)] != receive_counts[r])
          throw Error(Status::internal, "sent and received counts differ");
        to = std::copy_n(from, receive_counts[r], to);
      }
    });
  }
  void gather_segments(std::span<float> all, std::span<const std::int64_t> counts) override {
    world_.meet(rank_, {all.data(), all.size_bytes(), counts}, [&](const auto& posts) {
      std::int64_t begin = 0;
      for (std::size_t r = 0; r < posts.size(); begin += counts[r++])
        if (static_cast<int>(r) != rank_)
          std::copy_n(static_cast<const float*>(posts[r].data) + begin, counts[r], all.begin() + begin);
    });
  }

 private:
  ThreadWorld& world_;
  int rank_;
};

/// Runs `work` on `size` ranks; the exception of each, null where there was none.
inline std::vector<std::exception_ptr> on_ranks(int size, const std::function<void(TrainingCommunicator&)>& work) {
  ThreadWorld world(size);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(world, rank);
      try {
        work(communicator);
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
      }
      world.leave();
    });
  for (std::thread& thread : threads) thread.join();
  return failures;
}

}  // namespace lavoisier::test

#endif
