#ifndef LAVOISIER_ENSEMBLE_WRITER_HPP
#define LAVOISIER_ENSEMBLE_WRITER_HPP

#include <lavoisier/netcdf_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

enum class Storage { f32, f64 };

struct EnsembleField {
  std::string name, units, standard_name, long_name;
  std::vector<std::string> dimensions = {};  ///< of its own, after the grid's: names of element axes
};

struct EnsembleOptions {
  std::filesystem::path folder;     ///< made if missing
  std::string stem = "member";      ///< files <stem>_0001.nc, ...
  std::vector<FileAxis> axes;       ///< the grid, slowest first, from the input file
  std::vector<FileAxis> element_axes;         ///< of dimensions that fields have beside the grid's; values
                                              ///< that are `counted` are not written
  std::vector<FileCoordinate> coordinates;    ///< over the grid's axes
  std::vector<EnsembleField> fields;  ///< all over all axes of the grid
  Storage storage = Storage::f64;
  int compression = 0;              ///< deflate level, 0 none
  std::map<std::string, std::string> global_attributes;  ///< title, source, history, ... (`Conventions` is ours)
};

/// Writes CF NetCDF-4, one member a file, streamed: values of a file are given in flat grid order, in pieces of any
/// size; cells never given hold _FillValue. A file appears under its name only when complete (close()), synced; on
/// failure or destruction before close() the temporary is removed. Free space is checked before a file is begun.
/// Errors: invalid_argument, io_error (path and reason), no_space (needed, found, where).
class EnsembleWriter {
 public:
  explicit EnsembleWriter(EnsembleOptions options);
  ~EnsembleWriter();
  EnsembleWriter(const EnsembleWriter&) = delete;
  EnsembleWriter& operator=(const EnsembleWriter&) = delete;

  /// Begins member `number` (1-based in the file name; `realization` coordinate written as a scalar variable).
  void open(std::int64_t number);
  /// Values of one field for cells from `first` of the flat grid, all elements of a cell together; NaN becomes _FillValue.
  void write(const std::string& field, std::int64_t first, std::span<const double> values);
  /// A further global attribute of the file in progress: what is known behind its values.
  void attribute(const std::string& name, const std::string& text);
  /// Completes the file; returns its final path.
  std::filesystem::path close();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// After a failed HDF5 write its exit handlers can crash: true means that the process should flush and _exit.
bool hdf5_write_failed() noexcept;

}  // namespace lavoisier

#endif
