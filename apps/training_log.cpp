#include "training_log.hpp"

#include "artefact.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace lavoisier::cli {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string text_of(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The first line, or the beginning of a very long one: what is no log may be large.
std::string beginning_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::size_t{1} << 20, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? text : text.substr(0, end + 1);
}

bool ends_within_a_line(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() <= 0) return false;
  file.seekg(-1, std::ios::end);
  return file.get() != '\n';
}

/// For messages.
std::string shown(const std::string& line) {
  if (line.empty()) return "an empty file";
  std::string text = line.substr(0, std::min<std::size_t>(line.find('\n'), 40));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return "'" + text + "'";
}

/// Of a file's first line: the event "start", or the beginning of one that was cut short.
bool begins_a_log(const std::string& text) {
  const std::size_t end = text.find('\n');
  const json first = json::parse(text.substr(0, end), nullptr, false);
  if (first.is_object()) return first.value("event", json()) == "start";
  const std::string_view beginning = R"({"event":"start")";
  return end == std::string::npos && text.substr(0, beginning.size()) == beginning.substr(0, text.size());
}

std::string string_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
double number_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}
std::int64_t integer_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

LoggedStart start_from(const json& line) {
  LoggedStart entry;
  entry.version = string_at(line, "version");
  entry.time = string_at(line, "time");
  if (const auto options = line.find("options"); options != line.end() && options->is_object()) {
    for (const auto& [name, value] : options->items()) {
      entry.options[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  if (const auto data = line.find("data"); data != line.end() && data->is_object()) {
    entry.data = string_at(*data, "files");
    entry.training_samples = integer_at(*data, "training");
    entry.validation_samples = integer_at(*data, "validation");
    entry.test_samples = integer_at(*data, "test");
  }
  entry.weights = integer_at(line, "weights");
  entry.device = string_at(line, "device");
  entry.threads = static_cast<int>(integer_at(line, "threads"));
  entry.epochs_done = integer_at(line, "epochs_done");
  return entry;
}

LoggedEpoch epoch_from(const json& line) {
  LoggedEpoch entry;
  entry.epoch = integer_at(line, "epoch");
  entry.epochs = integer_at(line, "epochs");
  entry.training_loss = number_at(line, "training_loss");
  entry.validation_loss = number_at(line, "validation_loss");
  entry.best_validation_loss = number_at(line, "best_validation_loss");
  entry.best_epoch = integer_at(line, "best_epoch");
  entry.learning_rate = number_at(line, "learning_rate");
  entry.seconds = number_at(line, "seconds");
  entry.seconds_left = number_at(line, "seconds_left");
  return entry;
}

ordered_json text_or_null(const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); }

std::string line_of(const ordered_json& object) {
  // Paths and messages need not be UTF-8; the log is.
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

TrainingLogWriter::TrainingLogWriter(std::filesystem::path path, bool append)
    : path_(std::move(path)), append_(append) {
  if (!std::filesystem::is_regular_file(path_)) return;  // none yet, or a device or pipe: nothing to lose
  const std::string first = beginning_of(path_);
  if (begins_a_log(first)) return;
  throw Error(
      Status::invalid_argument,
      fmt::format("log: {} exists and is no training log: expected a first line with the event \"start\", found {}; "
                  "name another file or remove it",
                  path_.string(), shown(first)));
}

TrainingLogWriter::~TrainingLogWriter() {
  if (file_ >= 0) close(file_);
}

void TrainingLogWriter::write(const std::string& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t count = ::write(file_, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(errno == ENOSPC ? Status::no_space : Status::io_error,
                  fmt::format("cannot write the log {}: {}", path_.string(), std::strerror(errno)));
    }
    done += static_cast<std::size_t>(count);
  }
}

void TrainingLogWriter::start(LoggedStart entry) {
  const std::filesystem::path folder = path_.parent_path();
  std::error_code ignored;  // open() says what is wrong
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  const bool cut = append_ && std::filesystem::is_regular_file(path_) && ends_within_a_line(path_);
  file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (append_ ? 0 : O_TRUNC), 0666);
  if (file_ < 0) {
    throw Error(Status::io_error, fmt::format("cannot write the log {}: {}", path_.string(), std::strerror(errno)));
  }
  ordered_json line;
  line["event"] = "start";
  line["version"] = version();
  line["time"] = timestamp();
  line["options"] = entry.options;
  line["data"] = {{"files", entry.data},
                  {"training", entry.training_samples},
                  {"validation", entry.validation_samples},
                  {"test", entry.test_samples}};
  line["weights"] = entry.weights;
  line["device"] = entry.device;
  line["threads"] = entry.threads;
  line["epochs_done"] = entry.epochs_done;
  write((cut ? "\n" : "") + line_of(line));
}

void TrainingLogWriter::epoch(const LoggedEpoch& entry) {
  ordered_json line;  // dump() writes what is not finite as null
  line["event"] = "epoch";
  line["epoch"] = entry.epoch;
  line["epochs"] = entry.epochs;
  line["training_loss"] = entry.training_loss;
  line["validation_loss"] = entry.validation_loss;
  line["best_validation_loss"] = entry.best_validation_loss;
  line["best_epoch"] = entry.best_epoch;
  line["learning_rate"] = entry.learning_rate;
  line["seconds"] = entry.seconds;
  line["seconds_left"] = entry.seconds_left;
  write(line_of(line));
}

void TrainingLogWriter::end(const LoggedEnd& entry) {
  if (file_ < 0 || ended_) return;
  ended_ = true;
  ordered_json line;
  line["event"] = "end";
  line["status"] = entry.status;
  line["message"] = entry.message;
  line["model"] = text_or_null(entry.model);
  line["sha256"] = text_or_null(entry.sha256);
  line["time"] = timestamp();
  write(line_of(line));
}

TrainingRecord read_training_log(const std::filesystem::path& path) {
  const auto require_log = [&](const std::string& first) {
    if (!first.empty() && begins_a_log(first)) return;
    throw Error(
        Status::invalid_format,
        fmt::format("{} is no training log: expected a first line with the event \"start\" (lavoisier train --log), "
                    "found {}",
                    path.string(), shown(first)));
  };
  if (std::filesystem::is_regular_file(path))
    require_log(beginning_of(path));  // before a large file is read as a whole
  const std::string text = text_of(path);
  require_log(text);
  TrainingRecord record;
  record.path = path;
  std::map<std::int64_t, LoggedEpoch> epochs;
  std::size_t number = 0;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(from),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    const bool blank = end == from;
    from = end + 1;
    ++number;
    if (blank) continue;
    const auto skip = [&](const char* reason) {
      record.warnings.push_back(fmt::format("{}:{}: skipped: {}", path.string(), number, reason));
    };
    if (!line.is_object()) {
      skip("no JSON object; cut short?");
      continue;
    }
    const std::string event = string_at(line, "event");
    if (event == "start") {
      record.start = start_from(line);
      record.end = {};
      if (record.start.epochs_done == 0) epochs.clear();
    } else if (event == "epoch") {
      const LoggedEpoch entry = epoch_from(line);
      if (entry.epoch < 1) {
        skip("an epoch without its number");
        continue;
      }
      epochs[entry.epoch] = entry;
    } else if (event == "end") {
      record.end = {string_at(line, "status"), string_at(line, "message"), string_at(line, "model"),
                    string_at(line, "sha256")};
    } else if (event.empty()) {
      skip("no event");
    }
    // Other events are of a later version.
  }
  if (epochs.empty()) {
    throw Error(
        Status::invalid_argument,
        fmt::format("{} holds no complete epoch yet{}", path.string(),
                    record.end.status.empty() ? "" : fmt::format(": {}: {}", record.end.status, record.end.message)));
  }
  for (const auto& [epoch, entry] : epochs) record.epochs.push_back(entry);
  return record;
}

}  // namespace lavoisier::cli
