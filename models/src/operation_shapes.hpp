#ifndef LAVOISIER_MODELS_OPERATION_SHAPES_HPP
#define LAVOISIER_MODELS_OPERATION_SHAPES_HPP

#include <lavoisier/model_file.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::detail {

/// Shape of a tensor by its name.
using ShapeOf = std::function<std::vector<std::int64_t>(const std::string& tensor)>;

/// Width of what an operation of a network makes, from the widths of its operands. Error(invalid_format) says what
/// doesn't fit: unknown operation, number of operands, tensor or attribute missing, shapes that disagree.
std::int64_t output_width(const GraphOperation& operation, const std::vector<std::int64_t>& widths, const ShapeOf& shape_of);

/// Operands of an operation that are trained tensors, in the order in which a plan lists them.
std::vector<std::string> trained_operands(const std::string& op);

/// A number of an operation's attributes; Error(invalid_format) if it is missing or no number in range.
std::int64_t integer_attribute(const GraphOperation& operation, const std::string& name, std::int64_t least = 0);
/// "y,x".
std::pair<std::int64_t, std::int64_t> pair_attribute(const GraphOperation& operation, const std::string& name,
                                                     std::int64_t least = 0);
/// Rows that a layer is applied to one by one: the attribute `rows`, 1 without.
std::int64_t rows_attribute(const GraphOperation& operation);
double number_attribute(const GraphOperation& operation, const std::string& name);

}  // namespace lavoisier::detail

#endif
