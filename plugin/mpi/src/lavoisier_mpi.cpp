#include <lavoisier/lavoisier_mpi.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <string>

namespace {

/// An error of MPI, or of this rank.
struct Failure {
  lav_status status;
  std::string message;
};

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  throw Failure{LAV_INTERNAL, std::string(what) + ": " + std::string(text, static_cast<std::size_t>(length))};
}

/// A duplicate of the host's communicator, on which errors return.
class Duplicate {
 public:
  explicit Duplicate(MPI_Comm host) {
    int running = 0, ended = 0;
    if (MPI_Initialized(&running) != MPI_SUCCESS || MPI_Finalized(&ended) != MPI_SUCCESS || !running || ended)
      throw Failure{LAV_NOT_INITIALIZED, "MPI is not running: expected a call between MPI_Init and MPI_Finalize"};
    if (host == MPI_COMM_NULL) throw Failure{LAV_INVALID_ARGUMENT, "expected a communicator, found MPI_COMM_NULL"};
    check(MPI_Comm_dup(host, &own_), "MPI_Comm_dup");
    check(MPI_Comm_set_errhandler(own_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(own_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(own_, &size_), "MPI_Comm_size");
  }
  ~Duplicate() {
    if (own_ != MPI_COMM_NULL) MPI_Comm_free(&own_);
  }
  Duplicate(const Duplicate&) = delete;
  Duplicate& operator=(const Duplicate&) = delete;

  MPI_Comm get() const noexcept { return own_; }
  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }

 private:
  MPI_Comm own_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

constexpr int message_size = 2048;

void broadcast(const Duplicate& comm, void* bytes, std::size_t size, int root) {
  constexpr std::size_t piece = std::size_t{1} << 30;  // counts of MPI are int
  for (std::size_t done = 0; done < size; done += piece)
    check(MPI_Bcast(static_cast<char*>(bytes) + done, static_cast<int>(std::min(piece, size - done)), MPI_BYTE, root,
                    comm.get()),
          "MPI_Bcast");
}

/// Throws the failure of the lowest rank that has one, on every rank; nothing where none has.
void agree(const Duplicate& comm, lav_status mine, const char* text) {
  int lowest = mine == LAV_OK ? comm.size() : comm.rank();
  check(MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, comm.get()), "MPI_Allreduce");
  if (lowest == comm.size()) return;
  struct {
    int status;
    char text[message_size];
  } told{};
  told.status = mine;
  if (comm.rank() == lowest) std::strncpy(told.text, text, message_size - 1);
  broadcast(comm, &told, sizeof told, lowest);
  throw Failure{static_cast<lav_status>(told.status), "rank " + std::to_string(lowest) + ": " + told.text};
}

template <class Body>
lav_status guarded(Body&& body) noexcept {
  try {
    body();
    return LAV_OK;
  } catch (const Failure& failure) {
    return lav_fail(failure.status, failure.message.c_str());
  } catch (const std::bad_alloc&) {
    return lav_fail(LAV_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return lav_fail(LAV_INTERNAL, error.what());
  } catch (...) {
    return lav_fail(LAV_INTERNAL, "an unknown exception");
  }
}

/// The bytes of a file; a failure is told, not thrown.
std::unique_ptr<char[]> read(const char* path, std::int64_t& size, lav_status& status, std::string& message) {
  std::unique_ptr<char[]> bytes;
  status = LAV_OK;
  if (path == nullptr) {
    status = LAV_INVALID_ARGUMENT;
    message = "lav_mpi_model_load: expected a path on the root rank, found null";
    return bytes;
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    status = LAV_IO_ERROR;
    message = std::string(path) + ": expected a model file, found a folder";
    return bytes;
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  size = file ? static_cast<std::int64_t>(file.tellg()) : -1;
  if (size < 0) {
    status = LAV_NOT_FOUND;
    message = std::string(path) + ": cannot be opened";
    return bytes;
  }
  bytes.reset(new (std::nothrow) char[static_cast<std::size_t>(size) + 1]);
  if (bytes == nullptr) {
    status = LAV_OUT_OF_MEMORY;
    message = std::string(path) + ": no memory for its " + std::to_string(size) + " bytes";
  } else if (!file.seekg(0).read(bytes.get(), size)) {
    status = LAV_IO_ERROR;
    message = std::string(path) + ": reading " + std::to_string(size) + " bytes failed";
  }
  return bytes;
}

struct ModelHandle {
  lav_model* model = nullptr;
  ~ModelHandle() { lav_model_destroy(model); }
};

}  // namespace

struct lav_mpi_reducer {
  explicit lav_mpi_reducer(MPI_Comm host) : comm(host) {}
  Duplicate comm;
};

extern "C" {

lav_status lav_mpi_model_load(MPI_Comm communicator, int root, const char* path, lav_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    const Duplicate comm(communicator);
    if (root < 0 || root >= comm.size())  // the same on every rank
      throw Failure{LAV_INVALID_ARGUMENT, "lav_mpi_model_load: root " + std::to_string(root) + " is no rank of " +
                                              std::to_string(comm.size())};
    lav_status status = model != nullptr ? LAV_OK : LAV_INVALID_ARGUMENT;
    std::string message = model != nullptr ? "" : "lav_mpi_model_load: expected a place for the model, found null";
    struct {
      std::int64_t size;
      char version[64], path[1024];
    } told{};
    std::unique_ptr<char[]> bytes;
    if (comm.rank() == root && status == LAV_OK) {
      bytes = read(path, told.size, status, message);
      std::strncpy(told.version, lav_version(), sizeof told.version - 1);
      if (path != nullptr) std::strncpy(told.path, path, sizeof told.path - 1);
    }
    agree(comm, status, message.c_str());
    broadcast(comm, &told, sizeof told, root);
    if (comm.rank() != root) bytes.reset(new (std::nothrow) char[static_cast<std::size_t>(told.size) + 1]);
    if (bytes == nullptr) {
      status = LAV_OUT_OF_MEMORY;
      message = std::string(told.path) + ": no memory for its " + std::to_string(told.size) + " bytes";
    } else if (std::strcmp(told.version, lav_version()) != 0) {
      status = LAV_UNSUPPORTED_VERSION;
      message = "expected lavoisier " + std::string(told.version) + " as on rank " + std::to_string(root) + ", found " +
                lav_version();
    }
    agree(comm, status, message.c_str());
    broadcast(comm, bytes.get(), static_cast<std::size_t>(told.size), root);
    ModelHandle made;
    status = lav_model_parse(bytes.get(), static_cast<std::size_t>(told.size), told.path, &made.model);
    agree(comm, status, status == LAV_OK ? "" : lav_last_error());
    std::swap(made.model, *model);
  });
}

lav_status lav_mpi_model_load_f(MPI_Fint communicator, int root, const char* path, lav_model** model) {
  return lav_mpi_model_load(MPI_Comm_f2c(communicator), root, path, model);
}

lav_status lav_mpi_agree(MPI_Comm communicator, lav_status mine) {
  return guarded([&] {
    const std::string message = mine == LAV_OK ? "" : lav_last_error();
    const Duplicate comm(communicator);
    agree(comm, mine, message.c_str());
  });
}

lav_status lav_mpi_agree_f(MPI_Fint communicator, lav_status mine) {
  return lav_mpi_agree(MPI_Comm_f2c(communicator), mine);
}

lav_status lav_mpi_reducer_create(MPI_Comm communicator, lav_mpi_reducer** reducer) {
  if (reducer != nullptr) *reducer = nullptr;
  return guarded([&] {
    auto made = std::make_unique<lav_mpi_reducer>(communicator);
    agree(made->comm, reducer != nullptr ? LAV_OK : LAV_INVALID_ARGUMENT,
          "lav_mpi_reducer_create: expected a place for the reducer, found null");
    *reducer = made.release();
  });
}

lav_status lav_mpi_reducer_create_f(MPI_Fint communicator, lav_mpi_reducer** reducer) {
  return lav_mpi_reducer_create(MPI_Comm_f2c(communicator), reducer);
}

void lav_mpi_reducer_destroy(lav_mpi_reducer* reducer) { delete reducer; }

lav_status lav_mpi_reduce(void* reducer, int64_t* words, size_t count) {
  return guarded([&] {
    if (reducer == nullptr || words == nullptr || count > (std::size_t{1} << 30))
      throw Failure{LAV_INVALID_ARGUMENT, "lav_mpi_reduce: expected a reducer and at most 2^30 words"};
    check(MPI_Allreduce(MPI_IN_PLACE, words, static_cast<int>(count), MPI_INT64_T, MPI_SUM,
                        static_cast<lav_mpi_reducer*>(reducer)->comm.get()),
          "MPI_Allreduce");
  });
}

}  // extern "C"
