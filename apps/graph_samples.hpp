#ifndef LAVOISIER_APPS_GRAPH_SAMPLES_HPP
#define LAVOISIER_APPS_GRAPH_SAMPLES_HPP

#include <lavoisier/domain.hpp>
#include <lavoisier/graph_training.hpp>
#include <lavoisier/sample_set.hpp>

namespace lavoisier::cli {

/// The graphs of samples at capacity, as a SampleReader of a domain of graphs makes them: what at_capacity() makes of a
/// GraphSet, the other way round.
GraphSet graph_set(const Domain& domain, const SampleSet& samples);

}  // namespace lavoisier::cli

#endif
