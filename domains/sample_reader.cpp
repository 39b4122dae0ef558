#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/units.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>

namespace lavoisier {
namespace {

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string shape(const std::vector<std::string>& names, const std::vector<std::int64_t>& extents) {
  std::string text = "(";
  for (std::size_t d = 0; d < names.size(); ++d)
    text += fmt::format("{}{} = {}", d == 0 ? "" : ", ", names[d], extents[d]);
  return text + ")";
}

/// How a file's spelling of units becomes the domain's.
UnitConversion resolve_units(const Domain& domain, const Source& source, const std::string& owner,
                             const std::string& spelling, const std::filesystem::path& file) {
  const std::string where = fmt::format("variable \"{}\" of \"{}\"", owner, file.string());
  std::string meaning = spelling;
  std::string mapped;
  for (const auto* const table : {&source.source_units, &domain.source_units})
    if (const auto found = table->find(spelling); found != table->end()) {
      meaning = found->second;
      mapped = fmt::format(", which source_units reads as \"{}\"", meaning);
      break;
    }
  const Unit wanted(source.units);
  const auto unit = Unit::parse(meaning);
  if (!unit)
    throw Error(Status::unit_mismatch,
                fmt::format("{}: expected units that convert to \"{}\", found {}, which neither UDUNITS nor the domain's "
                            "source_units knows; add a line \"{}\" = \"{}\" there if that is what it means",
                            where, source.units, spelling.empty() ? "none" : "\"" + spelling + "\"", spelling,
                            source.units));
  if (!unit->convertible_to(wanted))
    throw Error(Status::unit_mismatch,
                fmt::format("{}: expected units that convert to \"{}\" ({}), found \"{}\"{} ({})", where, source.units,
                            wanted.base_text(), spelling, mapped, unit->base_text()));
  return unit->conversion_to(wanted);
}

double transformed(const Source& source, double value) {
  const double angle = source.period > 0.0 ? 2.0 * std::numbers::pi * (value / source.period) : 0.0;
  switch (source.transform) {
    case Transform::sine: return std::sin(angle);
    case Transform::cosine: return std::cos(angle);
    case Transform::none: break;
  }
  return value;
}

}  // namespace

struct SampleReader::Implementation {
  struct Field {
    Source source;
    std::string name;               ///< in the domain
    UnitConversion conversion;
    std::size_t axis = 0;           ///< for a coordinate: which sample dimension
    std::vector<double> along;      ///< for a coordinate: its value at each index, units and transform done
    bool decides_emptiness = false;
    std::size_t column = 0;         ///< of a table
  };

  std::filesystem::path path;
  std::optional<NetcdfReader> file;  ///< one of the two
  std::optional<CsvReader> table;
  std::vector<FileAxis> axes;
  std::vector<std::int64_t> extents;
  std::vector<bool> numbers_columns;  ///< per sample dimension
  std::vector<Field> inputs, outputs;
  std::int64_t cells = 1;
  std::size_t split_axis = 0;
  std::vector<Subset> split;          ///< per index of the split's axis; empty: none

  Implementation(const Domain& domain, const std::filesystem::path& source, bool with_outputs) : path(source) {
    if (domain.table) {
      table.emplace(path, *domain.table);
    } else {
      file.emplace(path);
    }
    for (const auto& name : domain.sample_dimensions) {
      axes.push_back(table ? row_axis(name) : file->axis(name));
      for (std::size_t i = 0; i < axes.back().values.size(); ++i)
        if (!std::isfinite(axes.back().values[i]))
          throw Error(Status::non_finite, fmt::format("coordinate \"{}\" of \"{}\" has no number at index {}", name,
                                                      path.string(), i));
      extents.push_back(static_cast<std::int64_t>(axes.back().values.size()));
      cells *= extents.back();
      const auto& columns = domain.column_dimensions;
      numbers_columns.push_back(std::find(columns.begin(), columns.end(), name) != columns.end());
    }
    for (const auto& variable : domain.layout.variables()) {
      if (variable.role == Role::diagnostic || (variable.role == Role::output && !with_outputs)) continue;
      auto& list = variable.role == Role::input ? inputs : outputs;
      list.push_back(field(domain, variable));
    }
    if (domain.split && domain.split->kind != Split::Kind::block) {
      split = subsets_of_rows(*domain.split, cells);
    } else if (domain.split) {
      split_axis = dimension_index(domain, domain.split->axis);
      for (const double value : axes[split_axis].values) split.push_back(subset(*domain.split, value));
    }
  }

  FileAxis row_axis(const std::string& name) const {
    FileAxis axis;
    axis.name = name;
    axis.units = "1";
    axis.attributes["long_name"] = "row of the table, from 0";
    axis.values.resize(static_cast<std::size_t>(table->rows()));
    std::iota(axis.values.begin(), axis.values.end(), 0.0);
    return axis;
  }

  static std::size_t dimension_index(const Domain& domain, const std::string& name) {
    const auto& all = domain.sample_dimensions;
    const auto found = std::find(all.begin(), all.end(), name);
    if (found == all.end())
      throw Error(Status::not_found, fmt::format("\"{}\" is no sample dimension; these are {}", name, listed(all)));
    return static_cast<std::size_t>(found - all.begin());
  }

  static Subset subset(const Split& split, double coordinate) {
    double block = std::fmod(std::floor(coordinate / split.width), split.modulus);
    if (block < 0.0) block += split.modulus;
    const int number = static_cast<int>(block);
    const auto has = [&](const std::vector<int>& list) {
      return std::find(list.begin(), list.end(), number) != list.end();
    };
    return has(split.test) ? Subset::test : has(split.validation) ? Subset::validation : Subset::training;
  }

  Field field(const Domain& domain, const Variable& variable) const {
    Field result;
    result.name = variable.name;
    result.source = domain.sources.at(variable.name);
    const Source& source = result.source;
    if (!variable.dimensions.empty())
      throw Error(Status::unsupported,
                  fmt::format("variable \"{}\" has dimensions of its own ({}): this release reads variables of one number "
                              "a sample from files",
                              variable.name, listed(variable.dimensions)));
    if (source.axis) {
      result.axis = dimension_index(domain, source.variable);
      const FileAxis& axis = axes[result.axis];
      if (!source.index) result.conversion = resolve_units(domain, source, source.variable, axis.units, path);
      for (std::size_t i = 0; i < axis.values.size(); ++i) {
        const double value = source.index ? static_cast<double>(i) : result.conversion(axis.values[i]);
        result.along.push_back(transformed(source, value));
      }
      return result;
    }
    if (table) {
      result.column = table->column(source.variable);
      if (!source.file_units.empty()) result.conversion = Unit(source.file_units).conversion_to(Unit(source.units));
      return result;
    }
    const FileVariable found = file->variable(source.variable);
    if (found.dimensions != domain.sample_dimensions)
      throw Error(Status::shape_mismatch,
                  fmt::format("variable \"{}\" of \"{}\": expected the dimensions {}, found {}", source.variable,
                              path.string(), shape(domain.sample_dimensions, extents),
                              shape(found.dimensions, found.extents)));
    result.conversion = resolve_units(domain, source, source.variable, found.units, path);
    const auto& rule = domain.empty;
    result.decides_emptiness = rule.empty() || std::find(rule.begin(), rule.end(), variable.name) != rule.end();
    return result;
  }

  std::vector<std::int64_t> indices(std::int64_t cell) const {
    std::vector<std::int64_t> result(extents.size());
    for (std::size_t d = extents.size(); d-- > 0;) {
      result[d] = cell % extents[d];
      cell /= extents[d];
    }
    return result;
  }

  void fill(const std::vector<Field>& fields, std::vector<double>& values, std::int64_t first, std::int64_t count,
            std::vector<std::uint8_t>& complete, std::vector<std::uint8_t>& empty) const {
    const auto width = static_cast<std::int64_t>(fields.size());
    values.resize(static_cast<std::size_t>(count * width));
    std::vector<double> rows;  // of a table: all its columns at once
    if (table) {
      std::vector<std::size_t> columns;
      for (const Field& field : fields)
        if (!field.source.axis) columns.push_back(field.column);
      rows = table->read(columns, first, count);
    }
    std::size_t next_column = 0;
    const std::size_t all_columns = count > 0 ? rows.size() / static_cast<std::size_t>(count) : 0;
    for (std::int64_t f = 0; f < width; ++f) {
      const Field& field = fields[static_cast<std::size_t>(f)];
      if (field.source.axis) {
        std::int64_t stride = 1;
        for (std::size_t d = field.axis + 1; d < extents.size(); ++d) stride *= extents[d];
        for (std::int64_t i = 0; i < count; ++i)
          values[i * width + f] = field.along[((first + i) / stride) % extents[field.axis]];
        continue;
      }
      const std::vector<double> read =
          table ? column_of(rows, next_column++, all_columns) : file->read(field.source.variable, first, count);
      for (std::int64_t i = 0; i < count; ++i) {
        const bool present = std::isfinite(read[i]);
        const double value =
            present ? transformed(field.source, field.conversion(read[i])) : std::numeric_limits<double>::quiet_NaN();
        values[i * width + f] = value;
        if (!present) complete[i] = 0;
        if (present && field.decides_emptiness) empty[i] = 0;
      }
    }
  }

  static std::vector<double> column_of(const std::vector<double>& rows, std::size_t column, std::size_t columns) {
    std::vector<double> result;
    for (std::size_t at = column; at < rows.size(); at += columns) result.push_back(rows[at]);
    return result;
  }

  std::string describe(std::int64_t cell) const {
    if (table) return fmt::format("sample {}, line {}", cell, table->line(cell));
    const auto at = indices(cell);
    std::string text;
    for (std::size_t d = 0; d < axes.size(); ++d)
      text += fmt::format("{}{} = {:.10g}", d == 0 ? "" : ", ", axes[d].name, axes[d].values[static_cast<std::size_t>(at[d])]);
    return text;
  }
};

SampleReader::SampleReader(const Domain& domain, const std::filesystem::path& file, bool with_outputs)
    : implementation_(std::make_unique<Implementation>(domain, file, with_outputs)) {}

SampleReader::~SampleReader() = default;
SampleReader::SampleReader(SampleReader&&) noexcept = default;

std::int64_t SampleReader::cells() const noexcept { return implementation_->cells; }

std::vector<FileAxis> SampleReader::axes() const { return implementation_->axes; }

std::string SampleReader::describe(std::int64_t cell) const {
  if (cell < 0 || cell >= cells())
    throw Error(Status::out_of_range, fmt::format("cell {} of a file that has {}", cell, cells()));
  return implementation_->describe(cell);
}

std::string SampleReader::place(std::int64_t cell, const std::string& variable) const {
  const auto& self = *implementation_;
  LAVOISIER_REQUIRE(self.table.has_value(), "cells have places in tables");
  for (const auto* const list : {&self.inputs, &self.outputs})
    for (const auto& field : *list)
      if (field.name == variable) return self.table->place(cell, field.column);
  throw Error(Status::not_found, fmt::format("no variable \"{}\" is read from \"{}\"", variable, self.path.string()));
}

SampleReader::Piece SampleReader::read(std::int64_t first, std::int64_t count) const {
  const auto& self = *implementation_;
  if (first < 0 || count < 0 || first > self.cells - count)
    throw Error(Status::out_of_range, fmt::format("cells {} to {} of a file that has {}", first, first + count, self.cells));
  Piece piece;
  piece.first = first;
  const auto size = static_cast<std::size_t>(count);
  piece.complete.assign(size, 1);
  piece.empty.assign(size, 1);
  self.fill(self.inputs, piece.inputs, first, count, piece.complete, piece.empty);
  self.fill(self.outputs, piece.outputs, first, count, piece.complete, piece.empty);
  piece.column.resize(size);
  piece.step.resize(size);
  if (!self.split.empty()) piece.subset.resize(size);
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint64_t column = 0;
    std::uint64_t step = 0;
    const auto at = self.indices(first + i);
    for (std::size_t d = 0; d < at.size(); ++d) {
      auto& number = self.numbers_columns[d] ? column : step;
      number = number * static_cast<std::uint64_t>(self.extents[d]) + static_cast<std::uint64_t>(at[d]);
    }
    piece.column[i] = column;
    piece.step[i] = step;
    if (!self.split.empty()) piece.subset[i] = self.split[static_cast<std::size_t>(at[self.split_axis])];
    // A file without any field (coordinates alone) has no empty cells.
    if (piece.complete[i] != 0 || self.table) piece.empty[i] = 0;
  }
  return piece;
}

}  // namespace lavoisier
