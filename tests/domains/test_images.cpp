// Domains whose samples are images.

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "image_files.hpp"
#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace lavoisier::tests {
namespace {

/// Images of 2 x 3, grey, given their mean and their left column's sum.
const std::string small = R"(format = 1
name = "small"
title = "Small images"
[samples]
images = true
[split]
kind = "files"
test = ["t10k"]
validation = 0.25
[dimensions]
row = { kind = "y", extent = 2, source = "y" }
x = { kind = "x", extent = 3 }
[constants]
two = { value = 2.0, units = "1" }
[inputs.percent]
units = "percent"
of_outputs = "mean"
[inputs.label]
units = "1"
[inputs.double_label]
units = "1"
value = "two * label"
[outputs.grey]
units = "1"
dimensions = ["row", "x"]
source = "pixel"
[definitions]
mean = "sum(row, sum(x, grey)) / 6"
[laws]
mean = "mean = percent"
)";

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

class ImageDomain : public testing::Test {
 protected:
  ImageDomain() {
    write_idx(at("train-images-idx3-ubyte"), {4, 2, 3}, {0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255,
                                                          0, 51, 102, 153, 204, 255, 51, 0, 0, 0, 0, 0});
    write_idx(at("train-labels-idx1-ubyte"), {4}, {3, 1, 4, 5});
    write_idx(at("t10k-images-idx3-ubyte"), {2, 2, 3}, {255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255});
    write_idx(at("t10k-labels-idx1-ubyte"), {2}, {8, 9});
  }
  std::filesystem::path at(const std::string& name) const {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    return path;
  }
  TemporaryFolder folder_;
};

TEST_F(ImageDomain, InputsAreMadeOfPixelsLabelsAndInputs) {
  const Domain domain = parse_domain(small, "small.toml");
  EXPECT_EQ(domain.sample_dimensions, (std::vector<std::string>{"image"}));
  const SampleSet set = load_samples(domain, {at("train-images-idx3-ubyte"), at("t10k-images-idx3-ubyte")});
  ASSERT_EQ(set.samples, 6);
  EXPECT_EQ(std::vector<double>(set.outputs.begin() + 12, set.outputs.begin() + 18),
            (std::vector<double>{0.0, 0.2, 0.4, 0.6, 0.8, 1.0}));
  const std::vector<double> expected = {0, 3, 6, 100, 1, 2, 50, 4, 8, 100.0 / 30, 5, 10, 100.0 / 6, 8, 16, 100.0 / 6, 9, 18};
  ASSERT_EQ(set.inputs.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(set.inputs[i], expected[i], 1e-13) << i;
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5}));  // counted on from file to file
  EXPECT_EQ(set.step, (std::vector<std::uint64_t>(6, 0)));
}

TEST_F(ImageDomain, TheFilesNamesSplit) {
  const Domain domain = parse_domain(small, "small.toml");
  const SampleSet set = load_samples(domain, {at("train-images-idx3-ubyte"), at("t10k-images-idx3-ubyte")});
  const auto count = [&](Subset subset, std::size_t from, std::size_t to) {
    return std::count(set.subset.begin() + static_cast<std::ptrdiff_t>(from), set.subset.begin() + static_cast<std::ptrdiff_t>(to), subset);
  };
  EXPECT_EQ(count(Subset::training, 0, 4), 3);
  EXPECT_EQ(count(Subset::validation, 0, 4), 1);
  EXPECT_EQ(count(Subset::test, 4, 6), 2);
  // The name counts, not where it lies; also a folder's, with a slash at its end.
  const Split& split = *domain.split;
  EXPECT_EQ(subsets_of_file(split, "t10k/images", 8), subsets_of_file(split, "images", 8));
  EXPECT_EQ(subsets_of_file(split, "faces/t10k/", 2), (std::vector<Subset>(2, Subset::test)));
  // At random: of images that are sorted by their labels a last share would be of one label.
  const auto many = subsets_of_file(split, "images", 1000);
  EXPECT_EQ(std::count(many.begin(), many.end(), Subset::validation), 250);
  EXPECT_GT(std::count(many.begin(), many.begin() + 500, Subset::validation), 90);
  EXPECT_NE(describe(split).find("t10k"), std::string::npos);
  expect_error(Status::invalid_format, [] { parse_domain(changed(small, "validation = 0.25", "validation = 1.0"), "small.toml"); },
               "share");
}

TEST_F(ImageDomain, NoiseStaysWithinAStepOfTheBytesAndIsTheSameEachTime) {
  const Domain plain = parse_domain(small, "small.toml");
  const Domain noisy = parse_domain(changed(small, "images = true", "images = true\ndequantise = true"), "small.toml");
  const SampleSet a = load_samples(plain, {at("train-images-idx3-ubyte")}), b = load_samples(noisy, {at("train-images-idx3-ubyte")});
  bool differs = false;
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    const double byte = std::round(a.outputs[i] * 255.0);
    EXPECT_GE(b.outputs[i], byte / 256.0);
    EXPECT_LT(b.outputs[i], (byte + 1.0) / 256.0);
    differs = differs || (i > 0 && b.outputs[i] - byte / 256.0 != b.outputs[0]);
  }
  EXPECT_TRUE(differs);
  // The given numbers are those of the noisy pixels.
  EXPECT_NEAR(b.inputs[0], 100.0 * std::accumulate(b.outputs.begin(), b.outputs.begin() + 6, 0.0) / 6.0, 1e-12);
  // In pieces too, and without outputs.
  const SampleReader reader(noisy, at("train-images-idx3-ubyte"), false);
  const auto piece = reader.read(2, 2);
  EXPECT_EQ(std::vector<double>(b.inputs.begin() + 6, b.inputs.begin() + 12), piece.inputs);
  EXPECT_TRUE(piece.outputs.empty());
  EXPECT_EQ(piece.complete, (std::vector<std::uint8_t>{1, 1}));
  EXPECT_EQ(piece.empty, (std::vector<std::uint8_t>{0, 0}));
}

TEST_F(ImageDomain, InputsAloneComeFromTablesAndNetcdfToo) {
  const Domain domain = parse_domain(small, "small.toml");
  std::ofstream(at("wanted.csv")) << "label,percent,remark\n2,25,a\n4,50,b\n";
  const SampleReader table(domain, at("wanted.csv"), false);
  EXPECT_EQ(table.cells(), 2);
  EXPECT_EQ(table.axes().front().name, "image");
  ASSERT_EQ(table.element_axes().size(), 2u);  // of the outputs that are to be made
  EXPECT_EQ(table.element_axes()[1].values, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(table.read(0, 2).inputs, (std::vector<double>{25, 2, 4, 50, 4, 8}));
  {
    NetcdfFile file(at("wanted.nc"));
    const int image = file.dimension("image", 3);
    const int percent = file.variable("percent", NC_DOUBLE, {image}, {{"units", "1"}});
    const int label = file.variable("label", NC_DOUBLE, {image}, {{"units", "1"}});
    file.write(percent, {0.1, 0.2, 0.3});
    file.write(label, {1, 2, 3});
  }
  EXPECT_EQ(SampleReader(domain, at("wanted.nc"), false).read(1, 1).inputs, (std::vector<double>{20, 2, 4}));
  std::ofstream(at("other.csv")) << "label\n2\n";
  expect_error(Status::not_found, [&] { SampleReader reader(domain, at("other.csv"), false); }, "percent");
}

TEST_F(ImageDomain, ExtentsAndColoursAreChecked) {
  const Domain domain = parse_domain(small, "small.toml");
  const auto load = [&](const std::filesystem::path& path) { return [&domain, path] { load_samples(domain, {path}); }; };
  write_idx(at("wide-images-idx3-ubyte"), {1, 2, 4}, ImageBytes(8, 0));
  write_idx(at("wide-labels-idx1-ubyte"), {1}, {0});
  expect_error(Status::shape_mismatch, load(at("wide-images-idx3-ubyte")), "\"grey\"", "wide-images-idx3-ubyte", "(y = 2, x = 3)",
               "(y = 2, x = 4)");
  write_png(at("red/0/a.png"), 2, 3, ImageBytes(18, 9), PNG_FORMAT_RGB);
  expect_error(Status::shape_mismatch, load(at("red")), "red", "expected images with the dimensions (y = 2, x = 3)", "channel = 3",
               "2 x 3, 3 channels");
  write_png(at("plain/a.png"), 2, 3, ImageBytes(6, 9));
  expect_error(Status::not_found, load(at("plain")), "plain", "label", "no labels");
  write_png(at("classes/0/a.png"), 2, 3, {0, 51, 0, 0, 0, 0});
  write_png(at("classes/1/a.png"), 2, 3, {0, 0, 0, 0, 0, 255});
  const SampleSet set = load_samples(domain, {at("classes")});
  EXPECT_EQ(set.outputs[1], 0.2);
  EXPECT_EQ(set.inputs[4], 1);
  write_png(at("grey/a.png"), 32, 32, ImageBytes(1024, 9));
  expect_error(Status::shape_mismatch, [&] { load_samples(load_domain("images_cifar10"), {at("grey")}); }, "\"red\"",
               "channel with the index 0", "32 x 32, grey");
  expect_error(Status::not_found, [&] { load_samples(parse_domain(changed(small, "source = \"pixel\"", "source = \"pixels\""), "s.toml"), {at("classes")}); },
               "\"pixels\"", "no other fields");
}

TEST_F(ImageDomain, WhatOutputsMakeIsCheckedWhereItStands) {
  const auto parse = [](const std::string& from, const std::string& to) {
    return [from, to] { parse_domain(changed(small, from, to), "s.toml"); };
  };
  const std::string made = "of_outputs = \"mean\"";
  expect_error(Status::not_found, parse(made, "of_outputs = \"meen\""), "s.toml:17:15", "did you mean \"mean\"");
  expect_error(Status::shape_mismatch, parse(made, "of_outputs = \"grey\""), "s.toml:17", "[row, x]", "found []");
  expect_error(Status::invalid_format, parse(made, "of_outputs = \"mean + label\""), "the input \"label\"");
  expect_error(Status::invalid_format, parse(made, "of_outputs = \"two\""), "at least one output");
  expect_error(Status::invalid_format, parse(made, made + "\nsource = \"label\""), "either");
  expect_error(Status::unit_mismatch, parse("units = \"percent\"", "units = \"K\""), "percent", "K");
  expect_error(Status::invalid_format, parse("source = \"pixel\"", "of_outputs = \"mean\""), "for inputs");
  expect_error(Status::unsupported, parse("images = true", "dimensions = [\"image\"]\ncolumn = [\"image\"]\nempty = \"all missing\""), "of_outputs");
  expect_error(Status::invalid_format, parse("images = true", "images = false"), "images = true");
  expect_error(Status::invalid_format, parse("images = true", "images = true\nempty = \"all missing\""), "empty");
}

TEST_F(ImageDomain, ShippedBlocksAreWhereTheyBelongAndTheirLawsHold) {
  ImageBytes bytes;
  for (int image = 0; image < 3; ++image)
    for (int i = 0; i < 784; ++i) bytes.push_back(static_cast<std::uint8_t>((i * (image + 3) + i / 28) % 256));
  write_idx(at("s-images-idx3-ubyte"), {3, 28, 28}, bytes);
  const Domain domain = load_domain("images_blocks"), whole = load_domain("images");
  const SampleSet blocks = load_samples(domain, {at("s-images-idx3-ubyte")}), set = load_samples(whole, {at("s-images-idx3-ubyte")});
  for (int image = 0; image < 3; ++image) {
    const double* const own = blocks.outputs.data() + image * 784;
    const double* const pixels = set.outputs.data() + image * 784;
    EXPECT_NEAR(set.inputs[static_cast<std::size_t>(image)], std::accumulate(pixels, pixels + 784, 0.0) / 784.0, 1e-14);
    for (int block = 0; block < 16; ++block) {
      double sum = 0.0;
      for (int i = 0; i < 49; ++i) {
        const double expected = pixels[(block / 4 * 7 + i / 7) * 28 + block % 4 * 7 + i % 7];
        EXPECT_EQ(own[block * 49 + i], expected);
        sum += expected;
      }
      EXPECT_NEAR(blocks.inputs[static_cast<std::size_t>(image * 16 + block)], sum, 1e-12);
    }
  }
  const LinearConstraints constraints(domain.layout, domain.laws, domain.constants);
  EXPECT_EQ(constraints.rows(), 16);
  EXPECT_TRUE(constraints.shared());
}

TEST_F(ImageDomain, ShippedChannelsAreRedGreenBlue) {
  write_cifar(at("data_batch_1.bin"), {{1}, {2}}, [](int image, int number) { return 60 * (number / 1024) + image; });
  write_cifar(at("test_batch.bin"), {{1}}, [](int, int) { return 7; });
  const Domain domain = load_domain("images_cifar10");
  const SampleSet set = load_samples(domain, {at("data_batch_1.bin"), at("test_batch.bin")});
  ASSERT_EQ(set.samples, 3);
  for (std::size_t image = 0; image < 2; ++image)
    for (std::size_t channel = 0; channel < 3; ++channel) {
      double sum = 0.0;
      for (std::size_t i = 0; i < 1024; ++i) sum += set.outputs[image * 3072 + channel * 1024 + i];
      EXPECT_EQ(std::floor(256.0 * set.outputs[image * 3072 + channel * 1024 + 5]), 60.0 * static_cast<double>(channel) + static_cast<double>(image));
      EXPECT_NEAR(set.inputs[image * 3 + channel], sum / 1024.0, 1e-13);
    }
  EXPECT_EQ(set.subset[2], Subset::test);
}

}  // namespace
}  // namespace lavoisier::tests
