#include <lavoisier/csv_reader.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>

namespace lavoisier {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t index_stride = 128;  // rows from one remembered place of the file to the next

struct Place {
  std::int64_t line = 1, column = 1;
};

struct Cell {
  std::string text;
  Place at;
  bool quoted = false;
};

struct Record {
  std::vector<Cell> cells;  ///< the first `size` are this record's; the others are kept for their memory
  std::size_t size = 0;
  Place end;  ///< where the line ends
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view value_of(const Cell& cell) { return cell.quoted ? std::string_view(cell.text) : trimmed(cell.text); }

/// Cuts a file into records, byte by byte.
class Scanner {
 public:
  static constexpr int end_of_file = -1;

  Scanner(const fs::path& path, const CsvOptions& options) : path_(path), options_(options) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found)
      throw Error(Status::not_found, fmt::format("no file \"{}\"", path.string()));
    if (status.type() != fs::file_type::regular)
      throw Error(
          Status::io_error,
          fmt::format("expected a CSV file, found {} \"{}\"",
                      status.type() == fs::file_type::directory ? "the folder" : "no regular file at", path.string()));
    errno = 0;
    file_.open(path, std::ios::binary);
    if (!file_)
      throw Error(Status::io_error,
                  fmt::format("cannot read \"{}\": {}", path.string(), std::generic_category().message(errno)));
    seek(0, 1);
    if (peek() == 0xEF && bytes_ - at_ >= 3 && buffer_[at_ + 1] == '\xBB' && buffer_[at_ + 2] == '\xBF') at_ += 3;
  }

  std::int64_t offset() const { return base_ + static_cast<std::int64_t>(at_); }
  Place place() const { return here_; }
  void keep_blank_lines() { blank_lines_ = true; }

  void seek(std::int64_t offset, std::int64_t line) {
    file_.clear();
    file_.seekg(offset);
    base_ = offset;
    at_ = bytes_ = 0;
    here_ = {line, 1};
    pending_ = 0;
  }

  /// To the next record: over blank lines and comments. False at the end of the file.
  bool find() {
    while (true) {
      const int c = peek();
      if (c == end_of_file) return false;
      if (options_.comment != '\0' && c == static_cast<unsigned char>(options_.comment)) {
        while (!line_end() && peek() != end_of_file) take();
        continue;
      }
      if (blank_lines_ || (c != '\n' && c != '\r')) return true;
      if (!line_end()) return true;
    }
  }

  /// The record that begins here.
  void read(Record& record) {
    record.size = 0;
    while (true) {
      if (record.size == record.cells.size()) record.cells.emplace_back();
      Cell& cell = record.cells[record.size++];
      cell.text.clear();
      cell.at = here_;
      cell.quoted = peek() == '"';
      if (cell.quoted)
        quoted(cell);
      else
        plain(cell);
      record.end = here_;
      if (peek() == static_cast<unsigned char>(options_.delimiter)) {
        take();
        continue;
      }
      line_end();  // or the end of the file
      return;
    }
  }

  [[noreturn]] void fail(const std::string& message, Place at) const {
    throw Error(Status::invalid_format, fmt::format("{}:{}:{}: {}", path_.string(), at.line, at.column, message));
  }

 private:
  int peek() {
    if (at_ == bytes_ && !fill()) return end_of_file;
    return static_cast<unsigned char>(buffer_[at_]);
  }

  bool fill() {
    base_ += static_cast<std::int64_t>(bytes_);
    at_ = bytes_ = 0;
    if (!file_) return false;
    errno = 0;
    file_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    bytes_ = static_cast<std::size_t>(file_.gcount());
    if (file_.bad())
      throw Error(Status::io_error,
                  fmt::format("cannot read \"{}\": {}", path_.string(), std::generic_category().message(errno)));
    return bytes_ > 0;
  }

  /// The next byte, which is there; text is checked as it goes by.
  char take() {
    const auto byte = static_cast<unsigned char>(buffer_[at_++]);
    check(byte);
    return static_cast<char>(byte);
  }

  void check(unsigned char byte) {
    if (pending_ > 0) {
      if (byte < low_ || byte > high_) not_utf8(byte);
      low_ = 0x80;
      high_ = 0xBF;
      --pending_;
      return;  // the character was counted with its first byte
    }
    if (byte < 0x80) {
      if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')
        fail(fmt::format("expected text, found the byte 0x{:02X}", byte), here_);
    } else {
      low_ = 0x80;
      high_ = 0xBF;
      if (byte >= 0xC2 && byte <= 0xDF) {
        pending_ = 1;
      } else if (byte >= 0xE0 && byte <= 0xEF) {
        pending_ = 2;
        if (byte == 0xE0) low_ = 0xA0;   // no overlong forms
        if (byte == 0xED) high_ = 0x9F;  // no surrogates
      } else if (byte >= 0xF0 && byte <= 0xF4) {
        pending_ = 3;
        if (byte == 0xF0) low_ = 0x90;
        if (byte == 0xF4) high_ = 0x8F;
      } else {
        not_utf8(byte);
      }
    }
    if (byte == '\n') {
      here_ = {here_.line + 1, 1};
    } else {
      ++here_.column;
    }
  }

  [[noreturn]] void not_utf8(unsigned char byte) const {
    Place at = here_;
    if (pending_ > 0) --at.column;
    fail(fmt::format("expected UTF-8, found the byte 0x{:02X}", byte), at);
  }

  /// Takes LF or CRLF if one is next.
  bool line_end() {
    const int c = peek();
    if (c == '\n') {
      take();
      return true;
    }
    if (c != '\r') return false;
    const Place at = here_;
    take();
    if (peek() != '\n') fail("a carriage return without a line feed", at);
    take();
    return true;
  }

  void plain(Cell& cell) {
    while (true) {
      const int c = peek();
      if (c == end_of_file || c == '\n' || c == '\r' || c == static_cast<unsigned char>(options_.delimiter)) break;
      if (c == '"')
        fail("a quote within a cell that does not begin with one: put the whole cell in quotes and double it", here_);
      cell.text += take();
    }
    if (pending_ > 0) fail("expected UTF-8, found a character cut short", {here_.line, here_.column - 1});
  }

  void quoted(Cell& cell) {
    take();
    while (true) {
      const int c = peek();
      if (c == end_of_file) fail("a quote that is never closed", cell.at);
      take();
      if (c != '"') {
        cell.text += static_cast<char>(c);
        continue;
      }
      if (peek() != '"') break;
      cell.text += take();
    }
    const int c = peek();
    if (c != end_of_file && c != '\n' && c != '\r' && c != static_cast<unsigned char>(options_.delimiter))
      fail(fmt::format("expected \"{}\" or the end of the line behind a closing quote", options_.delimiter), here_);
  }

  fs::path path_;
  const CsvOptions& options_;
  std::ifstream file_;
  std::array<char, 65536> buffer_{};
  std::size_t at_ = 0, bytes_ = 0;
  std::int64_t base_ = 0;  ///< place in the file of the buffer's first byte
  Place here_;
  int pending_ = 0;  ///< bytes that the current character still needs
  unsigned char low_ = 0x80, high_ = 0xBF;
  bool blank_lines_ = false;
};

bool is_nan(std::string_view text) {
  return text.size() == 3 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'a' && (text[2] | 0x20) == 'n';
}

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "\"" : ", \"") + item + "\"";
  return text;
}

}  // namespace

struct CsvReader::Implementation {
  fs::path path;
  CsvOptions options;
  std::vector<std::string> names;
  std::int64_t header_line = 1;
  std::int64_t rows = 0;
  struct Mark {
    std::int64_t offset = 0, line = 1;
  };
  std::vector<Mark> marks;  ///< of rows 0, index_stride, ...
  mutable Scanner scanner;
  mutable std::int64_t next = 0;  ///< the row at which the scanner stands
  mutable Record record;

  Implementation(const fs::path& file, CsvOptions given)
      : path(file), options(std::move(given)), scanner(file, options) {
    for (const char c : {options.delimiter, options.comment})
      if (c == '"' || c == '\n' || c == '\r' || c < 0)
        throw Error(Status::invalid_argument,
                    "expected an ASCII character other than a quote or a line end as delimiter "
                    "and as comment mark");
    if (options.delimiter == options.comment)
      throw Error(Status::invalid_argument, "the delimiter and the comment mark are the same character");
    if (!scanner.find()) scanner.fail("expected a header row, found an empty file", {1, 1});
    scanner.read(record);
    header();
    if (names.size() == 1) scanner.keep_blank_lines();
    while (scanner.find()) {
      if (rows % index_stride == 0) marks.push_back({scanner.offset(), scanner.place().line});
      scanner.read(record);
      check_width();
      ++rows;
    }
    if (rows == 0) scanner.fail("expected at least one row below the header, found none", scanner.place());
    next = rows;
  }

  void header() {
    header_line = record.cells.front().at.line;
    for (std::size_t c = 0; c < record.size; ++c) {
      const Cell& cell = record.cells[c];
      const std::string name(value_of(cell));
      if (name.empty()) scanner.fail(fmt::format("column {} has no name", c + 1), cell.at);
      const auto earlier = std::find(names.begin(), names.end(), name);
      if (earlier != names.end())
        scanner.fail(
            fmt::format("column \"{}\" stands twice, as columns {} and {}", name, earlier - names.begin() + 1, c + 1),
            cell.at);
      names.push_back(name);
    }
  }

  void check_width() const {
    if (record.size == names.size()) return;
    const std::string expected = fmt::format("expected {} cells as in the header, found {}", names.size(), record.size);
    if (record.size > names.size()) scanner.fail(expected, record.cells[names.size()].at);
    const std::vector<std::string> without(names.begin() + static_cast<std::ptrdiff_t>(record.size), names.end());
    scanner.fail(fmt::format("{}: none for {}", expected, listed(without)), record.end);
  }

  void go_to(std::int64_t row) const {
    if (row + 1 < next || row >= next + index_stride) {  // row next - 1 is at hand
      const Mark& mark = marks[static_cast<std::size_t>(row / index_stride)];
      scanner.seek(mark.offset, mark.line);
      next = row / index_stride * index_stride;
    }
    while (next <= row) {
      if (!scanner.find())
        throw Error(Status::io_error, fmt::format("\"{}\" has become shorter while it was read", path.string()));
      scanner.read(record);
      ++next;
    }
    check_width();
  }

  double number(std::size_t column) const {
    const Cell& cell = record.cells[column];
    std::string_view text = trimmed(cell.text);
    if (text.empty() || is_nan(text)) return std::numeric_limits<double>::quiet_NaN();
    for (const std::string& marker : options.missing)
      if (text == marker) return std::numeric_limits<double>::quiet_NaN();
    std::string_view digits = text;
    if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') digits.remove_prefix(1);
    double value = 0.0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = end == digits.data() + digits.size();
    if (error == std::errc() && whole && std::isfinite(value)) return value;
    std::string message = fmt::format("column \"{}\": expected a number, found \"{}\"", names[column], text);
    if (error == std::errc::result_out_of_range && whole) {
      message += ", which is beyond the range of double precision";
    } else if (error == std::errc() && !whole && *end == ',') {
      message += ": decimals are set off by a point";
    }
    scanner.fail(message, cell.at);
  }

  void require(std::int64_t first, std::int64_t count) const {
    if (first < 0 || count < 0 || first > rows - count)
      throw Error(Status::out_of_range,
                  fmt::format("rows {} to {} of \"{}\", which has {}", first, first + count, path.string(), rows));
  }
};

CsvReader::CsvReader(const fs::path& path, CsvOptions options)
    : implementation_(std::make_unique<Implementation>(path, std::move(options))) {}
CsvReader::~CsvReader() = default;
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;

const fs::path& CsvReader::path() const noexcept { return implementation_->path; }
const std::vector<std::string>& CsvReader::columns() const noexcept { return implementation_->names; }
std::int64_t CsvReader::rows() const noexcept { return implementation_->rows; }

bool CsvReader::has_column(const std::string& name) const noexcept {
  const auto& names = implementation_->names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t CsvReader::column(const std::string& name) const {
  const auto& names = implementation_->names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const std::string near = nearest_name(name, names);
  throw Error(Status::not_found,
              fmt::format("{}:{}:1: no column \"{}\"; {}", path().string(), implementation_->header_line, name,
                          near.empty() ? "there are " + listed(names) : "did you mean \"" + near + "\"?"));
}

std::vector<double> CsvReader::read(const std::vector<std::size_t>& columns, std::int64_t first,
                                    std::int64_t count) const {
  const auto& self = *implementation_;
  self.require(first, count);
  for (const std::size_t column : columns)
    if (column >= self.names.size())
      throw Error(Status::out_of_range,
                  fmt::format("column {} of \"{}\", which has {}", column, path().string(), self.names.size()));
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(count) * columns.size());
  for (std::int64_t row = first; row < first + count; ++row) {
    self.go_to(row);
    for (const std::size_t column : columns) values.push_back(self.number(column));
  }
  return values;
}

std::string CsvReader::text(std::int64_t row, std::size_t column) const {
  const auto& self = *implementation_;
  self.require(row, 1);
  self.go_to(row);
  return std::string(value_of(self.record.cells.at(column)));
}

std::string CsvReader::place(std::int64_t row, std::size_t column) const {
  const auto& self = *implementation_;
  self.require(row, 1);
  self.go_to(row);
  const Place at = self.record.cells.at(column).at;
  return fmt::format("{}:{}:{}", path().string(), at.line, at.column);
}

std::int64_t CsvReader::line(std::int64_t row) const {
  const auto& self = *implementation_;
  self.require(row, 1);
  self.go_to(row);
  return self.record.cells.front().at.line;
}

std::string csv_cell(const std::string& text) {
  const bool blank_end = !text.empty() && (trimmed(text).size() != text.size());
  if (!blank_end && text.find_first_of(",;\"\r\n\t#") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace lavoisier
