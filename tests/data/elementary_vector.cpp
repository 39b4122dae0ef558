#include "elementary_vector.hpp"

#include <lavoisier/elementary.hpp>

namespace lavoisier::tests {

bool vector_code_runs_here() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

#define LAVOISIER_TESTS_LOOP(name, type)                                          \
  void vector_##name(const type* x, type* y, std::size_t n) {                     \
    for (std::size_t i = 0; i < n; ++i) y[i] = ::lavoisier::elementary::name(x[i]); \
  }
LAVOISIER_TESTS_LOOP(exp, float)
LAVOISIER_TESTS_LOOP(sigmoid, float)
LAVOISIER_TESTS_LOOP(silu, float)
LAVOISIER_TESTS_LOOP(tanh, float)
LAVOISIER_TESTS_LOOP(exp, double)
LAVOISIER_TESTS_LOOP(sigmoid, double)
LAVOISIER_TESTS_LOOP(log, double)
LAVOISIER_TESTS_LOOP(log1p_exp, double)
LAVOISIER_TESTS_LOOP(cos_two_pi, double)

}  // namespace lavoisier::tests
