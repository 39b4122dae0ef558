#ifndef LAVOISIER_IDX_READER_HPP
#define LAVOISIER_IDX_READER_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

/// Number types of an IDX file; values are the format's own codes.
enum class IdxType : std::uint8_t { u8 = 0x08, i8 = 0x09, i16 = 0x0B, i32 = 0x0C, f32 = 0x0D, f64 = 0x0E };

std::size_t size_of(IdxType type) noexcept;
const char* to_string(IdxType type) noexcept;  ///< u8, i8, i16, i32, f32, f64

/// An array in the IDX format (LeCun, Cortes and Burges, "The MNIST database": two zero bytes, a type, a rank, sizes
/// and numbers big-endian, row-major), plain or compressed by gzip. The first dimension counts items: images, labels.
///
/// The constructor reads the header and compares the sizes with what the file holds, to the byte. A plain file stays on
/// disk and read() takes items from it; a compressed one is unpacked into memory, its checksum verified.
/// Errors: not_found; io_error; invalid_format, whose message begins with the path and says what was expected and
/// found.
class IdxReader {
 public:
  explicit IdxReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  IdxType type() const noexcept { return type_; }
  const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  std::int64_t items() const noexcept { return shape_.front(); }
  /// Numbers an item: the product of the other sizes.
  std::int64_t item_elements() const noexcept { return item_elements_; }

  /// Items first .. first + count - 1 as numbers, count x item_elements(), row-major. Error(out_of_range).
  std::vector<double> read(std::int64_t first, std::int64_t count) const;

 private:
  std::filesystem::path path_;
  IdxType type_ = IdxType::u8;
  std::vector<std::int64_t> shape_;
  std::int64_t item_elements_ = 1;
  std::size_t header_bytes_ = 0;
  std::vector<std::byte> unpacked_;  ///< of a compressed file: what follows the header
  bool compressed_ = false;
};

/// Error(shape_mismatch) that names both files and counts, unless both hold as many items.
void require_same_items(const IdxReader& images, const IdxReader& labels);

}  // namespace lavoisier

#endif
