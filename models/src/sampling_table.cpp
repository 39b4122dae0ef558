#include "sampling_table.hpp"

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/status.hpp>

#include <cmath>
#include <numbers>

namespace lavoisier::detail {

using Eigen::Index;

ProcessPoint cosine_process(double t) {
  constexpr double offset = 0.008;
  const auto at = [&](double time) { return std::cos(0.5 * std::numbers::pi * (time + offset) / (1.0 + offset)); };
  const double data = t >= 1.0 ? 0.0 : std::min(1.0, at(t) / at(0.0));
  return {data, std::sqrt((1.0 - data) * (1.0 + data))};
}

ProcessPoint straight_process(double t) { return {t, 1.0 - t}; }

double largest_time(const std::string& prediction) { return prediction == "noise" ? 0.99 : 1.0; }

SamplingTable sampling_table(const std::string& method, const std::string& prediction, const std::string& projection,
                             std::int64_t steps) {
  SamplingTable table{method, projection, RowMatrix::Zero(steps, SamplingTable::columns)};
  const auto time_of = [&](std::int64_t k) {
    const double share = static_cast<double>(k) / static_cast<double>(steps);
    const double t = method == "flow" ? share : largest_time(prediction) * (1.0 - share);
    return static_cast<double>(static_cast<float>(t));
  };
  for (std::int64_t k = 0; k < steps; ++k) {
    const double t = time_of(k), next = time_of(k + 1);
    auto row = table.schedule.row(k);
    row[0] = t;
    if (method == "flow") {
      row[3] = next - t;
      row[6] = straight_process(t).data;
      continue;
    }
    const auto [a, s] = cosine_process(t);
    row[6] = a;
    const auto [a_next, s_next] = cosine_process(next);
    if (prediction == "noise") {
      row[1] = 1.0 / a;
      row[2] = -s / a;
    } else if (prediction == "velocity") {
      row[1] = a;
      row[2] = -s;
    } else {
      row[2] = 1.0;
    }
    if (method == "ddim") {
      row[3] = s_next / s;
      row[4] = a_next - s_next * a / s;
    } else {
      // q(x_s | x_t, x0), s the next time: x_t = kept x_s + added e.
      const double kept = a / a_next, added = s * s - kept * kept * s_next * s_next;
      row[3] = kept * s_next * s_next / (s * s);
      row[4] = a_next * added / (s * s);
      row[5] = std::sqrt(std::max(0.0, added)) * s_next / s;
    }
  }
  return table;
}

namespace {

RowMatrix onto(const RowMatrix& A, const RowMatrix& z, const RowMatrix& d) {
  ProjectedBatch found = metric_projection(A, RowMatrix::Ones(1, z.cols()), z, d);
  for (std::size_t row = 0; row < found.status.size(); ++row)
    if (found.status[row] != Status::ok)
      throw Error(found.status[row], "projection onto the laws fails for row " + std::to_string(row) + " of a batch");
  return std::move(found.y);
}

}  // namespace

RowMatrix NullSpace::project(const RowMatrix& w) const {
  if (laws_ == 0) return w;
  return onto(A_, w, RowMatrix::Zero(w.rows(), laws_));
}

RowMatrix NullSpace::particular(const RowMatrix& d) const {
  if (laws_ == 0) return RowMatrix::Zero(d.rows(), A_.cols());
  return onto(A_, RowMatrix::Zero(d.rows(), A_.cols()), d);
}

RowMatrix run_sampling(const SamplingTable& table, const RowMatrix& A, const RowMatrix& d, const Noise& noise,
                       const Prediction& prediction) {
  const bool inside = table.projection == "null_space", ambient = table.projection == "ambient";
  const NullSpace laws(A, d.cols());
  const RowMatrix shift = inside || ambient ? laws.particular(d) : RowMatrix();
  RowMatrix x = noise(0);
  if (inside) x = laws.project(x);
  for (Index k = 0; k < table.schedule.rows(); ++k) {
    const auto row = table.schedule.row(k);
    const RowMatrix net = inside ? prediction(x + row[6] * shift, row[0]) : prediction(x, row[0]);
    if (table.method == "flow") {
      x += row[3] * (inside || ambient ? laws.project(net) : net);
      continue;
    }
    RowMatrix x0 = row[1] * x + row[2] * net;
    if (inside || ambient) x0 = laws.project(x0);
    if (ambient) x0 += shift;
    x = row[3] * x + row[4] * x0;
    if (row[5] != 0.0) x += row[5] * (inside ? laws.project(noise(k + 1)) : noise(k + 1));
  }
  if (inside) x += shift;
  return x;
}

}  // namespace lavoisier::detail
