#include "fused_losses.hpp"

#include "crps.hpp"
#include "fused_kernels.hpp"
#include "log_product.hpp"
#include "parallel.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <numeric>

namespace lavoisier::detail {

using Eigen::Index;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

/// Uninitialised, aligned to a cache line.
class Scratch {
 public:
  explicit Scratch(std::int64_t numbers)
      : memory_(new double[static_cast<std::size_t>(numbers) + 8]) {}
  double* data() const noexcept {
    return reinterpret_cast<double*>((reinterpret_cast<std::uintptr_t>(memory_.get()) + 63) & ~std::uintptr_t{63});
  }

 private:
  std::unique_ptr<double[]> memory_;
};

std::vector<Scratch> scratch_of(int threads, std::int64_t numbers) {
  std::vector<Scratch> scratch;
  scratch.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) scratch.emplace_back(numbers);
  return scratch;
}

/// The samples from `s` on, at most `count`: what both kinds of tile read and write alike.
FusedTile tile_of(const LawMatrix& laws, const Batch& mean, const Batch& d, const Batch& y, const Eigen::VectorXd& weight,
                  BatchLoss& loss, Index s, Index count, double* scratch) {
  FusedTile tile{};
  tile.n = static_cast<std::int64_t>(laws.outputs);
  tile.count = count;
  tile.columns = laws.columns.data();
  tile.row_scale = laws.row_scale.data();
  tile.weight = weight.data();
  tile.mean = row(mean, s);
  tile.y = row(y, s);
  tile.d = row(d, s);
  tile.value = loss.value.data() + s;
  tile.mean_bar = row(loss.gradient.mean, s);
  tile.scratch = scratch;
  return tile;
}

/// Contiguous rows are what the tiles read.
bool contiguous(const Batch& matrix) { return matrix.rows() <= 1 || matrix.outerStride() == matrix.cols(); }

/// Whether tiles of samples can do most of a batch of samples with deviations of their own.
bool tiles_serve(const LawMatrix* laws, Index samples, std::initializer_list<const Batch*> read) {
  // With fewer than 2m outputs some leverage passes 1/2: they sum to m.
  if (laws == nullptr || fused_kernels() == nullptr || laws->rows < 1 ||
      laws->rows > static_cast<std::size_t>(fused_rows) || laws->outputs < 2 * laws->rows || samples < 2)
    return false;
  return std::all_of(read.begin(), read.end(), [](const Batch* one) { return contiguous(*one); });
}

GramFactor parts_of(const ScaledCholesky<-1>& factor) {
  return {factor.factor(), factor.inverse_pivot(), factor.scale()};
}

std::vector<Index> all_of(Index samples) {
  std::vector<Index> all(static_cast<std::size_t>(samples));
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

/// The samples of the tiles' bits.
std::vector<Index> those_left(const std::vector<std::uint32_t>& alone, Index lanes) {
  std::vector<Index> rest;
  for (std::size_t i = 0; i < alone.size(); ++i)
    for (Index lane = 0; lane < lanes; ++lane)
      if (alone[i] >> lane & 1u) rest.push_back(static_cast<Index>(i) * lanes + lane);
  return rest;
}

}  // namespace

std::vector<Index> fused_conditional_crps(const LawMatrix* shared, const Batch& mean, const Batch& standard_deviation,
                                          const Batch& d, const Batch& y, const Eigen::VectorXd& weight,
                                          const BatchOptions& options, BatchLoss& loss) {
  const Index samples = mean.rows();
  if (!tiles_serve(shared, samples, {&mean, &standard_deviation, &d, &y})) return all_of(samples);
  const LawMatrix& laws = *shared;
  const auto n = static_cast<std::int64_t>(laws.outputs), m = static_cast<std::int64_t>(laws.rows);
  const FusedKernels* const kernels = fused_kernels();
  const Index lanes = kernels->lanes, tiles = (samples + lanes - 1) / lanes;
  const int threads = thread_count(options, samples, static_cast<double>(n * (30 + m * m)));
  const auto scratch = scratch_of(threads, fused_scratch(n, m, lanes));
  std::vector<std::uint32_t> alone(static_cast<std::size_t>(tiles));
  for_each_sample(tiles, threads, [&](Index i, int thread) {
    const Index s = i * lanes;
    FusedTile tile = tile_of(laws, mean, d, y, weight, loss, s, std::min(lanes, samples - s),
                             scratch[static_cast<std::size_t>(thread)].data());
    tile.least_pivot = small_pivot;
    tile.deviation = row(standard_deviation, s);
    tile.deviation_bar = row(loss.gradient.standard_deviation, s);
    alone[static_cast<std::size_t>(i)] = kernels->crps[m - 1](tile);
  });
  return those_left(alone, lanes);
}

std::vector<Index> fused_conditional_log_density(const LawMatrix* shared, const Batch& mean, const Batch& standard_deviation,
                                                 const Batch& d, const Batch& y, const BatchOptions& options,
                                                 LogDensity& density) {
  const Index samples = mean.rows();
  if (options.drop_dependent_rows || !tiles_serve(shared, samples, {&mean, &standard_deviation, &d, &y}))
    return all_of(samples);
  const LawMatrix& laws = *shared;
  const auto n = static_cast<std::int64_t>(laws.outputs), m = static_cast<std::int64_t>(laws.rows);
  const FusedKernels* const kernels = fused_kernels();
  SampleKernel<-1> kernel(laws);
  const std::vector<double> ones(laws.outputs, 1.0);
  if (!kernel.set_gram(ones.data())) return all_of(samples);
  const GramFactor gram = parts_of(kernel.gram_factor());
  const double log_det_gram = kernel.gram_factor().log_det();
  const Index lanes = kernels->lanes, tiles = (samples + lanes - 1) / lanes;
  const int threads = thread_count(options, samples, static_cast<double>(n * (30 + m * m)));
  const bool with_gradient = density.gradient.mean.rows() > 0;
  const std::int64_t parts_of_tile = lanes * (2 * m + 1), rows_of_tile = with_gradient ? 0 : 2 * n * lanes;
  const auto scratch = scratch_of(threads, fused_scratch(n, m, lanes) + parts_of_tile + rows_of_tile);
  std::vector<std::int64_t> exponents(static_cast<std::size_t>(threads * lanes));
  std::vector<std::uint32_t> alone(static_cast<std::size_t>(tiles));
  for_each_sample(tiles, threads, [&](Index i, int thread) {
    const Index s = i * lanes;
    double* const own = scratch[static_cast<std::size_t>(thread)].data();
    double* const numbers = own + fused_scratch(n, m, lanes);
    FusedTile tile{};
    tile.n = n;
    tile.count = std::min(lanes, samples - s);
    tile.columns = laws.columns.data();
    tile.row_scale = laws.row_scale.data();
    tile.least_pivot = small_pivot;
    tile.mean = row(mean, s);
    tile.deviation = row(standard_deviation, s);
    tile.y = row(y, s);
    tile.d = row(d, s);
    tile.value = density.value.data() + s;
    tile.mean_bar = with_gradient ? row(density.gradient.mean, s) : numbers + parts_of_tile;
    tile.deviation_bar = with_gradient ? row(density.gradient.standard_deviation, s) : tile.mean_bar + n * lanes;
    tile.scratch = own;
    const DensityParts parts{numbers,
                             exponents.data() + thread * lanes,
                             numbers + lanes,
                             numbers + lanes * (1 + m),
                             0.5 * tolerances::identity::relative_fp32,
                             log_density_noise};
    alone[static_cast<std::size_t>(i)] = kernels->log_density[m - 1](tile, gram, parts);
    for (Index lane = 0; lane < tile.count; ++lane) {
      double log_det_W = 0.0;
      for (std::int64_t k = 0; k < m; ++k)
        log_det_W += log_of(parts.pivot[lane * m + k]) - log_of(parts.scale[lane * m + k]);
      const double log_det_S = 2.0 * LogProduct{parts.mantissa[lane], parts.exponent[lane]}.log();
      tile.value[lane] = -0.5 * static_cast<double>(n - m) * log_two_pi - 0.5 * tile.value[lane] - 0.5 * log_det_S +
                         0.5 * (2.0 * log_det_W) - 0.5 * log_det_gram;
    }
  });
  return those_left(alone, lanes);
}

std::vector<Index> fused_shared_log_density(const SampleKernel<-1>& kernel, const LawMatrix& laws, const Batch& mean,
                                            const Batch& standard_deviation, const Batch& d, const Batch& y,
                                            const BatchOptions& options, LogDensity& density) {
  const Index samples = mean.rows();
  const auto n = static_cast<std::int64_t>(laws.outputs), m = static_cast<std::int64_t>(laws.rows);
  const FusedKernels* const kernels = fused_kernels();
  // Known outputs, and deviations whose inverse overflows, are SampleKernel's.
  if (kernels == nullptr || m < 1 || m > fused_shared_rows || !contiguous(mean) || !contiguous(d) || !contiguous(y) ||
      !(standard_deviation.minCoeff() >= std::numeric_limits<double>::min()))
    return all_of(samples);
  std::vector<double> inverse(laws.outputs), narrowing(laws.outputs);
  LogProduct product;
  for (std::size_t j = 0; j < laws.outputs; ++j) {
    const double s = standard_deviation.data()[j];
    product.multiply(s);
    inverse[j] = 1.0 / s;
    narrowing[j] = kernel.marginal_variance[j] * inverse[j] * inverse[j] * inverse[j];
  }
  const SharedDensity law{m,
                          standard_deviation.data(),
                          inverse.data(),
                          narrowing.data(),
                          parts_of(kernel.factor()),
                          parts_of(kernel.gram_factor()),
                          std::numeric_limits<double>::epsilon() / kernel.smallest_pivot(),
                          0.5 * tolerances::identity::relative_fp32,
                          log_density_noise};
  const double log_det_S = 2.0 * product.log(), log_det_W = kernel.factor().log_det(),
               log_det_gram = kernel.gram_factor().log_det();
  const bool with_gradient = density.gradient.mean.rows() > 0;
  const Index lanes = kernels->lanes, tiles = (samples + lanes - 1) / lanes;
  const int threads = thread_count(options, samples, static_cast<double>(n * (20 + 4 * m)));
  const auto scratch = scratch_of(threads, fused_scratch(n, m, lanes));
  std::vector<std::uint32_t> alone(static_cast<std::size_t>(tiles));
  for_each_sample(tiles, threads, [&](Index i, int thread) {
    const Index s = i * lanes;
    FusedTile tile{};
    tile.n = n;
    tile.count = std::min(lanes, samples - s);
    tile.columns = laws.columns.data();
    tile.row_scale = laws.row_scale.data();
    tile.mean = row(mean, s);
    tile.y = row(y, s);
    tile.d = row(d, s);
    tile.value = density.value.data() + s;
    tile.mean_bar = with_gradient ? row(density.gradient.mean, s) : nullptr;
    tile.deviation_bar = with_gradient ? row(density.gradient.standard_deviation, s) : nullptr;
    tile.scratch = scratch[static_cast<std::size_t>(thread)].data();
    alone[static_cast<std::size_t>(i)] = kernels->shared_log_density[std::min(m - 1, fused_rows)](tile, law);
    // As SampleKernel::log_density() sums it.
    for (Index lane = 0; lane < tile.count; ++lane)
      tile.value[lane] = -0.5 * (static_cast<double>(n) - static_cast<double>(m)) * log_two_pi -
                         0.5 * tile.value[lane] - 0.5 * log_det_S + 0.5 * log_det_W - 0.5 * log_det_gram;
  });
  return those_left(alone, lanes);
}

std::optional<BatchLoss> fused_shared_conditional_crps(const LawMatrix& laws, const Batch& mean,
                                                       const Batch& standard_deviation, const Batch& d, const Batch& y,
                                                       const Eigen::VectorXd& weight, const BatchOptions& options) {
  const Index samples = mean.rows(), outputs = mean.cols();
  const auto n = static_cast<std::int64_t>(laws.outputs), m = static_cast<std::int64_t>(laws.rows);
  const FusedKernels* const kernels = fused_kernels();
  if (kernels == nullptr || m < 1 || m > fused_shared_rows || n <= m || options.drop_dependent_rows ||
      !contiguous(mean) || !contiguous(d) || !contiguous(y))
    return {};
  BatchLoss loss{Eigen::VectorXd(samples),
                 {RowMatrix(samples, outputs), RowMatrix::Zero(1, outputs)},
                 std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
  const double* const deviation = standard_deviation.data();

  SampleKernel<-1> kernel(laws);
  const std::vector<double> zeros(std::max(laws.outputs, laws.rows), 0.0);
  const Status status = kernel.set(zeros.data(), deviation, zeros.data());
  if (status != Status::ok) {
    loss.status.assign(static_cast<std::size_t>(samples), status);
    loss.value.setConstant(not_a_number);
    loss.gradient.mean.setConstant(not_a_number);
    loss.gradient.standard_deviation.setConstant(not_a_number);
    return loss;
  }
  kernel.set_lambda(zeros.data());
  kernel.set_leverages();
  if (kernel.refined()) return {};
  kernel.variances(kernel.marginal_variance.data());
  const Index lanes = kernels->lanes;
  std::vector<double> variance(laws.outputs), sigma(laws.outputs * static_cast<std::size_t>(lanes)),
      inverse(sigma.size()), special_column(kernel.special().size() * laws.outputs);
  for (std::size_t j = 0; j < laws.outputs; ++j) {
    variance[j] = kernel.variance(j);
    const double root = std::sqrt(kernel.marginal_variance[j]);
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(lanes); ++lane) {
      sigma[j * static_cast<std::size_t>(lanes) + lane] = root;
      inverse[j * static_cast<std::size_t>(lanes) + lane] = 1.0 / root;
    }
  }
  kernel.special_columns(special_column.data());
  const std::vector<std::int64_t> special(kernel.special().begin(), kernel.special().end());
  const SharedLaw law{m,
                      variance.data(),
                      parts_of(kernel.factor()),
                      sigma.data(),
                      inverse.data(),
                      static_cast<std::int64_t>(special.size()),
                      special.data(),
                      special_column.data()};

  // A fixed number of samples a chunk, and slots that don't depend on the width of a vector: one order of sums.
  constexpr Index chunk = 64;
  const Index chunks = (samples + chunk - 1) / chunk;
  const Index sums_of_chunk = 2 * n * fused_slots;
  const int threads = thread_count(options, samples, static_cast<double>(n * (20 + 4 * m)));
  const auto scratch = scratch_of(threads, fused_scratch(n, m, lanes));
  std::vector<double> sums(static_cast<std::size_t>(chunks * sums_of_chunk), 0.0);
  for_each_sample(chunks, threads, [&](Index i, int thread) {
    const Index end = std::min(samples, (i + 1) * chunk);
    for (Index s = i * chunk; s < end; s += lanes) {
      const FusedTile tile = tile_of(laws, mean, d, y, weight, loss, s, std::min(lanes, end - s),
                                     scratch[static_cast<std::size_t>(thread)].data());
      double* const here = sums.data() + i * sums_of_chunk;
      const std::uint32_t odd = kernels->shared_crps[std::min(m - 1, fused_rows)](
          tile, law, {here, here + n * fused_slots, s % fused_slots});
      for (Index lane = 0; odd != 0 && lane < tile.count; ++lane) {
        if (!(odd >> lane & 1u)) continue;
        bool finite = true;  // else an overflow, which is the answer
        for (Index j = 0; j < outputs; ++j) finite &= std::isfinite(mean(s + lane, j)) && std::isfinite(y(s + lane, j));
        for (Index k = 0; k < d.cols(); ++k) finite &= std::isfinite(d(s + lane, k));
        if (finite) continue;
        loss.status[static_cast<std::size_t>(s + lane)] = Status::non_finite;
        loss.value[s + lane] = not_a_number;
        set_nan(loss.gradient.mean, s + lane);
      }
    }
  });
  double* const variance_bar = kernel.variance_bar.data();
  double* const shift = kernel.mean_bar.data();
  bool failed = false;
  for (const Status one : loss.status) failed |= one != Status::ok;
  for (Index j = 0; j < outputs; ++j) {
    variance_bar[j] = shift[j] = failed ? not_a_number : 0.0;
    for (Index i = 0; i < chunks; ++i)
      for (Index slot = 0; slot < fused_slots; ++slot) {
        const double* const here = sums.data() + i * sums_of_chunk + j * fused_slots + slot;
        variance_bar[j] += here[0];
        shift[j] += here[n * fused_slots];
      }
  }
  double* const s_bar = loss.gradient.standard_deviation.data();
  kernel.moments_adjoint(deviation, zeros.data(), variance_bar, kernel.marginal_mean.data(), s_bar);
  for (Index j = 0; j < outputs; ++j) s_bar[j] -= 2.0 * deviation[j] * shift[j];
  return loss;
}

void gaussian_crps_row(const double* from_mean, const double* sigma, const double* inverse_sigma, Index count,
                       double* value, double* mean_bar, double* variance_bar) {
  if (const FusedKernels* const kernels = fused_kernels())
    return kernels->gaussian_crps(from_mean, sigma, inverse_sigma, count, value, mean_bar, variance_bar);
  for (Index i = 0; i < count; ++i) {
    const Crps crps = crps_of_normal_given(from_mean[i], sigma[i], inverse_sigma[i]);
    value[i] = crps.value;
    mean_bar[i] = crps.mean_bar;
    variance_bar[i] = crps.variance_bar;
  }
}

}  // namespace lavoisier::detail
