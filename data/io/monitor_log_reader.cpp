#include "monitor_log_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace lavoisier::detail {
namespace {

// As plugin/src/monitor_log.cpp writes it.
const std::string header =
    "step,kind,source,name,units,columns,non_finite,max_absolute,rms,max_relative,tolerance,within,worst_id,terms,bias,"
    "rmse,mean_absolute_error,correlation,r_squared";
constexpr std::size_t fields_of_row = 19;
enum Field : std::size_t {
  step,
  kind,
  source,
  name,
  units,
  columns,
  non_finite,
  first_law,
  within = 11,
  worst_id,
  terms,
  first_skill
};
const char* const titles[] = {"step",
                              "kind",
                              "source",
                              "name",
                              "units",
                              "columns",
                              "non_finite",
                              "max_absolute",
                              "rms",
                              "max_relative",
                              "tolerance",
                              "within",
                              "worst_id",
                              "terms",
                              "bias",
                              "rmse",
                              "mean_absolute_error",
                              "correlation",
                              "r_squared"};

std::ifstream opened(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(Status::not_found, fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
  return file;
}

bool is_text(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char letter) { return letter >= ' ' || letter == '\t'; });
}

/// The fields of a line; what is wrong with its quotes in `wrong`.
std::vector<std::string> split(const std::string& line, std::string& wrong) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ',') {
      fields.emplace_back();
    } else if (line[i] == '"' && fields.back().empty()) {
      bool closed = false;
      for (++i; i < line.size() && !closed; ++i) {
        if (line[i] != '"')
          fields.back() += line[i];
        else if (i + 1 < line.size() && line[i + 1] == '"')
          fields.back() += line[i++];
        else
          closed = true;
      }
      --i;  // on the quote
      if (!closed || (i + 1 < line.size() && line[i + 1] != ','))
        wrong = fmt::format("in field {} a quote is not closed", fields.size());
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

}  // namespace

MonitorLogReader::MonitorLogReader(const std::filesystem::path& path) : file_(opened(path)), path_(path) {
  std::string line;
  std::getline(file_, line);
  if (line != header || file_.eof())
    fail(fmt::format("expected the header of a monitor's log, '{}', found {}", header,
                     is_text(line)
                         ? fmt::format("'{}'{}", line.substr(0, header.size()), file_.eof() ? ", cut off" : "")
                         : std::string("what is no text")));
  place_ = {static_cast<std::streamoff>(header.size() + 1), 2};
}

void MonitorLogReader::go_to(const Place& place) {
  file_.clear();
  file_.seekg(place.offset);
  place_ = place;
}

void MonitorLogReader::fail(const std::string& message) const {
  throw Error(Status::invalid_format, fmt::format("{}:{}: {}", path_.string(), line_, message));
}

bool MonitorLogReader::next(MonitorRow& row) {
  std::string line;
  line_ = place_.line;
  if (!std::getline(file_, line)) {
    if (file_.bad())
      throw Error(Status::io_error, fmt::format("cannot read {}: {}", path_.string(), std::strerror(errno)));
    return false;
  }
  if (file_.eof())
    fail(
        "the line is cut off: expected a line break behind it (the host was stopped while it wrote; a monitor that "
        "opens the log again cuts the line off, or do it by hand)");
  place_.offset += static_cast<std::streamoff>(line.size() + 1);
  ++place_.line;

  std::string wrong;
  std::vector<std::string> fields = split(line, wrong);
  if (!wrong.empty()) fail(wrong);
  if (fields.size() != fields_of_row) fail(fmt::format("expected {} fields, found {}", fields_of_row, fields.size()));
  const auto number = [&](std::size_t at, auto& value) {
    const std::string& text = fields[at];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
      fail(fmt::format("expected a number as {}, found '{}'", titles[at], text));
  };
  const auto word = [&](std::size_t at, const char* first, const char* second) {
    if (fields[at] == first) return true;
    if (fields[at] != second)
      fail(fmt::format("expected {} or {} as {}, found '{}'", first, second, titles[at], fields[at]));
    return false;
  };
  row = {};
  number(step, row.step);
  row.is_law = word(kind, "law", "variable");
  row.is_host = word(source, "host", "emulator");
  if (row.is_host && !row.is_law) fail("expected emulator as source of a variable, found 'host'");
  row.name = fields[name];
  row.units = fields[units];
  number(columns, row.columns);
  number(non_finite, row.non_finite);
  const std::size_t first = row.is_law ? std::size_t{first_law} : std::size_t{first_skill};
  for (std::size_t i = 0; i < (row.is_law ? 4U : 5U); ++i) number(first + i, row.numbers[i]);
  if (row.is_law) {
    row.within = word(within, "yes", "no");
    if (!fields[worst_id].empty()) number(worst_id, row.worst_id.emplace());
    row.terms = std::move(fields[terms]);
  }
  return true;
}

}  // namespace lavoisier::detail
