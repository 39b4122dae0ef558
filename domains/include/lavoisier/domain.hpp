#ifndef LAVOISIER_DOMAIN_HPP
#define LAVOISIER_DOMAIN_HPP

#include <lavoisier/blocks.hpp>
#include <lavoisier/csv_reader.hpp>
#include <lavoisier/element_coordinates.hpp>
#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/price_table.hpp>
#include <lavoisier/sample_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/sample_split.hpp>
#include <lavoisier/units.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier {

/// What a domain with blocks makes of a field for a block, weighted by area over the cells that have a value.
enum class BlockQuantity {
  none,
  mean,      ///< of the block, or of each block of its neighbourhood (where it has none: the block's own)
  contrast,  ///< of the neighbourhood: mean minus the block's own
  spread,    ///< root of the mean square of the contrasts, but at least `least`
  weight,    ///< of each cell, or of each row of cells, in the block's mean
  valid      ///< share of the area with a value, of the block or of each block of its neighbourhood
};

/// How one input or output is got from a file.
enum class Transform { none, sine, cosine, logarithm, square_root };
struct Source {
  std::string variable;    ///< NetCDF variable or column of a table, or the axis' name if `axis`
  std::vector<std::string> magnitude;  ///< instead of `variable`: fields of which the root of the sum of squares is taken
  std::map<std::string, std::int64_t> at;  ///< of further dimensions of the field: the one index taken, from 0
  std::optional<Expression> value;     ///< instead: made of inputs before it, constants and array constants
  std::optional<Expression> of_outputs;  ///< of images: made of outputs and constants where the file is one of images
  UnitConversion value_conversion;     ///< from the units of `value` or `of_outputs` to the variable's
  BlockQuantity block = BlockQuantity::none;
  double least = 0.0;      ///< of a spread, in `units`
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
  /// It numbers the file's indices, or, of a sample dimension, the cells of a block or the blocks of a neighbourhood.
  enum class Numbers { indices, block, neighbours } numbers = Numbers::indices;
};

/// Of a domain whose samples are blocks of cells of the last two sample dimensions.
struct Blocks {
  std::string y, x;                          ///< dimensions of the layout: the cells of a block
  std::string near_y, near_x;                ///< the blocks of a neighbourhood; empty: none
  std::int64_t factor_y = 1, factor_x = 1;   ///< their extents
  std::int64_t halo_y = 0, halo_x = 0;       ///< blocks on each side
};

/// Of a domain whose samples are graphs of different sizes, which a NetCDF file holds as contiguous ragged arrays: the
/// values of all graphs one after another, and offsets that say where each begins. The layout has them at their capacity
/// (docs/generators-graphs.md, "The exported model"): its first input is `count`, its last ones are `from` and `to`.
/// What a graph does not have is 0, of an index or category -1.
struct Graphs {
  std::string node, edge;                  ///< dimensions of the layout; their extents are the most that a graph may have
  std::string node_offsets, edge_offsets;  ///< the file's variables: graphs + 1 numbers, the first 0
  std::string from_source, to_source;      ///< the file's variables: of each edge the node where it begins and ends, from 0 in
                                           ///< its own graph
  std::vector<std::string> categories;     ///< inputs over the nodes that are whole numbers from 0
  std::string count() const { return node + "_count"; }  ///< input: nodes that are there
  std::string from() const { return edge + "_from"; }    ///< inputs over the edges
  std::string to() const { return edge + "_to"; }
};

/// A constant with a number for each element of dimensions (the thickness of layers). `value` of inputs may use it; it is
/// no part of a model file.
struct ArrayConstant {
  std::string name, units;
  std::vector<std::string> dimensions;
  std::vector<double> values;  ///< row-major
};

/// A number a sample that no network sees: what sums over all columns weigh with. The area of a cell of the unit sphere
/// between its axes' bounds, or a variable of the file.
struct Weight {
  std::string name;
  std::string latitude, longitude;  ///< sample dimensions; without a longitude cells go all the way round
  Source source;                    ///< without a latitude: over some of the sample dimensions, in their order
};

/// A number a step that a law over all columns needs and no output is (an observed global mean).
struct StepValue {
  std::string name;
  std::optional<Source> source;    ///< of the file, over the sample dimensions that number steps
  std::optional<Law> reference;    ///< what the reference's own outputs make of it: the sum of terms - right-hand side
  UnitConversion conversion;       ///< of that, to the value's units
};

/// A law over all columns of each step (LawScope::global).
struct GlobalLaw {
  Law law;
  bool on_request = false;               ///< generated data obey it only where that is asked for
  std::vector<std::string> step_values;  ///< that it names
};

/// Samples that are images: ImageReader's formats. Pixels are numbers from 0 to 1.
struct ImageOptions {
  bool dequantise = false;  ///< (byte + u) / 256, u uniform in [0, 1) and keyed by image and pixel; else byte / 255
};

/// A domain file as read and checked: layout, laws, constants, where values come from, and how they are split.
struct Domain {
  std::string name, title, description, reference;
  std::filesystem::path file;
  StateLayout layout;
  std::vector<Constant> constants;
  std::vector<ArrayConstant> array_constants;
  std::vector<Law> laws;                             ///< local ones
  std::vector<GlobalLaw> global_laws;
  std::vector<Weight> weights;                       ///< these and the step values are diagnostics of the layout
  std::vector<StepValue> step_values;
  std::map<std::string, Source> sources;             ///< by name of an input or output
  std::map<std::string, FileDimension> file_dimensions;  ///< by dimension of the layout
  std::map<std::string, std::string> source_units;   ///< literal spelling in files -> units
  std::vector<std::string> sample_dimensions;        ///< file dimensions that make samples, slowest first (time, y, x)
  std::vector<std::string> column_dimensions;        ///< those that number columns; the rest number steps
  std::vector<std::string> coordinates;  ///< the file's names of auxiliary coordinates of the samples
  std::vector<std::string> empty;  ///< a cell where all of these inputs are missing is no sample (land); none listed:
                                   ///< where every field that is asked for is missing
  std::map<std::string, std::pair<double, double>> within;  ///< a cell where one of these inputs or coordinates of sample
                                                            ///< dimensions is outside [low, high) is no sample
  std::vector<std::string> unseen;  ///< inputs that laws alone read
  std::optional<Blocks> blocks;     ///< samples are blocks of cells
  std::optional<CsvOptions> table;  ///< samples are the rows of a CSV file; then both lists of dimensions are {"sample"}
  std::optional<SeriesOptions> series;  ///< samples are dates of a table of prices, and `table` is how that is read
  std::optional<ImageOptions> images;  ///< samples are images; then both lists of dimensions are {"image"}
  std::optional<Graphs> graphs;     ///< samples are graphs; then both lists of dimensions have one name
  std::optional<Split> split;
  /// Whether a sample is a row of its file, a table's, an image or a graph: columns count on from file to file.
  bool by_rows() const { return table || images || graphs; }
  std::vector<std::string> notes;                    ///< conversions done inside laws, for people
  std::string digest;                                ///< SHA-256 of the domain file
};

/// Local and global ones, as a model file carries them.
std::vector<Law> all_laws(const Domain& domain);

/// Replaces a domain's split, after the checks of one that stands in its file: Error(unsupported), with `origin`, says why the
/// samples can't be split so.
void use_split(Domain& domain, Split split, const std::string& origin);

/// By name of a shipped domain or by path of a .toml file (anything that ends in .toml or holds a slash). Checks units with UDUNITS, linearity, names; every error
/// gives file, line and column. Errors: not_found (shipped names listed, nearest named), invalid_format, unit_mismatch,
/// inconsistent_laws.
Domain load_domain(const std::string& name_or_file);
/// The same from text; `origin` is the file name in messages.
Domain parse_domain(const std::string& text, const std::string& origin);
std::vector<std::string> shipped_domains();
/// The text of a domain file, protocol or list of rows: a regular file of at most `most` bytes, else
/// Error(invalid_format). Errors besides: those of read_file.
std::string read_toml_file(const std::filesystem::path& path, std::uintmax_t most);

/// Reads samples of one file in pieces: NetCDF, or a CSV table or images where the domain says so; inputs of a domain of
/// images from a table or NetCDF too. A sample is one cell of the
/// domain's sample dimensions (one row of a table, one graph); cell index is flat, row-major over them. Units are converted to the layout's; a spelling that neither UDUNITS nor `source_units` knows
/// is Error(unit_mismatch) naming variable, spelling and what was expected.
class SampleReader {
 public:
  SampleReader(const Domain& domain, const std::filesystem::path& file, bool with_outputs);
  ~SampleReader();
  SampleReader(SampleReader&&) noexcept;

  std::int64_t cells() const noexcept;
  std::vector<FileAxis> axes() const;               ///< of the sample dimensions, as in the file; of blocks: their own
  /// Of a domain with blocks: the file's grid, whose last two axes the blocks divide, and how; else axes() and nothing.
  std::vector<FileAxis> grid_axes() const;
  std::optional<BlockShape> block_shape() const;
  /// Of the dimensions that outputs have, in the layout's order and by its names: the part of the file's axis that is
  /// theirs; indices from 0 where the file has none.
  std::vector<FileAxis> element_axes() const;
  /// Of every dimension of the layout, inputs' own too, for which the file has a coordinate variable, with units as
  /// `source_units` reads them. Error(non_finite) at construction for one without a number.
  const ElementCoordinates& element_coordinates() const noexcept;
  /// Whether cells have subsets: where the domain has a split, but not for inputs alone from a file without the variable
  /// that a split by groups goes by.
  bool has_split() const noexcept;
  /// Error(invalid_argument) where the file's samples can't be split as the domain says (a category that no permutation
  /// brings into training); has_split() is false then.
  void require_split() const;
  /// Those of the domain's that the file has. Error(shape_mismatch) for one that has other dimensions than the samples.
  std::vector<FileCoordinate> coordinates() const;
  std::string describe(std::int64_t cell) const;    ///< its coordinates, for messages: "TIME = 366, ESKUY = -78, ...";
                                                    ///< of a table: "sample 15, line 17"; "image 15"; "sample 15, 2001-04-01"
  /// Of a table, "file:line:column" of a variable's cell; of a series, where the first price that the date lacks would be, whatever
  /// the variable, and which it is (empty: it lacks none).
  std::string place(std::int64_t cell, const std::string& variable) const;

  struct Piece {
    std::int64_t first = 0;                         ///< first cell
    std::vector<double> inputs, outputs;            ///< cells x elements; NaN where the file has none
    std::vector<std::uint8_t> complete;             ///< one a cell: no NaN among what was asked for
    std::vector<std::uint8_t> empty;                ///< one a cell: all fields missing (land), not an error
    std::vector<std::uint64_t> column, step;
    std::vector<Subset> subset;                     ///< if has_split()
    /// Cells x output elements. Of blocks: 1 where the grid's cell has no value; there `outputs` are the block's mean, which
    /// no law weighs. Of graphs: 1 behind a graph's nodes, where `outputs` are 0.
    std::vector<std::uint8_t> masked;
  };
  Piece read(std::int64_t first, std::int64_t count) const;

  /// Of the domain's weights at these cells: cells x weights. Read at the first call. Errors: those of reading and of cell
  /// areas (cell_area.hpp); shape_mismatch; non_finite, naming a cell that has none.
  std::vector<double> weights(const std::vector<std::int64_t>& cells) const;
  /// Of the sample dimensions that number steps; steps count row-major over them.
  std::vector<FileAxis> step_axes() const;
  /// One a step, of a step value with a source. Errors: those of reading; shape_mismatch, non_finite.
  std::vector<double> step_values(const StepValue& value) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Of a domain whose samples are dates: the prices of its assets, one an output in their order. Errors: those of PriceTable.
PriceTable load_prices(const Domain& domain, const std::filesystem::path& file);
/// Of such a domain: weights, one an output, as equal as its laws allow.
std::vector<double> equal_weights(const Domain& domain);

struct LoadOptions {
  bool with_outputs = true;
  bool drop_incomplete = false;  ///< else a cell with some values and some NaN is Error(non_finite), naming it
};
/// What load_samples found, for people.
struct LoadReport {
  std::int64_t cells = 0, empty = 0, incomplete = 0;  ///< incomplete ones were dropped
  ElementCoordinates coordinates;  ///< of the files' levels, the same in all: what a model made of them may carry
};
/// All complete samples of the files, in file and cell order. Empty cells (land) are skipped. Steps count on from file to
/// file; all files must have the same column dimensions (shape_mismatch) and levels (as require_same says). Of tables and images, columns count on instead and all
/// steps are 0; each file is split by itself.
SampleSet load_samples(const Domain& domain, const std::vector<std::filesystem::path>& files,
                       const LoadOptions& options = {}, LoadReport* report = nullptr);
/// The same samples in a scratch file in `folder`: some of them are in memory at a time, about 1 MiB. Needs outputs.
SampleFile load_sample_file(const Domain& domain, const std::vector<std::filesystem::path>& files,
                            const std::filesystem::path& folder, const LoadOptions& options = {},
                            LoadReport* report = nullptr);

}  // namespace lavoisier

#endif
