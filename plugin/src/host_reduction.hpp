#ifndef LAVOISIER_PLUGIN_HOST_REDUCTION_HPP
#define LAVOISIER_PLUGIN_HOST_REDUCTION_HPP

#include <lavoisier/global_laws.hpp>
#include <lavoisier/status.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

namespace lavoisier::detail {

/// Sums words over all ranks by the host's reduction, which must not throw: where it does, that is an error like its
/// status. `when`: the call that needs it, for messages.
inline void reduce_over_ranks(Reduce reduce, void* context, std::int64_t* words, std::size_t count,
                              const std::string& when) {
  Status status = Status::internal;
  std::string thrown;
  try {
    status = reduce(context, words, count);
  } catch (const Error& error) {
    status = error.status() == Status::ok ? Status::internal : error.status();
    thrown = std::string(": it threw \"") + error.what() + '"';
  } catch (const std::exception& error) {
    thrown = std::string(": it threw \"") + error.what() + '"';
  } catch (...) {
    thrown = ": it threw what is no std::exception";
  }
  if (status != Status::ok)
    throw Error(status, when + ": the reduction over ranks failed (" + status_name(status) + ")" + thrown);
}

}  // namespace lavoisier::detail

#endif
