// Laws over all columns through the command: on the real data, and against dense conditioning of a small table.

#include "command.hpp"

#include <lavoisier/model_file.hpp>

#include <netcdf.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>

namespace {

using namespace lavoisier;
using namespace lavoisier::testing;
using nlohmann::json;
using Values = std::vector<double>;

constexpr std::size_t months = 12, rows = 46, columns = 72;

Values values(const std::filesystem::path& path, const char* name) {
  int file = 0, id = 0;
  EXPECT_EQ(nc_open(path.c_str(), NC_NOWRITE, &file), NC_NOERR) << path;
  EXPECT_EQ(nc_inq_varid(file, name, &id), NC_NOERR) << name;
  Values result(months * rows * columns);
  EXPECT_EQ(nc_get_var_double(file, id, result.data()), NC_NOERR);
  nc_close(file);
  return result;
}

std::string attribute(const std::filesystem::path& path, const char* name) {
  int file = 0;
  std::size_t length = 0;
  EXPECT_EQ(nc_open(path.c_str(), NC_NOWRITE, &file), NC_NOERR) << path;
  std::string text;
  if (nc_inq_attlen(file, NC_GLOBAL, name, &length) == NC_NOERR) {
    text.resize(length);
    EXPECT_EQ(nc_get_att_text(file, NC_GLOBAL, name, text.data()), NC_NOERR);
  }
  nc_close(file);
  return text;
}

/// Means over the ocean of one month, and of magnitudes: 46 rows from pole to pole, 4 degrees apart, half a row at the
/// poles; all columns are equally wide.
struct Mean {
  double value = 0.0, magnitude = 0.0;
};
Mean ocean_mean(const Values& field, std::size_t month) {
  long double sum = 0, size = 0, area = 0;
  for (std::size_t j = 0; j < rows; ++j) {
    const double latitude = -90.0 + 4.0 * static_cast<double>(j);
    const auto sine = [](double degrees) { return std::sin(std::clamp(degrees, -90.0, 90.0) * std::numbers::pi / 180.0); };
    const double band = sine(latitude + 2.0) - sine(latitude - 2.0);
    for (std::size_t i = 0; i < columns; ++i) {
      const double x = field[(month * rows + j) * columns + i];
      if (!(std::abs(x) < 1e20)) continue;
      sum += static_cast<long double>(band) * x;
      size += static_cast<long double>(band) * std::abs(x);
      area += band;
    }
  }
  return {static_cast<double>(sum / area), static_cast<double>(size / area)};
}

std::string ocean(const std::string& subcommand) {
  return subcommand + " --quiet " + (subcommand == "generate" ? "--inputs " : "--domain ocean_heat_budget --reference ") + ocean_file;
}

std::string generate(const std::filesystem::path& output, const std::string& more, const std::string& strategy = "conditional") {
  return ocean("generate") + " --model " + small_model(strategy).string() + " --seed 5 --output " + output.string() + " " + more;
}

TEST(GlobalLaws, TheOceansMeanIsTheReferencesInEveryMonthOfEveryMember) {
  const Folder folder;
  const Outcome made = run(generate(folder / "e", "--members 2 --global-laws all --json " + (folder / "g.json").string()));
  ASSERT_EQ(made.code, 0) << made.err;
  const json generated = json::parse(content(folder / "g.json"));
  ASSERT_EQ(generated["laws"].size(), 3U);
  EXPECT_EQ(generated["laws"][1]["scope"], "local");
  EXPECT_EQ(generated["laws"][2]["name"], "mean_heat");
  EXPECT_EQ(generated["laws"][2]["scope"], "global");
  EXPECT_EQ(generated["laws"][2]["samples"], 24);
  for (const json& law : generated["laws"]) {
    EXPECT_EQ(law["pass"], true) << law;
    EXPECT_LE(law["max_relative"].get<double>(), 1e-14) << law;
  }
  const Values reference = values(ocean_file, "FDH");
  for (const char* member : {"e/member_0001.nc", "e/member_0002.nc"}) {
    EXPECT_EQ(attribute(folder / member, "lavoisier_global_laws"), "mean_heat");
    EXPECT_EQ(attribute(folder / member, "lavoisier_global_law_residuals").substr(0, 10), "mean_heat ");
    const Values fdh = values(folder / member, "FDH"), fdr = values(folder / member, "FDR"), flh = values(folder / member, "FLH"),
                 fsh = values(folder / member, "FSH");
    for (std::size_t month = 0; month < months; ++month) {
      const Mean mean = ocean_mean(fdh, month);
      EXPECT_NEAR(mean.value, ocean_mean(reference, month).value, 2e-14 * mean.magnitude) << member << " " << month;
    }
    for (std::size_t i = 0; i < fdh.size(); ++i) {
      if (!(std::abs(fdh[i]) < 1e20)) continue;
      ASSERT_NEAR(fdh[i], fdr[i] - flh[i] - fsh[i],
                  1e-14 * (std::abs(fdh[i]) + std::abs(fdr[i]) + std::abs(flh[i]) + std::abs(fsh[i])));
    }
  }
  const Outcome judged = run(ocean("validate") + " --candidate " + (folder / "e").string() + " --html " +
                             (folder / "r.html").string() + " --json " + (folder / "v.json").string());
  EXPECT_EQ(judged.code, 0) << judged.err;
  const json report = json::parse(content(folder / "v.json"));
  ASSERT_EQ(report["laws"].size(), 3U);
  EXPECT_EQ(report["laws"][2]["scope"], "global");
  EXPECT_EQ(report["laws"][2]["samples"], 24);
  EXPECT_LE(report["laws"][2]["max_relative"].get<double>(), 1e-14);
  ASSERT_EQ(report["laws"][2]["budget"].size(), 2U);
  EXPECT_EQ(report["laws"][2]["budget"][0]["term"], "FDH");
  double mean = 0.0;
  for (std::size_t month = 0; month < months; ++month) mean += ocean_mean(reference, month).value / months;
  EXPECT_NEAR(report["laws"][2]["budget"][0]["mean"].get<double>(), mean, 1e-12);
  EXPECT_TRUE(report["laws_on_request"].empty());
  EXPECT_SAYS(content(folder / "r.html"), "every step of every member 1 over all columns");
}

TEST(GlobalLaws, OnRequestTheyAreReportedAndNotRequired) {
  const Folder folder;
  ASSERT_EQ(run(generate(folder / "e", "--members 2 --json " + (folder / "g.json").string())).code, 0);
  EXPECT_EQ(json::parse(content(folder / "g.json"))["laws"].size(), 2U);
  EXPECT_EQ(attribute(folder / "e/member_0001.nc", "lavoisier_global_laws"), "");
  const Outcome judged = run("validate --domain ocean_heat_budget --candidate " + (folder / "e").string() + " --reference " +
                             ocean_file + " --json " + (folder / "v.json").string());
  EXPECT_EQ(judged.code, 0) << judged.err;
  EXPECT_SAYS(judged.out, "on request");
  EXPECT_SAYS(judged.out, "all columns of TIME");
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["laws"].size(), 2U);
  ASSERT_EQ(report["laws_on_request"].size(), 1U);
  EXPECT_TRUE(report["laws_on_request"][0]["pass"].is_null());
  // Residual of the worst month, from the files alone.
  const Values reference = values(ocean_file, "FDH");
  double worst = 0.0;
  for (const char* member : {"e/member_0001.nc", "e/member_0002.nc"})
    for (std::size_t month = 0; month < months; ++month)
      worst = std::max(worst, std::abs(ocean_mean(values(folder / member, "FDH"), month).value - ocean_mean(reference, month).value));
  EXPECT_GT(worst, 0.1);
  EXPECT_NEAR(report["laws_on_request"][0]["max_abs"].get<double>(), worst, 1e-11);
}

TEST(GlobalLaws, HaveTheSameBitsForEveryChunkAndBackend) {
  const Folder folder;
  const std::string law = "--members 1 --subset test --global-laws all ";
  ASSERT_EQ(run(generate(folder / "a", law)).code, 0);
  const Values a = values(folder / "a/member_0001.nc", "FDH");
  for (const std::string more : {"--chunk 97", "--chunk 1000 --backend serial", "--chunk 100000 --threads 1"}) {
    ASSERT_EQ(run(generate(folder / "b", law + more + " --overwrite")).code, 0) << more;
    EXPECT_EQ(values(folder / "b/member_0001.nc", "FDH"), a) << more;
  }
  // Over the cells of the subset, in each month.
  Values reference = values(ocean_file, "FDH");
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i]) < 1e20)) reference[i] = a[i];
  for (std::size_t month = 0; month < months; ++month) {
    const Mean mean = ocean_mean(a, month);
    EXPECT_NEAR(mean.value, ocean_mean(reference, month).value, 2e-14 * mean.magnitude);
    EXPECT_GT(std::abs(mean.value - ocean_mean(values(ocean_file, "FDH"), month).value), 0.01) << "of the whole ocean";
  }
  const json report = [&] {
    EXPECT_EQ(run(ocean("validate") + " --subset test --candidate " + (folder / "b").string() + " --json " +
                  (folder / "v.json").string()).code, 0);
    return json::parse(content(folder / "v.json"));
  }();
  EXPECT_EQ(report["laws"].size(), 3U);
}

TEST(GlobalLaws, AWrongRunFails) {
  const Folder folder;
  ASSERT_EQ(run(generate(folder / "e", "--members 2 --global-laws all")).code, 0);
  // One watt more that the sun brings: budgets of columns close, the ocean's mean is off.
  int file = 0;
  ASSERT_EQ(nc_open((folder / "e/member_0002.nc").c_str(), NC_WRITE, &file), NC_NOERR);
  for (const char* name : {"FSR", "FDR", "FDH"}) {
    int id = 0;
    ASSERT_EQ(nc_inq_varid(file, name, &id), NC_NOERR);
    Values field(months * rows * columns);
    ASSERT_EQ(nc_get_var_double(file, id, field.data()), NC_NOERR);
    for (std::size_t i = 3 * rows * columns; i < 4 * rows * columns; ++i)
      if (std::abs(field[i]) < 1e20) field[i] += 1.0;
    ASSERT_EQ(nc_put_var_double(file, id, field.data()), NC_NOERR);
  }
  nc_close(file);
  const Outcome judged = run(ocean("validate") + " --candidate " + (folder / "e").string() + " --json " + (folder / "v.json").string());
  EXPECT_EQ(judged.code, 3);
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["laws"][0]["pass"], true);
  EXPECT_EQ(report["laws"][1]["pass"], true);
  EXPECT_EQ(report["laws"][2]["pass"], false);
  EXPECT_NEAR(report["laws"][2]["max_abs"].get<double>(), 1.0, 1e-10);
  EXPECT_EQ(report["laws"][2]["worst"]["step"], 3);
  EXPECT_EQ(report["laws"][2]["worst"]["member"], 2);
}

TEST(GlobalLaws, AGivenValueIsMetInItsPlace) {
  const Folder folder;
  const Outcome made = run(generate(folder / "e", "--members 1 --global mean_FDH=2.5"));
  ASSERT_EQ(made.code, 0) << made.err;
  const Values fdh = values(folder / "e/member_0001.nc", "FDH");
  for (std::size_t month = 0; month < months; ++month) {
    const Mean mean = ocean_mean(fdh, month);
    EXPECT_NEAR(mean.value, 2.5, 2e-14 * mean.magnitude);
  }
  const std::string judge = ocean("validate") + " --candidate " + (folder / "e").string();
  EXPECT_EQ(run(judge + " --global mean_FDH=2.5").code, 0);
  EXPECT_EQ(run(judge).code, 3) << "the reference has another mean";
}

TEST(GlobalLaws, WhatCannotBeMetIsSaid) {
  const Folder folder;
  const auto refused = [&](const std::string& words, int code, const std::string& message) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, code) << words;
    EXPECT_SAYS(outcome.err, message);
    EXPECT_FALSE(std::filesystem::exists(folder / "e/member_0001.nc"));
  };
  refused(generate(folder / "e", "--global mean_FDHH=1"), 1,
          "--global mean_FDHH=1: domain 'ocean_heat_budget' has no step value 'mean_FDHH'; did you mean 'mean_FDH'?");
  refused(generate(folder / "e", "--global mean_FDH=warm"), 1, "--global mean_FDH=warm: expected mean_FDH=VALUE, a number in 'W m-2'");
  refused(generate(folder / "e", "--global-laws none --global mean_FDH=1"), 1, "no law over all columns that is to hold needs it");
  refused(generate(folder / "e", "--global-laws some"), 1, "stated");
  refused(generate(folder / "e", "--global-laws all", "projection"), 2, "--global-laws none leaves them out");
  EXPECT_EQ(run(generate(folder / "f", "--members 1 --subset test --global-laws all --allow-violation", "none")).code, 0)
      << "a model without local laws meets laws over all columns";
}

TEST(GlobalLaws, AreShownWithTheirData) {
  const Outcome shown = run("domains ocean_heat_budget --data " + std::string(ocean_file));
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_SAYS(shown.out, "mean_heat      mean(cell_area, FDH) = mean_FDH  [W m-2], over all columns of a step");
  EXPECT_SAYS(shown.out, "summed over them: (cell_area/sum(columns, cell_area)) FDH; = mean_FDH");
  EXPECT_SAYS(shown.out, "mean_FDH, a number a step: mean(cell_area, FDH) of the reference's outputs, or --global");
  EXPECT_SAYS(shown.out, "mean_heat is on request");
  char first[32];
  std::snprintf(first, sizeof first, "%.4g,", ocean_mean(values(ocean_file, "FDH"), 0).value);
  EXPECT_SAYS(shown.out, "mean_FDH [W m-2], by step: " + std::string(first));
  const Outcome inspected = run("inspect " + small_model().string());
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_SAYS(inspected.out, "mean(cell_area, FDH) = mean_FDH  [W m-2], over all columns of a step");
}

/// Seven rows of a table, outputs a = b + c under a law of each row, and two laws over all rows; the model is written by
/// hand, so that its deviations are known.
class SmallTable : public ::testing::Test {
 protected:
  static constexpr std::size_t count = 7;
  static constexpr std::array<double, count> x{-1.5, -0.7, 0.1, 0.4, 0.9, 1.3, 2.0}, w{1, 2, 0.5, 3, 1, 0, 4};
  static constexpr std::array<float, 3> mean_weight{0.5F, -0.25F, 1.0F}, deviation_weight{0.3F, -0.2F, 0.1F};
  static constexpr std::array<double, 3> scale{2, 3, 5};

  void write(const std::string& laws) const {
    std::ofstream(folder_ / "d.toml") << R"(format = 1
name = "small"
title = "Rows under laws"
samples = { table = true }
inputs.x = { units = "1" }
outputs.a = { units = "W" }
outputs.b = { units = "W" }
outputs.c = { units = "W" }
weights.w = { units = "m2" }
step_values.total = { units = "W" }
laws.own = "a = b + c"
)" << laws;
    std::ofstream table(folder_ / "x.csv");
    table << "x,w\n";
    for (std::size_t i = 0; i < count; ++i) table << x[i] << "," << w[i] << "\n";
    table.close();

    ModelFile file;
    const auto variable = [](const char* name, const char* units, Role role) {
      Variable made;
      made.name = name;
      made.units = units;
      made.role = role;
      return made;
    };
    auto& model = file.description;
    model.layout = StateLayout({}, {variable("x", "1", Role::input), variable("a", "W", Role::output),
                                    variable("b", "W", Role::output), variable("c", "W", Role::output)});
    Law own;
    own.name = own.equation = "own";
    own.units = "W";
    own.terms = {{"a", Expression(1.0)}, {"b", Expression(-1.0)}, {"c", Expression(-1.0)}};
    model.laws = {own};
    model.heads = {{"outputs", "gaussian_diagonal", {"a", "b", "c"}, "conditional"}};
    model.provenance = {{"domain", (folder_ / "d.toml").string()}};
    model.graph = {{"single", {"inputs"}, {"x0"}, {}, {}},
                   {"dense", {"x0"}, {"h"}, {{"weight", "weight"}, {"bias", "bias"}}, {}},
                   {"gaussian_head",
                    {"h"},
                    {"mean", "deviation"},
                    {{"output_mean", "output.mean"}, {"output_scale", "output.scale"}, {"floor", "floor"}},
                    {{"parametrization", "exp"}}},
                   {"normal_noise", {}, {"e"}, {}, {{"site", "0"}}},
                   {"gaussian_draw", {"mean", "deviation", "e"}, {"z"}, {}, {}},
                   {"constrain", {"z", "deviation"}, {"outputs"}, {}, {{"metric", "covariance"}}}};
    const auto add = [&](const char* name, const std::vector<double>& numbers) {
      file.add(Tensor::from(name, {static_cast<std::int64_t>(numbers.size())}, std::span<const double>(numbers)));
    };
    add("input.minimum", {-10});
    add("input.maximum", {10});
    add("output.mean", {10, 6, 3});
    add("output.scale", {scale.begin(), scale.end()});
    add("floor", {0.0});
    std::vector<float> weight(mean_weight.begin(), mean_weight.end());
    weight.insert(weight.end(), deviation_weight.begin(), deviation_weight.end());
    const std::vector<float> bias(6, 0.0F);
    file.add(Tensor::from("weight", {6, 1}, std::span<const float>(weight)));
    file.add(Tensor::from("bias", {6}, std::span<const float>(bias)));
    file.write(folder_ / "m.safetensors");
  }

  Outcome made(const std::string& output, const std::string& more) const {
    return run("generate --quiet --model " + (folder_ / "m.safetensors").string() + " --inputs " + (folder_ / "x.csv").string() +
               " --members 3 --seed 11 --output " + (folder_ / output).string() + " " + more);
  }

  /// Of a member (from 1), row by row.
  std::vector<std::array<double, 3>> read(const std::string& name, int member) const {
    std::ifstream file(folder_ / name);
    std::string line;
    std::getline(file, line);
    std::vector<std::array<double, 3>> result;
    while (std::getline(file, line)) {
      std::array<double, 5> cell{};
      std::istringstream text(line);
      std::string word;
      for (double& value : cell) {
        std::getline(text, word, ',');
        value = std::strtod(word.c_str(), nullptr);
      }
      if (static_cast<int>(cell[0]) == member) result.push_back({cell[2], cell[3], cell[4]});
    }
    EXPECT_EQ(result.size(), count);
    return result;
  }

  Folder folder_;
};

TEST_F(SmallTable, EqualsDenseConditioningOfAllRows) {
  write(R"(laws.mean = { scope = "global", equation = "mean(w, a) = total" }
laws.other = { scope = "global", equation = "sum(columns, x * (b - 2 * c)) = 4 * total" }
)");
  const Outcome with = made("with.csv", "--global total=12 --json " + (folder_ / "g.json").string());
  ASSERT_EQ(with.code, 0) << with.err;
  ASSERT_EQ(made("without.csv", "--global-laws none").code, 0);
  double all = 0.0;
  for (const double weight : w) all += weight;
  for (int member = 1; member <= 3; ++member) {
    const auto y0 = read("without.csv", member), y1 = read("with.csv", member);
    // Kriging: y0 - V B' (B V B')^-1 (B y0 - D), V the covariance that the rows' own laws leave.
    std::vector<std::array<std::array<double, 3>, 3>> V(count);
    std::vector<std::array<std::array<double, 3>, 2>> B(count);
    double W[2][2] = {{0, 0}, {0, 0}}, r[2] = {-12, -48};
    const double law[3] = {1, -1, -1};
    for (std::size_t c = 0; c < count; ++c) {
      double S[3], own = 0.0;
      for (std::size_t i = 0; i < 3; ++i) {
        const double deviation = scale[i] * std::exp(static_cast<double>(deviation_weight[i] * static_cast<float>(x[c])));
        S[i] = deviation * deviation;
        own += law[i] * S[i] * law[i];
      }
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j) V[c][i][j] = (i == j ? S[i] : 0.0) - S[i] * law[i] * law[j] * S[j] / own;
      B[c][0] = {w[c] / all, 0, 0};
      B[c][1] = {0, x[c], -2 * x[c]};
      for (std::size_t k = 0; k < 2; ++k)
        for (std::size_t i = 0; i < 3; ++i) {
          r[k] += B[c][k][i] * y0[c][i];
          for (std::size_t l = 0; l < 2; ++l)
            for (std::size_t j = 0; j < 3; ++j) W[k][l] += B[c][k][i] * V[c][i][j] * B[c][l][j];
        }
    }
    const double det = W[0][0] * W[1][1] - W[0][1] * W[1][0];
    const double lambda[2] = {(W[1][1] * r[0] - W[0][1] * r[1]) / det, (W[0][0] * r[1] - W[1][0] * r[0]) / det};
    double moved = 0.0;
    for (std::size_t c = 0; c < count; ++c)
      for (std::size_t i = 0; i < 3; ++i) {
        double y = y0[c][i];
        for (std::size_t k = 0; k < 2; ++k)
          for (std::size_t j = 0; j < 3; ++j) y -= V[c][i][j] * B[c][k][j] * lambda[k];
        EXPECT_NEAR(y1[c][i], y, 1e-10) << "member " << member << ", row " << c << ", output " << i;
        moved = std::max(moved, std::abs(y - y0[c][i]));
      }
    EXPECT_GT(moved, 0.1);
  }
  const json report = json::parse(content(folder_ / "g.json"));
  ASSERT_EQ(report["laws"].size(), 3U);
  for (const json& one : report["laws"]) EXPECT_LE(one["max_relative"].get<double>(), 1e-14);
  EXPECT_SAYS(content(folder_ / "with.csv.json"), "\"lavoisier_global_laws\": \"mean other\"");
  EXPECT_SAYS(content(folder_ / "with.csv.json"), "lavoisier_global_law_residuals");
  const std::string judge = "validate --domain " + (folder_ / "d.toml").string() + " --inputs " + (folder_ / "x.csv").string() + " --candidate ";
  EXPECT_EQ(run(judge + (folder_ / "with.csv").string() + " --global total=12").code, 0);
  EXPECT_EQ(run(judge + (folder_ / "without.csv").string() + " --global total=12").code, 3)
      << "a law that is not on request is required of every candidate";
  const Outcome missing = run(judge + (folder_ / "with.csv").string());
  EXPECT_EQ(missing.code, 2);
  EXPECT_SAYS(missing.err, "law 'mean' needs 'total' [W], which no file holds: give --global total=VALUE");
}

TEST_F(SmallTable, LawsThatNothingCanMeetAreRefused) {
  write("laws.fixed = { scope = \"global\", equation = \"sum(columns, a - b - c) = 5 * total\" }\n");
  const Outcome outcome = made("y.csv", "--global total=1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "no output that the local laws leave free can meet it");
  EXPECT_SAYS(outcome.err, "global law 0 is 'fixed'");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "y.csv"));
  write("laws.none = { scope = \"global\", equation = \"mean(w - w, a) = total\" }\n");
  const Outcome weightless = made("y.csv", "--global total=1");
  EXPECT_EQ(weightless.code, 2);
  EXPECT_SAYS(weightless.err, "law 'none': the coefficient of 'a' is no finite number at step 0 (weights that sum to 0?)");
}

TEST_F(SmallTable, FileWithoutTheReferenceSaysSo) {
  write("laws.mean = { scope = \"global\", equation = \"mean(w, a) = seen\" }\n"
        "step_values.seen = { units = \"W\", reference = \"mean(w, a)\" }\n");
  const Outcome outcome = made("y.csv", "");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "'seen' is made of the reference's outputs, which");
  EXPECT_SAYS(outcome.err, "give --global seen=VALUE");
  EXPECT_EQ(made("y.csv", "--global seen=3").code, 0);
  write("laws.mean = { scope = \"global\", equation = \"mean(w, a) = seen\", on_request = true }\n"
        "step_values.seen = { units = \"W\", reference = \"mean(w, a)\" }\n");
  ASSERT_EQ(made("z.csv", "").code, 0) << "a law on request needs no value";
  const Outcome judged = run("validate --domain " + (folder_ / "d.toml").string() + " --inputs " + (folder_ / "x.csv").string() +
                             " --candidate " + (folder_ / "z.csv").string());
  EXPECT_EQ(judged.code, 0) << judged.err;
  EXPECT_SAYS(judged.out, "note: law mean is left out: 'seen' is made of the reference's outputs, which");
}

}  // namespace
