#include "protocol.hpp"

#include "options.hpp"
#include "training_options.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <span>
#include <span>

namespace lavoisier::cli {
namespace {

class Section {
 public:
  Section(const toml::table& table, std::string name, std::string file, std::vector<std::string> legal)
      : table_(table), name_(std::move(name)), file_(std::move(file)) {
    for (const auto& [key, node] : table_) {
      const std::string word(key.str());
      if (std::find(legal.begin(), legal.end(), word) != legal.end()) continue;
      fail(node, fmt::format("unknown key '{}'", path(word)) + suggestion(word, legal) +
                     fmt::format("; legal are {}", fmt::join(legal, ", ")));
    }
  }
  [[noreturn]] void fail(const toml::node& node, const std::string& message) const {
    throw Error(Status::invalid_format, fmt::format("{}:{}: {}", file_, node.source().begin.line, message));
  }
  template <typename T>
  void read(const char* key, T& value, const char* what) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    const auto found = node->value<T>();
    if (!found) fail(*node, fmt::format("'{}': expected {}", path(key), what));
    value = *found;
  }
  template <typename T>
  void read_list(const char* key, std::vector<T>& values, const char* what) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->empty()) fail(*node, fmt::format("'{}': expected a list of {}", path(key), what));
    values.clear();
    for (const toml::node& item : *array) {
      const auto found = item.value<std::int64_t>();
      if (!found || *found < 0) fail(item, fmt::format("'{}': expected a list of {}", path(key), what));
      values.push_back(static_cast<T>(*found));
    }
  }
  void read_words(const char* key, std::vector<std::string>& values, const char* what) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->empty()) fail(*node, fmt::format("'{}': expected a list of {}", path(key), what));
    values.clear();
    for (const toml::node& item : *array) {
      if (!item.is_string()) fail(item, fmt::format("'{}': expected a list of {}", path(key), what));
      values.push_back(item.as_string()->get());
    }
  }
  void positive(const char* key, double value) const {
    if (!(value > 0.0)) fail(*table_.get(key), fmt::format("'{}': expected a positive number, found {}", path(key), value));
  }
  std::string path(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }
  const toml::table& table() const { return table_; }

 private:
  const toml::table& table_;
  std::string name_, file_;
};

std::filesystem::path find(const std::string& name) {
  if (std::filesystem::exists(name)) return name;
  std::vector<std::filesystem::path> folders;
  if (name.find('/') == std::string::npos) {
    if (const char* folder = std::getenv("LAVOISIER_PROTOCOLS")) folders.emplace_back(folder);
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) folders.push_back(self.parent_path().parent_path() / "share/lavoisier/protocols");
    folders.emplace_back(LAVOISIER_PROTOCOLS_DIR);
    for (const auto& folder : folders) {
      for (const std::string& file : {name, name + ".toml"}) {
        if (std::filesystem::exists(folder / file)) return folder / file;
      }
    }
  }
  std::set<std::string> known;
  for (const auto& folder : folders) {
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(folder, unreadable)) {
      if (entry.path().extension() == ".toml") known.insert(entry.path().stem().string());
    }
  }
  const std::vector<std::string> names(known.begin(), known.end());
  throw Error(Status::not_found, fmt::format("no protocol '{}'", name) + suggestion(name, names) +
                                     fmt::format("; shipped are {}; a file of your own is given by its path (NAME.toml)",
                                                 fmt::join(names, ", ")));
}

}  // namespace

std::vector<Protocol::Row> admissible_rows() {
  std::vector<Protocol::Row> rows;
  // The others (docs/strategies.md) where they are named: each costs a training a seed.
  for (Strategy strategy : {Strategy::none, Strategy::projection, Strategy::post_hoc, Strategy::conditional}) {
    for (Loss loss : {Loss::likelihood, Loss::crps}) {
      if (admits(strategy, loss)) rows.push_back({strategy, loss});
    }
  }
  return rows;
}

void use_split(const Protocol& protocol, Domain& domain) {
  if (protocol.text.empty()) return;
  if (std::optional<Split> split = read_split(protocol.text, protocol.file, domain.sample_dimensions))
    use_split(domain, std::move(*split), protocol.file);
}

Protocol load_protocol(const std::string& name_or_file) {
  const std::filesystem::path path = find(name_or_file);
  const std::string file = path.string();
  Protocol protocol;
  protocol.text = read_toml_file(path, 4 << 20);
  protocol.digest = sha256(std::as_bytes(std::span(protocol.text)));
  protocol.file = file;
  toml::table root;
  try {
    root = toml::parse(protocol.text, file);
  } catch (const toml::parse_error& error) {
    throw Error(Status::invalid_format, fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  const Section top(root, "", file, {"name", "description", "domain", "scaling", "split", "network", "training", "comparison"});
  top.read("name", protocol.name, "text");
  top.read("description", protocol.description, "text");
  top.read("domain", protocol.domain, "text");
  top.read("scaling", protocol.training.scaling, "text");
  if (protocol.training.scaling != "standard" && protocol.training.scaling != "max_abs") {
    top.fail(*root.get("scaling"), fmt::format("'scaling': expected standard or max_abs, found {}", protocol.training.scaling));
  }
  const toml::table empty;
  const auto table = [&](const char* key) -> const toml::table& {
    const toml::node* node = root.get(key);
    if (node == nullptr) return empty;
    if (!node->is_table()) top.fail(*node, fmt::format("'{}': expected a table", key));
    return *node->as_table();
  };

  const Section network(table("network"), "network", file, {"model", "hidden", "activation", "dropout", "parametrization", "deviation", "floor",
                         "initialization", "initial_deviation", "head", "positive", "linear_skip", "state", "rounds", "directed"});
  std::string& model = protocol.training.generator.name;
  network.read("model", model, "text");
  if (model != "mlp" && model != "mpnn")
    network.fail(*network.table().get("model"), fmt::format("'network.model': expected mlp, or mpnn of graphs, found {}", model));
  for (const char* key : {"state", "rounds", "directed"})
    if (model != "mpnn" && network.table().contains(key))
      network.fail(*network.table().get(key), fmt::format("'network.{}': only model mpnn has it, found {}", key, model));
  network.read("state", protocol.training.generator.graph.state, "a whole number");
  network.read("rounds", protocol.training.generator.graph.rounds, "a whole number");
  network.read("directed", protocol.training.generator.graph.directed, "true or false");
  MlpOptions& mlp = protocol.training.network;
  network.read_list("hidden", mlp.hidden, "widths");
  network.read("activation", mlp.activation, "text");
  network.read("dropout", mlp.dropout, "a number");
  network.read("parametrization", mlp.parametrization, "text");
  network.read("deviation", mlp.deviation, "text");
  network.read("floor", mlp.floor, "a number");
  network.read("initialization", mlp.initialization, "text");
  network.read("initial_deviation", mlp.initial_deviation, "a number");
  network.read("head", protocol.training.head.family, "text");
  network.read_words("positive", protocol.training.head.positive, "NAME=LAW");
  network.read("linear_skip", mlp.linear_skip, "true or false");

  const Section training(table("training"), "training", file,
                         {"epochs", "batch", "optimizer", "learning_rate", "weight_decay", "input_noise", "schedule", "ema", "selection",
                          "penalty_weight", "draws", "gradient_clip", "calibrate"});
  TrainingOptions& options = protocol.training;
  std::string optimizer = "adam";
  training.read("optimizer", optimizer, "text");
  if (optimizer != "adam") {
    training.fail(*training.table().get("optimizer"), fmt::format("'training.optimizer': expected adam, found {}", optimizer));
  }
  training.read("epochs", options.epochs, "a whole number");
  training.read("batch", options.batch, "a whole number");
  training.read("learning_rate", options.learning_rate, "a number");
  training.read("weight_decay", options.weight_decay, "a number");
  training.read("input_noise", options.input_noise, "a number");
  training.read("schedule", options.schedule, "text");
  training.read("ema", options.ema, "a number");
  training.read("selection", options.selection, "text");
  training.read("penalty_weight", options.penalty_weight, "a number");
  training.read("draws", options.draws, "a whole number");
  training.read("gradient_clip", options.gradient_clip, "a number");
  training.read("calibrate", protocol.calibrate, "true or false");
  if (training.table().contains("epochs")) training.positive("epochs", static_cast<double>(options.epochs));
  if (training.table().contains("batch")) training.positive("batch", static_cast<double>(options.batch));
  if (training.table().contains("learning_rate")) training.positive("learning_rate", options.learning_rate);

  if (protocol.calibrate && (mlp.linear_skip || mlp.deviation != "per_sample" ||
                             (options.head.family != "gaussian" && options.head.family != "mixed")))
    training.fail(*training.table().get("calibrate"), "'training.calibrate': only deviations that a network makes for each sample are calibrated: head "
                                                      "gaussian or mixed, deviation per_sample, no linear_skip");
  const Section comparison(table("comparison"), "comparison", file, {"seeds", "subset", "rows"});
  comparison.read_list("seeds", protocol.seeds, "whole numbers from 0");
  std::string subset = to_string(protocol.subset);
  comparison.read("subset", subset, "text");
  protocol.subset = subset_from(subset);
  if (const toml::node* node = comparison.table().get("rows")) {
    const toml::array* array = node->as_array();
    if (array == nullptr || array->empty()) comparison.fail(*node, "'comparison.rows': expected a list of {strategy, loss}");
    for (const toml::node& item : *array) {
      if (!item.is_table()) comparison.fail(item, "'comparison.rows': expected {strategy = ..., loss = ...}");
      const Section row(*item.as_table(), "comparison.rows", file, {"strategy", "loss"});
      std::string strategy, loss;
      row.read("strategy", strategy, "text");
      row.read("loss", loss, "text");
      try {
        protocol.rows.push_back({strategy_from(strategy), loss_from(loss)});
        require_admitted(protocol.rows.back().strategy, protocol.rows.back().loss, true);
      } catch (const Error& error) {
        comparison.fail(item, error.what());
      }
    }
  } else {
    protocol.rows = admissible_rows();
  }
  return protocol;
}

}  // namespace lavoisier::cli
