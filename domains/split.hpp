#ifndef LAVOISIER_DOMAINS_SPLIT_HPP
#define LAVOISIER_DOMAINS_SPLIT_HPP

#include <lavoisier/domain.hpp>

#include "section.hpp"

#include <functional>
#include <map>

namespace lavoisier::detail {

/// The table [split] of `top`, which has one.
Split read_split(const Section& top, const std::vector<std::string>& sample_dimensions);

/// Why a domain's samples can't be split so; empty where they can.
std::string misfit(const Split& split, const Domain& domain);

/// Of a sample by its coordinates.
Subset subset_in_boxes(const Split& split, const std::function<double(const std::string& dimension)>& coordinate);

/// Groups by a variable's values: all are shown to see(), then each has its subset.
class GroupNumbers {
 public:
  explicit GroupNumbers(const Split& split) : split_(split) {}
  void see(double value);
  /// Of a value that was seen; training where it is no number.
  Subset subset(double value);

 private:
  const Split& split_;
  std::map<double, Subset> subsets_;
  bool numbered_ = false;
};

}  // namespace lavoisier::detail

#endif
