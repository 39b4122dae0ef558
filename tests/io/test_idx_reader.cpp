#include <lavoisier/idx_reader.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace lavoisier::tests {
namespace {

using Bytes = std::string;

Bytes bytes(std::initializer_list<int> values) {
  Bytes text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

class Idx : public testing::Test {
 protected:
  std::filesystem::path write(const Bytes& text, const std::string& name = "t-idx") const {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::filesystem::path pack(const Bytes& text, const std::string& name = "t-idx.gz") const {
    const auto path = folder_.path() / name;
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return path;
  }
  static Bytes read_all(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  TemporaryFolder folder_;
};

const Bytes images =
    bytes({0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 252, 253, 254, 255});

TEST_F(Idx, ReadsImagesPlainAndCompressed) {
  for (const auto& path : {write(images), pack(images)}) {
    const IdxReader reader(path);
    EXPECT_EQ(reader.type(), IdxType::u8);
    EXPECT_EQ(reader.shape(), (std::vector<std::int64_t>{3, 2, 2}));
    EXPECT_EQ(reader.items(), 3);
    EXPECT_EQ(reader.item_elements(), 4);
    EXPECT_EQ(reader.read(1, 2), (std::vector<double>{4, 5, 6, 7, 252, 253, 254, 255}));
    EXPECT_TRUE(reader.read(3, 0).empty());
    expect_error(
        Status::out_of_range, [&] { reader.read(2, 2); }, "items 2 to 3 of 3");
    expect_error(
        Status::out_of_range, [&] { reader.read(-1, 1); }, "of 3");
  }
}

TEST_F(Idx, EveryTypeIsBigEndian) {
  const IdxReader labels(write(bytes({0, 0, 9, 1, 0, 0, 0, 2, 1, 255})));
  EXPECT_EQ(labels.item_elements(), 1);
  EXPECT_EQ(labels.read(0, 2), (std::vector<double>{1, -1}));
  EXPECT_EQ(IdxReader(write(bytes({0, 0, 11, 1, 0, 0, 0, 1, 255, 254}))).read(0, 1), (std::vector<double>{-2}));
  EXPECT_EQ(IdxReader(write(bytes({0, 0, 12, 1, 0, 0, 0, 1, 0, 1, 0, 2}))).read(0, 1), (std::vector<double>{65538}));
  EXPECT_EQ(IdxReader(write(bytes({0, 0, 13, 1, 0, 0, 0, 1, 0xBF, 0xC0, 0, 0}))).read(0, 1),
            (std::vector<double>{-1.5}));
  EXPECT_EQ(
      IdxReader(write(bytes({0, 0, 14, 1, 0, 0, 0, 1, 0x40, 0x09, 0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18}))).read(0, 1),
      (std::vector<double>{M_PI}));
}

TEST_F(Idx, SaysWhatIsWrongWithAFile) {
  expect_error(
      Status::not_found, [&] { IdxReader reader(folder_.path() / "absent"); }, "absent");
  expect_error(
      Status::io_error, [&] { IdxReader reader(folder_.path()); }, "not a regular file");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write("")); }, "at least 8 bytes, found 0");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write("PNG is no IDX")); }, "found 50 4E 47");
  expect_error(
      Status::invalid_format,
      [&] {
        IdxReader reader(write(bytes({0, 0, 10, 1, 0, 0, 0, 0})));
      },
      "found 00 00 0A");
  expect_error(
      Status::invalid_format,
      [&] {
        IdxReader reader(write(bytes({0, 0, 8, 0, 0, 0, 0, 0})));
      },
      "at least one dimension");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write(images.substr(0, 14))); }, "expected 3 sizes");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write(images.substr(0, images.size() - 1))); },
      "expected 12 bytes behind the header (3 x 2 x 2 of u8), found 11");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write(images + "x")); }, "found 13");
  expect_error(
      Status::invalid_format,
      [&] {
        IdxReader reader(write(bytes({0, 0, 14, 3}) + Bytes(12, '\xFF')));
      },
      "beyond any file");
}

TEST_F(Idx, ACompressedFileIsVerifiedToItsEnd) {
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(pack(images.substr(0, images.size() - 1))); },
      "expected 12 bytes");
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(pack(images + "x")); }, "found more");
  const Bytes packed = read_all(pack(images));
  for (std::size_t size = 1; size < packed.size(); ++size)
    EXPECT_THROW(IdxReader(write(packed.substr(0, size), "cut.gz")), Error)
        << size << " of " << packed.size() << " bytes";
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write(packed.substr(0, packed.size() - 3), "cut.gz")); },
      "cut short");
  Bytes changed = packed;
  changed[changed.size() - 6] = static_cast<char>(changed[changed.size() - 6] ^ 1);  // in the checksum
  expect_error(
      Status::invalid_format, [&] { IdxReader reader(write(changed, "changed.gz")); }, "gzip");
}

TEST_F(Idx, ImagesAndLabelsMustBeAsMany) {
  const IdxReader three(write(images)), two(write(bytes({0, 0, 8, 1, 0, 0, 0, 2, 1, 9}), "labels"));
  EXPECT_NO_THROW(require_same_items(three, three));
  expect_error(
      Status::shape_mismatch, [&] { require_same_items(three, two); }, "holds 3 items");
}

TEST(FashionMnist, IsReadAsPublished) {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  const IdxReader test(folder / "t10k-images-idx3-ubyte.gz"), labels(folder / "t10k-labels-idx1-ubyte.gz");
  require_same_items(test, labels);
  EXPECT_EQ(test.shape(), (std::vector<std::int64_t>{10000, 28, 28}));
  std::vector<int> count(10, 0);
  for (const double label : labels.read(0, 10000)) ++count.at(static_cast<std::size_t>(label));
  EXPECT_EQ(count, std::vector<int>(10, 1000)) << "ten classes of a thousand";
}

}  // namespace
}  // namespace lavoisier::tests
