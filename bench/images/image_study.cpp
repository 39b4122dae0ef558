#include "image_study.hpp"

#include "checkpoint.hpp"
#include "frechet.hpp"
#include "sampling_table.hpp"
#include "training_data.hpp"
#include "vae.hpp"

#include "../../tests/support/temporary_folder.hpp"

#include <plugin_draw.hpp>

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace lavoisier::bench {
namespace {

using namespace detail;
using Eigen::Index;

bool is_latent(const std::string& generator) { return generator == "vae" || generator == "ladder_vae"; }

/// The same model with another number of sampling steps.
ModelFile with_steps(const ModelFile& model, const TrainingOptions& options, const std::string& projection,
                     std::int64_t steps) {
  const GeneratorOptions& generator = options.generator;
  const SamplingTable table = sampling_table(generator.name == "flow_matching" ? "flow" : generator.sampler,
                                             generator.prediction, projection, steps);
  ModelFile changed;
  changed.description = model.description;
  for (const Tensor& tensor : model.tensors())
    changed.add(tensor.name != "sampling.schedule"
                    ? tensor
                    : Tensor::from(tensor.name, {table.schedule.rows(), table.schedule.cols()},
                                   std::span<const double>(table.schedule.data(),
                                                           static_cast<std::size_t>(table.schedule.size()))));
  return changed;
}

/// One draw for each sample by the plugin, and the largest relative residual that it reports.
RowMatrix plugin_draws(const ModelFile& file, const SampleSet& samples, double& largest) {
  // The same noise for a model and its twin.
  const std::vector<double> values = cli::PluginDraws(file, samples, {.chunk = 256, .stream = 0}).draw(0, &largest);
  return Eigen::Map<const RowMatrix>(values.data(), samples.samples, samples.output_elements());
}

/// Minus the loss of the test images in physical units, mean over images and draws: a lower bound of log p(N'y | x) in
/// orthonormal coordinates N of the laws' null space. Under `conditional` the decoder's law given z is the density on
/// the laws' surface; the twin's is N(N'y; N'mu, N'SN). Both have n - m dimensions.
double evidence_bound(const ImageRun& run, const TrainingOptions& options, const ImageProblem& problem,
                      const std::vector<float>& weights) {
  SampleSet judged = problem.samples;
  for (Subset& subset : judged.subset)
    subset = subset == Subset::test ? Subset::validation : subset == Subset::validation ? Subset::test : subset;
  const LinearConstraints constraints = problem.constraints();
  const TrainingData data(judged, constraints, true, options.scaling);
  if (static_cast<Index>(data.active.size()) != image_pixels) throw Error(Status::internal, "a pixel is constant");
  LatentModel<float> model({judged.input_elements(), image_pixels, options.generator.latents}, options);
  if (weights.size() != model.networks().weights().size()) throw Error(Status::internal, "weights of another network");
  std::copy(weights.begin(), weights.end(), model.networks().weights().begin());

  const RowMatrix& A = constraints.A();
  const Eigen::ArrayXXd scale = data.output_scale.transpose().array(), mean = data.output_mean.transpose().array();
  const auto physical = [&](const RowMatrix& rows, bool shift) -> RowMatrix {
    Eigen::Array<double, -1, -1, Eigen::RowMajor> made = rows.array().rowwise() * scale.row(0);
    if (shift) made.rowwise() += mean.row(0);
    return made.matrix();
  };
  double sum = 0.0;
  constexpr Index piece = 500;
  const Index count = data.validation.count(), k = static_cast<Index>(judged.input_elements());
  for (Index first = 0; first < count; first += piece) {
    const Index rows = std::min(piece, count - first);
    const RowMatrix standardised = data.validation.y.middleRows(first, rows), y = physical(standardised, true);
    const RowMatrix d = y * A.transpose();
    const std::vector<float> x(data.validation.x.begin() + first * k, data.validation.x.begin() + (first + rows) * k);
    const RawLoss decoder = [&](const RowMatrix& raw, RowMatrix*) -> Eigen::VectorXd {
      const HeadValues head = head_values(raw, data.active, options.network);
      const RowMatrix mu = physical(head.mean, true), s = physical(head.standard_deviation, false);
      if (run.variant == "none") return -null_space_log_density(A, mu, s, y, {run.threads});
      return -conditional_log_density(A, mu, s, d, y, false, {run.threads}).value;
    };
    DrawAddress at;
    for (Index row = 0; row < rows; ++row) at.samples.push_back(static_cast<std::uint64_t>(first + row));
    for (int draw = 0; draw < run.likelihood_draws; ++draw) {
      at.step = static_cast<std::uint64_t>(draw);
      sum -= model.loss(x, standardised, decoder, 1.0, at, TrainingStream::judging, false).sum();
    }
  }
  return sum / static_cast<double>(count * run.likelihood_draws);
}

}  // namespace

TrainingOptions training_options(const ImageRun& run) {
  TrainingOptions options;
  options.generator.name = run.generator;
  options.strategy = run.variant == "none" ? Strategy::none : Strategy::conditional;
  options.generator.projection = run.variant == "ambient" ? "ambient" : "null_space";
  options.scaling = "max_abs";
  options.seed = run.seed;
  options.epochs = run.epochs;
  options.batch = run.batch;
  options.learning_rate = run.learning_rate;
  options.threads = run.threads;
  options.network.hidden = run.hidden;
  if (is_latent(run.generator)) {
    options.loss = Loss::likelihood;
    options.network.floor = run.floor;
    options.network.deviation = run.deviation;
    options.network.parametrization = "softplus";  // exp: a latent that training never met can make a deviation of 1e4
    options.generator.latents = {run.latents};
    if (run.generator == "ladder_vae") options.generator.latents.push_back(run.latents / 2);
    options.generator.kl_warm_up = run.epochs / 4;
  } else {
    options.loss = Loss::squared_error;
    options.generator.fields.backbone = "unet";
    options.generator.fields.height = options.generator.fields.width = image_side;
    options.generator.fields.widths = run.widths;
    // Four channels a group: the norm of a group of one would take out all that vectors and time add to it.
    options.generator.fields.groups = std::max<std::int64_t>(1, run.widths.front() / 4);
    options.generator.steps = run.steps.back();
    options.ema = 0.999;
    options.gradient_clip = 1.0;
  }
  return options;
}

ImageStudy::ImageStudy(std::int64_t training, std::int64_t test, const ImageClassifier::Options& classifier,
                       const std::filesystem::path& cache)
    : training_(load_images("train", training)),
      test_(load_images("t10k", test)),
      classifier_(training_, classifier, cache) {}

double ImageStudy::frechet_floor(std::int64_t samples) const {
  return frechet_distance(FeatureMoments(classifier_.features_of(training_.pixels.bottomRows(samples))),
                          FeatureMoments(classifier_.features_of(test_.pixels.topRows(samples))));
}

ImageScores ImageStudy::run(const ImageRun& run) const {
  const std::int64_t known = run.training + run.validation;
  if (known > training_.pixels.rows() || run.samples > test_.pixels.rows())
    throw Error(Status::invalid_argument, "the study has " + std::to_string(training_.pixels.rows()) +
                                              " training and " + std::to_string(test_.pixels.rows()) +
                                              " test images; asked for " + std::to_string(known) + " and " +
                                              std::to_string(run.samples));
  const Images images{training_.pixels.topRows(known), {}, training_.first_id};
  const Images test{test_.pixels.topRows(run.samples), {}, test_.first_id};
  const ImageProblem problem(run.laws, images, run.training, test);
  TrainingOptions options = training_options(run);
  const tests::TemporaryFolder folder;
  if (is_latent(run.generator)) options.checkpoint = folder.path();  // the model file has no encoder

  ImageScores scores;
  const LinearConstraints constraints = problem.constraints();
  const TrainingResult trained = train(problem.samples, constraints, options);
  scores.training_seconds = trained.seconds;
  scores.validation_loss = trained.history.back().best_validation_loss;
  scores.best_epoch = trained.history.back().best_epoch;
  scores.weights = std::stoll(trained.model.description.provenance.at("training.weights"));
  scores.evidence_bound = std::numeric_limits<double>::quiet_NaN();
  if (is_latent(run.generator)) {
    const ModelFile checkpoint = ModelFile::read(checkpoint_file(options.checkpoint));
    const auto best = checkpoint.tensor("checkpoint.best").f32();
    scores.evidence_bound = evidence_bound(run, options, problem, {best.begin(), best.end()});
  }
  const FeatureMoments reference(classifier_.features_of(test.pixels));
  const SampleSet given = select(problem.samples, Subset::test);
  const Eigen::Map<const RowMatrix> d(given.inputs.data(), given.samples, given.input_elements());
  const std::string projection = run.variant == "none" ? "none" : options.generator.projection;
  for (const std::int64_t steps : is_latent(run.generator) ? std::vector<std::int64_t>{0} : run.steps) {
    const auto begin = std::chrono::steady_clock::now();
    RowMatrix y = plugin_draws(steps == 0 ? trained.model : with_steps(trained.model, options, projection, steps),
                               given, scores.max_relative_violation);
    scores.sampling_seconds[steps] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    scores.frechet[steps] = frechet_distance(FeatureMoments(classifier_.features_of(y)), reference);
    scores.shown = y.topRows(std::min<Index>(16, y.rows()));
    if (run.variant != "none") continue;
    project_onto_laws(constraints.A(), d, y);
    scores.frechet_projected[steps] = frechet_distance(FeatureMoments(classifier_.features_of(y)), reference);
  }
  return scores;
}

}  // namespace lavoisier::bench
