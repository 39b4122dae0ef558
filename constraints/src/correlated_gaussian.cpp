// The low-rank family: S = diag(s^2) + U U' of each sample. (The full family: correlated_full.cpp.)

#include "correlated_common.hpp"
#include "low_rank_kernel.hpp"

namespace lavoisier {

using detail::Batch;
using detail::row;

namespace {

/// A call's arguments, checked, and what its kernels must prepare.
struct Call {
  detail::BatchLaws laws;
  const LowRankGaussian& gaussian;
  const Batch* d;
  Eigen::Index samples, n, r;

  Call(const char* function, const RowMatrix& A, Eigen::Index m, const LowRankGaussian& parts, const Batch* rhs)
      : laws(function, A, m, parts.mean.rows()),
        gaussian(parts),
        d(rhs),
        samples(parts.mean.rows()),
        n(A.cols()),
        r(n == 0 ? 0 : parts.factor.cols() / n) {
    detail::require_shape(function, "mean", parts.mean.rows(), parts.mean.cols(), samples, n);
    detail::require_shape(function, "standard_deviation", parts.standard_deviation.rows(),
                          parts.standard_deviation.cols(), samples, n);
    detail::require_shape(function, "factor", parts.factor.rows(), parts.factor.cols(), samples, n * r);
    if (d != nullptr) detail::require_shape(function, "d", d->rows(), d->cols(), samples, m);
  }
  const double* s(Eigen::Index sample) const { return row(gaussian.standard_deviation, sample); }
  const double* U(Eigen::Index sample) const { return gaussian.factor.data() + sample * n * r; }
  const double* rhs(Eigen::Index sample) const { return d == nullptr ? nullptr : row(*d, sample); }

  Status check(Eigen::Index sample) const noexcept {
    if (!detail::all_hold({{&gaussian.mean, 1}, {&gaussian.standard_deviation, 1}, {&gaussian.factor, 1}}, sample) ||
        (d != nullptr && !detail::Finite{d, 1}.holds(sample)))
      return Status::non_finite;
    for (Eigen::Index j = 0; j < n; ++j)
      if (s(sample)[j] < 0.0) return Status::invalid_argument;
    return Status::ok;
  }

  int threads(int wanted) const {
    const double outputs = static_cast<double>(n), m = static_cast<double>(laws.rows());
    const double rank = static_cast<double>(r);
    BatchOptions options;
    options.threads = wanted;
    return detail::thread_count(options, samples, outputs * (20.0 + 3.0 * m * m + 4.0 * rank * (m + rank)) + m * m * m);
  }
};

struct Kernels {
  Kernels(const Call& call)
      : scratch(call.laws.scratch()),
        fast(call.laws.rows(), static_cast<std::size_t>(call.n), static_cast<std::size_t>(call.r)),
        precise(call.laws.rows(), static_cast<std::size_t>(call.n), static_cast<std::size_t>(call.r)) {}
  detail::LawMatrix scratch;
  detail::LowRankKernel<double> fast;
  detail::LowRankKernel<detail::DoubleDouble> precise;
};

enum class Needs { factor, variances, inverse, both };

/// body(kernel, s) -> Status for every sample whose input is sound, in double or, where that is not enough, in
/// double-double; failed(s) for the others.
template <class Body, class Failed>
std::vector<Status> for_each_kernel(const Call& call, Needs needs, std::initializer_list<detail::Finite> inputs,
                                    int wanted_threads, const Body& body, const Failed& failed) {
  std::vector<Status> result = detail::all_ok(call.samples);
  const int threads = call.threads(wanted_threads);
  std::vector<Kernels> kernels;
  kernels.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) kernels.emplace_back(call);
  const bool variances = needs == Needs::variances || needs == Needs::both;
  const bool inverse = needs == Needs::inverse || needs == Needs::both;
  detail::for_each_sample(call.samples, threads, [&](Eigen::Index s, int thread) {
    Kernels& own = kernels[static_cast<std::size_t>(thread)];
    Status status = call.check(s);
    if (status == Status::ok && !detail::all_hold(inputs, s)) status = Status::non_finite;
    if (status == Status::ok) {
      const detail::LawMatrix& laws = call.laws.of(s, own.scratch);
      const auto set = [&](auto& kernel) {
        const Status of_set =
            kernel.set(laws, row(call.gaussian.mean, s), call.s(s), call.U(s), call.rhs(s), variances);
        if (of_set != Status::ok) return of_set;
        return inverse && !kernel.set_inverse() ? Status::rank_deficient : Status::ok;
      };
      status = laws.status;
      if (status == Status::ok) {
        status = set(own.fast);
        if (status == Status::ok && own.fast.precise(inverse)) {
          status = body(own.fast, s);
        } else if (status != Status::non_finite) {
          status = set(own.precise);
          if (status == Status::ok) status = body(own.precise, s);
        }
      }
    }
    result[static_cast<std::size_t>(s)] = status;
    if (status != Status::ok) failed(s);
  });
  return result;
}

LowRankGradient make_gradient(const Call& call) {
  return {RowMatrix(call.samples, call.n), RowMatrix(call.samples, call.n), RowMatrix(call.samples, call.n * call.r)};
}
template <class Kernel>
void store(const Kernel& kernel, LowRankGradient& gradient, Eigen::Index s) {
  detail::store(kernel.mean_bar, row(gradient.mean, s));
  detail::store(kernel.deviation_bar, row(gradient.standard_deviation, s));
  detail::store(kernel.factor_bar, row(gradient.factor, s));
}
void set_nan(LowRankGradient& gradient, Eigen::Index s) {
  detail::set_nan(gradient.mean, s);
  detail::set_nan(gradient.standard_deviation, s);
  detail::set_nan(gradient.factor, s);
}

}  // namespace

ConditionalMoments conditional_moments(const RowMatrix& A, const LowRankGaussian& gaussian, const Batch& d,
                                       const BatchOptions& options) {
  const Call call("conditional_moments", A, d.cols(), gaussian, &d);
  ConditionalMoments result{RowMatrix(call.samples, call.n), RowMatrix(call.samples, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::variances, {}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        detail::store(kernel.mean, row(result.mean, s));
        detail::store(kernel.v, row(result.variance, s));
        return Status::ok;
      },
      [&](Eigen::Index s) {
        detail::set_nan(result.mean, s);
        detail::set_nan(result.variance, s);
      });
  return result;
}

LowRankGradient conditional_moments_adjoint(const RowMatrix& A, const LowRankGaussian& gaussian, const Batch& d,
                                            const Batch& mean_bar, const Batch& variance_bar,
                                            const BatchOptions& options) {
  const char* const name = "conditional_moments_adjoint";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "mean_bar", mean_bar.rows(), mean_bar.cols(), call.samples, call.n);
  detail::require_shape(name, "variance_bar", variance_bar.rows(), variance_bar.cols(), call.samples, call.n);
  LowRankGradient gradient = make_gradient(call);
  for_each_kernel(
      call, Needs::variances, {{&mean_bar, 1}, {&variance_bar, 1}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        kernel.add_projected(row(mean_bar, s));
        kernel.add_variances(row(variance_bar, s));
        store(kernel, gradient, s);
        return Status::ok;
      },
      [&](Eigen::Index s) { set_nan(gradient, s); });
  return gradient;
}

BatchRows conditional_covariance_product(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian,
                                         const Batch& x, const BatchOptions& options) {
  const char* const name = "conditional_covariance_product";
  const Call call(name, A, m, gaussian, nullptr);
  detail::require_shape(name, "x", x.rows(), x.cols(), call.samples, call.n);
  BatchRows result{RowMatrix(call.samples, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::variances, {{&x, 1}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.covariance_product(row(x, s), kernel.z.data());
        detail::store(kernel.z, row(result.value, s));
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan(result.value, s); });
  return result;
}

BatchRows conditional_draw(const RowMatrix& A, const LowRankGaussian& gaussian, const Batch& d, const Batch& normals,
                           const BatchOptions& options) {
  const Call call("conditional_draw", A, d.cols(), gaussian, &d);
  const Eigen::Index draws =
      detail::draws_a_sample("conditional_draw", "normals", normals, call.samples, call.n + call.r);
  BatchRows result{RowMatrix(call.samples * draws, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::factor, {{&normals, draws}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) {
          kernel.draw(row(normals, k));
          detail::store(kernel.p, row(result.value, k));
        }
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan_rows(result.value, s, draws); });
  return result;
}

LowRankGradient conditional_draw_adjoint(const RowMatrix& A, const LowRankGaussian& gaussian, const Batch& d,
                                         const Batch& normals, const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "conditional_draw_adjoint";
  const Call call(name, A, d.cols(), gaussian, &d);
  const Eigen::Index draws = detail::draws_a_sample(name, "normals", normals, call.samples, call.n + call.r);
  detail::require_shape(name, "y_bar", y_bar.rows(), y_bar.cols(), call.samples * draws, call.n);
  LowRankGradient gradient = make_gradient(call);
  for_each_kernel(
      call, Needs::factor, {{&normals, draws}, {&y_bar, draws}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) {
          kernel.draw(row(normals, k));
          kernel.law_combination(kernel.lambda.data(), kernel.b.data());
          kernel.add_projected(row(y_bar, k));
          kernel.add_normals(kernel.p.data(), row(normals, k), row(normals, k) + call.n);
        }
        store(kernel, gradient, s);
        return Status::ok;
      },
      [&](Eigen::Index s) { set_nan(gradient, s); });
  return gradient;
}

LowRankGradient rao_blackwell_gradient(const RowMatrix& A, const LowRankGaussian& gaussian, const Batch& d,
                                       const Batch& y, const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "rao_blackwell_gradient";
  const Call call(name, A, d.cols(), gaussian, &d);
  const Eigen::Index draws = detail::draws_a_sample(name, "y", y, call.samples, call.n);
  detail::require_shape(name, "y_bar", y_bar.rows(), y_bar.cols(), call.samples * draws, call.n);
  LowRankGradient gradient = make_gradient(call);
  for_each_kernel(
      call, Needs::inverse, {{&y, draws}, {&y_bar, draws}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) kernel.add_rao_blackwell(row(y, k), row(y_bar, k));
        store(kernel, gradient, s);
        return Status::ok;
      },
      [&](Eigen::Index s) { set_nan(gradient, s); });
  return gradient;
}

CorrelatedScore<LowRankGradient> conditional_log_density(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                         const Batch& d, const Batch& y,
                                                         const DensityOptions& options) {
  const char* const name = "conditional_log_density";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  detail::require_dependent(name, options.dependent, d.cols(), call.n);
  CorrelatedScore<LowRankGradient> result;
  result.value.resize(call.samples);
  if (options.with_gradient) result.gradient = make_gradient(call);
  result.status = for_each_kernel(
      call, Needs::both, {{&y, 1}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        const Status status = kernel.log_density(row(y, s), options.dependent, options.with_gradient, result.value[s]);
        if (status == Status::ok && options.with_gradient) store(kernel, result.gradient, s);
        return status;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        if (options.with_gradient) set_nan(result.gradient, s);
      });
  return result;
}

BatchRows conditional_entropy(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian,
                              const BatchOptions& options) {
  const Call call("conditional_entropy", A, m, gaussian, nullptr);
  BatchRows result{RowMatrix(call.samples, 1), {}};
  result.status = for_each_kernel(
      call, Needs::inverse, {}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        result.value(s, 0) = kernel.entropy();
        return std::isfinite(result.value(s, 0)) ? Status::ok : Status::rank_deficient;
      },
      [&](Eigen::Index s) { result.value(s, 0) = detail::not_a_number; });
  return result;
}

BatchRows null_space_log_density(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian, const Batch& y,
                                 const BatchOptions& options) {
  const char* const name = "null_space_log_density";
  const Call call(name, A, m, gaussian, nullptr);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  BatchRows result{RowMatrix(call.samples, 1), detail::all_ok(call.samples)};
  const int threads = call.threads(options.threads);
  std::vector<Kernels> kernels;
  kernels.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) kernels.emplace_back(call);
  detail::for_each_sample(call.samples, threads, [&](Eigen::Index s, int thread) {
    Kernels& own = kernels[static_cast<std::size_t>(thread)];
    double& value = result.value(s, 0);
    value = detail::not_a_number;
    Status status = call.check(s);
    if (status == Status::ok && !detail::Finite{&y, 1}.holds(s)) status = Status::non_finite;
    const detail::LawMatrix& laws = call.laws.of(s, own.scratch);
    if (status == Status::ok) status = laws.status;
    if (status == Status::ok) {
      const auto evaluate = [&](auto& kernel) {
        return kernel.null_space_log_density(laws, row(gaussian.mean, s), call.s(s), call.U(s), row(y, s));
      };
      value = evaluate(own.fast);
      if (!std::isfinite(value) || !own.fast.precise(true)) value = evaluate(own.precise);
      if (!std::isfinite(value)) {
        // S is singular; N'SN need not be.
        const Eigen::Map<const RowMatrix> U(call.U(s), call.n, call.r);
        Eigen::MatrixXd S = U * U.transpose();
        S.diagonal() += gaussian.standard_deviation.row(s).cwiseAbs2().transpose();
        const Eigen::MatrixXd rows = A.middleRows(call.laws.shared() ? 0 : s * m, m);
        value = detail::dense_null_space_log_density(rows, S, (y.row(s) - gaussian.mean.row(s)).transpose());
      }
      if (!std::isfinite(value)) status = Status::rank_deficient;
    }
    result.status[static_cast<std::size_t>(s)] = status;
  });
  return result;
}

CorrelatedScore<LowRankGradient> conditional_crps_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                       const Batch& d, const Batch& y,
                                                       const Eigen::VectorXd& score_scale,
                                                       const BatchOptions& options) {
  const char* const name = "conditional_crps_loss";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  const Eigen::VectorXd weight = detail::score_weights_of(name, score_scale, call.n);
  CorrelatedScore<LowRankGradient> result;
  result.value.resize(call.samples);
  result.gradient = make_gradient(call);
  result.status = for_each_kernel(
      call, Needs::variances, {{&y, 1}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        // The sample's own rows of the gradient hold moments and bars until it is stored.
        double* mean = row(result.gradient.mean, s);
        double* variance = row(result.gradient.standard_deviation, s);
        detail::store(kernel.mean, mean);
        detail::store(kernel.v, variance);
        result.value[s] =
            detail::weighted_marginal_crps(call.n, mean, variance, row(y, s), weight, mean, variance);
        kernel.add_projected(mean);
        kernel.add_variances(variance);
        store(kernel, result.gradient, s);
        return Status::ok;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        set_nan(result.gradient, s);
      });
  return result;
}

CorrelatedScore<LowRankGradient> conditional_squared_error_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                                const Batch& d, const Batch& y,
                                                                const Eigen::VectorXd& score_scale,
                                                                const BatchOptions& options) {
  const char* const name = "conditional_squared_error_loss";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  detail::score_weights_of(name, score_scale, call.n);
  CorrelatedScore<LowRankGradient> result;
  result.value.resize(call.samples);
  result.gradient = make_gradient(call);
  result.status = for_each_kernel(
      call, Needs::factor, {{&y, 1}}, options.threads,
      [&](auto& kernel, Eigen::Index s) {
        kernel.set_mean();
        double* mean = row(result.gradient.mean, s);
        detail::store(kernel.mean, mean);
        result.value[s] = detail::weighted_squared_error(call.n, mean, row(y, s), score_scale, mean);
        kernel.add_projected(mean);
        store(kernel, result.gradient, s);
        return Status::ok;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        set_nan(result.gradient, s);
      });
  return result;
}

CorrelatedScore<LowRankGradient> conditional_likelihood_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                             const Batch& d, const Batch& y,
                                                             const BatchOptions& options) {
  DensityOptions density;
  density.with_gradient = true;
  density.threads = options.threads;
  CorrelatedScore<LowRankGradient> result = conditional_log_density(A, gaussian, d, y, density);
  result.value = -result.value;
  result.gradient.mean = -result.gradient.mean;
  result.gradient.standard_deviation = -result.gradient.standard_deviation;
  result.gradient.factor = -result.gradient.factor;
  return result;
}

}  // namespace lavoisier
