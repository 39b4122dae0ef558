#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/units.hpp>

#include "block_reader.hpp"
#include "field.hpp"
#include "graph_fields.hpp"
#include "image_fields.hpp"
#include "over_columns.hpp"
#include "series_fields.hpp"
#include "series_section.hpp"
#include "split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

namespace lavoisier {
namespace {

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

// What the cells of a piece are called among the dimensions of expressions: no name of a domain file.
const std::string cells_dimension = "cells of a piece";

}  // namespace

struct SampleReader::Implementation {
  /// One field of the file, or column of the table.
  struct Part {
    std::string variable;
    UnitConversion conversion;
    std::vector<FieldAxis> axes;
    std::size_t column = 0;  ///< of a table
    detail::BlockField of_blocks() const { return {variable, axes, conversion}; }
  };
  struct Field {
    Source source;
    std::string name;               ///< in the domain
    std::vector<std::string> dimensions;
    std::vector<std::int64_t> extents;
    std::int64_t elements = 1, offset = 0;  ///< of a cell; among the numbers of a cell
    std::vector<Part> parts;        ///< one, or those of a magnitude
    std::size_t axis = 0;           ///< for a coordinate: which sample dimension
    std::vector<double> along;      ///< for a coordinate: its value at each index, units and transform done
    bool decides_emptiness = false;
  };

  std::filesystem::path path;
  std::optional<NetcdfReader> file;  ///< one of these, of images, graphs and series
  std::optional<CsvReader> table;
  std::optional<detail::BlockReader> blocks;  ///< of the file's grid
  struct Interval {
    bool coordinate = false;
    std::size_t at = 0;  ///< among the sample dimensions or the inputs
    std::pair<double, double> range;
  };
  std::vector<Interval> within;
  std::optional<detail::ImageFields> images;
  std::optional<detail::GraphFields> graphs;
  std::optional<detail::SeriesFields> series;
  std::vector<FileAxis> axes;
  std::vector<std::int64_t> extents;
  std::vector<bool> numbers_columns;  ///< per sample dimension
  std::vector<Field> inputs, outputs;
  std::vector<detail::BlockField> output_parts;  ///< of blocks: where masks come from, with outputs or without
  std::map<std::string, ExpressionValue> constants;  ///< for `value` of inputs
  std::vector<FileAxis> element_axes;
  std::vector<std::string> coordinate_names;
  ElementCoordinates element_coordinates;
  std::int64_t cells = 1;
  std::optional<std::size_t> split_axis;  ///< by blocks
  std::vector<Subset> split;              ///< per index of the split's axis, or per cell; empty: none
  std::string split_variable;             ///< by groups
  std::string split_failure;              ///< why there is none
  std::vector<std::int64_t> groupless;    ///< cells without a value of it
  Domain of;                              ///< for weights and numbers of steps, which are read when asked for
  mutable std::vector<detail::WeightField> weight_fields;

  Implementation(const Domain& domain, const std::filesystem::path& source, bool with_outputs) : path(source), of(domain) {
    if (domain.images && detail::holds_images(path)) {
      images.emplace(domain, path, with_outputs);
    } else if (domain.graphs) {
      graphs.emplace(domain, path, with_outputs);
    } else if (domain.series) {
      series.emplace(domain, path, with_outputs);
    } else if (domain.by_rows() && (domain.table || path.extension() == ".csv")) {
      table.emplace(path, domain.table.value_or(CsvOptions()));
    } else {
      file.emplace(path);
      if (domain.blocks) blocks.emplace(domain, *file);
    }
    for (const auto& name : domain.sample_dimensions) {
      axes.push_back(!file ? row_axis(name) : blocks ? blocks->axes()[axes.size()] : file->axis(name));
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
      if (blocks && variable.role == Role::output)
        output_parts.push_back(part(domain, variable, domain.sources.at(variable.name), domain.sources.at(variable.name).variable).of_blocks());
      if (variable.role == Role::diagnostic || (variable.role == Role::output && !with_outputs)) continue;
      auto& list = variable.role == Role::input ? inputs : outputs;
      list.push_back(field(domain, variable, domain.layout.offset(variable.name)));
    }
    for (const auto& [name, range] : domain.within) {
      const bool coordinate = !domain.layout.has_variable(name);
      within.push_back({coordinate, coordinate ? dimension_index(domain, name) : static_cast<std::size_t>(domain.layout.offset(name)), range});
    }
    for (const Constant& constant : domain.constants) constants[constant.name] = {{}, {}, {constant.value}, {}};
    for (const ArrayConstant& constant : domain.array_constants)
      constants[constant.name] = {constant.dimensions, detail::extents_of(domain, constant.dimensions), constant.values, {}};
    if (domain.images && !file) element_axes = detail::pixel_axes(domain);
    if (graphs) element_axes = detail::node_axes(domain);
    if (file) {
      if (!blocks) element_axes = detail::element_axes(domain, *file);
      if (!blocks) element_coordinates = detail::element_coordinates(domain, *file);
      for (const std::string& name : domain.coordinates)
        if (file->has_variable(name)) coordinate_names.push_back(name);
    }
    // A host's inputs need not say to which group they belong.
    const bool groups = domain.split && domain.split->kind == Split::Kind::groups;
    if (groups && images) throw Error(Status::unsupported, "images have no groups: a split by a variable");
    const bool known = !groups || with_outputs || (table ? table->has_column(domain.split->variable)
                                                         : file->has_variable(domain.split->variable));
    if (domain.split && known) read_split(domain, *domain.split);
  }

  void read_split(const Domain& domain, const Split& rule) {
    if (series) detail::require_series_split(rule);  // a protocol may have its own
    if (rule.kind == Split::Kind::dates) {
      if (!series) throw Error(Status::unsupported, fmt::format("\"{}\": only series have dates to split by", path.string()));
      split = series->subsets(rule);
      return;
    }
    if (rule.kind == Split::Kind::groups) {
      read_groups(domain, rule);
    } else if (graphs) {
      try {
        split = graphs->split(rule);
      } catch (const Error& error) {
        if (error.status() != Status::invalid_argument) throw;
        split_failure = error.what();  // the samples can be read all the same
      }
    } else if (rule.kind == Split::Kind::boxes) {
      for (std::int64_t cell = 0; cell < cells; ++cell) {
        const auto at = indices(cell);
        split.push_back(detail::subset_in_boxes(rule, [&](const std::string& name) {
          const std::size_t axis = dimension_index(domain, name);
          return axes[axis].values[static_cast<std::size_t>(at[axis])];
        }));
      }
    } else if (rule.kind == Split::Kind::files) {
      split = subsets_of_file(rule, path, cells);
    } else if (rule.kind != Split::Kind::block) {
      split = subsets_of_rows(rule, cells);
    } else {
      split_axis = dimension_index(domain, rule.axis);
      for (const double value : axes[*split_axis].values)
        split.push_back(subset_of_number(rule, std::floor(value / rule.width)));
    }
  }

  // In two passes: the numbers of groups are known when all their values are.
  void read_groups(const Domain& domain, const Split& rule) {
    split_variable = rule.variable;
    Part part;
    part.variable = rule.variable;
    if (table)
      part.column = table->column(rule.variable);
    else
      part.axes = detail::field_axes(domain, Variable(), Source(), rule.variable, *file);
    constexpr std::int64_t most = 1 << 16;
    const auto each = [&](const auto& take) {
      for (std::int64_t first = 0; first < cells; first += most) {
        const std::int64_t count = std::min(most, cells - first);
        const auto values =
            table ? table->read({part.column}, first, count) : file->read_cells(part.variable, part.axes, first, count);
        for (std::int64_t i = 0; i < count; ++i) take(first + i, values[static_cast<std::size_t>(i)]);
      }
    };
    detail::GroupNumbers groups(rule);
    each([&](std::int64_t, double value) { groups.see(value); });
    split.reserve(static_cast<std::size_t>(cells));
    each([&](std::int64_t cell, double value) {
      if (!std::isfinite(value)) groupless.push_back(cell);
      split.push_back(groups.subset(value));
    });
  }

  FileAxis row_axis(const std::string& name) const {
    FileAxis axis;
    axis.name = name;
    axis.units = "1";
    axis.attributes["long_name"] = images   ? "number of the image, from 0"
                                   : graphs ? fmt::format("number of the {}, from 0", name)
                                   : series ? "date of the table, numbered from 0"
                                            : "row of the table, from 0";
    axis.values.resize(static_cast<std::size_t>(images   ? images->images()
                                                : graphs ? graphs->graphs()
                                                : series ? series->dates()
                                                         : table->rows()));
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

  Field field(const Domain& domain, const Variable& variable, std::int64_t offset) const {
    Field result;
    result.name = variable.name;
    result.source = domain.sources.at(variable.name);
    result.dimensions = variable.dimensions;
    result.extents = detail::extents_of(domain, variable.dimensions);
    result.elements = domain.layout.elements(variable);
    result.offset = offset;
    const Source& source = result.source;
    if (table && !variable.dimensions.empty())
      throw Error(Status::unsupported,
                  fmt::format("variable \"{}\" has dimensions of its own ({}): a column of a table holds one number a sample",
                              variable.name, listed(variable.dimensions)));
    if (source.axis) {
      result.axis = dimension_index(domain, source.variable);
      const FileAxis& axis = axes[result.axis];
      UnitConversion conversion;
      if (!source.index) conversion = detail::resolve_units(domain, source, source.variable, axis.units, path);
      for (std::size_t i = 0; i < axis.values.size(); ++i) {
        const double value = source.index ? static_cast<double>(i) : conversion(axis.values[i]);
        result.along.push_back(detail::transformed(source, value));
      }
      return result;
    }
    if (source.value || images || graphs || series) return result;
    const auto& names = source.magnitude.empty() ? std::vector<std::string>{source.variable} : source.magnitude;
    for (const std::string& name : names) result.parts.push_back(part(domain, variable, source, name));
    const auto& rule = domain.empty;
    result.decides_emptiness =
        !table && (rule.empty() || std::find(rule.begin(), rule.end(), variable.name) != rule.end());
    return result;
  }

  Part part(const Domain& domain, const Variable& variable, const Source& source, const std::string& name) const {
    Part result;
    result.variable = name;
    if (table) {
      result.column = table->column(name);
      if (!source.file_units.empty()) result.conversion = Unit(source.file_units).conversion_to(Unit(source.units));
      return result;
    }
    result.axes = detail::field_axes(domain, blocks ? Variable() : variable, source, name, *file);
    if (source.block == BlockQuantity::weight || source.block == BlockQuantity::valid) return result;
    result.conversion = detail::resolve_units(domain, source, name, file->variable(name).units, path);
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

  /// Numbers of a piece: cells x width.
  struct Block {
    std::vector<double>& values;
    std::int64_t width, first, count;
    std::vector<std::uint8_t>&complete, &empty;
  };

  void fill(const std::vector<Field>& fields, std::vector<double>& values, std::int64_t first, std::int64_t count,
            std::vector<std::uint8_t>& complete, std::vector<std::uint8_t>& empty, detail::BlockReader::Piece* piece) const {
    std::int64_t width = 0;
    std::vector<std::size_t> columns;  // of a table: all at once
    for (const Field& field : fields) {
      width += field.elements;
      for (const Part& part : field.parts) columns.push_back(part.column);
    }
    values.resize(static_cast<std::size_t>(count * width));
    const Role role = &fields == &inputs ? Role::input : Role::output;
    if (images && !fields.empty()) images->fill(role, first, count, values);
    if (series && !fields.empty()) series->fill(role, first, count, values);
    if (graphs && !fields.empty()) {
      graphs->fill(role, first, count, values);
      for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i])) complete[i / static_cast<std::size_t>(width)] = 0;
      return;
    }
    const std::vector<double> rows = table ? table->read(columns, first, count) : std::vector<double>();
    std::size_t next_column = 0;
    const Block block{values, width, first, count, complete, empty};
    for (const Field& field : fields) {
      if (field.source.axis) {
        put_coordinate(field, block);
      } else if (field.source.value) {
        put(field, block, evaluated(fields, field, block));
      } else if (piece != nullptr) {
        const detail::BlockField part = field.parts.front().of_blocks();
        put(field, block, field.source.block == BlockQuantity::none
                              ? piece->values(part)
                              : piece->quantity(part, field.source, field.elements, field.name));
      } else if (!images && !series) {
        std::vector<double> read;
        for (const Part& part : field.parts) {
          std::vector<double> more = table ? column_of(rows, next_column++, columns.size())
                                           : file->read_cells(part.variable, part.axes, first, count);
          for (double& value : more) value = part.conversion(value);
          combine(field.source, read, std::move(more));
        }
        put(field, block, read);
      }
    }
  }

  // Of a magnitude: the sum of squares so far.
  static void combine(const Source& source, std::vector<double>& so_far, std::vector<double> more) {
    if (!source.magnitude.empty())
      for (double& value : more) value *= value;
    if (so_far.empty()) {
      so_far = std::move(more);
    } else {
      for (std::size_t i = 0; i < more.size(); ++i) so_far[i] += more[i];
    }
  }

  void put_coordinate(const Field& field, const Block& block) const {
    std::int64_t stride = 1;
    for (std::size_t d = field.axis + 1; d < extents.size(); ++d) stride *= extents[d];
    for (std::int64_t i = 0; i < block.count; ++i)
      block.values[static_cast<std::size_t>(i * block.width + field.offset)] =
          field.along[static_cast<std::size_t>(((block.first + i) / stride) % extents[field.axis])];
  }

  void put(const Field& field, const Block& block, const std::vector<double>& read) const {
    for (std::int64_t i = 0; i < block.count; ++i) {
      const auto cell = static_cast<std::size_t>(i);
      for (std::int64_t e = 0; e < field.elements; ++e) {
        double value = read[static_cast<std::size_t>(i * field.elements + e)];
        const bool present = std::isfinite(value);
        if (present && !field.source.magnitude.empty()) value = std::sqrt(value);
        block.values[static_cast<std::size_t>(i * block.width + field.offset + e)] =
            present ? transformed(field, value, block.first + i) : std::numeric_limits<double>::quiet_NaN();
        if (!present) block.complete[cell] = 0;
        if (present && field.decides_emptiness) block.empty[cell] = 0;
      }
    }
  }

  double transformed(const Field& field, double value, std::int64_t cell) const {
    try {
      return detail::transformed(field.source, value);
    } catch (const Error& error) {
      throw Error(error.status(), fmt::format("input \"{}\" of \"{}\", row {} ({}): {}", field.name, path.string(), cell,
                                              describe(cell), error.what()));
    }
  }

  /// The values of an input that is made of others before it: cells x elements.
  std::vector<double> evaluated(const std::vector<Field>& fields, const Field& field, const Block& block) const {
    const ExpressionValue value = field.source.value->evaluate([&](const std::string& name) {
      if (const auto constant = constants.find(name); constant != constants.end()) return constant->second;
      const auto other =
          std::find_if(fields.begin(), fields.end(), [&](const Field& one) { return one.name == name; });
      LAVOISIER_REQUIRE(other != fields.end(), "an input is made of inputs before it");
      ExpressionValue result;
      result.dimensions.push_back(cells_dimension);
      result.extents.push_back(block.count);
      result.dimensions.insert(result.dimensions.end(), other->dimensions.begin(), other->dimensions.end());
      result.extents.insert(result.extents.end(), other->extents.begin(), other->extents.end());
      result.values.reserve(static_cast<std::size_t>(block.count * other->elements));
      for (std::int64_t i = 0; i < block.count; ++i) {
        const auto row = block.values.begin() + static_cast<std::ptrdiff_t>(i * block.width + other->offset);
        result.values.insert(result.values.end(), row, row + static_cast<std::ptrdiff_t>(other->elements));
      }
      return result;
    });
    std::vector<std::string> dimensions = field.dimensions;
    std::vector<std::int64_t> sizes = field.extents;
    dimensions.insert(dimensions.begin(), cells_dimension);
    sizes.insert(sizes.begin(), block.count);
    std::vector<double> result = detail::spread(value, dimensions, sizes);
    for (double& number : result) number = field.source.value_conversion(number);
    return result;
  }

  /// What is outside the domain's intervals is no sample.
  void leave_out(Piece& piece) const {
    if (within.empty()) return;
    const std::size_t count = piece.complete.size(), width = count > 0 ? piece.inputs.size() / count : 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto place = indices(piece.first + static_cast<std::int64_t>(i));
      for (const Interval& one : within) {
        const double value = one.coordinate ? axes[one.at].values[static_cast<std::size_t>(place[one.at])]
                                            : piece.inputs[i * width + one.at];
        if (!std::isfinite(value) || (value >= one.range.first && value < one.range.second)) continue;
        piece.complete[i] = 0;
        piece.empty[i] = 1;
      }
    }
  }

  std::vector<std::uint8_t> masks(detail::BlockReader::Piece& piece, std::size_t count) const {
    const auto block_cells = static_cast<std::size_t>(blocks->shape().cells());
    std::vector<std::uint8_t> result(count * block_cells * output_parts.size());
    for (std::size_t v = 0; v < output_parts.size(); ++v) {
      const std::vector<std::uint8_t> one = piece.masked(output_parts[v]);
      for (std::size_t i = 0; i < count; ++i)
        std::copy_n(one.begin() + static_cast<std::ptrdiff_t>(i * block_cells), block_cells,
                    result.begin() + static_cast<std::ptrdiff_t>((i * output_parts.size() + v) * block_cells));
    }
    return result;
  }

  static std::vector<double> column_of(const std::vector<double>& rows, std::size_t column, std::size_t columns) {
    std::vector<double> result;
    for (std::size_t at = column; at < rows.size(); at += columns) result.push_back(rows[at]);
    return result;
  }

  std::string describe(std::int64_t cell) const {
    if (table) return fmt::format("sample {}, line {}", cell, table->line(cell));
    if (images) return images->describe(cell);
    if (graphs) return graphs->describe(cell);
    if (series) return series->describe(cell);
    const auto at = indices(cell);
    std::string text;
    for (std::size_t d = 0; d < axes.size(); ++d)
      text += fmt::format("{}{} = {:.10g}", d == 0 ? "" : ", ", axes[d].name, axes[d].values[static_cast<std::size_t>(at[d])]);
    for (const std::string& name : coordinate_names) {
      const FileVariable found = file->variable(name);
      if (found.extents == extents) text += fmt::format(", {} = {:.10g}", name, file->read(name, cell, 1).front());
    }
    return text;
  }
};

SampleReader::SampleReader(const Domain& domain, const std::filesystem::path& file, bool with_outputs)
    : implementation_(std::make_unique<Implementation>(domain, file, with_outputs)) {}

SampleReader::~SampleReader() = default;
SampleReader::SampleReader(SampleReader&&) noexcept = default;

std::int64_t SampleReader::cells() const noexcept { return implementation_->cells; }

std::vector<FileAxis> SampleReader::axes() const { return implementation_->axes; }

std::vector<FileAxis> SampleReader::grid_axes() const {
  return implementation_->blocks ? implementation_->blocks->grid_axes() : implementation_->axes;
}

std::optional<BlockShape> SampleReader::block_shape() const {
  if (!implementation_->blocks) return std::nullopt;
  return implementation_->blocks->shape();
}

bool SampleReader::has_split() const noexcept { return !implementation_->split.empty(); }

void SampleReader::require_split() const {
  if (!implementation_->split_failure.empty()) throw Error(Status::invalid_argument, implementation_->split_failure);
}

std::vector<FileAxis> SampleReader::element_axes() const { return implementation_->element_axes; }

const ElementCoordinates& SampleReader::element_coordinates() const noexcept {
  return implementation_->element_coordinates;
}

std::vector<FileCoordinate> SampleReader::coordinates() const {
  std::vector<FileCoordinate> result;
  for (const std::string& name : implementation_->coordinate_names)
    result.push_back(detail::file_coordinate(name, implementation_->axes, *implementation_->file));
  return result;
}

std::string SampleReader::describe(std::int64_t cell) const {
  if (cell < 0 || cell >= cells())
    throw Error(Status::out_of_range, fmt::format("cell {} of a file that has {}", cell, cells()));
  return implementation_->describe(cell);
}

std::string SampleReader::place(std::int64_t cell, const std::string& variable) const {
  const auto& self = *implementation_;
  if (self.series) return self.series->missing(cell);
  LAVOISIER_REQUIRE(self.table.has_value(), "cells have places in tables");
  for (const auto* const list : {&self.inputs, &self.outputs})
    for (const auto& field : *list)
      if (field.name == variable) return self.table->place(cell, field.parts.empty() ? 0 : field.parts.front().column);
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
  std::optional<detail::BlockReader::Piece> blocks;
  if (self.blocks) blocks.emplace(*self.blocks, first, count);
  self.fill(self.inputs, piece.inputs, first, count, piece.complete, piece.empty, blocks ? &*blocks : nullptr);
  self.fill(self.outputs, piece.outputs, first, count, piece.complete, piece.empty, blocks ? &*blocks : nullptr);
  self.leave_out(piece);
  if (self.series) self.series->judge(first, self.split, piece.complete, piece.empty);
  if (blocks) piece.masked = self.masks(*blocks, size);
  if (self.graphs) piece.masked = self.graphs->masked(first, count);
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
    const std::int64_t split_at = self.split_axis ? at[*self.split_axis] : first + i;
    if (!self.split.empty()) piece.subset[i] = self.split[static_cast<std::size_t>(split_at)];
    // A file without any field (coordinates alone) has no empty cells.
    if (piece.complete[i] != 0 || self.table || self.graphs) piece.empty[i] = 0;
    if (piece.complete[i] != 0 && std::binary_search(self.groupless.begin(), self.groupless.end(), first + i))
      throw Error(Status::non_finite,
                  fmt::format("\"{}\", row {} ({}): expected a number of \"{}\", by which the domain splits, found none",
                              self.path.string(), first + i, describe(first + i), self.split_variable));
  }
  return piece;
}

std::vector<double> SampleReader::weights(const std::vector<std::int64_t>& cells) const {
  const auto& self = *implementation_;
  if (self.weight_fields.size() < self.of.weights.size()) {
    std::vector<detail::WeightField> fields;
    for (const Weight& weight : self.of.weights)
      fields.emplace_back(self.of, weight, self.axes, self.file ? &*self.file : nullptr,
                          self.table ? &*self.table : nullptr);
    self.weight_fields = std::move(fields);
  }
  std::vector<double> result;
  for (const std::int64_t cell : cells) {
    const auto index = self.indices(cell);
    for (std::size_t w = 0; w < self.weight_fields.size(); ++w) {
      result.push_back(self.weight_fields[w].at(index));
      if (!std::isfinite(result.back()))
        throw Error(Status::non_finite, fmt::format("\"{}\", row {} ({}): the weight \"{}\" has no number there",
                                                    self.path.string(), cell, self.describe(cell), self.of.weights[w].name));
    }
  }
  return result;
}

std::vector<FileAxis> SampleReader::step_axes() const {
  std::vector<FileAxis> result;
  for (std::size_t d = 0; d < implementation_->axes.size(); ++d)
    if (!implementation_->numbers_columns[d]) result.push_back(implementation_->axes[d]);
  return result;
}

std::vector<double> SampleReader::step_values(const StepValue& value) const {
  const auto& self = *implementation_;
  LAVOISIER_REQUIRE(value.source.has_value() && self.file.has_value(), "a number of a step is read from a NetCDF file");
  std::vector<std::string> dimensions;
  for (const FileAxis& axis : step_axes()) dimensions.push_back(axis.name);
  std::vector<std::int64_t> strides;
  auto result = detail::read_over(self.of, "step value " + value.name, *value.source, dimensions, true, *self.file, strides);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!std::isfinite(result[i]))
      throw Error(Status::non_finite, fmt::format("\"{}\": \"{}\" has no number at step {}", self.path.string(),
                                                  value.source->variable, i));
  return result;
}

}  // namespace lavoisier
