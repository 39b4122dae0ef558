#ifndef LAVOISIER_RAGGED_HPP
#define LAVOISIER_RAGGED_HPP

#include <lavoisier/expression.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/model_file.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lavoisier {

/// One index into a ragged dimension for each element of another: where a bond begins, where it ends. Indices count
/// within their own sample, from 0.
struct RaggedIndices {
  std::string name;
  std::string dimension;  ///< one index for each of its elements ("bond")
  std::string target;     ///< what is pointed at ("atom")
  std::vector<std::int64_t> indices;
  bool operator==(const RaggedIndices&) const = default;
};

/// Samples of a layout with ragged dimensions (graphs of different sizes), in memory, in physical units and FP64.
/// A variable's values are concatenated over the samples. A variable has at most one ragged dimension, the first.
struct RaggedSamples {
  StateLayout layout;
  std::int64_t samples = 0;
  std::vector<RaggedOffsets> offsets;  ///< one for each ragged dimension of the layout
  std::map<std::string, std::vector<double>> values;  ///< by variable
  std::vector<RaggedIndices> indices;
  bool operator==(const RaggedSamples&) const = default;

  /// Offsets there for each ragged dimension, starting at 0, not decreasing, no sample beyond the capacity; values as
  /// many as they say; indices within their own sample. Errors: not_found, shape_mismatch, out_of_range, naming
  /// variable and sample.
  void validate() const;

  /// Elements of a dimension in one sample.
  std::int64_t extent(const std::string& dimension, std::int64_t sample) const;
  /// A variable of one sample, over its own extents: a SymbolLookup for expressions of that sample.
  ExpressionValue value(const std::string& variable, std::int64_t sample) const;

  /// Adds tensors <prefix>.samples, <prefix>.offsets.<dimension>, <prefix>.values.<variable> and
  /// <prefix>.indices.<name>; validates first.
  void add_to(ModelFile& file, const std::string& prefix) const;
  /// Reads them back and validates. `indices` says which index arrays to read (their `indices` are ignored).
  static RaggedSamples from(const ModelFile& file, const std::string& prefix, std::vector<RaggedIndices> indices);
};

}  // namespace lavoisier

#endif
