// The log of a training written and read back, and the curves that the report draws from it.

#include <report.hpp>
#include <svg.hpp>
#include <training_log.hpp>

#include <expect_error.hpp>
#include <temporary_folder.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

namespace {

using namespace lavoisier::cli;
using lavoisier::Status;
using lavoisier::tests::expect_error;
using lavoisier::tests::TemporaryFolder;
using nlohmann::json;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

LoggedStart start_of(std::int64_t epochs_done = 0) {
  LoggedStart start;
  start.options = {{"loss", "crps"}, {"output", "some/conditional.safetensors"}};
  start.data = "data.cdf sha256:ab";
  start.training_samples = 100;
  start.validation_samples = 20;
  start.weights = 42;
  start.device = "cpu";
  start.threads = 2;
  start.epochs_done = epochs_done;
  return start;
}

LoggedEpoch epoch_of(std::int64_t epoch, double training, double validation) {
  return {epoch, 10, training, validation, 0.25, 2, 1e-3, static_cast<double>(epoch), 3.0};
}

TEST(TrainingLog, IsReadAsWritten) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "below" / "log.jsonl";
  {
    TrainingLogWriter log(path, false);
    EXPECT_FALSE(std::filesystem::exists(path.parent_path())) << "touched before the start";
    log.end({"failed", "before anything has begun", "", ""});
    EXPECT_FALSE(std::filesystem::exists(path));
    log.start(start_of());
    log.epoch(epoch_of(1, 0.5, 0.1 + 0.2));
    EXPECT_EQ(read_training_log(path).end.status, "");
    log.epoch(epoch_of(2, std::numeric_limits<double>::infinity(), std::nan("")));
    log.end({"finished", "a \"word\"\nand \xff", "m.safetensors", "cd"});
    log.end({"failed", "too late", "", ""});
  }
  std::istringstream lines(content(path));
  std::vector<json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(json::parse(line));
  ASSERT_EQ(objects.size(), 4U);
  EXPECT_EQ(objects[0]["event"], "start");
  EXPECT_EQ(objects[0]["data"]["training"], 100);
  EXPECT_TRUE(objects[2]["training_loss"].is_null());
  EXPECT_TRUE(objects[2]["validation_loss"].is_null());
  EXPECT_EQ(objects[3]["status"], "finished");

  const TrainingRecord record = read_training_log(path);
  EXPECT_TRUE(record.warnings.empty());
  EXPECT_EQ(record.start.options, start_of().options);
  EXPECT_EQ(record.start.data, "data.cdf sha256:ab");
  EXPECT_EQ(record.start.weights, 42);
  EXPECT_EQ(record.start.threads, 2);
  EXPECT_EQ(record.end.sha256, "cd");
  ASSERT_EQ(record.epochs.size(), 2U);
  EXPECT_EQ(record.epochs[0].validation_loss, 0.1 + 0.2);  // to the last bit
  EXPECT_EQ(record.epochs[0].epochs, 10);
  EXPECT_EQ(record.epochs[0].best_epoch, 2);
  EXPECT_EQ(record.epochs[0].learning_rate, 1e-3);
  EXPECT_TRUE(std::isnan(record.epochs[1].training_loss));
}

TEST(TrainingLog, AResumedOneGoesOnBehindALineCutShort) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  {
    TrainingLogWriter log(path, false);
    log.start(start_of());
    for (int epoch = 1; epoch <= 3; ++epoch) log.epoch(epoch_of(epoch, 1.0, 10.0 + epoch));
    log.end({"interrupted", "", "", ""});
  }
  std::ofstream(path, std::ios::app) << "{\"event\":\"epoch\",\"epoch\":4,\"validation_lo";
  {
    const TrainingRecord record = read_training_log(path);
    ASSERT_EQ(record.warnings.size(), 1U);
    EXPECT_NE(record.warnings[0].find("log.jsonl:6: skipped"), std::string::npos) << record.warnings[0];
    EXPECT_EQ(record.epochs.size(), 3U);
  }
  {
    TrainingLogWriter log(path, true);
    log.start(start_of(2));
    for (int epoch = 3; epoch <= 4; ++epoch) log.epoch(epoch_of(epoch, 1.0, 20.0 + epoch));
  }
  const TrainingRecord record = read_training_log(path);
  EXPECT_EQ(record.warnings.size(), 1U) << "the cut line alone";
  ASSERT_EQ(record.epochs.size(), 4U);
  EXPECT_EQ(record.epochs[1].validation_loss, 12.0);
  EXPECT_EQ(record.epochs[2].validation_loss, 23.0) << "the last line of an epoch counts";
  EXPECT_EQ(record.epochs[3].validation_loss, 24.0);
  EXPECT_EQ(record.end.status, "") << "the first run's end is not the second's";
  // Once more from the beginning: nothing of the old one is left.
  TrainingLogWriter log(path, false);
  log.start(start_of());
  log.epoch(epoch_of(1, 1.0, 2.0));
  EXPECT_EQ(read_training_log(path).epochs.size(), 1U);
  EXPECT_TRUE(read_training_log(path).warnings.empty());
}

TEST(TrainingLog, OtherFilesAreRefusedAndStayAsTheyAre) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "notes.txt";
  for (const std::string& text :
       {std::string("my notes\n"), std::string("{\"event\":\"epoch\",\"epoch\":1}\n"), std::string("[1]"),
        std::string("{\"event\":\"star"), std::string("{\"event\":\"start\",\"version\":\"0.1"), std::string()}) {
    std::ofstream(path, std::ios::trunc) << text;
    const bool cut = text.empty() || (text.rfind("{\"event\":\"star", 0) == 0);
    for (const bool append : {false, true}) {
      if (cut) {
        EXPECT_NO_THROW(TrainingLogWriter(path, append)) << text;
      } else {
        expect_error(
            Status::invalid_argument, [&] { TrainingLogWriter(path, append); }, "notes.txt", "is no training log");
      }
    }
    EXPECT_EQ(content(path), text);
    if (text.empty() || !cut)
      expect_error(
          Status::invalid_format, [&] { read_training_log(path); }, "notes.txt", "--log");
  }
  expect_error(
      Status::not_found, [&] { read_training_log(folder.path() / "none"); }, "none");
  {
    TrainingLogWriter log(path, false);
    log.start(start_of());
    expect_error(
        Status::invalid_argument, [&] { read_training_log(path); }, "no complete epoch yet");
    log.end({"failed", "the loss is no longer finite", "", ""});
  }
  expect_error(
      Status::invalid_argument, [&] { read_training_log(path); },
      "no complete epoch yet: failed: the loss is no longer finite");
}

TEST(TrainingLog, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  TrainingLogWriter log("/dev/full", false);
  expect_error(
      Status::no_space, [&] { log.start(start_of()); }, "/dev/full");
}

/// A page of one candidate without laws or scores: what is left is the training.
std::string page(const std::vector<TrainingRecord>& training) {
  Evaluation evaluation;
  evaluation.candidates.resize(1);
  evaluation.candidates[0].name = "conditional";
  evaluation.candidates[0].attributes["lavoisier_model_sha256"] = "0123456789abcdef";
  ReportContext context;
  context.training = training;
  const std::string text = html_report(evaluation, context);
  const std::size_t at = text.find("<h2>Training</h2>");
  return at == std::string::npos ? std::string() : text.substr(at, text.find("</section>", at) - at);
}

TrainingRecord record_of(const std::string& name, const std::vector<double>& validation) {
  TrainingRecord record;
  record.name = name;
  record.start = start_of();
  for (std::size_t i = 0; i < validation.size(); ++i) {
    LoggedEpoch epoch = epoch_of(static_cast<std::int64_t>(i + 1), 2.0, validation[i]);
    epoch.epochs = static_cast<std::int64_t>(validation.size());
    epoch.best_epoch = 1;
    epoch.best_validation_loss = validation[0];
    record.epochs.push_back(epoch);
  }
  record.end = {"finished", "", "m.safetensors", "0123456789abcdef"};
  return record;
}

/// Points of the page's curves: of each path with a stroke, in order.
std::vector<std::size_t> curves(const std::string& text) {
  std::vector<std::size_t> result;
  for (std::size_t at = text.find("<path d=\"M"); at != std::string::npos; at = text.find("<path d=\"M", at + 1)) {
    const std::string path = text.substr(at, text.find("/>", at) - at);
    if (path.find("stroke:#") == std::string::npos) continue;
    const std::string points = path.substr(9, path.find('"', 9) - 9);
    result.push_back(static_cast<std::size_t>(std::count(points.begin(), points.end(), 'M') +
                                              std::count(points.begin(), points.end(), 'L')));
  }
  return result;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(TrainingCurves, HaveAPointAnEpoch) {
  EXPECT_EQ(page({}), "");
  std::vector<double> validation;
  for (int i = 0; i < 37; ++i) validation.push_back(1.0 + 0.1 * i);
  const std::string one = page({record_of("conditional", validation)});
  EXPECT_EQ(curves(one), (std::vector<std::size_t>{37, 37}));
  EXPECT_EQ(count(one, "<circle"), 1U);
  EXPECT_NE(one.find("Loss: crps</text>"), std::string::npos) << "linear";
  EXPECT_NE(one.find("(made conditional)"), std::string::npos);
  validation[5] = std::nan("");
  const std::string two = page({record_of("conditional", validation), record_of("<none>", {3, 2})});
  EXPECT_EQ(curves(two), (std::vector<std::size_t>{37, 36, 2, 2}));
  EXPECT_EQ(count(two, "<svg"), 1U);
  EXPECT_NE(two.find("&lt;none&gt;"), std::string::npos);
  EXPECT_EQ(two.find("<none>"), std::string::npos);
  // A single epoch has points in place of lines, which would not be seen.
  EXPECT_EQ(count(page({record_of("conditional", {1})}), "<circle"), 3U);
}

TEST(TrainingCurves, AreLogarithmicOverMoreThanADecade) {
  const auto logarithmic = [](const std::vector<double>& validation) {
    return page({record_of("conditional", validation)}).find("(logarithmic)") != std::string::npos;
  };
  EXPECT_TRUE(logarithmic({30, 1}));
  EXPECT_FALSE(logarithmic({9, 1}));
  EXPECT_FALSE(logarithmic({30, -1}));
  EXPECT_FALSE(logarithmic({30, 0}));
}

TEST(TrainingCurves, OfDifferentLossesAreNotOverlaid) {
  TrainingRecord other = record_of("other", {1, 2});
  other.start.options["loss"] = "likelihood";
  const std::string text = page({record_of("conditional", {1, 2}), other});
  EXPECT_EQ(count(text, "<svg"), 2U);
  EXPECT_NE(text.find("Loss: likelihood"), std::string::npos);
  other.start.options["model"] = "vae";
  EXPECT_NE(page({other}).find("Loss: likelihood of vae"), std::string::npos);
  EXPECT_NE(text.find("<b>loss</b>"), std::string::npos) << "the options that differ are marked";
  EXPECT_EQ(text.find("<b>output</b>"), std::string::npos);
}

TEST(TrainingCurves, OfVeryManyEpochsAreMeansWithinTheirExtremes) {
  std::vector<double> validation(100000, 2.0);
  validation[54321] = 1.0;
  validation[54322] = 3.0;
  const std::string text = page({record_of("conditional", validation)});
  EXPECT_EQ(curves(text), (std::vector<std::size_t>{300, 300}));
  EXPECT_LT(text.size(), 60000U);
  // 1 and 3 are the ends of the axis, 4 % within the plot's 24 to 304; their mean with the others is 2.
  const std::size_t band = text.rfind("stroke:none");
  const std::string points = text.substr(text.rfind("<path", band), band - text.rfind("<path", band));
  EXPECT_EQ(count(points, " 293.6"), 1U);
  EXPECT_EQ(count(points, " 34.4"), 1U);
  EXPECT_EQ(count(points, " 164.0"), 598U);
  EXPECT_EQ(count(page({record_of("conditional", std::vector<double>(1000, 2.0))}), "stroke:none"), 0U);
}

TEST(TrainingCurves, AFewLargeFirstLossesDoNotPressTheRestFlat) {
  std::vector<double> validation;
  for (int i = 0; i < 100; ++i) validation.push_back(i == 0 ? 1e6 : -0.01 * i);
  const std::string text = page({record_of("conditional", validation)});
  EXPECT_NE(text.find("1 value lies above"), std::string::npos);
}

TEST(TrainingCurves, NothingFiniteIsSaid) {
  TrainingRecord record = record_of("conditional", {std::nan("")});
  record.epochs[0].training_loss = std::nan("");
  record.end = {"failed", "the loss <is> no longer finite", "", ""};
  const std::string text = page({record});
  EXPECT_EQ(count(text, "<svg"), 0U);
  EXPECT_NE(text.find("no value is finite"), std::string::npos);
  EXPECT_NE(text.find("the loss &lt;is&gt; no longer finite"), std::string::npos);
}

TEST(LogarithmicTicks, CoverTheirRange) {
  EXPECT_EQ(svg::logarithmic_ticks(0.3, 4.0), (std::vector<double>{0.5, 1.0, 2.0}));
  EXPECT_EQ(svg::logarithmic_ticks(1.0, 1e5), (std::vector<double>{1, 10, 100, 1e3, 1e4, 1e5}));
  EXPECT_LE(svg::logarithmic_ticks(1e-30, 1e30).size(), 9U);
}

}  // namespace
