#include <lavoisier/files.hpp>
#include <lavoisier/scratch_file.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace lavoisier {

ScratchFile::ScratchFile(const std::filesystem::path& folder, std::string what)
    : folder_(folder.empty() ? std::filesystem::path(".") : folder), what_(std::move(what)) {
  std::error_code failure;
  std::filesystem::create_directories(folder_, failure);
  if (failure) fail(failure.value(), "can't be made: its folder");
  std::string name = (folder_ / ".lavoisier-scratch-XXXXXX").string();
  file_ = ::mkstemp(name.data());
  if (file_ < 0) fail(errno, "can't be made");
  ::unlink(name.c_str());
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : folder_(std::move(other.folder_)), what_(std::move(other.what_)), file_(std::exchange(other.file_, -1)) {}

ScratchFile::~ScratchFile() {
  if (file_ >= 0) ::close(file_);
}

void ScratchFile::require_space(std::uint64_t bytes) const {
  const std::uint64_t free = free_space(folder_ / "scratch");
  if (free < bytes)
    throw Error(Status::no_space, "the scratch file of the " + what_ + " takes up to " + std::to_string(bytes) +
                                      " bytes, found " + std::to_string(free) + " free in " + folder_.string());
}

void ScratchFile::fail(int error, const char* doing) const {
  throw Error(error == ENOSPC || error == EDQUOT ? Status::no_space : Status::io_error,
              "the scratch file of the " + what_ + " in " + folder_.string() + " " + doing + ": " +
                  std::generic_category().message(error));
}

void ScratchFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(count < 0 ? errno : ENOSPC, "can't be written");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void ScratchFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno, "can't be read");
    if (count == 0)
      throw Error(Status::io_error, "the scratch file of the " + what_ + " in " + folder_.string() +
                                        " was cut short: expected " + std::to_string(bytes.size()) +
                                        " more bytes at byte " + std::to_string(offset));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

}  // namespace lavoisier
