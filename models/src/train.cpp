#include "checkpoint.hpp"
#include "export_model.hpp"
#include "generator.hpp"
#include "graph_data.hpp"
#include "network.hpp"
#include "network_kernels.hpp"
#include "optimizer.hpp"
#include "options.hpp"
#include "training_data.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/metric_projection.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

namespace lavoisier {
namespace {

using namespace detail;
using Eigen::Index;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string digest_of(const TrainingData& data) {
  std::vector<double> numbers(data.A.data(), data.A.data() + data.A.size());
  numbers.insert(numbers.end(), data.training.A.data(), data.training.A.data() + data.training.A.size());
  numbers.insert(numbers.end(), data.training.d.data(), data.training.d.data() + data.training.d.size());
  numbers.insert(numbers.end(), data.output_scale.data(), data.output_scale.data() + data.output_scale.size());
  return sha256(std::as_bytes(std::span<const double>(numbers)));
}

/// "flux[2]": how an element of the flat outputs is named.
std::string element_name(const StateLayout& layout, Index element) {
  for (const Variable& variable : layout.with_role(Role::output)) {
    const Index first = layout.offset(variable.name), count = layout.elements(variable);
    if (element >= first && element < first + count)
      return count == 1 ? variable.name : variable.name + "[" + std::to_string(element - first) + "]";
  }
  return "output " + std::to_string(element);
}

/// Flat outputs that a word of `dependent` names.
std::vector<Index> elements_of(const StateLayout& layout, const std::string& word) {
  std::vector<Index> all;
  std::vector<std::string> names;
  for (const Variable& variable : layout.with_role(Role::output)) {
    names.push_back(variable.name);
    const Index first = layout.offset(variable.name), count = layout.elements(variable);
    for (Index e = 0; e < count; ++e)
      if (word == variable.name || word == variable.name + "[" + std::to_string(e) + "]") all.push_back(first + e);
  }
  if (!all.empty()) return all;
  std::string message = "dependent: no output '" + word + "'; outputs:";
  for (const std::string& name : names) message += (&name == &names.front() ? " " : ", ") + name;
  const std::string nearest = nearest_name(word, names);
  throw Error(Status::invalid_argument, message + (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

/// The outputs that completion (and an l1_layer of one shared law, which is one) computes: places among the active ones.
std::vector<Index> dependent_of(const SampleSet& samples, const LinearConstraints& constraints,
                                const TrainingOptions& options, const TrainingData& data) {
  const bool one_shared_law = data.laws == 1 && constraints.shared();
  if (data.laws > 0) require_admitted(options.strategy, options.loss, one_shared_law);
  if (data.laws == 0 || (options.strategy != Strategy::completion && !(options.strategy == Strategy::l1_layer && one_shared_law)))
    return {};
  const RowMatrix& A = constraints.shared() ? data.A : data.training.A;
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(A.cols());
  if (options.dependent.empty()) return dependent_outputs(A, data.laws, ones);
  std::vector<Index> dependent;
  std::string names;
  for (const std::string& word : options.dependent)
    for (const Index element : elements_of(samples.layout, word)) {
      const auto at = std::find(data.active.begin(), data.active.end(), element);
      const std::string name = element_name(samples.layout, element);
      if (at == data.active.end())
        throw Error(Status::invalid_argument, "dependent: output '" + name + "' is constant in training");
      dependent.push_back(static_cast<Index>(at - data.active.begin()));
      names += (names.empty() ? "" : ", ") + name;
    }
  try {
    require_dependent(A, data.laws, ones, dependent);
  } catch (const Error& error) {
    throw Error(error.status(), std::string(error.what()) + " (dependent: " + names + ")");
  }
  std::sort(dependent.begin(), dependent.end());
  return dependent;
}

/// One training from preparation to export. Its state between two steps is a TrainingState, nothing else.
class Training {
 public:
  Training(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options)
      : samples_(samples),
        constraints_(constraints),
        options_(options),
        data_(samples, constraints, options.selection == "best", options.scaling),
        context_{options, data_, samples.input_elements(), samples.output_elements(),
                 dependent_of(samples, constraints, options, data_)},
        generator_(make_generator(context_)),
        adam_(generator_->parameters(), options),
        steps_per_epoch_((data_.training.count() + options.batch - 1) / options.batch) {
    begin();
  }

  /// Of graphs, which the generator keeps; `samples` has their fixed layout and source, and no numbers.
  Training(const SampleSet& samples, const LinearConstraints& constraints, const GraphData& graphs,
           const TrainingOptions& options)
      : samples_(samples),
        constraints_(constraints),
        options_(options),
        data_(graphs.scalers),
        context_{options, data_, samples.input_elements(), samples.output_elements(), {}},
        generator_(make_graph_generator(context_, graphs)),
        adam_(generator_->parameters(), options),
        steps_per_epoch_((data_.training.count() + options.batch - 1) / options.batch) {
    begin();
  }

  void begin() {
    const TrainingOptions& options = options_;
    identity_ = resolved(options);
    identity_["data.digest"] = data_.digest;
    identity_["laws.digest"] = digest_of(data_);
    identity_["version"] = LAVOISIER_VERSION;
    identity_["training.engine"] = generator_->engine();
    if (options.resume) {
      state_ = read_checkpoint(options.checkpoint, identity_);
      const auto size = static_cast<std::size_t>(generator_->parameters().size);
      if (state_.weights.size() != size || state_.first_moment.size() != size || state_.second_moment.size() != size ||
          state_.average.size() != adam_.average.size() || (!state_.best.empty() && state_.best.size() != size))
        throw Error(Status::invalid_format,
                    checkpoint_file(options.checkpoint).string() + " holds another number of weights than the network");
      for (TrainingProgress& progress : state_.history) progress.epochs = options.epochs;
      std::copy(state_.weights.begin(), state_.weights.end(), generator_->weights().begin());
      adam_.first = state_.first_moment;
      adam_.second = state_.second_moment;
      adam_.average = state_.average;
    } else {
      if (!options.checkpoint.empty()) require_no_unfinished_checkpoint(options.checkpoint);
      generator_->initialise(options.seed);
    }
    before_ = state_.seconds;
  }

  TrainingResult run(const TrainingListener& listener, const std::atomic<bool>* stop) {
    std::optional<Clock::time_point> written;
    while (!finished()) {
      train_epoch(stop);
      finish_epoch();
      // Not after each of many short epochs: a checkpoint is synced to the disk.
      if (!options_.checkpoint.empty() && (!written || seconds_since(*written) > 2.0) && !finished()) {
        keep_checkpoint();
        written = Clock::now();
      }
      if (listener) listener(state_.history.back());
    }
    TrainingResult result;
    result.model = finished_model();
    result.history = state_.history;
    result.target_distance = data_.target_distance;
    result.seconds = state_.seconds;
    if (!options_.checkpoint.empty()) keep_checkpoint();
    return result;
  }

 private:
  bool finished() const {
    if (state_.epoch >= options_.epochs) return true;
    return options_.stop_after > 0 && !state_.history.empty() &&
           state_.history.back().epoch - state_.history.back().best_epoch >= options_.stop_after;
  }

  /// Rows of a subset by their places in it.
  void gather(const StandardisedRows& from, std::span<const std::int64_t> places, GeneratorRows& to) const {
    const Index count = static_cast<Index>(places.size()), laws = data_.laws;
    const std::size_t inputs = from.x.size() / from.rows.size();  // none where the generator keeps the rows
    to.at.samples.assign(places.begin(), places.end());
    to.x.resize(places.size() * inputs);
    to.y.resize(count, from.y.cols());
    to.d.resize(count, from.d.cols());
    to.A.resize(from.A.rows() > 0 ? count * laws : 0, from.A.cols());
    for (Index i = 0; i < count; ++i) {
      const std::int64_t place = places[static_cast<std::size_t>(i)];
      std::copy_n(from.x.data() + static_cast<std::size_t>(place) * inputs, inputs, to.x.data() + static_cast<std::size_t>(i) * inputs);
      to.y.row(i) = from.y.row(place);
      to.d.row(i) = from.d.row(place);
      if (to.A.rows() > 0) to.A.middleRows(i * laws, laws) = from.A.middleRows(place * laws, laws);
    }
  }

  void train_epoch(const std::atomic<bool>* stop) {
    const StandardisedRows& rows = data_.training;
    const std::vector<std::int64_t> order = permutation(rows.count(), options_.seed, state_.epoch);
    const std::int64_t steps = steps_per_epoch_ * options_.epochs;
    GeneratorRows at;
    at.epoch = state_.epoch;
    Eigen::VectorXd each;
    while (state_.step_in_epoch < steps_per_epoch_) {
      if (stop && stop->load(std::memory_order_relaxed)) interrupt();
      // All rows in batches of nearly equal size: a small rest would weigh as much as a full batch.
      const std::int64_t begin = state_.step_in_epoch * rows.count() / steps_per_epoch_;
      const std::int64_t end = (state_.step_in_epoch + 1) * rows.count() / steps_per_epoch_;
      const std::span<const std::int64_t> batch(order.data() + begin, static_cast<std::size_t>(end - begin));
      gather(rows, batch, at);
      at.at.step = static_cast<std::uint64_t>(state_.step);
      if (options_.input_noise > 0.0) add_input_noise(at.x, options_.input_noise, options_.seed, state_.step);
      const double mean = generator_->differentiate(at, each);
      const std::span<float> gradient = generator_->gradient();
      if (!std::isfinite(mean) || !network_kernels_.finite(gradient.data(), static_cast<std::int64_t>(gradient.size())))
        refuse(mean, each, batch);
      if (options_.gradient_clip > 0.0) clip(gradient, options_.gradient_clip);
      const double rate = learning_rate(options_, state_.step, steps) * plateau_factor(options_, state_.history);
      adam_.update(generator_->weights(), gradient, state_.step, rate);
      state_.loss_sum += each.sum();
      ++state_.step;
      ++state_.step_in_epoch;
    }
  }

  double evaluate(const StandardisedRows& rows, std::span<const float> weights) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(rows.count()));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    GeneratorRows at;
    gather(rows, all, at);
    at.judging = true;
    return generator_->evaluate(at, weights).mean();
  }

  /// The weights by which an epoch is judged.
  std::vector<float> judged() {
    if (!adam_.average.empty()) return adam_.average;
    const std::span<float> weights = generator_->weights();
    return {weights.begin(), weights.end()};
  }

  void finish_epoch() {
    TrainingProgress progress;
    progress.epochs = options_.epochs;
    progress.epoch = state_.epoch + 1;
    progress.training_loss = state_.loss_sum / static_cast<double>(data_.training.count());
    const std::vector<float> weights = judged();
    const bool validated = data_.validation.count() > 0;
    progress.validation_loss = validated ? evaluate(data_.validation, weights) : std::numeric_limits<double>::quiet_NaN();
    if (validated && !std::isfinite(progress.validation_loss))
      throw Error(Status::non_finite, "the loss of the validation samples is not finite after epoch " +
                                          std::to_string(progress.epoch) + kept_text());
    const bool first = state_.history.empty();
    if (first || options_.selection == "last" || progress.validation_loss < state_.history.back().best_validation_loss) {
      progress.best_validation_loss = progress.validation_loss;
      progress.best_epoch = progress.epoch;
      state_.best = weights;
    } else {
      progress.best_validation_loss = state_.history.back().best_validation_loss;
      progress.best_epoch = state_.history.back().best_epoch;
    }
    state_.seconds = before_ + seconds_since(start_);
    progress.seconds = state_.seconds;
    progress.seconds_left = state_.seconds / static_cast<double>(progress.epoch) *
                            static_cast<double>(options_.epochs - progress.epoch);
    state_.history.push_back(progress);
    state_.loss_sum = 0.0;
    state_.step_in_epoch = 0;
    ++state_.epoch;
  }

  ModelFile model(std::map<std::string, std::string> provenance) {
    const std::vector<float> weights = state_.best.empty() ? judged() : state_.best;
    provenance.insert(identity_.begin(), identity_.end());
    provenance.insert(options_.provenance.begin(), options_.provenance.end());
    return export_model(samples_, constraints_, context_, *generator_, weights, std::move(provenance));
  }

  ModelFile finished_model() {
    std::map<std::string, std::string> provenance;
    provenance["data.source"] = samples_.source;
    provenance["data.training_samples"] = std::to_string(data_.training.count());
    provenance["data.validation_samples"] = std::to_string(data_.validation.count());
    provenance["data.target_distance"] = text_of(data_.target_distance);
    provenance["training.threads"] = std::to_string(training_threads());
    provenance["training.libtorch"] = torch_version();
    provenance["training.weights"] = std::to_string(generator_->parameters().size);
    provenance["training.best_epoch"] = std::to_string(state_.history.back().best_epoch);
    provenance["training.loss"] = text_of(state_.history.back().training_loss);
    if (data_.validation.count() == 0) return model(std::move(provenance));
    provenance["validation.loss"] = text_of(state_.history.back().best_validation_loss);
    if (options_.generator.name != "mlp") return model(std::move(provenance));  // no marginals in closed form
    // Scores of the model as others will run it: of the exported graph, against the reference as it was read.
    const SampleSet validation = select(samples_, data_.validation.rows);
    const PredictedMarginals found = predict(model({}), validation);
    const Eigen::Map<const RowMatrix> y(validation.outputs.data(), found.mean.rows(), found.mean.cols());
    const GaussianCrps crps = gaussian_crps(found.mean, found.variance, y, {training_threads()});
    for (const Variable& variable : samples_.layout.with_role(Role::output)) {
      const Index first = samples_.layout.offset(variable.name), count = samples_.layout.elements(variable);
      const RowMatrix errors = (y - found.mean).middleCols(first, count);
      provenance["validation.rmse." + variable.name] = text_of(std::sqrt(errors.array().square().mean()));
      provenance["validation.crps." + variable.name] = text_of(crps.value.middleCols(first, count).mean());
    }
    return model(std::move(provenance));
  }

  void keep_checkpoint() {
    const std::span<float> weights = generator_->weights();
    state_.weights.assign(weights.begin(), weights.end());
    state_.first_moment = adam_.first;
    state_.second_moment = adam_.second;
    state_.average = adam_.average;
    write_checkpoint(options_.checkpoint, model({}), state_, finished());
  }

  std::string position() const {
    return "step " + std::to_string(state_.step + 1) + " (epoch " + std::to_string(state_.epoch + 1) + " of " +
           std::to_string(options_.epochs) + ")";
  }
  std::string kept_text() {
    if (options_.checkpoint.empty()) return "; no checkpoint was asked for, so nothing is kept";
    return "; the last good state is in " + checkpoint_file(options_.checkpoint).string();
  }

  [[noreturn]] void interrupt() {
    std::string message = "training stopped before " + position();
    if (options_.checkpoint.empty()) {
      message += "; no checkpoint was asked for, so nothing is kept";
    } else {
      keep_checkpoint();
      message += "; the checkpoint " + checkpoint_file(options_.checkpoint).string() +
                 " holds its state: give the same options and resume to go on";
    }
    throw Error(Status::interrupted, message);
  }

  [[noreturn]] void refuse(double mean, const Eigen::VectorXd& each, std::span<const std::int64_t> batch) {
    std::string names;
    int bad = 0;
    for (Index i = 0; i < each.size(); ++i)
      if (!std::isfinite(each[i]) && ++bad <= 5)
        names += (names.empty() ? "" : ", ") + sample_name(samples_, data_.training.rows[static_cast<std::size_t>(batch[static_cast<std::size_t>(i)])]);
    if (!options_.checkpoint.empty()) keep_checkpoint();  // the state before this step is good
    const std::string where = bad == 0 ? "its gradient is not, in the batch that begins with " +
                                             sample_name(samples_, data_.training.rows[static_cast<std::size_t>(batch[0])])
                                       : "not for " + std::to_string(bad) + " of " + std::to_string(each.size()) +
                                             " samples of the batch: " + names + (bad > 5 ? ", ..." : "");
    throw Error(Status::non_finite, "the loss is no longer finite at " + position() + " (" + text_of(mean) + "): " + where +
                                        kept_text() + ". A smaller learning rate may help");
  }

  const SampleSet& samples_;
  const LinearConstraints& constraints_;
  const TrainingOptions& options_;
  TrainingData data_;
  GeneratorContext context_;
  std::unique_ptr<Generator> generator_;
  const KernelTable& network_kernels_ = network_kernels();
  Adam adam_;
  std::int64_t steps_per_epoch_;
  std::map<std::string, std::string> identity_;
  TrainingState state_;
  Clock::time_point start_ = Clock::now();
  double before_ = 0.0;  ///< seconds of the runs before this one
};

}  // namespace

TrainingResult train(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener, const std::atomic<bool>* stop) {
  require_valid(options);
  if (trains_on_graphs(options.generator.name))
    throw Error(Status::invalid_argument, "generator '" + options.generator.name +
                                              "' trains on graphs (GraphSet), not on samples of a fixed layout");
  set_training_threads(options.threads > 0 ? options.threads : training_threads());
  Training training(samples, constraints, options);
  return training.run(listener, stop);
}

TrainingResult train(const GraphSet& set, const TrainingOptions& options, const TrainingListener& listener,
                     const std::atomic<bool>* stop) {
  require_valid(options);
  if (!trains_on_graphs(options.generator.name))
    throw Error(Status::invalid_argument,
                "generator '" + options.generator.name + "' does not train on graphs; legal: mpnn, graph_vae");
  set_training_threads(options.threads > 0 ? options.threads : training_threads());
  const GraphData graphs(set, options);
  SampleSet samples;
  samples.layout = graphs.layout.at_capacity();
  samples.samples = set.graphs.samples;
  samples.source = set.source;
  const LinearConstraints constraints(samples.layout, set.laws, set.constants);
  Training training(samples, constraints, graphs, options);
  return training.run(listener, stop);
}

}  // namespace lavoisier
