#include <lavoisier/sample_file.hpp>
#include <lavoisier/status.hpp>

#include <cstring>
#include <vector>

namespace lavoisier {
namespace {

// A record: inputs and outputs (FP64), then column, step and subset, 8 bytes each.
constexpr std::int64_t ids = 3;

}  // namespace

SampleFile::SampleFile(const StateLayout& layout, const std::filesystem::path& folder)
    : layout_(layout),
      inputs_(layout.elements(Role::input)),
      outputs_(layout.elements(Role::output)),
      record_(8 * (inputs_ + outputs_ + ids)),
      file_(folder, "samples") {}

void SampleFile::require_space(std::int64_t samples) const {
  file_.require_space(static_cast<std::uint64_t>(samples * record_));
}

void SampleFile::append(const SampleSet& samples) {
  const auto rows = static_cast<std::size_t>(samples.samples);
  if (rows == 0) return;
  const bool split = !samples.subset.empty();
  if (samples_ == 0) split_ = split;
  if (samples.inputs.size() != rows * static_cast<std::size_t>(inputs_) ||
      samples.outputs.size() != rows * static_cast<std::size_t>(outputs_) || samples.column.size() != rows ||
      samples.step.size() != rows || split != split_ || (split && samples.subset.size() != rows))
    throw Error(Status::shape_mismatch, "expected samples of " + std::to_string(inputs_) + " inputs and " +
                                            std::to_string(outputs_) +
                                            " outputs with columns and steps, and subsets for all or for none");
  std::vector<std::byte> bytes(rows * static_cast<std::size_t>(record_));
  std::byte* to = bytes.data();
  const auto put = [&](const void* from, std::int64_t numbers) {
    if (numbers > 0) std::memcpy(to, from, static_cast<std::size_t>(8 * numbers));
    to += 8 * numbers;
  };
  for (std::size_t row = 0; row < rows; ++row) {
    put(samples.inputs.data() + row * static_cast<std::size_t>(inputs_), inputs_);
    put(samples.outputs.data() + row * static_cast<std::size_t>(outputs_), outputs_);
    const Subset subset = split ? samples.subset[row] : Subset::training;
    const std::uint64_t numbers[ids] = {samples.column[row], samples.step[row], static_cast<std::uint64_t>(subset)};
    put(numbers, ids);
    ++counts_.at(static_cast<std::size_t>(subset));
  }
  file_.write(static_cast<std::uint64_t>(samples_ * record_), bytes);
  samples_ += samples.samples;
}

SampleSet SampleFile::read(std::int64_t first, std::int64_t count) const {
  if (first < 0 || count < 0 || first > samples_ - count)
    throw Error(Status::out_of_range, "samples " + std::to_string(first) + " to " + std::to_string(first + count) +
                                          " of a file that has " + std::to_string(samples_));
  const auto rows = static_cast<std::size_t>(count);
  std::vector<std::byte> bytes(rows * static_cast<std::size_t>(record_));
  file_.read(static_cast<std::uint64_t>(first * record_), bytes);
  SampleSet set;
  set.layout = layout_;
  set.samples = count;
  set.source = source_;
  set.inputs.resize(rows * static_cast<std::size_t>(inputs_));
  set.outputs.resize(rows * static_cast<std::size_t>(outputs_));
  set.column.resize(rows);
  set.step.resize(rows);
  if (split_) set.subset.resize(rows);
  const std::byte* from = bytes.data();
  const auto take = [&](void* to, std::int64_t numbers) {
    if (numbers > 0) std::memcpy(to, from, static_cast<std::size_t>(8 * numbers));
    from += 8 * numbers;
  };
  for (std::size_t row = 0; row < rows; ++row) {
    take(set.inputs.data() + row * static_cast<std::size_t>(inputs_), inputs_);
    take(set.outputs.data() + row * static_cast<std::size_t>(outputs_), outputs_);
    std::uint64_t numbers[ids];
    take(numbers, ids);
    set.column[row] = numbers[0];
    set.step[row] = numbers[1];
    if (split_) set.subset[row] = static_cast<Subset>(numbers[2]);
  }
  return set;
}

}  // namespace lavoisier
