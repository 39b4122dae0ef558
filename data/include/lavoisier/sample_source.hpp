#ifndef LAVOISIER_SAMPLE_SOURCE_HPP
#define LAVOISIER_SAMPLE_SOURCE_HPP

#include <lavoisier/sample_set.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace lavoisier {

/// Samples that need not lie in memory: read a range at a time, as often as asked.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual const StateLayout& layout() const = 0;
  virtual std::int64_t samples() const = 0;
  virtual bool has_split() const = 0;
  /// Samples of a subset; without a split all are for training.
  virtual std::int64_t count(Subset subset) const = 0;
  virtual std::string source() const = 0;  ///< files, for provenance
  /// Samples `first` to `first` + `count` - 1. Error(out_of_range), or io_error where they can't be read.
  virtual SampleSet read(std::int64_t first, std::int64_t count) const = 0;
};

/// A sample set, which it refers to.
class SampleSetSource final : public SampleSource {
 public:
  explicit SampleSetSource(const SampleSet& set);
  const StateLayout& layout() const override { return set_.layout; }
  std::int64_t samples() const override { return set_.samples; }
  bool has_split() const override { return !set_.subset.empty(); }
  std::int64_t count(Subset subset) const override { return counts_[static_cast<std::size_t>(subset)]; }
  std::string source() const override { return set_.source; }
  SampleSet read(std::int64_t first, std::int64_t count) const override;

 private:
  const SampleSet& set_;
  std::array<std::int64_t, 3> counts_{};
};

/// How many samples a piece has where they are read one after the other: about 1 MiB of inputs and outputs, at most
/// 1024 samples, whatever memory there is: so sums over pieces have the same bits everywhere.
std::int64_t samples_of_piece(const StateLayout& layout);

/// All samples of a subset in their order, in pieces of samples_of_piece(), the last one shorter; `index`: of each
/// among all.
void for_each_piece(const SampleSource& source, Subset subset,
                    const std::function<void(const SampleSet& piece, const std::vector<std::int64_t>& index)>& take);

}  // namespace lavoisier

#endif
