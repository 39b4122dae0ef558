#ifndef LAVOISIER_APPS_CSV_ENSEMBLE_HPP
#define LAVOISIER_APPS_CSV_ENSEMBLE_HPP

// Ensembles of tables as one CSV file: columns member (from 1), sample (row of the input table, from 0), then the
// outputs by their names in the domain, in its units. Beside FILE.csv stands FILE.csv.json: digest, units, provenance.

#include <lavoisier/csv_reader.hpp>
#include <lavoisier/domain.hpp>
#include <lavoisier/ensemble_writer.hpp>
#include <lavoisier/units.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::cli {

bool is_csv(const std::filesystem::path& path);

/// Streams members to a temporary file; close() makes the file and its companion appear. Destruction before close()
/// leaves nothing. Numbers are the shortest text that reads back as the same double (or float).
/// Errors: io_error, no_space, invalid_argument (an output called member or sample).
class CsvEnsembleWriter {
 public:
  CsvEnsembleWriter(std::filesystem::path path, std::vector<EnsembleField> fields, Storage storage,
                    std::map<std::string, std::string> attributes);
  ~CsvEnsembleWriter();
  CsvEnsembleWriter(const CsvEnsembleWriter&) = delete;
  CsvEnsembleWriter& operator=(const CsvEnsembleWriter&) = delete;

  /// Values of samples first .. first + count - 1: fields x count. A sample without values (NaN) gets no row.
  void write(std::int64_t member, std::int64_t first, std::int64_t count, std::span<const double> values);
  /// Goes to the companion beside the others.
  void attribute(const std::string& name, const std::string& text) { attributes_[name] = text; }
  void close();

 private:
  [[noreturn]] void fail();

  std::filesystem::path path_, temporary_;
  std::vector<EnsembleField> fields_;
  Storage storage_;
  std::map<std::string, std::string> attributes_;
  std::ofstream file_;
  std::string text_;
};

/// Reads such a file; or a plain table like the domain's data (no column "member"): one member whose rows are the
/// samples in order, in the data's columns and units. Only the numbers of the samples are kept in memory.
/// Errors: those of CsvReader; invalid_format (line and column: members or samples out of order), digest_mismatch.
class CsvEnsemble {
 public:
  /// `samples`: rows of the table that it is compared with.
  CsvEnsemble(const std::filesystem::path& path, const Domain& domain, std::int64_t samples);

  std::int64_t members() const noexcept { return members_; }
  bool stored_as_float() const noexcept { return stored_as_float_; }
  const std::map<std::string, std::string>& attributes() const noexcept { return attributes_; }
  /// Values of samples first .. first + count - 1 of a member (from 0): count x outputs; NaN where it has no row.
  void read(std::int64_t member, std::int64_t first, std::int64_t count, double* values) const;

 private:
  void read_members(std::int64_t samples);
  void read_companion();

  CsvReader reader_;
  std::vector<std::size_t> columns_;
  std::vector<UnitConversion> conversions_;
  std::vector<std::int64_t> samples_;  ///< that each member has rows of, ascending
  std::int64_t members_ = 1;
  bool stored_as_float_ = false;
  std::map<std::string, std::string> attributes_;
};

}  // namespace lavoisier::cli

#endif
