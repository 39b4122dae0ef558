#include "downscaling_study.hpp"

#include "plugin_draw.hpp"
#include "softmax_layer.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <regex>

namespace lavoisier::bench {
namespace {

using Eigen::Index;

constexpr double ninety_percent = 1.6448536269514722;  // of a standard normal, on each side

/// The domain file with blocks of another size.
std::string with_factor(const std::string& domain, int factor) {
  const std::filesystem::path file = LAVOISIER_DOMAINS_FOLDER / std::filesystem::path(domain + ".toml");
  const auto bytes = read_file(domain.find('/') == std::string::npos ? file : std::filesystem::path(domain));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (factor == 0) return text;
  const std::regex extent("(extent = )[0-9]+(\nsource = \\{ block =)");
  return std::regex_replace(text, extent, "$01" + std::to_string(factor) + "$2");
}

Eigen::Map<const RowMatrix> outputs_of(const SampleSet& of) {
  return {of.outputs.data(), of.samples, of.output_elements()};
}
Eigen::Map<const RowMatrix> inputs_of(const SampleSet& of) { return {of.inputs.data(), of.samples, of.input_elements()}; }

/// Adds up what block means miss.
struct Violation {
  const SampleSet& of;
  RowMatrix A, d;
  double largest = 0.0, relative = 0.0, squares = 0.0, count = 0.0;
  Violation(const SampleSet& samples, const LinearConstraints& constraints)
      : of(samples), A(constraints.stacked_A(inputs_of(samples))), d(constraints.right_hand_side(inputs_of(samples))) {}
  void add(const Eigen::Ref<const RowMatrix>& y) {
    for (Index s = 0; s < y.rows(); ++s) {
      const double residual = A.row(s).dot(y.row(s)) - d(s, 0);
      const double terms = A.row(s).cwiseProduct(y.row(s)).lpNorm<1>() + std::abs(d(s, 0));
      largest = std::max(largest, std::abs(residual));
      if (terms > 0.0) relative = std::max(relative, std::abs(residual) / terms);
      squares += residual * residual;
      ++count;
    }
  }
  void put(DownscalingScores& scores) const {
    scores.largest_violation = largest;
    scores.relative_violation = relative;
    scores.violation_rms = std::sqrt(squares / count);
  }
};

}  // namespace

DownscalingStudy::DownscalingStudy(const std::string& domain, int factor, const std::filesystem::path& data, std::int64_t limit)
    : text_(with_factor(domain, factor)),
      domain_(parse_domain(text_, domain)),
      constraints_(domain_.layout, domain_.laws, domain_.constants),
      samples_(load_samples(domain_, {data})) {
  LAVOISIER_REQUIRE(domain_.blocks && domain_.laws.size() == 1, "the study is of a domain with blocks and one law");
  coarse_ = domain_.layout.offset("coarse");
  contrast_ = domain_.layout.offset("contrast");
  halo_ = domain_.blocks->halo_x;
  const std::int64_t training = std::count(samples_.subset.begin(), samples_.subset.end(), Subset::training);
  const std::int64_t stride = limit > 0 ? std::max<std::int64_t>(1, training / limit) : 1;
  if (stride == 1) return;
  std::vector<std::int64_t> rows;
  std::int64_t seen = 0;
  for (std::int64_t row = 0; row < samples_.samples; ++row)
    if (samples_.subset[static_cast<std::size_t>(row)] == Subset::test || seen++ % stride == 0) rows.push_back(row);
  samples_ = select(samples_, rows);
}

DownscalingScores DownscalingStudy::score(const SampleSet& of, const BlockForecast& forecast) const {
  const auto y = outputs_of(of);
  const RowMatrix crps = gaussian_crps(forecast.mean, forecast.deviation.cwiseAbs2(), y).value;
  Violation violation(of, constraints_);
  violation.add(forecast.mean);
  DownscalingScores scores;
  double count = 0.0;
  for (Index s = 0; s < y.rows(); ++s)
    for (Index i = 0; i < y.cols(); ++i) {
      if (violation.A(s, i) == 0.0) continue;  // no value
      const double error = y(s, i) - forecast.mean(s, i);
      scores.rmse += error * error;
      scores.crps += crps(s, i);
      scores.coverage90 += std::abs(error) <= ninety_percent * forecast.deviation(s, i) ? 1.0 : 0.0;
      ++count;
    }
  scores.rmse = std::sqrt(scores.rmse / count);
  scores.crps /= count;
  scores.coverage90 /= count;
  violation.put(scores);
  return scores;
}

DownscalingScores DownscalingStudy::train_and_score(const TrainingOptions& options, Subset subset, int members) const {
  TrainingOptions own = options;
  own.unseen = domain_.unseen;
  const TrainingResult trained = train(samples_, constraints_, own);
  const SampleSet of = select(samples_, subset);
  const PredictedMarginals marginals = predict(trained.model, of);
  DownscalingScores scores = score(of, {marginals.mean, marginals.variance.cwiseMax(0.0).cwiseSqrt()});
  Violation violation(of, constraints_);
  for (const std::vector<double>& member : cli::draws_of(trained.model, of, members))
    violation.add(Eigen::Map<const RowMatrix>(member.data(), of.samples, of.output_elements()));
  violation.put(scores);
  scores.training_seconds = trained.seconds;
  if (!trained.history.empty()) scores.best_epoch = trained.history.back().best_epoch;
  return scores;
}

DownscalingScores DownscalingStudy::softmax(const TrainingOptions& options, Subset subset, int members) const {
  TrainingOptions own = options;
  own.unseen = domain_.unseen;
  const SampleSet of = select(samples_, subset);
  const SoftmaxDraws drawn = train_softmax(samples_, constraints_, own, of, members);
  const auto y = outputs_of(of);
  DownscalingScores scores;
  Violation violation(of, constraints_);
  for (const RowMatrix& member : drawn.members) violation.add(member);
  const auto M = static_cast<double>(drawn.members.size());
  std::vector<double> x(drawn.members.size());
  double count = 0.0;
  for (Index s = 0; s < y.rows(); ++s)
    for (Index i = 0; i < y.cols(); ++i) {
      if (violation.A(s, i) == 0.0) continue;
      double mean = 0.0, error = 0.0, pairs = 0.0;
      for (std::size_t m = 0; m < x.size(); ++m) {
        x[m] = drawn.members[m](s, i);
        mean += x[m] / M;
        error += std::abs(x[m] - y(s, i)) / M;
      }
      std::sort(x.begin(), x.end());
      for (std::size_t m = 0; m < x.size(); ++m) pairs += (2.0 * static_cast<double>(m) - M + 1.0) * x[m];
      double squares = 0.0;
      for (const double value : x) squares += (value - mean) * (value - mean);
      // The mean of M members errs by variance / M more than that of the law.
      scores.rmse += (y(s, i) - mean) * (y(s, i) - mean) - squares / (M * (M - 1.0));
      scores.crps += error - pairs / (M * (M - 1.0));
      const auto below = static_cast<double>(std::lower_bound(x.begin(), x.end(), y(s, i)) - x.begin());
      scores.coverage90 += below >= 0.05 * M && below <= 0.95 * M ? 1.0 : 0.0;
      ++count;
    }
  scores.rmse = std::sqrt(scores.rmse / count);
  scores.crps /= count;
  scores.coverage90 /= count;
  violation.put(scores);
  scores.training_seconds = drawn.training_seconds;
  scores.best_epoch = drawn.best_epoch;
  return scores;
}

DownscalingScores DownscalingStudy::linear(Subset subset) const {
  TrainingOptions options;
  options.strategy = Strategy::projection;
  options.network.hidden = {1};
  options.network.linear_skip = true;
  options.epochs = 1;
  options.learning_rate = 1e-30;  // what is trained stays as it starts, zero
  options.unseen = domain_.unseen;
  options.threads = 1;
  const SampleSet of = select(samples_, subset);
  const PredictedMarginals marginals = predict(train(samples_, constraints_, options).model, of);
  return score(of, {marginals.mean, RowMatrix::Zero(of.samples, of.output_elements())});
}

RowMatrix DownscalingStudy::interpolated(const SampleSet& of, bool conservative) const {
  const Blocks& blocks = *domain_.blocks;
  const std::int64_t fy = blocks.factor_y, fx = blocks.factor_x, width = 2 * halo_ + 1;
  const auto x = inputs_of(of);
  RowMatrix y(of.samples, fy * fx);
  for (Index s = 0; s < of.samples; ++s) {
    const auto at = [&](std::int64_t dy, std::int64_t dx) { return x(s, contrast_ + (halo_ + dy) * width + halo_ + dx); };
    for (std::int64_t i = 0; i < fy; ++i)
      for (std::int64_t j = 0; j < fx; ++j) {
        // Of the cell's centre from the block's, in blocks.
        const double v = (static_cast<double>(i) + 0.5) / static_cast<double>(fy) - 0.5;
        const double u = (static_cast<double>(j) + 0.5) / static_cast<double>(fx) - 0.5;
        const int sy = v < 0.0 ? -1 : 1, sx = u < 0.0 ? -1 : 1;
        const double a = std::abs(v), b = std::abs(u);
        y(s, i * fx + j) = x(s, coarse_) + a * (1.0 - b) * at(sy, 0) + (1.0 - a) * b * at(0, sx) + a * b * at(sy, sx);
      }
  }
  if (!conservative) return y;
  const RowMatrix A = constraints_.stacked_A(x), d = constraints_.right_hand_side(x);
  for (Index s = 0; s < of.samples; ++s) y.row(s).array() += d(s, 0) - A.row(s).dot(y.row(s));
  return y;
}

DownscalingScores DownscalingStudy::bilinear(Subset subset, bool conservative, bool dressed) const {
  const SampleSet of = select(samples_, subset);
  BlockForecast forecast{interpolated(of, conservative), RowMatrix::Zero(of.samples, of.output_elements())};
  if (dressed) {
    const SampleSet training = select(samples_, Subset::training);
    const RowMatrix error = outputs_of(training) - interpolated(training, conservative);
    const Eigen::RowVectorXd deviation = (error.cwiseAbs2().colwise().mean()).cwiseSqrt();
    forecast.deviation.rowwise() = deviation;
  }
  return score(of, forecast);
}

}  // namespace lavoisier::bench
