// A flowsheet from a domain file and a CSV that the project has never seen: checked, trained, generated, validated and
// compared by the command line alone.

#include "command.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace {

using namespace lavoisier::testing;
using nlohmann::json;

/// A mixer and reactor (A -> B, mole by mole) and a splitter that sends a part of what did not react back to the mixer.
const std::string flowsheet = R"(format = 1
name = "recycle"
title = "Reactor with a recycle"
[samples]
table = true
[split]
kind = "sequential"
validation = 0.2
test = 0.2

[inputs.feed]
units = "mol s-1"
source = "feed [mol/s]"
[inputs.conversion]
units = "1"
long_name = "in one pass, nominal"
[inputs.purge_share]
units = "1"
source = { column = "purge [%]", units = "percent" }

[outputs.into_reactor]
units = "mol s-1"
source = "stream 1, into the reactor"
[outputs.A]
units = "mol s-1"
long_name = "A behind the reactor"
source = "stream 2, A"
[outputs.B]
units = "mol s-1"
source = "stream 3, B"
[outputs.recycle]
units = "mol s-1"
source = "stream 4"
[outputs.purge]
units = "mol s-1"
source = { column = "stream 5 [kmol/h]", units = "kmol h-1" }

[laws]
mixer = { equation = "into_reactor = feed + recycle", tolerance = 1e-9 }
reactor = { equation = "into_reactor = A + B", tolerance = 1e-9 }
splitter = { equation = "A = recycle + purge", tolerance = 1e-9 }
overall = { equation = "feed = B + purge", tolerance = 1e-9 }
)";

const std::string header =
    "feed [mol/s],conversion,purge [%],\"stream 1, into the reactor\",\"stream 2, A\",\"stream 3, B\",stream 4,stream "
    "5 [kmol/h],remark\n";

/// `spread`: of the conversion that the inputs don't tell.
std::string streams(int rows, double spread = 0.03) {
  std::string text = header;
  std::uint64_t state = 12345;
  const auto uniform = [&] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) * 0x1.0p-53;
  };
  for (int row = 0; row < rows; ++row) {
    const double feed = 1 + 4 * uniform(), conversion = 0.3 + 0.5 * uniform(), purge_share = 0.05 + 0.3 * uniform();
    const double x = conversion + spread * (uniform() + uniform() + uniform() - 1.5);
    const double into = feed / (1 - (1 - x) * (1 - purge_share)), a = (1 - x) * into;
    char line[400];
    std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,\"row %d, made\"\n", feed,
                  conversion, 100 * purge_share, into, a, x * into, (1 - purge_share) * a, 3.6 * purge_share * a, row);
    text += line;
  }
  return text;
}

class Tables : public testing::Test {
 protected:
  Tables() {
    std::ofstream(folder_ / "recycle.toml") << flowsheet;
    std::ofstream(folder_ / "streams.csv") << streams(300);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  json read(const std::string& name) const { return json::parse(content(folder_ / name)); }
  void train() const {
    const Outcome trained =
        run("train --domain " + file("recycle.toml") + " --data " + file("streams.csv") +
            " --hidden 16 --epochs 20 --batch 32 --seed 1 --quiet --output " + file("m.safetensors"));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  std::string generate(int members = 5) const {
    return "generate --model " + file("m.safetensors") + " --inputs " + file("streams.csv") + " --members " +
           std::to_string(members) + " --quiet ";
  }
  std::string validate() const {
    return "validate --domain " + file("recycle.toml") + " --reference " + file("streams.csv") + " ";
  }
  Folder folder_;
};

TEST_F(Tables, TheDomainAndItsDataAreChecked) {
  const Outcome checked =
      run("domains " + file("recycle.toml") + " --data " + file("streams.csv") + " --json " + file("d.json"));
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  EXPECT_SAYS(checked.out, "purge: \"stream 5 [kmol/h]\", in kmol h-1");
  EXPECT_SAYS(checked.out, "first training, then 0.2 validation, last 0.2 test");
  EXPECT_SAYS(checked.out, "300 complete cells of 300; 180 training, 60 validation, 60 test");
  EXPECT_SAYS(checked.out, ", line ");
  EXPECT_EQ(read("d.json")["closure"].size(), 4U);
  // A stream that is off by a tenth: found, with its row and line.
  std::string text = streams(300);
  std::size_t at = 0;
  for (int line = 1; line < 102; ++line) at = text.find('\n', at) + 1;
  text.replace(at, text.find('\n', at) - at, "2,0.5,10,4,2,2,1.8,1.08,\"by hand\"");
  std::ofstream(folder_ / "off.csv") << text;
  const Outcome off =
      run("domains " + file("recycle.toml") + " --data " + file("off.csv") + " --json " + file("d.json"));
  EXPECT_EQ(off.code, 3);
  EXPECT_SAYS(off.out, "sample 100, line 102");
  EXPECT_EQ(read("d.json")["pass"], false);
}

TEST_F(Tables, TrainGenerateValidate) {
  train();
  const Outcome grid = run(generate() + "--subset test --output " + file("members"));
  ASSERT_EQ(grid.code, 0) << grid.err;
  const Outcome table = run(generate() + "--subset test --output " + file("e.csv") + " --json " + file("g.json"));
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_EQ(read("g.json")["columns"], 60);
  const std::string text = content(folder_ / "e.csv");
  EXPECT_EQ(text.substr(0, text.find('\n')), "member,sample,into_reactor,A,B,recycle,purge");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 5 * 60);
  EXPECT_SAYS(text, "\n5,299,");
  EXPECT_EQ(text.find("\n1,239,"), std::string::npos) << "a row of another subset";
  EXPECT_EQ(read("e.csv.json")["attributes"]["lavoisier_strategy"], "conditional");

  // The same numbers either way, judged the same.
  const Outcome first =
      run(validate() + "--candidate " + file("members") + " --subset test --quiet --json " + file("a.json"));
  EXPECT_EQ(first.code, 0) << first.err;
  const Outcome second = run(validate() + "--candidate " + file("e.csv") + " --subset test --json " + file("b.json") +
                             " --html " + file("b.html"));
  EXPECT_EQ(second.code, 0) << second.out << second.err;
  const json a = read("a.json"), b = read("b.json");
  EXPECT_EQ(a["pass"], true);
  EXPECT_EQ(a["laws"], b["laws"]);
  EXPECT_EQ(a["scores"], b["scores"]);
  EXPECT_EQ(a["cells"], 60);
  ASSERT_EQ(b["laws"].size(), 4U) << "the redundant one too";
  for (const json& law : b["laws"]) EXPECT_LE(law["max_relative"].get<double>(), 1e-14);

  // Values depend on the row, not on the subset or the storage.
  ASSERT_EQ(run(generate() + "--output " + file("all.csv")).code, 0);
  const std::string all = content(folder_ / "all.csv");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) ASSERT_NE(all.find(line + "\n"), std::string::npos) << line;
  ASSERT_EQ(run(generate() + "--storage f32 --output " + file("f.csv")).code, 0);
  EXPECT_EQ(run(validate() + "--candidate " + file("f.csv") + " --quiet").code, 0);

  // The table itself is a candidate in its own columns and units: it closes, and its error is zero.
  const Outcome own = run(validate() + "--candidate " + file("streams.csv") + " --quiet --json " + file("o.json"));
  const json o = read("o.json");
  for (const json& score : o["scores"]) EXPECT_EQ(score["rmse"].get<double>(), 0.0);
  EXPECT_TRUE(own.code == 0 || own.code == 3) << own.err;

  // A changed number breaks its law and the digest of the companion file.
  std::string changed = text;
  changed.replace(changed.find("\n3,250,") + 7, 1, "9");
  std::ofstream(folder_ / "e.csv") << changed;
  const Outcome tampered = run(validate() + "--candidate " + file("e.csv") + " --quiet");
  EXPECT_EQ(tampered.code, 2);
  EXPECT_SAYS(tampered.err, "has changed since");
  std::filesystem::remove(folder_ / "e.csv.json");
  EXPECT_EQ(run(validate() + "--candidate " + file("e.csv") + " --subset test --quiet").code, 3);
}

TEST_F(Tables, CompareTakesItsProtocolsSplitAndScaling) {
  std::ofstream(folder_ / "p.toml")
      << "name = \"p\"\ndomain = \"" + file("recycle.toml") +
             "\"\nscaling = \"max_abs\"\n"
             "[split]\nkind = \"random\"\nseed = 2\nvalidation = 0.1\ntest = 0.3\n"
             "[network]\nhidden = [8]\ninitialization = \"torch\"\n"
             "[training]\nepochs = 2\nbatch = 16\nschedule = \"constant\"\nselection = \"last\"\n"
             "[comparison]\nseeds = [0, 1]\nrows = [{strategy = \"none\", loss = \"crps\"}, {strategy = "
             "\"conditional\", loss = \"crps\"}]\n";
  const std::string compare =
      "compare --protocol " + file("p.toml") + " --data " + file("streams.csv") + " --quiet --json ";
  const Outcome outcome = run(compare + file("c.json"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = read("c.json");
  EXPECT_EQ(report["samples"], 90);
  EXPECT_EQ(report["protocol"]["scaling"], "max_abs");
  EXPECT_EQ(report["protocol"]["split"], "rows at random (seed 2): 0.1 validation, 0.3 test, training the rest");
  EXPECT_LE(report["results"][1]["max_relative_violation"]["mean"].get<double>(), 1e-14);
  // In units of the largest magnitudes: the mean over outputs of (RMSE / largest)^2.
  const json& row = report["results"][1];
  EXPECT_GT(row["mse_scaled"]["mean"].get<double>(), 0.0);
  EXPECT_LT(row["mse_scaled"]["mean"].get<double>(), 1.0);

  std::ofstream(folder_ / "p.toml", std::ios::app) << "[scaling2]\n";
  EXPECT_SAYS(run(compare + file("c.json")).err, "unknown key 'scaling2'; did you mean 'scaling'?");
  std::ofstream(folder_ / "q.toml") << "scaling = \"min_max\"\ndomain = \"" + file("recycle.toml") + "\"\n";
  EXPECT_SAYS(run("compare --protocol " + file("q.toml") + " --data " + file("streams.csv")).err,
              "q.toml:1: 'scaling': expected standard or max_abs, found min_max");
}

TEST_F(Tables, InspectDescribesColumns) {
  const Outcome outcome = run("inspect " + file("streams.csv") + " --domain " + file("recycle.toml"));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_SAYS(outcome.out, "CSV table of 300 rows");
  EXPECT_SAYS(outcome.out, "stream 5 [kmol/h]");
  EXPECT_SAYS(outcome.out, "text");
}

TEST_F(Tables, BadFilesAreNamedWithLineAndColumn) {
  const std::string good = "2,0.5,10,4,2,2,1.8,0.72,x\n";
  struct Bad {
    std::string text, message;
  };
  const std::vector<Bad> table = {
      {"", "1:1: expected a header row, found an empty file"},
      {header, "2:1: expected at least one row below the header, found none"},
      {header + good + "2,0.5,10,4,2,2\n",
       "3:15: expected 9 cells as in the header, found 6: none for \"stream 4\", \"stream 5 [kmol/h]\", \"remark\""},
      {header + good + "2,0.5,10,4,2,2,1.8,0.72,x,y\n", "3:27: expected 9 cells as in the header, found 10"},
      {"conversion," + header + "1," + good, "1:25: column \"conversion\" stands twice, as columns 1 and 3"},
      {header + good + "2,0.5,ten,4,2,2,1.8,0.72,x\n", "3:7: column \"purge [%]\": expected a number, found \"ten\""},
      {header + good + "2,0.5,10,4,2,2,1.8,,x\n",
       "3:20: expected a number for every variable, found none for purge; rows like this can be left out (drop "
       "incomplete): "
       "--drop-incomplete"},
      {"feed [mol/s],conversion\n1,2\n", "1:1: no column \"purge [%]\"; there are \"feed [mol/s]\", \"conversion\""},
      {header + "2,0.5,10,4,2,2,1.8,0.72,Z\xFCrich\n", "2:26: expected UTF-8, found the byte 0xFC"},
      {header + "2,0.5,10,4,2,2,1.8,0.72,\"x\n", "2:25: a quote that is never closed"}};
  for (const Bad& bad : table) {
    std::ofstream(folder_ / "bad.csv", std::ios::binary) << bad.text;
    const Outcome outcome = run("train --domain " + file("recycle.toml") + " --data " + file("bad.csv") +
                                " --quiet --output " + file("m.safetensors"));
    EXPECT_EQ(outcome.code, 2) << bad.message;
    EXPECT_EQ(outcome.err, "lavoisier train: " + file("bad.csv") + ":" + bad.message + "\n");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "m.safetensors"));
  }
  const Outcome none = run("domains " + file("recycle.toml") + " --data " + file("none.csv"));
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.err, "lavoisier domains: no file \"" + file("none.csv") + "\"\n");
}

TEST_F(Tables, MembersOutOfOrderAndFullDisksAreRefused) {
  const auto refused = [&](const std::string& text, const std::string& message) {
    std::ofstream(folder_ / "e.csv") << "member,sample,into_reactor,A,B,recycle,purge\n" << text;
    const Outcome outcome = run(validate() + "--candidate " + file("e.csv") + " --quiet");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "lavoisier validate: " + file("e.csv") + ":" + message + "\n");
  };
  refused("2,0,1,1,1,1,1\n", "2:1: expected member 1: members stand one after another, from 1; found 2");
  refused("1,0,1,1,1,1,1\n3,0,1,1,1,1,1\n",
          "3:1: expected member 1 or 2: members stand one after another, from 1; found 3");
  refused("1,1,1,1,1,1,1\n1,0,1,1,1,1,1\n", "3:3: expected samples in ascending order, found 0 behind 1");
  refused("1,0,1,1,1,1,1\n2,1,1,1,1,1,1\n", "3:3: member 2 has sample 1 where member 1 has 0");
  refused("1,300,1,1,1,1,1\n", "2:3: expected a row of the table that it is compared with, 0 to 299; found 300");
  refused("1,0,1,1,1,1,1\n1,1,1,1,1,1,1\n2,0,1,1,1,1,1\n", "4:1: member 2 has 1 samples, member 1 has 2");

  train();
  // A file of at most 4 KiB: as on a full disk, nothing is left, and an earlier file stays as it was.
  std::ofstream(folder_ / "old.csv") << "old\n";
  const Outcome full = run(generate(50) + "--output " + file("old.csv"), "trap '' XFSZ; ulimit -f 4;");
  EXPECT_EQ(full.code, 2);
  EXPECT_SAYS(full.err, "cannot write " + file("old.csv"));
  EXPECT_EQ(content(folder_ / "old.csv"), "old\n");
  for (const std::string& name : folder_.names()) EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
  EXPECT_EQ(run(generate() + "--output " + file("streams.csv")).code, 1) << "the table of inputs";
}

class Published : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Published, ProtocolRunsOnThePublishedTable) {
  const auto [name, table] = GetParam();
  const std::filesystem::path data = std::filesystem::path("../shared/data") / table;
  if (!std::filesystem::exists(data))
    GTEST_SKIP() << "no " << data << ": the published table is not part of the project";
  const Folder folder;
  EXPECT_EQ(run(std::string("domains ") + name + " --data " + data.string() + " --quiet").code, 0);
  const Outcome outcome = run(std::string("compare --protocol ") + name + " --data " + data.string() +
                              " --runs 1 --epochs 1 --strategies none,conditional --losses crps --quiet --json " +
                              (folder / "c.json").string());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = json::parse(content(folder / "c.json"));
  EXPECT_EQ(report["samples"], std::string(name) == "chemical_process_cstr" ? 388 : 308);
  EXPECT_LE(report["results"][1]["max_relative_violation"]["mean"].get<double>(), 1e-14);
}

INSTANTIATE_TEST_SUITE_P(ChemicalProcess, Published,
                         testing::Values(std::pair("chemical_process_cstr", "benchmark_CSTR.csv"),
                                         std::pair("chemical_process_plant", "benchmark_plant.csv")));

}  // namespace
