// Deviations times one factor: what draws make of it, and the factor with which intervals cover what they should.

#include "calibration.hpp"
#include "../models/kokkos_environment.hpp"
#include "plugin_draw.hpp"
#include "temporary_folder.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace lavoisier::cli {
namespace {

const std::string text = R"(format = 1
name = "water"
title = "Water of the tests"
samples = { table = true }
split = { kind = "sequential", validation = 0.4, test = 0.2 }
inputs.x = { units = "kg m-2" }
outputs.a = { units = "kg m-2" }
outputs.rain = { units = "kg m-2" }
outputs.b = { units = "kg m-2" }
outputs.c = { units = "kg m-2" }
laws.water = { equation = "a + b + 2 * c = x - rain", tolerance = 1e-9 }
)";

class Calibrated : public testing::Test {
 protected:
  Calibrated() : domain_(parse_domain(text, "water.toml")), constraints_(domain_.layout, domain_.laws, domain_.constants) {
    const auto path = folder_.path() / "water.csv";
    std::ofstream file(path);
    file << "x,a,rain,b,c\n";
    for (std::uint64_t row = 0; row < 2000; ++row) {
      const auto noise = [&](std::uint64_t element) {
        return random::normal({.seed = 5, .stream = 1}, {.column = row, .element = element});
      };
      // Errors are normal with deviations that nothing tells: heavy tails.
      const double x = noise(0), spread = std::exp(0.8 * noise(1));
      const double a = std::sin(2 * x) + 0.3 * spread * noise(2), b = x * x + 0.2 * spread * noise(3);
      const double rain = std::exp(0.3 * x + 0.2 * noise(4));
      char line[200];
      std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g,%.17g\n", x, a, rain, b, 0.5 * (x - rain - a - b));
      file << line;
    }
    file.close();
    samples_ = load_samples(domain_, {path});
    validation_ = select(samples_, Subset::validation);
  }

  ModelFile trained(const std::string& head, const std::string& parametrization) const {
    TrainingOptions options;
    options.head.family = head;
    if (head == "mixed") options.head.positive = {"rain=log_normal"};
    options.network.hidden = {16};
    options.network.parametrization = parametrization;
    options.epochs = 12;
    options.batch = 64;
    options.learning_rate = 1e-2;
    options.draws = 4;
    options.threads = 1;
    return train(samples_, constraints_, options).model;
  }

  std::vector<double> draw(const ModelFile& model, std::uint64_t member, double* violation) const {
    PluginDrawOptions options;
    options.stream = 1;
    return PluginDraws(model, validation_, options).draw(member, violation);
  }

  tests::TemporaryFolder folder_;
  Domain domain_;
  LinearConstraints constraints_;
  SampleSet samples_, validation_;
};

TEST_F(Calibrated, ACommonFactorScalesDrawsAboutTheSameMeans) {
  for (const std::string parametrization : {"exp", "softplus"}) {
    const ModelFile model = trained("gaussian", parametrization);
    const ModelFile wide = with_scaled_deviations(model, 3.0), back = with_scaled_deviations(wide, 1.0 / 3.0);
    double violation = 0.0;
    const auto a = draw(model, 0, nullptr), b = draw(model, 1, nullptr);
    const auto c = draw(wide, 0, &violation), d = draw(wide, 1, nullptr), e = draw(back, 0, nullptr);
    EXPECT_LE(violation, 1e-14);
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(c[i] - d[i], 3.0 * (a[i] - b[i]), 2e-5);
      ASSERT_NEAR(3.0 * a[i] - c[i], 3.0 * b[i] - d[i], 2e-5);  // twice the mean
      ASSERT_NEAR(e[i], a[i], 2e-5);
    }
  }
}

TEST_F(Calibrated, PositiveOutputsKeepTheirLaw) {
  const ModelFile model = trained("mixed", "exp"), wide = with_scaled_deviations(model, 3.0);
  double violation = 0.0;
  const auto a = draw(model, 0, nullptr), c = draw(wide, 0, &violation);
  EXPECT_LE(violation, 1e-14);
  double moved = 0.0;
  for (std::size_t s = 0; s < a.size() / 4; ++s) {
    EXPECT_EQ(a[4 * s + 1], c[4 * s + 1]);
    moved = std::max(moved, std::abs(a[4 * s] - c[4 * s]));
  }
  EXPECT_GT(moved, 0.1);
}

TEST_F(Calibrated, IntervalsCoverWhatTheyShould) {
  for (const std::string head : {"gaussian", "mixed"}) {
    ModelFile model = trained(head, "exp");
    const Calibration first = calibrate_deviations(model, SampleSetSource(samples_));
    if (head == "gaussian") {
      EXPECT_LT(first.before, 0.895) << "a Gaussian of least CRPS is narrow where errors have heavy tails";
      EXPECT_GT(first.factor, 1.02);
    }
    EXPECT_NEAR(first.after, 0.9, 2e-3);
    // From deviations that are far off: to the same place.
    ModelFile narrow = with_scaled_deviations(model, 0.5);
    const Calibration second = calibrate_deviations(narrow, validation_);
    EXPECT_LT(second.before, 0.8);
    EXPECT_NEAR(second.after, 0.9, 2e-3);
    EXPECT_NEAR(second.factor, 2.0, 0.05);
    const Calibration none = calibrate_deviations(narrow, validation_);
    EXPECT_NEAR(none.factor, 1.0, 0.01);
    const auto bytes = narrow.serialize();
    EXPECT_TRUE(ModelFile::parse(std::span(bytes), "calibrated").has_tensor("calibrated.scale"));
  }
}

TEST_F(Calibrated, ModelsWithoutSuchDeviationsAreRefused) {
  TrainingOptions options;
  options.generator.name = "flow_matching";
  options.loss = Loss::squared_error;
  options.network.hidden = {8};
  options.epochs = 1;
  options.threads = 1;
  ModelFile model = train(samples_, constraints_, options).model;
  try {
    calibrate_deviations(model, validation_);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::unsupported);
    EXPECT_NE(std::string(error.what()).find("found none"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lavoisier::cli
