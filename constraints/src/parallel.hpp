#ifndef LAVOISIER_PARALLEL_HPP
#define LAVOISIER_PARALLEL_HPP

#include "sample_kernel.hpp"

#include <lavoisier/conditional_gaussian.hpp>

#include <omp.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace lavoisier::detail {

/// How many threads a batch is worth: the same bits for any answer.
inline int thread_count(const BatchOptions& options, Eigen::Index samples, double operations_a_sample) {
  if (options.threads < 0)
    throw Error(Status::invalid_argument,
                "threads is " + std::to_string(options.threads) + ", expected 0 (all) or a positive number");
  if (omp_in_parallel()) return 1;
  const int wanted = options.threads == 0 ? omp_get_max_threads() : options.threads;
  const double useful = static_cast<double>(samples) * operations_a_sample / 2e4;
  return std::max(1, std::min(wanted, static_cast<int>(std::min(useful, 1e6))));
}

/// Calls body(s, thread) for every sample.
template <class Body>
void for_each_sample(Eigen::Index samples, int threads, const Body& body) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (Eigen::Index s = 0; s < samples; ++s) body(s, omp_get_thread_num());
}

template <int Rows, class Body>
void run_kernels(const LawMatrix& laws, Eigen::Index samples, const BatchOptions& options, const Body& body) {
  const double n = static_cast<double>(laws.outputs), m = static_cast<double>(laws.rows);
  const int threads = thread_count(options, samples, 20.0 * n + 6.0 * n * m * m + 2.0 * m * m * m * m);
  std::vector<SampleKernel<Rows>> kernels;
  kernels.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) kernels.emplace_back(laws);
  for_each_sample(samples, threads,
                  [&](Eigen::Index s, int thread) { body(kernels[static_cast<std::size_t>(thread)], s); });
}

/// Calls body(kernel, s) for every sample, with a kernel whose number of rows is known to the compiler up to 8.
template <class Body>
void for_each_kernel(const LawMatrix& laws, Eigen::Index samples, const BatchOptions& options, const Body& body) {
  switch (laws.rows) {
    case 1: return run_kernels<1>(laws, samples, options, body);
    case 2: return run_kernels<2>(laws, samples, options, body);
    case 3: return run_kernels<3>(laws, samples, options, body);
    case 4: return run_kernels<4>(laws, samples, options, body);
    case 5: return run_kernels<5>(laws, samples, options, body);
    case 6: return run_kernels<6>(laws, samples, options, body);
    case 7: return run_kernels<7>(laws, samples, options, body);
    case 8: return run_kernels<8>(laws, samples, options, body);
    default: return run_kernels<-1>(laws, samples, options, body);
  }
}

inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// A sample that failed: its own row says so.
inline void set_nan(RowMatrix& matrix, Eigen::Index s) { matrix.row(s).setConstant(not_a_number); }

/// Data of row s of a contiguous row-major matrix (Eigen::Ref<const RowMatrix> copies what is not).
template <class Matrix>
auto row(Matrix& matrix, Eigen::Index s) {
  return matrix.data() + s * matrix.outerStride();
}

}  // namespace lavoisier::detail

#endif
