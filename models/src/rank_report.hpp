#ifndef LAVOISIER_MODELS_RANK_REPORT_HPP
#define LAVOISIER_MODELS_RANK_REPORT_HPP

#include <lavoisier/training_communicator.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace lavoisier::detail {

/// What one rank has to say after its share of a step or of a validation: equal blocks of doubles, gathered.
class RankReport {
 public:
  RankReport(TrainingCommunicator* communicator, std::int64_t numbers)
      : own(static_cast<std::size_t>(numbers)), communicator_(communicator) {}
  std::vector<double> own;  ///< zeros at first
  void gather() {
    const auto ranks = static_cast<std::size_t>(communicator_ ? communicator_->size() : 1);
    all_.resize(ranks * own.size());
    if (communicator_)
      communicator_->gather(std::as_bytes(std::span(own)), std::as_writable_bytes(std::span(all_)));
    else
      all_ = own;
  }
  std::span<const double> of(int rank) const {
    return std::span(all_).subspan(static_cast<std::size_t>(rank) * own.size(), own.size());
  }
  bool any(std::size_t number) const {
    for (std::size_t i = number; i < all_.size(); i += own.size())
      if (all_[i] != 0.0) return true;
    return false;
  }

 private:
  TrainingCommunicator* communicator_;
  std::vector<double> all_;
};

}  // namespace lavoisier::detail

#endif
