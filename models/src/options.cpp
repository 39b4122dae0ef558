#include "options.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

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

}  // namespace

namespace detail {

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end.ptr);
}

void validate(const TrainingOptions& options) {
  // The enums may have been cast from numbers; an unknown one has no word. With one law l1_layer admits more: the laws say.
  descriptor(options.strategy);
  loss_from(to_string(options.loss));
  require_admitted(options.strategy, options.loss, true);
  require(options.penalty_weight >= 0.0 && std::isfinite(options.penalty_weight), "penalty_weight",
          "a number that is not negative", options.penalty_weight);
  if (!options.dependent.empty() && options.strategy != Strategy::completion)
    throw Error(Status::invalid_argument, std::string("dependent: only strategy 'completion' has dependent outputs, found '") +
                                              to_string(options.strategy) + "'");
  const MlpOptions& network = options.network;
  require(!network.hidden.empty(), "network.hidden", "at least one layer", 0);
  for (const std::int64_t width : network.hidden)
    require(width >= 1 && width <= 65536, "network.hidden", "widths from 1 to 65536", static_cast<double>(width));
  require_word("activation", network.activation, {"silu"});
  require_word("parametrization", network.parametrization, {"softplus", "exp"});
  require(network.dropout >= 0.0 && network.dropout <= 0.9, "network.dropout", "a share from 0 to 0.9", network.dropout);
  require(network.floor > 0.0 && std::isfinite(network.floor), "network.floor", "a positive number", network.floor);
  require_word("initialization", network.initialization, {"lecun", "he", "torch"});
  require(network.initial_deviation > network.floor && std::isfinite(network.initial_deviation),
          "network.initial_deviation", "more than network.floor (" + detail::text_of(network.floor) + ")",
          network.initial_deviation);
  require_word("scaling", options.scaling, {"standard", "max_abs"});
  require(options.epochs >= 1, "epochs", "at least 1", static_cast<double>(options.epochs));
  require(options.batch >= 1, "batch", "at least 1", static_cast<double>(options.batch));
  require(options.learning_rate > 0.0 && std::isfinite(options.learning_rate), "learning_rate", "a positive number",
          options.learning_rate);
  require(options.weight_decay >= 0.0 && std::isfinite(options.weight_decay), "weight_decay",
          "a number that is not negative", options.weight_decay);
  require(options.input_noise >= 0.0 && std::isfinite(options.input_noise), "input_noise",
          "a number that is not negative", options.input_noise);
  require_word("schedule", options.schedule, {"cosine", "constant"});
  require(options.ema >= 0.0 && options.ema < 1.0, "ema", "a decay in [0, 1)", options.ema);
  require_word("selection", options.selection, {"best", "last"});
  require(options.threads >= 0, "threads", "0 (all) or more", options.threads);
  if (options.device != "cpu")
    throw Error(Status::unsupported, "device '" + options.device + "': this release trains on 'cpu' only");
  if (options.resume && options.checkpoint.empty())
    throw Error(Status::invalid_argument, "resume: expected the checkpoint folder of the training to go on with, found none");
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
  if (options.strategy == Strategy::penalty) all["option.penalty_weight"] = text_of(options.penalty_weight);
  if (options.strategy == Strategy::completion) all["option.dependent"] = dependent;
  return all;
}

}  // namespace detail
}  // namespace lavoisier
