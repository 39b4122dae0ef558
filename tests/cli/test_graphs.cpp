// A domain of graphs: from `domains` over `train` and `generate` to `validate` and `compare`.

#include "command.hpp"
#include "graph_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace lavoisier::testing;
using lavoisier::tests::Rings;
using lavoisier::tests::stored_values;
using nlohmann::json;

constexpr int rings = 60, most = 7;

struct Case {
  Folder folder;
  std::string domain = (folder / "rings.toml").string(), data = (folder / "rings.nc").string(),
              inputs = (folder / "inputs.nc").string(), model = (folder / "rings.safetensors").string(), trained;
  Case() {
    std::ofstream(domain) << lavoisier::tests::rings_domain;
    Rings(rings).write(data);
    Rings(rings).write(inputs, false);
    const Outcome outcome = run(train() + " --calibrate --json " + (folder / "t.json").string() + " --output " + model);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    trained = outcome.out;
  }
  std::string train(const std::string& generator = "mpnn") const {
    return "train --domain " + domain + " --data " + data + " --model " + generator +
           " --state 8 --rounds 2 --hidden 8 --epochs 4 --batch 8 --learning-rate 0.01 --seed 1 --threads 1";
  }
};

const Case& made() {
  static const Case one;
  return one;
}

TEST(Graphs, DomainsPrintsThemAndHowTheDataClose) {
  const Outcome outcome = run("domains " + made().domain + " --data " + made().data);
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_SAYS(outcome.out, "Samples are graphs: at most 7 elements of atom (from \"first_atom\") and 8 of bond");
  EXPECT_SAYS(outcome.out, "36 training, 12 validation, 12 test");
  EXPECT_SAYS(outcome.out, "drawn until training has every element");
}

TEST(Graphs, TrainTellsScoresOverAllNodes) {
  EXPECT_SAYS(made().trained, "36 training, 12 validation, 12 test samples; 47 inputs, 7 outputs, 1 laws");
  EXPECT_SAYS(made().trained, "mean absolute deviation");
  const json report = json::parse(content(made().folder / "t.json"));
  ASSERT_EQ(report["validation"]["variables"].size(), 1U);
  EXPECT_EQ(report["validation"]["variables"][0]["variable"], "charge");
  EXPECT_NEAR(report["calibration"]["after"].get<double>(), 0.9, 0.03);  // of 60 nodes
  EXPECT_TRUE(report["validation"]["nll"].is_number());
}

TEST(Graphs, GenerateAndValidate) {
  const Folder folder;
  const Outcome generated = run("generate --model " + made().model + " --inputs " + made().inputs + " --members 4 --seed 5 --output " +
                                (folder / "e").string() + " --json " + (folder / "g.json").string());
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  const json law = json::parse(content(folder / "g.json"))["laws"][0];
  EXPECT_LE(law["max_relative"].get<double>(), 1e-14);
  EXPECT_SAYS(generated.out, "ring " + std::to_string(law["worst"]["cell"].get<int>())) << "numbered from 0, as everywhere";
  const Rings truth(rings);
  std::vector<std::vector<double>> members;
  for (int m = 1; m <= 4; ++m) {
    members.push_back(stored_values(folder / ("e/member_000" + std::to_string(m) + ".nc"), "charge"));
    ASSERT_EQ(members.back().size(), static_cast<std::size_t>(rings * most));
    for (int r = 0; r < rings; ++r) {
      const int n = 3 + r % 5;
      double sum = 0.0;
      for (int i = 0; i < most; ++i) {
        const double q = members.back()[static_cast<std::size_t>(r * most + i)];
        if (i < n) sum += q;
        EXPECT_EQ(i >= n, std::isnan(q) || std::abs(q) > 1e30) << "behind the atoms nothing is written: " << r << ' ' << i;
      }
      EXPECT_NEAR(sum, truth.total[static_cast<std::size_t>(r)], 1e-13);
    }
  }

  const Outcome judged = run("validate --domain " + made().domain + " --candidate " + (folder / "e").string() + " --reference " +
                             made().data + " --json " + (folder / "v.json").string() + " --html " + (folder / "v.html").string());
  EXPECT_EQ(judged.code, 0) << judged.out << judged.err;
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["pass"], true);
  // By hand, over all atoms of all rings.
  double square = 0.0, absolute = 0.0, crps = 0.0, atoms = 0.0, sum = 0.0, squares = 0.0;
  for (int r = 0; r < rings; ++r)
    for (int i = 0; i < 3 + r % 5; ++i) {
      const double y = truth.q[static_cast<std::size_t>(truth.first_atom[static_cast<std::size_t>(r)]) + static_cast<std::size_t>(i)];
      double mean = 0.0, error = 0.0, pairs = 0.0;
      for (const auto& a : members) {
        const double x = a[static_cast<std::size_t>(r * most + i)];
        mean += x / 4;
        error += std::abs(x - y) / 4;
        for (const auto& b : members) pairs += std::abs(x - b[static_cast<std::size_t>(r * most + i)]) / 12;
      }
      square += (mean - y) * (mean - y);
      absolute += std::abs(mean - y);
      crps += error - 0.5 * pairs;
      sum += y;
      squares += y * y;
      atoms += 1.0;
    }
  const double rmse = std::sqrt(square / atoms), variance = squares / atoms - sum * sum / atoms / atoms;
  const json& score = report["scores"][0];
  EXPECT_NEAR(score["rmse"].get<double>(), rmse, 1e-9);
  EXPECT_NEAR(score["mae"].get<double>(), absolute / atoms, 1e-9);
  EXPECT_NEAR(score["crps"].get<double>(), crps / atoms, 1e-9);
  EXPECT_NEAR(score["r2"].get<double>(), 1.0 - square / atoms / variance, 1e-9);
  EXPECT_FALSE(score.contains("elements"));
}

TEST(Graphs, ChunksAndSubsetsHaveTheSameBits) {
  const Folder folder;
  const std::string start = "generate --model " + made().model + " --inputs " + made().inputs + " --members 1 --seed 5 --quiet --output ";
  ASSERT_EQ(run(start + (folder / "all").string()).code, 0);
  ASSERT_EQ(run(start + (folder / "some").string() + " --chunk 5 --subset test").code, 0);
  const std::vector<double> all = stored_values(folder / "all/member_0001.nc", "charge"),
                            some = stored_values(folder / "some/member_0001.nc", "charge");
  int same = 0;
  for (int r = 0; r < rings; ++r) {
    const auto first = static_cast<std::size_t>(r * most);
    if (std::isnan(some[first]) || std::abs(some[first]) > 1e30) continue;
    ++same;
    for (std::size_t i = 0; i < static_cast<std::size_t>(3 + r % 5); ++i) EXPECT_EQ(all[first + i], some[first + i]);
  }
  EXPECT_EQ(same, 12);
}

TEST(Graphs, AVariationalAutoencoderToo) {
  const Folder folder;
  const std::string model = (folder / "vae.safetensors").string();
  const Outcome trained = run(made().train("graph_vae") + " --latents 2 --output " + model);
  ASSERT_EQ(trained.code, 0) << trained.out << trained.err;
  EXPECT_SAYS(trained.out, "scores of 24 members a sample");
  const Outcome generated = run("generate --model " + model + " --inputs " + made().inputs + " --members 2 --output " + (folder / "e").string());
  EXPECT_EQ(generated.code, 0) << generated.out << generated.err;
}

TEST(Graphs, Compare) {
  const Folder folder;
  const std::string protocol = (folder / "rings_protocol.toml").string();
  std::ofstream(protocol) << "name = \"rings\"\n[network]\nmodel = \"mpnn\"\nstate = 8\nrounds = 2\nhidden = [8]\n"
                             "[training]\nepochs = 3\nbatch = 8\nlearning_rate = 0.01\ncalibrate = true\n"
                             "[comparison]\nseeds = [0, 1]\n"
                             "rows = [{strategy = \"none\", loss = \"likelihood\"}, {strategy = \"projection\", loss = \"likelihood\"}, "
                             "{strategy = \"conditional\", loss = \"likelihood\"}, {strategy = \"conditional\", loss = \"crps\"}]\n";
  const Outcome outcome = run("compare --protocol " + protocol + " --domain " + made().domain + " --data " + made().data +
                              " --threads 1 --json " + (folder / "c.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  const json report = json::parse(content(folder / "c.json"));
  ASSERT_EQ(report["results"].size(), 4U);
  EXPECT_EQ(report["protocol"]["model"], "mpnn");
  for (const json& result : report["results"]) {
    const bool lawful = result["strategy"] != "none";
    EXPECT_EQ(result["max_relative_violation"]["mean"].get<double>() < 1e-14, lawful) << result["strategy"];
    EXPECT_TRUE(result["nll"]["mean"].is_number());
    EXPECT_GT(result["mae"]["mean"].get<double>(), 0.0);
    EXPECT_LT(result["mae"]["mean"].get<double>(), result["rmse"]["mean"].get<double>());
  }
}

TEST(Graphs, WhatDoesNotFitIsRefused) {
  const Folder folder;
  const std::string output = " --output " + (folder / "m").string();
  EXPECT_SAYS(run("train --domain " + made().domain + " --data " + made().data + output).err, "graphs: expected mpnn or graph_vae");
  EXPECT_SAYS(run(made().train() + " --buffer-size 4" + output).err, "graphs are trained in memory");
  EXPECT_SAYS(run("train --domain chemical_process_cstr --data x.csv --model mpnn" + output).err, "are no graphs");
  EXPECT_SAYS(run(made().train() + " --strategy completion" + output).err, "completion");
  EXPECT_SAYS(run("train --domain ocean_heat_budget --data x.nc --rounds 2" + output).err, "--rounds: only mpnn or graph_vae has it");
  EXPECT_TRUE(folder.names().empty());
  // A larger graph than the model's domain allows.
  Rings large(5);
  large.first_atom = {0, 3, 12, 12 + 5, 23, 25};
  large.write(folder / "large.nc", false);
  const Outcome outcome = run("generate --model " + made().model + " --inputs " + (folder / "large.nc").string() + " --output " + (folder / "e").string());
  EXPECT_NE(outcome.code, 0);
  EXPECT_SAYS(outcome.err, "ring 1: expected at most 7 elements of \"atom\", found 9");
}

}  // namespace
