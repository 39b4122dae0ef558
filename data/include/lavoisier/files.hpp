#ifndef LAVOISIER_FILES_HPP
#define LAVOISIER_FILES_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

/// SHA-256 as 64 lower-case hex digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_of_file(const std::filesystem::path& path);

/// SHA-256 of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::span<const std::byte> bytes);
  std::string digits();  ///< 64 lower-case hex digits; once, at the end

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A whole file; Error(not_found) or Error(io_error) with path and the system's reason.
std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Writes to `path`.tmp-<pid>-<n>, syncs, renames over `path`, syncs the folder: a reader sees the old file or the new
/// one, never a part. On failure the temporary is removed and Error(io_error or no_space) gives path and reason.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, const std::string& text);

/// The two halves of the above for files that a library writes itself (NetCDF): a name to write to, and the commit.
std::filesystem::path temporary_name_for(const std::filesystem::path& path);
void commit_file(const std::filesystem::path& temporary, const std::filesystem::path& path);

/// Bytes free to this user on the file system of `path`'s folder; Error(not_found) if the folder is missing.
std::uint64_t free_space(const std::filesystem::path& path);

}  // namespace lavoisier

#endif
