#ifndef LAVOISIER_SCRATCH_FILE_HPP
#define LAVOISIER_SCRATCH_FILE_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace lavoisier {

/// A file for numbers that memory doesn't hold. It has no name once it is open: however the process ends, a kill
/// included, its space is free again.
class ScratchFile {
 public:
  /// In `folder`, which is made if need be. `what`: of what it holds, for messages ("samples"). Error(io_error): no
  /// file can be made there.
  ScratchFile(const std::filesystem::path& folder, std::string what);
  ~ScratchFile();
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&&) = delete;

  /// Error(no_space) if the file system has fewer bytes free than will be written at most.
  void require_space(std::uint64_t bytes) const;
  /// Error(no_space) or Error(io_error) with folder and the system's reason.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// All of `bytes`, else Error(io_error). Several threads may read at once.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  [[noreturn]] void fail(int error, const char* doing) const;
  std::filesystem::path folder_;
  std::string what_;
  int file_ = -1;
};

}  // namespace lavoisier

#endif
