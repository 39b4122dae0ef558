#include "artefact.hpp"
#include "calibration.hpp"
#include "commands.hpp"
#include "graph_samples.hpp"
#include "graph_scores.hpp"
#include "kokkos_session.hpp"
#include "marginal_scores.hpp"
#include "plugin_draw.hpp"
#include "protocol.hpp"
#include "scores.hpp"
#include "terminal.hpp"
#include "training_options.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/emulator.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/training.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

/// Figures of one row (strategy and loss), one entry a seed.
struct RowScores {
  Protocol::Row row;
  std::vector<double> mse_scaled, rmse, crps, coverage90, nll, violation, seconds, crps_scaled, r2, mae;
  std::vector<MarginalScores> per_seed;
};

ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json mean_and_std(const std::vector<double>& values) {
  const Summary s = summarize(values);
  ordered_json json;
  json["mean"] = number(s.mean);
  json["std"] = number(s.deviation);
  json["values"] = ordered_json::array();
  for (double value : values) json["values"].push_back(number(value));
  return json;
}

std::string cell(const std::vector<double>& values, int digits = 4) {
  const Summary s = summarize(values);
  if (!std::isfinite(s.mean)) return "-";
  return std::isfinite(s.deviation) ? fmt::format("{:.{}g} +- {:.2g}", s.mean, digits, s.deviation)
                                    : fmt::format("{:.{}g}", s.mean, digits);
}

/// post_hoc trains as none does and adds the laws at inference alone: the same weights with another last step. Empty
/// where the file isn't built as expected; then it is trained on its own.
std::optional<ModelFile> post_hoc_of(const ModelFile& none) {
  ModelFile model = none;
  ModelDescription& d = model.description;
  if (d.heads.size() != 1 || d.graph.empty() || d.graph.back().op != "identity") return std::nullopt;
  const GraphOperation* draw = nullptr;
  for (const GraphOperation& operation : d.graph) {
    if (operation.op == "gaussian_draw") draw = &operation;
  }
  if (draw == nullptr || draw->inputs.size() != 3 || draw->outputs != d.graph.back().inputs) return std::nullopt;
  GraphOperation constrain;
  constrain.op = "constrain";
  constrain.inputs = {draw->outputs.front(), draw->inputs[1]};
  constrain.outputs = d.graph.back().outputs;
  constrain.attributes["metric"] = "covariance";
  d.graph.back() = constrain;
  d.heads.front().strategy = to_string(Strategy::post_hoc);
  return model;
}

/// Of one draw a sample, by the plugin; of the mapped means for l1_layer with several laws, which it does not run.
double violation_of(const ModelFile& model, const SampleSet& samples) {
  const GraphOperation& last = model.description.graph.back();
  const auto metric = last.attributes.find("metric");
  if (metric == last.attributes.end() || metric->second != "l1") return largest_violation_of_draws(model, samples, 1);
  const RowMatrix mean = predict(model, samples).mean;
  const Eigen::Map<const RowMatrix> inputs(samples.inputs.data(), samples.samples, samples.input_elements());
  double largest = 0.0;
  for (const Law& law : model.description.laws) {
    const Closure found = closure(law, model.description.layout, model.description.constants, inputs, mean);
    for (Eigen::Index s = 0; s < mean.rows(); ++s)
      largest = std::max(largest, relative_residual(found.residual[s], found.term_magnitude[s]));
  }
  return largest;
}

struct Ratio {
  Summary rmse, crps, crps_scaled;
};

Ratio paired_ratio(const RowScores& row, const RowScores& against) {
  std::vector<double> rmse, crps, scaled;
  for (std::size_t k = 0; k < row.rmse.size(); ++k) {
    rmse.push_back(row.rmse[k] / against.rmse[k]);
    crps.push_back(row.crps[k] / against.crps[k]);
    scaled.push_back(row.crps_scaled[k] / against.crps_scaled[k]);
  }
  return {summarize(rmse), summarize(crps), summarize(scaled)};
}

std::string interval(const Summary& s) {
  if (!std::isfinite(s.half_width)) return fmt::format("{:.4f}", s.mean);
  return fmt::format("{:.4f} [{:.4f}, {:.4f}]", s.mean, s.mean - s.half_width, s.mean + s.half_width);
}

ordered_json interval_json(const Summary& s) {
  return {{"mean", number(s.mean)}, {"low", number(s.mean - s.half_width)}, {"high", number(s.mean + s.half_width)}};
}

Protocol protocol_from(const Arguments& arguments) {
  Protocol protocol;
  protocol.rows = admissible_rows();
  if (arguments.has("protocol")) protocol = load_protocol(arguments.text("protocol"));
  if (arguments.has("epochs")) protocol.training.epochs = arguments.integer("epochs", 1, 100000000);
  if (arguments.has("subset")) {
    protocol.subset = subset_from(arguments.choice("subset", {"test", "validation", "training"}));
  }
  if (arguments.has("runs")) {
    const auto runs = static_cast<std::size_t>(arguments.integer("runs", 1, 10000));
    while (protocol.seeds.size() < runs) {
      protocol.seeds.push_back(1 + *std::max_element(protocol.seeds.begin(), protocol.seeds.end()));
    }
    protocol.seeds.resize(runs);
  }
  // Named ones that the rows do not have are added, with every loss (strategy) of the rows that they admit.
  const auto named = [&](const char* option, const std::vector<std::string>& legal, const auto& in_rows) {
    if (!arguments.has(option)) return in_rows;
    const std::vector<std::string> words = arguments.words(option);
    for (const std::string& word : words) {
      if (std::find(legal.begin(), legal.end(), word) == legal.end()) {
        throw UsageError(fmt::format("--{}: expected {}; found '{}'", option, fmt::join(legal, ", "), word) +
                         suggestion(word, legal));
      }
    }
    return words;
  };
  const auto add = [](std::vector<std::string>& words, const std::string& word) {
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  };
  std::vector<std::string> row_strategies, row_losses;
  for (const Protocol::Row& row : protocol.rows) {
    add(row_strategies, to_string(row.strategy));
    add(row_losses, to_string(row.loss));
  }
  const auto has = [](const std::vector<std::string>& words, const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const std::vector<std::string> wanted = named("strategies", strategy_words(), row_strategies);
  const std::vector<std::string> wanted_losses = named("losses", loss_words(), row_losses);
  std::vector<Protocol::Row> rows = protocol.rows;
  std::erase_if(rows, [&](const Protocol::Row& row) {
    return !has(wanted, to_string(row.strategy)) || !has(wanted_losses, to_string(row.loss));
  });
  for (const std::string& strategy : wanted) {
    for (const std::string& loss : wanted_losses) {
      const Protocol::Row row{strategy_from(strategy), loss_from(loss)};
      const bool known = has(row_strategies, strategy.c_str()) && has(row_losses, loss.c_str());
      if (!known && admits(row.strategy, row.loss, true)) rows.push_back(row);
    }
  }
  protocol.rows = rows;
  if (protocol.rows.empty()) throw UsageError("no strategy is left to compare");
  return protocol;
}

void print_table(const Protocol& protocol, const std::vector<RowScores>& results) {
  Table table({"strategy", "loss", "RMSE", "MAE", "CRPS", "scaled CRPS", "R2", "coverage of 90 %", "NLL", "largest violation",
               "seconds"});
  table.left(1);
  for (const RowScores& r : results) {
    table.add({to_string(r.row.strategy), to_string(r.row.loss), cell(r.rmse), cell(r.mae), cell(r.crps), cell(r.crps_scaled),
               cell(r.r2, 3), cell(r.coverage90, 3), cell(r.nll),
               scientific(*std::max_element(r.violation.begin(), r.violation.end())), cell(r.seconds, 3)});
  }
  fmt::print("\n{} points, {} seeds, means over the outputs (mean +- standard deviation over seeds)\n{}",
             to_string(protocol.subset), protocol.seeds.size(), table.text());
  Table ratios({"strategy", "loss", "against", "RMSE ratio [95 %]", "CRPS ratio [95 %]", "scaled CRPS ratio [95 %]"});
  ratios.left(1);
  ratios.left(2);
  bool any = false;
  for (const RowScores& r : results) {
    for (const RowScores& other : results) {
      const bool shown = r.row.loss == other.row.loss && r.row.strategy != other.row.strategy &&
                         (other.row.strategy == Strategy::none ||
                          (r.row.strategy == Strategy::conditional && other.row.strategy != Strategy::none));
      if (!shown || r.row.strategy == Strategy::none) continue;
      const Ratio ratio = paired_ratio(r, other);
      ratios.add({to_string(r.row.strategy), to_string(r.row.loss), to_string(other.row.strategy), interval(ratio.rmse),
                  interval(ratio.crps), interval(ratio.crps_scaled)});
      any = true;
    }
  }
  if (any) fmt::print("\nPaired by seed, same loss (below 1 is better)\n{}", ratios.text());
}

}  // namespace

const Command& compare_command() {
  static const Command command = {
      "compare",
      "which strategy is best on my data: trains each, same budget, several seeds",
      "lavoisier compare --protocol ocean_heat_budget --data esku_heat_budget.cdf --json compare.json",
      "",
      {
          {"protocol", "NAME|FILE", "network, budget, seeds and rows (TOML); else the defaults of train; none, projection, post_hoc, conditional, each with likelihood and crps", "", false},
          {"domain", "NAME|FILE", "default: the protocol's", "", false},
          {"data", "FILE", "reference data (NetCDF, or CSV for a domain of tables)", "", true},
          {"strategies", "A,B", "only these: none, penalty, completion, projection, variance_projection, l1_layer, post_hoc, conditional", "", true},
          {"losses", "A,B", "only these: likelihood, crps, energy, squared_error", "", true},
          {"runs", "N", "how many seeds", "", false},
          {"epochs", "N", "instead of the protocol's (recorded: no longer that protocol)", "", false},
          {"subset", "NAME", "what is scored: test, validation or training", "", false},
          {"drop-incomplete", "", "drop rows with missing values instead of refusing them", "", false},
          {"threads", "N", "0: all", "0", false},
      }};
  return command;
}

int run_compare(const Arguments& arguments) {
  Protocol protocol = protocol_from(arguments);
  const bool quiet = arguments.flag("quiet");
  const std::string domain_name = arguments.text_or("domain", protocol.domain);
  if (domain_name.empty()) throw UsageError("--domain is needed where the protocol names none");
  Domain domain = load_domain(domain_name);
  use_split(protocol, domain);
  if (domain.graphs && !arguments.has("protocol")) protocol.training.generator.name = "mpnn";
  fit_to_domain(protocol.training, domain);
  if (arguments.has("json")) require_writable(arguments.text("json"));
  const SampleSet samples = load_training_data(domain, arguments.list("data"), arguments.flag("drop-incomplete"));
  const SampleSet scored = select(samples, protocol.subset);
  if (scored.samples == 0) throw Error(Status::invalid_argument, fmt::format("no {} samples", to_string(protocol.subset)));
  const bool by_magnitude = protocol.training.scaling == "max_abs";
  std::vector<double> scale;
  std::optional<GraphSet> graphs;
  SampleSet judged;  // of graphs: for calibration
  if (domain.graphs) {
    graphs = graph_set(domain, samples);
    judged = select(samples, Subset::validation);
    scale = {by_magnitude ? node_magnitude(*domain.graphs, samples)
                          : node_deviation(*domain.graphs, select(samples, Subset::training))};
  } else {
    scale = by_magnitude ? output_magnitudes(samples) : output_deviations(select(samples, Subset::training));
  }
  const LinearConstraints constraints(domain.layout, domain.laws, domain.constants);
  for (const Protocol::Row& row : protocol.rows) {
    if (constraints.rows() > 0) require_admitted(row.strategy, row.loss, constraints.rows() == 1 && constraints.shared());
    TrainingOptions options = protocol.training;
    options.strategy = row.strategy;
    options.loss = row.loss;
    require_valid(options);  // before hours of training the rows before it
  }
  const auto threads = static_cast<int>(arguments.integer("threads", 0, 4096));

  catch_interrupts();
  set_training_threads(threads);
  const KokkosSession kokkos(threads);

  std::vector<RowScores> results;
  for (const Protocol::Row& row : protocol.rows) results.push_back({row, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}});
  Progress progress(quiet);
  const std::size_t all = results.size() * protocol.seeds.size();
  std::size_t done = 0;
  // Trainings, the unit of the time left over all: rows whose weights another has trained cost none.
  double trainings_done = 0.0, trainings = 0.0, seconds = 0.0;
  const auto trained_apart = [&](const Protocol::Row& row) {
    return row.strategy != Strategy::post_hoc || std::none_of(protocol.rows.begin(), protocol.rows.end(), [&](const Protocol::Row& other) {
             return other.strategy == Strategy::none && other.loss == row.loss;
           });
  };
  for (const Protocol::Row& row : protocol.rows) trainings += trained_apart(row) ? 1.0 : 0.0;
  trainings *= static_cast<double>(protocol.seeds.size());
  for (std::uint64_t seed : protocol.seeds) {
    // Models of this seed by loss that `none` has trained, for post_hoc.
    std::map<Loss, TrainingResult> unconstrained;
    const auto trained = [&](Strategy strategy, Loss loss) {
      TrainingOptions options = protocol.training;
      options.strategy = strategy;
      options.loss = loss;
      options.seed = seed;
      options.threads = threads;
      options.provenance["version"] = version();
      const auto listener = [&](const TrainingProgress& p) {
        const double share = trainings_done + static_cast<double>(p.epoch) / static_cast<double>(p.epochs);
        const double left = (seconds + p.seconds) / share * (trainings - share);
        progress.update(fmt::format("[{}/{}, {} left] {} {} seed {}: {}", done + 1, all, duration(left), to_string(strategy),
                                    to_string(loss), seed, progress_line(p)));
      };
      TrainingResult result = graphs ? train(*graphs, options, listener, &interrupted())
                                     : train(samples, constraints, options, listener, &interrupted());
      trainings_done += 1.0;
      seconds += result.seconds;
      return result;
    };
    for (RowScores& result : results) {
      const Strategy strategy = result.row.strategy;
      const Loss loss = result.row.loss;
      TrainingResult training;
      if (strategy == Strategy::none || strategy == Strategy::post_hoc) {
        if (unconstrained.count(loss) == 0) unconstrained.emplace(loss, trained(Strategy::none, loss));
        training = unconstrained.at(loss);
        if (strategy == Strategy::post_hoc) {
          if (std::optional<ModelFile> model = post_hoc_of(training.model)) {
            training.model = std::move(*model);
          } else {
            training = trained(strategy, loss);
          }
        }
      } else {
        training = trained(strategy, loss);
      }
      if (protocol.calibrate && loss != Loss::squared_error) {
        if (graphs) {
          calibrate_deviations(training.model, judged, *domain.graphs);
        } else {
          calibrate_deviations(training.model, SampleSetSource(samples));
        }
      }
      MarginalScores scores = graphs ? score_graphs(training.model, *domain.graphs, constraints, scored, scale.front())
                                     : score_marginals(training.model, constraints, scored, scale);
      result.mse_scaled.push_back(scores.mean_mse_scaled());
      result.rmse.push_back(scores.mean_rmse());
      result.crps.push_back(scores.mean_crps());
      result.coverage90.push_back(scores.mean_coverage90());
      result.nll.push_back(scores.nll);
      result.crps_scaled.push_back(scores.mean_crps_scaled());
      result.r2.push_back(scores.mean_r2());
      result.mae.push_back(scores.mean_mae());
      result.violation.push_back(violation_of(training.model, scored));
      result.seconds.push_back(training.seconds);
      result.per_seed.push_back(std::move(scores));
      ++done;
      progress.update(fmt::format("[{}/{}] {} {} seed {}: RMSE {:.4g}, CRPS {:.4g}, coverage {:.3f}", done, all,
                                  to_string(strategy), to_string(loss), seed, result.rmse.back(), result.crps.back(),
                                  result.coverage90.back()), !stderr_is_terminal());
    }
  }
  progress.clear();
  if (!quiet) print_table(protocol, results);

  ordered_json json;
  json["runs"] = protocol.seeds.size();
  json["results"] = ordered_json::array();
  for (const RowScores& r : results) {
    ordered_json entry;
    entry["strategy"] = to_string(r.row.strategy);
    entry["loss"] = to_string(r.row.loss);
    entry["mse_scaled"] = mean_and_std(r.mse_scaled);
    entry["rmse"] = mean_and_std(r.rmse);
    entry["crps"] = mean_and_std(r.crps);
    entry["coverage90"] = mean_and_std(r.coverage90);
    entry["nll"] = mean_and_std(r.nll);
    entry["crps_scaled"] = mean_and_std(r.crps_scaled);
    entry["r2"] = mean_and_std(r.r2);
    entry["mae"] = mean_and_std(r.mae);
    entry["max_relative_violation"] = mean_and_std(r.violation);
    entry["seconds"] = mean_and_std(r.seconds);
    entry["variables"] = ordered_json::array();
    for (std::size_t i = 0; i < r.per_seed.front().variables.size(); ++i) {
      std::vector<double> rmse, crps, coverage, scaled, r2, mae;
      for (const MarginalScores& s : r.per_seed) {
        rmse.push_back(s.rmse[i]);
        crps.push_back(s.crps[i]);
        coverage.push_back(s.coverage90[i]);
        scaled.push_back(s.crps_scaled[i]);
        r2.push_back(s.r2[i]);
        mae.push_back(s.mae[i]);
      }
      entry["variables"].push_back({{"variable", r.per_seed.front().variables[i]},
                                    {"rmse", mean_and_std(rmse)},
                                    {"crps", mean_and_std(crps)},
                                    {"coverage90", mean_and_std(coverage)},
                                    {"crps_scaled", mean_and_std(scaled)},
                                    {"r2", mean_and_std(r2)},
                                    {"mae", mean_and_std(mae)}});
    }
    json["results"].push_back(entry);
  }
  json["paired"] = ordered_json::array();
  for (const RowScores& r : results) {
    for (const RowScores& other : results) {
      if (r.row.loss != other.row.loss || r.row.strategy == other.row.strategy) continue;
      const Ratio ratio = paired_ratio(r, other);
      json["paired"].push_back({{"strategy", to_string(r.row.strategy)},
                                {"loss", to_string(r.row.loss)},
                                {"against", to_string(other.row.strategy)},
                                {"rmse_ratio", interval_json(ratio.rmse)},
                                {"crps_ratio", interval_json(ratio.crps)},
                                {"crps_scaled_ratio", interval_json(ratio.crps_scaled)}});
    }
  }
  json["subset"] = to_string(protocol.subset);
  json["samples"] = scored.samples;
  json["protocol"] = {{"name", protocol.name},
                      {"sha256", protocol.digest},
                      {"scaling", protocol.training.scaling},
                      {"split", domain.split ? describe(*domain.split) : std::string()},
                      {"model", protocol.training.generator.name},
                      {"state", graphs ? ordered_json(protocol.training.generator.graph.state) : ordered_json(nullptr)},
                      {"rounds", graphs ? ordered_json(protocol.training.generator.graph.rounds) : ordered_json(nullptr)},
                      {"directed", graphs ? ordered_json(protocol.training.generator.graph.directed) : ordered_json(nullptr)},
                      {"hidden", protocol.training.network.hidden},
                      {"activation", protocol.training.network.activation},
                      {"epochs", protocol.training.epochs},
                      {"batch", protocol.training.batch},
                      {"learning_rate", protocol.training.learning_rate},
                      {"schedule", protocol.training.schedule},
                      {"selection", protocol.training.selection},
                      {"head", protocol.training.head.family},
                      {"positive", protocol.training.head.positive},
                      {"calibrate", protocol.calibrate},
                      {"seeds", protocol.seeds},
                      {"changed_on_the_command_line", arguments.has("epochs")}};
  json["domain"] = {{"name", domain.name}, {"sha256", domain.digest}};
  json["data"] = samples.source;
  json["version"] = version();
  json["created"] = timestamp();
  json["options"] = arguments.resolved();
  write_json(arguments, json.dump(2) + "\n");
  return exit_ok;
}

}  // namespace lavoisier::cli
