#ifndef LAVOISIER_SAMPLE_SET_HPP
#define LAVOISIER_SAMPLE_SET_HPP

#include <lavoisier/layout.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier {

enum class Subset : std::uint8_t { training = 0, validation = 1, test = 2 };

/// Samples of a fixed layout in memory, in physical units and FP64. Row-major: `inputs[s * input_elements + i]`.
/// Every row is complete (no NaN): the reader refuses or drops incomplete rows before.
struct SampleSet {
  StateLayout layout;
  std::int64_t samples = 0;
  std::vector<double> inputs;    ///< samples x layout.elements(Role::input)
  std::vector<double> outputs;   ///< samples x layout.elements(Role::output); empty if the source has none
  std::vector<Subset> subset;    ///< one a sample; empty if the domain has no split
  std::vector<std::uint64_t> column;  ///< flat index in the full input grid (horizontal), DESIGN "Randomness"
  std::vector<std::uint64_t> step;    ///< absolute time index
  std::string source;            ///< files, for provenance

  std::int64_t input_elements() const { return layout.elements(Role::input); }
  std::int64_t output_elements() const { return layout.elements(Role::output); }
};

/// The rows of one subset, in order.
SampleSet select(const SampleSet& samples, Subset subset);

/// The rows whose indices are given, in that order; Error(out_of_range) names an index beyond the set.
SampleSet select(const SampleSet& samples, const std::vector<std::int64_t>& rows);

const char* to_string(Subset subset) noexcept;
Subset subset_from(const std::string& text);

}  // namespace lavoisier

#endif
