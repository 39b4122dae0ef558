// Losses of heads whose outputs are not all Gaussian, as functions of the network's raw values.

#include "generator.hpp"
#include "network_plan.hpp"
#include "output_head.hpp"

#include <lavoisier/conditional_counts.hpp>
#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/positive_parameters.hpp>

#include <cmath>
#include <memory>
#include <utility>

namespace lavoisier::detail {
namespace {

using Eigen::Index;
using Batch = Eigen::Ref<const RowMatrix>;

bool is_gamma(PositiveFamily law) { return law == PositiveFamily::gamma || law == PositiveFamily::hurdle_gamma; }
bool has_atom(PositiveFamily law) {
  return law == PositiveFamily::hurdle_log_normal || law == PositiveFamily::hurdle_gamma;
}

std::vector<Index> elements_at(const std::vector<Index>& from, const std::vector<Index>& places) {
  std::vector<Index> elements;
  for (const Index place : places) elements.push_back(from[static_cast<std::size_t>(place)]);
  return elements;
}

/// Positive outputs of laws of their own, Gaussian ones given them.
class MixedLoss {
 public:
  MixedLoss(const GeneratorContext& context, int threads)
      : options_(context.options),
        positive_(context.head.positive),
        outputs_(context.outputs),
        laws_(context.data.laws),
        A_(context.data.A),
        batch_{threads} {
    const std::vector<Index>& active = context.data.active;
    std::vector<Index> place_of(static_cast<std::size_t>(outputs_), -1);
    for (std::size_t place = 0; place < active.size(); ++place)
      place_of[static_cast<std::size_t>(active[place])] = static_cast<Index>(place);
    std::vector<bool> taken(active.size(), false);
    for (const PositiveOutput& one : positive_) {
      positive_places_.push_back(place_of[static_cast<std::size_t>(one.element)]);
      taken[static_cast<std::size_t>(positive_places_.back())] = true;
      families_.push_back(one.law);
    }
    for (std::size_t place = 0; place < active.size(); ++place)
      if (!taken[place]) signed_places_.push_back(static_cast<Index>(place));
    signed_elements_ = elements_at(active, signed_places_);
    std::vector<Index> dependent;  // among the signed outputs
    for (std::size_t j = 0; j < signed_places_.size(); ++j)
      for (const Index place : context.dependent)
        if (place == signed_places_[j]) dependent.push_back(static_cast<Index>(j));
    if (options_.loss == Loss::likelihood && !signed_places_.empty())
      signed_ =
          std::make_shared<HeadLoss>(options_, A_.rows() > 0 ? RowMatrix(A_(Eigen::all, signed_places_)) : RowMatrix(),
                                     laws_, signed_elements_, dependent, threads);
  }

  Eigen::VectorXd operator()(const Batch& h, const Batch& y, const Batch& d, RowMatrix* h_bar, const RowMatrix& A,
                             const DrawAddress& draws) const {
    const MlpOptions& network = options_.network;
    const PositiveValues values =
        positive_values(h, positive_, outputs_, network.parametrization == "exp", network.floor);
    PositiveSigned law;
    law.families = families_;
    law.a = values.a;
    law.b = values.b;
    law.zero = values.zero;
    const RowMatrix p = y(Eigen::all, positive_places_), q = y(Eigen::all, signed_places_);
    if (h_bar) h_bar->setZero(h.rows(), h.cols());
    return options_.loss == Loss::likelihood ? likelihood(law, values, h, p, q, d, h_bar, A)
                                             : crps(law, values, h, p, q, d, h_bar, A, draws);
  }

 private:
  Eigen::VectorXd likelihood(const PositiveSigned& law, const PositiveValues& values, const Batch& h,
                             const RowMatrix& p, const RowMatrix& q, const Batch& d, RowMatrix* h_bar,
                             const RowMatrix& A) const {
    LawOptions options;
    options.threads = batch_.threads;
    const PositiveSignedLogDensity of_positive = positive_log_density(law, p, h_bar != nullptr, options);
    Eigen::VectorXd each = -of_positive.value;
    if (signed_) {
      const RowMatrix& all = A_.rows() > 0 ? A_ : A;
      RowMatrix rest = d, bar, own;
      if (laws_ > 0) {
        const RowMatrix of_p = all(Eigen::all, positive_places_);
        if (all.rows() == laws_)
          rest -= p * of_p.transpose();
        else
          for (Index row = 0; row < p.rows(); ++row)
            rest.row(row) -= (of_p.middleRows(row * laws_, laws_) * p.row(row).transpose()).transpose();
        if (A_.rows() == 0) own = all(Eigen::all, signed_places_);
      }
      each += (*signed_)(h.leftCols(2 * outputs_), q, rest, h_bar ? &bar : nullptr, own);
      if (h_bar) h_bar->leftCols(2 * outputs_) = bar;
    }
    if (h_bar) add_positive(values, of_positive.gradient, -1.0 / static_cast<double>(h.rows()), *h_bar);
    return each;
  }

  /// The mean over outputs of the mixture's score, from independent pairs of p.
  Eigen::VectorXd crps(PositiveSigned& law, const PositiveValues& values, const Batch& h, const RowMatrix& p,
                       const RowMatrix& q, const Batch& d, RowMatrix* h_bar, const RowMatrix& A,
                       const DrawAddress& draws) const {
    const bool held = laws_ > 0 && options_.strategy != Strategy::none && options_.strategy != Strategy::post_hoc;
    const Index n_p = p.cols(), n_q = q.cols();
    const HeadValues head = head_values(h.leftCols(2 * outputs_), signed_elements_, options_.network);
    law.mean = head.mean;
    law.standard_deviation = head.standard_deviation;
    law.A = RowMatrix(0, n_p + n_q);
    law.d = RowMatrix(h.rows(), 0);
    if (held) {
      const RowMatrix& all = A_.rows() > 0 ? A_ : A;
      law.A.resize(all.rows(), n_p + n_q);
      law.A << RowMatrix(all(Eigen::all, positive_places_)), RowMatrix(all(Eigen::all, signed_places_));
      law.d = d;
    }
    DrawOptions options;
    options.threads = batch_.threads;
    options.key = {options_.seed, static_cast<std::uint64_t>(h_bar ? TrainingStream::draws : TrainingStream::judging)};
    options.column = draws.samples;
    options.step.assign(static_cast<std::size_t>(h.rows()), draws.step);
    const PositiveSignedCrps found = positive_signed_crps(law, p, q, options_.draws, h_bar != nullptr, options);
    const double each = 1.0 / static_cast<double>(n_p + n_q);
    if (h_bar) {
      const double share = each / static_cast<double>(h.rows());
      add_positive(values, found.gradient, share, *h_bar);
      for (Index j = 0; j < n_q; ++j) {
        const Index element = signed_elements_[static_cast<std::size_t>(j)];
        h_bar->col(element) = share * found.gradient.mean.col(j);
        h_bar->col(outputs_ + element) =
            share * found.gradient.standard_deviation.col(j).cwiseProduct(head.slope.col(j));
      }
    }
    return each * (found.p.rowwise().sum() + found.q.rowwise().sum());
  }

  /// share * gradient, from the laws' parameters to the raw values.
  void add_positive(const PositiveValues& values, const PositiveSignedGradient& gradient, double share,
                    RowMatrix& h_bar) const {
    Index atom = 2 * outputs_;
    for (Index i = 0; i < static_cast<Index>(positive_.size()); ++i) {
      const PositiveOutput& one = positive_[static_cast<std::size_t>(i)];
      const auto a_bar = gradient.a.col(i).array(), b_bar = gradient.b.col(i).array();
      auto first = h_bar.col(one.element).array();
      auto second = h_bar.col(outputs_ + one.element).array();
      const auto slope = values.slope.col(i).array();
      if (is_gamma(one.law)) {
        const auto shape = values.a.col(i).array(), rate = values.b.col(i).array();
        first -= share * b_bar * rate;
        second -= share * 2.0 * (a_bar * shape + b_bar * rate) / values.deviation.col(i).array() * slope;
      } else {
        first += share * a_bar;
        second += share * b_bar * slope;
      }
      if (has_atom(one.law))
        h_bar.col(atom++).array() += share * gradient.zero.col(i).array() * values.atom_slope.col(i).array();
    }
  }

  TrainingOptions options_;
  std::vector<PositiveOutput> positive_;
  std::vector<PositiveFamily> families_;
  std::vector<Index> positive_places_, signed_places_, signed_elements_;
  Index outputs_, laws_;
  RowMatrix A_;
  std::shared_ptr<HeadLoss> signed_;
  BatchOptions batch_;
};

/// Minus the log density of shares of given sums.
RowLoss shares_loss(const GeneratorContext& context, int threads) {
  const bool exponential = context.options.network.parametrization == "exp";
  const double floor = context.options.network.floor;
  return [A = context.data.A, exponential, floor, threads](const Batch& h, const Batch& y, const Batch& d,
                                                           RowMatrix* h_bar, const RowMatrix& own,
                                                           const DrawAddress&) -> Eigen::VectorXd {
    GammaGivenSum law;
    law.A = A.rows() > 0 ? A : own;
    law.d = d;
    law.concentration = h.unaryExpr([&](double raw) { return positive::above(exponential, floor, raw); });
    LawOptions options;
    options.threads = threads;
    const GammaLogDensity found =
        gamma_given_sum_log_density(law, y, GammaGivenSumMeasure::surface, h_bar != nullptr, options);
    if (h_bar) {
      const double share = -1.0 / static_cast<double>(h.rows());
      *h_bar = share * found.gradient.concentration.cwiseProduct(
                           h.unaryExpr([&](double raw) { return positive::above_slope(exponential, raw); }));
    }
    return -found.value;
  };
}

/// Minus the log probability of counts, given their sums or independent.
RowLoss counts_loss(const GeneratorContext& context, int threads) {
  const Eigen::RowVectorXd log_scale = context.head.scale.array().log().matrix().transpose();
  return [A = context.data.A, log_scale, given = context.head.given_sums, threads](
             const Batch& h, const Batch& y, const Batch& d, RowMatrix* h_bar, const RowMatrix& own,
             const DrawAddress&) -> Eigen::VectorXd {
    const RowMatrix log_rate = h.rowwise() + log_scale;
    LawOptions options;
    options.threads = threads;
    const CountLogDensity found =
        given ? poisson_given_sum_log_density(A.rows() > 0 ? A : own, log_rate, d, y, h_bar != nullptr, options)
              : poisson_log_density(log_rate, y, h_bar != nullptr, options);
    if (h_bar) *h_bar = -1.0 / static_cast<double>(h.rows()) * found.gradient;
    return -found.value;
  };
}

}  // namespace

PositiveValues positive_values(const Batch& h, const std::vector<PositiveOutput>& positive, Index outputs,
                               bool exponential, double floor) {
  const Index rows = h.rows(), count = static_cast<Index>(positive.size());
  PositiveValues values;
  for (RowMatrix* one : {&values.a, &values.b, &values.zero, &values.deviation, &values.slope, &values.atom_slope})
    *one = RowMatrix::Constant(rows, count, 0.5);
  for (Index row = 0; row < rows; ++row) {
    Index atom = 2 * outputs;
    for (Index i = 0; i < count; ++i) {
      const PositiveOutput& one = positive[static_cast<std::size_t>(i)];
      const double first = h(row, one.element), second = h(row, outputs + one.element);
      const positive::Parameters p = positive::parameters(is_gamma(one.law), exponential, floor, first, second);
      values.a(row, i) = p.a;
      values.b(row, i) = p.b;
      values.deviation(row, i) = positive::above(exponential, floor, second);
      values.slope(row, i) = positive::above_slope(exponential, second);
      if (!has_atom(one.law)) continue;
      values.zero(row, i) = positive::atom(h(row, atom));
      values.atom_slope(row, i) = positive::atom_slope(h(row, atom));
      ++atom;
    }
  }
  return values;
}

RowLoss make_row_loss(const GeneratorContext& context, int threads) {
  const OutputHead& head = context.head;
  switch (head.family) {
    case HeadFamily::gaussian:
      break;
    case HeadFamily::poisson:
      return counts_loss(context, threads);
    case HeadFamily::gamma:
      if (head.given_sums) return shares_loss(context, threads);
      return MixedLoss(context, threads);
    case HeadFamily::mixed:
      return MixedLoss(context, threads);
  }
  return HeadLoss(context.options, context.data.A, context.data.laws, context.data.active, context.dependent, threads);
}

}  // namespace lavoisier::detail
