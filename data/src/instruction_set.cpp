#include <lavoisier/instruction_set.hpp>
#include <lavoisier/status.hpp>

#include <cstdlib>
#include <cstring>
#include <string>

namespace lavoisier::detail {

int instruction_level() noexcept {
#if defined(LAVOISIER_HAVE_X86_64_LEVELS)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  return avx512 ? 2 : 1;
#else
  return 0;
#endif
}

int chosen_instruction_set(std::span<const char* const> names) {
  const char* asked = std::getenv("LAVOISIER_INSTRUCTION_SET");
  if (asked == nullptr || *asked == '\0') return 0;
  std::string runnable;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::strcmp(asked, names[i]) == 0) return static_cast<int>(i);
    runnable += std::string(i ? ", " : "") + names[i];
  }
  throw Error(Status::invalid_argument,
              std::string("LAVOISIER_INSTRUCTION_SET is '") + asked + "'; this processor runs " + runnable);
}

}  // namespace lavoisier::detail
