#include "csv_ensemble.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <numeric>
#include <system_error>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;
constexpr std::size_t text_held = std::size_t{1} << 20;

std::filesystem::path companion_of(const std::filesystem::path& path) { return path.string() + ".json"; }

/// The column and how it becomes the layout's units.
std::pair<std::size_t, UnitConversion> find_output(const CsvReader& reader, const Variable& variable,
                                                   const Source& source, bool generated) {
  if (!generated && (reader.has_column(source.variable) || !reader.has_column(variable.name))) {
    UnitConversion conversion;
    if (!source.file_units.empty()) conversion = Unit(source.file_units).conversion_to(Unit(variable.units));
    return {reader.column(source.variable), conversion};
  }
  return {reader.column(variable.name), {}};
}

}  // namespace

bool is_csv(const std::filesystem::path& path) { return path.extension() == ".csv"; }

CsvEnsembleWriter::CsvEnsembleWriter(std::filesystem::path path, std::vector<EnsembleField> fields, Storage storage,
                                     std::map<std::string, std::string> attributes)
    : path_(std::move(path)), fields_(std::move(fields)), storage_(storage), attributes_(std::move(attributes)) {
  text_ = "member,sample";
  for (const EnsembleField& field : fields_) {
    if (field.name == "member" || field.name == "sample")
      throw Error(Status::invalid_argument,
                  fmt::format("an output called '{}' cannot be written beside the column of that name", field.name));
    text_ += "," + csv_cell(field.name);
  }
  text_ += "\n";
  temporary_ = temporary_name_for(path_);
  errno = 0;
  file_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!file_) fail();
}

CsvEnsembleWriter::~CsvEnsembleWriter() {
  if (temporary_.empty()) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void CsvEnsembleWriter::fail() {
  const int reason = errno;
  const bool full = reason == ENOSPC || reason == EDQUOT;
  throw Error(full ? Status::no_space : Status::io_error,
              fmt::format("cannot write {}: {}; nothing of it is kept", path_.string(),
                          reason != 0 ? std::generic_category().message(reason) : "the system gives no reason"));
}

void CsvEnsembleWriter::write(std::int64_t member, std::int64_t first, std::int64_t count,
                              std::span<const double> values) {
  const std::size_t fields = fields_.size(), rows = static_cast<std::size_t>(count);
  for (std::size_t row = 0; row < rows; ++row) {
    bool complete = true;
    for (std::size_t f = 0; f < fields; ++f) complete = complete && !std::isnan(values[f * rows + row]);
    if (!complete) continue;
    fmt::format_to(std::back_inserter(text_), "{},{}", member, first + static_cast<std::int64_t>(row));
    for (std::size_t f = 0; f < fields; ++f) {
      const double value = values[f * rows + row];
      if (storage_ == Storage::f32) {
        fmt::format_to(std::back_inserter(text_), ",{}", static_cast<float>(value));
      } else {
        fmt::format_to(std::back_inserter(text_), ",{}", value);
      }
    }
    text_ += '\n';
    if (text_.size() < text_held) continue;
    errno = 0;
    if (!file_.write(text_.data(), static_cast<std::streamsize>(text_.size()))) fail();
    text_.clear();
  }
}

void CsvEnsembleWriter::close() {
  errno = 0;
  file_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
  file_.close();
  if (!file_) fail();
  ordered_json json;
  json["file"] = path_.filename().string();
  json["sha256"] = sha256_of_file(temporary_);
  json["storage"] = storage_ == Storage::f32 ? "f32" : "f64";
  json["columns"] = ordered_json::array();
  json["columns"].push_back({{"name", "member"}, {"long_name", "member of the ensemble, from 1"}});
  json["columns"].push_back({{"name", "sample"}, {"long_name", "row of the table of inputs, from 0"}});
  for (const EnsembleField& field : fields_)
    json["columns"].push_back({{"name", field.name}, {"units", field.units}, {"long_name", field.long_name}});
  json["attributes"] = attributes_;
  commit_file(temporary_, path_);
  temporary_.clear();
  write_file_atomically(companion_of(path_), json.dump(2) + "\n");
}

CsvEnsemble::CsvEnsemble(const std::filesystem::path& path, const Domain& domain, std::int64_t samples)
    : reader_(path, domain.table.value_or(CsvOptions())) {
  const bool generated = reader_.has_column("member");
  for (const Variable& variable : domain.layout.with_role(Role::output)) {
    const auto [column, conversion] = find_output(reader_, variable, domain.sources.at(variable.name), generated);
    columns_.push_back(column);
    conversions_.push_back(conversion);
  }
  if (generated) {
    read_members(samples);
    read_companion();
    return;
  }
  if (reader_.rows() != samples)
    throw Error(Status::shape_mismatch,
                fmt::format("{}: expected {} rows, one a sample of the table that it is compared with, "
                            "found {} (a table with the columns member and sample may have fewer)",
                            path.string(), samples, reader_.rows()));
  samples_.resize(static_cast<std::size_t>(samples));
  std::iota(samples_.begin(), samples_.end(), std::int64_t{0});
}

void CsvEnsemble::read_members(std::int64_t samples) {
  const std::vector<std::size_t> columns = {reader_.column("member"), reader_.column("sample")};
  const auto refuse = [&](std::int64_t row, std::size_t which, const std::string& message) {
    throw Error(Status::invalid_format, fmt::format("{}: {}", reader_.place(row, columns[which]), message));
  };
  members_ = 0;
  std::size_t within = 0;
  constexpr std::int64_t block = 1 << 14;
  for (std::int64_t first = 0; first < reader_.rows(); first += block) {
    const std::int64_t count = std::min(block, reader_.rows() - first);
    const std::vector<double> numbers = reader_.read(columns, first, count);
    for (std::int64_t k = 0; k < count; ++k) {
      const double member = numbers[static_cast<std::size_t>(2 * k)],
                   sample = numbers[static_cast<std::size_t>(2 * k + 1)];
      if (member == static_cast<double>(members_ + 1)) {
        if (members_ > 0 && within != samples_.size())
          refuse(first + k, 0,
                 fmt::format("member {} has {} samples, member 1 has {}", members_, within, samples_.size()));
        ++members_;
        within = 0;
      } else if (member != static_cast<double>(members_) || members_ == 0) {
        refuse(first + k, 0,
               fmt::format("expected member {}{}: members stand one after another, from 1; found {}",
                           members_ > 0 ? fmt::format("{} or ", members_) : "", members_ + 1, member));
      }
      if (!(sample >= 0.0 && sample < static_cast<double>(samples)) || sample != std::floor(sample))
        refuse(first + k, 1,
               fmt::format("expected a row of the table that it is compared with, 0 to {}; found {}", samples - 1,
                           sample));
      const auto number = static_cast<std::int64_t>(sample);
      if (members_ == 1) {
        if (!samples_.empty() && number <= samples_.back())
          refuse(first + k, 1,
                 fmt::format("expected samples in ascending order, found {} behind {}", number, samples_.back()));
        samples_.push_back(number);
      } else if (within >= samples_.size() || samples_[within] != number) {
        refuse(first + k, 1,
               fmt::format("member {} has sample {} where member 1 has {}", members_, number,
                           within < samples_.size() ? fmt::format("{}", samples_[within]) : "no more"));
      }
      ++within;
    }
  }
  if (within != samples_.size())
    refuse(reader_.rows() - 1, 0,
           fmt::format("member {} has {} samples, member 1 has {}", members_, within, samples_.size()));
}

void CsvEnsemble::read_companion() {
  const std::filesystem::path path = companion_of(reader_.path());
  if (!std::filesystem::exists(path)) return;
  const std::vector<std::byte> bytes = read_file(path);
  const auto json = nlohmann::json::parse(reinterpret_cast<const char*>(bytes.data()),
                                          reinterpret_cast<const char*>(bytes.data()) + bytes.size(), nullptr, false);
  if (!json.is_object() || !json.contains("sha256") || !json["sha256"].is_string())
    throw Error(Status::invalid_format, fmt::format("{}: expected a JSON object with the digest of {}", path.string(),
                                                    reader_.path().filename().string()));
  const std::string found = sha256_of_file(reader_.path());
  if (json["sha256"].get<std::string>() != found)
    throw Error(Status::digest_mismatch,
                fmt::format("{} is not the file that {} describes (sha256 {}): it has changed since",
                            reader_.path().string(), path.string(), json["sha256"].get<std::string>()));
  stored_as_float_ = json.contains("storage") && json["storage"] == "f32";
  if (!json.contains("attributes") || !json["attributes"].is_object()) return;
  for (const auto& [key, value] : json["attributes"].items())
    if (value.is_string()) attributes_[key] = value.get<std::string>();
}

void CsvEnsemble::read(std::int64_t member, std::int64_t first, std::int64_t count, double* values) const {
  const std::size_t outputs = columns_.size();
  std::fill_n(values, static_cast<std::size_t>(count) * outputs, std::numeric_limits<double>::quiet_NaN());
  const auto begin = std::lower_bound(samples_.begin(), samples_.end(), first);
  const auto end = std::lower_bound(begin, samples_.end(), first + count);
  if (begin == end) return;
  const auto rows = static_cast<std::int64_t>(samples_.size());
  const std::vector<double> found = reader_.read(columns_, member * rows + (begin - samples_.begin()), end - begin);
  std::size_t at = 0;
  for (auto sample = begin; sample != end; ++sample)
    for (std::size_t i = 0; i < outputs; ++i)
      values[static_cast<std::size_t>(*sample - first) * outputs + i] = conversions_[i](found[at++]);
}

}  // namespace lavoisier::cli
