#ifndef LAVOISIER_PLUGIN_MONITOR_REDUCE_HPP
#define LAVOISIER_PLUGIN_MONITOR_REDUCE_HPP

#include "monitor_tally.hpp"

#include <lavoisier/global_laws.hpp>

#include <string>

namespace lavoisier::detail {

/// Makes each rank's tally that of all ranks: every rank calls it, `mine` as of Monitor::end_step. Sums of integers are
/// all that the host can reduce; a largest value is found by votes on its digits. 18 reductions. Errors, the same on
/// every rank: that of the ranks that failed, the reduction's, invalid_argument (two ranks with one column id).
void reduce_step(StepTally& tally, Status mine, Reduce reduce, void* context);
/// How the ranks' logs went, the same on every rank: ok, or a status that one has, with `message`. One reduction; Errors:
/// the reduction's.
Status reduce_log_status(Status mine, Reduce reduce, void* context, std::string& message);

}  // namespace lavoisier::detail

#endif
