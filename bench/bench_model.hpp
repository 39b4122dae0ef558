#ifndef LAVOISIER_BENCH_MODEL_HPP
#define LAVOISIER_BENCH_MODEL_HPP

#include <lavoisier/emulator.hpp>
#include <model_builder.hpp>

#include <string>
#include <vector>

namespace lavoisier::bench {

/// inputs - hidden... - 2 outputs, `laws` sums of neighbouring outputs.
inline tests::ModelBuilder network(int inputs, std::vector<std::int64_t> hidden, int outputs, int laws) {
  tests::ModelBuilder builder;
  builder.dimensions = {{"in", DimensionKind::channel, inputs, false}};
  builder.input("x", "1", {"in"});
  for (int i = 0; i < outputs; ++i) builder.output("y" + std::to_string(i));
  builder.hidden = std::move(hidden);
  for (int k = 0; k < laws; ++k) {
    std::vector<std::pair<std::string, double>> terms;
    for (int i = k; i < outputs; i += laws) terms.emplace_back("y" + std::to_string(i), 1.0);
    builder.law("law" + std::to_string(k), terms);
  }
  return builder;
}

}  // namespace lavoisier::bench

#endif
