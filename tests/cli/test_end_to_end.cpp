// Train, generate, validate on the real data; and that the values do not depend on how they are computed.

#include "command.hpp"

#include <netcdf.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace {

using namespace lavoisier::testing;
using nlohmann::json;

std::vector<double> values(const std::filesystem::path& path, const char* name) {
  int file = 0, id = 0;
  EXPECT_EQ(nc_open(path.c_str(), NC_NOWRITE, &file), NC_NOERR) << path;
  EXPECT_EQ(nc_inq_varid(file, name, &id), NC_NOERR) << name;
  std::vector<double> result(12 * 46 * 72);
  EXPECT_EQ(nc_get_var_double(file, id, result.data()), NC_NOERR);
  nc_close(file);
  return result;
}

std::string generate(const std::string& strategy, const std::filesystem::path& output, const std::string& more) {
  return "generate --model " + small_model(strategy).string() + " --inputs " + ocean_file + " --seed 5 --quiet --output " +
         output.string() + " " + more;
}

TEST(EndToEnd, TrainGenerateValidate) {
  const Folder folder;
  const Outcome made = run(generate("conditional", folder / "e", "--members 4 --subset test --json " + (folder / "g.json").string()));
  ASSERT_EQ(made.code, 0) << made.err;
  const json generated = json::parse(content(folder / "g.json"));
  EXPECT_EQ(generated["pass"], true);
  EXPECT_EQ(generated["columns"], 2956);
  ASSERT_EQ(run(generate("none", folder / "n", "--members 4 --subset test --allow-violation")).code, 0);

  const Outcome judged = run("validate --domain ocean_heat_budget --candidate conditional=" + (folder / "e").string() +
                                   " --baseline none=" + (folder / "n").string() + " --reference " + ocean_file +
                                   " --subset test --json " + (folder / "v.json").string() + " --html " + (folder / "v.html").string());
  EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["pass"], true);
  ASSERT_EQ(report["laws"].size(), 2U);
  for (const json& law : report["laws"]) {
    for (const char* key : {"name", "units", "max_abs", "rms", "max_relative", "worst", "tolerance", "pass"}) {
      EXPECT_TRUE(law.contains(key)) << key;
    }
    EXPECT_LE(law["max_relative"].get<double>(), 1e-14);
  }
  ASSERT_EQ(report["scores"].size(), 6U);
  for (const json& score : report["scores"]) {
    for (const char* key : {"variable", "units", "rmse", "crps", "coverage90"}) EXPECT_TRUE(score.contains(key)) << key;
    EXPECT_GT(score["rmse"].get<double>(), 0.0);
    EXPECT_LT(score["crps"].get<double>(), score["rmse"].get<double>());
  }
  EXPECT_EQ(report["baselines"][0]["name"], "none");
  EXPECT_EQ(report["baselines"][0]["pass"], false);
  EXPECT_EQ(report["reference"]["pass"], true);
  const std::string page = content(folder / "v.html");
  EXPECT_SAYS(page, "<!DOCTYPE html>");
  for (const char* outside : {"<script", "src=", "href=", "url(", "@import"}) EXPECT_EQ(page.find(outside), std::string::npos) << outside;

  // The other way round the candidate breaks its laws: exit code 3.
  const Outcome broken = run("validate --domain ocean_heat_budget --candidate " + (folder / "n").string() + " --reference " +
                                   ocean_file + " --subset test --quiet");
  EXPECT_EQ(broken.code, 3) << broken.err;
  EXPECT_EQ(run(generate("none", folder / "n2", "--members 1 --subset test")).code, 3);

  // An ensemble of the test cells is no ensemble of the validation cells, and half of one of all cells.
  const Outcome other = run("validate --domain ocean_heat_budget --candidate " + (folder / "e").string() + " --reference " +
                                  ocean_file + " --subset validation --quiet");
  EXPECT_EQ(other.code, 2);
  EXPECT_SAYS(other.err, "no value in any");
}

TEST(EndToEnd, ScoresEqualThoseTakenByHand) {
  const Folder folder;
  ASSERT_EQ(run(generate("conditional", folder / "e", "--members 3")).code, 0);
  ASSERT_EQ(run("validate --domain ocean_heat_budget --candidate " + (folder / "e").string() + " --reference " + ocean_file +
                      " --quiet --json " + (folder / "v.json").string()).code, 0);
  const json report = json::parse(content(folder / "v.json"));
  const auto y = values(ocean_file, "FLH");
  std::vector<std::vector<double>> x;
  for (int m = 1; m <= 3; ++m) x.push_back(values(folder / ("e/member_000" + std::to_string(m) + ".nc"), "FLH"));
  double square = 0.0, crps = 0.0, n = 0.0;
  for (std::size_t c = 0; c < y.size(); ++c) {
    if (y[c] > 1e30) continue;
    double mean = 0.0, error = 0.0, pairs = 0.0;
    for (const auto& a : x) {
      mean += a[c] / 3;
      error += std::abs(a[c] - y[c]) / 3;
      for (const auto& b : x) pairs += std::abs(a[c] - b[c]) / 6;
    }
    square += (mean - y[c]) * (mean - y[c]);
    crps += error - 0.5 * pairs;
    n += 1.0;
  }
  EXPECT_EQ(report["cells"], n);
  for (const json& score : report["scores"]) {
    if (score["variable"] != "FLH") continue;
    EXPECT_NEAR(score["rmse"].get<double>(), std::sqrt(square / n), 1e-9);
    EXPECT_NEAR(score["crps"].get<double>(), crps / n, 1e-9);
  }
}

TEST(EndToEnd, ValuesDoNotDependOnChunksBackendsOrThreads) {
  const Folder folder;
  ASSERT_EQ(run(generate("conditional", folder / "base", "--members 2 --chunk 1000 --backend serial")).code, 0);
  const std::vector<std::string> ways = {"--chunk 1 --backend serial",  "--chunk 7 --backend serial",
                                         "--chunk 64 --backend openmp --threads 1", "--chunk 1000 --backend openmp --threads 2",
                                         "--chunk 7 --backend openmp --threads 2",  "--backend automatic"};
  int number = 0;
  for (const std::string& way : ways) {
    const std::filesystem::path other = folder / ("way" + std::to_string(number++));
    const Outcome outcome = run(generate("conditional", other, "--members 2 " + way));
    ASSERT_EQ(outcome.code, 0) << way << outcome.err;
    for (const char* file : {"member_0001.nc", "member_0002.nc"}) {
      for (const char* name : {"FSR", "FUL", "FDR", "FLH", "FSH", "FDH"}) {
        EXPECT_EQ(values(folder / "base" / file, name), values(other / file, name)) << way << " " << file << " " << name;
      }
    }
  }
  // Members, seeds and subsets do what they say.
  EXPECT_NE(values(folder / "base/member_0001.nc", "FDH"), values(folder / "base/member_0002.nc", "FDH"));
  ASSERT_EQ(run(generate("conditional", folder / "test", "--members 1 --subset test")).code, 0);
  const auto all = values(folder / "base/member_0001.nc", "FDH"), test = values(folder / "test/member_0001.nc", "FDH");
  std::size_t same = 0;
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (test[c] > 1e30) continue;
    ++same;
    ASSERT_EQ(test[c], all[c]);
  }
  EXPECT_EQ(same, 2956U);
}

TEST(EndToEnd, FloatStorageKeepsItsOwnTolerance) {
  const Folder folder;
  ASSERT_EQ(run(generate("conditional", folder / "f", "--members 2 --storage f32 --subset test --json " + (folder / "g.json").string())).code, 0);
  const json generated = json::parse(content(folder / "g.json"));
  EXPECT_EQ(generated["laws"][0]["tolerance"], 5e-7);
  ASSERT_EQ(run("validate --domain ocean_heat_budget --candidate " + (folder / "f").string() + " --reference " + ocean_file +
                      " --subset test --quiet --json " + (folder / "v.json").string()).code, 0);
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["candidate"]["storage"], "f32");
  EXPECT_GT(report["laws"][1]["max_relative"].get<double>(), 1e-12);
  EXPECT_LE(report["laws"][1]["max_relative"].get<double>(), 5e-7);
}

TEST(EndToEnd, LeftoversOfALargerEnsembleAreNotMixedIn) {
  const Folder folder;
  ASSERT_EQ(run(generate("conditional", folder / "e", "--members 3 --subset test")).code, 0);
  const Outcome outcome = run(generate("conditional", folder / "e", "--members 2 --subset test"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "--overwrite");
  EXPECT_EQ(run(generate("conditional", folder / "e", "--members 2 --subset test --overwrite")).code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "e/member_0003.nc"));
}

TEST(EndToEnd, CompareRunsAProtocol) {
  const Folder folder;
  const Outcome outcome = run("compare --protocol ocean_heat_budget --data " + std::string(ocean_file) +
                                    " --runs 2 --epochs 1 --quiet --json " + (folder / "c.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = json::parse(content(folder / "c.json"));
  EXPECT_EQ(report["runs"], 2);
  ASSERT_EQ(report["results"].size(), 5U);
  for (const json& row : report["results"]) {
    for (const char* key : {"strategy", "loss", "mse_scaled", "rmse", "crps", "coverage90", "nll", "max_relative_violation", "seconds"}) {
      ASSERT_TRUE(row.contains(key)) << key;
    }
    for (const char* key : {"mse_scaled", "rmse", "crps", "coverage90", "nll", "max_relative_violation", "seconds"}) {
      EXPECT_TRUE(row[key]["mean"].is_number()) << row["strategy"] << key;
      EXPECT_TRUE(row[key]["std"].is_number()) << row["strategy"] << key;
    }
    const double violation = row["max_relative_violation"]["mean"];
    if (row["strategy"] == "none") {
      EXPECT_GT(violation, 1e-3);
    } else {
      EXPECT_LE(violation, 1e-14) << row["strategy"];
    }
  }
  EXPECT_EQ(report["protocol"]["changed_on_the_command_line"], true);
}

TEST(EndToEnd, ProtocolsWithUnknownKeysAreRefused) {
  const Folder folder;
  std::ofstream(folder / "p.toml") << "domain = \"ocean_heat_budget\"\n[training]\nepoch = 3\n";
  const Outcome outcome = run("compare --protocol " + (folder / "p.toml").string() + " --data " + ocean_file);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "p.toml:3");
  EXPECT_SAYS(outcome.err, "did you mean 'epochs'?");
}

}  // namespace
