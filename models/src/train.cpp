#include "checkpoint.hpp"
#include "dependent_choice.hpp"
#include "export_model.hpp"
#include "generator.hpp"
#include "graph_data.hpp"
#include "network_kernels.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "options.hpp"
#include "ordered_sum.hpp"
#include "training_data.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>

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

/// Rows of a batch or subset, or part of it.
struct Rows {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
};
/// Those of some of `parts` nearly equal parts that cover 0 to count - 1.
Rows rows_of(std::int64_t count, int parts, PartRange range) {
  return {range.first * count / parts, range.last * count / parts};
}

/// What one rank has to say after its share of a step or of a validation: equal blocks of doubles, gathered.
class Report {
 public:
  Report(TrainingCommunicator* communicator, std::int64_t numbers)
      : own(static_cast<std::size_t>(numbers)), communicator_(communicator) {}
  std::vector<double> own;  ///< zeros at first
  void gather() {
    const auto ranks = static_cast<std::size_t>(communicator_ ? communicator_->size() : 1);
    all_.resize(ranks * own.size());
    if (communicator_)
      communicator_->gather(std::as_bytes(std::span(own)), std::as_writable_bytes(std::span(all_)));
    else
      all_ = own;
  }
  std::span<const double> of(int rank) const {
    return std::span(all_).subspan(static_cast<std::size_t>(rank) * own.size(), own.size());
  }
  bool any(std::size_t number) const {
    for (std::size_t i = number; i < all_.size(); i += own.size())
      if (all_[i] != 0.0) return true;
    return false;
  }

 private:
  TrainingCommunicator* communicator_;
  std::vector<double> all_;
};

/// One training from preparation to export, on one process or several alike. Its state between two steps is a
/// TrainingState, nothing else, and the same on all of them.
class Training {
 public:
  /// Nothing collective here. `communicator`: null where one process trains.
  Training(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
           TrainingCommunicator* communicator)
      : samples_(samples),
        constraints_(constraints),
        options_(options),
        communicator_(communicator),
        data_(samples, constraints, options.selection == "best", options.scaling,
              target_rules(samples.layout, options)),
        context_{options, data_, samples.input_elements(), samples.output_elements(),
                 dependent_of(samples, constraints, options, data_), output_head(samples, constraints, options, data_)},
        generator_(make_generator(context_)),
        adam_(generator_->parameters(), options),
        parts_(static_cast<int>(options.micro_batches)),
        sum_(parts_ > 1 ? generator_->parameters().size : 0, parts_, communicator),
        steps_per_epoch_((data_.training.count() + options.batch - 1) / options.batch) {
    begin();
  }

  /// Of graphs, which the generator keeps; `samples` has their fixed layout and source, and no numbers.
  Training(const SampleSet& samples, const LinearConstraints& constraints, const GraphData& graphs,
           const TrainingOptions& options, TrainingCommunicator* communicator)
      : samples_(samples),
        constraints_(constraints),
        options_(options),
        communicator_(communicator),
        data_(graphs.scalers),
        context_{options, data_, samples.input_elements(), samples.output_elements(), {}, {}},
        generator_(make_graph_generator(context_, graphs)),
        adam_(generator_->parameters(), options),
        parts_(static_cast<int>(options.micro_batches)),
        sum_(parts_ > 1 ? generator_->parameters().size : 0, parts_, communicator),
        steps_per_epoch_((data_.training.count() + options.batch - 1) / options.batch) {
    begin();
  }

  /// Reads the checkpoint, if there is one to go on from. Collective.
  void start() {
    require_same_training();
    std::vector<std::byte> bytes;
    together(communicator_, [&] {
      if (!speaks() || options_.checkpoint.empty()) return;
      if (options_.resume)
        bytes = read_file(checkpoint_file(options_.checkpoint));
      else
        require_no_unfinished_checkpoint(options_.checkpoint);
    });
    if (!options_.resume) return;
    if (communicator_) communicator_->broadcast(bytes, 0);
    together(communicator_, [&] {
      state_ = read_checkpoint(bytes, checkpoint_file(options_.checkpoint), identity_);
      const auto size = static_cast<std::size_t>(generator_->parameters().size);
      if (state_.weights.size() != size || state_.first_moment.size() != size || state_.second_moment.size() != size ||
          state_.average.size() != adam_.average.size() || (!state_.best.empty() && state_.best.size() != size))
        throw Error(Status::invalid_format,
                    checkpoint_file(options_.checkpoint).string() +
                        " holds another number of weights than the network");
      for (TrainingProgress& progress : state_.history) progress.epochs = options_.epochs;
      std::copy(state_.weights.begin(), state_.weights.end(), generator_->weights().begin());
      adam_.first = state_.first_moment;
      adam_.second = state_.second_moment;
      adam_.average = state_.average;
    });
    before_ = state_.seconds;
  }

  TrainingResult run(const TrainingListener& listener, const std::atomic<bool>* stop) {
    std::optional<Clock::time_point> written;
    together(communicator_, [&] {
      if (speaks() && options_.started) options_.started({generator_->parameters().size, training_threads(), state_.epoch});
    });
    while (!finished()) {
      train_epoch(stop);
      finish_epoch();
      together(communicator_, [&] {
        if (!speaks()) return;
        if (listener) listener(state_.history.back());
        // Not after each of many short epochs: a checkpoint is synced to the disk.
        if (!options_.checkpoint.empty() && (!written || seconds_since(*written) > 2.0) && !finished()) {
          keep_checkpoint();
          written = Clock::now();
        }
      });
    }
    TrainingResult result;
    together(communicator_, [&] {
      result.model = finished_model();
      if (speaks() && !options_.checkpoint.empty()) keep_checkpoint();
    });
    result.history = state_.history;
    result.target_distance = data_.target_distance;
    result.seconds = state_.seconds;
    return result;
  }

 private:
  void begin() {
    identity_ = resolved(options_);
    identity_["data.digest"] = data_.digest;
    identity_["laws.digest"] = digest_of(data_);
    identity_["version"] = LAVOISIER_VERSION;
    identity_["training.engine"] = generator_->engine();
    // LibTorch's products of matrices round differently on another number of threads; our loops don't.
    if (parts_ > 1 && identity_["training.engine"] == "libtorch")
      identity_["training.threads"] = std::to_string(training_threads());
    generator_->initialise(options_.seed);
  }

  bool speaks() const { return !communicator_ || communicator_->rank() == 0; }
  int ranks() const { return communicator_ ? communicator_->size() : 1; }

  /// Refuses processes that were given other data or options than rank 0.
  void require_same_training() {
    if (!communicator_) return;
    std::map<std::string, std::string> mine = identity_, theirs;
    mine["training.threads"] = std::to_string(training_threads());
    std::string text;
    for (const auto& [name, value] : mine) text += name + "\n" + value + "\n";
    Report digests(communicator_, 8);
    const std::string digest = sha256(std::as_bytes(std::span(text)));
    std::memcpy(digests.own.data(), digest.data(), 64);
    digests.gather();
    bool same = true;
    for (int rank = 1; rank < ranks(); ++rank)
      same = same && std::memcmp(digests.of(rank).data(), digests.of(0).data(), 64) == 0;
    if (same) return;
    const auto view = std::as_bytes(std::span(text));
    std::vector<std::byte> bytes(view.begin(), view.end());
    communicator_->broadcast(bytes, 0);
    together(communicator_, [&] {
      std::istringstream lines(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      std::string message, line;
      while (std::getline(lines, line)) std::getline(lines, theirs[line]);
      for (const auto& [name, value] : mine) {
        const auto there = theirs.find(name);
        const std::string other = there == theirs.end() ? "(nothing)" : there->second;
        if (value != other) message += "\n  " + name + ": " + value + ", of process 0 " + other;
      }
      for (const auto& [name, value] : theirs)
        if (mine.count(name) == 0) message += "\n  " + name + ": (nothing), of process 0 " + value;
      if (!message.empty())
        throw Error(Status::invalid_argument, "expected the samples and options of process 0, found others:" + message);
    });
  }

  bool finished() const {
    if (state_.epoch >= options_.epochs) return true;
    return options_.stop_after > 0 && !state_.history.empty() &&
           state_.history.back().epoch - state_.history.back().best_epoch >= options_.stop_after;
  }

  static std::span<const std::int64_t> part_of(std::span<const std::int64_t> batch, Rows rows) {
    return batch.subspan(static_cast<std::size_t>(rows.begin), static_cast<std::size_t>(rows.count()));
  }

  /// Rows of a batch, whose places in a subset are given.
  void gather(const StandardisedRows& from, std::span<const std::int64_t> batch, Rows part, GeneratorRows& to) const {
    const std::span<const std::int64_t> places = part_of(batch, part);
    const Index count = static_cast<Index>(places.size()), laws = data_.laws;
    const std::size_t inputs = from.x.size() / from.rows.size();  // none where the generator keeps the rows
    to.at.samples.assign(places.begin(), places.end());
    to.at.first = part.begin;
    to.at.batch = static_cast<std::int64_t>(batch.size());
    to.at.lead = static_cast<std::uint64_t>(batch[0]);
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
      const bool asked = stop && stop->load(std::memory_order_relaxed);
      if (asked && !communicator_) interrupt();
      // All rows in batches of nearly equal size: a small rest would weigh as much as a full batch.
      const std::int64_t begin = state_.step_in_epoch * rows.count() / steps_per_epoch_;
      const std::int64_t end = (state_.step_in_epoch + 1) * rows.count() / steps_per_epoch_;
      const std::span<const std::int64_t> batch(order.data() + begin, static_cast<std::size_t>(end - begin));
      at.at.step = static_cast<std::uint64_t>(state_.step);
      double loss = 0.0;
      if (parts_ > 1) {
        loss = differentiate_parts(batch, at, each, asked);
      } else {
        const double mean = differentiate(batch, {0, end - begin}, at, each);
        if (!std::isfinite(mean)) fail(Status::non_finite, non_finite_text(mean, each, batch));
        loss = each.sum();
      }
      if (const double mean = loss / static_cast<double>(end - begin); mean > explosion())
        raise(Status::out_of_range, explosion_text(mean, batch));
      const std::span<float> gradient = generator_->gradient();
      if (!network_kernels_.finite(gradient.data(), static_cast<std::int64_t>(gradient.size())))
        fail(Status::non_finite, non_finite_text(loss / static_cast<double>(end - begin), {}, batch));
      if (options_.gradient_clip > 0.0) clip(gradient, options_.gradient_clip);
      const double rate = learning_rate(options_, state_.step, steps) * plateau_factor(options_, state_.history);
      adam_.update(generator_->weights(), gradient, state_.step, rate);
      state_.loss_sum += loss;
      ++state_.step;
      ++state_.step_in_epoch;
    }
  }

  /// The mean loss of rows of a batch; its gradient is the generator's.
  double differentiate(std::span<const std::int64_t> batch, Rows part, GeneratorRows& at, Eigen::VectorXd& each) {
    gather(data_.training, batch, part, at);
    if (options_.input_noise > 0.0)
      add_input_noise(at.x, options_.input_noise, options_.seed, state_.step, part.begin * samples_.input_elements());
    return generator_->differentiate(at, each);
  }

  /// A step's gradient, by micro-batches that the ranks share: the sum, weighted by rows, of the gradients of each one's
  /// mean loss. Returns the sum of the rows' losses. `asked`: to stop, which all then do.
  double differentiate_parts(std::span<const std::int64_t> batch, GeneratorRows& at, Eigen::VectorXd& each,
                             bool asked) {
    const auto count = static_cast<std::int64_t>(batch.size());
    constexpr std::size_t failed = 0, stopped = 1, first_sum = 2;
    const PartRange own = sum_.own();
    Report report(communicator_, static_cast<std::int64_t>(first_sum) + (parts_ + ranks() - 1) / ranks());
    report.own[stopped] = asked ? 1.0 : 0.0;
    std::exception_ptr failure;
    try {
      if (!asked)
        sum_.add_own([&](int part) -> OrderedSum::Part {
          const Rows rows = rows_of(count, parts_, {part, part + 1});
          if (rows.count() == 0) return {};
          const double mean = differentiate(batch, rows, at, each);
          if (!std::isfinite(mean)) throw Error(Status::non_finite, non_finite_text(mean, each, part_of(batch, rows)));
          report.own[first_sum + static_cast<std::size_t>(part - own.first)] = each.sum();
          return {generator_->gradient(), static_cast<double>(rows.count()) / static_cast<double>(count)};
        });
    } catch (...) {
      failure = std::current_exception();
      report.own[failed] = 1.0;
    }
    report.gather();
    if (report.any(failed)) {
      together(communicator_, [&] {
        if (speaks() && !options_.checkpoint.empty()) keep_checkpoint();  // the state before this step is good
      });
      together(communicator_, [&] {
        if (failure) std::rethrow_exception(failure);
      });
    }
    if (report.any(stopped)) interrupt();
    double loss = 0.0;
    for (int rank = 0; rank < ranks(); ++rank)
      for (int part = 0; part < parts_of_rank(parts_, rank, ranks()).count(); ++part)
        loss += report.of(rank)[first_sum + static_cast<std::size_t>(part)];
    sum_.finish(generator_->gradient());
    return loss;
  }

  /// The mean score of a subset's rows, which ranks share by micro-batches too.
  double evaluate(const StandardisedRows& rows, std::span<const float> weights) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(rows.count()));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    const auto of_rank = [&](int rank) { return rows_of(rows.count(), parts_, parts_of_rank(parts_, rank, ranks())); };
    std::int64_t most = 0;
    for (int rank = 0; rank < ranks(); ++rank) most = std::max(most, of_rank(rank).count());
    Report report(communicator_, 1 + most);
    std::exception_ptr failure;
    try {
      GeneratorRows at;
      at.judging = true;
      double* to = report.own.data() + 1;
      for (int part = sum_.own().first; part < sum_.own().last; ++part) {
        const Rows some = rows_of(rows.count(), parts_, {part, part + 1});
        if (some.count() == 0) continue;
        gather(rows, all, some, at);
        const Eigen::VectorXd each = generator_->evaluate(at, weights);
        to = std::copy_n(each.data(), each.size(), to);
      }
    } catch (...) {
      failure = std::current_exception();
      report.own[0] = 1.0;
    }
    report.gather();
    if (report.any(0))
      together(communicator_, [&] {
        if (failure) std::rethrow_exception(failure);
      });
    Eigen::VectorXd scores(rows.count());
    for (int rank = 0; rank < ranks(); ++rank)
      std::copy_n(report.of(rank).data() + 1, of_rank(rank).count(), scores.data() + of_rank(rank).begin);
    return scores.mean();
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
      raise(Status::non_finite, "the loss of the validation samples is not finite after epoch " +
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
    progress.learning_rate = learning_rate(options_, state_.step - 1, steps_per_epoch_ * options_.epochs) *
                             plateau_factor(options_, state_.history);
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
    if (options_.generator.name != "mlp" || context_.head.family != HeadFamily::gaussian)
      return model(std::move(provenance));  // no marginals in closed form
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
  std::string kept_text() const {
    if (options_.checkpoint.empty()) return "; no checkpoint was asked for, so nothing is kept";
    return "; the last good state is in " + checkpoint_file(options_.checkpoint).string();
  }

  [[noreturn]] void interrupt() {
    std::string message = "training stopped before " + position();
    if (options_.checkpoint.empty()) {
      message += "; no checkpoint was asked for, so nothing is kept";
    } else {
      together(communicator_, [&] {
        if (speaks()) keep_checkpoint();
      });
      message += "; the checkpoint " + checkpoint_file(options_.checkpoint).string() +
                 " holds its state: give the same options and resume to go on";
    }
    raise(Status::interrupted, message);
  }

  /// Of all ranks at once.
  [[noreturn]] void raise(Status status, const std::string& message) const {
    if (communicator_) throw AgreedError(status, message);
    throw Error(status, message);
  }
  [[noreturn]] void fail(Status status, const std::string& message) {
    together(communicator_, [&] {
      if (speaks() && !options_.checkpoint.empty()) keep_checkpoint();  // the state before this step is good
    });
    raise(status, message);
  }

  /// A step's mean loss beyond this ends the training: the weights are lost, although every number is finite.
  double explosion() const {
    return state_.history.empty() ? 1e12 : 1e4 * (1.0 + std::abs(state_.history.front().training_loss));
  }
  std::string explosion_text(double mean, std::span<const std::int64_t> batch) const {
    std::string names;
    for (std::size_t i = 0; i < std::min<std::size_t>(batch.size(), 5); ++i)
      names += (i == 0 ? "" : ", ") + sample_name(samples_, data_.training.rows[static_cast<std::size_t>(batch[i])]);
    const std::string first = state_.history.empty() ? std::string("at most 1e12 in the first epoch")
                                                     : "at most 1e4 times that of the first epoch, " + text_of(state_.history.front().training_loss);
    return "the loss explodes at " + position() + ": expected " + first + ", found " + text_of(mean) + " for the batch of " + names +
           (batch.size() > 5 ? ", ..." : "") + kept_text() + ". A smaller learning rate, or gradient clipping, may help";
  }

  std::string non_finite_text(double mean, const Eigen::VectorXd& each, std::span<const std::int64_t> batch) const {
    std::string names;
    int bad = 0;
    for (Index i = 0; i < each.size(); ++i)
      if (!std::isfinite(each[i]) && ++bad <= 5)
        names += (names.empty() ? "" : ", ") + sample_name(samples_, data_.training.rows[static_cast<std::size_t>(batch[static_cast<std::size_t>(i)])]);
    const std::string where = bad == 0 ? "its gradient is not, in the batch that begins with " +
                                             sample_name(samples_, data_.training.rows[static_cast<std::size_t>(batch[0])])
                                       : "not for " + std::to_string(bad) + " of " + std::to_string(each.size()) +
                                             " samples of the batch: " + names + (bad > 5 ? ", ..." : "");
    return "the loss is no longer finite at " + position() + " (" + text_of(mean) + "): " + where + kept_text() +
           ". A smaller learning rate may help";
  }

  const SampleSet& samples_;
  const LinearConstraints& constraints_;
  const TrainingOptions& options_;
  TrainingCommunicator* communicator_;
  TrainingData data_;
  GeneratorContext context_;
  std::unique_ptr<Generator> generator_;
  const KernelTable& network_kernels_ = network_kernels();
  Adam adam_;
  int parts_;
  OrderedSum sum_;
  std::int64_t steps_per_epoch_;
  std::map<std::string, std::string> identity_;
  TrainingState state_;
  Clock::time_point start_ = Clock::now();
  double before_ = 0.0;  ///< seconds of the runs before this one
};

/// What both train() do; `make` makes the training that they have checked options for.
template <class Make>
TrainingResult trained(const TrainingOptions& options, const TrainingListener& listener, const std::atomic<bool>* stop,
                       TrainingCommunicator* communicator, Make&& make) {
  TrainingOptions all = options;
  all.micro_batches = resolved_micro_batches(options, communicator);
  if (communicator && communicator->size() == 1) communicator = nullptr;
  std::optional<Training> training;
  together(communicator, [&] {
    require_valid(all);
    if (communicator && communicator->size() > all.micro_batches)
      throw Error(Status::invalid_argument, "micro_batches: expected at least the number of processes (" +
                                                std::to_string(communicator->size()) + "), found " +
                                                std::to_string(all.micro_batches));
    set_training_threads(options.threads > 0 ? options.threads : training_threads());
    set_training_device(options.device);
    make(all, communicator, training);
  });
  training->start();
  return training->run(listener, stop);
}

}  // namespace

TrainingResult train(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener, const std::atomic<bool>* stop,
                     TrainingCommunicator* communicator) {
  return trained(options, listener, stop, communicator, [&](const TrainingOptions& all, TrainingCommunicator* shared,
                                                            std::optional<Training>& training) {
    if (trains_on_graphs(all.generator.name))
      throw Error(Status::invalid_argument, "generator '" + all.generator.name +
                                                "' trains on graphs (GraphSet), not on samples of a fixed layout");
    training.emplace(samples, constraints, all, shared);
  });
}

TrainingResult train(const GraphSet& set, const TrainingOptions& options, const TrainingListener& listener,
                     const std::atomic<bool>* stop, TrainingCommunicator* communicator) {
  std::optional<GraphData> graphs;
  std::optional<LinearConstraints> constraints;
  SampleSet samples;  // their fixed layout
  return trained(options, listener, stop, communicator, [&](const TrainingOptions& all, TrainingCommunicator* shared,
                                                            std::optional<Training>& training) {
    if (!trains_on_graphs(all.generator.name))
      throw Error(Status::invalid_argument,
                  "generator '" + all.generator.name + "' does not train on graphs; legal: mpnn, graph_vae");
    graphs.emplace(set, all);
    samples.layout = graphs->layout.at_capacity();
    samples.samples = set.graphs.samples;
    samples.source = set.source;
    constraints.emplace(samples.layout, set.laws, set.constants);
    training.emplace(samples, *constraints, *graphs, all, shared);
  });
}

}  // namespace lavoisier
