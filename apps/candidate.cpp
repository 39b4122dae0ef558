#include "candidate.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <netcdf.h>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {
namespace {

constexpr std::size_t files_kept_open = 200;

bool is_float(const std::filesystem::path& path, const std::string& variable) {
  int file = 0, id = 0;
  nc_type type = NC_NAT;
  if (nc_open(path.c_str(), NC_NOWRITE, &file) != NC_NOERR) return false;
  const bool found = nc_inq_varid(file, variable.c_str(), &id) == NC_NOERR && nc_inq_vartype(file, id, &type) == NC_NOERR;
  nc_close(file);
  return found && type == NC_FLOAT;
}

bool means(const std::string& spelling, const Variable& variable, const Domain& domain) {
  if (spelling == variable.units) return true;
  const auto& accepted = variable.accepted_units;
  if (std::find(accepted.begin(), accepted.end(), spelling) != accepted.end()) return true;
  const auto found = domain.source_units.find(spelling);
  return found != domain.source_units.end() && found->second == variable.units;
}

/// A member that is there twice would count twice.
void require_once(const std::vector<std::filesystem::path>& files) {
  std::map<std::filesystem::path, std::filesystem::path> seen;  // by what a path leads to
  for (const auto& file : files) {
    const auto [first, fresh] = seen.emplace(std::filesystem::canonical(file), file);
    if (!fresh)
      throw Error(Status::invalid_argument,
                  fmt::format("{} is given twice{}: each file is one member", file.string(),
                              first->second == file ? "" : fmt::format(" (as {} too)", first->second.string())));
  }
}

}  // namespace

std::vector<std::filesystem::path> expand(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::exists(path)) throw Error(Status::not_found, fmt::format("no file or folder {}", path.string()));
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::filesystem::path> found, tables;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".nc") found.push_back(entry.path());
      if (entry.is_regular_file() && is_csv(entry.path())) tables.push_back(entry.path());
    }
    if (found.empty()) found = tables;
    if (found.empty()) throw Error(Status::not_found, fmt::format("no *.nc or *.csv file in folder {}", path.string()));
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Candidate::Candidate(const NamedPaths& paths, const Domain& domain, const std::vector<FileAxis>& axes,
                     const ElementCoordinates& levels, const std::optional<BlockShape>& shape)
    : name_(paths.name), files_(expand(paths.paths)), shape_(shape) {
  require_once(files_);
  if (is_csv(files_.front())) {
    open_tables(domain, axes);
    return;
  }
  const NetcdfReader first(files_.front());
  for (const Variable& v : domain.layout.with_role(Role::output)) {
    // Members carry the layout's names; a file of the reference's kind may carry the source's.
    Field field{v.name, {}, domain.layout.elements(v), domain.layout.offset(v.name)};
    const auto source = domain.sources.find(v.name);
    if (!first.has_variable(field.name) && source != domain.sources.end() && first.has_variable(source->second.variable)) {
      field.name = source->second.variable;
    }
    fields_.push_back(std::move(field));
  }
  attributes_ = first.global_attributes();
  stored_as_float_ = is_float(files_.front(), fields_.front().name);
  for (const auto& file : files_) {
    NetcdfReader opened(file);
    check(opened, domain, axes, levels);
    const auto attributes = opened.global_attributes();
    const auto digest = attributes.find("lavoisier_model_sha256");
    if ((digest == attributes.end() ? std::string() : digest->second) != attribute("lavoisier_model_sha256")) {
      throw Error(Status::invalid_argument, fmt::format("{} comes from another model than {}: one candidate is one ensemble",
                                                        file.string(), files_.front().string()));
    }
    if (files_.size() <= files_kept_open) open_.push_back(std::move(opened));
  }
}

void Candidate::open_tables(const Domain& domain, const std::vector<FileAxis>& axes) {
  if (!domain.table) {
    throw Error(Status::unsupported,
                fmt::format("{}: domain '{}' is on a grid: its members are NetCDF files", files_.front().string(), domain.name));
  }
  const std::vector<std::filesystem::path> paths = std::move(files_);
  files_.clear();
  for (const auto& path : paths) {
    tables_.emplace_back(path, domain, static_cast<std::int64_t>(axes.front().values.size()));
    const CsvEnsemble& table = tables_.back();
    for (std::int64_t member = 0; member < table.members(); ++member) {
      table_members_.push_back({tables_.size() - 1, member});
      files_.push_back(path);
    }
    if (tables_.size() == 1) {
      attributes_ = table.attributes();
      stored_as_float_ = table.stored_as_float();
      continue;
    }
    const auto digest = table.attributes().find("lavoisier_model_sha256");
    if ((digest == table.attributes().end() ? std::string() : digest->second) != attribute("lavoisier_model_sha256")) {
      throw Error(Status::invalid_argument, fmt::format("{} comes from another model than {}: one candidate is one ensemble",
                                                        path.string(), files_.front().string()));
    }
  }
}

void Candidate::check(const NetcdfReader& reader, const Domain& domain, const std::vector<FileAxis>& axes,
                      const ElementCoordinates& levels) {
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const FileVariable v = reader.variable(fields_[i].name);
    if (!means(v.units, outputs[i], domain)) {
      throw Error(Status::unit_mismatch, fmt::format("{}: '{}' is in '{}', expected '{}'", reader.path().string(), v.name,
                                                     v.units, outputs[i].units));
    }
    std::vector<FieldAxis> found = field_axes(v, outputs[i], domain, axes, reader.path().string());
    const bool same = std::equal(found.begin(), found.end(), fields_[i].axes.begin(), fields_[i].axes.end(),
                                 [](const FieldAxis& a, const FieldAxis& b) { return a.first == b.first; });
    if (!fields_[i].axes.empty() && !same) {
      throw Error(Status::shape_mismatch, fmt::format("{}: '{}' has other dimensions than in {}", reader.path().string(),
                                                      v.name, files_.front().string()));
    }
    fields_[i].axes = std::move(found);
  }
  if (!shape_) check_levels(reader, domain, axes.size(), levels);
  const FileVariable v = reader.variable(fields_.front().name);
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const FileAxis axis = reader.axis(v.dimensions[d]);
    for (std::size_t k = 0; k < axis.values.size(); ++k) {
      const double scale = std::max(1.0, std::abs(axes[d].values[k]));
      if (std::abs(axis.values[k] - axes[d].values[k]) > 1e-9 * scale) {
        throw Error(Status::shape_mismatch,
                    fmt::format("{}: axis '{}' has {} at place {}, the reference has {}", reader.path().string(), axis.name,
                                axis.values[k], k + 1, axes[d].values[k]));
      }
    }
  }
}

void Candidate::check_levels(const NetcdfReader& reader, const Domain& domain, std::size_t grid_axes,
                             const ElementCoordinates& levels) const {
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  ElementCoordinates found;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const FileVariable v = reader.variable(fields_[i].name);
    for (std::size_t d = 0; d < outputs[i].dimensions.size(); ++d) {
      const FileAxis axis = reader.axis(v.dimensions[grid_axes + d]);
      if (axis.counted) continue;
      const FieldAxis& part = fields_[i].axes[grid_axes + d];
      const auto begin = axis.values.begin() + static_cast<std::ptrdiff_t>(part.first);
      const auto spelt = domain.source_units.find(axis.units);
      found.push_back({outputs[i].dimensions[d], spelt == domain.source_units.end() ? axis.units : spelt->second,
                       {begin, begin + static_cast<std::ptrdiff_t>(part.count)},
                       fmt::format("\"{}\"", reader.path().string())});
    }
  }
  require_same(levels, found);
}

std::vector<FieldAxis> Candidate::field_axes(const FileVariable& found, const Variable& output, const Domain& domain,
                                             const std::vector<FileAxis>& axes, const std::string& file) const {
  std::vector<FieldAxis> result(axes.size());
  const std::vector<std::string> own = shape_ ? std::vector<std::string>() : output.dimensions;
  std::vector<std::int64_t> expected;
  for (const FileAxis& axis : axes) expected.push_back(static_cast<std::int64_t>(axis.values.size()));
  std::int64_t stride = domain.layout.elements(output);
  bool fits = found.extents.size() == axes.size() + own.size();
  for (const std::string& name : own) {
    const std::int64_t extent = domain.layout.dimension(name).extent;
    stride /= extent;
    expected.push_back(extent);
    const std::size_t at = expected.size() - 1;
    FieldAxis axis{FieldAxis::Kind::element, 0, extent, stride};
    // A part of the reference's own dimension.
    const FileDimension& whole = domain.file_dimensions.at(name);
    if (fits && whole.part && found.dimensions[at] == whole.name && found.extents[at] >= whole.first + extent) {
      axis.first = whole.first;
      expected.back() = found.extents[at];
    }
    result.push_back(axis);
  }
  if (!fits || found.extents != expected) {
    throw Error(Status::shape_mismatch, fmt::format("{}: '{}' is {}, expected {}", file, found.name,
                                                    fmt::join(found.extents, " x "), fmt::join(expected, " x ")));
  }
  return result;
}

std::string Candidate::attribute(const std::string& key) const {
  const auto found = attributes_.find(key);
  return found == attributes_.end() ? std::string() : found->second;
}

NetcdfReader& Candidate::reader(std::int64_t member) const {
  if (files_.size() <= files_kept_open) return open_[static_cast<std::size_t>(member)];
  if (open_member_ != member) {
    open_.clear();
    open_.emplace_back(files_[static_cast<std::size_t>(member)]);
    open_member_ = member;
  }
  return open_.front();
}

void Candidate::read(std::int64_t member, std::int64_t first, std::int64_t count, double* values) const {
  if (!tables_.empty()) {
    const TableMember& place = table_members_[static_cast<std::size_t>(member)];
    tables_[place.table].read(place.member, first, count, values);
    return;
  }
  const NetcdfReader& file = reader(member);
  std::int64_t n = 0;
  for (const Field& field : fields_) n += field.elements;
  for (const Field& field : fields_) {
    const std::vector<double> read = shape_ ? read_blocks(file, field.name, field.axes, *shape_, first, count)
                                            : file.read_cells(field.name, field.axes, first, count);
    for (std::int64_t c = 0; c < count; ++c) {
      std::copy_n(&read[static_cast<std::size_t>(c * field.elements)], field.elements, values + c * n + field.offset);
    }
  }
}

}  // namespace lavoisier::cli
