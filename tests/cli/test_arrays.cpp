// A domain of columns whose variables have levels and whose laws have coefficients of each sample: from `domains` over
// `train` and `generate` to `validate` and `compare`.

#include "command.hpp"
#include "netcdf_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace lavoisier::testing;
using lavoisier::tests::NetcdfFile;
using lavoisier::tests::stored_text;
using lavoisier::tests::stored_values;
using nlohmann::json;

constexpr int columns = 300, levels = 3;

const char* const domain_text = R"(format = 1
name = "columns"
title = "Columns of the tests"
samples = { dimensions = ["column"], column = ["column"], empty = "all missing", coordinates = ["lat"] }
split = { kind = "groups", variable = "step", modulus = 3, test = [2], validation = [1] }
dimensions.level = { kind = "level", extent = 3, source = "lev" }
dimensions.moist = { kind = "level", extent = 2, source = { dimension = "lev", first = 1 } }
constants.cp = { value = 1004.0, units = "J kg-1 K-1" }
inputs.T = { units = "K", dimensions = ["level"] }
inputs.mass = { units = "kg m-2", dimensions = ["level"] }
inputs.moist_mass = { units = "kg m-2", dimensions = ["moist"], source = "mass" }
inputs.wind = { units = "m s-1", source = { magnitude = ["u", "v"], at = { lev = 2 } } }
outputs.heating = { units = "K s-1", standard_name = "tendency_of_air_temperature", dimensions = ["level"] }
outputs.moistening = { units = "s-1", dimensions = ["moist"] }
outputs.flux = { units = "W m-2" }
outputs.rain = { units = "kg m-2 s-1" }
laws.energy = { equation = "cp * sum(level, mass * heating) = flux", tolerance = 1e-9 }
laws.water = { equation = "sum(moist, moist_mass * moistening) + rain = 0", tolerance = 1e-15 }
)";

/// Smooth in `i`, different for each `k`.
double wave(int i, int k) { return std::sin(0.37 * i * (1.0 + 0.13 * k) + k); }

void write_columns(const std::filesystem::path& path, const char* step_name = "step",
                   const std::vector<double>& lev_centres = {0.1, 0.4, 0.8}) {
  NetcdfFile file(path, NC_CLOBBER | NC_NETCDF4);
  const int column = file.dimension("column", columns), lev = file.dimension("lev", levels);
  const int two = file.dimension("bnds", 2);
  const int lev_values = file.variable("lev", NC_DOUBLE, {lev}, {{"units", "1"}, {"bounds", "lev_bnds"},
                                                                 {"standard_name", "atmosphere_sigma_coordinate"},
                                                                 {"formula_terms", "sigma: lev ps: ps ptop: ptop"}});
  const int bounds = file.variable("lev_bnds", NC_DOUBLE, {lev, two});
  const int lat = file.variable("lat", NC_FLOAT, {column}, {{"units", "degrees_north"}, {"standard_name", "latitude"}});
  const int step = file.variable(step_name, NC_INT, {column});
  const int T = file.variable("T", NC_FLOAT, {column, lev}, {{"units", "K"}});
  const int mass = file.variable("mass", NC_DOUBLE, {column, lev}, {{"units", "kg m-2"}});
  const int u = file.variable("u", NC_FLOAT, {column, lev}, {{"units", "m s-1"}});
  const int v = file.variable("v", NC_FLOAT, {column, lev}, {{"units", "m s-1"}});
  const int heating = file.variable("heating", NC_DOUBLE, {column, lev}, {{"units", "K s-1"}});
  const int moistening = file.variable("moistening", NC_DOUBLE, {column, lev}, {{"units", "s-1"}});
  const int flux = file.variable("flux", NC_DOUBLE, {column}, {{"units", "W m-2"}});
  const int rain = file.variable("rain", NC_DOUBLE, {column}, {{"units", "kg m-2 s-1"}});
  std::vector<double> lats, steps, Ts, masses, us, vs, heat, moist, fluxes, rains;
  for (int i = 0; i < columns; ++i) {
    lats.push_back(-80.0 + i % 160);
    steps.push_back(1000 + 50 * (i / 10));
    fluxes.push_back(0.0);
    rains.push_back(0.0);
    for (int l = 0; l < levels; ++l) {
      Ts.push_back(280.0 + 10.0 * wave(i, l));
      masses.push_back(1000.0 * (l + 1) + 300.0 * wave(i, 3 + l));
      us.push_back(5.0 * wave(i, 6));
      vs.push_back(5.0 * wave(i, 7));
      heat.push_back(1e-5 * (Ts.back() - 280.0 + wave(i, 8 + l)));
      moist.push_back(l == 0 ? 0.0 : 1e-8 * (wave(i, l) + us.back()));
      fluxes.back() += 1004.0 * masses.back() * heat.back();
      rains.back() -= masses.back() * moist.back();
    }
  }
  file.write(lev_values, lev_centres);
  file.write(bounds, {0.0, 0.2, 0.2, 0.6, 0.6, 1.0});
  file.write(lat, lats);
  file.write(step, steps);
  file.write(T, Ts);
  file.write(mass, masses);
  file.write(u, us);
  file.write(v, vs);
  file.write(heating, heat);
  file.write(moistening, moist);
  file.write(flux, fluxes);
  file.write(rain, rains);
}

/// Domain, data and a small model, made once.
struct Case {
  Folder folder;
  std::string domain = (folder / "columns.toml").string(), data = (folder / "columns.nc").string(),
              model = (folder / "columns.safetensors").string();
  Case() {
    std::ofstream(domain) << domain_text;
    write_columns(data);
    const Outcome trained = run("train --domain " + domain + " --data " + data + " --strategy conditional --loss crps" +
                                " --hidden 16 --epochs 3 --seed 1 --quiet --output " + model);
    EXPECT_EQ(trained.code, 0) << trained.err;
  }
};

const Case& made() {
  static const Case one;
  return one;
}

TEST(Arrays, DomainsPrintsThemAndHowTheDataClose) {
  const Folder folder;
  const Outcome outcome =
      run("domains " + made().domain + " --data " + made().data + " --json " + (folder / "d.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_SAYS(outcome.out, "level (3)");
  EXPECT_SAYS(outcome.out, "moist_mass: mass, lev 1 to 2 (from 0)");
  EXPECT_SAYS(outcome.out, "wind: magnitude of u, v, lev 2 (from 0)");
  EXPECT_SAYS(outcome.out, "Matrix: 2 independent of 2 laws over 7 output elements");
  EXPECT_SAYS(outcome.out, "heating[3]");
  EXPECT_SAYS(outcome.out, "cp*mass");
  EXPECT_SAYS(outcome.out, "100 training, 100 validation, 100 test");
  const json report = json::parse(content(folder / "d.json"));
  EXPECT_EQ(report["pass"], true);
  EXPECT_EQ(report["rank"], 2);
  EXPECT_EQ(report["cells"]["complete"], columns);
  for (const json& law : report["closure"]) EXPECT_LE(law["max_relative"].get<double>(), 1e-15) << law["name"];
}

TEST(Arrays, GenerateAndValidate) {
  const Folder folder;
  const Outcome generated = run("generate --model " + made().model + " --inputs " + made().data +
                                " --members 3 --seed 5 --output " + (folder / "e").string() + " --json " +
                                (folder / "g.json").string());
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  for (const json& law : json::parse(content(folder / "g.json"))["laws"]) {
    EXPECT_LE(law["max_relative"].get<double>(), 1e-14) << law["name"];
  }
  // As the file says: axes with bounds, coordinates, and no name of a variable that is not there.
  const std::filesystem::path first = folder / "e/member_0001.nc";
  EXPECT_EQ(stored_values(first, "level"), (std::vector<double>{0.1, 0.4, 0.8}));
  EXPECT_EQ(stored_values(first, "moist"), (std::vector<double>{0.4, 0.8}));
  EXPECT_EQ(stored_values(first, "moist_bnds"), (std::vector<double>{0.2, 0.6, 0.6, 1.0}));
  EXPECT_EQ(stored_values(first, "lat").size(), static_cast<std::size_t>(columns));
  EXPECT_EQ(stored_text(first, "level", "formula_terms"), "");
  EXPECT_EQ(stored_text(first, "level", "bounds"), "level_bnds");
  EXPECT_EQ(stored_text(first, "heating", "coordinates"), "lat realization");
  EXPECT_EQ(stored_text(first, "heating", "standard_name"), "tendency_of_air_temperature");

  const Outcome judged = run("validate --domain " + made().domain + " --candidate " + (folder / "e").string() +
                             " --reference " + made().data + " --json " + (folder / "v.json").string() + " --html " +
                             (folder / "v.html").string());
  EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["pass"], true);
  ASSERT_EQ(report["scores"].size(), 4U);
  const json& heating = report["scores"][0];
  EXPECT_EQ(heating["variable"], "heating");
  ASSERT_EQ(heating["elements"].size(), 3U);
  EXPECT_FALSE(report["scores"][2].contains("elements"));

  // By hand from the files, level by level.
  const std::vector<double> y = stored_values(made().data, "heating");
  std::vector<std::vector<double>> x;
  for (int m = 1; m <= 3; ++m) x.push_back(stored_values(folder / ("e/member_000" + std::to_string(m) + ".nc"), "heating"));
  double mean_rmse = 0.0, mean_scaled = 0.0;
  for (int l = 0; l < levels; ++l) {
    double square = 0.0, crps = 0.0, sum = 0.0, sum_of_squares = 0.0;
    for (int c = 0; c < columns; ++c) {
      const auto at = static_cast<std::size_t>(c * levels + l);
      double mean = 0.0, error = 0.0, pairs = 0.0;
      for (const auto& a : x) {
        mean += a[at] / 3;
        error += std::abs(a[at] - y[at]) / 3;
        for (const auto& b : x) pairs += std::abs(a[at] - b[at]) / 6;
      }
      square += (mean - y[at]) * (mean - y[at]) / columns;
      crps += (error - 0.5 * pairs) / columns;
      sum += y[at] / columns;
      sum_of_squares += y[at] * y[at] / columns;
    }
    const double variance = sum_of_squares - sum * sum;
    const json& element = heating["elements"][static_cast<std::size_t>(l)];
    EXPECT_NEAR(element["rmse"].get<double>(), std::sqrt(square), 1e-9 * std::sqrt(square));
    EXPECT_NEAR(element["crps"].get<double>(), crps, 1e-9 * crps);
    EXPECT_NEAR(element["r2"].get<double>(), 1.0 - square / variance, 1e-6);
    EXPECT_NEAR(element["crps_scaled"].get<double>(), crps / std::sqrt(variance), 1e-6);
    mean_rmse += std::sqrt(square) / levels;
    mean_scaled += crps / std::sqrt(variance) / levels;
  }
  EXPECT_NEAR(heating["rmse"].get<double>(), mean_rmse, 1e-9 * mean_rmse);
  EXPECT_NEAR(heating["crps_scaled"].get<double>(), mean_scaled, 1e-6);
}

TEST(Arrays, AFileOfTheReferencesKindIsACandidate) {
  const Folder folder;
  const Outcome judged = run("validate --domain " + made().domain + " --candidate " + made().data + " --reference " +
                             made().data + " --quiet --json " + (folder / "v.json").string());
  EXPECT_EQ(judged.code, 0) << judged.err;
  for (const json& score : json::parse(content(folder / "v.json"))["scores"]) {
    EXPECT_EQ(score["rmse"], 0.0) << score["variable"];
    EXPECT_GT(score["reference_deviation"].get<double>(), 0.0) << score["variable"];
  }
}

TEST(Arrays, LevelsInAnotherOrderAreRefused) {
  const Folder folder;
  const std::string reversed = (folder / "reversed.nc").string(), other = (folder / "other.nc").string(),
                    near = (folder / "near.nc").string();
  write_columns(reversed, "step", {0.8, 0.4, 0.1});
  write_columns(other, "step", {0.1, 0.4, 0.81});
  write_columns(near, "step", {0.1, 0.4 + 2e-7, 0.8});
  const std::string training = " --strategy conditional --loss crps --hidden 4 --epochs 1 --quiet --output " +
                               (folder / "m.safetensors").string();
  const Outcome trained = run("train --domain " + made().domain + " --data " + made().data + " --data " + reversed + training);
  EXPECT_EQ(trained.code, 2);
  EXPECT_SAYS(trained.err, "the coordinate of dimension \"level\", value 0, is 0.8 in \"" + reversed + "\", 0.1 in \"" +
                               made().data + "\"");
  EXPECT_SAYS(trained.err, "the order is the opposite one");
  EXPECT_FALSE(std::filesystem::exists(folder / "m.safetensors"));
  EXPECT_EQ(run("train --domain " + made().domain + " --data " + made().data + " --data " + near + training).code, 0);

  // The model says what it was trained on; the inputs' own dimension and that of a part are among it.
  ASSERT_EQ(run("inspect " + made().model + " --quiet --json " + (folder / "i.json").string()).code, 0);
  const json known = json::parse(content(folder / "i.json"))["coordinates"];
  EXPECT_EQ(known["level"]["values"], (std::vector<double>{0.1, 0.4, 0.8}));
  EXPECT_EQ(known["level"]["units"], "1");
  EXPECT_EQ(known["moist"]["values"], (std::vector<double>{0.4, 0.8}));

  const std::string ensemble = (folder / "e").string();
  const auto generated = [&](const std::string& inputs) {
    return run("generate --model " + made().model + " --members 1 --quiet --output " + ensemble + " --inputs " + inputs);
  };
  const Outcome turned = generated(reversed);
  EXPECT_EQ(turned.code, 2);
  EXPECT_SAYS(turned.err, "is 0.8 in \"" + reversed + "\", 0.1 in \"" + made().model + "\"");
  EXPECT_FALSE(std::filesystem::exists(ensemble));
  EXPECT_SAYS(generated(other).err, "\"level\", value 2, is 0.81 in");
  EXPECT_EQ(generated(near).code, 0);

  // Of members, under the layout's names, and of a file of the reference's kind, under the file's.
  const auto judged = [&](const std::string& candidate, const std::string& reference) {
    return run("validate --quiet --domain " + made().domain + " --candidate " + candidate + " --reference " + reference);
  };
  EXPECT_EQ(judged(ensemble, made().data).code, 0);
  const Outcome against = judged(ensemble, reversed);
  EXPECT_EQ(against.code, 2);
  EXPECT_SAYS(against.err, "is 0.1 in \"" + ensemble + "/member_0001.nc\", 0.8 in \"" + reversed + "\"");
  EXPECT_SAYS(judged(reversed, made().data).err, "the order is the opposite one");
  EXPECT_EQ(judged(other, made().data).code, 2);
}

TEST(Arrays, AMemberGivenTwiceIsRefused) {
  const Folder folder;
  const std::string ensemble = (folder / "e").string();
  ASSERT_EQ(run("generate --model " + made().model + " --inputs " + made().data + " --members 2 --quiet --output " + ensemble).code, 0);
  const std::string words = "validate --quiet --domain " + made().domain + " --reference " + made().data + " --candidate " + ensemble;
  EXPECT_EQ(run(words).code, 0);
  const Outcome twice = run(words + " --candidate " + ensemble + "/.");
  EXPECT_EQ(twice.code, 2);
  EXPECT_SAYS(twice.err, ensemble + "/./member_0001.nc is given twice (as " + ensemble + "/member_0001.nc too)");
  EXPECT_EQ(run(words + "/member_0001.nc --candidate " + ensemble + "/member_0002.nc").code, 0);
}

TEST(Arrays, CompareTakesASplitByGroups) {
  const Folder folder;
  std::ofstream(folder / "p.toml") << R"(name = "columns"
[split]
kind = "groups"
variable = "step"
modulus = 5
test = [4]
validation = [3]
[network]
hidden = [8]
[comparison]
rows = [ { strategy = "none", loss = "crps" }, { strategy = "conditional", loss = "crps" } ]
)";
  const Outcome outcome = run("compare --protocol " + (folder / "p.toml").string() + " --domain " + made().domain + " --data " +
                              made().data + " --runs 2 --epochs 1 --quiet --json " + (folder / "c.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = json::parse(content(folder / "c.json"));
  EXPECT_EQ(report["samples"], 60);
  ASSERT_EQ(report["results"].size(), 2U);
  EXPECT_EQ(report["results"][0]["variables"].size(), 7U);
  EXPECT_EQ(report["results"][0]["variables"][1]["variable"], "heating[1]");
  EXPECT_GT(report["results"][0]["max_relative_violation"]["mean"].get<double>(), 1e-3);
  EXPECT_LE(report["results"][1]["max_relative_violation"]["mean"].get<double>(), 1e-14);
  for (const json& row : report["results"]) {
    for (const char* key : {"nll", "crps_scaled", "r2"}) EXPECT_TRUE(row[key]["mean"].is_number()) << row["strategy"] << key;
  }
}

TEST(Arrays, InputsNeedNotSayTheirGroup) {
  const Folder folder;
  const std::string inputs = (folder / "inputs.nc").string();
  write_columns(inputs, "moment");
  const std::string words = "generate --model " + made().model + " --inputs " + inputs + " --members 1 --quiet --output " +
                            (folder / "e").string();
  EXPECT_EQ(run(words).code, 0);
  const Outcome outcome = run(words + " --subset test");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "expected the variable 'step', by which domain 'columns' splits, found none");
  EXPECT_EQ(run("domains " + made().domain + " --data " + inputs).code, 2);
}

TEST(Arrays, OfAnotherShapeAreRefused) {
  const Folder folder;
  std::string text = domain_text;
  text.replace(text.find("extent = 3"), 10, "extent = 4");
  std::ofstream(folder / "d.toml") << text;
  const Outcome outcome = run("domains " + (folder / "d.toml").string() + " --data " + made().data);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "expected the dimensions (column = 300, lev = 4), found (column = 300, lev = 3)");
  const Outcome generated = run("generate --model " + made().model + " --domain " + (folder / "d.toml").string() + " --inputs " +
                                made().data + " --output " + (folder / "e").string());
  EXPECT_EQ(generated.code, 2);
  EXPECT_SAYS(generated.err, "numbers of elements");
}

}  // namespace
