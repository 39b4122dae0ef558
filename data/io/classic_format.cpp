#include "netcdf_support.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

namespace lavoisier::detail {
namespace {

/// The big-endian header of a classic file (CDF-1, CDF-2, CDF-5), as the NetCDF file format specification defines it.
class Header {
 public:
  explicit Header(const std::filesystem::path& path) : file_(path, std::ios::binary) {
    std::array<char, 4> magic{};
    file_.read(magic.data(), magic.size());
    if (file_ && magic[0] == 'C' && magic[1] == 'D' && magic[2] == 'F') version_ = magic[3];
  }
  bool classic() const { return version_ == 1 || version_ == 2 || version_ == 5; }
  bool good() const { return static_cast<bool>(file_); }

  std::uint64_t integer(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(file_.get());
    return value;
  }
  std::uint64_t count() { return integer(version_ == 5 ? 8 : 4); }
  std::uint64_t offset() { return integer(version_ == 1 ? 4 : 8); }
  std::uint64_t list() {
    integer(4);  // the tag: dimensions, attributes, variables, or absent with a count of 0
    return count();
  }
  void skip(std::uint64_t bytes) { file_.ignore(static_cast<std::streamsize>((bytes + 3) / 4 * 4)); }
  void skip_name() { skip(count()); }
  void skip_attributes() {
    for (std::uint64_t left = list(); left > 0 && good(); --left) {
      skip_name();
      const std::uint64_t width = width_of(integer(4));
      skip(width * count());
    }
  }
  static std::uint64_t width_of(std::uint64_t type) {
    constexpr std::array<std::uint64_t, 12> width{0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    return type < width.size() ? width[type] : 0;
  }
  bool streaming(std::uint64_t records) const { return version_ == 5 ? records == ~0ULL : records == 0xFFFFFFFFULL; }

 private:
  std::ifstream file_;
  int version_ = 0;
};

}  // namespace

std::uint64_t classic_file_size(const std::filesystem::path& path) {
  Header header(path);
  if (!header.classic()) return 0;
  const std::uint64_t records = header.count();
  std::vector<std::uint64_t> extents;
  for (std::uint64_t left = header.list(); left > 0 && header.good(); --left) {
    header.skip_name();
    extents.push_back(header.count());
  }
  header.skip_attributes();
  struct Place {
    std::uint64_t begin, bytes;
  };
  std::vector<Place> fixed, recorded;
  for (std::uint64_t left = header.list(); left > 0 && header.good(); --left) {
    header.skip_name();
    std::uint64_t elements = 1;
    bool with_records = false;
    for (std::uint64_t rank = header.count(); rank > 0 && header.good(); --rank) {
      const std::uint64_t dimension = header.count();
      const std::uint64_t extent = dimension < extents.size() ? extents[dimension] : 0;
      if (extent == 0) with_records = true;  // the record dimension is stored with extent 0
      else elements *= extent;
    }
    header.skip_attributes();
    const std::uint64_t bytes = elements * Header::width_of(header.integer(4));
    header.count();  // the size as stored: it may overflow, so it isn't used
    (with_records ? recorded : fixed).push_back({header.offset(), bytes});
  }
  if (!header.good()) return 0;  // the library has opened it: it knows better
  std::uint64_t size = 0;
  for (const Place& place : fixed) size = std::max(size, place.begin + place.bytes);
  if (records == 0 || header.streaming(records)) return size;
  std::uint64_t record = 0;
  for (const Place& place : recorded) record += (place.bytes + 3) / 4 * 4;
  if (recorded.size() == 1) record = recorded.front().bytes;  // a single variable's records aren't padded
  for (const Place& place : recorded) size = std::max(size, place.begin + (records - 1) * record + place.bytes);
  return size;
}

}  // namespace lavoisier::detail
