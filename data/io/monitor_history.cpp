#include <lavoisier/files.hpp>
#include <lavoisier/monitor_history.hpp>
#include <lavoisier/status.hpp>

#include "monitor_log_reader.hpp"
#include "netcdf_support.hpp"

#include <fmt/format.h>
#include <netcdf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <set>
#include <system_error>
#include <type_traits>
#include <utility>

namespace lavoisier {
namespace {

namespace fs = std::filesystem;
using detail::MonitorLogReader;
using detail::MonitorRow;

/// Laws or outputs.
struct Names {
  std::vector<std::string> names, units;
  std::size_t at(const std::string& name) const {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  }
  bool same_units() const {
    return std::all_of(units.begin(), units.end(), [&](const auto& u) { return u == units.front(); });
  }
};

struct Record {
  std::uint64_t step = 0;
  MonitorLogReader::Place place;
  std::int64_t rows = 0;
};

/// The log but for its numbers.
struct Contents {
  Names laws, outputs;
  std::vector<Record> records;  ///< steps ascend
  std::int64_t replaced = 0;
  bool has_host = false;
  bool has(const MonitorRow& row) const {
    const Names& names = row.is_law ? laws : outputs;
    return names.at(row.name) < names.names.size() && (has_host || !row.is_host);
  }
};

Contents contents_of(const fs::path& path) {
  MonitorLogReader reader(path);
  Contents found;
  std::set<std::pair<int, std::string>> seen;  // in the record so far
  MonitorRow row;
  for (auto place = reader.place(); reader.next(row); place = reader.place()) {
    if (row.step > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      reader.fail(fmt::format("step {} is beyond the range of NetCDF's int64", row.step));
    Names& names = row.is_law ? found.laws : found.outputs;
    const std::size_t at = names.at(row.name);
    if (at == names.names.size()) {
      names.names.push_back(row.name);
      names.units.push_back(row.units);
    } else if (names.units[at] != row.units) {
      reader.fail(fmt::format("'{}' is in '{}', in the rows before in '{}'", row.name, row.units, names.units[at]));
    }
    found.has_host = found.has_host || row.is_host;
    const std::pair key{2 * row.is_law + row.is_host, row.name};
    auto& records = found.records;
    if (records.empty() || records.back().step != row.step || seen.contains(key)) {
      // Of a run that was resumed before steps that the log has: those are no part of it any more.
      while (!records.empty() && records.back().step >= row.step) {
        records.pop_back();
        ++found.replaced;
      }
      records.push_back({row.step, place, 0});
      seen.clear();
    }
    seen.insert(key);
    ++records.back().rows;
  }
  if (found.records.empty()) reader.fail("expected a row, found the end: the log has no step yet");
  return found;
}

int put(int file, int id, const std::size_t* start, const std::size_t* count, const double* x) {
  return nc_put_vara_double(file, id, start, count, x);
}
int put(int file, int id, const std::size_t* start, const std::size_t* count, const long long* x) {
  return nc_put_vara_longlong(file, id, start, count, x);
}
int put(int file, int id, const std::size_t* start, const std::size_t* count, const unsigned long long* x) {
  return nc_put_vara_ulonglong(file, id, start, count, x);
}
int put(int file, int id, const std::size_t* start, const std::size_t* count, const signed char* x) {
  return nc_put_vara_schar(file, id, start, count, x);
}
int put(int file, int id, const std::size_t* start, const std::size_t* count, const std::string* x) {
  std::vector<const char*> texts;
  for (std::size_t i = 0; i < count[0] * count[1]; ++i) texts.push_back(x[i].c_str());
  return nc_put_vara_string(file, id, start, count, texts.data());
}

constexpr std::size_t steps_a_time = 256;

/// A variable over (step, law or output), as many steps of it as are written at a time.
template <class T>
struct Sheet {
  int id = -1;
  T fill{};
  std::vector<T> values;
};

class HistoryFile {
 public:
  HistoryFile(const fs::path& path, const Contents& contents, const std::map<std::string, std::string>& attributes)
      : path_(path), contents_(contents), temporary_(temporary_name_for(path)) {
    if (detail::write_failed)
      throw Error(Status::io_error, "an earlier write failed: HDF5 cannot write any further file in this process");
    errno = 0;
    if (const int code = nc_create(temporary_.c_str(), NC_NETCDF4 | NC_CLOBBER, &file_); code != NC_NOERR) {
      const int reason = code > 0 ? code : errno;
      std::error_code ignored;
      fs::remove(temporary_, ignored);
      throw Error(reason == ENOSPC || reason == EDQUOT ? Status::no_space : Status::io_error,
                  fmt::format("cannot make \"{}\": {}", path_.string(),
                              reason != 0 ? std::generic_category().message(reason) : std::string(nc_strerror(code))));
    }
    define(attributes);
  }
  ~HistoryFile() {
    if (file_ < 0) return;
    std::error_code ignored;
    fs::remove(temporary_, ignored);
    if (nc_close(file_) != NC_NOERR) detail::write_failed = true;
  }
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;

  void begin_step(std::uint64_t step) {
    if (steps_.size() == steps_a_time) flush();
    steps_.push_back(static_cast<long long>(step));
    each_sheet([&](auto& sheet, std::size_t width) { sheet.values.resize(steps_.size() * width, sheet.fill); });
  }

  /// Of the step that was begun last.
  void add(const MonitorRow& row) {
    const Names& names = row.is_law ? contents_.laws : contents_.outputs;
    const std::size_t at = (steps_.size() - 1) * names.names.size() + names.at(row.name);
    const auto common = [&](auto& sheets) {
      for (std::size_t i = 0; i < sheets.numbers.size(); ++i) sheets.numbers[i].values[at] = row.numbers[i];
      sheets.columns.values[at] = row.columns;
      sheets.non_finite.values[at] = row.non_finite;
    };
    if (!row.is_law) return common(outputs_);
    Laws& laws = row.is_host ? host_ : emulator_;
    common(laws);
    laws.within.values[at] = row.within ? 1 : 0;
    if (row.worst_id) laws.worst_id.values[at] = *row.worst_id;
    laws.terms.values[at] = row.terms;
  }

  void close() {
    flush();
    errno = 0;
    const int code = nc_close(file_);
    if (code != NC_NOERR) fail(code, "the end");
    file_ = -1;
    try {
      commit_file(temporary_, path_);
    } catch (...) {
      std::error_code ignored;
      fs::remove(temporary_, ignored);
      throw;
    }
  }

 private:
  struct Laws {
    std::array<Sheet<double>, 4> numbers;
    Sheet<long long> columns, non_finite;
    Sheet<signed char> within;
    Sheet<unsigned long long> worst_id;
    Sheet<std::string> terms;
  };
  struct Outputs {
    std::array<Sheet<double>, 5> numbers;
    Sheet<long long> columns, non_finite;
  };

  [[noreturn]] void fail(int code, const std::string& what) {
    // As in EnsembleWriter: after a failed write HDF5 must not be touched again.
    const int reason = code > 0 ? code : errno;
    detail::write_failed = true;
    file_ = -1;
    std::error_code ignored;
    fs::remove(temporary_, ignored);
    throw Error(reason == ENOSPC || reason == EDQUOT ? Status::no_space : Status::io_error,
                fmt::format("cannot write {} of \"{}\": {}", what, path_.string(),
                            reason != 0 ? std::generic_category().message(reason) : std::string(nc_strerror(code))));
  }
  void check(int code, const char* what = "the header") {
    if (code != NC_NOERR) fail(code, what);
  }
  void put_text(int variable, const char* name, const std::string& value) {
    check(nc_put_att_text(file_, variable, name, value.size(), value.c_str()));
  }

  template <class Take>
  void each_sheet(const Take& take) {
    const auto of_laws = [&](Laws& laws) {
      const std::size_t width = contents_.laws.names.size();
      for (auto& sheet : laws.numbers) take(sheet, width);
      take(laws.columns, width), take(laws.non_finite, width), take(laws.within, width), take(laws.worst_id, width);
      take(laws.terms, width);
    };
    if (!contents_.laws.names.empty()) of_laws(emulator_);
    if (contents_.has_host) of_laws(host_);
    const std::size_t width = contents_.outputs.names.size();
    if (width == 0) return;
    for (auto& sheet : outputs_.numbers) take(sheet, width);
    take(outputs_.columns, width), take(outputs_.non_finite, width);
  }

  void flush() {
    if (steps_.empty()) return;
    errno = 0;
    const std::size_t count = steps_.size();
    check(nc_put_vara_longlong(file_, step_, &written_, &count, steps_.data()), "the steps");
    each_sheet([&](auto& sheet, std::size_t width) {
      const std::size_t start[] = {written_, 0}, size[] = {count, width};
      check(put(file_, sheet.id, start, size, sheet.values.data()), "its numbers");
      sheet.values.clear();
    });
    written_ += count;
    steps_.clear();
  }

  void define(const std::map<std::string, std::string>& attributes) {
    put_text(NC_GLOBAL, "Conventions", "CF-1.8");
    for (const auto& [name, value] : attributes)
      if (name != "Conventions") put_text(NC_GLOBAL, name.c_str(), value);
    check(nc_def_dim(file_, "step", NC_UNLIMITED, &step_dimension_));
    check(nc_def_var(file_, "step", NC_INT64, 1, &step_dimension_, &step_));
    const std::size_t chunk = steps_a_time;
    check(nc_def_var_chunking(file_, step_, NC_CHUNKED, &chunk));
    put_text(step_, "units", "1");
    put_text(step_, "long_name", "step of the host");
    const auto labels = define_labels(contents_.laws, "law");
    if (!contents_.laws.names.empty()) define_laws(emulator_, "law", "the emulator's outputs");
    if (contents_.has_host) define_laws(host_, "host_law", "the host's own outputs");
    const auto output_labels = define_labels(contents_.outputs, "output");
    if (!contents_.outputs.names.empty()) define_outputs();
    check(nc_enddef(file_));
    write_labels(contents_.laws, labels);
    write_labels(contents_.outputs, output_labels);
  }

  /// The dimension of laws or outputs, with variables of their names and units.
  std::array<int, 2> define_labels(const Names& names, const std::string& dimension) {
    std::array<int, 2> made{-1, -1};
    if (names.names.empty()) return made;
    check(nc_def_dim(file_, dimension.c_str(), names.names.size(), &name_dimension_));
    check(nc_def_var(file_, (dimension + "_name").c_str(), NC_STRING, 1, &name_dimension_, &made[0]));
    check(nc_def_var(file_, (dimension + "_units").c_str(), NC_STRING, 1, &name_dimension_, &made[1]));
    put_text(made[0], "long_name", "name of the " + dimension);
    put_text(made[1], "long_name", "units of the " + dimension);
    return made;
  }
  void write_labels(const Names& names, const std::array<int, 2>& ids) {
    if (names.names.empty()) return;
    const std::vector<std::string>* const lists[] = {&names.names, &names.units};
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<const char*> texts;
      for (const std::string& text : *lists[i]) texts.push_back(text.c_str());
      check(nc_put_var_string(file_, ids[i], texts.data()), "the names");
    }
  }

  template <class T>
  void define_sheet(Sheet<T>& sheet, const std::string& name, nc_type type, const T& fill, const std::string& meaning,
                    const std::string& units, const std::string& dimension) {
    sheet.fill = fill;
    const int dimensions[] = {step_dimension_, name_dimension_};
    check(nc_def_var(file_, name.c_str(), type, 2, dimensions, &sheet.id));
    std::size_t width = 0;
    check(nc_inq_dimlen(file_, name_dimension_, &width));
    const std::size_t chunk[] = {steps_a_time, width};
    check(nc_def_var_chunking(file_, sheet.id, NC_CHUNKED, chunk));
    if constexpr (!std::is_same_v<T, std::string>) check(nc_def_var_fill(file_, sheet.id, NC_FILL, &fill));
    put_text(sheet.id, "long_name", meaning);
    if (!units.empty()) put_text(sheet.id, "units", units);
    put_text(sheet.id, "coordinates", dimension + "_name " + dimension + "_units");
  }

  /// Columns of the log that laws and outputs have; `units`: theirs, where they are the same.
  template <class Sheets>
  void define_counts(Sheets& sheets, const std::string& prefix, const std::string& dimension, const std::string& of) {
    define_sheet(sheets.columns, prefix + "_columns", NC_INT64, static_cast<long long>(NC_FILL_INT64),
                 "columns in which " + of + " a number", "1", dimension);
    define_sheet(sheets.non_finite, prefix + "_non_finite", NC_INT64, static_cast<long long>(NC_FILL_INT64),
                 "columns in which " + of + " none", "1", dimension);
  }

  void define_laws(Laws& laws, const std::string& prefix, const std::string& of) {
    const Names& names = contents_.laws;
    const std::string units = names.same_units() ? names.units.front() : "";
    const auto define = [&](auto& sheet, const char* name, nc_type type, const auto& fill, const std::string& meaning,
                            const std::string& in) {
      define_sheet(sheet, prefix + name, type, fill, meaning, in, "law");
    };
    const double none = NC_FILL_DOUBLE;
    define(laws.numbers[0], "_max_absolute", NC_DOUBLE, none, "largest |residual| of the law, " + of, units);
    define(laws.numbers[1], "_rms", NC_DOUBLE, none, "root mean square residual of the law, " + of, units);
    define(laws.numbers[2], "_max_relative", NC_DOUBLE, none,
           "largest |residual| over the sum of |terms| and |right-hand side|, " + of, "1");
    define(laws.numbers[3], "_tolerance", NC_DOUBLE, none,
           "bound of the largest relative residual, or of the largest residual in the law's units", "");
    define_counts(laws, prefix, "law", "the law is");
    define(laws.within, "_within", NC_BYTE, static_cast<signed char>(NC_FILL_BYTE),
           "the law holds to the tolerance, " + of, "");
    const signed char flags[] = {0, 1};
    check(nc_put_att_schar(file_, laws.within.id, "flag_values", NC_BYTE, 2, flags));
    put_text(laws.within.id, "flag_meanings", "no yes");
    define(laws.worst_id, "_worst_id", NC_UINT64, static_cast<unsigned long long>(NC_FILL_UINT64),
           "id of the column of the largest relative residual", "1");
    define(laws.terms, "_worst_terms", NC_STRING, std::string(), "terms and right-hand side there: coefficient*value",
           "");
  }

  void define_outputs() {
    const Names& names = contents_.outputs;
    const std::string units = names.same_units() ? names.units.front() : "";
    const char* const columns[] = {"_bias", "_rmse", "_mean_absolute_error", "_correlation", "_r_squared"};
    const char* const meanings[] = {
        "mean of the emulator's less the host's own", "root mean square difference from the host's own",
        "mean absolute difference from the host's own", "correlation of deviations from each element's mean",
        "1 less the squared differences over the host's squared deviations from each element's mean"};
    for (std::size_t i = 0; i < 5; ++i)
      define_sheet(outputs_.numbers[i], std::string("output") + columns[i], NC_DOUBLE, NC_FILL_DOUBLE, meanings[i],
                   i < 3 ? units : "1", "output");
    define_counts(outputs_, "output", "output", "both are");
  }

  fs::path path_;
  const Contents& contents_;
  fs::path temporary_;
  int file_ = -1, step_ = -1, step_dimension_ = -1, name_dimension_ = -1;
  std::vector<long long> steps_;  ///< not yet written
  std::size_t written_ = 0;
  Laws emulator_, host_;
  Outputs outputs_;
};

}  // namespace

MonitorHistory write_monitor_history(const fs::path& log, const fs::path& netcdf,
                                     const std::map<std::string, std::string>& attributes) {
  std::error_code none;
  if (fs::equivalent(log, netcdf, none))
    throw Error(Status::invalid_argument, fmt::format("\"{}\" is the log: it would be lost", netcdf.string()));
  const Contents contents = contents_of(log);
  MonitorLogReader reader(log);
  HistoryFile file(netcdf, contents, attributes);
  MonitorRow row;
  for (const Record& record : contents.records) {
    if (reader.place().line != record.place.line) reader.go_to(record.place);
    file.begin_step(record.step);
    for (std::int64_t i = 0; i < record.rows; ++i) {
      if (!reader.next(row) || row.step != record.step || !contents.has(row))
        reader.fail("the log changed while it was read");
      file.add(row);
    }
  }
  file.close();
  return {contents.laws.names,
          contents.outputs.names,
          contents.has_host,
          static_cast<std::int64_t>(contents.records.size()),
          contents.records.front().step,
          contents.records.back().step,
          contents.replaced};
}

}  // namespace lavoisier
