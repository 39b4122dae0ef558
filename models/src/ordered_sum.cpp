#include "ordered_sum.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace lavoisier::detail {
namespace {

int middle(PartRange range) { return range.first + range.count() / 2; }

/// The largest subtrees of `tree` whose parts all lie in `own`, in order.
void whole_subtrees(PartRange tree, PartRange own, std::vector<PartRange>& nodes) {
  if (tree.last <= own.first || own.last <= tree.first || tree.count() == 0) return;
  if (own.first <= tree.first && tree.last <= own.last) {
    nodes.push_back(tree);
    return;
  }
  whole_subtrees({tree.first, middle(tree)}, own, nodes);
  whole_subtrees({middle(tree), tree.last}, own, nodes);
}

}  // namespace

PartRange parts_of_rank(int parts, int rank, int ranks) {
  const auto at = [&](std::int64_t r) { return static_cast<int>(r * parts / ranks); };
  return {at(rank), at(rank + 1)};
}

OrderedSum::OrderedSum(std::int64_t length, int parts, TrainingCommunicator* communicator)
    : length_(length), parts_(parts), communicator_(communicator && communicator->size() > 1 ? communicator : nullptr) {
  const int ranks = communicator_ ? communicator_->size() : 1, rank = communicator_ ? communicator_->rank() : 0;
  own_ = parts_of_rank(parts, rank, ranks);
  std::int64_t most = 0;
  for (int r = 0; r < ranks; ++r) {
    whole_subtrees({0, parts}, parts_of_rank(parts, r, ranks), nodes_.emplace_back());
    begins_.push_back(static_cast<std::int64_t>(r) * length / ranks);
    most = std::max(most, static_cast<std::int64_t>(nodes_.back().size()));
  }
  begins_.push_back(length);
  // Counts and displacements of messages are 32-bit.
  if (communicator_ && std::max(most, std::int64_t{2}) * length > std::numeric_limits<std::int32_t>::max())
    throw Error(Status::unsupported,
                "training by several processes: a gradient of " + std::to_string(length) +
                    " numbers is more than a message between them holds; expected at most " +
                    std::to_string(std::numeric_limits<std::int32_t>::max() / std::max(most, std::int64_t{2})));
  values_.resize(nodes_[static_cast<std::size_t>(rank)].size() * static_cast<std::size_t>(length));
}

std::vector<float>& OrderedSum::scratch(std::size_t depth, std::int64_t length) {
  if (scratch_.size() <= depth) scratch_.resize(depth + 1);
  if (scratch_[depth].size() < static_cast<std::size_t>(length))
    scratch_[depth].resize(static_cast<std::size_t>(length));
  return scratch_[depth];
}

void OrderedSum::add_own(const Make& make) {
  const std::vector<PartRange>& nodes = nodes_[static_cast<std::size_t>(communicator_ ? communicator_->rank() : 0)];
  const auto length = static_cast<std::size_t>(length_);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    evaluate(nodes[i], make, std::span(values_).subspan(i * length, length), 0, false);
}

void OrderedSum::evaluate(PartRange range, const Make& make, std::span<float> to, std::size_t depth, bool add) {
  if (range.count() > 1) {
    if (!add) {
      evaluate({range.first, middle(range)}, make, to, depth, false);
      evaluate({middle(range), range.last}, make, to, depth, true);
      return;
    }
    const std::span<float> own = std::span(scratch(depth, length_)).first(to.size());
    evaluate(range, make, own, depth + 1, false);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += own[i];
    return;
  }
  const Part part = make(range.first);
  if (part.values.empty()) {
    if (!add) std::fill(to.begin(), to.end(), 0.0F);
    return;
  }
  const float* v = part.values.data();
  const double w = part.weight;
  if (add)
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += static_cast<float>(w * static_cast<double>(v[i]));
  else
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(w * static_cast<double>(v[i]));
}

/// Numbers begin to end - 1 of this rank's segment.
void OrderedSum::combine(PartRange range, std::int64_t begin, std::int64_t end, std::span<float> to, std::size_t depth,
                         bool add) {
  const auto node = std::find_if(all_.begin(), all_.end(), [&](const Node& one) { return one.range == range; });
  if (node != all_.end()) {
    const float* v = node->values + begin;
    if (add)
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += v[i];
    else
      std::copy_n(v, to.size(), to.begin());
    return;
  }
  if (!add) {
    combine({range.first, middle(range)}, begin, end, to, depth, false);
    combine({middle(range), range.last}, begin, end, to, depth, true);
    return;
  }
  const std::span<float> own = std::span(scratch(depth, end - begin)).first(to.size());
  combine(range, begin, end, own, depth + 1, false);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += own[i];
}

void OrderedSum::finish(std::span<float> sum) {
  if (static_cast<std::int64_t>(sum.size()) != length_)
    throw Error(Status::internal, "ordered sum: expected room for " + std::to_string(length_) + " numbers, found " +
                                      std::to_string(sum.size()));
  if (!communicator_) {
    std::copy(values_.begin(), values_.end(), sum.begin());
    return;
  }
  const int ranks = communicator_->size(), rank = communicator_->rank();
  const std::vector<PartRange>& own = nodes_[static_cast<std::size_t>(rank)];
  const auto segment = [&](int r) {
    return begins_[static_cast<std::size_t>(r) + 1] - begins_[static_cast<std::size_t>(r)];
  };
  std::vector<std::int64_t> send_counts, receive_counts, segments;
  std::int64_t received = 0;
  for (int r = 0; r < ranks; ++r) {
    send_counts.push_back(static_cast<std::int64_t>(own.size()) * segment(r));
    receive_counts.push_back(static_cast<std::int64_t>(nodes_[static_cast<std::size_t>(r)].size()) * segment(rank));
    segments.push_back(segment(r));
    received += receive_counts.back();
  }
  std::span<const float> send = values_;
  if (own.size() > 1) {  // for each rank its segment of all nodes
    packed_.resize(values_.size());
    float* to = packed_.data();
    for (int r = 0; r < ranks; ++r)
      for (std::size_t node = 0; node < own.size(); ++node)
        to = std::copy_n(
            values_.data() + static_cast<std::int64_t>(node) * length_ + begins_[static_cast<std::size_t>(r)],
            segment(r), to);
    send = packed_;
  }
  received_.resize(static_cast<std::size_t>(received));
  communicator_->exchange(send, send_counts, received_, receive_counts);
  all_.clear();
  const float* at = received_.data();
  for (int r = 0; r < ranks; ++r)
    for (const PartRange& range : nodes_[static_cast<std::size_t>(r)]) {
      all_.push_back({range, at});
      at += segment(rank);
    }
  // In pieces that stay in the cache.
  constexpr std::int64_t piece = 16384;
  for (std::int64_t begin = 0; begin < segment(rank); begin += piece) {
    const std::int64_t end = std::min(begin + piece, segment(rank));
    combine({0, parts_}, begin, end,
            sum.subspan(static_cast<std::size_t>(begins_[static_cast<std::size_t>(rank)] + begin),
                        static_cast<std::size_t>(end - begin)),
            0, false);
  }
  communicator_->gather_segments(sum, segments);
}

}  // namespace lavoisier::detail
