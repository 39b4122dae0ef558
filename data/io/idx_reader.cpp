#include <lavoisier/idx_reader.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>

namespace lavoisier {
namespace {

constexpr std::uint64_t most_unpacked = std::uint64_t{8} << 30;

[[noreturn]] void fail(const std::filesystem::path& path, Status status, const std::string& what) {
  throw Error(status, fmt::format("{}: {}", path.string(), what));
}

/// A file's bytes in order, unpacked where it is compressed.
class Source {
 public:
  explicit Source(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) fail(path, Status::not_found, "no such file");
    if (status.type() != std::filesystem::file_type::regular) fail(path, Status::io_error, "not a regular file");
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) fail(path, Status::io_error, errno != 0 ? std::strerror(errno) : "out of memory");
    gzbuffer(file_.get(), 1u << 17);
  }
  /// Fewer than `count` only at the end.
  std::size_t read(std::byte* to, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const auto part = static_cast<unsigned>(std::min<std::size_t>(count - done, 1u << 30));
      const int found = gzread(file_.get(), to + done, part);
      check();
      if (found <= 0) break;
      done += static_cast<std::size_t>(found);
    }
    return done;
  }
  bool compressed() { return gzdirect(file_.get()) == 0; }
  void check() {
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) fail(path_, Status::invalid_format, "the gzip stream was cut short");
    if (code == Z_ERRNO) fail(path_, Status::io_error, std::strerror(errno));
    if (code != Z_OK && code != Z_STREAM_END)
      fail(path_, Status::invalid_format, fmt::format("not a sound gzip stream ({})", message));
  }

 private:
  struct Close {
    void operator()(gzFile file) const noexcept { gzclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

std::uint32_t big_endian(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

template <class T>
double number(const std::byte* bytes) {
  std::byte turned[sizeof(T)];
  std::copy_n(bytes, sizeof(T), turned);
  if constexpr (std::endian::native == std::endian::little) std::reverse(turned, turned + sizeof(T));
  T value;
  std::memcpy(&value, turned, sizeof(T));
  return static_cast<double>(value);
}

template <class T>
void convert(const std::byte* bytes, std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = number<T>(bytes + i * sizeof(T));
}

}  // namespace

std::size_t size_of(IdxType type) noexcept {
  switch (type) {
    case IdxType::u8:
    case IdxType::i8:
      return 1;
    case IdxType::i16:
      return 2;
    case IdxType::i32:
    case IdxType::f32:
      return 4;
    case IdxType::f64:
      break;
  }
  return 8;
}

const char* to_string(IdxType type) noexcept {
  switch (type) {
    case IdxType::u8:
      return "u8";
    case IdxType::i8:
      return "i8";
    case IdxType::i16:
      return "i16";
    case IdxType::i32:
      return "i32";
    case IdxType::f32:
      return "f32";
    case IdxType::f64:
      break;
  }
  return "f64";
}

IdxReader::IdxReader(const std::filesystem::path& path) : path_(path) {
  Source source(path);
  std::byte magic[4];
  const std::size_t found = source.read(magic, sizeof magic);
  compressed_ = source.compressed();
  if (found < sizeof magic)
    fail(path, Status::invalid_format, fmt::format("expected an IDX header of at least 8 bytes, found {}", found));
  const auto code = std::to_integer<std::uint8_t>(magic[2]);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0} || code < 0x08 || code > 0x0E || code == 0x0A)
    fail(path, Status::invalid_format,
         fmt::format(
             "expected an IDX file (two zero bytes, then a type 08, 09, 0B, 0C, 0D or 0E), found {:02X} {:02X} {:02X}",
             std::to_integer<int>(magic[0]), std::to_integer<int>(magic[1]), code));
  type_ = static_cast<IdxType>(code);
  const auto rank = std::to_integer<std::size_t>(magic[3]);
  if (rank == 0) fail(path, Status::invalid_format, "expected at least one dimension, found 0");
  std::vector<std::byte> sizes(4 * rank);
  if (source.read(sizes.data(), sizes.size()) < sizes.size())
    fail(path, Status::invalid_format,
         fmt::format("expected {} sizes behind the magic number, found the end of the file", rank));
  header_bytes_ = 4 + sizes.size();
  std::uint64_t bytes = size_of(type_);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::uint32_t size = big_endian(sizes.data() + 4 * i);
    shape_.push_back(size);
    if (size != 0 && bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / size)
      fail(path, Status::invalid_format, fmt::format("sizes {} are beyond any file", fmt::join(shape_, " x ")));
    bytes *= size;
    if (i > 0) item_elements_ *= size;
  }
  const std::string expected =
      fmt::format("expected {} bytes behind the header ({} of {})", bytes, fmt::join(shape_, " x "), to_string(type_));
  if (!compressed_) {
    std::error_code error;
    const std::uint64_t held = std::filesystem::file_size(path, error);
    if (error) fail(path, Status::io_error, error.message());
    if (held - header_bytes_ != bytes)
      fail(path, Status::invalid_format, fmt::format("{}, found {}", expected, held - header_bytes_));
    return;
  }
  if (bytes > most_unpacked)
    fail(path, Status::invalid_format,
         fmt::format("{} bytes are too many to unpack into memory; please decompress the file", bytes));
  unpacked_.resize(static_cast<std::size_t>(bytes));
  const std::size_t unpacked = source.read(unpacked_.data(), unpacked_.size());
  if (unpacked < unpacked_.size()) fail(path, Status::invalid_format, fmt::format("{}, found {}", expected, unpacked));
  std::byte more;  // reading to the very end verifies the checksum
  if (source.read(&more, 1) != 0) fail(path, Status::invalid_format, fmt::format("{}, found more", expected));
}

std::vector<double> IdxReader::read(std::int64_t first, std::int64_t count) const {
  if (first < 0 || count < 0 || count > items() - std::min(first, items()))
    fail(path_, Status::out_of_range, fmt::format("items {} to {} of {}", first, first + count - 1, items()));
  const std::size_t width = size_of(type_);
  std::vector<double> values(static_cast<std::size_t>(count) * static_cast<std::size_t>(item_elements_));
  const std::size_t begin = static_cast<std::size_t>(first) * static_cast<std::size_t>(item_elements_) * width;
  std::vector<std::byte> taken;
  const std::byte* bytes = unpacked_.data() + (compressed_ ? begin : 0);
  if (!compressed_ && !values.empty()) {
    taken.resize(values.size() * width);
    std::ifstream file(path_, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(header_bytes_ + begin));
    file.read(reinterpret_cast<char*>(taken.data()), static_cast<std::streamsize>(taken.size()));
    if (!file) fail(path_, Status::io_error, "the file cannot be read, or has become shorter since it was opened");
    bytes = taken.data();
  }
  switch (type_) {
    case IdxType::u8:
      convert<std::uint8_t>(bytes, values);
      break;
    case IdxType::i8:
      convert<std::int8_t>(bytes, values);
      break;
    case IdxType::i16:
      convert<std::int16_t>(bytes, values);
      break;
    case IdxType::i32:
      convert<std::int32_t>(bytes, values);
      break;
    case IdxType::f32:
      convert<float>(bytes, values);
      break;
    case IdxType::f64:
      convert<double>(bytes, values);
      break;
  }
  return values;
}

void require_same_items(const IdxReader& images, const IdxReader& labels) {
  if (images.items() != labels.items())
    throw Error(Status::shape_mismatch,
                fmt::format("{} holds {} items, {} holds {}: expected one label an image", images.path().string(),
                            images.items(), labels.path().string(), labels.items()));
}

}  // namespace lavoisier
