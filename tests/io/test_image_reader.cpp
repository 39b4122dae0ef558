#include <lavoisier/image_reader.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "image_files.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace lavoisier::tests {
namespace {

class Images : public testing::Test {
 protected:
  std::filesystem::path at(const std::string& name) const {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    return path;
  }
  void cut(const std::filesystem::path& path, double share) const {
    ImageBytes bytes = read_bytes(path);
    bytes.resize(static_cast<std::size_t>(share * static_cast<double>(bytes.size())));
    write_bytes(path, bytes);
  }
  TemporaryFolder folder_;
};

TEST_F(Images, OfAnIdxFileAndTheLabelsBesideIt) {
  write_idx(at("train-images-idx3-ubyte"), {2, 2, 3}, {0, 1, 2, 3, 4, 5, 255, 254, 253, 252, 251, 250});
  write_idx(at("train-labels-idx1-ubyte"), {2}, {7, 9});
  const ImageReader reader(at("train-images-idx3-ubyte"));
  EXPECT_STREQ(reader.format(), "IDX");
  EXPECT_EQ(reader.images(), 2);
  EXPECT_EQ(reader.shape(), (ImageShape{1, 2, 3}));
  EXPECT_EQ(to_string(reader.shape()), "2 x 3, grey");
  EXPECT_EQ(reader.read(1, 1), (ImageBytes{255, 254, 253, 252, 251, 250}));
  EXPECT_EQ(reader.labels(), (std::vector<std::string>{"label"}));
  EXPECT_EQ(reader.read_labels("label", 0, 2), (std::vector<double>{7, 9}));
  expect_error(Status::out_of_range, [&] { reader.read(1, 2); }, "train-images-idx3-ubyte", "images 1 to 2 of 2");

  write_idx(at("train-labels-idx1-ubyte"), {3}, {7, 9, 1});
  expect_error(Status::shape_mismatch, [&] { ImageReader other(at("train-images-idx3-ubyte")); }, "2 items", "3");
  expect_error(Status::shape_mismatch, [&] { ImageReader other(at("train-labels-idx1-ubyte")); }, "train-labels-idx1-ubyte",
               "items x rows x columns");
  write_idx(at("t10k-images-idx3-ubyte"), {2, 2, 3}, {0, 1, 2});
  expect_error(Status::invalid_format, [&] { ImageReader other(at("t10k-images-idx3-ubyte")); }, "t10k-images-idx3-ubyte",
               "expected 12 bytes", "found 3");
  expect_error(Status::not_found, [&] { ImageReader other(at("none-idx3-ubyte")); }, "none-idx3-ubyte");
}

TEST_F(Images, OfBatchesOfCifar) {
  const auto pixel = [](int image, int number) { return (number / 1024) * 80 + (number % 1024 == 33 ? 7 + image : 0); };
  write_cifar(at("data_batch_1.bin"), {{3}, {9}}, pixel);
  const ImageReader ten(at("data_batch_1.bin"));
  EXPECT_STREQ(ten.format(), "CIFAR-10");
  EXPECT_EQ(ten.images(), 2);
  EXPECT_EQ(ten.shape(), (ImageShape{3, 32, 32}));
  const ImageBytes bytes = ten.read(1, 1);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[33], 8);          // red of row 1, column 1
  EXPECT_EQ(bytes[1024 + 33], 88);  // green
  EXPECT_EQ(bytes[2 * 1024], 160);  // blue
  EXPECT_EQ(ten.read_labels("label", 0, 2), (std::vector<double>{3, 9}));
  expect_error(Status::not_found, [&] { ten.read_labels("coarse_label", 0, 1); }, "coarse_label", "label alone");

  write_cifar(at("train.bin"), {{11, 93}, {4, 57}, {0, 2}}, pixel);
  const ImageReader hundred(at("train.bin"));
  EXPECT_STREQ(hundred.format(), "CIFAR-100");
  EXPECT_EQ(hundred.images(), 3);
  EXPECT_EQ(hundred.read(2, 1)[33], 9);
  EXPECT_EQ(hundred.read_labels("label", 0, 3), (std::vector<double>{93, 57, 2}));
  EXPECT_EQ(hundred.read_labels("coarse_label", 1, 1), (std::vector<double>{4}));

  cut(at("train.bin"), 0.9);
  expect_error(Status::invalid_format, [&] { ImageReader other(at("train.bin")); }, "train.bin", "3073 bytes (CIFAR-10)", "8299");
  write_cifar(at("other.bin"), {{3}, {10}}, pixel);
  expect_error(Status::invalid_format, [&] { ImageReader other(at("other.bin")); }, "other.bin", "0 to 9, found 10 in record 1");
}

TEST_F(Images, OfAFolderInTheOrderOfNames) {
  write_png(at("faces/b.PNG"), 2, 2, {4, 5, 6, 7});
  write_png(at("faces/a.png"), 2, 2, {0, 1, 2, 255});
  write_jpeg(at("faces/c.jpg"), 2, 2, {128, 128, 128, 128}, 1);
  write_bytes(at("faces/readme.txt"), {65});
  const ImageReader reader(at("faces"));
  EXPECT_STREQ(reader.format(), "folder");
  EXPECT_EQ(reader.images(), 3);
  EXPECT_EQ(reader.shape(), (ImageShape{1, 2, 2}));
  EXPECT_EQ(reader.read(0, 3), (ImageBytes{0, 1, 2, 255, 4, 5, 6, 7, 128, 128, 128, 128}));
  EXPECT_TRUE(reader.labels().empty());
  EXPECT_EQ(reader.describe(1), "image 1, b.PNG");
  expect_error(Status::not_found, [&] { reader.read_labels("label", 0, 1); }, "no labels");
  EXPECT_EQ(ImageReader(at("faces/a.png")).read(0, 1), (ImageBytes{0, 1, 2, 255}));

  const std::string digest = sha256_of_data(at("faces"));
  EXPECT_EQ(digest.size(), 64u);
  write_bytes(at("faces/readme.txt"), {66});
  EXPECT_EQ(sha256_of_data(at("faces")), digest);
  std::filesystem::rename(at("faces/c.jpg"), at("faces/d.jpg"));
  EXPECT_NE(sha256_of_data(at("faces")), digest);
}

TEST_F(Images, ColoursAreRedGreenBlueInPlanes) {
  const ImageBytes png = {250, 10, 30, 251, 11, 31};  // two pixels
  write_png(at("p.png"), 1, 2, png, PNG_FORMAT_RGB);
  const ImageReader reader(at("p.png"));
  EXPECT_EQ(reader.shape(), (ImageShape{3, 1, 2}));
  EXPECT_EQ(reader.read(0, 1), (ImageBytes{250, 251, 10, 11, 30, 31}));

  ImageBytes jpeg;
  for (int i = 0; i < 64; ++i) jpeg.insert(jpeg.end(), {200, 100, 50});
  write_jpeg(at("p.jpeg"), 8, 8, jpeg, 3);
  const ImageBytes found = ImageReader(at("p.jpeg")).read(0, 1);
  ASSERT_EQ(found.size(), 192u);
  for (std::size_t i = 0; i < 64; ++i) {  // what the colours' transform leaves
    EXPECT_NEAR(found[i], 200, 3);
    EXPECT_NEAR(found[64 + i], 100, 3);
    EXPECT_NEAR(found[128 + i], 50, 3);
  }
}

TEST_F(Images, FoldersOfFoldersAreLabels) {
  write_png(at("set/cat/1.png"), 1, 1, {10});
  write_png(at("set/cat/2.png"), 1, 1, {20});
  write_png(at("set/ant/9.png"), 1, 1, {30});
  std::filesystem::create_directories(at("set/empty"));
  const ImageReader reader(at("set"));
  EXPECT_EQ(reader.read(0, 3), (ImageBytes{30, 10, 20}));
  EXPECT_EQ(reader.read_labels("label", 0, 3), (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(reader.describe(2), "image 2, cat/2.png");
}

TEST_F(Images, WhatIsWrongInAFolderIsNamed) {
  std::filesystem::create_directories(at("none"));
  expect_error(Status::not_found, [&] { ImageReader reader(at("none")); }, "none", "PNG or JPEG");

  write_png(at("sizes/a.png"), 2, 2, {1, 2, 3, 4});
  write_png(at("sizes/b.png"), 2, 3, {1, 2, 3, 4, 5, 6});
  expect_error(Status::shape_mismatch, [&] { ImageReader reader(at("sizes")); }, "b.png", "2 x 2, grey", "a.png", "2 x 3, grey");

  write_png(at("colours/a.png"), 1, 1, {1});
  write_png(at("colours/b.png"), 1, 1, {1, 2, 3}, PNG_FORMAT_RGB);
  expect_error(Status::shape_mismatch, [&] { ImageReader reader(at("colours")); }, "b.png", "grey", "3 channels");

  write_bytes(at("text/a.png"), {'h', 'e', 'l', 'l', 'o', ',', ' ', 'y', 'o', 'u'});
  expect_error(Status::invalid_format, [&] { ImageReader reader(at("text")); }, "a.png", "expected a PNG or JPEG");

  write_png(at("deep/a.png"), 1, 1, {1, 2}, PNG_FORMAT_LINEAR_Y);
  expect_error(Status::invalid_format, [&] { ImageReader reader(at("deep")); }, "a.png", "8 bits", "16");
  write_png(at("clear/a.png"), 1, 1, {1, 2, 3, 4}, PNG_FORMAT_RGBA);
  expect_error(Status::invalid_format, [&] { ImageReader reader(at("clear")); }, "a.png", "transparency");
}

TEST_F(Images, ThatAreCutShortOrBrokenAreRefused) {
  ImageBytes noise;
  for (int i = 0; i < 64 * 64; ++i) noise.push_back(static_cast<std::uint8_t>(i * i % 251));
  write_png(at("p/a.png"), 64, 64, noise);
  write_jpeg(at("j/a.jpg"), 64, 64, noise, 1);
  write_jpeg(at("h/a.jpg"), 64, 64, noise, 1);
  EXPECT_EQ(ImageReader(at("p")).read(0, 1), noise);
  EXPECT_EQ(ImageReader(at("j")).read(0, 1).size(), noise.size());
  cut(at("p/a.png"), 0.5);
  cut(at("j/a.jpg"), 0.5);
  cut(at("h/a.jpg"), 0.01);
  expect_error(Status::invalid_format, [&] { ImageReader(at("p")).read(0, 1); }, "a.png", "expected a whole PNG");
  expect_error(Status::invalid_format, [&] { ImageReader(at("j")).read(0, 1); }, "a.jpg", "expected a whole JPEG");
  expect_error(Status::invalid_format, [&] { ImageReader reader(at("h")); }, "a.jpg", "expected a whole JPEG");

  write_png(at("p/a.png"), 64, 64, noise);
  ImageBytes bytes = read_bytes(at("p/a.png"));
  bytes[bytes.size() / 2] ^= 0xFF;
  write_bytes(at("p/a.png"), bytes);
  expect_error(Status::invalid_format, [&] { ImageReader(at("p")).read(0, 1); }, "a.png", "expected a whole PNG");
}

TEST_F(Images, OfFashionMnist) {
  const char* named = std::getenv("LAVOISIER_FASHION_MNIST");
  const std::filesystem::path folder = named ? named : "/usr/share/datasets/fashion-mnist";
  const auto path = folder / "t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no Fashion-MNIST in " << folder << " (package dataset-fashion-mnist)";
  const ImageReader reader(path);
  EXPECT_EQ(reader.images(), 10000);
  EXPECT_EQ(reader.shape(), (ImageShape{1, 28, 28}));
  EXPECT_EQ(reader.read_labels("label", 0, 5), (std::vector<double>{9, 2, 1, 1, 6}));
}

}  // namespace
}  // namespace lavoisier::tests
