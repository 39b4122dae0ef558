#include "dependent_choice.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/metric_projection.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <string>

namespace lavoisier::detail {

using Eigen::Index;

std::string element_name(const StateLayout& layout, Index element) {
  for (const Variable& variable : layout.with_role(Role::output)) {
    const Index first = layout.offset(variable.name), count = layout.elements(variable);
    if (element >= first && element < first + count)
      return count == 1 ? variable.name : variable.name + "[" + std::to_string(element - first) + "]";
  }
  return "output " + std::to_string(element);
}

std::vector<Index> elements_of(const StateLayout& layout, const std::string& word, const std::string& option) {
  std::vector<Index> all;
  std::vector<std::string> names;
  for (const Variable& variable : layout.with_role(Role::output)) {
    names.push_back(variable.name);
    const Index first = layout.offset(variable.name), count = layout.elements(variable);
    for (Index e = 0; e < count; ++e)
      if (word == variable.name || word == variable.name + "[" + std::to_string(e) + "]") all.push_back(first + e);
  }
  if (!all.empty()) return all;
  std::string message = option + ": no output '" + word + "'; outputs:";
  for (const std::string& name : names) message += (&name == &names.front() ? " " : ", ") + name;
  const std::string nearest = nearest_name(word, names);
  throw Error(Status::invalid_argument, message + (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

std::vector<Index> dependent_of(const StateLayout& layout, const LinearConstraints& constraints,
                                const TrainingOptions& options, const TrainingData& data) {
  const bool one_shared_law = data.laws == 1 && constraints.shared();
  if (data.laws > 0) require_admitted(options.strategy, options.loss, one_shared_law);
  if (data.laws == 0 || (options.strategy != Strategy::completion && !(options.strategy == Strategy::l1_layer && one_shared_law)))
    return {};
  if (!constraints.shared() && data.training_file)
    throw Error(Status::unsupported, std::string("strategy '") + to_string(options.strategy) +
                                         "' chooses its dependent outputs by the coefficients of all samples, which differ "
                                         "here: train without a buffer (buffer_bytes 0)");
  RowMatrix A = constraints.shared() ? data.A : data.training.A;
  for (const Index place : data.unshifted) A.col(place).setZero();  // no law moves them
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(A.cols());
  if (options.dependent.empty()) return dependent_outputs(A, data.laws, ones);
  std::vector<Index> dependent;
  std::string names;
  for (const std::string& word : options.dependent)
    for (const Index element : elements_of(layout, word, "dependent")) {
      const auto at = std::find(data.active.begin(), data.active.end(), element);
      const std::string name = element_name(layout, element);
      if (at == data.active.end())
        throw Error(Status::invalid_argument, "dependent: output '" + name + "' is constant in training");
      if (std::find(data.unshifted.begin(), data.unshifted.end(), at - data.active.begin()) != data.unshifted.end())
        throw Error(Status::invalid_argument, "dependent: output '" + name + "' is positive: expected a signed one");
      dependent.push_back(static_cast<Index>(at - data.active.begin()));
      names += (names.empty() ? "" : ", ") + name;
    }
  try {
    require_dependent(A, data.laws, ones, dependent);
  } catch (const Error& error) {
    throw Error(error.status(), std::string(error.what()) + " (dependent: " + names + ")");
  }
  std::sort(dependent.begin(), dependent.end());
  return dependent;
}

}  // namespace lavoisier::detail
