#ifndef LAVOISIER_APPS_TRAINING_LOG_HPP
#define LAVOISIER_APPS_TRAINING_LOG_HPP

// The machine-readable log of a training: one JSON object a line (docs/command-line.md, "The training log").

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// The line "start": what a run begins with. A resumed training has one for each run.
struct LoggedStart {
  std::string version, time;                   ///< filled in by the writer
  std::map<std::string, std::string> options;  ///< resolved, as the model file has them
  std::string data;                            ///< file names with their SHA-256
  std::int64_t training_samples = 0, validation_samples = 0, test_samples = 0;
  std::int64_t weights = 0;
  std::string device;
  int threads = 0;
  std::int64_t epochs_done = 0;  ///< of the checkpoint
};

/// The line "epoch". Numbers that are not finite are null in the file, and NaN here.
struct LoggedEpoch {
  std::int64_t epoch = 0, epochs = 0;
  double training_loss = 0.0, validation_loss = 0.0, best_validation_loss = 0.0;
  std::int64_t best_epoch = 0;
  double learning_rate = 0.0, seconds = 0.0, seconds_left = 0.0;
};

/// The line "end"; a run that was killed has none.
struct LoggedEnd {
  std::string status;  ///< "finished", "stopped early", "interrupted" or "failed"; empty: no such line
  std::string message;
  std::string model, sha256;  ///< of the model file; empty where none was written
};

/// Writes a log. A line is handed to the system whole and at once, so that a killed process leaves whole lines.
class TrainingLogWriter {
 public:
  /// Touches nothing yet. A file at `path` that holds something other than a training log is
  /// Error(invalid_argument). `append`: go on behind an existing log, else it is replaced.
  TrainingLogWriter(std::filesystem::path path, bool append);
  ~TrainingLogWriter();
  TrainingLogWriter(const TrainingLogWriter&) = delete;
  TrainingLogWriter& operator=(const TrainingLogWriter&) = delete;

  /// Opens the file; a last line that was cut short is ended first. These throw Error(io_error or no_space) with path
  /// and reason. `end` does nothing before a start and after another end.
  void start(LoggedStart entry);
  void epoch(const LoggedEpoch& entry);
  void end(const LoggedEnd& entry);

 private:
  void write(const std::string& line);
  std::filesystem::path path_;
  bool append_, ended_ = false;
  int file_ = -1;
};

/// A log as it is read back.
struct TrainingRecord {
  std::string name;  ///< for people; set by the caller
  std::filesystem::path path;
  LoggedStart start;                  ///< the last
  std::vector<LoggedEpoch> epochs;    ///< in order; of each epoch its last line
  LoggedEnd end;                      ///< of the last run
  std::vector<std::string> warnings;  ///< lines that were skipped: "FILE:LINE: reason"
};

/// Error(not_found, io_error): no such file; Error(invalid_format): no training log; Error(invalid_argument): it holds
/// no epoch yet, with how the run ended.
TrainingRecord read_training_log(const std::filesystem::path& path);

}  // namespace lavoisier::cli

#endif
