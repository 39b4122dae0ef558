#include "options.hpp"

#include "output_head.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace lavoisier {
namespace {

[[noreturn]] void refuse_word(const std::string& what, const std::string& text, const std::vector<std::string>& legal) {
  std::string message = "unknown " + what + " '" + text + "'; legal:";
  for (const std::string& word : legal) message += (&word == &legal.front() ? " " : ", ") + word;
  const std::string nearest = nearest_name(text, legal);
  if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
  throw Error(Status::invalid_argument, message);
}

void require_word(const std::string& what, const std::string& text, const std::vector<std::string>& legal) {
  for (const std::string& word : legal)
    if (word == text) return;
  refuse_word(what, text, legal);
}

void require(bool condition, const std::string& option, const std::string& expected, double found) {
  if (!condition)
    throw Error(Status::invalid_argument, option + ": expected " + expected + ", found " + detail::text_of(found));
}

/// The estimators that train a strategy under a loss.
void require_trained_by(const TrainingOptions& options) {
  const std::string word = to_string(options.estimator);
  estimator_from(word);  // the enum may have been cast from a number
  if (options.estimator == Estimator::exact) return;
  require_admitted(options.strategy, word);
  const bool sampled_strategy =
      options.strategy == Strategy::conditional || options.strategy == Strategy::variance_projection;
  if (sampled_strategy && (options.loss == Loss::crps || options.loss == Loss::energy)) return;
  throw Error(Status::invalid_argument,
              std::string("strategy '") + to_string(options.strategy) + "' under loss '" + to_string(options.loss) +
                  "' is not trained by estimator '" + word +
                  "'; legal: exact; sampled estimators train conditional and variance_projection under crps and energy");
}

/// Which generators there are, and what each admits. An empty list: whatever the strategy admits.
struct GeneratorRules {
  const char* name;
  std::vector<Strategy> strategies;
  std::vector<Loss> losses;
  std::vector<std::string> backbones;
};

const std::vector<GeneratorRules>& generators() {
  using S = Strategy;
  static const std::vector<GeneratorRules> rules = {
      {"mlp", {}, {}, {"mlp", "unet", "column"}},
      {"spectral_temporal", {}, {}, {"mlp"}},
      {"vae", {S::none, S::completion, S::projection, S::variance_projection, S::post_hoc, S::conditional},
       {Loss::likelihood}, {"mlp", "unet", "column"}},
      {"ladder_vae", {S::none, S::completion, S::projection, S::variance_projection, S::post_hoc, S::conditional},
       {Loss::likelihood}, {"mlp", "unet", "column"}},
      {"ddpm", {S::none, S::post_hoc, S::conditional}, {Loss::squared_error}, {"mlp", "unet", "column"}},
      {"flow_matching", {S::none, S::post_hoc, S::conditional}, {Loss::squared_error}, {"mlp", "unet", "column"}},
      {"mpnn", {S::none, S::penalty, S::projection, S::variance_projection, S::post_hoc, S::conditional}, {}, {"mlp"}},
      {"graph_vae",
       {S::none, S::projection, S::variance_projection, S::post_hoc, S::conditional},
       {Loss::likelihood},
       {"mlp"}}};
  return rules;
}

template <class List, class Word>
[[noreturn]] void refuse_combination(const std::string& generator, const std::string& what, const std::string& found,
                                     const List& legal, Word&& word) {
  std::string message = "generator '" + generator + "' does not admit the " + what + " '" + found + "'; legal:";
  bool first = true;
  for (const auto& one : legal) {
    message += (first ? " " : ", ") + std::string(word(one));
    first = false;
  }
  throw Error(Status::invalid_argument, message);
}

void require_generator(const TrainingOptions& options) {
  const GeneratorOptions& generator = options.generator;
  std::vector<std::string> names;
  for (const GeneratorRules& rules : generators()) names.push_back(rules.name);
  require_word("generator", generator.name, names);
  const GeneratorRules& rules = *std::find_if(generators().begin(), generators().end(),
                                              [&](const GeneratorRules& one) { return generator.name == one.name; });
  const auto lacks = [](const auto& list, const auto& item) {
    return !list.empty() && std::find(list.begin(), list.end(), item) == list.end();
  };
  if (lacks(rules.strategies, options.strategy))
    refuse_combination(generator.name, "strategy", to_string(options.strategy), rules.strategies, [](Strategy s) { return to_string(s); });
  if (lacks(rules.losses, options.loss))
    refuse_combination(generator.name, "loss", to_string(options.loss), rules.losses, [](Loss l) { return to_string(l); });
  const FieldOptions& fields = generator.fields;
  require_word("backbone", fields.backbone, {"mlp", "unet", "column"});
  if (lacks(rules.backbones, fields.backbone))
    refuse_combination(generator.name, "backbone", fields.backbone, rules.backbones, [](const std::string& b) { return b; });
  const bool dense = fields.backbone == "mlp" && generator.name != "spectral_temporal" && generator.name != "mpnn" &&
                     generator.name != "graph_vae";
  if (!dense && options.network.activation != "silu")
    throw Error(Status::invalid_argument, "activation: expected silu, which convolutions, graphs and spectral_temporal have alone, found " +
                                              options.network.activation);
  const auto whole = [](bool condition, const std::string& option, const std::string& expected, std::int64_t found) {
    require(condition, option, expected, static_cast<double>(found));
  };
  if (fields.backbone != "mlp") {
    whole(fields.backbone == "column" || fields.height >= 1, "fields.height", "at least 1", fields.height);
    whole(fields.width >= 1, "fields.width", "at least 1", fields.width);
    whole(fields.radius >= 0 && fields.radius <= 16, "fields.radius", "0 to 16", fields.radius);
    whole(fields.groups >= 1, "fields.groups", "at least 1", fields.groups);
  }
  if (fields.backbone != "mlp" || generator.name == "spectral_temporal") {
    whole(!fields.widths.empty(), "fields.widths", "at least one resolution", 0);
    for (const std::int64_t width : fields.widths)
      whole(width >= 1 && width <= 4096, "fields.widths", "widths from 1 to 4096", width);
    whole(fields.blocks >= 1, "fields.blocks", "at least 1", fields.blocks);
  }
  if (generator.name == "spectral_temporal") {
    whole(generator.series >= 1, "series", "at least 1", generator.series);
    whole(generator.window >= 2, "window", "at least 2 lags", generator.window);
  }
  if (options.network.linear_skip &&
      (generator.name != "mlp" || fields.backbone != "mlp" || options.head.family != "gaussian"))
    throw Error(Status::invalid_argument,
                "network.linear_skip: expected generator 'mlp', backbone 'mlp' and head 'gaussian', found '" + generator.name +
                    "', '" + fields.backbone + "' and '" + options.head.family + "'");
  if (generator.name == "mlp" || generator.name == "spectral_temporal") return;
  if (options.estimator != Estimator::exact)
    refuse_combination(generator.name, "estimator", to_string(options.estimator), std::vector<std::string>{"exact"},
                       [](const std::string& e) { return e; });
  const auto plain = [&](bool condition, const std::string& option) {
    if (!condition) throw Error(Status::invalid_argument, option + ": generator '" + generator.name + "' has none");
  };
  plain(options.network.dropout == 0.0, "network.dropout");
  plain(!options.network.layer_norm, "network.layer_norm");
  if (generator.name != "vae" && generator.name != "ladder_vae")
    plain(options.network.deviation == "per_sample", "network.deviation 'shared'");
  if (detail::trains_on_graphs(generator.name)) {
    plain(!options.network.residual, "network.residual");
    plain(options.input_noise == 0.0, "input_noise");
    plain(options.unseen.empty(), "unseen");
    plain(options.scaling == "standard", "scaling 'max_abs'");
    whole(generator.graph.state >= 1 && generator.graph.state <= 4096, "graph.state", "1 to 4096",
          generator.graph.state);
    whole(generator.graph.rounds >= 1 && generator.graph.rounds <= 64, "graph.rounds", "1 to 64",
          generator.graph.rounds);
    if (generator.name == "mpnn") return;
  }
  if (generator.name == "vae" || generator.name == "ladder_vae" || generator.name == "graph_vae") {
    const bool ladder = generator.name == "ladder_vae";
    const auto layers = static_cast<std::int64_t>(generator.latents.size());
    whole(ladder ? layers >= 2 : layers == 1, "latents", ladder ? "two or more widths" : "one width (ladder_vae has more)", layers);
    for (const std::int64_t width : generator.latents)
      whole(width >= 1 && width <= 65536, "latents", "widths from 1 to 65536", width);
    require(generator.kl_weight > 0.0 && std::isfinite(generator.kl_weight), "kl_weight", "a positive number", generator.kl_weight);
    whole(generator.kl_warm_up >= 0, "kl_warm_up", "0 or more epochs", generator.kl_warm_up);
    return;
  }
  whole(fields.frequencies >= 1 && fields.frequencies <= 1024, "fields.frequencies", "1 to 1024", fields.frequencies);
  whole(generator.steps >= 1 && generator.steps <= 100000, "steps", "1 to 100000", generator.steps);
  require_word("projection", generator.projection, {"null_space", "ambient"});
  if (generator.name == "flow_matching" && generator.projection != "null_space")
    refuse_combination(generator.name, "projection", generator.projection, std::vector<std::string>{"null_space"},
                       [](const std::string& p) { return p; });
  require_word("prediction", generator.prediction, {"velocity", "noise", "data"});
  require_word("sampler", generator.sampler, {"ddpm", "ddim"});
}

std::string list_of(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

}  // namespace

namespace detail {

bool trains_on_graphs(const std::string& generator) { return generator == "mpnn" || generator == "graph_vae"; }

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end.ptr);
}

std::map<std::string, std::string> resolved(const TrainingOptions& options) {
  std::string hidden;
  for (const std::int64_t width : options.network.hidden) hidden += (hidden.empty() ? "" : " ") + std::to_string(width);
  std::string dependent;
  for (const std::string& name : options.dependent) dependent += (dependent.empty() ? "" : " ") + name;
  std::map<std::string, std::string> all = {
          {"option.strategy", to_string(options.strategy)},
          {"option.loss", to_string(options.loss)},
          {"option.network.hidden", hidden},
          {"option.network.activation", options.network.activation},
          {"option.network.residual", options.network.residual ? "true" : "false"},
          {"option.network.layer_norm", options.network.layer_norm ? "true" : "false"},
          {"option.network.dropout", text_of(options.network.dropout)},
          {"option.network.parametrization", options.network.parametrization},
          {"option.network.floor", text_of(options.network.floor)},
          {"option.network.deviation", options.network.deviation},
          {"option.network.initialization", options.network.initialization},
          {"option.network.initial_deviation", text_of(options.network.initial_deviation)},
          {"option.scaling", options.scaling},
          {"option.epochs", std::to_string(options.epochs)},
          {"option.batch", std::to_string(options.batch)},
          {"option.learning_rate", text_of(options.learning_rate)},
          {"option.weight_decay", text_of(options.weight_decay)},
          {"option.input_noise", text_of(options.input_noise)},
          {"option.schedule", options.schedule},
          {"option.ema", text_of(options.ema)},
          {"option.seed", std::to_string(options.seed)},
          {"option.selection", options.selection},
          {"option.device", options.device}};
  for (const std::string& name : options.unseen) {
    std::string& unseen = all["option.unseen"];
    unseen += (unseen.empty() ? "" : " ") + name;
  }
  if (options.network.linear_skip) all["option.network.linear_skip"] = "true";
  if (options.estimator != Estimator::exact) {
    all["option.estimator"] = to_string(options.estimator);
    all["option.draws"] = std::to_string(options.draws);
  }
  if (options.head.family != "gaussian") all["option.head"] = options.head.family;
  if (!options.head.positive.empty()) {
    std::string& positive = all["option.head.positive"];
    for (const std::string& word : options.head.positive) positive += (positive.empty() ? "" : " ") + word;
    if (options.loss == Loss::crps) all["option.draws"] = std::to_string(options.draws);
  }
  if (options.micro_batches > 1) all["option.micro_batches"] = std::to_string(options.micro_batches);
  if (options.schedule == "plateau") all["option.patience"] = std::to_string(options.patience);
  if (options.warm_up > 0) all["option.warm_up"] = std::to_string(options.warm_up);
  if (options.gradient_clip > 0.0) all["option.gradient_clip"] = text_of(options.gradient_clip);
  if (options.stop_after > 0) all["option.stop_after"] = std::to_string(options.stop_after);
  const GeneratorOptions& generator = options.generator;
  const bool in_fields = generator.fields.backbone != "mlp";
  if (generator.name != "mlp") all["option.generator"] = generator.name;
  const bool graphs = trains_on_graphs(generator.name);
  if ((generator.name != "mlp" && !graphs) || in_fields) all["option.generator.backbone"] = generator.fields.backbone;
  if (in_fields) {
    all["option.generator.height"] = std::to_string(generator.fields.height);
    all["option.generator.width"] = std::to_string(generator.fields.width);
    all["option.generator.radius"] = std::to_string(generator.fields.radius);
    all["option.generator.groups"] = std::to_string(generator.fields.groups);
  }
  if (in_fields || generator.name == "spectral_temporal") {
    all["option.generator.widths"] = list_of(generator.fields.widths);
    all["option.generator.blocks"] = std::to_string(generator.fields.blocks);
  }
  if (graphs) {
    std::string categories;
    for (const std::string& name : generator.graph.categories) categories += (categories.empty() ? "" : " ") + name;
    all["option.generator.state"] = std::to_string(generator.graph.state);
    all["option.generator.rounds"] = std::to_string(generator.graph.rounds);
    all["option.generator.directed"] = generator.graph.directed ? "true" : "false";
    all["option.generator.categories"] = categories;
  }
  if (generator.name == "spectral_temporal") {
    all["option.generator.series"] = std::to_string(generator.series);
    all["option.generator.window"] = std::to_string(generator.window);
  } else if (generator.name == "vae" || generator.name == "ladder_vae" || generator.name == "graph_vae") {
    all["option.generator.latents"] = list_of(generator.latents);
    all["option.generator.kl_weight"] = text_of(generator.kl_weight);
    all["option.generator.kl_warm_up"] = std::to_string(generator.kl_warm_up);
  } else if (generator.name != "mlp" && !graphs) {
    all["option.generator.frequencies"] = std::to_string(generator.fields.frequencies);
    all["option.generator.steps"] = std::to_string(generator.steps);
    all["option.generator.projection"] = generator.projection;
    if (generator.name == "ddpm") {
      all["option.generator.prediction"] = generator.prediction;
      all["option.generator.sampler"] = generator.sampler;
    }
  }
  if (options.strategy == Strategy::penalty) all["option.penalty_weight"] = text_of(options.penalty_weight);
  if (options.strategy == Strategy::completion) all["option.dependent"] = dependent;
  return all;
}

}  // namespace detail

std::int64_t resolved_micro_batches(const TrainingOptions& options, const TrainingCommunicator* communicator) {
  if (options.micro_batches != 0) return options.micro_batches;
  return communicator ? 8 : 1;
}

void require_valid(const TrainingOptions& options) {
  // The enums may have been cast from numbers; an unknown one has no word. With one law l1_layer admits more: the laws say.
  descriptor(options.strategy);
  loss_from(to_string(options.loss));
  require_admitted(options.strategy, options.loss, true);
  require_trained_by(options);
  require_generator(options);
  detail::require_head(options);
  require(options.draws >= 2 && options.draws <= 65536, "draws", "2 to 65536: scores have pairs of draws", options.draws);
  require(options.penalty_weight >= 0.0 && std::isfinite(options.penalty_weight), "penalty_weight",
          "a number that is not negative", options.penalty_weight);
  if (!options.dependent.empty() && options.strategy != Strategy::completion)
    throw Error(Status::invalid_argument, std::string("dependent: only strategy 'completion' has dependent outputs, found '") +
                                              to_string(options.strategy) + "'");
  const MlpOptions& network = options.network;
  require(!network.hidden.empty(), "network.hidden", "at least one layer", 0);
  for (const std::int64_t width : network.hidden)
    require(width >= 1 && width <= 65536, "network.hidden", "widths from 1 to 65536", static_cast<double>(width));
  require_word("activation", network.activation, {"silu", "relu"});
  require_word("parametrization", network.parametrization, {"softplus", "exp"});
  require_word("deviation", network.deviation, {"per_sample", "shared"});
  require(network.dropout >= 0.0 && network.dropout <= 0.9, "network.dropout", "a share from 0 to 0.9", network.dropout);
  require(network.floor > 0.0 && std::isfinite(network.floor), "network.floor", "a positive number", network.floor);
  require_word("initialization", network.initialization, {"lecun", "he", "torch"});
  require(network.initial_deviation > network.floor && std::isfinite(network.initial_deviation),
          "network.initial_deviation", "more than network.floor (" + detail::text_of(network.floor) + ")",
          network.initial_deviation);
  require_word("scaling", options.scaling, {"standard", "max_abs"});
  require(options.epochs >= 1, "epochs", "at least 1", static_cast<double>(options.epochs));
  require(options.batch >= 1, "batch", "at least 1", static_cast<double>(options.batch));
  require(options.micro_batches >= 0 && options.micro_batches <= 65536, "micro_batches", "0 (unset) to 65536",
          static_cast<double>(options.micro_batches));
  require(options.learning_rate > 0.0 && std::isfinite(options.learning_rate), "learning_rate", "a positive number",
          options.learning_rate);
  require(options.weight_decay >= 0.0 && std::isfinite(options.weight_decay), "weight_decay",
          "a number that is not negative", options.weight_decay);
  require(options.input_noise >= 0.0 && std::isfinite(options.input_noise), "input_noise",
          "a number that is not negative", options.input_noise);
  require_word("schedule", options.schedule, {"cosine", "constant", "plateau"});
  require(options.patience >= 1, "patience", "at least 1 epoch", static_cast<double>(options.patience));
  require(options.warm_up >= 0, "warm_up", "0 or more steps", static_cast<double>(options.warm_up));
  require(options.gradient_clip >= 0.0 && std::isfinite(options.gradient_clip), "gradient_clip",
          "a norm that is not negative", options.gradient_clip);
  require(options.stop_after >= 0, "stop_after", "0 or more epochs", static_cast<double>(options.stop_after));
  if (options.selection == "last" && (options.schedule == "plateau" || options.stop_after > 0))
    throw Error(Status::invalid_argument, "selection 'last' needs no validation samples, which schedule 'plateau' and "
                                          "stop_after go by; legal with them: best");
  require(options.ema >= 0.0 && options.ema < 1.0, "ema", "a decay in [0, 1)", options.ema);
  require_word("selection", options.selection, {"best", "last"});
  require(options.threads >= 0, "threads", "0 (all) or more", options.threads);
  require(options.buffer_bytes >= 0, "buffer_bytes", "0 (all in memory) or more",
          static_cast<double>(options.buffer_bytes));
  if (options.resume && options.checkpoint.empty())
    throw Error(Status::invalid_argument, "resume: expected the checkpoint folder of the training to go on with, found none");
}
}  // namespace lavoisier
