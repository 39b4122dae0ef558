#include "network.hpp"
#include "rank_report.hpp"
#include "training_run.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <utility>

namespace lavoisier::detail {
namespace {

std::span<const std::int64_t> part_of(std::span<const std::int64_t> batch, RowRange rows) {
  return batch.subspan(static_cast<std::size_t>(rows.begin), static_cast<std::size_t>(rows.count()));
}

}  // namespace

RowRange rows_of_parts(std::int64_t count, int parts, PartRange range) {
  return {range.first * count / parts, range.last * count / parts};
}

RowRange Training::batch_of(std::int64_t step_in_epoch) const {
  return {step_in_epoch * training_->count() / steps_per_epoch_,
          (step_in_epoch + 1) * training_->count() / steps_per_epoch_};
}

LoadPlan Training::plan_of(const std::vector<std::int64_t>& order) const {
  const PartRange own = parts_ > 1 ? sum_.own() : PartRange{0, 1};
  const std::int64_t first = state_.step_in_epoch, parts = own.last - own.first;
  LoadPlan plan;
  plan.requests = (steps_per_epoch_ - first) * parts;
  plan.places = [this, &order, own, first, parts](std::int64_t request, std::vector<std::int64_t>& places) {
    const RowRange batch = batch_of(first + request / parts);
    const int part = own.first + static_cast<int>(request % parts);
    const RowRange rows = rows_of_parts(batch.count(), parts_, {part, part + 1});
    places.assign(order.begin() + batch.begin + rows.begin, order.begin() + batch.begin + rows.end);
  };
  return plan;
}

void Training::take(BatchLoader& loader, std::span<const std::int64_t> batch, RowRange part, GeneratorRows& to) {
  const std::span<const std::int64_t> places = part_of(batch, part);
  loader.next(loaded_);
  to.at.samples.assign(places.begin(), places.end());
  to.at.first = part.begin;
  to.at.batch = static_cast<std::int64_t>(batch.size());
  to.at.lead = static_cast<std::uint64_t>(batch[0]);
  std::swap(to.x, loaded_.x);
  to.y.swap(loaded_.y);
  to.d.swap(loaded_.d);
  to.A.swap(loaded_.A);
}

void Training::train_epoch(const std::atomic<bool>* stop) {
  const std::vector<std::int64_t> order = permutation(training_->count(), options_.seed, state_.epoch);
  BatchLoader loader(*training_, data_.row_bytes, plan_of(order), options_.buffer_bytes);
  const std::int64_t steps = steps_per_epoch_ * options_.epochs;
  GeneratorRows at;
  at.epoch = state_.epoch;
  Eigen::VectorXd each;
  while (state_.step_in_epoch < steps_per_epoch_) {
    const bool asked = stop && stop->load(std::memory_order_relaxed);
    if (asked && !communicator_) interrupt();
    const RowRange rows = batch_of(state_.step_in_epoch);
    const std::int64_t count = rows.count();
    const std::span<const std::int64_t> batch(order.data() + rows.begin, static_cast<std::size_t>(count));
    at.at.step = static_cast<std::uint64_t>(state_.step);
    double loss = 0.0;
    if (parts_ > 1) {
      loss = differentiate_parts(loader, batch, at, each, asked);
    } else {
      take(loader, batch, {0, count}, at);
      const double mean = differentiate(at, each);
      if (!std::isfinite(mean)) fail(Status::non_finite, non_finite_text(mean, each, batch));
      loss = each.sum();
    }
    if (const double mean = loss / static_cast<double>(count); mean > explosion())
      raise(Status::out_of_range, explosion_text(mean, batch));
    const std::span<float> gradient = generator_->gradient();
    if (!network_kernels_.finite(gradient.data(), static_cast<std::int64_t>(gradient.size())))
      fail(Status::non_finite, non_finite_text(loss / static_cast<double>(count), {}, batch));
    if (options_.gradient_clip > 0.0) clip(gradient, options_.gradient_clip);
    const double rate = learning_rate(options_, state_.step, steps) * plateau_factor(options_, state_.history);
    adam_.update(generator_->weights(), gradient, state_.step, rate);
    state_.loss_sum += loss;
    ++state_.step;
    ++state_.step_in_epoch;
  }
}

double Training::differentiate(GeneratorRows& at, Eigen::VectorXd& each) {
  if (options_.input_noise > 0.0)
    add_input_noise(at.x, options_.input_noise, options_.seed, state_.step, at.at.first * context_.inputs);
  return generator_->differentiate(at, each);
}

double Training::differentiate_parts(BatchLoader& loader, std::span<const std::int64_t> batch, GeneratorRows& at,
                                     Eigen::VectorXd& each, bool asked) {
  const auto count = static_cast<std::int64_t>(batch.size());
  constexpr std::size_t failed = 0, stopped = 1, first_sum = 2;
  const PartRange own = sum_.own();
  RankReport report(communicator_, static_cast<std::int64_t>(first_sum) + (parts_ + ranks() - 1) / ranks());
  report.own[stopped] = asked ? 1.0 : 0.0;
  std::exception_ptr failure;
  try {
    if (!asked)
      sum_.add_own([&](int part) -> OrderedSum::Part {
        const RowRange rows = rows_of_parts(count, parts_, {part, part + 1});
        take(loader, batch, rows, at);
        if (rows.count() == 0) return {};
        const double mean = differentiate(at, each);
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

std::vector<RowRange> Training::judged_pieces() const {
  std::vector<RowRange> pieces;
  for (int part = sum_.own().first; part < sum_.own().last; ++part) {
    const RowRange rows = rows_of_parts(validation_->count(), parts_, {part, part + 1});
    for (std::int64_t begin = rows.begin; begin < rows.end; begin += judged_rows_)
      pieces.push_back({begin, std::min(begin + judged_rows_, rows.end)});
  }
  return pieces;
}

double Training::evaluate(std::span<const float> weights) {
  const std::int64_t count = validation_->count();
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  const auto of_rank = [&](int rank) { return rows_of_parts(count, parts_, parts_of_rank(parts_, rank, ranks())); };
  std::int64_t most = 0;
  for (int rank = 0; rank < ranks(); ++rank) most = std::max(most, of_rank(rank).count());
  RankReport report(communicator_, 1 + most);
  std::exception_ptr failure;
  try {
    const std::vector<RowRange> pieces = judged_pieces();
    LoadPlan plan;
    plan.requests = static_cast<std::int64_t>(pieces.size());
    plan.places = [&](std::int64_t request, std::vector<std::int64_t>& places) {
      const RowRange piece = pieces[static_cast<std::size_t>(request)];
      places.assign(all.begin() + piece.begin, all.begin() + piece.end);
    };
    BatchLoader loader(*validation_, data_.row_bytes, std::move(plan), options_.buffer_bytes);
    GeneratorRows at;
    at.judging = true;
    double* to = report.own.data() + 1;
    for (const RowRange& piece : pieces) {
      take(loader, all, piece, at);
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
  Eigen::VectorXd scores(count);
  for (int rank = 0; rank < ranks(); ++rank)
    std::copy_n(report.of(rank).data() + 1, of_rank(rank).count(), scores.data() + of_rank(rank).begin);
  return scores.mean();
}

}  // namespace lavoisier::detail
