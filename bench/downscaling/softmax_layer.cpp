#include "softmax_layer.hpp"

#include "head_loss.hpp"
#include "least_squares.hpp"
#include "optimizer.hpp"
#include "output_head.hpp"
#include "training_data.hpp"
#include "training_network.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

namespace lavoisier::bench {
namespace {

using namespace lavoisier::detail;
using Eigen::Index;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr std::uint64_t draws_stream = 0x736f66746d6178ULL;  // "softmax"

/// The layer at one sample: y from z, and the pull of y's adjoint back to z's.
struct Layer {
  Eigen::VectorXd a, q;  // q: exp(l_i) / sum_j a_j exp(l_j)
  double room = 0.0, bound = 0.0;
  void operator()(const Eigen::VectorXd& z, Eigen::VectorXd& y) {
    const Eigen::VectorXd l = z / room;
    const Eigen::ArrayXd e = (l.array() - l.maxCoeff()).exp();
    q = (e / (a.array() * e).sum()).matrix();
    y = (bound + room * q.array()).matrix();
  }
  /// dy_i / dz_k = q_i (delta_ik - a_k q_k).
  Eigen::VectorXd adjoint(const Eigen::VectorXd& y_bar) const {
    const double sum = y_bar.dot(q);
    return (q.array() * (y_bar.array() - a.array() * sum)).matrix();
  }
};

class Softmax {
 public:
  Softmax(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options)
      : options_(options),
        data_(samples, constraints, true, options.scaling, target_rules(samples.layout, options)),
        inputs_(samples.input_elements()),
        outputs_(samples.output_elements()),
        plan_(plan_mlp(options.network, inputs_, 2 * outputs_)),
        network_(plan_, options.batch),
        adam_(plan_, options) {
    if (constraints.rows() != 1) throw Error(Status::unsupported, "the softmax layer holds one law");
    // Of the training: a metre below its lowest cell.
    bound_ = std::numeric_limits<double>::infinity();
    for (std::int64_t s = 0; s < samples.samples; ++s)
      if (samples.subset[static_cast<std::size_t>(s)] == Subset::training)
        for (Index i = 0; i < outputs_; ++i) bound_ = std::min(bound_, samples.outputs[static_cast<std::size_t>(s * outputs_ + i)] - 1.0);
    start();
  }

  void train(SoftmaxDraws& told) {
    const Index count = data_.training.count(), batch = std::min<Index>(options_.batch, count);
    const std::int64_t steps = (count + batch - 1) / batch, all = steps * options_.epochs;
    std::vector<float> best;
    double lowest = std::numeric_limits<double>::infinity();
    std::int64_t step = 0;
    for (std::int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
      const std::vector<std::int64_t> order = permutation(count, options_.seed, epoch);
      for (std::int64_t s = 0; s < steps; ++s, ++step) {
        const std::vector<std::int64_t> rows(order.begin() + s * count / steps, order.begin() + (s + 1) * count / steps);
        StandardisedRows piece;
        RowsInMemory(data_.training).gather(rows, piece);
        network_.differentiate(
            piece.x.data(), piece.count(),
            [&](const float* h, std::int64_t n, float* h_bar) { return loss(piece, h, n, h_bar, static_cast<std::uint64_t>(step)); }, {});
        plan_.hold_fixed(network_.gradient());
        adam_.update(network_.weights(), network_.gradient(), step, learning_rate(options_, step, all));
      }
      const double score = judge(data_.validation);
      if (score >= lowest) continue;
      lowest = score;
      best.assign(network_.weights().begin(), network_.weights().end());
      told.best_epoch = epoch + 1;
    }
    std::copy(best.begin(), best.end(), network_.weights().begin());
  }

  std::vector<RowMatrix> draw(const LinearConstraints& constraints, const SampleSet& of, int members) {
    const std::vector<float> x = standardise(of.inputs.data(), of.samples, data_.input_mean.data(), data_.input_scale.data(), inputs_);
    FloatRows h(of.samples, plan_.outputs);
    network_.evaluate(x.data(), of.samples, h.data());
    const HeadValues head = head_values(h.cast<double>(), data_.active, options_.network);
    const Eigen::Map<const RowMatrix> physical(of.inputs.data(), of.samples, inputs_);
    const RowMatrix A = constraints.stacked_A(physical), d = constraints.right_hand_side(physical);
    std::vector<RowMatrix> all(static_cast<std::size_t>(members), RowMatrix(of.samples, outputs_));
    Eigen::VectorXd z(outputs_), y;
    Layer layer;
    for (Index s = 0; s < of.samples; ++s) {
      place(layer, A.row(s).transpose(), d(s, 0));
      for (std::size_t m = 0; m < all.size(); ++m) {
        for (Index i = 0; i < outputs_; ++i)
          z[i] = data_.output_mean[i] + data_.output_scale[i] * (head.mean(s, i) + head.standard_deviation(s, i) * normal(1u << 20, s, i, m));
        layer(z, y);
        all[m].row(s) = y.transpose();
      }
    }
    return all;
  }

 private:
  void start() {
    const std::vector<double> first = initial_weights(plan_, options_.network, options_.seed);
    std::span<float> w = network_.weights();
    for (std::size_t i = 0; i < first.size(); ++i) w[i] = static_cast<float>(first[i]);
    level_deviations(plan_, w);
    if (!options_.network.linear_skip) return;
    const LinearFit fit = least_squares(data_, inputs_, outputs_);
    for (std::size_t p = 0; p < 2; ++p) {
      const RowMatrix& from = p == 0 ? fit.weight : fit.bias;
      float* const to = w.data() + plan_.parameters[p].offset;
      std::fill_n(to, plan_.parameters[p].elements(), 0.0F);
      for (Index i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from.data()[i]);
    }
    level_rows(plan_, w, 0, outputs_, 0.0F);
  }

  double normal(std::uint64_t step, Index row, Index output, std::size_t draw) const {
    return random::normal({options_.seed, draws_stream}, {.column = static_cast<std::uint64_t>(row), .step = step, .member = draw, .element = static_cast<std::uint64_t>(output)});
  }

  /// Coefficients and right-hand side in physical units.
  void place(Layer& layer, const Eigen::VectorXd& a, double d) const {
    layer.a = a;
    layer.bound = bound_;
    layer.room = std::max(d - bound_, 1e-6);
  }

  /// Mean over rows of the mean over outputs of the fair CRPS, standardised units.
  double loss(const StandardisedRows& rows, const float* raw, std::int64_t n, float* h_bar, std::uint64_t step) {
    const RowMatrix h = Eigen::Map<const FloatRows>(raw, n, plan_.outputs).cast<double>();
    const HeadValues head = head_values(h, data_.active, options_.network);
    const auto K = static_cast<std::size_t>(options_.draws);
    RowMatrix bar = RowMatrix::Zero(n, plan_.outputs);
    const Eigen::VectorXd& scale = data_.output_scale;
    std::vector<Layer> layers(K);
    std::vector<Eigen::VectorXd> y(K), e(K), y_bar(K);
    double sum = 0.0;
    for (Index s = 0; s < n; ++s) {
      // Of the laws in standardised units back to physical ones.
      Eigen::VectorXd a = data_.A.rows() > 0 ? Eigen::VectorXd(data_.A.row(0)) : Eigen::VectorXd(rows.A.row(s));
      a = a.cwiseQuotient(scale).eval();
      const double norm = a.sum(), d = (rows.d(s, 0) + a.dot(data_.output_mean)) / norm;
      for (std::size_t k = 0; k < K; ++k) {
        e[k].resize(outputs_);
        Eigen::VectorXd z(outputs_);
        for (Index i = 0; i < outputs_; ++i) {
          e[k][i] = normal(step, s, i, k);
          z[i] = data_.output_mean[i] + scale[i] * (head.mean(s, i) + head.standard_deviation(s, i) * e[k][i]);
        }
        place(layers[k], a / norm, d);
        layers[k](z, y[k]);
        y_bar[k] = Eigen::VectorXd::Zero(outputs_);
      }
      for (Index i = 0; i < outputs_; ++i) {
        const double target = data_.output_mean[i] + scale[i] * rows.y(s, i);
        for (std::size_t k = 0; k < K; ++k) {
          const double weight = 1.0 / (static_cast<double>(K) * scale[i] * static_cast<double>(outputs_));
          sum += weight * std::abs(y[k][i] - target);
          y_bar[k][i] += weight * (y[k][i] > target ? 1.0 : -1.0);
          for (std::size_t l = 0; l < k; ++l) {
            const double pair = weight / static_cast<double>(K - 1);
            sum -= pair * std::abs(y[k][i] - y[l][i]);
            const double sign = y[k][i] > y[l][i] ? 1.0 : -1.0;
            y_bar[k][i] -= pair * sign;
            y_bar[l][i] += pair * sign;
          }
        }
      }
      for (std::size_t k = 0; k < K; ++k) {
        const Eigen::VectorXd z_bar = layers[k].adjoint(y_bar[k]).cwiseProduct(scale);
        for (Index i = 0; i < outputs_; ++i) {
          bar(s, i) += z_bar[i];
          bar(s, outputs_ + i) += z_bar[i] * e[k][i] * head.slope(s, i);
        }
      }
    }
    if (h_bar != nullptr) Eigen::Map<FloatRows>(h_bar, n, plan_.outputs) = (bar / static_cast<double>(n)).cast<float>();
    return sum / static_cast<double>(n);
  }

  double judge(const StandardisedRows& rows) {
    FloatRows h(rows.count(), plan_.outputs);
    network_.evaluate(rows.x.data(), rows.count(), h.data());
    return loss(rows, h.data(), rows.count(), nullptr, 1ULL << 40);
  }

  TrainingOptions options_;
  TrainingData data_;
  Index inputs_, outputs_;
  NetworkPlan plan_;
  TrainingNetwork network_;
  Adam adam_;
  double bound_ = 0.0;
};

}  // namespace

SoftmaxDraws train_softmax(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                           const SampleSet& of, int members) {
  SoftmaxDraws result;
  const auto begin = std::chrono::steady_clock::now();
  Softmax model(samples, constraints, options);
  model.train(result);
  result.training_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.members = model.draw(constraints, of, members);
  return result;
}

}  // namespace lavoisier::bench
