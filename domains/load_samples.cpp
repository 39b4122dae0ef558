#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace lavoisier {
namespace {

std::string shape(const std::vector<std::string>& names, const std::vector<std::int64_t>& extents) {
  std::string text = "(";
  for (std::size_t d = 0; d < names.size(); ++d)
    text += fmt::format("{}{} = {}", d == 0 ? "" : ", ", names[d], extents[d]);
  return text + ")";
}

[[noreturn]] void refuse_incomplete(const Domain& domain, const std::filesystem::path& path, const SampleReader& reader,
                                    std::int64_t cell, const double* x, const double* y) {
  if (const std::string price = domain.series ? reader.place(cell, {}) : std::string(); !price.empty())
    throw Error(Status::non_finite, fmt::format("{}, which {} needs; dates like this can be left out (drop incomplete)", price,
                                                reader.describe(cell)));
  std::vector<std::string> missing, variables;
  const auto look = [&](Role role, const double* values) {
    for (const auto& variable : domain.layout.with_role(role)) {
      const std::int64_t elements = domain.layout.elements(variable);
      for (std::int64_t e = 0; e < elements; ++e) {
        if (std::isfinite(*values++)) continue;
        missing.push_back(elements == 1 ? variable.name : fmt::format("{}[{}]", variable.name, e));
        variables.push_back(variable.name);
      }
    }
  };
  look(Role::input, x);
  if (y != nullptr) look(Role::output, y);
  const std::string found = fmt::format(
      "expected a number for every variable, found none for {}; rows like this can be "
      "left out (drop incomplete)",
      fmt::join(missing, ", "));
  if (domain.table && !domain.series) throw Error(Status::non_finite, fmt::format("{}: {}", reader.place(cell, variables.front()), found));
  throw Error(Status::non_finite,
              fmt::format("\"{}\", row {} ({}): {}", path.string(), cell, reader.describe(cell), found));
}

/// What its files have in common, and where its next file begins.
struct Place {
  std::vector<std::int64_t> first_columns;
  std::uint64_t steps = 0, columns = 0;  ///< before this file
  std::uint64_t own_steps = 1;           ///< of this file
};

void begin_file(const Domain& domain, const std::vector<std::filesystem::path>& files,
                const std::filesystem::path& path, const SampleReader& reader, Place& place) {
  std::vector<std::int64_t> columns;
  place.own_steps = 1;
  for (const auto& axis : reader.axes()) {
    const auto& names = domain.column_dimensions;
    if (std::find(names.begin(), names.end(), axis.name) != names.end())
      columns.push_back(static_cast<std::int64_t>(axis.values.size()));
    else
      place.own_steps *= axis.values.size();
  }
  if (&path == &files.front()) place.first_columns = columns;
  if (columns != place.first_columns && !domain.by_rows())
    throw Error(Status::shape_mismatch,
                fmt::format("\"{}\" has columns {}, \"{}\" has {}: files of one run need one grid", path.string(),
                            shape(domain.column_dimensions, columns), files.front().string(),
                            shape(domain.column_dimensions, place.first_columns)));
}

/// What a file has that those before it have not comes to theirs.
void meet(ElementCoordinates& known, const ElementCoordinates& found) {
  require_same(known, found);
  for (const ElementCoordinate& one : found)
    if (std::none_of(known.begin(), known.end(), [&](const auto& other) { return other.dimension == one.dimension; }))
      known.push_back(one);
}

/// Adds a piece's complete cells to the set.
void add_piece(const Domain& domain, const std::filesystem::path& path, const SampleReader& reader,
               const SampleReader::Piece& piece, const LoadOptions& options, const Place& place, SampleSet& set,
               LoadReport& found) {
  const auto inputs = static_cast<std::size_t>(set.input_elements());
  const auto outputs = options.with_outputs ? static_cast<std::size_t>(set.output_elements()) : 0;
  for (std::size_t row = 0; row < piece.complete.size(); ++row) {
    if (piece.empty[row] != 0) {
      ++found.empty;
      continue;
    }
    const double* const x = piece.inputs.data() + row * inputs;
    const double* const y = piece.outputs.data() + row * outputs;
    if (piece.complete[row] == 0) {
      if (!options.drop_incomplete)
        refuse_incomplete(domain, path, reader, piece.first + static_cast<std::int64_t>(row), x,
                          options.with_outputs ? y : nullptr);
      ++found.incomplete;
      continue;
    }
    set.inputs.insert(set.inputs.end(), x, x + inputs);
    set.outputs.insert(set.outputs.end(), y, y + outputs);
    if (!piece.subset.empty()) set.subset.push_back(piece.subset[row]);
    set.column.push_back(place.columns + piece.column[row]);
    set.step.push_back(place.steps + piece.step[row]);
    ++set.samples;
  }
}

/// At most 65536 cells of at most so many numbers.
std::int64_t cells_of_piece(const Domain& domain, std::int64_t most) {
  const std::int64_t numbers = domain.layout.elements(Role::input) + domain.layout.elements(Role::output);
  return std::clamp(most / std::max<std::int64_t>(numbers, 1), std::int64_t{1}, std::int64_t{1} << 16);
}

/// Reads `most` cells at a time into `set`, which `take` may empty; `expect` hears each file's number of cells before.
std::string read_files(const Domain& domain, const std::vector<std::filesystem::path>& files,
                       const LoadOptions& options, std::int64_t most, SampleSet& set,
                       const std::function<void(std::int64_t)>& expect, const std::function<void()>& take,
                       LoadReport* report) {
  set.layout = domain.layout;
  LoadReport found;
  Place place;
  std::string source;
  for (const auto& path : files) {
    const SampleReader reader(domain, path, options.with_outputs);
    if (options.with_outputs) reader.require_split();
    begin_file(domain, files, path, reader, place);
    meet(found.coordinates, reader.element_coordinates());
    expect(reader.cells());
    for (std::int64_t first = 0; first < reader.cells(); first += most) {
      add_piece(domain, path, reader, reader.read(first, std::min(most, reader.cells() - first)), options, place, set,
                found);
      take();
    }
    found.cells += reader.cells();
    if (domain.by_rows()) {
      place.columns += static_cast<std::uint64_t>(reader.cells());
    } else {
      place.steps += place.own_steps;
    }
    source += (source.empty() ? "" : " ") + path.string();
  }
  if (report != nullptr) *report = found;
  return source;
}

}  // namespace

SampleSet load_samples(const Domain& domain, const std::vector<std::filesystem::path>& files,
                       const LoadOptions& options, LoadReport* report) {
  SampleSet set;
  set.source = read_files(
      domain, files, options, cells_of_piece(domain, std::int64_t{1} << 24), set, [](std::int64_t) {}, [] {}, report);
  return set;
}

SampleFile load_sample_file(const Domain& domain, const std::vector<std::filesystem::path>& files,
                            const std::filesystem::path& folder, const LoadOptions& options, LoadReport* report) {
  LAVOISIER_REQUIRE(options.with_outputs, "a sample file holds outputs");
  SampleFile file(domain.layout, folder);
  SampleSet set;
  const auto take = [&] {
    file.append(set);
    set.samples = 0;
    set.inputs.clear();
    set.outputs.clear();
    set.subset.clear();
    set.column.clear();
    set.step.clear();
  };
  // Pieces of a megabyte, not of samples_of_piece(): few numbers a cell are read faster in long runs.
  const std::int64_t most = cells_of_piece(domain, std::int64_t{1} << 17);
  file.set_source(read_files(
      domain, files, options, most, set, [&](std::int64_t cells) { file.require_space(cells); }, take, report));
  return file;
}

}  // namespace lavoisier
