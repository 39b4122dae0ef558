#include "backbones.hpp"

#include "plan_builder.hpp"

#include <lavoisier/status.hpp>

#include <cmath>
#include <numbers>

namespace lavoisier::detail {
namespace {

/// The real transform of `lags` numbers: rows cosine and sine of each frequency that is not always 0, and its inverse.
struct Fourier {
  std::int64_t rows = 0;
  std::vector<double> forward, inverse;  ///< rows x lags, lags x rows
};

Fourier fourier(std::int64_t lags) {
  Fourier made;
  const auto turn = [&](std::int64_t k, std::int64_t t) {
    return 2.0 * std::numbers::pi * static_cast<double>(k * t % lags) / static_cast<double>(lags);
  };
  std::vector<double> weights;  // of the inverse
  for (std::int64_t k = 0; 2 * k <= lags; ++k) {
    const bool alone = k == 0 || 2 * k == lags;
    for (const bool sine : {false, true}) {
      if (sine && alone) continue;
      for (std::int64_t t = 0; t < lags; ++t)
        made.forward.push_back((sine ? std::sin(turn(k, t)) : std::cos(turn(k, t))) / std::sqrt(static_cast<double>(lags)));
      weights.push_back(alone ? 1.0 : 2.0);
      ++made.rows;
    }
  }
  for (std::int64_t t = 0; t < lags; ++t)
    for (std::int64_t r = 0; r < made.rows; ++r)
      made.inverse.push_back(weights[static_cast<std::size_t>(r)] * made.forward[static_cast<std::size_t>(r * lags + t)]);
  return made;
}

}  // namespace

NetworkPlan plan_spectral_temporal(const GeneratorOptions& generator, std::int64_t inputs, std::int64_t outputs) {
  const std::int64_t series = generator.series, lags = generator.window, window = series * lags;
  if (inputs < window)
    throw Error(Status::invalid_argument, "spectral_temporal: a window of " + std::to_string(lags) + " lags of " +
                                              std::to_string(series) + " series needs " + std::to_string(window) +
                                              " inputs, found " + std::to_string(inputs));
  const NetworkPlan names;
  PlanBuilder builder("", {{names.input, inputs}});
  const auto slice = [&](std::int64_t begin, std::int64_t length) {
    return builder.append("slice", {names.input}, length, {}, {{"begin", std::to_string(begin)}, {"length", std::to_string(length)}});
  };
  const Fourier transform = fourier(lags);
  FieldValue x{inputs == window ? names.input : slice(0, window), lags, 1, series};
  std::vector<std::string> forecasts;
  for (std::int64_t block = 0; block < generator.fields.blocks; ++block) {
    const FieldValue across{builder.transpose(x.name, lags), series, 1, lags};
    const FieldValue mixed = builder.add(across, builder.convolution(across, series, 0));
    const FieldValue spectrum = builder.fixed_map({builder.transpose(mixed.name, series), lags, 1, series}, transform.rows, transform.forward);
    const FieldValue gated = builder.multiply(builder.convolution(spectrum, transform.rows, 0),
                                              builder.sigmoid(builder.convolution(spectrum, transform.rows, 0)));
    const FieldValue back = builder.fixed_map(builder.add(spectrum, gated), lags, transform.inverse);
    forecasts.push_back(builder.silu(builder.convolution(back, generator.fields.widths[0], 0)).name);
    if (block + 1 < generator.fields.blocks) x = builder.add(x, builder.convolution(back, lags, 0));
  }
  if (inputs > window) forecasts.push_back(slice(window, inputs - window));
  builder.dense(builder.concat(forecasts), outputs);
  return std::move(builder).finish(names.output);
}

}  // namespace lavoisier::detail
