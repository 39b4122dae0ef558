#include "log_handler.hpp"

#include <lavoisier/emulator.hpp>

#include <mutex>

namespace lavoisier {
namespace {

std::mutex mutex;  // of the two below
LogHandler handler = nullptr;
void* handler_context = nullptr;

}  // namespace

void set_log_handler(LogHandler given, void* context) noexcept {
  const std::lock_guard<std::mutex> lock(mutex);
  handler = given;
  handler_context = context;
}

void detail::warn(const std::string& message) noexcept {
  LogHandler function = nullptr;
  void* context = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    function = handler;
    context = handler_context;
  }
  if (function == nullptr) return;
  try {
    function(context, message.c_str());
  } catch (...) {  // the host's, in the host's own code: not ours to pass on
  }
}

}  // namespace lavoisier
