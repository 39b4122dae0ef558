#include "tile.hpp"

#include <algorithm>

// The sampling loop of diffusion and flow models: docs/model-file.md, "Sampling". Everything but the network in FP64.

namespace lavoisier::detail {

/// Where each column has laws of its own: A_s, c = d - A mean, and the factor of A_s A_s', for project().
void Tile::standardise_laws(const Operation& operation) noexcept {
  const LawSystem& laws = program.laws;
  const double *given = at<double>(layout.row_values), *d = at<double>(layout.right_hand_side);
  double *own = at<double>(layout.standard_rows), *targets = at<double>(layout.standard_targets);
  for (std::int32_t k = 0; k < laws.rows(); ++k) {
    const auto index = static_cast<std::size_t>(k);
    const std::int64_t law = laws.row_law[index];
    double* target = targets + law * stride;
    for (std::int64_t c = 0; c < stride; ++c) target[c] = 0.0;
    for (std::int32_t t = laws.row_begin[index]; t < laws.row_begin[index + 1]; ++t) {
      const auto element = static_cast<std::size_t>(laws.row_element[static_cast<std::size_t>(t)]);
      const double mean = operation.first[element], scale = operation.second[element];
      for (std::int64_t c = 0; c < stride; ++c) {
        own[t * stride + c] = given[t * stride + c] * scale;
        target[c] += given[t * stride + c] * mean;
      }
    }
    for (std::int64_t c = 0; c < stride; ++c) target[c] = d[law * stride + c] - target[c];
  }
  ConstrainArguments a = projection(operation.n);
  std::fill_n(at<double>(layout.standard_variance), operation.n * stride, 1.0);
  a.suspect = at<double>(layout.suspect);  // the constrain step says so again, and is heard
  kernels.factorise(a);
}

/// The projection onto a column's own laws, without the values that it projects.
ConstrainArguments Tile::projection(std::int64_t n) const noexcept {
  ConstrainArguments a = constrain_arguments(program.laws, at<double>(layout.standard_rows));
  a.n = static_cast<std::int32_t>(n);
  a.variance = at<double>(layout.standard_variance);
  a.factor = at<double>(layout.standard_factor);
  a.residual = at<double>(layout.residual);
  a.skipped = at<double>(layout.standard_skipped);
  a.stride = stride;
  return a;
}

/// w -= A_s' (A_s A_s')^-1 (A_s w - c): the orthogonal projection onto the laws in standardised units; c = 0 unless
/// `shifted`. Rows without a pivot are left out.
void Tile::project(const SampleLoop& loop, double* w, bool shifted) noexcept {
  const LawSystem& laws = program.laws;
  if (laws.varies) {
    const std::size_t n = laws.column_begin.size() - 1;
    ConstrainArguments a = projection(static_cast<std::int64_t>(n));
    a.y = w;
    a.right_hand_side = at<double>(shifted ? layout.standard_targets : layout.zeros);
    kernels.pass(a);
    return;
  }
  const StandardisedLaws& own = loop.laws;
  const auto m = static_cast<std::size_t>(laws.rows());
  double* residual = at<double>(layout.residual);
  const double* d = at<double>(layout.right_hand_side);
  const auto row = [&](double* data, std::size_t k) { return data + static_cast<std::int64_t>(k) * stride; };
  for (std::size_t k = 0; k < m; ++k) {
    double* r = row(residual, k);
    for (std::int64_t c = 0; c < stride; ++c) r[c] = 0.0;
    for (std::int32_t t = laws.row_begin[k]; t < laws.row_begin[k + 1]; ++t) {
      const double coefficient = own.row_coefficient[static_cast<std::size_t>(t)];
      const double* x = w + laws.row_element[static_cast<std::size_t>(t)] * stride;
      for (std::int64_t c = 0; c < stride; ++c) r[c] += coefficient * x[c];
    }
    if (shifted) {
      const double* target = d + laws.row_law[k] * stride;
      for (std::int64_t c = 0; c < stride; ++c) r[c] -= target[c] - own.mean[k];
    }
    // Forward.
    const double* factor = own.factor.data() + k * (k + 1) / 2;
    for (std::size_t l = 0; l < k; ++l) {
      const double* other = row(residual, l);
      for (std::int64_t c = 0; c < stride; ++c) r[c] -= factor[l] * other[c];
    }
    for (std::int64_t c = 0; c < stride; ++c) r[c] = own.skipped[k] ? 0.0 : r[c] / factor[k];
  }
  for (std::size_t k = m; k-- > 0;) {
    double* r = row(residual, k);
    for (std::size_t l = k + 1; l < m; ++l) {
      const double factor = own.factor[l * (l + 1) / 2 + k];
      const double* other = row(residual, l);
      for (std::int64_t c = 0; c < stride; ++c) r[c] -= factor * other[c];
    }
    const double pivot = own.factor[k * (k + 1) / 2 + k];
    for (std::int64_t c = 0; c < stride; ++c) r[c] = own.skipped[k] ? 0.0 : r[c] / pivot;
  }
  for (std::size_t i = 0; i + 1 < laws.column_begin.size(); ++i) {
    double* x = row(w, i);
    for (std::int32_t t = laws.column_begin[i]; t < laws.column_begin[i + 1]; ++t) {
      const double coefficient = own.column_coefficient[static_cast<std::size_t>(t)];
      const double* lambda = residual + laws.column_row[static_cast<std::size_t>(t)] * stride;
      for (std::int64_t c = 0; c < stride; ++c) x[c] -= coefficient * lambda[c];
    }
  }
}

void Tile::sample(const Operation& operation) noexcept {
  const SampleLoop& loop = program.loops[static_cast<std::size_t>(operation.loop)];
  const std::int64_t n = operation.n, size = n * stride;
  const bool ambient = loop.projection == SampleProjection::ambient;
  const bool null_space = loop.projection == SampleProjection::null_space;
  double* x = at<double>(layout.state);
  double* estimate = at<double>(layout.estimate);
  double* e = at<double>(layout.step_noise);
  double* shift = at<double>(layout.shift);
  const auto draw = [&](double* to, std::uint64_t site) {
    noise(to, n, site);
    if (null_space) project(loop, to, false);
  };
  if (program.laws.varies && loop.projection != SampleProjection::none) standardise_laws(operation);
  if (null_space) {  // the point of the laws that is nearest to 0
    std::fill_n(shift, size, 0.0);
    project(loop, shift, true);
  }
  draw(x, operation.site);
  for (std::int64_t k = 0; k < loop.steps; ++k) {
    const double* row = loop.schedule.data() + SampleLoop::columns * k;
    const double p = row[1], q = row[2], r = row[3], u = row[4], v = row[5];
    if (null_space)  // what the network sees; the estimate takes its place afterwards
      for (std::int64_t j = 0; j < size; ++j) estimate[j] = x[j] + row[6] * shift[j];
    kernels.single(null_space ? estimate : x, value<float>(loop.state), size);
    double* time = value<double>(loop.time);
    for (std::int64_t c = 0; c < stride; ++c) time[c] = row[0];
    run(loop.operations);
    const float* net = value<float>(loop.prediction);
    if (loop.method == SampleMethod::flow) {
      for (std::int64_t j = 0; j < size; ++j) estimate[j] = static_cast<double>(net[j]);
      if (ambient || null_space) project(loop, estimate, false);
      for (std::int64_t j = 0; j < size; ++j) x[j] += r * estimate[j];
      continue;
    }
    for (std::int64_t j = 0; j < size; ++j) estimate[j] = p * x[j] + q * static_cast<double>(net[j]);
    if (ambient || null_space) project(loop, estimate, ambient);
    for (std::int64_t j = 0; j < size; ++j) x[j] = r * x[j] + u * estimate[j];
    if (v == 0.0) continue;
    draw(e, operation.site + 1 + static_cast<std::uint64_t>(k));
    for (std::int64_t j = 0; j < size; ++j) x[j] += v * e[j];
  }
  if (null_space)
    for (std::int64_t j = 0; j < size; ++j) x[j] += shift[j];
  double* z = value<double>(operation.output[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    const double mean = operation.first[static_cast<std::size_t>(i)],
                 scale = operation.second[static_cast<std::size_t>(i)];
    for (std::int64_t c = 0; c < stride; ++c) z[i * stride + c] = mean + scale * x[i * stride + c];
  }
}

}  // namespace lavoisier::detail
