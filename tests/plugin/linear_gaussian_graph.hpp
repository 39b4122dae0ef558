#ifndef LAVOISIER_TESTS_PLUGIN_LINEAR_GAUSSIAN_GRAPH_HPP
#define LAVOISIER_TESTS_PLUGIN_LINEAR_GAUSSIAN_GRAPH_HPP

#include <lavoisier/model_file.hpp>

#include <vector>

namespace lavoisier::tests {

/// One dense layer, a diagonal Gaussian, its draw, the conditional strategy: what models for hosts that tests write are made of.
inline std::vector<GraphOperation> linear_gaussian_graph() {
  return {{"standardize", {"inputs"}, {"x0"}, {{"mean", "input.mean"}, {"scale", "input.scale"}}, {}},
          {"dense", {"x0"}, {"h"}, {{"weight", "dense0.weight"}, {"bias", "dense0.bias"}}, {}},
          {"gaussian_head",
           {"h"},
           {"mean", "deviation"},
           {{"output_mean", "output.mean"}, {"output_scale", "output.scale"}, {"floor", "head.floor"}},
           {{"parametrization", "exp"}}},
          {"normal_noise", {}, {"e"}, {}, {{"site", "0"}}},
          {"gaussian_draw", {"mean", "deviation", "e"}, {"z"}, {}, {}},
          {"constrain", {"z", "deviation"}, {"outputs"}, {}, {{"metric", "covariance"}}}};
}

}  // namespace lavoisier::tests

#endif
