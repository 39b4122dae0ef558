// Downscaling under the law that a block's mean is the coarse value: the same network, budget, seeds and loss under several
// treatments of the law, and interpolation, scored on regions that training has not seen. docs/downscaling.md has the
// protocol, the commands and the results. Appends what it found to a file, one JSON object a line.
//
//   study_downscaling [--data=FILE] [--domain=downscaling] [--factor=0] [--strategy=conditional,projection,softmax,none,bilinear,...]
//                     [--loss=crps] [--seed=0] [--epochs=12] [--batch=512] [--rate=3e-3] [--decay=0.2] [--ema=0.999]
//                     [--hidden=64,64] [--training=0] [--draws=4] [--members=4] [--softmax-members=64] [--floor=1e-3] [--deviation=0.1]
//                     [--plain] [--threads=1] [--subset=validation|test] [--output=results/downscaling.jsonl]
//   study_downscaling --quick          few blocks; fails unless what holds the law holds it and what does not misses it
// Strategies: those of the library; softmax (docs/downscaling.md); linear, the least-squares fit alone; bilinear, bilinear_conservative and, with a deviation from
// the training errors, bilinear_dressed. Strategies, losses and seeds may be lists (a,b): all combinations are run, seed by seed.
// --plain: without the linear skip. Minutes; no group of scripts/bench. Exit code 77: there is no such file.

#include "downscaling/downscaling_study.hpp"
#include "study_options.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace {

using namespace lavoisier;
using namespace lavoisier::bench;
using nlohmann::json;

struct Settings {
  std::string domain = "downscaling";
  int factor = 0;
  std::filesystem::path data = "/usr/share/ferret-vis/data/etopo5.cdf", output = "results/downscaling.jsonl";
  std::vector<std::string> strategies = {"bilinear", "bilinear_conservative", "bilinear_dressed", "linear", "none", "projection", "softmax", "conditional"};
  std::vector<std::string> losses = {"crps"}, seeds = {"0"};
  TrainingOptions training;
  std::int64_t blocks = 0;
  int members = 4, softmax_members = 64;
  Subset subset = Subset::validation;

  Settings() {
    training.network.hidden = {64, 64};
    training.network.linear_skip = true;
    training.network.initial_deviation = 0.1;
    training.network.parametrization = "softplus";  // deviations of mountains higher than those of training grow slowly
    training.epochs = 12;
    training.batch = 512;
    training.learning_rate = 3e-3;
    training.weight_decay = 0.2;
    training.ema = 0.999;
    training.draws = 4;
    training.threads = 1;
  }
};

Settings settings_from(int count, char** words) {
  Settings s;
  bool quick = false;
  const std::map<std::string, std::function<void(const std::string&)>> known = {
      {"domain", [&](const std::string& v) { s.domain = v; }},
      {"factor", [&](const std::string& v) { s.factor = std::stoi(v); }},
      {"data", [&](const std::string& v) { s.data = v; }},
      {"strategy", [&](const std::string& v) { s.strategies = words_of(v); }},
      {"loss", [&](const std::string& v) { s.losses = words_of(v); }},
      {"seed", [&](const std::string& v) { s.seeds = words_of(v); }},
      {"epochs", [&](const std::string& v) { s.training.epochs = std::stoll(v); }},
      {"batch", [&](const std::string& v) { s.training.batch = std::stoll(v); }},
      {"rate", [&](const std::string& v) { s.training.learning_rate = std::stod(v); }},
      {"decay", [&](const std::string& v) { s.training.weight_decay = std::stod(v); }},
      {"ema", [&](const std::string& v) { s.training.ema = std::stod(v); }},
      {"hidden", [&](const std::string& v) { s.training.network.hidden = numbers_of(v); }},
      {"floor", [&](const std::string& v) { s.training.network.floor = std::stod(v); }},
      {"deviation", [&](const std::string& v) { s.training.network.initial_deviation = std::stod(v); }},
      {"parametrization", [&](const std::string& v) { s.training.network.parametrization = v; }},
      {"residual", [&](const std::string&) { s.training.network.residual = true; }},
      {"plain", [&](const std::string&) { s.training.network.linear_skip = false; }},
      {"training", [&](const std::string& v) { s.blocks = std::stoll(v); }},
      {"draws", [&](const std::string& v) { s.training.draws = std::stoi(v); }},
      {"members", [&](const std::string& v) { s.members = std::stoi(v); }},
      {"softmax-members", [&](const std::string& v) { s.softmax_members = std::stoi(v); }},
      {"threads", [&](const std::string& v) { s.training.threads = std::stoi(v); }},
      {"subset", [&](const std::string& v) { s.subset = subset_from(v); }},
      {"output", [&](const std::string& v) { s.output = v; }},
      {"quick", [&](const std::string&) { quick = true; }},
  };
  read_options(count, words, known);
  if (quick) {
    s.blocks = 800;
    s.training.epochs = 2;
    s.training.network.hidden = {16};
    s.training.draws = s.members = 2;
    s.softmax_members = 3;
  }
  return s;
}

json record(const Settings& settings, const std::string& strategy, const TrainingOptions& training, const DownscalingScores& scores) {
  return {{"domain", settings.domain},
          {"factor", settings.factor},
          {"subset", to_string(settings.subset)},
          {"strategy", strategy},
          {"loss", to_string(training.loss)},
          {"seed", training.seed},
          {"epochs", training.epochs},
          {"batch", training.batch},
          {"learning_rate", training.learning_rate},
          {"weight_decay", training.weight_decay},
          {"ema", training.ema},
          {"hidden", training.network.hidden},
          {"linear_skip", training.network.linear_skip},
          {"training_blocks", settings.blocks},
          {"rmse", scores.rmse},
          {"crps", scores.crps},
          {"coverage90", scores.coverage90},
          {"largest_violation", scores.largest_violation},
          {"violation_rms", scores.violation_rms},
          {"relative_violation", scores.relative_violation},
          {"best_epoch", scores.best_epoch},
          {"training_seconds", scores.training_seconds}};
}

bool study(const Settings& settings) {
  const DownscalingStudy study(settings.domain, settings.factor, settings.data, settings.blocks);
  bool good = true;
  for (const std::string& seed : settings.seeds)
    for (const std::string& loss : settings.losses)
      for (const std::string& strategy : settings.strategies) {
        TrainingOptions training = settings.training;
        training.seed = std::stoull(seed);
        training.loss = loss_from(loss);
        DownscalingScores scores;
        bool enforced = true;
        if (strategy.starts_with("bilinear")) {
          enforced = strategy == "bilinear_conservative";
          scores = study.bilinear(settings.subset, enforced, strategy == "bilinear_dressed");
        } else if (strategy == "linear") {
          scores = study.linear(settings.subset);
        } else if (strategy == "softmax") {
          scores = study.softmax(training, settings.subset, settings.softmax_members);
        } else {
          training.strategy = strategy_from(strategy);
          enforced = descriptor(training.strategy).holds_laws;
          scores = study.train_and_score(training, settings.subset, settings.members);
        }
        append(settings.output, record(settings, strategy, training, scores));
        std::printf("%-22s %-13s seed %s: RMSE %.3f, CRPS %.3f, coverage %.3f, block means missed by %.2e at most, rms %.2e, relative %.1e, "
                    "epoch %lld, %.0f s\n",
                    strategy.c_str(), loss.c_str(), seed.c_str(), scores.rmse, scores.crps, scores.coverage90,
                    scores.largest_violation, scores.violation_rms, scores.relative_violation,
                    static_cast<long long>(scores.best_epoch), scores.training_seconds);
        std::fflush(stdout);
        // The softmax layer holds the law to the rounding of its distance from the bound.
        const bool holds = scores.relative_violation <= tolerances::identity::relative_fp64 ||
                           (strategy == "softmax" && scores.largest_violation <= 1e-10);
        if (holds != enforced) good = false;
      }
  return good;
}

}  // namespace

int main(int count, char** words) {
  try {
    const Settings settings = settings_from(count, words);
    return run_study(settings.data, "grid", settings.training.threads, [&] { return study(settings); },
                     "a model that holds the law misses it, or one that does not meets it");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "study_downscaling: %s\n", error.what());
    return 1;
  }
}
