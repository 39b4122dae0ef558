#ifndef LAVOISIER_LAW_VALUES_HPP
#define LAVOISIER_LAW_VALUES_HPP

#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lavoisier::detail {

/// Evaluates the expressions of laws for one sample: symbols are constants and inputs.
class LawValues {
 public:
  LawValues(const StateLayout& layout, const std::vector<Constant>& constants);

  /// The sample's flat inputs (layout order), not copied. Empty: no inputs are known, and an expression that names one
  /// throws not_found.
  void set_inputs(std::span<const double> inputs) noexcept { inputs_ = inputs; }

  /// True if the expression names no input: its value is the same in every sample.
  bool is_shared(const Expression& expression) const;

  double scalar(const Expression& expression) const;
  /// The coefficient of every element of the term's variable, row-major.
  std::vector<double> coefficients(const LawTerm& term) const;
  /// Where the term's variable starts in the flat outputs.
  std::int64_t offset(const LawTerm& term) const { return layout_->offset(term.variable); }

 private:
  struct Input {
    std::vector<std::string> dimensions;
    std::vector<std::int64_t> extents;
    std::size_t offset = 0, count = 0;
  };
  ExpressionValue look_up(const std::string& name) const;

  const StateLayout* layout_;
  std::map<std::string, double, std::less<>> constants_;
  std::map<std::string, Input, std::less<>> input_variables_;
  std::span<const double> inputs_;
};

}  // namespace lavoisier::detail

#endif
