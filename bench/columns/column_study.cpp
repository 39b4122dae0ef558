#include "column_study.hpp"

#include "calibration.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <set>

namespace lavoisier::bench {
namespace {

using Eigen::Index;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::shared_ptr<const Model> parsed(ModelFile file) {
  const auto bytes = file.serialize();
  return Model::parse(bytes.data(), bytes.size(), "trained");
}

/// What the plugin makes of all samples, samples x outputs: a member's draw, or the mean.
class Emulated {
 public:
  Emulated(const std::shared_ptr<const Model>& model, const SampleSet& samples, int threads)
      : model_(model), samples_(samples), workspace_(model, options(threads)) {}

  RowMatrix operator()(std::uint64_t member, bool mean) {
    const std::int64_t n = samples_.output_elements(), k = samples_.input_elements();
    RowMatrix y(samples_.samples, n);
    double worst = 0.0;
    for (std::int64_t first = 0; first < samples_.samples; first += chunk) {
      const std::int64_t count = std::min(chunk, samples_.samples - first);
      std::vector<InputField> inputs;
      std::vector<OutputField> outputs;
      std::int64_t offset = 0;
      for (const auto& variable : model_->inputs()) {
        InputField field;
        field.data = samples_.inputs.data() + first * k + offset;
        place(field, variable, count, k, offset);
        inputs.push_back(field);
      }
      offset = 0;
      for (const auto& variable : model_->outputs()) {
        OutputField field;
        field.data = y.data() + first * n + offset;
        place(field, variable, count, n, offset);
        outputs.push_back(field);
      }
      RunArguments arguments;
      arguments.inputs = inputs.data();
      arguments.input_count = inputs.size();
      arguments.outputs = outputs.data();
      arguments.output_count = outputs.size();
      arguments.columns = count;
      arguments.column_ids = samples_.column.data() + first;
      arguments.step_ids = samples_.step.data() + first;
      arguments.member = member;
      std::vector<Status> status(static_cast<std::size_t>(count));
      arguments.status = status.data();
      const RunReport& report = mean ? workspace_.run_mean(arguments) : workspace_.run(arguments);
      for (std::int64_t c = 0; c < count; ++c)
        if (const Status found = status[static_cast<std::size_t>(c)]; found != Status::ok && found != Status::out_of_range) {
          if (!without_result.contains(first + c))
            std::fprintf(stderr, "sample %lld: %s\n", static_cast<long long>(first + c), status_name(found));
          without_result.insert(first + c);
        }
      for (const auto& law : report.laws) worst = std::max(worst, law.max_relative);
    }
    if (!mean) max_relative = std::max(max_relative, worst);
    return y;
  }

  double max_relative = 0.0;  ///< of all laws and draws so far
  std::set<std::int64_t> without_result;  ///< samples that a run could not draw

 private:
  static constexpr std::int64_t chunk = 1024;
  static WorkspaceOptions options(int threads) {
    WorkspaceOptions made;
    made.max_columns = chunk;
    made.backend = threads == 1 ? Backend::serial : Backend::automatic;
    return made;
  }
  template <class Field>
  static void place(Field& field, const VariableInfo& variable, std::int64_t count, std::int64_t stride,
                    std::int64_t& offset) {
    field.name = variable.name.c_str();
    field.units = variable.units.c_str();
    field.columns = count;
    field.elements = variable.elements;
    field.column_stride = stride;
    offset += variable.elements;
  }

  std::shared_ptr<const Model> model_;
  const SampleSet& samples_;
  Workspace workspace_;
};

}  // namespace

struct ColumnStudy::Implementation {
  Domain domain;
  LinearConstraints constraints;
  SampleSet all, validation, test;
  Eigen::VectorXd mean, scale;  ///< of the outputs in training: mean, standard deviation
  std::vector<double> convection_validation, convection_test;  ///< expected by the fixed model
  std::vector<std::string> names;

  Implementation(Domain given, const std::filesystem::path& data, std::int64_t limit, std::int64_t epochs)
      : domain(std::move(given)), constraints(domain.layout, domain.laws, domain.constants) {
    all = load_samples(domain, {data});
    if (limit > 0) thin(limit);
    validation = select(all, Subset::validation);
    test = select(all, Subset::test);
    const SampleSet training = select(all, Subset::training);
    const Eigen::Map<const RowMatrix> y(training.outputs.data(), training.samples, training.output_elements());
    mean = y.colwise().mean().transpose();
    scale = (y.rowwise() - y.colwise().mean()).colwise().squaredNorm().cwiseSqrt().transpose() /
            std::sqrt(static_cast<double>(y.rows()));
    for (const Variable& variable : domain.layout.with_role(Role::output)) {
      const std::int64_t elements = domain.layout.elements(variable);
      for (std::int64_t e = 0; e < elements; ++e)
        names.push_back(variable.name + (elements > 1 ? "[" + std::to_string(e) + "]" : ""));
    }
    TrainingOptions fixed;
    fixed.strategy = Strategy::none;
    fixed.loss = Loss::squared_error;
    fixed.network.hidden = {128, 128};
    fixed.epochs = epochs;
    fixed.seed = 4711;
    fixed.threads = 1;
    const auto model = parsed(train(all, constraints, fixed).model);
    const Index rain = domain.layout.offset("prc");
    const auto expected = [&](const SampleSet& samples) {
      const RowMatrix y_mean = Emulated(model, samples, 1)(0, true);
      return std::vector<double>(y_mean.col(rain).begin(), y_mean.col(rain).end());
    };
    convection_validation = expected(validation);
    convection_test = expected(test);
  }

  /// Evenly chosen training columns, and as large a share of the others.
  void thin(std::int64_t limit) {
    const std::int64_t training = std::count(all.subset.begin(), all.subset.end(), Subset::training);
    const std::int64_t stride = std::max<std::int64_t>(1, training / limit);
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < all.samples; row += stride) rows.push_back(row);
    all = select(all, rows);
  }

  /// The coefficients of an output's elements in a law, sample by sample: of the energy law those of a heating are cp
  /// times the layers' masses.
  RowMatrix coefficients(const SampleSet& samples, const std::string& law, const std::string& output) const;
  double constant(const std::string& name) const;
};

RowMatrix ColumnStudy::Implementation::coefficients(const SampleSet& samples, const std::string& law,
                                                    const std::string& output) const {
  const auto& laws = constraints.independent_laws();
  const auto found = std::find_if(laws.begin(), laws.end(), [&](const Law& one) { return one.name == law; });
  LAVOISIER_REQUIRE(found != laws.end(), "the domain has no law " + law);
  const auto k = static_cast<Index>(found - laws.begin()), m = constraints.rows();
  const Eigen::Map<const RowMatrix> x(samples.inputs.data(), samples.samples, samples.input_elements());
  const RowMatrix A = constraints.stacked_A(x);
  const Index first = domain.layout.offset(output), elements = domain.layout.elements(domain.layout.variable(output));
  RowMatrix made(samples.samples, elements);
  for (Index s = 0; s < made.rows(); ++s) made.row(s) = A.row(s * m + k).segment(first, elements);
  return made;
}

double ColumnStudy::Implementation::constant(const std::string& name) const {
  const auto found = std::find_if(domain.constants.begin(), domain.constants.end(),
                                  [&](const Constant& one) { return one.name == name; });
  LAVOISIER_REQUIRE(found != domain.constants.end(), "the domain has no constant " + name);
  return found->value;
}

ColumnStudy::ColumnStudy(const std::string& domain, const std::filesystem::path& data, std::int64_t limit,
                         std::int64_t epochs_of_fixed)
    : implementation_(std::make_unique<Implementation>(load_domain(domain), data, limit, epochs_of_fixed)) {}
ColumnStudy::~ColumnStudy() = default;
const std::vector<std::string>& ColumnStudy::output_names() const { return implementation_->names; }

namespace {

/// Mean of |x_m - y| - sum_{l<m} |x_l - x_m| / (M (M - 1)), over samples; and coverage by randomised PIT. Sorted members:
/// the pairs' sum is sum (2 i - M + 1) x_(i).
struct OutputScore {
  std::vector<double> crps;  ///< one a sample
  double coverage = 0.0;
};
OutputScore score_output(const std::vector<RowMatrix>& members, const Eigen::Ref<const Eigen::VectorXd>& y, Index output,
                         double scale) {
  const auto M = static_cast<Index>(members.size());
  OutputScore score;
  std::vector<double> x(members.size());
  std::mt19937_64 generator(static_cast<std::uint64_t>(output) + 17);
  std::uniform_real_distribution<double> uniform;
  Index covered = 0;
  for (Index s = 0; s < y.size(); ++s) {
    double error = 0.0, pairs = 0.0;
    Index below = 0, equal = 0;
    for (Index m = 0; m < M; ++m) {
      const double value = members[static_cast<std::size_t>(m)](s, output);
      x[static_cast<std::size_t>(m)] = value;
      error += std::abs(value - y[s]);
      below += value < y[s];
      equal += value == y[s];
    }
    std::sort(x.begin(), x.end());
    for (Index i = 0; i < M; ++i) pairs += static_cast<double>(2 * i - M + 1) * x[static_cast<std::size_t>(i)];
    score.crps.push_back((error / static_cast<double>(M) - pairs / static_cast<double>(M * (M - 1))) / scale);
    const double pit = (static_cast<double>(below) + uniform(generator) * static_cast<double>(equal + 1)) /
                       static_cast<double>(M + 1);
    covered += pit >= 0.05 && pit <= 0.95;
  }
  score.coverage = static_cast<double>(covered) / static_cast<double>(y.size());
  return score;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

ColumnScores ColumnStudy::run(const ColumnRun& run, Subset subset) const {
  const Implementation& own = *implementation_;
  const SampleSet& samples = subset == Subset::test ? own.test : own.validation;
  const std::vector<double>& convection = subset == Subset::test ? own.convection_test : own.convection_validation;
  ColumnScores scores;
  auto begin = std::chrono::steady_clock::now();
  TrainingResult trained = train(own.all, own.constraints, run.training);
  scores.training_seconds = seconds_since(begin);
  if (!trained.history.empty()) scores.best_epoch = trained.history.back().best_epoch;
  if (run.calibrate) scores.factor = cli::calibrate_deviations(trained.model, own.validation).factor;
  begin = std::chrono::steady_clock::now();
  Emulated emulated(parsed(trained.model), samples, run.training.threads);
  std::vector<RowMatrix> members;
  for (std::int64_t m = 0; m < run.members; ++m) members.push_back(emulated(static_cast<std::uint64_t>(m), false));
  scores.sampling_seconds = seconds_since(begin);
  scores.max_relative_violation = emulated.max_relative;
  RowMatrix mean = emulated(0, true);
  RowMatrix y = Eigen::Map<const RowMatrix>(samples.outputs.data(), samples.samples, samples.output_elements());
  // What has no result is counted, and scored as the training's mean would be.
  scores.without_result = static_cast<std::int64_t>(emulated.without_result.size());
  for (const std::int64_t s : emulated.without_result) {
    for (RowMatrix& member : members) member.row(s) = own.mean.transpose();
    mean.row(s) = own.mean.transpose();
  }

  // The tenth of the columns where convection is expected most.
  std::vector<Index> order(static_cast<std::size_t>(y.rows()));
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index a, Index b) {
    return convection[static_cast<std::size_t>(a)] > convection[static_cast<std::size_t>(b)];
  });
  order.resize(order.size() / 10);
  double convective = 0.0;
  for (Index j = 0; j < y.cols(); ++j) {
    const OutputScore score = score_output(members, y.col(j), j, own.scale[j]);
    scores.crps.push_back(mean_of(score.crps));
    scores.coverage90.push_back(score.coverage);
    double sum = 0.0;
    for (const Index s : order) sum += score.crps[static_cast<std::size_t>(s)];
    convective += sum / static_cast<double>(order.size());
  }
  scores.crps_mean = mean_of(scores.crps);
  scores.crps_convection = convective / static_cast<double>(y.cols());

  // Column-integrated heating cp sum(m dT) and moistening L sum(m dq), W m-2.
  const StateLayout& layout = own.domain.layout;
  const RowMatrix heating = own.coefficients(samples, "energy", "tntmp"),
                  moistening = own.constant("latent_heat") * own.coefficients(samples, "water", "tnhusmp");
  const Index temperature = layout.offset("tntmp"), humidity = layout.offset("tnhusmp");
  const auto integrated = [&](const auto& of, Index s) {
    return Eigen::Vector2d(heating.row(s).dot(of.row(s).segment(temperature, heating.cols())),
                           moistening.row(s).dot(of.row(s).segment(humidity, moistening.cols())));
  };
  const auto M = static_cast<double>(members.size());
  double energy = 0.0;
  for (Index s = 0; s < y.rows(); ++s) {
    const Eigen::Vector2d truth = integrated(y, s);
    std::vector<Eigen::Vector2d> points;
    for (const RowMatrix& member : members) points.push_back(integrated(member, s));
    double error = 0.0, pairs = 0.0;
    for (std::size_t a = 0; a < points.size(); ++a) {
      error += (points[a] - truth).norm();
      for (std::size_t b = 0; b < a; ++b) pairs += (points[a] - points[b]).norm();
    }
    energy += error / M - pairs / (M * (M - 1.0));
  }
  scores.energy_integrated = energy / static_cast<double>(y.rows());

  const auto r2 = [&](const std::string& name) {
    double sum = 0.0;
    const std::int64_t elements = layout.elements(layout.variable(name));
    for (std::int64_t e = 0; e < elements; ++e) {
      const Index j = layout.offset(name) + e;
      const double total = (y.col(j).array() - y.col(j).mean()).square().sum();
      sum += 1.0 - (y.col(j) - mean.col(j)).squaredNorm() / total;
    }
    return sum / static_cast<double>(elements);
  };
  scores.r2_temperature = r2("tntmp");
  scores.r2_humidity = r2("tnhusmp");
  for (const std::string name : {"prc", "prl"})
    for (const RowMatrix& member : members)
      scores.negative_rain += (member.col(layout.offset(name)).array() < 0.0).count();

  // Of the energy law, as a host would meet it.
  const Eigen::Map<const RowMatrix> x(samples.inputs.data(), samples.samples, samples.input_elements());
  const auto& laws = own.constraints.independent_laws();
  const auto law = std::find_if(laws.begin(), laws.end(), [](const Law& one) { return one.name == "energy"; });
  if (law != laws.end()) {
    const auto k = static_cast<Index>(law - laws.begin());
    const Index m = own.constraints.rows();
    const RowMatrix A = own.constraints.stacked_A(x), d = own.constraints.right_hand_side(x);
    double squares = 0.0;
    for (const RowMatrix& member : members)
      for (Index s = 0; s < y.rows(); ++s) {
        const double residual = A.row(s * m + k).dot(member.row(s)) - d(s, k);
        squares += residual * residual;
        scores.law_max = std::max(scores.law_max, std::abs(residual));
      }
    scores.law_rms = std::sqrt(squares / (M * static_cast<double>(y.rows())));
  }
  return scores;
}

}  // namespace lavoisier::bench
