#ifndef LAVOISIER_MODELS_TRAINING_RUN_HPP
#define LAVOISIER_MODELS_TRAINING_RUN_HPP

#include "batch_loader.hpp"
#include "checkpoint.hpp"
#include "generator.hpp"
#include "network_kernels.hpp"
#include "optimizer.hpp"
#include "ordered_sum.hpp"
#include "training_data.hpp"

#include <lavoisier/training.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

struct GraphData;

/// Rows of a batch or subset, or part of it.
struct RowRange {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
};
/// Those of some of `parts` nearly equal parts that cover 0 to count - 1.
RowRange rows_of_parts(std::int64_t count, int parts, PartRange range);

/// One training from preparation to export, on one process or several alike. Its state between two steps is a
/// TrainingState, nothing else, and the same on all of them.
class Training {
 public:
  /// Nothing collective here. `communicator`: null where one process trains. `stop`: may end the preparation of the
  /// data.
  Training(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
           TrainingCommunicator* communicator, const std::atomic<bool>* stop);
  /// Of graphs, which the generator keeps; `samples` has their fixed layout and source, and no numbers.
  Training(const SampleSource& samples, const LinearConstraints& constraints, const GraphData& graphs,
           const TrainingOptions& options, TrainingCommunicator* communicator);

  /// Reads the checkpoint, if there is one to go on from. Collective.
  void start();
  TrainingResult run(const TrainingListener& listener, const std::atomic<bool>* stop);

 private:
  // training_run.cpp
  void begin();
  void require_buffer() const;
  bool speaks() const { return !communicator_ || communicator_->rank() == 0; }
  int ranks() const { return communicator_ ? communicator_->size() : 1; }
  /// Refuses processes that were given other data or options than rank 0.
  void require_same_training();
  bool finished() const;
  void finish_epoch();

  // training_steps.cpp
  /// All rows of an epoch in batches of nearly equal size: a small rest would weigh as much as a full batch.
  RowRange batch_of(std::int64_t step_in_epoch) const;
  /// What this rank reads in an epoch, from the present step on.
  LoadPlan plan_of(const std::vector<std::int64_t>& order) const;
  void train_epoch(const std::atomic<bool>* stop);
  /// The next rows of the loader, which are `part` of a batch.
  void take(BatchLoader& loader, std::span<const std::int64_t> batch, RowRange part, GeneratorRows& to);
  /// The mean loss of rows of a batch; its gradient is the generator's.
  double differentiate(GeneratorRows& at, Eigen::VectorXd& each);
  /// A step's gradient, by micro-batches that the ranks share: the sum, weighted by rows, of the gradients of each
  /// one's mean loss. Returns the sum of the rows' losses. `asked`: to stop, which all then do.
  double differentiate_parts(BatchLoader& loader, std::span<const std::int64_t> batch, GeneratorRows& at,
                             Eigen::VectorXd& each, bool asked);
  /// The mean score of the validation rows, which ranks share by micro-batches too.
  double evaluate(std::span<const float> weights);
  std::vector<RowRange> judged_pieces() const;

  // training_result.cpp
  /// The weights by which an epoch is judged.
  std::vector<float> judged();
  ModelFile model(std::map<std::string, std::string> provenance);
  ModelFile finished_model();
  void keep_checkpoint();

  // training_messages.cpp
  std::string position() const;
  std::string kept_text() const;
  [[noreturn]] void interrupt();
  /// Of all ranks at once.
  [[noreturn]] void raise(Status status, const std::string& message) const;
  [[noreturn]] void fail(Status status, const std::string& message);
  double explosion() const;
  std::string name_of(std::int64_t place) const;
  std::string explosion_text(double mean, std::span<const std::int64_t> batch) const;
  std::string non_finite_text(double mean, const Eigen::VectorXd& each, std::span<const std::int64_t> batch) const;

  using Clock = std::chrono::steady_clock;
  const SampleSource& samples_;
  const LinearConstraints& constraints_;
  const TrainingOptions& options_;
  TrainingCommunicator* communicator_;
  TrainingData data_;
  std::shared_ptr<SubsetRows> training_, validation_;
  GeneratorContext context_;
  std::unique_ptr<Generator> generator_;
  const KernelTable& network_kernels_ = network_kernels();
  Adam adam_;
  int parts_;
  OrderedSum sum_;
  std::int64_t steps_per_epoch_;
  std::int64_t judged_rows_;  ///< at most at once; decides the bits of no row
  std::map<std::string, std::string> identity_;
  TrainingState state_;
  StandardisedRows loaded_;
  Clock::time_point start_ = Clock::now();
  double before_ = 0.0;  ///< seconds of the runs before this one
};

}  // namespace lavoisier::detail

#endif
