#ifndef LAVOISIER_LINEAR_CONSTRAINTS_HPP
#define LAVOISIER_LINEAR_CONSTRAINTS_HPP

#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>

#include <Eigen/Core>

#include <span>
#include <string>
#include <vector>

namespace lavoisier {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What became of each law: used as a row, or found to follow from others.
struct LawReport {
  std::string law;
  bool redundant = false;
  std::vector<std::string> implied_by;  ///< for a redundant one
  double scaled_pivot = 0.0;            ///< how far its scaled row is from those before it (0..1)
};

/// What to do with a sample's row that says nothing: one whose coefficients all vanish, or are not all finite.
enum class BadRow {
  refuse,  ///< Error(rank_deficient) or Error(non_finite) that names law, row and sample
  keep     ///< left to the per-sample status of what uses A
};

/// The local laws over a fixed layout as rows A(x) y = b(x), FP64, physical units; columns are the elements of the
/// output variables in layout order.
///
/// The constructor assembles A where all coefficients are constant (`shared()`), decides rank on rows scaled to unit
/// norm (tolerances::identity::rank), drops redundant laws and reports them. Where coefficients or right-hand sides
/// depend on inputs, laws are compared at fixed pseudo-random points (docs/method.md, "Laws"); laws of global scope are
/// no rows and not in the report. Errors: inconsistent_laws names the laws that contradict each other; invalid_argument
/// names a law whose row is zero, or a name used twice; non_finite a law with a coefficient or right-hand side that is
/// no number; unsupported a ragged variable; Error from validate_law.
class LinearConstraints {
 public:
  LinearConstraints(const StateLayout& layout, std::vector<Law> laws, std::vector<Constant> constants);

  /// All laws as given, and which of them are rows.
  const std::vector<Law>& laws() const noexcept { return laws_; }
  const std::vector<LawReport>& report() const noexcept { return report_; }
  const std::vector<Law>& independent_laws() const noexcept { return independent_; }
  const std::vector<Constant>& constants() const noexcept { return constants_; }

  Eigen::Index rows() const noexcept { return static_cast<Eigen::Index>(independent_.size()); }
  Eigen::Index outputs() const noexcept { return outputs_; }
  bool shared() const noexcept { return shared_; }

  /// A of the independent laws, rows() x outputs(); Error(unsupported) unless shared().
  const RowMatrix& A() const;
  /// A of one sample from its flat inputs (layout order, physical units).
  RowMatrix A(std::span<const double> inputs) const;
  /// A of a batch, samples * rows() x outputs(), one sample's block after another; inputs as below.
  RowMatrix stacked_A(const Eigen::Ref<const RowMatrix>& inputs, BadRow bad_row = BadRow::refuse) const;
  /// b of a batch: samples x rows(), inputs samples x input elements.
  RowMatrix right_hand_side(const Eigen::Ref<const RowMatrix>& inputs) const;

 private:
  StateLayout layout_;
  std::vector<Law> laws_, independent_;
  std::vector<Constant> constants_;
  std::vector<LawReport> report_;
  Eigen::Index outputs_ = 0;
  bool shared_ = true;
  RowMatrix A_;
};

/// One law's closure over a batch (DESIGN, "The plugin", last but two): residual and the sum of its |terms| + |b|.
struct Closure {
  Eigen::VectorXd residual;        ///< sum of terms - b, in the law's units
  Eigen::VectorXd term_magnitude;  ///< sum of |coefficient * element| over all elements of all terms + |b|
  RowMatrix terms;                 ///< samples x (terms + 1), the right-hand side last
};

/// |residual| / term_magnitude with 0/0 = 0; sums in FP64, in term order.
double relative_residual(double residual, double term_magnitude) noexcept;
Closure closure(const Law& law, const StateLayout& layout, const std::vector<Constant>& constants,
                const Eigen::Ref<const RowMatrix>& inputs, const Eigen::Ref<const RowMatrix>& outputs);

}  // namespace lavoisier

#endif
