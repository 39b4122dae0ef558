#ifndef LAVOISIER_APPS_GLOBAL_TERMS_HPP
#define LAVOISIER_APPS_GLOBAL_TERMS_HPP

// Laws over all columns of each step of a file: which columns take part, sums that are fixed before outputs are drawn,
// numbers of steps, and coefficients.

#include <lavoisier/domain.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// A sum that keeps what rounding loses (Knuth's two-sum): some 32 digits, so that the order hardly matters.
class LongSum {
 public:
  void add(double x) noexcept {
    const double sum = high_ + x, part = sum - high_;
    low_ += (high_ - (sum - part)) + (x - part);
    high_ = sum;
  }
  double value() const noexcept { return high_ + low_; }

 private:
  double high_ = 0.0, low_ = 0.0;
};

/// The cells of a piece that take part: in the subset, with all inputs. Packed.
struct Columns {
  std::vector<std::int64_t> cell;  ///< flat, in the file
  std::vector<double> inputs;      ///< columns x input elements
  std::vector<double> weights;     ///< columns x the domain's weights
  std::vector<std::uint64_t> step;
};
/// `weights`: whether these are wanted.
Columns columns_of(const SampleReader& reader, const SampleReader::Piece& piece, const std::optional<Subset>& subset,
                   std::size_t input_elements, bool weights);

/// Some columns, where they lie.
struct ColumnRows {
  std::size_t count = 0;
  const double *inputs = nullptr, *weights = nullptr;
  const std::uint64_t* step = nullptr;
};
ColumnRows rows_of(const Columns& columns);

using StepNumbers = std::map<std::string, std::vector<double>>;  ///< by name, one a step

/// Coefficients and right-hand sides of laws over all columns.
class GlobalTerms {
 public:
  /// Of laws whose sums over columns are still to be added up.
  GlobalTerms(const Domain& domain, std::vector<Law> laws, std::size_t steps);

  const std::vector<Law>& laws() const noexcept { return laws_; }
  std::size_t output_elements() const noexcept { return outputs_; }

  /// Adds columns to the sums on which coefficients depend; every column once, before what follows is asked for.
  void add(const ColumnRows& columns);
  void set(StepNumbers numbers) { numbers_ = std::move(numbers); }
  const StepNumbers& numbers() const noexcept { return numbers_; }
  /// B, columns x laws x output elements. Error(non_finite) names a law whose coefficient is no number.
  std::vector<double> coefficients(const ColumnRows& columns) const;
  double right_hand_side(std::size_t law, std::size_t step) const;  ///< Error(non_finite)

 private:
  struct Terms {
    std::vector<Expression> coefficients;  ///< one a term
    Expression right_hand_side;
  };
  ExpressionValue lookup(const std::string& name, const ColumnRows& columns) const;
  ExpressionValue of_step(const std::string& name, std::size_t step) const;

  StateLayout layout_;
  std::vector<Constant> constants_;
  std::vector<std::string> weights_;
  std::vector<Law> laws_;
  std::vector<Terms> terms_;
  std::vector<Expression> totals_;
  std::vector<std::vector<LongSum>> sums_;  ///< [total][step]
  StepNumbers numbers_;
  std::size_t inputs_, outputs_;
};

/// Values of step values as the command line gives them: NAME=VALUE in the domain's units. Throws UsageError.
std::map<std::string, double> given_step_values(const Domain& domain, const std::vector<std::string>& words);

/// The laws over all columns of one file, ready to be met or judged.
struct GlobalProblem {
  std::vector<GlobalLaw> laws;
  std::vector<FileAxis> step_axes;
  std::size_t steps = 1;
  std::optional<GlobalTerms> terms;  ///< none without laws
};
/// Reads the file's inputs and weights once, and its outputs where a step value is made of them. Errors: not_found (a
/// step value that neither the file nor `given` has), non_finite (a column without a reference), those of reading.
GlobalProblem global_problem(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file,
                             const std::optional<Subset>& subset, std::vector<GlobalLaw> laws,
                             const std::map<std::string, double>& given);

/// The same for all laws of the domain that can be judged: laws on request whose weights or step values are not to be had
/// are left out, unless `asked` names them; `notes` says why. Not `all_needed`: so are others.
GlobalProblem global_problem_of_all(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file,
                                    const std::optional<Subset>& subset, const std::map<std::string, double>& given,
                                    const std::vector<std::string>& asked, std::vector<std::string>& notes, bool all_needed = true);

}  // namespace lavoisier::cli

#endif
