#include <lavoisier/mpi_training_communicator.hpp>

#include <lavoisier/status.hpp>

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <string>

namespace lavoisier {
namespace {

void require(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(Status::internal,
              std::string(what) + ": MPI says: " + std::string(text.data(), static_cast<std::size_t>(length)));
}

int count_of(std::int64_t count) {
  if (count > std::numeric_limits<int>::max())
    throw Error(Status::unsupported, "a message between processes: expected at most " +
                                         std::to_string(std::numeric_limits<int>::max()) + " numbers, found " +
                                         std::to_string(count));
  return static_cast<int>(count);
}

/// Counts and where each begins.
struct Layout {
  std::vector<int> counts, begins;
  explicit Layout(std::span<const std::int64_t> given) {
    std::int64_t begin = 0;
    for (const std::int64_t count : given) {
      counts.push_back(count_of(count));
      begins.push_back(count_of(begin));
      begin += count;
    }
  }
};

class MpiTrainingCommunicator final : public TrainingCommunicator {
 public:
  MpiTrainingCommunicator() {
    int started = 0;
    MPI_Initialized(&started);
    if (!started) {
      int provided = 0;
      require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting MPI");
      ends_ = true;
    }
    require(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "duplicating MPI_COMM_WORLD");
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(world_, &rank_);
    MPI_Comm_size(world_, &size_);
  }
  ~MpiTrainingCommunicator() override {
    MPI_Comm_free(&world_);
    if (ends_) MPI_Finalize();
  }
  MpiTrainingCommunicator(const MpiTrainingCommunicator&) = delete;
  MpiTrainingCommunicator& operator=(const MpiTrainingCommunicator&) = delete;

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }

  void gather(std::span<const std::byte> own, std::span<std::byte> all) override {
    const int count = count_of(static_cast<std::int64_t>(own.size()));
    require(MPI_Allgather(own.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, world_),
            "gathering from all processes");
  }

  void broadcast(std::vector<std::byte>& bytes, int root) override {
    std::uint64_t size = bytes.size();
    require(MPI_Bcast(&size, 1, MPI_UINT64_T, root, world_), "broadcasting");
    bytes.resize(size);
    constexpr std::uint64_t piece = std::uint64_t{1} << 30;
    for (std::uint64_t begin = 0; begin < size; begin += piece)
      require(MPI_Bcast(bytes.data() + begin, static_cast<int>(std::min(piece, size - begin)), MPI_BYTE, root, world_),
              "broadcasting");
  }

  void exchange(std::span<const float> send, std::span<const std::int64_t> send_counts, std::span<float> received,
                std::span<const std::int64_t> receive_counts) override {
    const Layout out(send_counts), in(receive_counts);
    require(MPI_Alltoallv(send.data(), out.counts.data(), out.begins.data(), MPI_FLOAT, received.data(),
                          in.counts.data(), in.begins.data(), MPI_FLOAT, world_),
            "exchanging segments");
  }

  void gather_segments(std::span<float> all, std::span<const std::int64_t> counts) override {
    const Layout layout(counts);
    require(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), layout.counts.data(), layout.begins.data(),
                           MPI_FLOAT, world_),
            "gathering segments");
  }

 private:
  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  bool ends_ = false;
};

}  // namespace

std::unique_ptr<TrainingCommunicator> make_mpi_training_communicator() {
  return std::make_unique<MpiTrainingCommunicator>();
}

void abort_mpi(int code) noexcept {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::abort();
}

}  // namespace lavoisier
