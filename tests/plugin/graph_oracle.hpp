#ifndef LAVOISIER_TESTS_PLUGIN_GRAPH_ORACLE_HPP
#define LAVOISIER_TESTS_PLUGIN_GRAPH_ORACLE_HPP

// docs/model-file.md in plain loops, one column at a time, for the operations that oracle.hpp does not have. `twist`
// names a mistake to make: a test that compares must reject each of them.

#include "oracle.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lavoisier::tests {

class GraphOracle {
 public:
  using Values = std::map<std::string, std::vector<double>>;  // FP32 numbers are kept as the doubles that they are
  GraphOracle(const ModelFile& file, const OracleDraw& draw, Arithmetic arithmetic = Arithmetic::as_documented,
              std::string twist = {})
      : file_(file), draw_(draw), exact_(arithmetic == Arithmetic::as_documented), twist_(std::move(twist)) {}

  std::vector<double> run(const std::vector<double>& inputs) {
    inputs_ = inputs;
    Values values{{"inputs", inputs}};
    nodes(file_.description.graph, values);
    return values.at("outputs");
  }

 private:
  bool twisted(const char* name) const { return twist_ == name; }
  double narrow(double x) const { return exact_ ? static_cast<double>(static_cast<float>(x)) : x; }
  double fused(double a, double b, double c) const {
    return exact_ ? static_cast<double>(std::fmaf(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)))
                  : a * b + c;
  }
  double sigmoid(double x) const {
    return exact_ ? static_cast<double>(elementary::sigmoid(static_cast<float>(x))) : 1.0 / (1.0 + std::exp(-x));
  }
  double tanh(double x) const {
    return exact_ ? static_cast<double>(elementary::tanh(static_cast<float>(x))) : std::tanh(x);
  }
  std::vector<double> tensor(const GraphOperation& node, const char* operand) const {
    const Tensor& found = file_.tensor(node.tensors.at(operand));
    if (found.type == TensorType::f64) return {found.f64().begin(), found.f64().end()};
    return {found.f32().begin(), found.f32().end()};
  }
  static std::size_t number(const GraphOperation& node, const char* name) {
    return std::stoul(node.attributes.at(name));
  }
  static std::pair<int, int> pair(const GraphOperation& node, const char* name) {
    const std::string& text = node.attributes.at(name);
    return {std::stoi(text), std::stoi(text.substr(text.find(',') + 1))};
  }

  std::vector<double> dense(const std::vector<double>& x, const std::vector<double>& weight,
                            const std::vector<double>& bias) const {
    std::vector<double> y(bias);
    for (std::size_t j = 0; j < y.size(); ++j)
      for (std::size_t k = 0; k < x.size(); ++k) y[j] = fused(weight[j * x.size() + k], x[k], y[j]);
    return y;
  }

  std::vector<double> convolution(const GraphOperation& node, const std::vector<double>& x) const {
    const auto weight = tensor(node, "weight"), bias = tensor(node, "bias");
    const auto& shape = file_.tensor(node.tensors.at("weight")).shape;
    const int o = static_cast<int>(shape[0]), c = static_cast<int>(shape[1]), kh = static_cast<int>(shape[2]),
              kw = static_cast<int>(shape[3]);
    const int h = static_cast<int>(number(node, "height")), w = static_cast<int>(number(node, "width"));
    const auto [sy, sx] = pair(node, "stride");
    auto [py, px] = pair(node, "padding");
    const int oh = (h + 2 * py - kh) / sy + 1, ow = (w + 2 * px - kw) / sx + 1;
    if (twisted("padding")) py += 1;
    std::vector<double> y;
    for (int j = 0; j < o; ++j)
      for (int oy = 0; oy < oh; ++oy)
        for (int ox = 0; ox < ow; ++ox) {
          double sum = bias[static_cast<std::size_t>(j)];
          for (int i = 0; i < c * kh * kw; ++i) {
            const int term = twisted("order") ? c * kh * kw - 1 - i : i;
            const int ch = term / (kh * kw), ky = term / kw % kh, kx = term % kw;
            const int iy = oy * sy - py + ky, ix = ox * sx - px + kx;
            if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
            const int ry = twisted("flip") ? kh - 1 - ky : ky;
            sum = fused(weight[static_cast<std::size_t>(((j * c + ch) * kh + ry) * kw + kx)],
                        x[static_cast<std::size_t>((ch * h + iy) * w + ix)], sum);
          }
          y.push_back(sum);
        }
    return y;
  }

  std::vector<double> group_norm(const GraphOperation& node, const std::vector<double>& x) const {
    const auto weight = tensor(node, "weight"), bias = tensor(node, "bias");
    const std::size_t groups = twisted("groups") ? 1 : number(node, "groups");
    const std::size_t rows = x.size() / groups, size = x.size() / weight.size();
    std::vector<double> y(x.size());
    for (std::size_t g = 0; g < groups; ++g) {
      double mean = 0.0, variance = 0.0;
      for (std::size_t i = 0; i < rows; ++i) mean += x[g * rows + i];
      mean /= static_cast<double>(rows);
      for (std::size_t i = 0; i < rows; ++i) variance += (x[g * rows + i] - mean) * (x[g * rows + i] - mean);
      const double root = std::sqrt(variance / static_cast<double>(rows) + std::stod(node.attributes.at("epsilon")));
      for (std::size_t i = g * rows; i < (g + 1) * rows; ++i)
        y[i] = narrow((x[i] - mean) / root * weight[i / size] + bias[i / size]);
    }
    return y;
  }

  std::vector<double> gru(const GraphOperation& node, const std::vector<double>& x,
                          const std::vector<double>& h) const {
    const auto a = dense(x, tensor(node, "weight_input"), tensor(node, "bias_input"));
    const auto b = dense(h, tensor(node, "weight_hidden"), tensor(node, "bias_hidden"));
    const std::size_t n = h.size();
    std::vector<double> y;
    for (std::size_t i = 0; i < n; ++i) {
      const double r = sigmoid(narrow(a[i] + b[i]));
      const double z = sigmoid(narrow(a[n + i] + b[n + i]));
      // PyTorch's cell gates the hidden part behind its bias; the original cell gates h.
      const double m = twisted("reset") ? tanh(narrow(a[2 * n + i] + b[2 * n + i]))
                                        : tanh(narrow(a[2 * n + i] + narrow(r * b[2 * n + i])));
      y.push_back(twisted("update") ? narrow(narrow(z * m) + narrow(narrow(1.0 - z) * h[i]))
                                    : narrow(narrow(narrow(1.0 - z) * m) + narrow(z * h[i])));
    }
    return y;
  }

  std::size_t rows(const GraphOperation& node) const {
    return node.attributes.count("rows") ? number(node, "rows") : 1;
  }
  /// A layer of each of `count` rows of what it reads.
  template <class Layer>
  std::vector<double> by_rows(std::size_t count, const std::vector<double>& x, const std::vector<double>& h,
                              Layer&& layer) const {
    std::vector<double> y;
    const auto part = [&](const std::vector<double>& of, std::size_t row) {
      const auto size = static_cast<std::ptrdiff_t>(of.size() / count), at = static_cast<std::ptrdiff_t>(row) * size;
      return std::vector<double>(of.begin() + at, of.begin() + at + size);
    };
    for (std::size_t row = 0; row < count; ++row) {
      const std::size_t from = twisted("rows") ? count - 1 - row : row;
      const auto made = layer(part(x, from), part(h, row));
      y.insert(y.end(), made.begin(), made.end());
    }
    return y;
  }

  std::vector<double> normals(std::size_t n, std::uint64_t site) const {
    auto address = draw_.address;
    address.site = site;
    std::vector<double> e;
    for (std::size_t i = 0; i < n; ++i) {
      address.element = i;
      e.push_back(random::normal(draw_.key, address));
    }
    return e;
  }

  std::vector<double> sample(const GraphOperation& node, const Values& outer) {
    const auto schedule = tensor(node, "schedule"), mean = tensor(node, "output_mean"),
               scale = tensor(node, "output_scale");
    const std::string& method = node.attributes.at("method");
    const std::string& projection = node.attributes.at("projection");
    const std::size_t n = mean.size(), site = number(node, "site");
    const auto laws = oracle_laws(file_.description, inputs_);
    OracleLaws own = laws, homogeneous;
    for (std::size_t l = 0; l < laws.A.size(); ++l)
      for (std::size_t i = 0; i < n; ++i) {
        own.b[l] -= laws.A[l][i] * mean[i];
        own.A[l][i] = laws.A[l][i] * (twisted("units") ? 1.0 : scale[i]);
      }
    homogeneous = own;
    for (double& b : homogeneous.b) b = 0.0;
    const std::vector<double> ones(n, 1.0);
    const auto project = [&](std::vector<double>& w, bool shifted) {
      if (projection == "none" || twisted("projection")) return;
      w = oracle_constrain(shifted ? own : homogeneous, w, ones);
    };
    auto x = normals(n, site);
    std::vector<double> shift(n, 0.0);
    if (projection == "null_space") {
      project(x, false);
      project(shift, true);
    }
    for (std::size_t k = 0; k < schedule.size() / 7; ++k) {
      const double* row = &schedule[7 * k];
      Values values;
      for (const auto& name : node.inputs) values[name] = outer.at(name);
      for (std::size_t i = 0; i < n; ++i)
        values["state"].push_back(narrow(x[i] + (twisted("share") ? 0.0 : row[6]) * shift[i]));
      values["time"] = {twisted("time") && k > 0 ? row[-7] : row[0]};
      nodes(file_.description.subgraphs.at(node.attributes.at("subgraph")), values);
      auto w = values.at("prediction");
      if (method == "flow") {
        project(w, false);
        for (std::size_t i = 0; i < n; ++i) x[i] += row[3] * w[i];
        continue;
      }
      for (std::size_t i = 0; i < n; ++i) w[i] = row[1] * x[i] + row[2] * w[i];
      project(w, projection == "ambient");
      auto e = normals(n, site + k + (twisted("site") ? 0 : 1));
      if (projection == "null_space") project(e, false);
      for (std::size_t i = 0; i < n; ++i) x[i] = row[3] * x[i] + row[4] * w[i];
      if (row[5] != 0.0)
        for (std::size_t i = 0; i < n; ++i) x[i] += row[5] * e[i];
    }
    for (std::size_t i = 0; i < n; ++i) x[i] = mean[i] + scale[i] * (x[i] + shift[i]);
    return x;
  }

  void nodes(const std::vector<GraphOperation>& list, Values& values) {
    for (const auto& node : list) {
      std::vector<double> y;
      const std::vector<double> none;
      const auto& x = node.inputs.empty() ? none : values.at(node.inputs[0]);
      const auto& b = node.inputs.size() < 2 ? none : values.at(node.inputs[1]);
      if (node.op == "single") {
        for (const double v : x) y.push_back(narrow(v));
      } else if (node.op == "select" || node.op == "slice") {
        const auto first = x.begin() + static_cast<std::ptrdiff_t>(number(node, "begin"));
        y.assign(first, first + static_cast<std::ptrdiff_t>(number(node, "length")));
        if (twisted("slice") && node.op == "slice") std::rotate(y.begin(), y.begin() + 1, y.end());
      } else if (node.op == "concat") {
        auto inputs = node.inputs;
        if (twisted("concat")) std::reverse(inputs.begin(), inputs.end());
        for (const auto& name : inputs) y.insert(y.end(), values.at(name).begin(), values.at(name).end());
      } else if (node.op == "dense") {
        const auto weight = tensor(node, "weight"), bias = tensor(node, "bias");
        y = by_rows(rows(node), x, none, [&](const auto& row, const auto&) { return dense(row, weight, bias); });
      } else if (node.op == "conv2d") {
        y = convolution(node, x);
      } else if (node.op == "transpose") {
        std::size_t rows = number(node, "rows"), columns = number(node, "columns");
        if (twisted("transpose")) std::swap(rows, columns);
        for (std::size_t c = 0; c < columns; ++c)
          for (std::size_t r = 0; r < rows; ++r) y.push_back(x[r * columns + c]);
      } else if (node.op == "upsample2d") {
        const std::size_t h = number(node, "height"), w = number(node, "width");
        auto [fy, fx] = pair(node, "factor");
        for (std::size_t c = 0; c < number(node, "channels"); ++c)
          for (std::size_t i = 0; i < h * static_cast<std::size_t>(fy); ++i)
            for (std::size_t j = 0; j < w * static_cast<std::size_t>(fx); ++j)
              y.push_back(x[(c * h + (twisted("upsample") ? i % h : i / static_cast<std::size_t>(fy))) * w +
                            j / static_cast<std::size_t>(fx)]);
      } else if (node.op == "silu") {
        for (const double v : x)
          y.push_back(exact_ ? static_cast<double>(elementary::silu(static_cast<float>(v))) : v / (1.0 + std::exp(-v)));
      } else if (node.op == "relu") {
        for (const double v : x) y.push_back(v > 0.0 || twisted("relu") ? v : 0.0);
      } else if (node.op == "tanh") {
        for (const double v : x) y.push_back(tanh(v));
      } else if (node.op == "sigmoid") {
        for (const double v : x) y.push_back(twisted("sigmoid") ? tanh(v) : sigmoid(v));
      } else if (node.op == "add" || node.op == "multiply") {
        const bool add = (node.op == "add") != twisted("multiply");
        for (std::size_t i = 0; i < x.size(); ++i) y.push_back(narrow(add ? x[i] + b[i] : x[i] * b[i]));
      } else if (node.op == "add_channel") {
        for (std::size_t i = 0; i < x.size(); ++i)
          y.push_back(narrow(x[i] + b[twisted("channel") ? i % b.size() : i / (x.size() / b.size())]));
      } else if (node.op == "group_norm") {
        y = group_norm(node, x);
      } else if (node.op == "time_embedding") {
        const auto f = tensor(node, "frequencies");
        for (const double quarter : {0.0, 0.25})
          for (const double v : f) {
            const double turns = v * x[0] - (twisted("embedding") ? 0.0 : quarter);
            y.push_back(exact_ ? narrow(elementary::cos_two_pi(turns - std::floor(turns)))
                               : std::cos(2.0 * M_PI * turns));
          }
      } else if (node.op == "gru") {
        y = by_rows(rows(node), x, b, [&](const auto& row, const auto& h) { return gru(node, row, h); });
      } else if (node.op == "embedding") {
        const auto table = tensor(node, "weight");
        const auto f = static_cast<std::size_t>(file_.tensor(node.tensors.at("weight")).shape[1]);
        for (const double index : x)
          for (std::size_t i = 0; i < f; ++i)
            y.push_back(index == -1.0 ? (twisted("absent") ? table[i] : 0.0)
                                      : table[static_cast<std::size_t>(index) * f + i]);
      } else if (node.op == "mask") {
        const auto present = static_cast<std::size_t>(b[0]) * number(node, "features");
        for (std::size_t i = 0; i < x.size(); ++i) y.push_back(i < present || twisted("mask") ? x[i] : 0.0);
      } else if (node.op == "gather") {
        const std::size_t f = number(node, "features");
        for (const double index : b)
          for (std::size_t i = 0; i < f; ++i)
            y.push_back(index == -1.0 ? 0.0 : x[static_cast<std::size_t>(index) * f + i]);
      } else if (node.op == "scatter_add") {
        const std::size_t f = number(node, "features");
        y.assign(f * number(node, "nodes"), 0.0);
        for (std::size_t j = 0; j < b.size(); ++j) {
          const std::size_t e = twisted("edges") ? b.size() - 1 - j : j;
          if (b[e] == -1.0) continue;
          for (std::size_t i = 0; i < f; ++i) {
            double& sum = y[static_cast<std::size_t>(b[e]) * f + i];
            sum = narrow(sum + x[e * f + i]);
          }
        }
      } else if (node.op == "gaussian_head") {
        y.assign(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2));  // mean 0, scale 1
      } else if (node.op == "identity") {
        y = x;
      } else if (node.op == "sample") {
        y = sample(node, values);
      } else if (node.op == "constrain") {
        auto S = tensor(node, "scale");
        for (double& s : S) s *= s;
        y = oracle_constrain(oracle_laws(file_.description, inputs_), x, S);
      } else {
        throw std::logic_error("the oracle does not know " + node.op);
      }
      values[node.outputs[0]] = y;
    }
  }

  const ModelFile& file_;
  OracleDraw draw_;
  bool exact_;
  std::string twist_;
  std::vector<double> inputs_;
};

}  // namespace lavoisier::tests

#endif
