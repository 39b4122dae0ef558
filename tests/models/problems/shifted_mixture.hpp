#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_SHIFTED_MIXTURE_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_SHIFTED_MIXTURE_HPP

#include "mixture.hpp"
#include "samples.hpp"

namespace lavoisier::test {

/// Mixtures shifted by an input: y ~ mixture + b x1; with a law given sum(y) = x0.
struct MixtureProblem {
  explicit MixtureProblem(bool with_law, Eigen::Index count = 10000) : n(3), data(detail::mixture(n)) {
    using Eigen::MatrixXd;
    const Eigen::VectorXd a = Eigen::VectorXd::Ones(n);
    N = (Eigen::HouseholderQR<MatrixXd>(a).householderQ() * MatrixXd::Identity(n, n)).rightCols(n - 1);
    if (with_law) laws = sum_law(n);
    RowMatrix x(count, 2), y(count, n);
    for (Eigen::Index i = 0; i < count; ++i) {
      x(i, 0) = 1.5 * normal_of_row(static_cast<std::uint64_t>(i), 100);
      x(i, 1) = normal_of_row(static_cast<std::uint64_t>(i), 101);
      y.row(i) = draw(x.row(i), static_cast<std::uint64_t>(i), 0).transpose();
    }
    samples = samples_of(layout_of(2, n), x, y);
    inputs = x;
  }
  LinearConstraints constraints() const { return {samples.layout, laws, {}}; }
  /// An exact draw for an input.
  Eigen::VectorXd draw(const Eigen::RowVectorXd& x, std::uint64_t row, std::uint64_t member) const {
    using Eigen::MatrixXd, Eigen::VectorXd;
    const auto at = [&](std::uint64_t element) {
      return random::Address{.column = row, .member = member, .site = 5, .element = element};
    };
    const VectorXd a = VectorXd::Ones(n);
    detail::Mixture law = data;
    VectorXd shift = VectorXd::LinSpaced(n, -0.5, 0.7) * x[1];
    MatrixXd to = MatrixXd::Identity(n, n);
    if (!laws.empty()) {
      const double d = x[0] - a.dot(shift);
      law = detail::given(data, a, d, N);
      shift += a * (d / a.squaredNorm());
      to = N;
    }
    double u = random::uniform_open_right(random::words({21, 1}, at(50))[0]);
    Eigen::Index k = 0;
    while (k + 1 < law.size() && u >= law.weight[k]) u -= law.weight[k++];
    VectorXd e(law.dimension());
    for (Eigen::Index j = 0; j < e.size(); ++j) e[j] = random::normal({21, 2}, at(static_cast<std::uint64_t>(j)));
    const MatrixXd root = law.covariance[static_cast<std::size_t>(k)].llt().matrixL();
    return shift + to * (law.mean[static_cast<std::size_t>(k)] + root * e);
  }
  Eigen::Index n;
  detail::Mixture data;
  Eigen::MatrixXd N;
  std::vector<Law> laws;
  SampleSet samples;
  RowMatrix inputs;
};

/// `ddpm` or `flow_matching`.
inline TrainingOptions mixture_options(const std::string& generator, bool with_law) {
  TrainingOptions options = options_for(generator);
  options.strategy = strategy_of(with_law);
  options.ema = 0.99;
  options.epochs = 80;
  return options;
}

/// Energy score of members against y, mean over rows.
inline double energy_score(const std::vector<RowMatrix>& members, const RowMatrix& y) {
  const auto count = static_cast<double>(members.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    sum += (members[i] - y).rowwise().norm().mean() / count;
    for (std::size_t j = 0; j < i; ++j)
      sum -= (members[i] - members[j]).rowwise().norm().mean() / (count * (count - 1.0));
  }
  return sum;
}

/// Eight members of each validation sample, drawn by a model and from the exact law.
struct MixtureMembers {
  MixtureMembers(const MixtureProblem& problem, const ModelFile& model, const Draws& draw)
      : validation(select(problem.samples, Subset::validation)) {
    const RowMatrix x = inputs_of(validation);
    for (std::uint64_t member = 0; member < 8; ++member) {
      found.push_back(draw(model, validation, member));
      RowMatrix& one = exact.emplace_back(x.rows(), problem.n);
      for (Eigen::Index i = 0; i < x.rows(); ++i)
        one.row(i) = problem.draw(x.row(i), 7000 + static_cast<std::uint64_t>(i), member).transpose();
    }
  }
  Figure energy() const {
    const RowMatrix y = outputs_of(validation);
    return {energy_score(found, y), energy_score(exact, y)};
  }

  SampleSet validation;
  std::vector<RowMatrix> found, exact;
};

}  // namespace lavoisier::test

#endif
