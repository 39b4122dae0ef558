#ifndef LAVOISIER_DOMAINS_OVER_COLUMNS_HPP
#define LAVOISIER_DOMAINS_OVER_COLUMNS_HPP

// What laws over all columns need beside outputs: weights of columns and numbers of steps, in domain files and in data.

#include <lavoisier/domain.hpp>

#include "section.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// A section of [weights] or [step_values], and the diagnostic that it declares. `domain`: as far as it is read (samples).
/// The reference of a step value is read by those who know the outputs.
Weight read_weight(const Section& section, const std::string& name, const Domain& domain, Variable& declared);
StepValue read_step_value(const Section& section, const std::string& name, const Domain& domain, Variable& declared);

/// A weight of every cell of a file, held over the sample dimensions that it has.
class WeightField {
 public:
  /// One of `file` and `table` is there. `axes`: of the sample dimensions. Errors: those of reading and of cell areas;
  /// shape_mismatch.
  WeightField(const Domain& domain, const Weight& weight, const std::vector<FileAxis>& axes, const NetcdfReader* file,
              const CsvReader* table);
  /// `index`: along each sample dimension.
  double at(const std::vector<std::int64_t>& index) const;

 private:
  void fill(const Domain& domain, const Weight& weight, const std::vector<FileAxis>& axes, const NetcdfReader* file, const CsvReader* table);
  std::vector<double> values_;
  std::vector<std::int64_t> strides_;  ///< one a sample dimension; 0 where the weight does not have it
};

/// A field of the file over some sample dimensions in their order, and its strides over all; `all`: it must have exactly
/// the dimensions that `wanted` says.
std::vector<double> read_over(const Domain& domain, const std::string& what, const Source& source,
                              const std::vector<std::string>& wanted, bool all, const NetcdfReader& file,
                              std::vector<std::int64_t>& strides);

}  // namespace lavoisier::detail

#endif
