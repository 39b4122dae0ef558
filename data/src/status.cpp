#include <lavoisier/status.hpp>

namespace lavoisier {

const char* status_name(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::invalid_argument: return "invalid_argument";
    case Status::not_found: return "not_found";
    case Status::invalid_format: return "invalid_format";
    case Status::digest_mismatch: return "digest_mismatch";
    case Status::unsupported_version: return "unsupported_version";
    case Status::unsupported: return "unsupported";
    case Status::unit_mismatch: return "unit_mismatch";
    case Status::shape_mismatch: return "shape_mismatch";
    case Status::not_initialized: return "not_initialized";
    case Status::non_finite: return "non_finite";
    case Status::out_of_range: return "out_of_range";
    case Status::inconsistent_laws: return "inconsistent_laws";
    case Status::rank_deficient: return "rank_deficient";
    case Status::law_violated: return "law_violated";
    case Status::io_error: return "io_error";
    case Status::no_space: return "no_space";
    case Status::out_of_memory: return "out_of_memory";
    case Status::interrupted: return "interrupted";
    case Status::internal: return "internal";
  }
  return "unknown";
}

namespace detail {

void throw_requirement(Status status, const char* condition, const std::string& message, const char* file, int line) {
  throw Error(status, message + " (" + condition + " does not hold, " + file + ":" + std::to_string(line) + ")");
}

}  // namespace detail

}  // namespace lavoisier
