#include <lavoisier/sampled_losses.hpp>

#include "estimate_sample.hpp"

namespace lavoisier {

namespace {

using Batch = Eigen::Ref<const RowMatrix>;

double sign(double x) noexcept { return x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : 0.0); }

/// sum_j w_j |a_j - b_j|, and w_j sign(a_j - b_j).
struct AbsoluteDistance {
  const double* weight;
  double operator()(std::size_t n, const double* a, const double* b, double* gradient) const noexcept {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double difference = a[j] - b[j];
      sum += weight[j] * std::abs(difference);
      gradient[j] = weight[j] * sign(difference);
    }
    return sum;
  }
};

/// sqrt(sum_j (w_j (a_j - b_j))^2); gradient 0 where it is 0.
struct EuclideanDistance {
  const double* weight;
  double operator()(std::size_t n, const double* a, const double* b, double* gradient) const noexcept {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double difference = weight[j] * (a[j] - b[j]);
      sum += difference * difference;
      gradient[j] = weight[j] * difference;
    }
    const double distance = std::sqrt(sum);
    for (std::size_t j = 0; j < n; ++j) gradient[j] = distance > 0.0 ? gradient[j] / distance : 0.0;
    return distance;
  }
};

/// mean_k |Y_k - y| - 1/2 mean_{k != l} |Y_k - Y_l|. g_k = K times its derivative in Y_k; weight_k: what multiplies the
/// gradient of draw k's log density. A pair's distance goes to both of its draws; the baseline of draw k is the same
/// sum over the other draws, independent of it.
template <class Distance>
bool fair_score(const Distance& distance, std::size_t n, std::size_t draws, const double* y, const double* draw, double* g,
                double* weight, double& value) {
  const double count = static_cast<double>(draws), share = 1.0 / (count - 1.0);
  std::vector<double> to_truth(draws), pairs(draws, 0.0), gradient(n);
  double truth_sum = 0.0, pair_sum = 0.0;
  for (std::size_t k = 0; k < draws; ++k) truth_sum += to_truth[k] = distance(n, draw + k * n, y, g + k * n);
  for (std::size_t k = 0; k < draws; ++k)
    for (std::size_t l = 0; l < k; ++l) {
      const double pair = distance(n, draw + k * n, draw + l * n, gradient.data());
      pair_sum += pair;
      pairs[k] += pair;
      pairs[l] += pair;
      for (std::size_t j = 0; j < n; ++j) {
        g[k * n + j] -= share * gradient[j];
        g[l * n + j] += share * gradient[j];
      }
    }
  value = truth_sum / count - pair_sum * share / count;
  for (std::size_t k = 0; k < draws; ++k) {
    const double others = (truth_sum - to_truth[k]) * share -
                          (draws > 2 ? 2.0 * (pair_sum - pairs[k]) * share / (count - 2.0) : 0.0);
    weight[k] = (to_truth[k] - pairs[k] * share - others) / count;
  }
  return std::isfinite(value);
}

}  // namespace

BatchLoss estimate_score_gradient(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation, const Batch& d,
                                  const Batch& y, const Eigen::VectorXd& score_scale, SampleScore score,
                                  const EstimatorOptions& estimator, const BatchOptions& options) {
  const std::string name = "estimate_score_gradient";
  const detail::LawBatch laws = detail::laws_of_batch(name.c_str(), A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows(), outputs = A.cols();
  detail::require_shape(name.c_str(), "y", y.rows(), y.cols(), samples, outputs);
  detail::require_score_scale(name.c_str(), score_scale, outputs);
  if (estimator.estimator == Estimator::exact)
    throw Error(Status::unsupported, name + ": 'exact' has no draws; it is conditional_crps_loss and conditional_energy_loss");
  if (estimator.draws < 2)
    throw Error(Status::invalid_argument,
                name + ": draws is " + std::to_string(estimator.draws) + ", expected 2 or more: the score has pairs of draws");
  if (!estimator.sample_ids.empty())
    detail::require_shape(name.c_str(), "sample_ids", static_cast<Eigen::Index>(estimator.sample_ids.size()), 1, samples,
                          1);
  const bool shrunk = estimator.estimator == Estimator::rao_blackwell_shrunk;
  const detail::Request request{estimator, nullptr, shrunk || estimator.estimator == Estimator::rao_blackwell,
                                false,     false,   shrunk};
  Eigen::VectorXd weight = score_scale.cwiseInverse();
  if (score == SampleScore::crps) weight /= static_cast<double>(outputs);
  const auto n = static_cast<std::size_t>(outputs), draws = static_cast<std::size_t>(estimator.draws);
  const auto evaluate = [&](Eigen::Index s, const double* draw, double* g, double* of_density, double& value) {
    for (Eigen::Index j = 0; j < outputs; ++j)
      if (!std::isfinite(y(s, j))) return false;
    const double* truth = detail::row(y, s);
    return score == SampleScore::crps
               ? fair_score(AbsoluteDistance{weight.data()}, n, draws, truth, draw, g, of_density, value)
               : fair_score(EuclideanDistance{weight.data()}, n, draws, truth, draw, g, of_density, value);
  };
  std::vector<detail::Record> records(shrunk ? static_cast<std::size_t>(samples) : 0);
  EstimatedGradient found = detail::estimate_batch(laws, request, mean, standard_deviation, d, evaluate,
                                                   shrunk ? &records : nullptr, options);
  if (shrunk) {
    const double c = detail::shrinkage_of(records, found.status, outputs);
    for (Eigen::Index s = 0; s < samples; ++s) {
      if (found.status[static_cast<std::size_t>(s)] != Status::ok) continue;
      const Eigen::VectorXd& dispersion = records[static_cast<std::size_t>(s)].dispersion;
      for (Eigen::Index j = 0; j < outputs; ++j)
        if (standard_deviation(s, j) > 0.0)
          found.gradient.standard_deviation(s, j) += c * dispersion[j] / standard_deviation(s, j);
    }
  }
  return {std::move(found.value), std::move(found.gradient), std::move(found.status)};
}

}  // namespace lavoisier
