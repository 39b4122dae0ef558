// Which estimator trains best at equal cost? The conditional law trained by each estimator of the gradients of CRPS and
// energy score, and by the likelihood, on the ocean heat budget and on a made-up problem of correlated, heavy-tailed
// outputs. Every row has the processor time of the exact CRPS row: an epoch of each is measured first, and its number
// of epochs (the length of its cosine schedule) set by that. Validation (always exact) is part of an epoch's time.
// Scores are exact, of the test samples, outputs over their training deviation; a ratio is the geometric mean over seeds
// of the score over that of the exact CRPS with the same seed, with the 95 % half width of Student's t.
//
// Takes minutes; no group of scripts/bench. By hand:
//   cmake --preset release -DLAVOISIER_BUILD_BENCH=ON && cmake --build build/release --target study_estimators
//   build/release/bin/study_estimators [--problem=ocean|correlated] [--seeds=5] [--draws=8] [--epochs=100] [--equal-epochs] [--rows=WORD] [--quick]
// --rows=likelihood: only rows whose name holds the word, and the reference.
// --equal-epochs: all rows have the epochs of the exact CRPS, whatever they cost.
// --quick: a small problem and one epoch of each row; fails if a score is not finite.
// LAVOISIER_OCEAN: the data of the ocean budget (default /usr/share/ferret-vis/data/esku_heat_budget.cdf; Debian
// package ferret-datasets).

#include "../tests/models/synthetic.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/exact_losses.hpp>
#include <lavoisier/training.hpp>
#include <lavoisier/training_losses.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace lavoisier;
using Eigen::Index;

struct Settings {
  int seeds = 5, draws = 8;
  std::int64_t epochs = 100;
  bool quick = false, equal_epochs = false;
  std::string rows;  ///< only these beside the reference: part of a row's name
};

struct Row {
  Loss loss;
  Estimator estimator;
  std::string name() const {
    return loss == Loss::likelihood ? "likelihood, exact" : std::string(to_string(loss)) + ", " + to_string(estimator);
  }
};

struct Scores {
  double crps = 0.0, energy = 0.0, coverage = 0.0, seconds = 0.0;
};

double processor_seconds() {
  std::timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Problem {
  std::string name;
  StateLayout layout;
  std::vector<Law> laws;
  std::vector<Constant> constants;
  SampleSet samples;
  LinearConstraints constraints() const { return {layout, laws, constants}; }
};

Problem ocean() {
  const char* named = std::getenv("LAVOISIER_OCEAN");
  const Domain domain = load_domain("ocean_heat_budget");
  return {"ocean heat budget", domain.layout, domain.laws, domain.constants,
          load_samples(domain, {named ? named : "/usr/share/ferret-vis/data/esku_heat_budget.cdf"})};
}

/// 6 inputs, 12 outputs, 2 laws. z = mu(x) + s(x) (F u + D e) sqrt(3 / chi^2_3): multivariate t of 3 degrees of freedom,
/// rank 2 plus diagonal; y = z - G (A z - d), G of the covariance at x.
Problem correlated(std::int64_t scale) {
  constexpr Index inputs = 6, outputs = 12, laws = 2;
  const auto normals = [](Index rows, Index columns, std::uint64_t stream, std::uint64_t column = 0) {
    Eigen::MatrixXd values(rows, columns);
    for (Index i = 0; i < values.size(); ++i)
      values.data()[i] = random::normal({11, stream}, {.column = column, .element = static_cast<std::uint64_t>(i)});
    return values;
  };
  const Eigen::MatrixXd B = 0.6 * normals(outputs, inputs, 1), C = 0.8 * normals(outputs, inputs, 2);
  const Eigen::MatrixXd E = 0.5 * normals(outputs, inputs, 3), F = normals(outputs, 2, 4);
  Eigen::MatrixXd A(laws, outputs);
  for (Index j = 0; j < outputs; ++j) {
    A(0, j) = 1.0;
    A(1, j) = j % 2 == 0 ? 1.0 + 0.1 * static_cast<double>(j) : -1.0;
  }
  Problem problem;
  problem.name = "correlated, heavy-tailed";
  std::vector<Variable> variables;
  for (Index i = 0; i < inputs; ++i) variables.push_back(test::scalar("x" + std::to_string(i), Role::input));
  for (Index j = 0; j < outputs; ++j) variables.push_back(test::scalar("y" + std::to_string(j), Role::output));
  problem.layout = StateLayout({}, variables);
  const Expression right[] = {Expression::symbol("x0"), Expression::symbol("x1") - Expression::symbol("x2")};
  for (Index k = 0; k < laws; ++k) {
    std::vector<std::pair<std::string, double>> terms;
    for (Index j = 0; j < outputs; ++j) terms.emplace_back("y" + std::to_string(j), A(k, j));
    problem.laws.push_back(test::linear_law("law" + std::to_string(k), terms, right[k]));
  }
  SampleSet& samples = problem.samples;
  samples.layout = problem.layout;
  samples.samples = 9 * scale;
  samples.source = "made up";
  for (std::int64_t row = 0; row < samples.samples; ++row) {
    const auto at = static_cast<std::uint64_t>(row);
    const Eigen::VectorXd x = normals(inputs, 1, 5, at), e = normals(outputs, 1, 6, at), u = normals(2, 1, 7, at);
    const double tail = std::sqrt(3.0 / normals(3, 1, 8, at).squaredNorm());
    const Eigen::VectorXd s = (0.5 * (E * x).array().sin()).exp() * 0.4;
    const Eigen::MatrixXd L = s.asDiagonal() * F;
    const Eigen::MatrixXd covariance = L * L.transpose() + Eigen::MatrixXd(0.25 * s.cwiseAbs2().asDiagonal());
    const Eigen::MatrixXd G = covariance * A.transpose() * (A * covariance * A.transpose()).inverse();
    const Eigen::Vector2d d(x[0], x[1] - x[2]);
    Eigen::VectorXd y = (1.5 * (C * x).array().sin()).matrix() + B * x + tail * (L * u + 0.5 * s.cwiseProduct(e));
    for (int pass = 0; pass < 2; ++pass) y -= G * (A * y - d);
    samples.inputs.insert(samples.inputs.end(), x.data(), x.data() + inputs);
    samples.outputs.insert(samples.outputs.end(), y.data(), y.data() + outputs);
    samples.subset.push_back(row < 4 * scale ? Subset::training : row < 5 * scale ? Subset::validation : Subset::test);
    samples.column.push_back(at);
    samples.step.push_back(0);
  }
  return problem;
}

class Judge {
 public:
  explicit Judge(const Problem& problem) : constraints_(problem.constraints()), test_(select(problem.samples, Subset::test)) {
    const SampleSet training = select(problem.samples, Subset::training);
    const Eigen::Map<const RowMatrix> y(training.outputs.data(), training.samples, training.output_elements());
    scale_ = (y.rowwise() - y.colwise().mean()).colwise().squaredNorm().cwiseSqrt().transpose() /
             std::sqrt(static_cast<double>(y.rows()));
    x_ = Eigen::Map<const RowMatrix>(test_.inputs.data(), test_.samples, test_.input_elements());
    y_ = Eigen::Map<const RowMatrix>(test_.outputs.data(), test_.samples, test_.output_elements());
    A_ = constraints_.shared() ? constraints_.A() : constraints_.stacked_A(x_);
    d_ = constraints_.right_hand_side(x_);
  }
  Scores operator()(const ModelFile& model) const {
    const PredictedMarginals found = predict(model, test_);
    const RowMatrix &mu = found.network_mean, &s = found.network_standard_deviation;
    Scores scores;
    // The reference may be off the laws by its own rounding; CRPS and energy score take it as it is.
    scores.crps = conditional_crps_loss(A_, mu, s, d_, y_, scale_).mean();
    scores.energy = conditional_energy_loss(A_, mu, s, d_, y_, scale_).mean();
    const double z = 1.6448536269514722;
    scores.coverage =
        ((y_ - found.mean).array().abs() <= z * found.variance.array().sqrt()).cast<double>().mean();
    return scores;
  }

 private:
  LinearConstraints constraints_;
  SampleSet test_;
  Eigen::VectorXd scale_;
  RowMatrix x_, y_, A_, d_;
};

TrainingOptions options_for(const Row& row, const Settings& settings) {
  TrainingOptions options;
  options.loss = row.loss;
  options.estimator = row.estimator;
  options.draws = settings.draws;
  options.network.hidden = {64, 64};
  options.threads = 1;
  options.epochs = settings.epochs;
  return options;
}

/// Processor time of one epoch: the least of three, the first left out (it holds the preparation of the data).
double epoch_seconds(const Problem& problem, const Row& row, const Settings& settings) {
  TrainingOptions options = options_for(row, settings);
  options.epochs = settings.quick ? 2 : 4;
  double least = HUGE_VAL, begin = 0.0;
  train(problem.samples, problem.constraints(), options, [&](const TrainingProgress& progress) {
    const double now = processor_seconds();
    if (progress.epoch > 1) least = std::min(least, now - begin);
    begin = now;
  });
  return least;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return values.size() > 1 ? std::sqrt(sum / static_cast<double>(values.size() - 1)) : 0.0;
}

/// "0.981 ± 0.004"
std::string ratio_text(const std::vector<double>& values, const std::vector<double>& reference) {
  constexpr double student[] = {0.0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  std::vector<double> logs;
  for (std::size_t i = 0; i < values.size(); ++i) logs.push_back(std::log(values[i] / reference[i]));
  const double ratio = std::exp(mean_of(logs));
  const std::size_t freedom = std::min<std::size_t>(logs.size() - 1, 9);
  char text[64];
  std::snprintf(text, sizeof text, "%.4f ± %.4f", ratio,
                ratio * student[freedom] * deviation_of(logs) / std::sqrt(static_cast<double>(logs.size())));
  return text;
}

bool study(const Problem& problem, const Settings& settings) {
  const Judge judge(problem);
  std::vector<Row> rows = {{Loss::crps, Estimator::exact}};
  for (const Loss loss : {Loss::crps, Loss::energy})
    for (const Estimator estimator :
         {Estimator::exact, Estimator::marginal_expectation, Estimator::pathwise, Estimator::score_function,
          Estimator::rao_blackwell, Estimator::rao_blackwell_shrunk})
      if (loss != Loss::crps || estimator != Estimator::exact) rows.push_back({loss, estimator});
  rows.push_back({Loss::likelihood, Estimator::exact});
  rows.erase(std::remove_if(rows.begin() + 1, rows.end(),
                            [&](const Row& row) { return row.name().find(settings.rows) == std::string::npos; }),
             rows.end());

  std::vector<double> cost;
  for (const Row& row : rows) cost.push_back(epoch_seconds(problem, row, settings));
  std::printf("\n%s: %d seeds, %d draws, %lld epochs of the exact CRPS (%.3f s of processor time each)\n\n"
              "| loss, estimator | epochs | seconds | CRPS | ratio | energy score | ratio | coverage of 90 %% |\n"
              "|---|---|---|---|---|---|---|---|\n",
              problem.name.c_str(), settings.seeds, settings.draws, static_cast<long long>(settings.epochs), cost[0]);
  bool finite = true;
  std::vector<double> reference_crps, reference_energy;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    TrainingOptions options = options_for(rows[i], settings);
    if (!settings.equal_epochs)
      options.epochs = std::max<std::int64_t>(1, std::llround(static_cast<double>(settings.epochs) * cost[0] / cost[i]));
    std::vector<double> crps, energy, coverage, seconds;
    for (int seed = 0; seed < settings.seeds; ++seed) {
      options.seed = static_cast<std::uint64_t>(seed);
      const double begin = processor_seconds();
      const TrainingResult result = train(problem.samples, problem.constraints(), options);
      seconds.push_back(processor_seconds() - begin);
      const Scores scores = judge(result.model);
      crps.push_back(scores.crps);
      energy.push_back(scores.energy);
      coverage.push_back(scores.coverage);
      finite = finite && std::isfinite(scores.crps) && std::isfinite(scores.energy);
    }
    if (i == 0) {
      reference_crps = crps;
      reference_energy = energy;
    }
    std::printf("| %s | %lld | %.2f | %.5f ± %.5f | %s | %.5f ± %.5f | %s | %.4f ± %.4f |\n", rows[i].name().c_str(),
                static_cast<long long>(options.epochs), mean_of(seconds), mean_of(crps), deviation_of(crps),
                ratio_text(crps, reference_crps).c_str(), mean_of(energy), deviation_of(energy),
                ratio_text(energy, reference_energy).c_str(), mean_of(coverage), deviation_of(coverage));
    std::fflush(stdout);
  }
  return finite;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::string problem;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&](const char* name) -> const char* {
      return word.rfind(name, 0) == 0 ? argv[i] + std::strlen(name) : nullptr;
    };
    if (word == "--quick") {
      settings.quick = true;
      settings.seeds = 1;
      settings.epochs = 1;
      problem = "correlated";
    } else if (word == "--equal-epochs") {
      settings.equal_epochs = true;
    } else if (const char* seeds = value("--seeds=")) {
      settings.seeds = std::max(1, std::atoi(seeds));
    } else if (const char* draws = value("--draws=")) {
      settings.draws = std::atoi(draws);
    } else if (const char* epochs = value("--epochs=")) {
      settings.epochs = std::max(1, std::atoi(epochs));
    } else if (const char* word_of_rows = value("--rows=")) {
      settings.rows = word_of_rows;
    } else if (const char* name = value("--problem=")) {
      problem = name;
    } else {
      std::fprintf(stderr, "%s: expected --problem=, --seeds=, --draws=, --epochs=, --equal-epochs, --rows= or --quick\n", argv[i]);
      return 2;
    }
  }
  if (!problem.empty() && problem != "ocean" && problem != "correlated") {
    std::fprintf(stderr, "--problem=%s: expected ocean or correlated\n", problem.c_str());
    return 2;
  }
  bool finite = true;
  if (problem != "correlated") finite = study(ocean(), settings) && finite;
  if (problem != "ocean") finite = study(correlated(settings.quick ? 60 : 1000), settings) && finite;
  return finite ? 0 : 1;
}
