#ifndef LAVOISIER_FUSED_KERNELS_HPP
#define LAVOISIER_FUSED_KERNELS_HPP

// The conditional CRPS step of a few samples at once, one a vector lane: SampleKernel's operations in SampleKernel's
// order, so that its bits are those of a sample alone, whatever the instruction set. One table an instruction set. Like
// the kernels themselves, this header includes nothing that emits code: an inline function compiled for AVX-512 must not
// become the copy that the whole process uses.

#include <cstdint>

namespace lavoisier::detail {

inline constexpr std::int64_t fused_rows = 8;   ///< most laws of samples with deviations of their own
inline constexpr std::int64_t fused_shared_rows = 64;  ///< most laws with one row of deviations for all
inline constexpr std::int64_t fused_slots = 8;  ///< partial sums over samples: sample s goes to slot s % fused_slots

/// Samples are rows; `count` of them, at most `lanes`. Everything row-major and contiguous.
struct FusedTile {
  std::int64_t n, count;
  const double* columns;    ///< n x m, rows of the laws scaled (LawMatrix)
  const double* row_scale;  ///< m
  double least_pivot;       ///< small_pivot: a sample whose W has a smaller one is done in double-double
  const double* weight;     ///< n
  const double *mean, *deviation, *y;  ///< count x n
  const double* d;                     ///< count x m
  double* value;                       ///< count
  double *mean_bar, *deviation_bar;    ///< count x n
  double* scratch;                     ///< fused_scratch(n, m, lanes), aligned to 64 bytes
};

/// A ScaledCholesky (of A A', of W) that all samples share.
struct GramFactor {
  const double *factor, *inverse_pivot, *scale;  ///< m x m, m, m
};

/// What one row of standard deviations for the whole batch leaves to be computed once.
struct SharedLaw {
  std::int64_t rows;                          ///< m
  const double* variance;                     ///< n, the prior's
  GramFactor factor;                          ///< of W
  const double *sigma, *inverse_sigma;        ///< n x lanes: of the conditional marginals, each number `lanes` times
  std::int64_t special_count;
  const std::int64_t* special;                ///< outputs of leverage above 1/2
  const double* special_column;               ///< special_count x n: P_ij over i
};

/// Sums over samples, n x fused_slots each: of d loss / d v_j, and of (d loss / d mu_j) a_j'lambda.
struct SharedSums {
  double *variance_bar, *shift;
  std::int64_t first_slot;
};

/// The same for a log density.
struct SharedDensity {
  std::int64_t rows;                                ///< m
  const double *deviation, *inverse, *narrowing;    ///< n: s, 1/s, and what the marginal variances v add to d/ds: v/s^3
  GramFactor covariance, gram;                      ///< of W, of A A'
  double of_pivot;                                  ///< epsilon / the smallest pivot of W
  double least_violation, noise;                    ///< as in DensityParts
};

/// What a log density is made of besides tile.value, which holds the quadratic form: a number a sample, `pivot` and `scale` (of
/// the factor of W) m a sample.
struct DensityParts {
  double *mantissa;        ///< LogProduct of the deviations
  std::int64_t* exponent;
  double *pivot, *scale;
  double least_violation;  ///< relative residual of y, and noise relative to the quadratic form: beyond them a sample is done
  double noise;            ///< alone, by SampleKernel's own rules
};

struct FusedKernels {
  const char* name;
  std::int64_t lanes;
  /// By number of laws less one; the last of `shared_` is for any number above fused_rows. Returns one bit a sample,
  /// set where the sample must be done alone (its outputs are then
  /// not to be used): a deviation that is not positive, a leverage above 1/2, W near singular, a value that is not finite.
  std::uint32_t (*crps[fused_rows])(const FusedTile&);
  /// With one row of deviations for all (tile.deviation and deviation_bar unused); a bit is set where the value is not
  /// finite.
  std::uint32_t (*shared_crps[fused_rows + 1])(const FusedTile&, const SharedLaw&, const SharedSums&);
  /// Log density on the laws and its gradients, deviations of each sample. Bits as for crps.
  std::uint32_t (*log_density[fused_rows])(const FusedTile&, const GramFactor&, const DensityParts&);
  /// With one row of deviations for all (tile.deviation unused): the quadratic form, and the gradients of each sample's
  /// log density unless tile.mean_bar is null. A bit is set where y may be off the laws or rounding tells.
  std::uint32_t (*shared_log_density[fused_rows + 1])(const FusedTile&, const SharedDensity&);
  /// CRPS of `count` normal marginals, one after another.
  void (*gaussian_crps)(const double* from_mean, const double* sigma, const double* inverse_sigma, std::int64_t count,
                        double* value, double* mean_bar, double* variance_bar);
};

/// Numbers of scratch for a tile.
inline std::int64_t fused_scratch(std::int64_t n, std::int64_t m, std::int64_t lanes) { return (10 + m) * n * lanes; }

/// All tables that this processor can run, best first; none where the compiler has no vector extensions.
int runnable_fused_kernels(const FusedKernels* (&tables)[3]) noexcept;
/// The best; LAVOISIER_INSTRUCTION_SET (x86-64, avx2, avx512) asks for a lower one. Null if there is none.
const FusedKernels* fused_kernels();

#if defined(__GNUC__)
extern const FusedKernels fused_kernels_baseline;
#if defined(__x86_64__)
extern const FusedKernels fused_kernels_avx2;
extern const FusedKernels fused_kernels_avx512;
#endif
#endif

}  // namespace lavoisier::detail

#endif
