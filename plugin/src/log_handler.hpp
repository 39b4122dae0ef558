#ifndef LAVOISIER_PLUGIN_LOG_HANDLER_HPP
#define LAVOISIER_PLUGIN_LOG_HANDLER_HPP

#include <string>

namespace lavoisier::detail {

/// To the host's handler (set_log_handler), if there is one.
void warn(const std::string& message) noexcept;

}  // namespace lavoisier::detail

#endif
