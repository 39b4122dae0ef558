#ifndef LAVOISIER_DOMAIN_HPP
#define LAVOISIER_DOMAIN_HPP

#include <lavoisier/csv_reader.hpp>
#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/sample_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/units.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier {

/// How one input or output is got from a file.
enum class Transform { none, sine, cosine, logarithm, square_root };
struct Source {
  std::string variable;    ///< NetCDF variable or column of a table, or the axis' name if `axis`
  std::vector<std::string> magnitude;  ///< instead of `variable`: fields of which the root of the sum of squares is taken
  std::map<std::string, std::int64_t> at;  ///< of further dimensions of the field: the one index taken, from 0
  std::optional<Expression> value;     ///< instead: made of inputs before it, constants and array constants
  std::optional<Expression> of_outputs;  ///< of images: made of outputs and constants where the file is one of images
  UnitConversion value_conversion;     ///< from the units of `value` or `of_outputs` to the variable's
  bool axis = false;       ///< a coordinate value instead of a field
  bool index = false;      ///< the index along the axis (0, 1, ...) instead of its value
  Transform transform = Transform::none;
  double period = 0.0;     ///< of the argument, in its units: sine(2 pi value / period); 360 for degrees
  std::string units;       ///< what the file's spelling must convert to: of the variable, of the argument of a transform;
                           ///< empty for an index
  std::string file_units;  ///< of a table's column, where they are not `units`: a table names none
  std::map<std::string, std::string> source_units;  ///< this variable's own spellings; they come before the domain's
  bool is_field() const { return !axis && !value; }
};

/// Where a dimension of the layout lies in a file: `extent` indices of the file's dimension from `first`.
struct FileDimension {
  std::string name;        ///< in the file
  std::int64_t first = 0;  ///< from 0
  bool part = false;       ///< the file's dimension may be longer
};

/// A constant with a number for each element of dimensions (the thickness of layers). `value` of inputs may use it; it is
/// no part of a model file.
struct ArrayConstant {
  std::string name, units;
  std::vector<std::string> dimensions;
  std::vector<double> values;  ///< row-major
};

/// Samples that are images: ImageReader's formats. Pixels are numbers from 0 to 1.
struct ImageOptions {
  bool dequantise = false;  ///< (byte + u) / 256, u uniform in [0, 1) and keyed by image and pixel; else byte / 255
};

/// Which samples are for training, validation and test.
struct Split {
  enum class Kind {
    block,       ///< by a coordinate: block = floor(coordinate / width) mod modulus; blocks that are not listed: training
    sequential,  ///< by rows in file order: training, then validation, then test
    random,      ///< by rows: a permutation drawn by `seed` and the number of rows alone
    indices,     ///< by rows, from 0, as listed; rows that are not listed: training
    groups,      ///< by a variable of the file: its distinct values are numbered from 0, ascending; number mod modulus
    files        ///< by the names of files: all of one for test, or a share at random for validation, the rest for training
  };
  Kind kind = Kind::block;
  std::string axis;
  std::string variable;                           ///< groups: of the file
  double width = 1.0;
  int modulus = 1;
  std::vector<int> test, validation;              ///< numbers of blocks or groups, mod modulus
  double test_share = 0.0, validation_share = 0.0;  ///< sequential, random: of the rows, rounded down; the rest: training
  std::uint64_t seed = 0;
  std::vector<std::int64_t> test_rows, validation_rows;
  std::vector<std::string> test_files;            ///< files: one whose name (without folders) has one of these in it
};

/// The subsets of `rows` rows by a split that counts rows. Error(out_of_range) names a listed row that is not
/// there.
std::vector<Subset> subsets_of_rows(const Split& split, std::int64_t rows);
/// By a split of the kind files: of `rows` rows of the file or folder `path`.
std::vector<Subset> subsets_of_file(const Split& split, const std::filesystem::path& path, std::int64_t rows);
/// Of one block or group by its number.
Subset subset_of_number(const Split& split, double number);
/// One line for people.
std::string describe(const Split& split);
/// The table [split] of a TOML text (a protocol's), none where it has none. `sample_dimensions`: the domain's, which a
/// split must fit. Errors name `origin`, line and column; `origin` is also where a split's `file` is looked for beside.
std::optional<Split> read_split(const std::string& text, const std::string& origin,
                                const std::vector<std::string>& sample_dimensions);

/// A domain file as read and checked: layout, laws, constants, where values come from, and how they are split.
struct Domain {
  std::string name, title, description, reference;
  std::filesystem::path file;
  StateLayout layout;
  std::vector<Constant> constants;
  std::vector<ArrayConstant> array_constants;
  std::vector<Law> laws;
  std::map<std::string, Source> sources;             ///< by variable name
  std::map<std::string, FileDimension> file_dimensions;  ///< by dimension of the layout
  std::map<std::string, std::string> source_units;   ///< literal spelling in files -> units
  std::vector<std::string> sample_dimensions;        ///< file dimensions that make samples, slowest first (time, y, x)
  std::vector<std::string> column_dimensions;        ///< those that number columns; the rest number steps
  std::vector<std::string> coordinates;  ///< the file's names of auxiliary coordinates of the samples
  std::vector<std::string> empty;  ///< a cell where all of these inputs are missing is no sample (land); none listed:
                                   ///< where every field that is asked for is missing
  std::optional<CsvOptions> table;  ///< samples are the rows of a CSV file; then both lists of dimensions are {"sample"}
  std::optional<ImageOptions> images;  ///< samples are images; then both lists of dimensions are {"image"}
  std::optional<Split> split;
  /// Whether a sample is a row of its file, a table's or an image: columns count on from file to file.
  bool by_rows() const { return table || images; }
  std::vector<std::string> notes;                    ///< conversions done inside laws, for people
  std::string digest;                                ///< SHA-256 of the domain file
};

/// By name of a shipped domain or by path of a .toml file (anything that ends in .toml or holds a slash). Checks units with UDUNITS, linearity, names; every error
/// gives file, line and column. Errors: not_found (shipped names listed, nearest named), invalid_format, unit_mismatch,
/// inconsistent_laws.
Domain load_domain(const std::string& name_or_file);
/// The same from text; `origin` is the file name in messages.
Domain parse_domain(const std::string& text, const std::string& origin);
std::vector<std::string> shipped_domains();

/// Reads samples of one file in pieces: NetCDF, or a CSV table or images where the domain says so; inputs of a domain of
/// images from a table or NetCDF too. A sample is one cell of the
/// domain's sample dimensions (one row of a table); cell index is flat, row-major over them. Units are converted to the layout's; a spelling that neither UDUNITS nor `source_units` knows
/// is Error(unit_mismatch) naming variable, spelling and what was expected.
class SampleReader {
 public:
  SampleReader(const Domain& domain, const std::filesystem::path& file, bool with_outputs);
  ~SampleReader();
  SampleReader(SampleReader&&) noexcept;

  std::int64_t cells() const noexcept;
  std::vector<FileAxis> axes() const;               ///< of the sample dimensions, as in the file
  /// Of the dimensions that outputs have, in the layout's order and by its names: the part of the file's axis that is
  /// theirs; indices from 0 where the file has none.
  std::vector<FileAxis> element_axes() const;
  /// Whether cells have subsets: where the domain has a split, but not for inputs alone from a file without the variable
  /// that a split by groups goes by.
  bool has_split() const noexcept;
  /// Those of the domain's that the file has. Error(shape_mismatch) for one that has other dimensions than the samples.
  std::vector<FileCoordinate> coordinates() const;
  std::string describe(std::int64_t cell) const;    ///< its coordinates, for messages: "TIME = 366, ESKUY = -78, ...";
                                                    ///< of a table: "sample 15, line 17"; "image 15"
  /// Of a table, "file:line:column" of a variable's cell.
  std::string place(std::int64_t cell, const std::string& variable) const;

  struct Piece {
    std::int64_t first = 0;                         ///< first cell
    std::vector<double> inputs, outputs;            ///< cells x elements; NaN where the file has none
    std::vector<std::uint8_t> complete;             ///< one a cell: no NaN among what was asked for
    std::vector<std::uint8_t> empty;                ///< one a cell: all fields missing (land), not an error
    std::vector<std::uint64_t> column, step;
    std::vector<Subset> subset;                     ///< if has_split()
  };
  Piece read(std::int64_t first, std::int64_t count) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

struct LoadOptions {
  bool with_outputs = true;
  bool drop_incomplete = false;  ///< else a cell with some values and some NaN is Error(non_finite), naming it
};
/// What load_samples found, for people.
struct LoadReport {
  std::int64_t cells = 0, empty = 0, incomplete = 0;  ///< incomplete ones were dropped
};
/// All complete samples of the files, in file and cell order. Empty cells (land) are skipped. Steps count on from file to
/// file; all files must have the same column dimensions (shape_mismatch). Of tables and images, columns count on instead and all
/// steps are 0; each file is split by itself.
SampleSet load_samples(const Domain& domain, const std::vector<std::filesystem::path>& files,
                       const LoadOptions& options = {}, LoadReport* report = nullptr);
/// The same samples in a scratch file in `folder`: some of them are in memory at a time, about 1 MiB. Needs outputs.
SampleFile load_sample_file(const Domain& domain, const std::vector<std::filesystem::path>& files,
                            const std::filesystem::path& folder, const LoadOptions& options = {},
                            LoadReport* report = nullptr);

}  // namespace lavoisier

#endif
