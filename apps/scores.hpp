#ifndef LAVOISIER_APPS_SCORES_HPP
#define LAVOISIER_APPS_SCORES_HPP

// Scores of an ensemble against what was observed. All are per point; means are taken by the caller.

#include <cstdint>
#include <span>
#include <vector>

namespace lavoisier::cli {

/// CRPS of M members (sorted ascending) at y: mean |x_i - y| - 1/2 mean |x_i - x_j|.
/// `fair` takes the pair term over i != j, so that its expectation is the CRPS of the law that the members are drawn
/// from, whatever M (Ferro 2014, Q. J. R. Meteorol. Soc. 140, eq. 6); `plain` over all pairs: the CRPS of the empirical distribution.
/// One member: both are |x - y|.
struct EnsembleCrps {
  double fair = 0.0, plain = 0.0;
};
EnsembleCrps ensemble_crps(std::span<const double> sorted, double y);

/// Energy score of M members (row-major M x n) at y, distances in units of `scale` (n), fair: mean |x_i - y| - 1/2 mean
/// over i != j of |x_i - x_j| (Gneiting and Raftery 2007, section 4.3). Beyond 128 members the pair term is taken over 64 M
/// pairs (i, i + k): unbiased as well. One member: |x - y|.
double energy_score(std::span<const double> members, std::span<const double> y, std::span<const double> scale);

/// How many of the sorted members lie below y, and how many equal it.
struct Rank {
  std::int64_t below = 0, equal = 0;
};
Rank rank_of(std::span<const double> sorted, double y);

/// Randomised probability integral transform: uniform on (0, 1) where y and the M members are exchangeable:
/// (below + v (equal + 1)) / (M + 1), v uniform in [0, 1).
double randomised_pit(const Rank& rank, std::int64_t members, double v);

/// What members say of one number y.
struct MemberScore {
  double error = 0.0;     ///< of their mean
  double crps = 0.0;      ///< fair
  double inside90 = 0.0;  ///< the chance that the randomised PIT lies within [.05, .95]
};
/// `members` are sorted on the way.
MemberScore score_of_members(std::span<double> members, double y);

/// Linear interpolation between order statistics (type 7), p in [0, 1].
double quantile(std::span<const double> sorted, double p);

/// Wasserstein-1 distance between two sets of numbers, streamed: integral of |F - G| over `bins` equal bins on
/// [low, high], exact to one bin's width; numbers outside count with their true distance as long as the other set has
/// none outside on that side.
class Wasserstein {
 public:
  Wasserstein() = default;
  Wasserstein(double low, double high, std::size_t bins);
  void add_first(double x) { add(first_, first_total_, first_outside_, x); }
  void add_second(double x) { add(second_, second_total_, second_outside_, x); }
  double distance() const;
  double resolution() const noexcept { return width_; }

 private:
  struct Outside {
    double below = 0.0, above = 0.0;
  };
  void add(std::vector<std::int64_t>& counts, std::int64_t& total, Outside& outside, double x);
  double low_ = 0.0, high_ = 0.0, width_ = 0.0;
  std::vector<std::int64_t> first_, second_;
  std::int64_t first_total_ = 0, second_total_ = 0;
  Outside first_outside_, second_outside_;
};

/// 0.975 quantile of Student's t with `degrees` >= 1 degrees of freedom, for 95 % intervals.
double student_t_975(int degrees);

/// Mean, sample standard deviation (NaN below two) and half width of the 95 % interval of the mean.
struct Summary {
  double mean = 0.0, deviation = 0.0, half_width = 0.0;
};
Summary summarize(std::span<const double> values);

}  // namespace lavoisier::cli

#endif
