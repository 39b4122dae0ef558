#ifndef LAVOISIER_PLUGIN_MONITOR_REPORT_HPP
#define LAVOISIER_PLUGIN_MONITOR_REPORT_HPP

#include "monitor_tally.hpp"

#include <lavoisier/monitor.hpp>

#include <string>
#include <vector>

namespace lavoisier::detail {

/// What the tally of a step says. `tolerances`: one a law.
MonitorReport report_of(const Program& program, const StepTally& tally,
                        const std::vector<MonitorTolerance>& tolerances, std::uint64_t step);

}  // namespace lavoisier::detail

#endif
