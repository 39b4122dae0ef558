// Emulators of a column's physics under its budgets, and their twins without: the same network, inputs, budget, seeds and
// loss, told apart by what their ensembles score on columns that training has not seen. docs/atmospheric-column.md has
// the protocol, the commands and the results. Appends what it found to a file, one JSON object a line.
//
//   study_columns --data=FILE [--domain=atmospheric_column] [--strategy=conditional|none|...] [--head=mixed|gaussian]
//                 [--loss=crps|likelihood] [--seed=0] [--epochs=50] [--batch=256] [--rate=1e-3] [--hidden=256,256,256]
//                 [--parametrization=softplus|exp] [--residual] [--norm] [--ema=0] [--decay=0] [--clip=0] [--dropout=0] [--calibrate] [--draws=4] [--members=32] [--training=0] [--threads=1]
//                 [--subset=validation|test] [--output=results/columns.jsonl] [--outputs]
//   study_columns --quick --data=FILE     two strategies, few columns; fails unless the laws hold and rain is positive
// Strategies, heads, losses and seeds may be lists (a,b): all combinations are run, seed by seed. --outputs: scores of
// each output too. Minutes to hours; no group of scripts/bench. Exit code 77: there is no such file.

#include "columns/column_study.hpp"
#include "study_options.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>

namespace {

using namespace lavoisier;
using namespace lavoisier::bench;
using nlohmann::json;

struct Settings {
  std::string domain = "atmospheric_column";
  std::filesystem::path data, output = "results/columns.jsonl";
  std::vector<std::string> strategies = {"conditional"}, heads = {"mixed"}, losses = {"crps"}, seeds = {"0"};
  TrainingOptions training;
  std::int64_t members = 32, columns = 0;
  Subset subset = Subset::validation;
  bool quick = false, outputs = false, calibrate = false;

  Settings() {
    training.network.hidden = {256, 256, 256};
    training.epochs = 50;
    training.batch = 256;
    training.learning_rate = 1e-3;
    training.draws = 4;
    training.network.parametrization = "softplus";  // deviations of columns far from the others grow slowly
    training.threads = 1;
  }
};

Settings settings_from(int count, char** words) {
  Settings s;
  const std::map<std::string, std::function<void(const std::string&)>> known = {
      {"domain", [&](const std::string& v) { s.domain = v; }},
      {"data", [&](const std::string& v) { s.data = v; }},
      {"strategy", [&](const std::string& v) { s.strategies = words_of(v); }},
      {"head", [&](const std::string& v) { s.heads = words_of(v); }},
      {"loss", [&](const std::string& v) { s.losses = words_of(v); }},
      {"seed", [&](const std::string& v) { s.seeds = words_of(v); }},
      {"epochs", [&](const std::string& v) { s.training.epochs = std::stoll(v); }},
      {"batch", [&](const std::string& v) { s.training.batch = std::stoll(v); }},
      {"rate", [&](const std::string& v) { s.training.learning_rate = std::stod(v); }},
      {"ema", [&](const std::string& v) { s.training.ema = std::stod(v); }},
      {"decay", [&](const std::string& v) { s.training.weight_decay = std::stod(v); }},
      {"dropout", [&](const std::string& v) { s.training.network.dropout = std::stod(v); }},
      {"draws", [&](const std::string& v) { s.training.draws = std::stoi(v); }},
      {"parametrization", [&](const std::string& v) { s.training.network.parametrization = v; }},
      {"residual", [&](const std::string&) { s.training.network.residual = true; }},
      {"norm", [&](const std::string&) { s.training.network.layer_norm = true; }},
      {"hidden", [&](const std::string& v) { s.training.network.hidden = numbers_of(v); }},
      {"members", [&](const std::string& v) { s.members = std::stoll(v); }},
      {"training", [&](const std::string& v) { s.columns = std::stoll(v); }},
      {"threads", [&](const std::string& v) { s.training.threads = std::stoi(v); }},
      {"subset", [&](const std::string& v) { s.subset = subset_from(v); }},
      {"output", [&](const std::string& v) { s.output = v; }},
      {"clip", [&](const std::string& v) { s.training.gradient_clip = std::stod(v); }},
      {"calibrate", [&](const std::string&) { s.calibrate = true; }},
      {"outputs", [&](const std::string&) { s.outputs = true; }},
      {"quick", [&](const std::string&) { s.quick = true; }},
  };
  read_options(count, words, known);
  if (s.quick) {
    s.strategies = {"conditional", "none"};
    s.columns = 600;
    s.training.epochs = 2;
    s.training.network.hidden = {32};
    s.members = 4;
  }
  return s;
}

std::pair<double, double> range_of(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

json record(const Settings& settings, const ColumnRun& run, const std::string& head, const ColumnScores& scores,
            const std::vector<std::string>& names) {
  const TrainingOptions& training = run.training;
  json made = {{"domain", settings.domain},
               {"subset", to_string(settings.subset)},
               {"strategy", to_string(training.strategy)},
               {"head", head},
               {"loss", to_string(training.loss)},
               {"seed", training.seed},
               {"epochs", training.epochs},
               {"batch", training.batch},
               {"learning_rate", training.learning_rate},
               {"ema", training.ema},
               {"weight_decay", training.weight_decay},
               {"gradient_clip", training.gradient_clip},
               {"dropout", training.network.dropout},
               {"hidden", training.network.hidden},
               {"draws", training.draws},
               {"parametrization", training.network.parametrization},
               {"residual", training.network.residual},
               {"layer_norm", training.network.layer_norm},
               {"training_columns", settings.columns},
               {"members", run.members},
               {"best_epoch", scores.best_epoch},
               {"training_seconds", scores.training_seconds},
               {"sampling_seconds", scores.sampling_seconds}};
  made["deviation_factor"] = scores.factor;
  made["crps"] = scores.crps_mean;
  made["crps_convection"] = scores.crps_convection;
  made["energy_integrated"] = scores.energy_integrated;
  made["r2_temperature"] = scores.r2_temperature;
  made["r2_humidity"] = scores.r2_humidity;
  made["coverage90"] = mean_of(scores.coverage90);
  const auto [low, high] = range_of(scores.coverage90);
  made["coverage90_range"] = {low, high};
  made["max_relative_violation"] = scores.max_relative_violation;
  made["energy_law_rms"] = scores.law_rms;
  made["energy_law_max"] = scores.law_max;
  made["negative_rain"] = scores.negative_rain;
  made["without_result"] = scores.without_result;
  if (settings.outputs)
    for (std::size_t j = 0; j < names.size(); ++j)
      made["by_output"][names[j]] = {{"crps", scores.crps[j]}, {"coverage90", scores.coverage90[j]}};
  return made;
}

bool study(const Settings& settings) {
  const ColumnStudy columns(settings.domain, settings.data, settings.columns, settings.quick ? 2 : 15);
  bool good = true;
  for (const std::string& seed : settings.seeds)
    for (const std::string& head : settings.heads)
      for (const std::string& loss : settings.losses)
        for (const std::string& strategy : settings.strategies) {
          ColumnRun run;
          run.training = settings.training;
          run.members = settings.members;
          run.calibrate = settings.calibrate;
          run.training.seed = std::stoull(seed);
          run.training.strategy = strategy_from(strategy);
          run.training.loss = loss_from(loss);
          run.training.head.family = head;
          if (head == "mixed") run.training.head.positive = {"prc=hurdle_gamma", "prl=hurdle_gamma"};
          const ColumnScores scores = columns.run(run, settings.subset);
          append(settings.output, record(settings, run, head, scores, columns.output_names()));
          std::printf(
              "%-20s %-8s %-10s seed %s: CRPS %.5f, convection %.5f, energy score %.3f W m-2, R2 %.3f %.3f, coverage %.3f, "
              "violation %.1e, energy law rms %.2g max %.3g W m-2, negative rain %lld, without result %lld, %.0f s\n",
              strategy.c_str(), head.c_str(), loss.c_str(), seed.c_str(), scores.crps_mean, scores.crps_convection,
              scores.energy_integrated, scores.r2_temperature, scores.r2_humidity, mean_of(scores.coverage90),
              scores.max_relative_violation, scores.law_rms, scores.law_max,
              static_cast<long long>(scores.negative_rain), static_cast<long long>(scores.without_result),
              scores.training_seconds);
          std::fflush(stdout);
          const bool holds = scores.max_relative_violation <= tolerances::identity::relative_fp64;
          const bool enforced = run.training.strategy != Strategy::none && run.training.strategy != Strategy::penalty;
          if (holds != enforced || (head == "mixed" && scores.negative_rain > 0)) good = false;
        }
  return good;
}

}  // namespace

int main(int count, char** words) {
  try {
    const Settings settings = settings_from(count, words);
    return run_study(settings.data, "columns", settings.training.threads, [&] { return study(settings); },
                     "a model does not hold its laws, or a twin does, or rain is negative");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "study_columns: %s\n", error.what());
    return 1;
  }
}
