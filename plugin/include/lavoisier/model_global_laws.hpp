#ifndef LAVOISIER_MODEL_GLOBAL_LAWS_HPP
#define LAVOISIER_MODEL_GLOBAL_LAWS_HPP

// The laws over all columns that a model file states, for GlobalLaws: C++17, no Kokkos, no MPI.

#include <lavoisier/global_laws.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

/// A number that these laws name and no input is: of each column (a weight, such as the cell's area) or of the whole step.
struct HostNumberInfo {
  std::string name, units;
};
/// The same as the host has it, in host memory: of column c at values[c*column_stride]; a stride of 0: of the step.
/// Units: the model's; null: not checked.
struct HostNumber {
  const char* name = nullptr;
  const double* values = nullptr;
  std::int64_t column_stride = 1;
  const char* units = nullptr;
};

/// Makes B and D of global_laws.hpp from inputs and the host's numbers, so that a host need not write the laws down again.
/// Before a step is drawn, its sums over columns (the denominators of means) are added up; where weights are the same in
/// every step, once:
///
///     stated.begin();
///     for each chunk: stated.add(arguments, numbers, count);           // of arguments, inputs and active columns alone
///     stated.close(status, reduce, context);
///     stated.right_hand_side(numbers, count, D);                       // for GlobalLaws::begin
///     for each chunk: stated.coefficients(arguments, numbers, count, B); arguments.global_rows = stated.rows(B);
///
/// Constants are those of the model (Model::with_constants).
class ModelGlobalLaws {
 public:
  /// A model without such laws has none. Errors: invalid_argument, unsupported (a right-hand side with inputs outside
  /// its sums over columns, a sum over columns inside another, what LawSystem refuses).
  explicit ModelGlobalLaws(std::shared_ptr<const Model> model);
  ~ModelGlobalLaws();
  ModelGlobalLaws(ModelGlobalLaws&&) noexcept;
  ModelGlobalLaws& operator=(ModelGlobalLaws&&) noexcept;

  const std::vector<LawInfo>& laws() const noexcept;
  const std::vector<HostNumberInfo>& numbers() const noexcept;
  bool has_sums() const noexcept;  ///< else begin, add and close do nothing

  void begin();
  /// Fields lie in host memory. Errors, here and below: not_found (a number that is missing or that no law names),
  /// unit_mismatch, those of Workspace::run for inputs.
  void add(const RunArguments& arguments, const HostNumber* numbers, std::size_t count);
  /// As GlobalLaws::close; exact sums, rounded once. Errors, the same on every rank: that of the ranks that failed.
  void close(Status mine = Status::ok, Reduce reduce = nullptr, void* context = nullptr);

  /// One a law. Error(non_finite).
  void right_hand_side(const HostNumber* numbers, std::size_t count, double* values) const;
  /// Columns x laws x output elements; 0 for columns that the arguments do not select. Error(non_finite) names a law.
  void coefficients(const RunArguments& arguments, const HostNumber* numbers, std::size_t count, double* values) const;
  GlobalRows rows(const double* coefficients) const noexcept;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
