#include "fused_shared.hpp"

#include "fused_losses.hpp"
#include "parallel.hpp"

#include <numeric>
#include <optional>

namespace lavoisier::detail {
namespace {

using Batch = Eigen::Ref<const RowMatrix>;
using Eigen::Index;
using Kernel = SampleKernel<-1>;

void require_like(const char* function, const char* argument, const Batch& values, Index rows, Index cols) {
  require_shape(function, argument, values.rows(), values.cols(), rows, cols);
}

/// What depends on the deviations alone, and a kernel for each thread that has it.
class Shared {
 public:
  Shared(const char* function, const RowMatrix& A, const Batch& mean, const Batch& deviation, const Batch& d,
         const BatchOptions& options)
      : laws_(checked_laws(function, A, mean, deviation, d)),
        mean_(&mean),
        deviation_(deviation.data()),
        d_(&d),
        samples_(mean.rows()),
        zeros_(std::max(laws_.outputs(), laws_.rows()), 0.0) {
    if (laws_.shared() == nullptr || options.drop_dependent_rows) return;
    first_.emplace(*laws_.shared());
    status_ = prepare(*first_);
    usable_ = status_ != Status::ok || !first_->refined();
    threads_ = thread_count(options, samples_, static_cast<double>(laws_.outputs() * (20 + 6 * laws_.rows())));
  }
  /// A A' too, for log_density(); false where that would refine, or fail.
  bool set_gram() noexcept {
    with_gram_ = true;
    return status_ != Status::ok || first_->set_gram(deviation_);
  }
  /// Else each sample is done as if it had deviations of its own.
  bool usable() const noexcept { return usable_; }
  bool stacked() const noexcept { return laws_.shared() == nullptr; }
  Status status() const noexcept { return status_; }
  Kernel& first() noexcept { return *first_; }
  const LawMatrix& laws() const noexcept { return *laws_.shared(); }

  std::vector<Index> all() const {
    std::vector<Index> samples(static_cast<std::size_t>(samples_));
    std::iota(samples.begin(), samples.end(), Index{0});
    return samples;
  }
  /// body(kernel, s, status): status of the deviations, or of the sample's mean and right-hand side.
  template <class Body>
  void for_each(const Body& body) {
    for_each(all(), body);
  }
  template <class Body>
  void for_each(const std::vector<Index>& samples, const Body& body) {
    if (samples.empty()) return;
    std::vector<Kernel> kernels;
    kernels.reserve(static_cast<std::size_t>(threads_));
    for (int thread = 0; thread < threads_; ++thread) prepare(kernels.emplace_back(*laws_.shared()));
    for_each_sample(static_cast<Index>(samples.size()), threads_, [&](Index i, int thread) {
      const Index s = samples[static_cast<std::size_t>(i)];
      Kernel& kernel = kernels[static_cast<std::size_t>(thread)];
      body(kernel, s, status_ != Status::ok ? status_ : kernel.set_right_hand_side(row(*mean_, s), row(*d_, s)));
    });
  }

 private:
  static LawBatch checked_laws(const char* function, const RowMatrix& A, const Batch& mean, const Batch& deviation,
                               const Batch& d) {
    require_like(function, "mean", mean, mean.rows(), A.cols());
    require_like(function, "standard_deviation", deviation, 1, A.cols());
    require_like(function, "d", d, mean.rows(), d.cols());
    return LawBatch(function, A, mean.rows(), d.cols());
  }

  Status prepare(Kernel& kernel) const noexcept {
    const Status status = kernel.set(zeros_.data(), deviation_, zeros_.data());
    if (status != Status::ok) return status;
    kernel.set_lambda(zeros_.data());
    kernel.set_leverages();
    kernel.variances(kernel.marginal_variance.data());
    if (with_gram_) kernel.set_gram(deviation_);
    return Status::ok;
  }

  LawBatch laws_;
  const Batch* mean_;
  const double* deviation_;
  const Batch* d_;
  Index samples_;
  std::vector<double> zeros_;
  std::optional<Kernel> first_;
  bool usable_ = false, with_gram_ = false;
  Status status_ = Status::ok;
  int threads_ = 1;
};

RowMatrix repeated(const Batch& deviation, Index samples) { return deviation.replicate(samples, 1); }

/// The gradient in s of a batch whose deviations were repeated.
GaussianGradient summed(GaussianGradient gradient) {
  gradient.standard_deviation = sum_of_rows(gradient.standard_deviation);
  return gradient;
}

void require_shared_laws(const char* function, const Shared& shared, const Batch& mean, const Batch& deviation) {
  if (shared.stacked())
    require_like(function, "standard_deviation", deviation, mean.rows(), mean.cols());
}

bool all_finite(const double* values, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j)
    if (!std::isfinite(values[j])) return false;
  return true;
}

}  // namespace

ConditionalMoments shared_conditional_moments(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                              const Batch& d, const BatchOptions& options) {
  Shared shared("conditional_moments", A, mean, standard_deviation, d, options);
  require_shared_laws("conditional_moments", shared, mean, standard_deviation);
  if (!shared.usable()) {
    ConditionalMoments moments = conditional_moments(A, mean, repeated(standard_deviation, mean.rows()), d, options);
    moments.variance = conditional_moments(A, RowMatrix::Zero(1, A.cols()), standard_deviation,
                                           RowMatrix::Zero(1, d.cols()), options).variance;
    return moments;
  }
  ConditionalMoments result{RowMatrix(mean.rows(), A.cols()), RowMatrix(1, A.cols()),
                            std::vector<Status>(static_cast<std::size_t>(mean.rows()), Status::ok)};
  shared.for_each([&](Kernel& kernel, Index s, Status status) {
    result.status[static_cast<std::size_t>(s)] = status;
    if (status != Status::ok) return set_nan(result.mean, s);
    kernel.move_onto_laws(row(mean, s), row(result.mean, s));
  });
  for (Index j = 0; j < A.cols(); ++j)
    result.variance(0, j) = shared.status() == Status::ok
                                ? shared.first().marginal_variance[static_cast<std::size_t>(j)]
                                : not_a_number;
  return result;
}

GaussianGradient shared_conditional_moments_adjoint(const RowMatrix& A, const Batch& mean,
                                                    const Batch& standard_deviation, const Batch& d,
                                                    const Batch& mean_bar, const Batch& variance_bar,
                                                    const BatchOptions& options) {
  const char* const name = "conditional_moments_adjoint";
  Shared shared(name, A, mean, standard_deviation, d, options);
  require_like(name, "mean_bar", mean_bar, mean.rows(), A.cols());
  require_like(name, "variance_bar", variance_bar, 1, A.cols());
  require_shared_laws(name, shared, mean, standard_deviation);
  if (!shared.usable()) {
    RowMatrix of_first = RowMatrix::Zero(mean.rows(), A.cols());
    if (mean.rows() > 0) of_first.row(0) = variance_bar;
    return summed(conditional_moments_adjoint(A, mean, repeated(standard_deviation, mean.rows()), d, mean_bar,
                                              of_first, options));
  }
  GaussianGradient result{RowMatrix(mean.rows(), A.cols()), RowMatrix::Constant(1, A.cols(), not_a_number)};
  const std::size_t n = shared.first().outputs();
  const std::vector<std::size_t>& special = shared.first().special();
  std::vector<double> P(special.size() * n);
  if (shared.status() == Status::ok && shared.first().rows() < n) shared.first().special_columns(P.data());
  RowMatrix shift(mean.rows(), A.cols());
  shared.for_each([&](Kernel& kernel, Index s, Status status) {
    if (status != Status::ok) {
      set_nan(result.mean, s);
      return set_nan(shift, s);
    }
    double* p = row(result.mean, s);
    const double* bar = row(mean_bar, s);
    kernel.set_lambda(row(mean, s));
    if (kernel.rows() == n) {
      for (std::size_t j = 0; j < n; ++j) p[j] = 0.0;
    } else {
      kernel.project_adjoint(bar, p);
      for (std::size_t q = 0; q < special.size(); ++q) {
        const std::size_t j = special[q];
        p[j] = P[q * n + j] * bar[j];
        for (std::size_t i = 0; i < n; ++i)
          if (i != j) p[j] += bar[i] * P[q * n + i];
      }
    }
    for (std::size_t j = 0; j < n; ++j) row(shift, s)[j] = p[j] * kernel.dot(j, kernel.lambda());
  });
  if (shared.status() != Status::ok) return result;
  const std::vector<double> zeros(n, 0.0);
  std::vector<double> unused(n);
  shared.first().moments_adjoint(standard_deviation.data(), zeros.data(), variance_bar.data(), unused.data(),
                                 result.standard_deviation.data());
  result.standard_deviation -= 2.0 * standard_deviation.cwiseProduct(sum_of_rows(shift));
  return result;
}

RowMatrix shared_conditional_draw(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                  const Batch& d, const Batch& e, const BatchOptions& options) {
  Shared shared("conditional_draw", A, mean, standard_deviation, d, options);
  require_like("conditional_draw", "e", e, mean.rows(), A.cols());
  if (!shared.usable())
    return conditional_draw(A, mean, repeated(standard_deviation, mean.rows()), d, e, options);
  RowMatrix y(mean.rows(), A.cols());
  shared.for_each([&](Kernel& kernel, Index s, Status status) {
    if (status != Status::ok || !all_finite(row(e, s), kernel.outputs())) return set_nan(y, s);
    double* z = kernel.mean_bar.data();
    for (std::size_t j = 0; j < kernel.outputs(); ++j)
      z[j] = row(mean, s)[j] + standard_deviation.data()[j] * row(e, s)[j];
    kernel.move_onto_laws(z, row(y, s));
  });
  return y;
}

GaussianGradient shared_conditional_draw_adjoint(const RowMatrix& A, const Batch& mean,
                                                 const Batch& standard_deviation, const Batch& d, const Batch& e,
                                                 const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "conditional_draw_adjoint";
  Shared shared(name, A, mean, standard_deviation, d, options);
  require_like(name, "e", e, mean.rows(), A.cols());
  require_like(name, "y_bar", y_bar, mean.rows(), A.cols());
  if (!shared.usable())
    return summed(conditional_draw_adjoint(A, mean, repeated(standard_deviation, mean.rows()), d, e, y_bar, options));
  GaussianGradient result{RowMatrix(mean.rows(), A.cols()), RowMatrix(mean.rows(), A.cols())};
  shared.for_each([&](Kernel& kernel, Index s, Status status) {
    if (status != Status::ok || !all_finite(row(e, s), kernel.outputs())) {
      set_nan(result.mean, s);
      return set_nan(result.standard_deviation, s);
    }
    const double* deviation = standard_deviation.data();
    double* z = kernel.mean_bar.data();
    for (std::size_t j = 0; j < kernel.outputs(); ++j) z[j] = row(mean, s)[j] + deviation[j] * row(e, s)[j];
    kernel.set_lambda(z);
    double* p = row(result.mean, s);
    kernel.project_adjoint(row(y_bar, s), p);
    for (std::size_t j = 0; j < kernel.outputs(); ++j)
      row(result.standard_deviation, s)[j] =
          p[j] * (row(e, s)[j] - 2.0 * deviation[j] * kernel.dot(j, kernel.lambda()));
  });
  result.standard_deviation = sum_of_rows(result.standard_deviation);
  return result;
}

LogDensity shared_conditional_log_density(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                          const Batch& d, const Batch& y, bool with_gradient,
                                          const BatchOptions& options, const std::vector<Index>& dependent_outputs) {
  Shared shared("conditional_log_density", A, mean, standard_deviation, d, options);
  require_like("conditional_log_density", "y", y, mean.rows(), A.cols());
  if (!shared.usable() || !dependent_outputs.empty() || !shared.set_gram()) {
    LogDensity repeated_row = conditional_log_density(A, mean, repeated(standard_deviation, mean.rows()), d, y,
                                                      with_gradient, options, dependent_outputs);
    if (with_gradient) repeated_row.gradient = summed(std::move(repeated_row.gradient));
    return repeated_row;
  }
  const Index samples = mean.rows();
  LogDensity result;
  result.value.resize(samples);
  result.status.assign(static_cast<std::size_t>(samples), Status::ok);
  if (with_gradient) result.gradient = {RowMatrix(samples, A.cols()), RowMatrix(samples, A.cols())};
  const std::vector<Index> rest =
      shared.status() != Status::ok
          ? shared.all()
          : fused_shared_log_density(shared.first(), shared.laws(), mean, standard_deviation, d, y, options, result);
  shared.for_each(rest, [&](Kernel& kernel, Index s, Status status) {
    if (status == Status::ok)
      status = kernel.log_density(row(mean, s), standard_deviation.data(), row(y, s), result.value[s],
                                  with_gradient ? row(result.gradient.mean, s) : nullptr,
                                  with_gradient ? row(result.gradient.standard_deviation, s) : nullptr, true);
    result.status[static_cast<std::size_t>(s)] = status;
    if (status == Status::ok) return;
    result.value[s] = not_a_number;
    if (with_gradient) {
      set_nan(result.gradient.mean, s);
      set_nan(result.gradient.standard_deviation, s);
    }
  });
  if (with_gradient) result.gradient.standard_deviation = sum_of_rows(result.gradient.standard_deviation);
  return result;
}

}  // namespace lavoisier::detail
