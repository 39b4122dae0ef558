#ifndef LAVOISIER_PLUGIN_LAW_SYSTEM_HPP
#define LAVOISIER_PLUGIN_LAW_SYSTEM_HPP

#include <lavoisier/model_file.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::detail {

enum class ScalarCode : std::int32_t { add, subtract, multiply, divide, negate };

/// Where an operand of a scalar operation lies: a number, an element of the flat inputs, or an earlier result.
struct ScalarOperand {
  enum class Kind : std::int32_t { number, input, result };
  Kind kind = Kind::number;
  std::int32_t index = 0;
  double number = 0.0;
};
struct ScalarOperation {
  ScalarCode code = ScalarCode::add;
  ScalarOperand left, right;
};

/// The right-hand sides of all laws, and the coefficients that vary by column, as one straight-line program in FP64: the
/// operations and the order of Expression::evaluate, dimensions unrolled at load, so that a batch evaluates them without
/// allocation.
struct ScalarProgram {
  std::vector<ScalarOperation> operations;
};

/// Values of a coordinate, row-major over `dimensions`. `placed` false: the file doesn't say over which, and laws can't
/// use it.
struct Coordinate {
  std::vector<std::string> dimensions;
  std::vector<std::int64_t> extents;
  std::vector<double> values;
  bool placed = true;
};
using Coordinates = std::map<std::string, Coordinate>;

/// A law as the file states it.
struct ProgramLaw {
  std::string name, equation, units;
  double physics_tolerance = 0.0;
};

/// The laws of a model. Elements are indices into the flat outputs. A is one for all columns (`varies` false: the
/// coefficients are numbers), or each column's own (`varies` true: they are operands, and what is derived from entries
/// of A names these entries).
struct LawSystem {
  std::vector<ProgramLaw> laws;
  ScalarProgram scalars;
  std::vector<ScalarOperand> right_hand_side;  ///< one a law
  bool varies = false;

  // All laws, for the closure: terms of law l are term_begin[l] .. term_begin[l + 1] - 1, in the file's order.
  std::vector<std::int32_t> term_begin, term_element;
  std::vector<double> term_coefficient;
  std::vector<ScalarOperand> term_operand;  ///< if A varies

  // The independent laws, for the solve: rows of A, merged by element, ascending.
  std::vector<std::int32_t> row_law;    ///< which law a row is
  std::vector<std::int32_t> dependent;  ///< the other laws
  std::vector<std::int32_t> row_begin, row_element;
  std::vector<double> row_coefficient;
  std::vector<ScalarOperand> row_operand;  ///< if A varies
  // The columns of A: entries of element i are column_begin[i] .. column_begin[i + 1] - 1, rows ascending.
  std::vector<std::int32_t> column_begin, column_row;
  std::vector<double> column_coefficient;
  std::vector<std::int32_t> column_entry;  ///< if A varies: which entry of the rows it is
  // Products for W = A S A': pair p = k(k+1)/2 + l, l <= k, elements ascending.
  std::vector<std::int32_t> pair_begin, pair_element;
  std::vector<double> pair_product;
  std::vector<std::int32_t> pair_left, pair_right;  ///< if A varies: of which entries, of row k and of row l

  std::int32_t rows() const noexcept { return static_cast<std::int32_t>(row_law.size()); }
  std::int32_t count() const noexcept { return static_cast<std::int32_t>(laws.size()); }
};

/// Of the local laws. Errors: unsupported (a symbol that is neither input nor constant nor a coordinate whose values the file
/// has, each with the law's name), invalid_format, inconsistent_laws, non_finite. Where A varies, which laws are
/// independent is decided at a few points of the training range.
LawSystem compile_laws(const ModelDescription& description, const Coordinates& coordinates,
                       const std::vector<double>& input_minimum, const std::vector<double>& input_maximum);

}  // namespace lavoisier::detail

#endif
