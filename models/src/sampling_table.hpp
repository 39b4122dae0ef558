#ifndef LAVOISIER_MODELS_SAMPLING_TABLE_HPP
#define LAVOISIER_MODELS_SAMPLING_TABLE_HPP

#include <lavoisier/conditional_gaussian.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace lavoisier::detail {

/// x_t = data * x0 + noise * e.
struct ProcessPoint {
  double data = 0.0, noise = 1.0;
};
/// Variance preserving, cosine schedule (Nichol and Dhariwal 2021, eq. 17), 0 <= t <= 1: noise at t = 1.
ProcessPoint cosine_process(double t);
/// Straight paths (Lipman et al. 2023; Liu et al. 2023): noise at t = 0, data at t = 1.
ProcessPoint straight_process(double t);

/// The loop of a `sample` node (docs/model-file.md). Row k of `schedule`: t, p, q, r, u, v, a.
/// ddpm, ddim: x0 = projection of p x + q net; x <- r x + u x0 + v e_k. flow: x <- x + r P0 net. In the null space the
/// network sees x + a A^+ d: the data's share of the state at t, as it is in ambient coordinates.
struct SamplingTable {
  std::string method;      ///< "ddpm", "ddim", "flow"
  std::string projection;  ///< "null_space", "ambient", "none"
  RowMatrix schedule;      ///< steps x columns
  static constexpr Eigen::Index columns = 7;
};
/// `prediction` (ddpm, ddim): what the network says of x_t: "velocity" data e - noise x0 (Salimans and Ho 2022), "noise" e,
/// or "data" x0. ddpm: the ancestral steps of Ho et al. 2020 (variance of q(x_s | x_t, x0)); ddim: Song et al. 2021, eta 0.
/// Times are FP32 numbers, since networks are trained with such.
SamplingTable sampling_table(const std::string& method, const std::string& prediction, const std::string& projection,
                             std::int64_t steps);
/// The largest time of a process whose network makes `prediction`: noise can't tell x0 where there is no data left.
double largest_time(const std::string& prediction);

/// P0 = I - A^+ A and A^+ d, rows of samples; A: laws x n, or a stack; no rows: no laws.
class NullSpace {
 public:
  NullSpace(const RowMatrix& A, Eigen::Index laws) : A_(A), laws_(laws) {}
  RowMatrix project(const RowMatrix& w) const;
  RowMatrix particular(const RowMatrix& d) const;  ///< N x laws -> N x n

 private:
  const RowMatrix& A_;
  Eigen::Index laws_;
};

/// What the network says at states x (N x n) and a time.
using Prediction = std::function<RowMatrix(const RowMatrix& x, double time)>;
/// Standard normals of the loop's site + k, N x n.
using Noise = std::function<RowMatrix(std::int64_t k)>;

/// Runs the loop: N samples in standardised units. A, d: laws in standardised units.
RowMatrix run_sampling(const SamplingTable& table, const RowMatrix& A, const RowMatrix& d, const Noise& noise,
                       const Prediction& prediction);

}  // namespace lavoisier::detail

#endif
