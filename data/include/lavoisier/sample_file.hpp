#ifndef LAVOISIER_SAMPLE_FILE_HPP
#define LAVOISIER_SAMPLE_FILE_HPP

#include <lavoisier/sample_source.hpp>
#include <lavoisier/scratch_file.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>

namespace lavoisier {

/// Samples as they were read, in a scratch file: what a SampleSet is in memory. Filled once, then read.
class SampleFile final : public SampleSource {
 public:
  SampleFile(const StateLayout& layout, const std::filesystem::path& folder);
  /// Error(no_space) if the folder has no room for so many more.
  void require_space(std::int64_t samples) const;
  /// Samples of the file's layout, with outputs, columns and steps; with subsets as the first had.
  /// Error(shape_mismatch).
  void append(const SampleSet& samples);
  void set_source(std::string source) { source_ = std::move(source); }

  const StateLayout& layout() const override { return layout_; }
  std::int64_t samples() const override { return samples_; }
  bool has_split() const override { return split_; }
  std::int64_t count(Subset subset) const override { return counts_[static_cast<std::size_t>(subset)]; }
  std::string source() const override { return source_; }
  SampleSet read(std::int64_t first, std::int64_t count) const override;

 private:
  StateLayout layout_;
  std::int64_t inputs_, outputs_, record_;  ///< numbers; bytes a sample
  ScratchFile file_;
  std::string source_;
  std::int64_t samples_ = 0;
  bool split_ = false;
  std::array<std::int64_t, 3> counts_{};
};

}  // namespace lavoisier

#endif
