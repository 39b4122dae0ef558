// Positive outputs, shares and counts by the command line alone: trained, inspected, generated and validated.

#include "command.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace {

using namespace lavoisier::testing;
using nlohmann::json;

const std::string beginning = R"(format = 1
name = "water"
title = "Water of a column"
[samples]
table = true
[split]
kind = "sequential"
validation = 0.2
test = 0.2
[inputs.x0]
units = "kg m-2"
[inputs.x1]
units = "kg m-2"
)";

std::string outputs(std::initializer_list<const char*> names) {
  std::string text;
  for (const char* name : names) text += "[outputs." + std::string(name) + "]\nunits = \"kg m-2\"\n";
  return text + "[laws]\n";
}

class Heads : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  json read(const std::string& name) const { return json::parse(content(folder_ / name)); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  Outcome train(const std::string& words, const std::string& more = "") const {
    return run("train --domain " + file("d.toml") + " --data " + file("d.csv") +
               " --hidden 16 --epochs 60 --batch 32 --learning-rate 0.005 --seed 1 --output " + file("m.safetensors") +
               " --json " + file("t.json") + " " + words + more);
  }
  /// Members of the test rows, as rows of numbers without "member,sample".
  std::vector<std::vector<double>> members(int code = 0) const {
    const Outcome made = run("generate --model " + file("m.safetensors") + " --inputs " + file("d.csv") +
                             " --members 20 --subset test --quiet --output " + file("e.csv"));
    EXPECT_EQ(made.code, code) << made.err;
    std::vector<std::vector<double>> rows;
    std::istringstream lines(content(folder_ / "e.csv"));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream cells(line);
      std::string cell;
      std::vector<double> row;
      for (int i = 0; std::getline(cells, cell, ','); ++i)
        if (i >= 2) row.push_back(std::stod(cell));
      rows.push_back(row);
    }
    return rows;
  }
  json validated() const {
    const Outcome judged = run("validate --domain " + file("d.toml") + " --reference " + file("d.csv") +
                               " --candidate " + file("e.csv") + " --subset test --quiet --json " + file("v.json"));
    EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
    return read("v.json");
  }
  double uniform() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) * 0x1.0p-53;
  }
  double normal() { return uniform() + uniform() + uniform() + uniform() + uniform() + uniform() - 3.0; }

  Folder folder_;
  std::uint64_t state_ = 99;
};

TEST_F(Heads, PositiveAndSignedOutputsFromTrainingToValidation) {
  write("d.toml", beginning + outputs({"q0", "rain", "q1", "cloud", "q2"}) +
                      "water = { equation = \"q0 + q1 + q2 = x0 + rain - 2 * cloud\", tolerance = 1e-9 }\n");
  std::string text = "x0,x1,q0,rain,q1,cloud,q2\n";
  for (int row = 0; row < 400; ++row) {
    const double x0 = normal(), x1 = normal(), cloud = std::exp(0.3 * x1 + 0.4 * normal());
    const double rain = uniform() < 0.4 ? 0.0 : std::exp(0.5 * x0 + 0.5 * normal());
    const double q0 = x0 + normal(), q1 = x1 + 0.5 * normal(), q2 = x0 + rain - 2 * cloud - q0 - q1;
    char line[300];
    std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g\n", x0, x1, q0, rain, q1, cloud, q2);
    text += line;
  }
  write("d.csv", text);
  for (const std::string words :
       {"--strategy conditional", "--strategy projection", "--strategy conditional --loss crps --draws 4"}) {
    const Outcome trained = train("--head mixed --positive rain=hurdle_gamma,cloud=log_normal " + words);
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_SAYS(trained.out, "scores of 24 members a sample");
    EXPECT_TRUE(read("t.json")["calibration"].is_null());
    const json told = read("t.json")["validation"];
    EXPECT_EQ(told["members"], 24);
    EXPECT_TRUE(told["nll"].is_number()) << told;
    EXPECT_GT(told["coverage90"].get<double>(), 0.7);
    EXPECT_EQ(read("t.json")["options"]["head"], "mixed");
    const auto rows = members();
    ASSERT_EQ(rows.size(), 20U * 80U);
    std::size_t zeros = 0;
    for (const auto& row : rows) {
      EXPECT_GE(row[1], 0.0);
      EXPECT_GT(row[3], 0.0);
      zeros += row[1] == 0.0 ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(zeros) / 1600.0, 0.4, 0.12);
    const json found = validated();
    EXPECT_EQ(found["pass"], true);
    EXPECT_LE(found["laws"][0]["max_relative"].get<double>(), 1e-14);
  }
  const Outcome shown = run("inspect " + file("m.safetensors"));
  EXPECT_SAYS(shown.out, "positive_signed");
  EXPECT_EQ(train("--head mixed --positive rain=hurdle_gamma,cloud=log_normal --strategy none --quiet").code, 0);
  members(3);
  EXPECT_EQ(run("validate --domain " + file("d.toml") + " --reference " + file("d.csv") + " --candidate " +
                file("e.csv") + " --subset test --quiet")
                .code,
            3);
  const Outcome calibrated = train("--head mixed --positive rain=hurdle_gamma,cloud=log_normal --calibrate");
  EXPECT_EQ(calibrated.code, 0) << calibrated.err;
  EXPECT_SAYS(calibrated.out, "deviations times");
  EXPECT_NEAR(read("t.json")["calibration"]["after"].get<double>(), 0.9, 0.01);
  members();
  EXPECT_EQ(validated()["pass"], true);
  const Outcome refused = train("--head gamma --calibrate");
  EXPECT_EQ(refused.code, 1);
  EXPECT_SAYS(refused.err, "--calibrate: only deviations that a network makes for each sample are calibrated");
  const Outcome zero = train("--head mixed --positive rain=gamma");
  EXPECT_EQ(zero.code, 2);
  EXPECT_SAYS(zero.err, "output 'rain' is 0 for sample");
  const Outcome unknown = train("--head mixed --positive rian=gamma");
  EXPECT_SAYS(unknown.err, "did you mean 'rain'");
}

TEST_F(Heads, SharesAndCountsFromTrainingToValidation) {
  write("d.toml",
        beginning + outputs({"a", "b", "c"}) + "total = { equation = \"a + b + c = x0\", tolerance = 1e-9 }\n");
  std::string shares = "x0,x1,a,b,c\n", counts = shares;
  for (int row = 0; row < 400; ++row) {
    const double x1 = normal(), total = std::floor(20 + 10 * uniform());
    double part[3], sum = 0.0, count[3] = {0.0, 0.0, 0.0};
    for (int j = 0; j < 3; ++j) sum += part[j] = std::exp(0.4 * j * x1 + 0.5 * normal());
    for (int k = 0; k < static_cast<int>(total); ++k) {
      const double u = uniform();
      ++count[u < part[0] / sum ? 0 : u < (part[0] + part[1]) / sum ? 1 : 2];
    }
    char line[200];
    std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g,%.17g\n", total, x1, total * part[0] / sum,
                  total * part[1] / sum, total * part[2] / sum);
    shares += line;
    std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g,%.17g\n", total, x1, count[0], count[1], count[2]);
    counts += line;
  }
  for (const std::string head : {"gamma", "poisson"}) {
    write("d.csv", head == "gamma" ? shares : counts);
    const Outcome trained = train("--head " + head);
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_TRUE(read("t.json")["validation"]["nll"].is_number());
    for (const auto& row : members())
      for (const double value : row) {
        EXPECT_GE(value, 0.0);
        EXPECT_TRUE(head == "gamma" || value == std::floor(value)) << value;
      }
    const json found = validated();
    EXPECT_EQ(found["pass"], true);
    EXPECT_GT(found["mean_scores"]["coverage90"].get<double>(), 0.7);
  }
  const Outcome trained = train("--head poisson --strategy none --quiet");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(read("t.json")["validation"]["nll"].is_null()) << "no density on the laws' sums";
  write("d.csv", shares);
  const Outcome wrong = train("--head poisson");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_SAYS(wrong.err, "expected a count");
}

}  // namespace
