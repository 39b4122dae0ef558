#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace lavoisier {

namespace {

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

[[noreturn]] void fail(int error, const std::string& what, const std::filesystem::path& path) {
  Status status = Status::io_error;
  if (error == ENOSPC || error == EDQUOT) status = Status::no_space;
  throw Error(status, what + " '" + path.string() + "': " + reason(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }
  // Network file systems report a failed write at close.
  int close() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd);
  }

 private:
  int fd_;
};

template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Descriptor open_to_read(const std::filesystem::path& path) {
  const int fd = uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (fd < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(Status::not_found, "no file '" + path.string() + "': " + reason(error));
    }
    fail(error, "cannot open", path);
  }
  return Descriptor(fd);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const auto folder = path.parent_path();
  return folder.empty() ? std::filesystem::path(".") : folder;
}

void sync_folder(const std::filesystem::path& path) {
  const auto folder = folder_of(path);
  const Descriptor fd(uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  // A folder that may be written but not listed can't be opened; some file systems can't sync one.
  if (fd.get() < 0) return;
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL && errno != ENOTSUP) {
    fail(errno, "cannot sync the folder", folder);
  }
}

class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(const void* bytes, std::size_t size) { require(EVP_DigestUpdate(context_.get(), bytes, size) == 1); }
  std::string digits() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  static void require(bool good) {
    if (!good) throw Error(Status::internal, "SHA-256 is not available in libcrypto");
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

struct RemoveOnFailure {
  const std::filesystem::path& path;
  bool armed = true;
  ~RemoveOnFailure() {
    if (armed) ::unlink(path.c_str());
  }
};

// Renames a synced file into place; the temporary's removal is the caller's.
void rename_and_sync(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(errno, "cannot put the finished file in place as", path);
  sync_folder(path);
}

}  // namespace

namespace detail {

std::string sha256_of_parts(const std::vector<std::span<const std::byte>>& parts) {
  Hash hash;
  for (const auto part : parts) hash.add(part.data(), part.size());
  return hash.digits();
}

}  // namespace detail

std::string sha256(std::span<const std::byte> bytes) {
  Hash hash;
  hash.add(bytes.data(), bytes.size());
  return hash.digits();
}

struct Sha256::Implementation {
  Hash hash;
};
Sha256::Sha256() : implementation_(std::make_unique<Implementation>()) {}
Sha256::~Sha256() = default;
void Sha256::add(std::span<const std::byte> bytes) { implementation_->hash.add(bytes.data(), bytes.size()); }
std::string Sha256::digits() { return implementation_->hash.digits(); }

std::string sha256_of_file(const std::filesystem::path& path) {
  const Descriptor fd = open_to_read(path);
  Hash hash;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (;;) {
    const auto count = uninterrupted([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (count < 0) fail(errno, "cannot read", path);
    if (count == 0) return hash.digits();
    hash.add(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const Descriptor fd = open_to_read(path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail(errno, "cannot read", path);
  if (S_ISDIR(status.st_mode)) fail(EISDIR, "cannot read", path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)));
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) {
      // At the size that the system told: one more read says whether that was all (a pipe tells none).
      std::byte more[4096];
      const auto count = uninterrupted([&] { return ::read(fd.get(), more, sizeof more); });
      if (count < 0) fail(errno, "cannot read", path);
      if (count == 0) return bytes;
      bytes.insert(bytes.end(), more, more + count);
      filled = bytes.size();
      continue;
    }
    const auto count = uninterrupted([&] { return ::read(fd.get(), bytes.data() + filled, bytes.size() - filled); });
    if (count < 0) fail(errno, "cannot read", path);
    if (count == 0) {
      bytes.resize(filled);
      return bytes;
    }
    filled += static_cast<std::size_t>(count);
  }
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::path temporary;
  int opened = -1;
  // Another host on the same file system may have our process number and take the name in between.
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary = temporary_name_for(path);
    opened = uninterrupted([&] { return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (opened >= 0 || errno != EEXIST) break;
  }
  if (opened < 0) fail(errno, "cannot write", path);
  Descriptor fd(opened);
  RemoveOnFailure guard{temporary};
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto count =
        uninterrupted([&] { return ::write(fd.get(), bytes.data() + written, bytes.size() - written); });
    if (count < 0) fail(errno, "cannot write", path);
    written += static_cast<std::size_t>(count);
  }
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0) fail(errno, "cannot sync", path);
  if (fd.close() != 0) fail(errno, "cannot close", path);
  rename_and_sync(temporary, path);
  guard.armed = false;
}

void write_file_atomically(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

std::filesystem::path temporary_name_for(const std::filesystem::path& path) {
  // Process numbers come again (in a container almost at once): a name that a killed process left behind is not taken.
  static std::atomic<unsigned long> count{0};
  for (;;) {
    auto name = path;
    name += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(count.fetch_add(1));
    struct stat status {};
    if (::lstat(name.c_str(), &status) != 0) return name;
  }
}

void commit_file(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  RemoveOnFailure guard{temporary};
  const Descriptor fd(uninterrupted([&] { return ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (fd.get() < 0) fail(errno, "cannot open the finished temporary file", temporary);
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0) fail(errno, "cannot sync", temporary);
  rename_and_sync(temporary, path);
  guard.armed = false;
}

std::uint64_t free_space(const std::filesystem::path& path) {
  const auto folder = folder_of(path);
  struct statvfs status {};
  if (uninterrupted([&] { return ::statvfs(folder.c_str(), &status); }) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(Status::not_found, "no folder '" + folder.string() + "': " + reason(error));
    }
    fail(error, "cannot tell the free space of", folder);
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace lavoisier
