#ifndef LAVOISIER_PLUGIN_FLOATING_POINT_ENVIRONMENT_HPP
#define LAVOISIER_PLUGIN_FLOATING_POINT_ENVIRONMENT_HPP

#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace lavoisier::detail {

/// Round to nearest, subnormals kept, no traps while it lives; the host's own mode and flags afterwards. A host may run
/// with flush-to-zero or trapping exceptions: neither may change our bits, or be changed by us.
class DefaultFloatingPoint {
 public:
  DefaultFloatingPoint(const DefaultFloatingPoint&) = delete;
  DefaultFloatingPoint& operator=(const DefaultFloatingPoint&) = delete;
#if defined(__x86_64__)
  DefaultFloatingPoint() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~DefaultFloatingPoint() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  DefaultFloatingPoint() noexcept {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatingPoint() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_;
#endif
};

}  // namespace lavoisier::detail

#endif
