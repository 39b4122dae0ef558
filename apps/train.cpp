#include "artefact.hpp"
#include "calibration.hpp"
#include "commands.hpp"
#include "generator_options.hpp"
#include "graph_samples.hpp"
#include "graph_scores.hpp"
#include "kokkos_session.hpp"
#include "marginal_scores.hpp"
#include "processes.hpp"
#include "terminal.hpp"
#include "training_log.hpp"
#include "training_options.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

std::string resume_command(const Arguments& arguments) {
  const std::string& command = arguments.command_line();
  return arguments.flag("resume") ? command : command + " --resume";
}

TrainingOptions options_from(const Arguments& arguments) {
  TrainingOptions options;
  options.strategy = strategy_from(arguments.choice("strategy", strategy_words()));
  options.loss = loss_from(arguments.choice("loss", loss_words()));
  read_generator(arguments, options);
  try {
    // With one law l1_layer admits more: train() knows the laws.
    require_admitted(options.strategy, options.loss, true);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  options.penalty_weight = arguments.number("penalty-weight", 0.0, 1e9);
  if (arguments.has("dependent")) options.dependent = arguments.words("dependent");
  if (arguments.given("penalty-weight") && options.strategy != Strategy::penalty)
    throw UsageError(fmt::format("--penalty-weight: only --strategy penalty has one, found '{}'", to_string(options.strategy)));
  if (!options.dependent.empty() && options.strategy != Strategy::completion)
    throw UsageError(fmt::format("--dependent: only --strategy completion has dependent outputs, found '{}'",
                                 to_string(options.strategy)));
  options.estimator = estimator_from(arguments.choice("estimator", estimator_words()));
  options.draws = static_cast<int>(arguments.integer("draws", 2, 65536));
  const bool sampled = options.head.family == "mixed" && options.loss == Loss::crps;
  if (arguments.given("draws") && options.estimator == Estimator::exact && !sampled)
    throw UsageError("--draws: --estimator exact has none");
  if (options.estimator != Estimator::exact) {
    if (options.loss != Loss::crps && options.loss != Loss::energy)
      throw UsageError(fmt::format("--estimator: loss '{}' has exact alone; crps and energy have sampled ones",
                                   to_string(options.loss)));
    if (options.strategy != Strategy::conditional && options.strategy != Strategy::variance_projection)
      throw UsageError(fmt::format("--estimator: strategy '{}' is trained by exact alone; conditional and "
                                   "variance_projection by sampled ones too", to_string(options.strategy)));
  }
  options.network.hidden = widths_from(arguments.words("hidden"), "--hidden");
  options.network.activation = arguments.choice("activation", {"silu", "relu"});
  options.network.residual = arguments.flag("residual");
  options.network.layer_norm = arguments.flag("layer-norm");
  options.network.linear_skip = arguments.flag("linear-skip");
  options.network.dropout = arguments.number("dropout", 0.0, 0.95);
  options.network.parametrization = arguments.choice("parametrization", {"softplus", "exp"});
  options.network.deviation = arguments.choice("deviation", {"per_sample", "shared"});
  options.network.floor = arguments.number("floor", 0.0, 1.0);
  options.network.initialization = arguments.choice("initialization", {"lecun", "he", "torch"});
  options.network.initial_deviation = arguments.number("initial-deviation", 0.0, 1e3);
  options.scaling = arguments.choice("scaling", {"standard", "max_abs"});
  options.epochs = arguments.integer("epochs", 1, 100000000);
  options.batch = arguments.integer("batch", 1, 100000000);
  options.micro_batches = arguments.integer("micro-batches", 0, 65536);
  options.learning_rate = arguments.number("learning-rate", 1e-12, 1e3);
  options.weight_decay = arguments.number("weight-decay", 0.0, 1e3);
  options.input_noise = arguments.number("input-noise", 0.0, 1e3);
  options.schedule = arguments.choice("schedule", {"cosine", "constant", "plateau"});
  options.patience = arguments.integer("patience", 1, 100000000);
  options.warm_up = arguments.integer("warm-up", 0, 1000000000000);
  options.gradient_clip = arguments.number("gradient-clip", 0.0, 1e30);
  options.stop_after = arguments.integer("stop-after", 0, 100000000);
  options.ema = arguments.number("ema", 0.0, 0.9999999);
  options.selection = arguments.choice("selection", {"best", "last"});
  options.seed = arguments.unsigned_integer("seed");
  options.device = arguments.text("device");
  options.threads = static_cast<int>(arguments.integer("threads", 0, 4096));
  options.checkpoint = arguments.text_or("checkpoint", arguments.text("output") + ".checkpoint");
  options.resume = arguments.flag("resume");
  if (arguments.has("buffer-size")) {
    options.buffer_bytes = arguments.integer("buffer-size", 1, 1073741824) * 1048576;
    const std::filesystem::path beside = options.checkpoint.lexically_normal().parent_path();
    options.scratch = arguments.text_or("scratch", beside.empty() ? "." : beside.string());
  } else if (arguments.given("scratch")) {
    throw UsageError("--scratch: only a training with --buffer-size has scratch files");
  }
  if (arguments.flag("calibrate") &&
      ((options.generator.name != "mlp" && options.generator.name != "mpnn") || (options.head.family != "gaussian" && options.head.family != "mixed") ||
       options.network.deviation != "per_sample" || options.network.linear_skip || options.loss == Loss::squared_error))
    throw UsageError("--calibrate: only deviations that a network makes for each sample are calibrated: --model mlp or mpnn, --head "
                     "gaussian or mixed, --deviation per_sample, --loss other than squared_error, no --linear-skip");
  try {
    require_valid(options);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  return options;
}

// What the model records of its options: whether it was interrupted and resumed, and where its data lay, isn't part of
// it, so that each way gives the same file, digest and random numbers.
void record(const Arguments& arguments, std::map<std::string, std::string>& provenance) {
  ordered_json options = ordered_json::object();
  for (const auto& [name, value] : arguments.resolved()) {
    if (name != "resume" && name != "buffer-size" && name != "scratch") options[name] = value;
  }
  provenance["options"] = options.dump();
  provenance["command"] = arguments.command_line_without({"resume"}, {"buffer-size", "scratch"});
}

// Before hours of training, not at the first checkpoint.
void require_checkpoint_folder(const std::filesystem::path& folder) {
  const bool existed = std::filesystem::exists(folder);
  require_writable(folder / "checkpoint.safetensors");
  std::error_code ignored;
  if (!existed) std::filesystem::remove(folder, ignored);
}

/// By default beside the checkpoints, where their folder was named; empty: none.
std::filesystem::path log_path(const Arguments& arguments) {
  if (arguments.has("log")) return arguments.text("log");
  if (arguments.given("checkpoint")) return std::filesystem::path(arguments.text("checkpoint")) / "training.jsonl";
  return {};
}

LoggedEpoch logged(const TrainingProgress& p) {
  return {p.epoch,      p.epochs,        p.training_loss, p.validation_loss, p.best_validation_loss,
          p.best_epoch, p.learning_rate, p.seconds,       p.seconds_left};
}

/// "60 of 60 epochs; best validation loss 0.2235 at epoch 41", and why it ended where it did.
std::string summary_of(const TrainingResult& result, const TrainingOptions& options) {
  if (result.history.empty()) return "no epoch";
  const TrainingProgress& last = result.history.back();
  std::string text = fmt::format("{} of {} epochs; ", last.epoch, last.epochs);
  text += options.selection == "last"
              ? fmt::format("weights of the last one kept, validation loss {:.5g}", last.validation_loss)
              : fmt::format("best validation loss {:.5g} at epoch {}", last.best_validation_loss, last.best_epoch);
  if (last.epoch < last.epochs) text += fmt::format("; stopped early: no better one for {} epochs", options.stop_after);
  return text;
}

ordered_json scores_json(const MarginalScores& scores) {
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < scores.variables.size(); ++i) {
    list.push_back({{"variable", scores.variables[i]},
                    {"rmse", scores.rmse[i]},
                    {"crps", scores.crps[i]},
                    {"coverage90", scores.coverage90[i]}});
    if (!scores.mae.empty()) list.back()["mae"] = scores.mae[i];
  }
  ordered_json json;
  json["rmse"] = scores.mean_rmse();
  json["crps"] = scores.mean_crps();
  json["coverage90"] = scores.mean_coverage90();
  if (!scores.mae.empty()) json["mae"] = scores.mean_mae();
  if (scores.members > 0) json["members"] = scores.members;
  json["nll"] = std::isfinite(scores.nll) ? ordered_json(scores.nll) : ordered_json(nullptr);
  json["variables"] = list;
  return json;
}

void print_scores(const std::optional<MarginalScores>& found, const std::string& unscored, const StateLayout& layout) {
  if (!found) {
    fmt::print("no scores of the validation samples: {}\n", unscored);
    return;
  }
  const MarginalScores& scores = *found;
  Table table({"validation", "units", "RMSE", "CRPS", "coverage of 90 %"});
  table.left(1);
  // Of many elements (an image's pixels) one row stands for all.
  constexpr std::int64_t most_rows = 32;
  std::map<std::string, Variable> many;
  for (const Variable& variable : layout.with_role(Role::output))
    if (layout.elements(variable) > most_rows) many[variable.name + "[0]"] = variable;
  for (std::size_t i = 0; i < scores.variables.size(); ++i) {
    if (const auto array = many.find(scores.variables[i]); array != many.end()) {
      const std::int64_t elements = layout.elements(array->second);
      const auto mean = [&](const std::vector<double>& values) {
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(i);
        return std::accumulate(first, first + static_cast<std::ptrdiff_t>(elements), 0.0) / static_cast<double>(elements);
      };
      table.add({fmt::format("{}, {} elements", array->second.name, elements), array->second.units, significant(mean(scores.rmse)),
                 significant(mean(scores.crps)), fmt::format("{:.3f}", mean(scores.coverage90))});
      i += static_cast<std::size_t>(elements) - 1;
      continue;
    }
    const std::string name = scores.variables[i].substr(0, scores.variables[i].find('['));  // an element: "heating[2]"
    const std::string units = layout.has_variable(name) ? layout.variable(name).units : std::string();
    table.add({scores.variables[i], units, significant(scores.rmse[i]), significant(scores.crps[i]),
               fmt::format("{:.3f}", scores.coverage90[i])});
  }
  table.add({"mean", "", significant(scores.mean_rmse()), significant(scores.mean_crps()),
             fmt::format("{:.3f}", scores.mean_coverage90())});
  fmt::print("{}", table.text());
  if (!scores.mae.empty()) fmt::print("mean absolute deviation {}\n", significant(scores.mean_mae()));
  if (scores.members > 0) fmt::print("scores of {} members a sample\n", scores.members);
}

}  // namespace

const Command& train_command() {
  static const TrainingOptions defaults;
  static const Command command = [] {
    Command made = {
      "train",
      "reference data to a model file",
      "lavoisier train --domain ocean_heat_budget --data esku_heat_budget.cdf --strategy conditional \\\n"
      "    --loss crps --epochs 60 --seed 1 --output ocean.safetensors",
      "",
      {
          {"domain", "NAME|FILE", "a shipped domain (lavoisier domains) or a domain file", "", false},
          {"data", "FILE", "reference data (NetCDF; CSV for a domain of tables; image files or folders for one of images)", "", true},
          {"output", "FILE", "the model file to write", "", false},
          {"strategy", "NAME", "none, penalty, completion, projection, variance_projection, l1_layer, post_hoc or conditional",
           "conditional", false},
          {"loss", "NAME", "likelihood, crps, energy or squared_error (of the constrained mean: no deviation is trained); vae and ladder_vae: "
                             "likelihood; ddpm and flow_matching: squared_error; a --head other than gaussian: "
                             "likelihood, mixed crps too", "crps", false},
          {"penalty-weight", "W", "strategy penalty: of the squared residuals of the mean", "1", false},
          {"dependent", "NAME", "strategy completion: outputs computed from the others (default: chosen)", "", true},
          {"estimator", "NAME", "of the gradient of crps and energy: exact, marginal_expectation, pathwise, score_function, "
                                "rao_blackwell or rao_blackwell_shrunk", "exact", false},
          {"draws", "K", "draws a sample and step of a sampled estimator, and of crps under --head mixed", "8", false},
          {"hidden", "N,N", "widths of the hidden layers", "128,128", true},
          {"activation", "NAME", "of the hidden layers: silu or relu (mlp, vae, ladder_vae and networks on --backbone mlp)", "silu", false},
          {"residual", "", "add a hidden layer's input to its output where widths agree", "", false},
          {"layer-norm", "", "normalise before each activation", "", false},
          {"linear-skip", "", "add the linear least-squares fit of the outputs to the network", "", false},
          {"dropout", "P", "share of units dropped while training", "0", false},
          {"parametrization", "NAME", "of the standard deviation: softplus or exp", "exp", false},
          {"deviation", "NAME", "standard deviations: per_sample, or shared (one an output for all samples)", "per_sample", false},
          {"floor", "S", "least standard deviation, in standardised units", "0.001", false},
          {"initialization", "NAME", "of the weights: lecun, he or torch", "he", false},
          {"initial-deviation", "S", "standard deviation that training starts from, in standardised units", "0.5", false},
          {"scaling", "NAME", "of inputs and outputs: standard (training samples) or max_abs (all samples)", "standard", false},
          {"epochs", "N", "passes over the training samples", "60", false},
          {"batch", "N", "samples a step", "256", false},
          {"micro-batches", "M", "parts of a batch, gradients summed in one order; 0: 1, under mpirun 8", "0", false},
          {"learning-rate", "R", "of Adam", "0.002", false},
          {"weight-decay", "W", "decoupled (AdamW)", "0", false},
          {"input-noise", "S", "normal noise on the standardised inputs while training", "0", false},
          {"schedule", "NAME", "of the learning rate: cosine, constant, or plateau (halved where scores stay)", "cosine", false},
          {"patience", "N", "schedule plateau: epochs without a better validation score", "10", false},
          {"warm-up", "N", "steps over which the learning rate grows from 0", "0", false},
          {"gradient-clip", "G", "largest norm of a gradient; 0: any", "0", false},
          {"stop-after", "N", "end after so many epochs without a better validation score; 0: never", "0", false},
          {"ema", "D", "decay of the averaged weights; 0: none", "0", false},
          {"selection", "NAME", "which epoch's weights: best (on validation) or last", "best", false},
          {"seed", "N", "of initial weights and shuffling", "0", false},
          {"checkpoint", "DIR", "where to keep checkpoints (default: OUTPUT.checkpoint, removed at the end)", "", false},
          {"resume", "", "go on from the checkpoint", "", false},
          {"buffer-size", "MIB", "keep data on disk, so much of them at most in memory (default: all in memory)", "",
           false},
          {"scratch", "DIR", "with --buffer-size: folder of scratch files (default: that of the checkpoint folder)", "",
           false},
          {"log", "FILE", "a line of JSON an epoch (default: DIR/training.jsonl with --checkpoint DIR)", "", false},
          {"calibrate", "", "at the end multiply all deviations by the one factor with which 90 % intervals cover 90 % of the "
                            "validation samples (mlp, mpnn, --head gaussian or mixed, no --linear-skip)", "", false},
          {"drop-incomplete", "", "drop rows with missing values instead of refusing them", "", false},
          {"device", "NAME", "cpu or cuda", "cpu", false},
          {"threads", "N", "0: all, under mpirun one a process", "0", false},
      }};
    const auto at = std::find_if(made.options.begin(), made.options.end(), [](const Option& o) { return o.name == "strategy"; });
    made.options.insert(at, generator_options().begin(), generator_options().end());
    return made;
  }();
  return command;
}

namespace {

void write_result(const Arguments& arguments, const Domain& domain, const TrainingOptions& options, const TrainingSamples& data,
                  const LinearConstraints& constraints, TrainingResult& result, TrainingLogWriter* log);

/// `log` may be null.
int train_and_write(const Arguments& arguments, TrainingLogWriter* log) {
  TrainingOptions options = options_from(arguments);
  TrainingCommunicator* const processes = training_processes();
  const bool first = processes == nullptr || processes->rank() == 0;
  if (processes != nullptr && options.threads == 0) options.threads = 1;  // they share the processors
  const std::filesystem::path output = arguments.text("output");
  const std::vector<std::string>& files = arguments.list("data");
  const bool quiet = arguments.flag("quiet") || !first;
  Domain domain;
  std::optional<TrainingSamples> data;
  std::optional<LinearConstraints> laws;
  together(processes, [&] {
    domain = load_domain(arguments.text("domain"));
    fit_to_domain(options, domain);
    if (first) {
      require_writable(output);
      for (const char* name : {"json", "log"}) {
        if (arguments.has(name)) require_writable(arguments.text(name));
      }
      if (options.resume && !std::filesystem::exists(options.checkpoint)) {
        throw Error(Status::not_found, fmt::format("no checkpoint to resume from in {}", options.checkpoint.string()));
      }
      require_checkpoint_folder(options.checkpoint);
    }
    data.emplace(domain, files, arguments.flag("drop-incomplete"), options.scratch);
    laws.emplace(domain.layout, all_laws(domain), domain.constants);
    options.provenance = provenance_of(domain, files);
    record(arguments, options.provenance);
  });
  const LinearConstraints& constraints = *laws;
  const SampleSource& samples = data->source();
  if (!quiet) {
    fmt::print("{}: {} training, {} validation, {} test samples; {} inputs, {} outputs, {} laws\n", domain.name,
               samples.count(Subset::training), samples.count(Subset::validation), samples.count(Subset::test),
               samples.layout().elements(Role::input), samples.layout().elements(Role::output), constraints.rows());
    for (const LawReport& law : constraints.report()) {
      if (law.redundant) fmt::print("  law {} follows from {}\n", law.law, fmt::join(law.implied_by, ", "));
    }
    if (processes != nullptr)
      fmt::print("{} processes share {} micro-batches a batch\n", processes->size(),
                 resolved_micro_batches(options, processes));
    std::fflush(stdout);
  }

  catch_interrupts();
  set_training_threads(options.threads);
  Progress progress(quiet);
  TrainingResult result;
  options.started = [&](const TrainingStart& start) {
    if (log != nullptr) {
      std::map<std::string, std::string> resolved = arguments.resolved();
      resolved["loss"] = to_string(options.loss);  // some generators have another default
      log->start({{}, {}, std::move(resolved), options.provenance.at("data"), samples.count(Subset::training),
                  samples.count(Subset::validation), samples.count(Subset::test), start.weights, options.device,
                  start.threads, start.epochs_done});
    }
    // The first epoch may take long; elsewhere than on a terminal lines are for what has been done.
    if (stderr_is_terminal()) progress.update(fmt::format("{} weights: first epoch", start.weights));
  };
  const auto listener = [&](const TrainingProgress& p) {
    if (log != nullptr) log->epoch(logged(p));
    progress.update(progress_line(p), p.epoch == p.epochs);
  };
  try {
    result = domain.graphs ? train(graph_set(domain, data->set()), options, listener, &interrupted(), processes)
                           : train(samples, constraints, options, listener, &interrupted(), processes);
  } catch (const Error& error) {
    progress.clear();
    if (error.status() != Status::interrupted) throw;
    const std::string start = processes != nullptr ? fmt::format("mpirun -n {} ", processes->size()) : std::string();
    std::string message = fmt::format("interrupted: {}", error.what());
    if (std::filesystem::exists(options.checkpoint / "checkpoint.safetensors"))  // none before the first step
      message += fmt::format("\ncheckpoint kept in {}; resume with\n  {}{}", options.checkpoint.string(), start,
                             resume_command(arguments));
    if (processes != nullptr) throw AgreedError(Status::interrupted, message);
    throw Error(Status::interrupted, message);
  }
  progress.clear();
  together(processes, [&] {
    if (first) write_result(arguments, domain, options, *data, constraints, result, log);
  });
  return exit_ok;
}

void write_result(const Arguments& arguments, const Domain& domain, const TrainingOptions& options, const TrainingSamples& data,
                  const LinearConstraints& constraints, TrainingResult& result, TrainingLogWriter* log) {
  const std::filesystem::path output = arguments.text("output");
  const bool quiet = arguments.flag("quiet");
  const SampleSource& samples = data.source();
  add_coordinates(result.model, data.coordinates());
  std::optional<KokkosSession> kokkos;  // starts once a process
  std::optional<Calibration> calibration;
  if (arguments.flag("calibrate")) {
    kokkos.emplace(options.threads);
    calibration = domain.graphs ? calibrate_deviations(result.model, select(data.set(), Subset::validation), *domain.graphs)
                                : calibrate_deviations(result.model, samples);
    result.model.description.provenance["calibration.factor"] = fmt::format("{}", calibration->factor);
  }
  // A model that the plugin does not run has no scores; it is written all the same.
  std::optional<MarginalScores> scores;
  std::string unscored;
  try {
    if (!has_marginals(result.model) && !kokkos) kokkos.emplace(options.threads);
    scores = domain.graphs ? score_graphs(result.model, *domain.graphs, constraints, select(data.set(), Subset::validation), 1.0)
                           : score_validation(result.model, constraints, samples);
    result.model.description.provenance["validation_rmse"] = fmt::format("{}", scores->mean_rmse());
    result.model.description.provenance["validation_crps"] = fmt::format("{}", scores->mean_crps());
    result.model.description.provenance["validation_coverage90"] = fmt::format("{}", scores->mean_coverage90());
  } catch (const Error& error) {
    if (error.status() != Status::unsupported) throw;
    unscored = error.what();
  }
  const std::string digest = result.model.write(output);
  const std::string summary = summary_of(result, options);
  if (log != nullptr) {
    const bool all = result.history.empty() || result.history.back().epoch == options.epochs;
    log->end({all ? "finished" : "stopped early", summary, output.string(), digest});
  }
  if (!arguments.given("checkpoint")) {
    std::error_code ignored;
    std::filesystem::remove_all(options.checkpoint, ignored);
  }

  if (!quiet) {
    fmt::print("trained in {}: {}; targets moved onto the laws by at most {:.2g}\n", duration(result.seconds), summary,
               result.target_distance);
    if (calibration)
      fmt::print("deviations times {:.4g}: 90 % intervals of validation samples cover {:.3f}, before {:.3f}\n", calibration->factor,
                 calibration->after, calibration->before);
    print_scores(scores, unscored, samples.layout());
    fmt::print("wrote {} (sha256 {})\n", output.string(), digest);
  }

  ordered_json json;
  json["version"] = version();
  json["model"] = output.string();
  json["sha256"] = digest;
  json["seconds"] = result.seconds;
  json["best_epoch"] = result.history.empty() ? 0 : result.history.back().best_epoch;
  json["target_distance"] = result.target_distance;
  json["samples"] = {{"training", samples.count(Subset::training)},
                     {"validation", samples.count(Subset::validation)},
                     {"test", samples.count(Subset::test)}};
  if (calibration)
    json["calibration"] = {{"factor", calibration->factor}, {"before", calibration->before}, {"after", calibration->after}};
  json["validation"] = scores ? scores_json(*scores) : ordered_json(nullptr);
  json["history"] = ordered_json::array();
  for (const TrainingProgress& p : result.history) {
    json["history"].push_back(
        {{"epoch", p.epoch}, {"training_loss", p.training_loss}, {"validation_loss", p.validation_loss}, {"seconds", p.seconds}});
  }
  json["options"] = arguments.resolved();
  write_json(arguments, json.dump(2) + "\n");
}

}  // namespace

int run_train(const Arguments& arguments) {
  const std::filesystem::path path = log_path(arguments);
  TrainingCommunicator* const processes = training_processes();
  std::optional<TrainingLogWriter> log;  // the first process's
  together(processes, [&] {
    if (!path.empty() && (processes == nullptr || processes->rank() == 0)) log.emplace(path, arguments.flag("resume"));
  });
  if (!log) return train_and_write(arguments, nullptr);
  try {
    return train_and_write(arguments, &*log);
  } catch (const std::exception& failure) {
    const auto* error = dynamic_cast<const Error*>(&failure);
    const bool stopped = error != nullptr && error->status() == Status::interrupted;
    try {
      log->end({stopped ? "interrupted" : "failed", failure.what(), "", ""});
    } catch (const Error&) {
      // Where the log itself can't be written: that is the failure already under way.
    }
    throw;
  }
}

}  // namespace lavoisier::cli
