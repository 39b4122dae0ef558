#include "training_run.hpp"

#include "export_model.hpp"
#include "network.hpp"
#include "options.hpp"

#include <cmath>

namespace lavoisier::detail {

using Eigen::Index;

std::vector<float> Training::judged() {
  if (!adam_.average.empty()) return adam_.average;
  const std::span<float> weights = generator_->weights();
  return {weights.begin(), weights.end()};
}

ModelFile Training::model(std::map<std::string, std::string> provenance) {
  const std::vector<float> weights = state_.best.empty() ? judged() : state_.best;
  provenance.insert(identity_.begin(), identity_.end());
  provenance.insert(options_.provenance.begin(), options_.provenance.end());
  return export_model(samples_.layout(), constraints_, context_, *generator_, weights, std::move(provenance));
}

ModelFile Training::finished_model() {
  std::map<std::string, std::string> provenance;
  provenance["data.source"] = samples_.source();
  provenance["data.training_samples"] = std::to_string(training_->count());
  provenance["data.validation_samples"] = std::to_string(validation_->count());
  provenance["data.target_distance"] = text_of(data_.target_distance);
  provenance["training.threads"] = std::to_string(training_threads());
  provenance["training.libtorch"] = torch_version();
  provenance["training.weights"] = std::to_string(generator_->parameters().size);
  provenance["training.best_epoch"] = std::to_string(state_.history.back().best_epoch);
  provenance["training.loss"] = text_of(state_.history.back().training_loss);
  if (validation_->count() == 0) return model(std::move(provenance));
  provenance["validation.loss"] = text_of(state_.history.back().best_validation_loss);
  if (options_.generator.name != "mlp" || context_.head.family != HeadFamily::gaussian)
    return model(std::move(provenance));  // no marginals in closed form
  // Scores of the model as others will run it: of the exported graph, against the reference as it was read.
  const ModelFile exported = model({});
  const Index outputs = context_.outputs;
  Eigen::VectorXd squares = Eigen::VectorXd::Zero(outputs), crps = Eigen::VectorXd::Zero(outputs);
  for_each_piece(samples_, Subset::validation, [&](const SampleSet& piece, const std::vector<std::int64_t>&) {
    const PredictedMarginals found = predict(exported, piece);
    const Eigen::Map<const RowMatrix> y(piece.outputs.data(), piece.samples, outputs);
    const GaussianCrps score = gaussian_crps(found.mean, found.variance, y, {training_threads()});
    for (Index row = 0; row < y.rows(); ++row) {
      squares += (y.row(row) - found.mean.row(row)).cwiseAbs2().transpose();
      crps += score.value.row(row).transpose();
    }
  });
  for (const Variable& variable : samples_.layout().with_role(Role::output)) {
    const Index first = samples_.layout().offset(variable.name), count = samples_.layout().elements(variable);
    const auto numbers = static_cast<double>(count * validation_->count());
    provenance["validation.rmse." + variable.name] = text_of(std::sqrt(squares.segment(first, count).sum() / numbers));
    provenance["validation.crps." + variable.name] = text_of(crps.segment(first, count).sum() / numbers);
  }
  return model(std::move(provenance));
}

void Training::keep_checkpoint() {
  const std::span<float> weights = generator_->weights();
  state_.weights.assign(weights.begin(), weights.end());
  state_.first_moment = adam_.first;
  state_.second_moment = adam_.second;
  state_.average = adam_.average;
  write_checkpoint(options_.checkpoint, model({}), state_, finished());
}

}  // namespace lavoisier::detail
