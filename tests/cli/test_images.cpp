// Images by the command line alone: a few of Fashion-MNIST's from training to validation, and folders of pictures that a
// domain file of the user's own describes.

#include "command.hpp"

#include <lavoisier/idx_reader.hpp>

#include "image_files.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>

namespace {

using namespace lavoisier::testing;
using lavoisier::tests::ImageBytes;
using nlohmann::json;

std::filesystem::path fashion_mnist() {
  const char* named = std::getenv("LAVOISIER_FASHION_MNIST");
  return named ? named : "/usr/share/datasets/fashion-mnist";
}

/// The first images of a part, in a file of that part's name.
std::string some_images(const Folder& folder, const std::string& part, int count) {
  const std::string name = part + "-images-idx3-ubyte";
  const std::vector<double> numbers = lavoisier::IdxReader(fashion_mnist() / (name + ".gz")).read(0, count);
  lavoisier::tests::write_idx(folder / name, {count, 28, 28}, ImageBytes(numbers.begin(), numbers.end()));
  return (folder / name).string();
}

const std::string small_vae = " --model vae --strategy conditional --deviation shared --scaling max_abs --floor 0.01 --parametrization "
                              "softplus --hidden 32 --latents 4 --epochs 3 --batch 64 --learning-rate 1e-3 --threads 1 --seed 1";

struct Case {
  Folder folder;
  std::string train, test, model = (folder / "m.safetensors").string();
  Outcome trained;
  Case() {
    train = some_images(folder, "train", 600);
    test = some_images(folder, "t10k", 40);
    trained = run("train --domain images --data " + train + " --data " + test + small_vae + " --output " + model + " --json " +
                  (folder / "t.json").string());
  }
};

class FashionMnist : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(fashion_mnist() / "train-images-idx3-ubyte.gz"))
      GTEST_SKIP() << "no Fashion-MNIST in " << fashion_mnist() << " (package dataset-fashion-mnist)";
  }
  static const Case& made() {
    static const Case one;
    return one;
  }
};

TEST_F(FashionMnist, TrainsOnTheFilesOwnPartsAndSaysTheScoresOfAllPixelsInOneRow) {
  ASSERT_EQ(made().trained.code, 0) << made().trained.err;
  EXPECT_SAYS(made().trained.out, "570 training, 30 validation, 40 test samples; 1 inputs, 784 outputs, 1 laws");
  EXPECT_SAYS(made().trained.out, "pixel, 784 elements");
  EXPECT_EQ(made().trained.out.find("pixel[3]"), std::string::npos);
  const json report = json::parse(content(made().folder / "t.json"));
  EXPECT_EQ(report["validation"]["variables"].size(), 784u);
  EXPECT_LT(report["history"].back()["validation_loss"], report["history"].front()["validation_loss"]);
}

TEST_F(FashionMnist, DrawsHaveTheTestImagesBrightness) {
  ASSERT_EQ(made().trained.code, 0);
  const Folder folder;
  const std::string ensemble = (folder / "e").string();
  const Outcome generated = run("generate --model " + made().model + " --inputs " + made().test + " --subset test --members 3 --seed 5 "
                                "--output " + ensemble + " --json " + (folder / "g.json").string());
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  EXPECT_SAYS(generated.out, "3 members x 40 columns of images");
  const Outcome validated = run("validate --domain images --candidate " + ensemble + " --reference " + made().test +
                                " --html " + (folder / "r.html").string() + " --json " + (folder / "v.json").string());
  ASSERT_EQ(validated.code, 0) << validated.out << validated.err;
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["pass"], true);
  EXPECT_LE(report["laws"][0]["max_relative"].get<double>(), 1e-14);
  EXPECT_EQ(report["reference"]["pass"], true);
  EXPECT_EQ(report["cells"], 40);
  EXPECT_GT(report["scores"][0]["rmse"].get<double>(), 0.01);
  // Against other images the same draws miss the law.
  const std::string other = some_images(folder, "train", 40);
  const Outcome missed = run("validate --domain images --candidate " + ensemble + " --reference " + other);
  EXPECT_EQ(missed.code, 3) << missed.out << missed.err;
}

TEST_F(FashionMnist, AnyBrightnessMayBeAskedForInATable) {
  ASSERT_EQ(made().trained.code, 0);
  const Folder folder;
  std::ofstream(folder / "wanted.csv") << "brightness\n0.2\n0.25\n0.3\n";
  const std::string ensemble = (folder / "e").string(), wanted = (folder / "wanted.csv").string();
  const Outcome generated = run("generate --model " + made().model + " --inputs " + wanted + " --members 2 --output " + ensemble);
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  const Outcome validated = run("validate --domain images --candidate " + ensemble + " --inputs " + wanted);
  EXPECT_EQ(validated.code, 0) << validated.out << validated.err;
  EXPECT_SAYS(validated.out, "3 cells");
}

TEST_F(FashionMnist, BlocksOfPixelsHoldTheirSums) {
  const Folder folder;
  const std::string train = some_images(folder, "train", 300), test = some_images(folder, "t10k", 10), model = (folder / "m").string();
  const Outcome trained = run("train --domain images_blocks --data " + train + small_vae + " --output " + model);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_SAYS(trained.out, "16 inputs, 784 outputs, 16 laws");
  const Outcome generated = run("generate --model " + model + " --inputs " + test + " --members 2 --output " + (folder / "e").string());
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  const Outcome validated = run("validate --domain images_blocks --candidate " + (folder / "e").string() + " --reference " + test);
  EXPECT_EQ(validated.code, 0) << validated.out << validated.err;
}

TEST_F(FashionMnist, InspectSaysWhatAFileHolds) {
  const Folder folder;
  const std::string file = (fashion_mnist() / "t10k-images-idx3-ubyte.gz").string();
  const Outcome outcome = run("inspect " + file + " --domain images --json " + (folder / "i.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_SAYS(outcome.out, "10000 images of 28 x 28, grey (IDX), label");
  const json report = json::parse(content(folder / "i.json"));
  EXPECT_EQ(report["kind"], "images");
  EXPECT_NEAR(report["variables"][0]["mean"].get<double>(), 73.15, 0.01);
  EXPECT_EQ(report["pass"], true);
}

/// Colour images of 4 x 4 of one hue, each of another brightness.
const std::string own_domain = R"(format = 1
name = "hues"
title = "Hues"
[samples]
images = true
[split]
kind = "files"
test = ["held_out"]
validation = 0.2
[dimensions]
colour = { kind = "channel", extent = 3, source = "channel" }
y = { kind = "y", extent = 4 }
x = { kind = "x", extent = 4 }
[inputs.brightness]
units = "1"
of_outputs = "sum(colour, sum(y, sum(x, light))) / 48"
[outputs.light]
units = "1"
dimensions = ["colour", "y", "x"]
source = "pixel"
[laws]
brightness = "sum(colour, sum(y, sum(x, light))) / 48 = brightness"
)";

class Pictures : public testing::Test {
 protected:
  Pictures() {
    std::ofstream(domain) << own_domain;
    std::filesystem::create_directories(folder / "faces");
    std::filesystem::create_directories(folder / "held_out");
    for (int i = 0; i < 60; ++i) {
      ImageBytes pixels;
      for (int p = 0; p < 48; ++p) pixels.push_back(static_cast<std::uint8_t>((p % 3 + 1) * (10 + i) + p * p * (i + 3) % 17));
      const std::string name = (i < 50 ? "faces/" : "held_out/") + std::to_string(100 + i);
      if (i % 2 == 0)
        lavoisier::tests::write_png(folder / (name + ".png"), 4, 4, pixels, PNG_FORMAT_RGB);
      else
        lavoisier::tests::write_jpeg(folder / (name + ".jpg"), 4, 4, pixels, 3);
    }
  }
  Folder folder;
  std::string domain = (folder / "hues.toml").string(), faces = (folder / "faces").string(), held_out = (folder / "held_out").string();
};

TEST_F(Pictures, FoldersAreTrainedDrawnAndValidated) {
  const Outcome inspected = run("inspect " + faces);
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_SAYS(inspected.out, "50 images of 4 x 4, 3 channels (folder), no labels");
  const std::string model = (folder / "m").string(), ensemble = (folder / "e").string();
  const Outcome trained = run("train --domain " + domain + " --data " + faces + "/ --data " + held_out +
                              " --hidden 16 --epochs 5 --batch 16 --seed 1 --output " + model);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_SAYS(trained.out, "40 training, 10 validation, 10 test samples; 1 inputs, 48 outputs, 1 laws");
  EXPECT_SAYS(run("inspect " + model).out, "data: faces sha256:");
  const Outcome generated = run("generate --model " + model + " --inputs " + held_out + " --subset test --members 4 --output " + ensemble);
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  const Outcome validated = run("validate --domain " + domain + " --candidate " + ensemble + " --reference " + held_out);
  EXPECT_EQ(validated.code, 0) << validated.out << validated.err;
}

TEST_F(Pictures, WhatIsWrongIsNamed) {
  const auto train = [&] { return run("train --domain " + domain + " --data " + faces + " --epochs 1 --output " + (folder / "m").string()); };
  lavoisier::tests::write_png(folder / "faces/120.png", 4, 4, ImageBytes(16, 9));
  Outcome outcome = train();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "120.png: expected an image of 4 x 4, 3 channels");
  ImageBytes bytes = lavoisier::tests::read_bytes(folder / "faces/122.png");
  bytes.resize(bytes.size() - 20);
  lavoisier::tests::write_bytes(folder / "faces/122.png", bytes);
  std::filesystem::remove(folder / "faces/120.png");
  outcome = train();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "122.png: expected a whole PNG");
  outcome = run("train --domain images --data " + held_out + " --epochs 1 --output " + (folder / "m").string());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "expected images with the dimensions (y = 28, x = 28), found (channel = 3, y = 4, x = 4)");
}

}  // namespace
