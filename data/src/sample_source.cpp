#include <lavoisier/sample_source.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <numeric>

namespace lavoisier {
namespace {

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from, std::int64_t row, std::int64_t width) {
  if (from.empty()) return;
  const auto first = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(width));
}

}  // namespace

SampleSetSource::SampleSetSource(const SampleSet& set) : set_(set) {
  if (set.subset.empty()) counts_[static_cast<std::size_t>(Subset::training)] = set.samples;
  for (const Subset subset : set.subset) ++counts_.at(static_cast<std::size_t>(subset));
}

SampleSet SampleSetSource::read(std::int64_t first, std::int64_t count) const {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), first);
  return select(set_, rows);
}

std::int64_t samples_of_piece(const StateLayout& layout) {
  constexpr std::int64_t bytes = std::int64_t{1} << 20, most = 1024;
  const std::int64_t numbers = layout.elements(Role::input) + layout.elements(Role::output);
  return std::clamp(bytes / (8 * std::max<std::int64_t>(numbers, 1)), std::int64_t{1}, most);
}

void for_each_piece(const SampleSource& source, Subset subset,
                    const std::function<void(const SampleSet&, const std::vector<std::int64_t>&)>& take) {
  const std::int64_t most = samples_of_piece(source.layout());
  SampleSet piece;
  piece.layout = source.layout();
  piece.source = source.source();
  std::vector<std::int64_t> index;
  const auto hand_over = [&] {
    if (piece.samples == 0) return;
    take(piece, index);
    piece.samples = 0;
    piece.inputs.clear();
    piece.outputs.clear();
    piece.subset.clear();
    piece.column.clear();
    piece.step.clear();
    index.clear();
  };
  for (std::int64_t first = 0; first < source.samples(); first += most) {
    const SampleSet read = source.read(first, std::min(most, source.samples() - first));
    for (std::int64_t row = 0; row < read.samples; ++row) {
      const Subset of = read.subset.empty() ? Subset::training : read.subset[static_cast<std::size_t>(row)];
      if (of != subset) continue;
      append(piece.inputs, read.inputs, row, read.input_elements());
      append(piece.outputs, read.outputs, row, read.outputs.empty() ? 0 : read.output_elements());
      append(piece.subset, read.subset, row, 1);
      append(piece.column, read.column, row, 1);
      append(piece.step, read.step, row, 1);
      index.push_back(first + row);
      if (++piece.samples == most) hand_over();
    }
  }
  hand_over();
}

}  // namespace lavoisier
