#include "law_values.hpp"
#include "parallel.hpp"

#include <cmath>

namespace lavoisier {

double relative_residual(double residual, double term_magnitude) noexcept {
  return residual == 0.0 ? 0.0 : std::abs(residual) / term_magnitude;
}

Closure closure(const Law& law, const StateLayout& layout, const std::vector<Constant>& constants,
                const Eigen::Ref<const RowMatrix>& inputs, const Eigen::Ref<const RowMatrix>& outputs) {
  validate_law(law, layout, constants);
  const Eigen::Index samples = outputs.rows();
  detail::require_shape("closure", "inputs", inputs.rows(), inputs.cols(), samples, layout.elements(Role::input));
  detail::require_shape("closure", "outputs", outputs.rows(), outputs.cols(), samples, layout.elements(Role::output));
  detail::LawValues values(layout, constants);
  const std::size_t terms = law.terms.size();
  Closure result{Eigen::VectorXd(samples), Eigen::VectorXd(samples),
                 RowMatrix(samples, static_cast<Eigen::Index>(terms) + 1)};

  std::vector<std::vector<double>> coefficients(terms);
  std::vector<bool> shared(terms);
  const bool shared_right_hand_side = values.is_shared(law.right_hand_side);
  for (Eigen::Index s = 0; s < samples; ++s) {
    values.set_inputs({detail::row(inputs, s), static_cast<std::size_t>(inputs.cols())});
    double residual = 0.0, magnitude = 0.0;
    for (std::size_t t = 0; t < terms; ++t) {
      if (s == 0) shared[t] = values.is_shared(law.terms[t].coefficient);
      if (s == 0 || !shared[t]) coefficients[t] = values.coefficients(law.terms[t]);
      const double* y = detail::row(outputs, s) + values.offset(law.terms[t]);
      double sum = 0.0;
      for (std::size_t i = 0; i < coefficients[t].size(); ++i) {
        const double product = coefficients[t][i] * y[i];
        sum += product;
        magnitude += std::abs(product);
      }
      result.terms(s, static_cast<Eigen::Index>(t)) = sum;
      residual += sum;
    }
    const double b = s > 0 && shared_right_hand_side ? result.terms(0, static_cast<Eigen::Index>(terms))
                                                     : values.scalar(law.right_hand_side);
    result.terms(s, static_cast<Eigen::Index>(terms)) = b;
    result.residual[s] = residual - b;
    result.term_magnitude[s] = magnitude + std::abs(b);
  }
  return result;
}

}  // namespace lavoisier
