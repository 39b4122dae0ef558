#ifndef LAVOISIER_MODELS_PLAN_BUILDER_HPP
#define LAVOISIER_MODELS_PLAN_BUILDER_HPP

#include "network_plan.hpp"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// A value that is channels x height x width.
struct FieldValue {
  std::string name;
  std::int64_t channels = 0, height = 0, width = 0;
  std::int64_t places() const { return height * width; }
};

/// Appends operations and their parameters to a plan; values and tensors are named with a prefix and counted.
class PlanBuilder {
 public:
  /// `ports`: what the network reads; the first is the plan's input.
  PlanBuilder(std::string prefix, const std::vector<Port>& ports);

  std::string append(const std::string& op, std::vector<std::string> inputs, std::int64_t width,
                     std::map<std::string, std::string> tensors = {}, std::map<std::string, std::string> attributes = {});
  std::int64_t width(const std::string& value) const { return widths_.at(value); }

  /// A layer's tensors, for several uses of the same weights.
  using Layer = std::map<std::string, std::string>;
  Layer dense_layer(std::int64_t from, std::int64_t to);
  /// `to` numbers of each of `rows` rows.
  std::string dense(const std::string& from, std::int64_t to, const Layer& layer, std::int64_t rows);
  std::string dense(const std::string& from, std::int64_t to, std::int64_t rows = 1);
  std::string embedding(const std::string& index, std::int64_t categories, std::int64_t features);
  std::string gather(const std::string& nodes, const std::string& index, std::int64_t features);
  std::string scatter_add(const std::string& edges, const std::string& index, std::int64_t features,
                          std::int64_t nodes);
  std::string gru(const std::string& from, const std::string& hidden, std::int64_t rows);
  /// Dense layers of the given widths, a norm and an activation behind each but the last, which is `outputs` wide.
  std::string mlp(const MlpOptions& options, std::string from, std::int64_t outputs);
  std::string silu(const std::string& from) { return append("silu", {from}, width(from)); }
  std::string concat(const std::vector<std::string>& values);  ///< of one value: itself
  std::string time_embedding(const std::string& time, const std::vector<double>& frequencies);
  /// Kernel 2 r + 1 wide along each dimension that has more than one place, zeros outside.
  FieldValue convolution(const FieldValue& from, std::int64_t channels, std::int64_t radius, std::int64_t stride = 1);
  /// A matrix (rows x channels, row-major) applied to the channels at each place, not trained.
  FieldValue fixed_map(const FieldValue& from, std::int64_t rows, std::vector<double> matrix);
  /// rows x columns to columns x rows.
  std::string transpose(const std::string& from, std::int64_t rows);
  FieldValue multiply(const FieldValue& a, const FieldValue& b);
  FieldValue sigmoid(const FieldValue& from) { return {append("sigmoid", {from.name}, width(from.name)), from.channels, from.height, from.width}; }
  FieldValue group_norm(const FieldValue& from, std::int64_t groups);
  FieldValue upsampled(const FieldValue& from);
  FieldValue silu(const FieldValue& from) { return {silu(from.name), from.channels, from.height, from.width}; }
  std::string add(const std::string& a, const std::string& b) { return append("add", {a, b}, width(a)); }
  FieldValue add(const FieldValue& a, const FieldValue& b);
  FieldValue add_channel(const FieldValue& from, const std::string& vector);
  FieldValue concat(const FieldValue& a, const FieldValue& b);

  /// The plan, its last operation's result named `output`.
  NetworkPlan finish(const std::string& output) &&;

 private:
  std::string parameter(const std::string& layer, const std::string& operand, std::vector<std::int64_t> shape,
                        std::int64_t fan_in, bool decays, std::vector<double> fixed = {});
  FieldValue conv2d(const FieldValue& from, std::int64_t channels, std::array<std::int64_t, 2> radius,
                    std::array<std::int64_t, 2> stride, const std::string& weight, const std::string& bias);
  std::string layer(const std::string& kind) { return prefix_ + kind + std::to_string(layers_[kind]++); }

  std::string prefix_;
  NetworkPlan plan_;
  std::map<std::string, std::int64_t> widths_;
  std::map<std::string, int> layers_;
  int values_ = 0;
};

}  // namespace lavoisier::detail

#endif
