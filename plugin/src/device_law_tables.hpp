#ifndef LAVOISIER_PLUGIN_DEVICE_LAW_TABLES_HPP
#define LAVOISIER_PLUGIN_DEVICE_LAW_TABLES_HPP

#include "device_laws.hpp"
#include "device_memory.hpp"
#include "law_system.hpp"

#include <cstdint>
#include <vector>

namespace lavoisier::detail {

/// A LawSystem in a device's memory, with what a run knows of its laws: tables [row][slot] with ld slots a row.
template <class ExecutionSpace>
class DeviceLawTables {
  using Device = DeviceMemory<ExecutionSpace>;
  using Range = typename Device::Range;
  template <class T>
  using Array = typename Device::template Array<T>;

 public:
  DeviceLawTables(const LawSystem& laws, std::int64_t outputs, std::int64_t ld)
      : laws_(laws), outputs_(outputs), ld_(ld) {
    const auto rows = [&](std::int64_t count) { return Device::template make<double>(count * ld); };
    const std::int64_t m = laws.rows();
    right_hand_side_ = rows(laws.count());
    scalars_ = rows(static_cast<std::int64_t>(laws.scalars.operations.size()));
    row_values_ = rows(static_cast<std::int64_t>(laws.row_operand.size()));
    term_values_ = rows(static_cast<std::int64_t>(laws.term_operand.size()));
    variance_ = rows(outputs);
    factor_ = rows(m * (m + 1) / 2);
    residual_ = rows(laws.count());
    relative_ = rows(laws.count());
    skipped_ = rows(m);
    row_law_ = Device::copy(laws.row_law);
    row_begin_ = Device::copy(laws.row_begin);
    row_element_ = Device::copy(laws.row_element);
    row_coefficient_ = Device::copy(laws.row_coefficient);
    column_begin_ = Device::copy(laws.column_begin);
    column_row_ = Device::copy(laws.column_row);
    column_coefficient_ = Device::copy(laws.column_coefficient);
    pair_begin_ = Device::copy(laws.pair_begin);
    pair_element_ = Device::copy(laws.pair_element);
    pair_product_ = Device::copy(laws.pair_product);
    term_begin_ = Device::copy(laws.term_begin);
    term_element_ = Device::copy(laws.term_element);
    term_coefficient_ = Device::copy(laws.term_coefficient);
    column_entry_ = Device::copy(laws.column_entry);
    pair_left_ = Device::copy(laws.pair_left);
    pair_right_ = Device::copy(laws.pair_right);
  }

  double* right_hand_side() const { return right_hand_side_.data(); }
  double* variance() const { return variance_.data(); }
  double* factor() const { return factor_.data(); }
  double* residual() const { return residual_.data(); }
  double* relative() const { return relative_.data(); }
  double* skipped() const { return skipped_.data(); }
  double* row_values() const { return row_values_.data(); }

  ColumnLaws column_laws() const {
    ColumnLaws laws;
    laws.n = static_cast<std::int32_t>(outputs_);
    laws.m = laws_.rows();
    laws.laws = laws_.count();
    laws.row_law = row_law_.data();
    laws.row_begin = row_begin_.data();
    laws.row_element = row_element_.data();
    laws.row_coefficient = row_coefficient_.data();
    laws.column_begin = column_begin_.data();
    laws.column_row = column_row_.data();
    laws.column_coefficient = column_coefficient_.data();
    laws.pair_begin = pair_begin_.data();
    laws.pair_element = pair_element_.data();
    laws.pair_product = pair_product_.data();
    laws.term_begin = term_begin_.data();
    laws.term_element = term_element_.data();
    laws.term_coefficient = term_coefficient_.data();
    if (laws_.varies) {
      laws.row_values = row_values_.data();
      laws.term_values = term_values_.data();
      laws.column_entry = column_entry_.data();
      laws.pair_left = pair_left_.data();
      laws.pair_right = pair_right_.data();
    }
    return laws;
  }

  /// Right-hand sides of the columns with inputs x, and coefficients where they vary.
  void evaluate(const ExecutionSpace& space, const double* x, std::int64_t count) {
    const auto& operations = laws_.scalars.operations;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const ScalarCode code = operations[i].code;
      const Operand left = operand(operations[i].left, x), right = operand(operations[i].right, x);
      double* result = scalars_.data() + static_cast<std::int64_t>(i) * ld_;
      Kokkos::parallel_for(
          "lav::scalar", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
            const double a = left.at(s), b = right.at(s);
            result[s] = code == ScalarCode::add        ? a + b
                        : code == ScalarCode::subtract ? a - b
                        : code == ScalarCode::multiply ? a * b
                        : code == ScalarCode::divide   ? a / b
                                                       : -a;
          });
    }
    tabulate(space, laws_.right_hand_side, x, right_hand_side_.data(), count);
    tabulate(space, laws_.row_operand, x, row_values_.data(), count);
    tabulate(space, laws_.term_operand, x, term_values_.data(), count);
  }

  // Public because nvcc wants the functions that enclose device lambdas to be.
  struct Operand {
    const double* data = nullptr;
    double number = 0.0;
    KOKKOS_INLINE_FUNCTION double at(std::int64_t s) const { return data == nullptr ? number : data[s]; }
  };
  Operand operand(const ScalarOperand& given, const double* x) const {
    Operand found;
    found.number = given.number;
    if (given.kind == ScalarOperand::Kind::input) found.data = x + given.index * ld_;
    if (given.kind == ScalarOperand::Kind::result) found.data = scalars_.data() + given.index * ld_;
    return found;
  }
  void tabulate(const ExecutionSpace& space, const std::vector<ScalarOperand>& operands, const double* x, double* table,
                std::int64_t count) {
    for (const auto& given : operands) {
      const Operand from = operand(given, x);
      double* result = table;
      Kokkos::parallel_for(
          "lav::laws", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) { result[s] = from.at(s); });
      table += ld_;
    }
  }

 private:
  const LawSystem& laws_;
  std::int64_t outputs_, ld_;
  Array<double> right_hand_side_, scalars_, row_values_, term_values_, variance_, factor_, residual_, relative_,
      skipped_, row_coefficient_, column_coefficient_, pair_product_, term_coefficient_;
  Array<std::int32_t> row_law_, row_begin_, row_element_, column_begin_, column_row_, pair_begin_, pair_element_,
      term_begin_, term_element_, column_entry_, pair_left_, pair_right_;
};

}  // namespace lavoisier::detail

#endif
