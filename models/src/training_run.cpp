#include "training_run.hpp"

#include "dependent_choice.hpp"
#include "graph_data.hpp"
#include "network.hpp"
#include "options.hpp"
#include "output_head.hpp"
#include "rank_report.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <sstream>

namespace lavoisier::detail {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Of the laws on the training rows, and of the outputs' scales.
std::string digest_of(const TrainingData& data, const SubsetRows& rows, std::int64_t most) {
  Sha256 hash;
  const auto add = [&](const double* first, Eigen::Index count) {
    hash.add(std::as_bytes(std::span(first, static_cast<std::size_t>(count))));
  };
  add(data.A.data(), data.A.size());
  read_in_order(rows, most, [&](std::int64_t, StandardisedRows& piece) {
    add(piece.A.data(), piece.A.size());
    add(piece.d.data(), piece.d.size());
  });
  add(data.output_scale.data(), data.output_scale.size());
  return hash.digits();
}

}  // namespace

Training::Training(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                   TrainingCommunicator* communicator, const std::atomic<bool>* stop)
    : samples_(samples),
      constraints_(constraints),
      options_(options),
      communicator_(communicator),
      data_(samples, constraints, options.selection == "best", options.scaling,
            {options.buffer_bytes > 0, options.scratch, stop}, target_rules(samples.layout(), options)),
      training_(data_.rows_of(Subset::training)),
      validation_(data_.rows_of(Subset::validation)),
      context_{options, data_, samples.layout().elements(Role::input), samples.layout().elements(Role::output),
               dependent_of(samples.layout(), constraints, options, data_), output_head(samples, constraints, options, data_)},
      generator_(make_generator(context_)),
      adam_(generator_->parameters(), options),
      parts_(static_cast<int>(options.micro_batches)),
      sum_(parts_ > 1 ? generator_->parameters().size : 0, parts_, communicator),
      steps_per_epoch_((training_->count() + options.batch - 1) / options.batch),
      judged_rows_(samples_of_piece(samples.layout())) {
  require_buffer();
  begin();
}

Training::Training(const SampleSource& samples, const LinearConstraints& constraints, const GraphData& graphs,
                   const TrainingOptions& options, TrainingCommunicator* communicator)
    : samples_(samples),
      constraints_(constraints),
      options_(options),
      communicator_(communicator),
      data_(graphs.scalers),
      training_(data_.rows_of(Subset::training)),
      validation_(data_.rows_of(Subset::validation)),
      context_{options, data_, samples.layout().elements(Role::input), samples.layout().elements(Role::output), {}, {}},
      generator_(make_graph_generator(context_, graphs)),
      adam_(generator_->parameters(), options),
      parts_(static_cast<int>(options.micro_batches)),
      sum_(parts_ > 1 ? generator_->parameters().size : 0, parts_, communicator),
      steps_per_epoch_((training_->count() + options.batch - 1) / options.batch),
      judged_rows_(std::max<std::int64_t>(validation_->count(), 1)) {
  begin();
}

void Training::require_buffer() const {
  if (options_.buffer_bytes == 0) return;
  const std::int64_t batch = (training_->count() + steps_per_epoch_ - 1) / steps_per_epoch_;
  std::int64_t rows = (batch + parts_ - 1) / parts_;
  for (const RowRange& piece : judged_pieces()) rows = std::max(rows, piece.count());
  const std::int64_t needed = rows * data_.row_bytes;
  if (options_.buffer_bytes < needed)
    throw Error(Status::invalid_argument, "buffer_bytes: expected at least " + std::to_string(needed) + " (" +
                                              std::to_string((needed + 1048575) / 1048576) +
                                              " MiB): " + std::to_string(rows) +
                                              " rows, which are needed at once, of " + std::to_string(data_.row_bytes) +
                                              " bytes; found " + std::to_string(options_.buffer_bytes));
}

void Training::begin() {
  identity_ = resolved(options_);
  identity_["data.digest"] = data_.digest;
  identity_["laws.digest"] = digest_of(data_, *training_, judged_rows_);
  identity_["version"] = LAVOISIER_VERSION;
  identity_["training.engine"] = generator_->engine();
  // LibTorch's products of matrices round differently on another number of threads; our loops don't.
  if (parts_ > 1 && identity_["training.engine"] == "libtorch")
    identity_["training.threads"] = std::to_string(training_threads());
  generator_->initialise(options_.seed);
}

void Training::start() {
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
                  checkpoint_file(options_.checkpoint).string() + " holds another number of weights than the network");
    for (TrainingProgress& progress : state_.history) progress.epochs = options_.epochs;
    std::copy(state_.weights.begin(), state_.weights.end(), generator_->weights().begin());
    adam_.first = state_.first_moment;
    adam_.second = state_.second_moment;
    adam_.average = state_.average;
  });
  before_ = state_.seconds;
}

TrainingResult Training::run(const TrainingListener& listener, const std::atomic<bool>* stop) {
  std::optional<Clock::time_point> written;
  together(communicator_, [&] {
    if (speaks() && options_.started)
      options_.started({generator_->parameters().size, training_threads(), state_.epoch});
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

void Training::require_same_training() {
  if (!communicator_) return;
  std::map<std::string, std::string> mine = identity_, theirs;
  mine["training.threads"] = std::to_string(training_threads());
  std::string text;
  for (const auto& [name, value] : mine) text += name + "\n" + value + "\n";
  RankReport digests(communicator_, 8);
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

bool Training::finished() const {
  if (state_.epoch >= options_.epochs) return true;
  return options_.stop_after > 0 && !state_.history.empty() &&
         state_.history.back().epoch - state_.history.back().best_epoch >= options_.stop_after;
}

void Training::finish_epoch() {
  TrainingProgress progress;
  progress.epochs = options_.epochs;
  progress.epoch = state_.epoch + 1;
  progress.training_loss = state_.loss_sum / static_cast<double>(training_->count());
  const std::vector<float> weights = judged();
  const bool validated = validation_->count() > 0;
  progress.validation_loss = validated ? evaluate(weights) : std::numeric_limits<double>::quiet_NaN();
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
  progress.seconds_left =
      state_.seconds / static_cast<double>(progress.epoch) * static_cast<double>(options_.epochs - progress.epoch);
  state_.history.push_back(progress);
  state_.loss_sum = 0.0;
  state_.step_in_epoch = 0;
  ++state_.epoch;
}

}  // namespace lavoisier::detail
