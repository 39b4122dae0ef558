#ifndef LAVOISIER_EXACT_SUM_HPP
#define LAVOISIER_EXACT_SUM_HPP

// Sums of FP64 numbers without rounding, so that their order, and over how many threads and ranks they were taken, does
// not reach the bits. C++17, no Kokkos.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lavoisier {

class ExactSumBins;

/// A fixed-point number wide enough for every sum of finite FP64 numbers (Kulisch's long accumulator: U. Kulisch,
/// Computer Arithmetic and Validity, 2008, section 8), in limbs of 32 bits of which each lies in 64, so that carries
/// wait. Bit 0 is 2^-1074; room for 2^64 addends of any size. Infinities and NaNs are counted, not added.
class ExactSum {
 public:
  static constexpr int limb_count = 67;
  static constexpr std::size_t word_count = limb_count + 1;  ///< of pack()

  void clear() noexcept;
  void add(double x) noexcept;
  /// `count` numbers at x[0], x[stride], ... For many: splits them by exponent first (R. Neal, Fast exact summation
  /// using small and large superaccumulators, 2015), in `bins`, which is left empty.
  void add(const double* x, std::int64_t count, std::int64_t stride, ExactSumBins& bins) noexcept;
  void add(const ExactSum& other) noexcept;

  /// The sum, rounded once, to nearest, ties to even; infinite beyond the range of double; NaN if !finite().
  double value() const noexcept;
  bool finite() const noexcept { return non_finite_ == 0; }
  std::int64_t non_finite() const noexcept { return non_finite_; }  ///< how many addends were no finite numbers

  /// As word_count integers: added word by word, over up to 2^30 ranks, they are those of the sum of sums. One form for
  /// one value: the same sum packs to the same words.
  void pack(std::int64_t* words) const noexcept;
  void unpack(const std::int64_t* words) noexcept;

 private:
  friend class ExactSumBins;
  /// At a bit position, `low` + 2^64 `high`, added or subtracted.
  void add_at(int position, std::uint64_t low, std::uint64_t high, bool negative) noexcept;
  void carry() noexcept;  ///< limbs to [0, 2^32), the top one signed

  std::int64_t limb_[limb_count] = {};
  std::int64_t non_finite_ = 0;
  std::int64_t pending_ = 0;  ///< additions since the last carry
};

/// Scratch of ExactSum::add: 128 KiB, allocated once.
class ExactSumBins {
 public:
  ExactSumBins();
  ~ExactSumBins();
  ExactSumBins(const ExactSumBins&) = delete;
  ExactSumBins& operator=(const ExactSumBins&) = delete;

 private:
  friend class ExactSum;
  struct Bins;
  std::unique_ptr<Bins> bins_;
};

}  // namespace lavoisier

#endif
