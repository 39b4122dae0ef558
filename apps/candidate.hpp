#ifndef LAVOISIER_APPS_CANDIDATE_HPP
#define LAVOISIER_APPS_CANDIDATE_HPP

#include "csv_ensemble.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/netcdf_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// "NAME=PATH" or "PATH": a named candidate of `validate`.
struct NamedPaths {
  std::string name;
  std::vector<std::filesystem::path> paths;
};

/// An ensemble of output fields on a grid, one member a file (of tables also CSV files); read in pieces of cells over all members.
/// A field lies over the grid's dimensions, then the output's own; a file of the reference's kind may hold more of these
/// than the domain reads.
/// Every file is checked when opened: the domain's outputs, their units (the layout's, an accepted spelling or one of
/// `source_units`), the grid's extents and coordinates, the outputs' own coordinates (`levels`: the reference's), one model
/// behind all members.
/// Errors: not_found (a path, no member in a folder, a variable), unit_mismatch, shape_mismatch, out_of_range (levels),
/// invalid_argument (mixed models, a file given twice).
class Candidate {
 public:
  /// `axes`: of the grid that fields lie over; `shape`: of its blocks, where these are the domain's cells.
  Candidate(const NamedPaths& paths, const Domain& domain, const std::vector<FileAxis>& axes,
            const ElementCoordinates& levels, const std::optional<BlockShape>& shape = {});

  const std::string& name() const noexcept { return name_; }
  std::int64_t members() const noexcept { return static_cast<std::int64_t>(files_.size()); }
  const std::filesystem::path& file(std::int64_t member) const { return files_[static_cast<std::size_t>(member)]; }
  bool stored_as_float() const noexcept { return stored_as_float_; }
  /// Global attributes of the first member.
  const std::map<std::string, std::string>& attributes() const noexcept { return attributes_; }
  std::string attribute(const std::string& key) const;

  /// Values of a member for cells first .. first+count-1: count x output elements.
  void read(std::int64_t member, std::int64_t first, std::int64_t count, double* values) const;

 private:
  /// One output in the files.
  struct Field {
    std::string name;
    std::vector<FieldAxis> axes;
    std::int64_t elements = 1, offset = 0;  ///< of a cell; among the outputs
  };

  NetcdfReader& reader(std::int64_t member) const;
  std::vector<FieldAxis> field_axes(const FileVariable& found, const Variable& output, const Domain& domain,
                                    const std::vector<FileAxis>& axes, const std::string& file) const;
  void open_tables(const Domain& domain, const std::vector<FileAxis>& axes);
  void check(const NetcdfReader& reader, const Domain& domain, const std::vector<FileAxis>& axes,
             const ElementCoordinates& levels);
  void check_levels(const NetcdfReader& reader, const Domain& domain, std::size_t grid_axes,
                    const ElementCoordinates& levels) const;

  std::string name_;
  std::vector<std::filesystem::path> files_;
  std::vector<Field> fields_;
  std::optional<BlockShape> shape_;
  bool stored_as_float_ = false;
  std::map<std::string, std::string> attributes_;
  mutable std::vector<NetcdfReader> open_;   // kept open while there are few
  mutable std::int64_t open_member_ = -1;
  struct TableMember {
    std::size_t table;
    std::int64_t member;
  };
  std::vector<CsvEnsemble> tables_;
  std::vector<TableMember> table_members_;       // one an entry of files_
};

/// Files as given; folders as their *.nc (else *.csv), sorted by name.
std::vector<std::filesystem::path> expand(const std::vector<std::filesystem::path>& paths);

}  // namespace lavoisier::cli

#endif
