#include "graph_data.hpp"
#include "network.hpp"
#include "options.hpp"
#include "training_data.hpp"
#include "training_run.hpp"

#include <lavoisier/status.hpp>

#include <optional>

namespace lavoisier {
namespace {

using namespace detail;

void require_samples(const TrainingOptions& options) {
  if (trains_on_graphs(options.generator.name))
    throw Error(Status::invalid_argument, "generator '" + options.generator.name +
                                              "' trains on graphs (GraphSet), not on samples of a fixed layout");
}

/// What all train() do; `make` makes the training that they have checked options for.
template <class Make>
TrainingResult trained(const TrainingOptions& options, const TrainingListener& listener, const std::atomic<bool>* stop,
                       TrainingCommunicator* communicator, Make&& make) {
  TrainingOptions all = options;
  all.micro_batches = resolved_micro_batches(options, communicator);
  if (communicator && communicator->size() == 1) communicator = nullptr;
  std::optional<Training> training;
  together(communicator, [&] {
    require_valid(all);
    if (communicator && communicator->size() > all.micro_batches)
      throw Error(Status::invalid_argument, "micro_batches: expected at least the number of processes (" +
                                                std::to_string(communicator->size()) + "), found " +
                                                std::to_string(all.micro_batches));
    set_training_threads(options.threads > 0 ? options.threads : training_threads());
    set_training_device(options.device);
    make(all, communicator, training);
  });
  training->start();
  return training->run(listener, stop);
}

}  // namespace

TrainingResult train(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener, const std::atomic<bool>* stop,
                     TrainingCommunicator* communicator) {
  return trained(options, listener, stop, communicator,
                 [&](const TrainingOptions& all, TrainingCommunicator* shared, std::optional<Training>& training) {
                   require_samples(all);
                   training.emplace(samples, constraints, all, shared, stop);
                 });
}

TrainingResult train(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener, const std::atomic<bool>* stop,
                     TrainingCommunicator* communicator) {
  std::optional<SampleSetSource> source;
  return trained(options, listener, stop, communicator,
                 [&](const TrainingOptions& all, TrainingCommunicator* shared, std::optional<Training>& training) {
                   require_samples(all);
                   require_numbers(samples);
                   training.emplace(source.emplace(samples), constraints, all, shared, stop);
                 });
}

TrainingResult train(const GraphSet& set, const TrainingOptions& options, const TrainingListener& listener,
                     const std::atomic<bool>* stop, TrainingCommunicator* communicator) {
  std::optional<GraphData> graphs;
  std::optional<LinearConstraints> constraints;
  SampleSet samples;  // their fixed layout
  std::optional<SampleSetSource> source;
  return trained(options, listener, stop, communicator,
                 [&](const TrainingOptions& all, TrainingCommunicator* shared, std::optional<Training>& training) {
                   if (!trains_on_graphs(all.generator.name))
                     throw Error(Status::invalid_argument, "generator '" + all.generator.name +
                                                               "' does not train on graphs; legal: mpnn, graph_vae");
                   if (all.buffer_bytes > 0)
                     throw Error(Status::unsupported, "buffer_bytes: graphs are trained in memory, generator '" +
                                                          all.generator.name + "' has no buffer; expected 0");
                   graphs.emplace(set, all);
                   samples.layout = graphs->layout.at_capacity();
                   samples.samples = set.graphs.samples;
                   samples.source = set.source;
                   constraints.emplace(samples.layout, set.laws, set.constants);
                   training.emplace(source.emplace(samples), *constraints, *graphs, all, shared);
                 });
}

}  // namespace lavoisier
