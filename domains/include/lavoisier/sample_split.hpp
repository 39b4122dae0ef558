#ifndef LAVOISIER_SAMPLE_SPLIT_HPP
#define LAVOISIER_SAMPLE_SPLIT_HPP

#include <lavoisier/sample_set.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier {

/// Intervals of sample dimensions, [low, high), by name; the others are taken whole.
using Box = std::map<std::string, std::pair<double, double>>;

/// Which samples are for training, validation and test.
struct Split {
  enum class Kind {
    block,       ///< by a coordinate: block = floor(coordinate / width) mod modulus; blocks that are not listed: training
    sequential,  ///< by rows in file order: training, then validation, then test
    random,      ///< by rows: a permutation drawn by `seed` and the number of rows alone
    indices,     ///< by rows, from 0, as listed; rows that are not listed: training
    groups,      ///< by a variable of the file: its distinct values are numbered from 0, ascending; number mod modulus
    boxes,       ///< by regions of the samples' coordinates; test where test and validation overlap; the rest: training
    files,       ///< by the names of files: all of one for test, or a share at random for validation, the rest for training
    dates        ///< of a series: training, from a date on validation, from a later one on test
  };
  Kind kind = Kind::block;
  std::string axis;
  std::string variable;                           ///< groups: of the file
  double width = 1.0;
  int modulus = 1;
  std::vector<int> test, validation;              ///< numbers of blocks or groups, mod modulus
  double test_share = 0.0, validation_share = 0.0;  ///< sequential, random: of the rows, rounded down; the rest: training
  std::uint64_t seed = 0;
  std::string covering;                           ///< random, of graphs: an input of categories. Permutations are drawn until the
                                                  ///< training graphs have every category that any graph of the file has
  std::uint64_t permutation = 0;                  ///< random: which one of the seed
  std::vector<std::int64_t> test_rows, validation_rows;
  std::vector<Box> test_boxes, validation_boxes;
  std::int64_t test_from = 0, validation_from = 0;  ///< dates: days since 1970-01-01
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

}  // namespace lavoisier

#endif
