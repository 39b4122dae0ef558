#include <lavoisier/ragged.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <limits>

namespace lavoisier {

namespace {

const RaggedOffsets& offsets_of(const RaggedSamples& samples, const std::string& dimension) {
  for (const auto& offsets : samples.offsets) {
    if (offsets.dimension == dimension) return offsets;
  }
  throw Error(Status::not_found, "the samples have no offsets of the ragged dimension '" + dimension + "'");
}

void check_sample(const RaggedSamples& samples, std::int64_t sample) {
  if (sample < 0 || sample >= samples.samples) {
    throw Error(Status::out_of_range, "sample " + std::to_string(sample) + " of " + std::to_string(samples.samples));
  }
}

// Elements of a sample's share that do not depend on the sample: the product of the fixed extents.
std::int64_t fixed_elements(const StateLayout& layout, const Variable& variable) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i < variable.dimensions.size(); ++i) {
    const Dimension& dimension = layout.dimension(variable.dimensions[i]);
    if (!dimension.ragged) {
      count *= dimension.extent;
    } else if (i > 0) {
      throw Error(Status::unsupported, "variable '" + variable.name + "' has the ragged dimension '" + dimension.name +
                                           "' in place " + std::to_string(i + 1) + "; only the first may be ragged");
    }
  }
  return count;
}

// First element and number of elements of a variable in one sample.
std::pair<std::int64_t, std::int64_t> part(const RaggedSamples& samples, const Variable& variable, std::int64_t sample) {
  const std::int64_t fixed = fixed_elements(samples.layout, variable);
  if (!samples.layout.is_ragged(variable)) return {sample * fixed, fixed};
  const auto& offsets = offsets_of(samples, variable.dimensions.front()).offsets;
  const auto first = offsets[static_cast<std::size_t>(sample)];
  return {first * fixed, (offsets[static_cast<std::size_t>(sample) + 1] - first) * fixed};
}

}  // namespace

void RaggedSamples::validate() const {
  if (samples < 0 || samples == std::numeric_limits<std::int64_t>::max()) {
    throw Error(Status::shape_mismatch, "the number of samples is " + std::to_string(samples));
  }
  for (const auto& dimension : layout.dimensions()) {
    if (!dimension.ragged) continue;
    const auto& o = offsets_of(*this, dimension.name).offsets;
    if (o.size() != static_cast<std::size_t>(samples) + 1 || o.front() != 0) {
      throw Error(Status::shape_mismatch, "the offsets of '" + dimension.name + "' must be " +
                                              std::to_string(samples + 1) + " numbers that begin with 0; found " +
                                              std::to_string(o.size()) + " that begin with " +
                                              (o.empty() ? "nothing" : std::to_string(o.front())));
    }
    for (std::size_t s = 0; s + 1 < o.size(); ++s) {
      if (o[s + 1] < o[s]) {
        throw Error(Status::out_of_range, "the offsets of '" + dimension.name + "' decrease at sample " +
                                              std::to_string(s) + ": " + std::to_string(o[s]) + " to " +
                                              std::to_string(o[s + 1]));
      }
      if (o[s + 1] - o[s] > dimension.extent) {
        throw Error(Status::out_of_range, "sample " + std::to_string(s) + " holds " + std::to_string(o[s + 1] - o[s]) +
                                              " of '" + dimension.name + "'; the capacity is " +
                                              std::to_string(dimension.extent));
      }
    }
  }
  for (const auto& o : offsets) {
    if (!layout.dimension(o.dimension).ragged) {
      throw Error(Status::invalid_argument, "offsets of the dimension '" + o.dimension + "', which is not ragged");
    }
    if (&offsets_of(*this, o.dimension) != &o) {
      throw Error(Status::invalid_argument, "the offsets of '" + o.dimension + "' stand twice");
    }
  }
  for (const auto& [name, numbers] : values) {
    const Variable& variable = layout.variable(name);
    const std::int64_t fixed = fixed_elements(layout, variable);
    const std::int64_t rows =
        layout.is_ragged(variable) ? offsets_of(*this, variable.dimensions.front()).offsets.back() : samples;
    if (rows > std::numeric_limits<std::int64_t>::max() / fixed ||
        static_cast<std::uint64_t>(rows * fixed) != numbers.size()) {
      throw Error(Status::shape_mismatch, "variable '" + name + "' has " + std::to_string(numbers.size()) +
                                              " values; the offsets say " + std::to_string(rows) + " of " +
                                              std::to_string(fixed));
    }
  }
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const auto& list = indices[k];
    for (std::size_t j = 0; j < k; ++j) {
      if (indices[j].name == list.name) {
        throw Error(Status::invalid_argument, "the indices '" + list.name + "' stand twice");
      }
    }
    const auto& from = offsets_of(*this, list.dimension).offsets;
    if (static_cast<std::uint64_t>(from.back()) != list.indices.size()) {
      throw Error(Status::shape_mismatch, "'" + list.name + "' has " + std::to_string(list.indices.size()) +
                                              " indices; there are " + std::to_string(from.back()) + " of '" +
                                              list.dimension + "'");
    }
    for (std::int64_t s = 0; s < samples; ++s) {
      const std::int64_t limit = extent(list.target, s);
      for (auto i = from[static_cast<std::size_t>(s)]; i < from[static_cast<std::size_t>(s) + 1]; ++i) {
        const auto index = list.indices[static_cast<std::size_t>(i)];
        if (index < 0 || index >= limit) {
          throw Error(Status::out_of_range, "'" + list.name + "' " +
                                                std::to_string(i - from[static_cast<std::size_t>(s)]) + " of sample " +
                                                std::to_string(s) + " points at " + list.target + " " +
                                                std::to_string(index) + "; the sample has " + std::to_string(limit));
        }
      }
    }
  }
}

std::int64_t RaggedSamples::extent(const std::string& dimension, std::int64_t sample) const {
  check_sample(*this, sample);
  const Dimension& found = layout.dimension(dimension);
  if (!found.ragged) return found.extent;
  const auto& o = offsets_of(*this, dimension).offsets;
  return o[static_cast<std::size_t>(sample) + 1] - o[static_cast<std::size_t>(sample)];
}

ExpressionValue RaggedSamples::value(const std::string& name, std::int64_t sample) const {
  check_sample(*this, sample);
  const auto found = values.find(name);
  if (found == values.end()) throw Error(Status::not_found, "the samples have no values of '" + name + "'");
  const Variable& variable = layout.variable(name);
  ExpressionValue value;
  value.dimensions = variable.dimensions;
  for (const auto& dimension : variable.dimensions) value.extents.push_back(extent(dimension, sample));
  const auto [first, count] = part(*this, variable, sample);
  const auto begin = found->second.begin() + static_cast<std::ptrdiff_t>(first);
  value.values.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return value;
}

void RaggedSamples::add_to(ModelFile& file, const std::string& prefix) const {
  validate();
  const auto length = [](const auto& list) {
    return std::vector<std::int64_t>{static_cast<std::int64_t>(list.size())};
  };
  file.add(Tensor::from(prefix + ".samples", {1}, std::span<const std::int64_t>(&samples, 1)));
  for (const auto& o : offsets) {
    file.add(Tensor::from(prefix + ".offsets." + o.dimension, length(o.offsets), std::span(o.offsets)));
  }
  for (const auto& [name, numbers] : values) {
    file.add(Tensor::from(prefix + ".values." + name, length(numbers), std::span(numbers)));
  }
  for (const auto& list : indices) {
    file.add(Tensor::from(prefix + ".indices." + list.name, length(list.indices), std::span(list.indices)));
  }
}

RaggedSamples RaggedSamples::from(const ModelFile& file, const std::string& prefix, std::vector<RaggedIndices> indices) {
  RaggedSamples result;
  result.layout = file.description.layout;
  const auto count = file.tensor(prefix + ".samples").i64();
  if (count.size() != 1) throw Error(Status::invalid_format, "'" + prefix + ".samples' must be one number");
  result.samples = count[0];
  for (const auto& dimension : result.layout.dimensions()) {
    if (!dimension.ragged) continue;
    const auto o = file.tensor(prefix + ".offsets." + dimension.name).i64();
    result.offsets.push_back({dimension.name, {o.begin(), o.end()}});
  }
  for (const auto& variable : result.layout.variables()) {
    const std::string name = prefix + ".values." + variable.name;
    if (!file.has_tensor(name)) continue;
    const auto numbers = file.tensor(name).f64();
    result.values[variable.name].assign(numbers.begin(), numbers.end());
  }
  for (auto& list : indices) {
    const auto numbers = file.tensor(prefix + ".indices." + list.name).i64();
    list.indices.assign(numbers.begin(), numbers.end());
  }
  result.indices = std::move(indices);
  result.validate();
  return result;
}

}  // namespace lavoisier
