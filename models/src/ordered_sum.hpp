#ifndef LAVOISIER_MODELS_ORDERED_SUM_HPP
#define LAVOISIER_MODELS_ORDERED_SUM_HPP

#include <lavoisier/training_communicator.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lavoisier::detail {

/// Parts first to last - 1.
struct PartRange {
  int first = 0, last = 0;
  int count() const noexcept { return last - first; }
  bool operator==(const PartRange&) const = default;
};

/// The contiguous parts that a rank computes; ranks get nearly equal numbers of them.
PartRange parts_of_rank(int parts, int rank, int ranks);

/// The weighted sum of vectors v_0 ... v_(parts-1), in an order that the number of ranks does not change: by a fixed
/// binary tree over the parts (each range is halved, the first half rounded down), every product w_m v_m rounded from
/// FP64 to FP32 and every sum rounded to FP32. The bits are those of that tree whoever computes which part.
///
/// A rank sums what lies in whole subtrees of its own parts itself; these (one, where ranks and parts are powers of
/// two) travel: each rank gets its own segment of all of them, adds them up the tree, and the segments are gathered. So
/// a rank sends about twice the vector's length, as the best plain reductions do, whatever the number of parts.
class OrderedSum {
 public:
  /// One rank where `communicator` is null. Error(unsupported) where a rank's share is beyond what a message can hold.
  OrderedSum(std::int64_t length, int parts, TrainingCommunicator* communicator);

  PartRange own() const noexcept { return own_; }
  /// Makes a part: its vector (alive until the next call) and weight. Called for own() in ascending order.
  struct Part {
    std::span<const float> values;  ///< empty: zero
    double weight = 1.0;
  };
  using Make = std::function<Part(int part)>;
  /// Sums this rank's parts; nothing is sent.
  void add_own(const Make& make);
  /// The whole sum on every rank; collective.
  void finish(std::span<float> sum);

 private:
  void evaluate(PartRange range, const Make& make, std::span<float> to, std::size_t depth, bool add);
  void combine(PartRange range, std::int64_t begin, std::int64_t end, std::span<float> to, std::size_t depth, bool add);
  std::vector<float>& scratch(std::size_t depth, std::int64_t length);
  struct Node {
    PartRange range;
    const float* values = nullptr;  ///< of this rank's segment
  };

  std::int64_t length_;
  int parts_;
  TrainingCommunicator* communicator_;
  PartRange own_;
  std::vector<std::vector<PartRange>> nodes_;  ///< of each rank
  std::vector<std::int64_t> begins_;           ///< of each rank's segment, and the length
  std::vector<float> values_;                  ///< own nodes, one after another
  std::vector<float> packed_, received_;
  std::vector<Node> all_;
  std::vector<std::vector<float>> scratch_;
};

}  // namespace lavoisier::detail

#endif
