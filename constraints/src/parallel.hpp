#ifndef LAVOISIER_PARALLEL_HPP
#define LAVOISIER_PARALLEL_HPP

#include "sample_kernel.hpp"

#include <lavoisier/conditional_gaussian.hpp>

#include <omp.h>

#include <algorithm>
#include <limits>
#include <optional>
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

/// A zero row, or what is no number, in a shared A: thrown, or every sample's status.
enum class SharedFaults { to_throw, to_status };

/// The laws of a batch: A is m x n for all samples, or (N m) x n, one block of m rows a sample. Keeps a pointer to A.
class LawBatch {
 public:
  /// Throws shape_mismatch if A has neither `rows` nor samples * rows rows.
  LawBatch(const char* function, const RowMatrix& A, Eigen::Index samples, Eigen::Index rows,
           SharedFaults faults = SharedFaults::to_throw);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t outputs() const noexcept { return static_cast<std::size_t>(A_->cols()); }
  /// The laws of all samples, or null where each has its own.
  const LawMatrix* shared() const noexcept { return shared_ ? &*shared_ : nullptr; }
  /// The block of sample s of a stacked A.
  const double* block(Eigen::Index s) const noexcept {
    return A_->data() + static_cast<std::size_t>(s) * rows_ * outputs();
  }

 private:
  const RowMatrix* A_;
  std::size_t rows_;
  std::optional<LawMatrix> shared_;
};

template <int Rows, class Body>
void run_kernels(const LawMatrix* shared, const LawBatch* stacked, Eigen::Index samples, const BatchOptions& options,
                 const Body& body) {
  const std::size_t outputs = shared != nullptr ? shared->outputs : stacked->outputs();
  const std::size_t rows = shared != nullptr ? shared->rows : stacked->rows();
  const double n = static_cast<double>(outputs), m = static_cast<double>(rows);
  const int threads = thread_count(options, samples, 20.0 * n + 6.0 * n * m * m + 2.0 * m * m * m * m);
  std::vector<LawMatrix> laws;
  std::vector<SampleKernel<Rows>> kernels;
  laws.reserve(static_cast<std::size_t>(threads));
  kernels.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) {
    if (shared == nullptr) laws.emplace_back(rows, outputs);
    kernels.emplace_back(shared != nullptr ? *shared : laws.back(), options.drop_dependent_rows);
  }
  for_each_sample(samples, threads, [&](Eigen::Index s, int thread) {
    const auto t = static_cast<std::size_t>(thread);
    if (shared == nullptr) laws[t].assign(stacked->block(s), outputs);
    body(kernels[t], s);
  });
}

template <class Body>
void dispatch_kernels(std::size_t rows, const LawMatrix* shared, const LawBatch* stacked, Eigen::Index samples,
                      const BatchOptions& options, const Body& body) {
  switch (rows) {
    case 1: return run_kernels<1>(shared, stacked, samples, options, body);
    case 2: return run_kernels<2>(shared, stacked, samples, options, body);
    case 3: return run_kernels<3>(shared, stacked, samples, options, body);
    case 4: return run_kernels<4>(shared, stacked, samples, options, body);
    case 5: return run_kernels<5>(shared, stacked, samples, options, body);
    case 6: return run_kernels<6>(shared, stacked, samples, options, body);
    case 7: return run_kernels<7>(shared, stacked, samples, options, body);
    case 8: return run_kernels<8>(shared, stacked, samples, options, body);
    default: return run_kernels<-1>(shared, stacked, samples, options, body);
  }
}

/// Calls body(kernel, s) for every sample, with a kernel whose number of rows is known to the compiler up to 8.
template <class Body>
void for_each_kernel(const LawMatrix& laws, Eigen::Index samples, const BatchOptions& options, const Body& body) {
  dispatch_kernels(laws.rows, &laws, nullptr, samples, options, body);
}
/// The same; where each sample has laws of its own, the kernel has them, and kernel.set() says what is wrong with them.
template <class Body>
void for_each_kernel(const LawBatch& laws, Eigen::Index samples, const BatchOptions& options, const Body& body) {
  dispatch_kernels(laws.rows(), laws.shared(), &laws, samples, options, body);
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
