#include <lavoisier/sample_set.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier {

namespace {

template <class T>
void gather(const std::vector<T>& from, std::vector<T>& to, const std::vector<std::int64_t>& rows,
            std::int64_t width, std::int64_t samples, const char* what) {
  if (from.empty()) return;
  if (static_cast<std::int64_t>(from.size()) != samples * width) {
    throw Error(Status::shape_mismatch, "the sample set has " + std::to_string(from.size()) + " values of " + what +
                                            "; expected " + std::to_string(samples) + " samples of " +
                                            std::to_string(width));
  }
  to.reserve(rows.size() * static_cast<std::size_t>(width));
  for (const auto row : rows) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(row * width);
    to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(width));
  }
}

}  // namespace

SampleSet select(const SampleSet& samples, const std::vector<std::int64_t>& rows) {
  for (const auto row : rows) {
    if (row < 0 || row >= samples.samples) {
      throw Error(Status::out_of_range, "row " + std::to_string(row) + " is not in the sample set, which has rows 0 to " +
                                            std::to_string(samples.samples - 1));
    }
  }
  SampleSet chosen;
  chosen.layout = samples.layout;
  chosen.samples = static_cast<std::int64_t>(rows.size());
  chosen.source = samples.source;
  gather(samples.inputs, chosen.inputs, rows, samples.input_elements(), samples.samples, "inputs");
  gather(samples.outputs, chosen.outputs, rows, samples.output_elements(), samples.samples, "outputs");
  gather(samples.subset, chosen.subset, rows, 1, samples.samples, "subset");
  gather(samples.column, chosen.column, rows, 1, samples.samples, "column");
  gather(samples.step, chosen.step, rows, 1, samples.samples, "step");
  return chosen;
}

SampleSet select(const SampleSet& samples, Subset subset) {
  if (samples.subset.empty() && samples.samples > 0) {
    throw Error(Status::invalid_argument, std::string("the sample set has no split, so no ") + to_string(subset) +
                                              " rows can be chosen from it");
  }
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < samples.subset.size(); ++i) {
    if (samples.subset[i] == subset) rows.push_back(static_cast<std::int64_t>(i));
  }
  return select(samples, rows);
}

const char* to_string(Subset subset) noexcept {
  switch (subset) {
    case Subset::training: return "training";
    case Subset::validation: return "validation";
    case Subset::test: return "test";
  }
  return "unknown";
}

Subset subset_from(const std::string& text) {
  for (const auto subset : {Subset::training, Subset::validation, Subset::test}) {
    if (text == to_string(subset)) return subset;
  }
  throw Error(Status::invalid_argument,
              "subset '" + text + "' is none of the legal words: training, validation, test");
}

}  // namespace lavoisier
