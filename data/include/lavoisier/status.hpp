#ifndef LAVOISIER_STATUS_HPP
#define LAVOISIER_STATUS_HPP

// Compiles as C++17: the plugin's host-facing header includes it.

#include <stdexcept>
#include <string>

namespace lavoisier {

/// What went wrong. One numbering for C++, C (`lav_status`) and Fortran; a test holds the three together.
/// Values are part of the ABI: never renumbered, only appended.
enum class Status : int {
  ok = 0,
  invalid_argument = 1,     ///< a call or an option that makes no sense as given
  not_found = 2,            ///< a file, variable, domain or name that is not there
  invalid_format = 3,       ///< a file that is not what it claims, or is cut short
  digest_mismatch = 4,      ///< a file whose contents do not match its SHA-256
  unsupported_version = 5,  ///< a file or header of another version
  unsupported = 6,          ///< well formed, but this build or release cannot do it
  unit_mismatch = 7,        ///< units that cannot be converted or differ from what was registered
  shape_mismatch = 8,       ///< extents, strides, ranks or memory space that differ from what is expected
  not_initialized = 9,      ///< `lav_initialize` was not called
  non_finite = 10,          ///< a NaN or an infinity where a number is needed
  out_of_range = 11,        ///< a value outside the training range, or an index outside its bounds
  inconsistent_laws = 12,   ///< laws that contradict each other
  rank_deficient = 13,      ///< laws that lose rank for a sample
  law_violated = 14,        ///< a residual beyond its tolerance
  io_error = 15,            ///< the system refused to read or write
  no_space = 16,            ///< the disk is full
  out_of_memory = 17,
  interrupted = 18,         ///< stopped by the user; what was kept is in the message
  internal = 19             ///< a defect of Lavoisier itself
};

/// The status' name as written above, e.g. "unit_mismatch"; static storage.
const char* status_name(Status status) noexcept;

/// The exception of all C++ interfaces. `what()` says what was expected, what was found and where.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  Status status() const noexcept { return status_; }

 private:
  Status status_;
};

namespace detail {
[[noreturn]] void throw_requirement(Status status, const char* condition, const std::string& message,
                                    const char* file, int line);
}

}  // namespace lavoisier

/// Always on. Throws lavoisier::Error(internal) with the message, the condition, and file and line.
#define LAVOISIER_REQUIRE(condition, message)                                                          \
  do {                                                                                                 \
    if (!(condition))                                                                                  \
      ::lavoisier::detail::throw_requirement(::lavoisier::Status::internal, #condition, (message),     \
                                             __FILE__, __LINE__);                                      \
  } while (false)

#endif
