#ifndef LAVOISIER_CSV_READER_HPP
#define LAVOISIER_CSV_READER_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

struct CsvOptions {
  char delimiter = ',';
  char comment = '\0';               ///< lines that begin with it are skipped; '\0': there are none
  std::vector<std::string> missing;  ///< spellings of a missing value beside the empty cell and NaN
};

/// A table of text (RFC 4180): one header row, then rows of as many cells; cells in quotes may hold delimiters, line
/// breaks and doubled quotes. UTF-8, with or without a byte order mark; lines end with LF or CRLF; blank lines are
/// skipped where there is more than one column. Blanks around unquoted names and numbers don't count.
///
/// The constructor passes over the whole file once (the shape of every row, quotes, UTF-8) and keeps an index of a few
/// bytes a hundred rows; read() takes rows from the file. Columns that are never read may hold any text.
/// Errors of a file begin with "file:line:column: ", both from 1, columns counted in characters.
/// Errors: not_found (file; column: nearest named), invalid_format, io_error.
class CsvReader {
 public:
  explicit CsvReader(const std::filesystem::path& path, CsvOptions options = {});
  ~CsvReader();
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;

  const std::filesystem::path& path() const noexcept;
  const std::vector<std::string>& columns() const noexcept;
  bool has_column(const std::string& name) const noexcept;
  /// Its place among columns(); Error(not_found) names the nearest.
  std::size_t column(const std::string& name) const;
  /// Below the header.
  std::int64_t rows() const noexcept;

  /// Numbers of rows first .. first + count - 1: count x columns.size(), row-major. A missing value (an empty cell,
  /// NaN, one of `missing`) is NaN. Error(invalid_format) for a cell that is no number or beyond the range of double.
  std::vector<double> read(const std::vector<std::size_t>& columns, std::int64_t first, std::int64_t count) const;

  /// A cell's text: as it stands between its quotes, else without the blanks around it.
  std::string text(std::int64_t row, std::size_t column) const;

  /// "file:line:column" of a cell, for messages.
  std::string place(std::int64_t row, std::size_t column) const;
  /// Line in which a row begins, from 1.
  std::int64_t line(std::int64_t row) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A cell as RFC 4180 writes it: in quotes where it holds a delimiter, a quote, a line break or blanks at an end.
std::string csv_cell(const std::string& text);

}  // namespace lavoisier

#endif
