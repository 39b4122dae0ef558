#ifndef LAVOISIER_SAMPLE_KERNEL_HPP
#define LAVOISIER_SAMPLE_KERNEL_HPP

// One sample of the conditional law of a diagonal Gaussian: what every batched function is made of. A thread owns a
// kernel. Formulas and their derivations: docs/method.md.
//
// A kernel works in FP64 as long as that holds the digits. Where a scaled pivot of W, of W without an output, or of
// A A' is below `small_pivot`, the sample is done again by a kernel that works in double-double, whatever member is
// called: inputs and results stay double. Nothing is allocated after construction but that second kernel, once.

#include "law_matrix.hpp"

#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace lavoisier::detail {

inline constexpr double log_two_pi = 1.8378770664093454836;

/// FP64 loses about eps / pivot of a sample's moments: below this pivot a sample is redone in double-double.
inline constexpr double small_pivot = 1e-4;
/// So is a log density in whose quadratic form FP64 leaves more than this.
inline constexpr double log_density_noise = 1e-11;

template <int Rows, class Real = double>
class SampleKernel {
  static constexpr bool refines = std::is_same_v<Real, double>;
  using Precise = SampleKernel<-1, DoubleDouble>;

 public:
  explicit SampleKernel(const LawMatrix& laws, bool drop_dependent_rows = false);

  std::size_t outputs() const noexcept { return laws_->outputs; }
  std::size_t rows() const noexcept { return whole_.size(); }
  /// Rows that count for this sample: rows() but for dropped ones. After set() or null_space_log_density().
  std::size_t rank() const noexcept;
  /// Their indices.
  std::vector<std::size_t> kept_rows() const;
  /// Of set(): smallest scaled pivot of W, the row that has it, and the row that was found to be at fault
  /// (rows() if none).
  double smallest_pivot() const noexcept;
  std::size_t smallest_pivot_row() const noexcept;
  std::size_t failed_row() const noexcept { return failed_row_; }

  /// Whether the sample was done again in double-double.
  bool refined() const noexcept {
    if constexpr (refines) return refined_;
    return false;
  }

  /// Variances, W and its factor, d. The kernel keeps pointers to nothing but the laws.
  Status set(const double* mean, const double* deviation, const double* d) noexcept;

  /// After a set() that was ok without refining, a sample of the same deviations: mean and right-hand side.
  Status set_right_hand_side(const double* mean, const double* d) noexcept;

  /// lambda = W^-1 (A z - d), kept for the adjoints.
  void set_lambda(const double* z) noexcept;

  /// y = z - S A' W^-1 (A z - d), and once more: the first pass leaves a residual that grows with cond(W).
  void move_onto_laws(const double* z, double* y) noexcept;

  /// leverage_j = S_j a_j' W^-1 a_j, and which of them pass 1/2 (fewer than twice the rows: they sum to their number).
  void set_leverages() noexcept;

  /// Diagonal of V without cancellation; after set_leverages().
  void variances(double* v) noexcept;

  /// p = P' y_bar for an adjoint y_bar.
  void project_adjoint(const double* y_bar, double* p) noexcept;

  /// Adjoint of mean and variances together; after set_lambda() and set_leverages(). Outputs of large leverage are
  /// summed without their own term, as their variances are.
  void moments_adjoint(const double* deviation, const double* m_bar, const double* v_bar, double* mu_bar,
                       double* deviation_bar) noexcept;

  /// Adjoint of z = mu + s e moved onto the laws; after set_lambda(z).
  void draw_adjoint(const double* deviation, const double* e, const double* y_bar, double* mu_bar,
                    double* deviation_bar) noexcept;

  /// P_ij over i for every output j of large leverage, in their order: special().size() x outputs. After
  /// set_leverages(), where rows() < outputs(), and not after refining.
  void special_columns(double* P) noexcept;
  const std::vector<std::size_t>& special() const noexcept { return special_; }
  const ScaledCholesky<Rows, Real>& factor() const noexcept { return whole_; }
  /// Of A A', after set_gram().
  const ScaledCholesky<Rows, Real>& gram_factor() const noexcept { return part_; }

  /// log density of y on the laws with respect to their surface measure, and its gradients unless null. With y - m and
  /// not y - mu in the exponent: the two quadratic forms of the formula cancel where r is large against W.
  /// `shared`: set_leverages(), variances(marginal_variance.data()) and set_gram() were done, for these deviations.
  Status log_density(const double* mean, const double* deviation, const double* y, double& value, double* mean_bar_out,
                     double* deviation_bar_out, bool shared = false) noexcept;
  /// False where A A' would make log_density() refine, or fail.
  bool set_gram(const double* deviation) noexcept;

  /// log N(N'y; N'mu, N'SN) of delta = y - mu, and its gradients in mu and deviation unless null. With T = A S^-1 A':
  /// det(N'SN) = det(S) det(T) / det(A A'), and the quadratic form is that of delta less its part in the laws' rows.
  /// Uses the kernel's variances for 1/S. Deviations are positive.
  double null_space_log_density(const double* delta, const double* deviation, double* mean_bar_out,
                                double* deviation_bar_out) noexcept;

  /// After log_density(): what turns its value into the density of the outputs other than `dependent` (rows() of them):
  /// 1/2 log det(A A') - log |det A_D|. NaN if A_D is singular, or a dependent output known, or rows were dropped.
  double reduced_coordinates_term(const double* deviation, const std::size_t* dependent) noexcept;

  /// Differential entropy on the laws, surface measure, and its gradient in the deviation unless null.
  Status entropy(const double* deviation, double& value, double* deviation_bar) noexcept;

  /// x = W^-1 b, both of scaled rows; x may be b.
  void solve(const double* b, double* x) noexcept;

  double variance(std::size_t j) const noexcept { return to_double(variance_[j]); }
  double leverage(std::size_t j) const noexcept { return to_double(leverage_[j]); }
  const double* column(std::size_t j) const noexcept { return laws_->column(j); }  ///< a_j, rows scaled
  template <class X>
  Real dot(std::size_t j, const X* x) const noexcept {
    const double* a = laws_->column(j);
    Real sum = 0.0;
    for (std::size_t k = 0; k < rows(); ++k) sum += a[k] * x[k];
    return sum;
  }
  const Real* lambda() const noexcept { return lambda_.data(); }
  /// (A' lambda)_j in the working precision of the sample: dot(j, lambda()) loses digits where W is near singular.
  double A_lambda(std::size_t j) const noexcept;
  /// x_j = L^-1 D a_j, W = D^-1 L L' D^-1, so that P_ij = -S_i x_i'x_j (i != j); after set_leverages().
  const Real* half(std::size_t j) const noexcept { return half_.data() + j * rows(); }

  /// log det(A A') of scaled rows over the outputs that are not known (deviation > 0); NaN if singular.
  double log_det_gram(const double* deviation) noexcept;
  /// log det W of scaled rows; after set().
  double log_det_W() const noexcept;

  /// Largest |A y - d| relative to the law's own terms.
  double largest_relative_residual(const double* y) noexcept;

 private:
  template <int, class>
  friend class SampleKernel;

  /// W without an output is stored for this many; W near singular may bring more, which are summed one by one.
  std::size_t stored_limit() const noexcept { return std::min(2 * laws_->rows, laws_->outputs); }
  Real* half_of(std::size_t j) noexcept { return half_.data() + j * rows(); }
  Real dot_of_halves(std::size_t i, std::size_t j) const noexcept {
    Real sum = 0.0;
    for (std::size_t k = 0; k < rows(); ++k) sum += half(i)[k] * half(j)[k];
    return sum;
  }
  void clear(Real* matrix) const noexcept { std::fill_n(matrix, rows() * rows(), Real(0.0)); }
  /// Lower triangle of matrix += weight a_j a_j'.
  template <class Weight>
  void add_outer(Real* matrix, std::size_t j, Weight weight) const noexcept {
    const std::size_t m = rows();
    const double* a = laws_->column(j);
    for (std::size_t k = 0; k < m; ++k) {
      const Real left = Real(weight) * a[k];
      for (std::size_t l = 0; l <= k; ++l) matrix[k * m + l] += left * a[l];
    }
  }
  template <class Z>
  void solve_residual(const Z* z, Real* x) const noexcept;
  void project(const double* y_bar, Real* p) noexcept;
  bool factorize_gram(const double* deviation) noexcept;

  /// Factors of W without each output of large leverage. Sums only: subtracting the output from W is what loses the
  /// digits.
  void factorize_parts() noexcept;
  /// Factor of W without the q-th special output, or null where that is singular.
  const ScaledCholesky<Rows, Real>* without(std::size_t q) noexcept;
  /// P_jj of the q-th special output j; u_ is then such that P_ij = -S_i a_i'u_ for the others.
  Real solve_special(std::size_t q) noexcept;

  /// The same sample in double-double.
  Status refine() noexcept;
  Status select_rows(const double* mean) noexcept;
  void take_laws(const LawMatrix& laws) noexcept;
  void take_lambda() noexcept;
  void take_leverages() noexcept;

  const LawMatrix* laws_;
  bool drop_dependent_rows_;
  ScaledCholesky<Rows, Real> whole_, part_;
  std::vector<ScaledCholesky<Rows, Real>> parts_;
  std::vector<Real> variance_, leverage_, half_, W_, d_, lambda_, row_, u_, product_, sums_, moved_, squares_;
  std::vector<double> mean_, deviation_, z_, right_hand_side_;
  std::vector<std::size_t> special_;
  std::vector<char> regular_;
  std::size_t failed_row_ = 0;
  double log_det_gram_ = 0.0;
  bool refined_ = false, has_lambda_ = false;
  std::conditional_t<refines, std::unique_ptr<Precise>, char> precise_{};
  // Of the double-double kernel: the laws as given, and the rows of them that are kept.
  const LawMatrix* given_;
  std::unique_ptr<LawMatrix> kept_laws_;
  std::vector<std::size_t> kept_;

 public:
  std::vector<double> marginal_mean, marginal_variance, mean_bar, variance_bar;  ///< scratch of callers
};

// Instantiated in sample_kernel*.cpp from sample_kernel_members.hpp.
extern template class SampleKernel<-1, DoubleDouble>;
extern template class SampleKernel<-1>;
extern template class SampleKernel<1>;
extern template class SampleKernel<2>;
extern template class SampleKernel<3>;
extern template class SampleKernel<4>;
extern template class SampleKernel<5>;
extern template class SampleKernel<6>;
extern template class SampleKernel<7>;
extern template class SampleKernel<8>;

}  // namespace lavoisier::detail

#endif
