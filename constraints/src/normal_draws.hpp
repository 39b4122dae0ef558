#ifndef LAVOISIER_NORMAL_DRAWS_HPP
#define LAVOISIER_NORMAL_DRAWS_HPP

#include <lavoisier/estimators.hpp>
#include <lavoisier/random.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace lavoisier::detail {

/// Standard normals of a sample, K x n, by inversion. stratified: each column holds one of each K-quantile interval, in
/// an order drawn for that column (McKay, Beckman and Conover, Technometrics 21, 1979); a row is n independent normals
/// all the same. Address: column = id, element = output, member = a quarter of the draw's number (four words an
/// address); block 0 places a draw in its stratum, block 1 orders the strata.
inline void draw_normals(const random::Key& key, std::uint64_t step, std::uint64_t id, std::size_t draws,
                         std::size_t outputs, bool stratified, double* e, std::vector<std::size_t>& stratum) {
  stratum.resize(draws);
  random::Address at;
  at.column = id;
  at.step = step;
  const auto count = static_cast<double>(draws);
  for (std::size_t j = 0; j < outputs; ++j) {
    at.element = j;
    if (stratified) {
      at.block = 1;
      r123::Philox4x64::ctr_type words{};
      for (std::size_t k = 0; k < draws; ++k) {
        stratum[k] = k;
        if (k % 4 == 0) {
          at.member = k / 4;
          words = random::words(key, at);
        }
        // Inside out (Fisher and Yates); 32 bits, so at most K 2^-32 from uniform.
        const auto other = static_cast<std::size_t>(((words[k % 4] >> 32) * (k + 1)) >> 32);
        stratum[k] = stratum[other];
        stratum[other] = k;
      }
    }
    at.block = 0;
    r123::Philox4x64::ctr_type words{};
    for (std::size_t k = 0; k < draws; ++k) {
      if (k % 4 == 0) {
        at.member = k / 4;
        words = random::words(key, at);
      }
      const double u = (static_cast<double>(words[k % 4] >> 12) + 0.5) * 0x1.0p-52;  // in (0, 1), 1 - u exact
      double value;
      if (!stratified) {
        value = inverse_normal_cdf(u);
      } else if (2 * stratum[k] < draws) {
        value = inverse_normal_cdf((static_cast<double>(stratum[k]) + u) / count);
      } else {  // from above, where 1 - u has its digits
        value = -inverse_normal_cdf((static_cast<double>(draws - 1 - stratum[k]) + (1.0 - u)) / count);
      }
      e[k * outputs + j] = value;
    }
  }
}

}  // namespace lavoisier::detail

#endif
