#ifndef LAVOISIER_MONITOR_HISTORY_HPP
#define LAVOISIER_MONITOR_HISTORY_HPP

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lavoisier {

/// What a log holds.
struct MonitorHistory {
  std::vector<std::string> laws, outputs;  ///< by name, in the order in which the log first has them
  bool has_host = false;                   ///< laws of the host's own outputs too
  std::int64_t steps = 0;
  std::uint64_t first_step = 0, last_step = 0;
  std::int64_t replaced = 0;  ///< further steps, of a run that was resumed before them: what it wrote later counts
};

/// Writes the log of the plugin's monitor (docs/hosts.md) as NetCDF-4: unlimited dimension `step`, dimensions `law` and
/// `output`; one variable a column of the log, `law_…` and `host_law_…` over (step, law), `output_…` over (step,
/// output). What the log has no row of is _FillValue. The log is read twice and never in memory as a whole; the file
/// appears when it is complete. `attributes`: global ones (source, history). Errors of the log name file and line, a
/// line that is cut off among them: invalid_format; of the file as EnsembleWriter's: io_error, no_space; invalid_argument
/// where both are the same.
MonitorHistory write_monitor_history(const std::filesystem::path& log, const std::filesystem::path& netcdf,
                                     const std::map<std::string, std::string>& attributes);

}  // namespace lavoisier

#endif
