#ifndef LAVOISIER_MODELS_OPTIONS_HPP
#define LAVOISIER_MODELS_OPTIONS_HPP

#include <lavoisier/training.hpp>

#include <map>
#include <string>

namespace lavoisier::detail {

/// Everything that decides the weights, as text: what a model file records and a checkpoint must agree with.
std::map<std::string, std::string> resolved(const TrainingOptions& options);

/// The shortest text that reads back to the same number.
std::string text_of(double value);

/// Whether a generator trains on a GraphSet; the others train on a SampleSet.
bool trains_on_graphs(const std::string& generator);

}  // namespace lavoisier::detail

#endif
