#include "options.hpp"
#include "training_run.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::detail {

using Eigen::Index;

std::string Training::position() const {
  return "step " + std::to_string(state_.step + 1) + " (epoch " + std::to_string(state_.epoch + 1) + " of " +
         std::to_string(options_.epochs) + ")";
}
std::string Training::kept_text() const {
  if (options_.checkpoint.empty()) return "; no checkpoint was asked for, so nothing is kept";
  return "; the last good state is in " + checkpoint_file(options_.checkpoint).string();
}

void Training::interrupt() {
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

void Training::raise(Status status, const std::string& message) const {
  if (communicator_) throw AgreedError(status, message);
  throw Error(status, message);
}
void Training::fail(Status status, const std::string& message) {
  together(communicator_, [&] {
    if (speaks() && !options_.checkpoint.empty()) keep_checkpoint();  // the state before this step is good
  });
  raise(status, message);
}

// A step's mean loss beyond this ends the training: the weights are lost, although every number is finite.
double Training::explosion() const {
  return state_.history.empty() ? 1e12 : 1e4 * (1.0 + std::abs(state_.history.front().training_loss));
}
std::string Training::name_of(std::int64_t place) const { return sample_name(samples_, training_->sample(place)); }
std::string Training::explosion_text(double mean, std::span<const std::int64_t> batch) const {
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(batch.size(), 5); ++i)
    names += (i == 0 ? "" : ", ") + name_of(batch[i]);
  const std::string first = state_.history.empty() ? std::string("at most 1e12 in the first epoch")
                                                   : "at most 1e4 times that of the first epoch, " +
                                                         text_of(state_.history.front().training_loss);
  return "the loss explodes at " + position() + ": expected " + first + ", found " + text_of(mean) +
         " for the batch of " + names + (batch.size() > 5 ? ", ..." : "") + kept_text() +
         ". A smaller learning rate, or gradient clipping, may help";
}

std::string Training::non_finite_text(double mean, const Eigen::VectorXd& each,
                                      std::span<const std::int64_t> batch) const {
  std::string names;
  int bad = 0;
  for (Index i = 0; i < each.size(); ++i)
    if (!std::isfinite(each[i]) && ++bad <= 5)
      names += (names.empty() ? "" : ", ") + name_of(batch[static_cast<std::size_t>(i)]);
  const std::string where = bad == 0 ? "its gradient is not, in the batch that begins with " + name_of(batch[0])
                                     : "not for " + std::to_string(bad) + " of " + std::to_string(each.size()) +
                                           " samples of the batch: " + names + (bad > 5 ? ", ..." : "");
  return "the loss is no longer finite at " + position() + " (" + text_of(mean) + "): " + where + kept_text() +
         ". A smaller learning rate may help";
}

}  // namespace lavoisier::detail
