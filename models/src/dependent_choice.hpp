#ifndef LAVOISIER_MODELS_DEPENDENT_CHOICE_HPP
#define LAVOISIER_MODELS_DEPENDENT_CHOICE_HPP

#include "training_data.hpp"

#include <lavoisier/training.hpp>

#include <string>
#include <vector>

namespace lavoisier::detail {

/// "flux[2]": how an element of the flat outputs is named.
std::string element_name(const StateLayout& layout, Eigen::Index element);
/// Flat outputs that a word of an option names: "flux", all its elements, or "flux[2]". Error(invalid_argument): none.
std::vector<Eigen::Index> elements_of(const StateLayout& layout, const std::string& word, const std::string& option);

/// The outputs that completion (and an l1_layer of one shared law, which is one) computes: places among the active ones, as
/// `options.dependent` names them or chosen; empty for other strategies. Error(invalid_argument): no such output, one that is
/// constant, a set that the laws do not determine, or a loss that the strategy does not admit.
std::vector<Eigen::Index> dependent_of(const StateLayout& layout, const LinearConstraints& constraints,
                                       const TrainingOptions& options, const TrainingData& data);

}  // namespace lavoisier::detail

#endif
