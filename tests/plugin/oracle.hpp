#ifndef LAVOISIER_TESTS_PLUGIN_ORACLE_HPP
#define LAVOISIER_TESTS_PLUGIN_ORACLE_HPP

// What docs/model-file.md says, in plain loops, one column at a time: nothing here is shared with the plugin but the
// elementary functions and the draws.

#include <lavoisier/elementary.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/random.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::tests {

enum class Arithmetic {
  as_documented,  ///< FP32 where the document says so, one rounding a step: the plugin's bits
  fp64            ///< everything in FP64 with the C library's functions
};

struct OracleDraw {
  random::Key key;
  random::Address address;  ///< column, step, member
  bool mean_only = false;
};

struct OracleResult {
  std::vector<double> mean, deviation, noise, draw, outputs;
};

/// Rows of A and b of all laws for one column. A coefficient is one number, or has its variable's dimensions.
struct OracleLaws {
  std::vector<std::vector<double>> A;
  std::vector<double> b;
};
inline OracleLaws oracle_laws(const ModelDescription& d, const std::vector<double>& inputs) {
  OracleLaws laws;
  const auto lookup = [&](const std::string& name) {
    ExpressionValue value;
    for (const auto& constant : d.constants)
      if (constant.name == name) {
        value.values = {constant.value};
        return value;
      }
    const Variable& variable = d.layout.variable(name);
    value.dimensions = variable.dimensions;
    for (const auto& dimension : variable.dimensions) value.extents.push_back(d.layout.dimension(dimension).extent);
    const auto first = inputs.begin() + d.layout.offset(name);
    value.values.assign(first, first + d.layout.elements(variable));
    return value;
  };
  for (const auto& law : d.laws) {
    std::vector<double> row(static_cast<std::size_t>(d.layout.elements(Role::output)), 0.0);
    for (const auto& term : law.terms) {
      const Variable& variable = d.layout.variable(term.variable);
      const ExpressionValue coefficient = term.coefficient.evaluate(lookup);
      for (std::int64_t e = 0; e < d.layout.elements(variable); ++e)
        row[static_cast<std::size_t>(d.layout.offset(term.variable) + e)] +=
            coefficient.dimensions.empty() ? coefficient.values.at(0) : coefficient.values.at(static_cast<std::size_t>(e));
    }
    laws.A.push_back(row);
    laws.b.push_back(law.right_hand_side.evaluate_scalar(lookup));
  }
  return laws;
}

/// y = z - S A' (A S A')^-1 (A z - b), twice, by Gaussian elimination in extended precision.
inline std::vector<double> oracle_constrain(const OracleLaws& laws, const std::vector<double>& z,
                                            const std::vector<double>& S) {
  using Real = long double;
  const std::size_t m = laws.A.size(), n = z.size();
  std::vector<Real> y(z.begin(), z.end());
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<std::vector<Real>> W(m, std::vector<Real>(m + 1, 0.0L));
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t l = 0; l < m; ++l)
        for (std::size_t i = 0; i < n; ++i) W[k][l] += static_cast<Real>(laws.A[k][i]) * S[i] * laws.A[l][i];
      W[k][m] = -static_cast<Real>(laws.b[k]);
      for (std::size_t i = 0; i < n; ++i) W[k][m] += static_cast<Real>(laws.A[k][i]) * y[i];
    }
    for (std::size_t k = 0; k < m; ++k) {
      std::size_t pivot = k;
      for (std::size_t l = k; l < m; ++l)
        if (std::abs(W[l][k]) > std::abs(W[pivot][k])) pivot = l;
      std::swap(W[k], W[pivot]);
      for (std::size_t l = 0; l < m; ++l) {
        if (l == k) continue;
        const Real factor = W[l][k] / W[k][k];
        for (std::size_t c = k; c <= m; ++c) W[l][c] -= factor * W[k][c];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      Real step = 0.0L;
      for (std::size_t k = 0; k < m; ++k) step += static_cast<Real>(laws.A[k][i]) * W[k][m] / W[k][k];
      y[i] -= S[i] * step;
    }
  }
  return {y.begin(), y.end()};
}

inline OracleResult oracle(const ModelFile& file, const std::vector<double>& inputs, const OracleDraw& draw,
                           Arithmetic arithmetic) {
  const bool documented = arithmetic == Arithmetic::as_documented;
  const auto narrow = [&](double x) { return documented ? static_cast<double>(static_cast<float>(x)) : x; };
  std::map<std::string, std::vector<double>> values{{"inputs", inputs}};
  OracleResult result;
  const auto f64 = [&](const GraphOperation& node, const char* operand) {
    const auto view = file.tensor(node.tensors.at(operand)).f64();
    return std::vector<double>(view.begin(), view.end());
  };
  const auto f32 = [&](const GraphOperation& node, const char* operand) {
    const auto view = file.tensor(node.tensors.at(operand)).f32();
    return std::vector<float>(view.begin(), view.end());
  };
  for (const auto& node : file.description.graph) {
    std::vector<double> y;
    const auto& x = node.inputs.empty() ? values["inputs"] : values.at(node.inputs[0]);
    if (node.op == "standardize") {
      const auto mean = f64(node, "mean"), scale = f64(node, "scale");
      for (std::size_t i = 0; i < x.size(); ++i) y.push_back(narrow((x[i] - mean[i]) / scale[i]));
    } else if (node.op == "dense") {
      const auto weight = f32(node, "weight"), bias = f32(node, "bias");
      for (std::size_t j = 0; j < bias.size(); ++j) {
        if (documented) {
          float sum = bias[j];
          for (std::size_t k = 0; k < x.size(); ++k)
            sum = std::fmaf(weight[j * x.size() + k], static_cast<float>(x[k]), sum);
          y.push_back(sum);
        } else {
          double sum = bias[j];
          for (std::size_t k = 0; k < x.size(); ++k) sum += static_cast<double>(weight[j * x.size() + k]) * x[k];
          y.push_back(sum);
        }
      }
    } else if (node.op == "silu") {
      for (const double v : x)
        y.push_back(documented ? elementary::silu(static_cast<float>(v)) : v / (1.0 + std::exp(-v)));
    } else if (node.op == "add") {
      const auto& b = values.at(node.inputs[1]);
      for (std::size_t i = 0; i < x.size(); ++i) y.push_back(narrow(x[i] + b[i]));
    } else if (node.op == "layer_norm") {
      const auto weight = f32(node, "weight"), bias = f32(node, "bias");
      const double n = static_cast<double>(x.size()), epsilon = std::stod(node.attributes.at("epsilon"));
      double mean = 0.0, variance = 0.0;
      for (const double v : x) mean += v;
      mean /= n;
      for (const double v : x) variance += (v - mean) * (v - mean);
      const double root = std::sqrt(variance / n + epsilon);
      for (std::size_t i = 0; i < x.size(); ++i)
        y.push_back(narrow((x[i] - mean) / root * static_cast<double>(weight[i]) + static_cast<double>(bias[i])));
    } else if (node.op == "gaussian_head") {
      const auto mean = f64(node, "output_mean"), scale = f64(node, "output_scale");
      const double floor = f64(node, "floor")[0];
      const bool exponential = node.attributes.at("parametrization") == "exp";
      const std::size_t n = mean.size();
      for (std::size_t i = 0; i < n; ++i) {
        result.mean.push_back(mean[i] + scale[i] * x[i]);
        const double h = x[n + i];
        const double f = documented ? (exponential ? elementary::exp(h) : elementary::log1p_exp(h))
                                    : (exponential ? std::exp(h) : std::log1p(std::exp(-std::abs(h))) + std::max(h, 0.0));
        result.deviation.push_back(scale[i] * (floor + f));
      }
      values[node.outputs[0]] = result.mean;
      values[node.outputs[1]] = result.deviation;
      continue;
    } else if (node.op == "normal_noise") {
      auto address = draw.address;
      address.site = std::stoull(node.attributes.at("site"));
      for (std::size_t i = 0; i < result.mean.size(); ++i) {
        address.element = i;
        y.push_back(draw.mean_only ? 0.0 : random::normal(draw.key, address));
      }
      result.noise = y;
    } else if (node.op == "gaussian_draw") {
      const auto& s = values.at(node.inputs[1]);
      const auto& e = values.at(node.inputs[2]);
      for (std::size_t i = 0; i < x.size(); ++i) y.push_back(x[i] + s[i] * e[i]);
      result.draw = y;
    } else if (node.op == "constrain") {
      std::vector<double> S = values.at(node.inputs[1]);
      if (node.attributes.at("metric") == "scale") {
        const auto scale = f64(node, "scale");
        for (std::size_t i = 0; i < S.size(); ++i) S[i] = S[i] != 0.0 ? scale[i] * scale[i] : 0.0;
      } else {
        for (double& s : S) s *= s;
      }
      y = oracle_constrain(oracle_laws(file.description, inputs), x, S);
    } else if (node.op == "identity") {
      y = x;
    }
    values[node.outputs[0]] = y;
  }
  result.outputs = values.at("outputs");
  return result;
}

}  // namespace lavoisier::tests

#endif
