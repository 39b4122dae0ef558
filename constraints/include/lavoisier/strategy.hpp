#ifndef LAVOISIER_STRATEGY_HPP
#define LAVOISIER_STRATEGY_HPP

// How a network's Gaussian meets the laws: the eight strategies, and what each of them promises.

#include <span>
#include <string>
#include <string_view>

namespace lavoisier {

enum class Strategy { none, penalty, completion, projection, variance_projection, l1_layer, post_hoc, conditional };

/// likelihood: minus the log density. crps: mean over the outputs of the marginals' CRPS. squared_error: mean over the
/// outputs of the squared error of the constrained mean (it trains no deviation; for published comparisons of MSE).
enum class Loss { likelihood, crps, squared_error };

/// With respect to which measure a strategy's samples have a density, if any.
enum class DensityMeasure {
  none,         ///< no density in closed form
  volume,       ///< Lebesgue measure of all n outputs: the laws do not hold
  laws_surface  ///< surface (Hausdorff, n - m dimensional) measure on {A y = d}
};

struct StrategyDescriptor {
  Strategy strategy;
  std::string_view name;
  std::string_view source;           ///< paper, or "" where there is none to name
  std::string_view samples;          ///< the law that its samples follow, for a network N(mu, S)
  bool holds_laws;                   ///< its samples obey the laws
  DensityMeasure density;
  std::string_view cost;             ///< operations a sample for n outputs and m laws, as O(...)
  std::span<const Loss> losses;      ///< those it admits for any laws
  std::span<const std::string_view> estimators;  ///< of the gradient of a loss of samples, by their words
};

/// All strategies, in the order of the enum.
std::span<const StrategyDescriptor> strategies() noexcept;
const StrategyDescriptor& descriptor(Strategy strategy);  ///< Error(invalid_argument) for a number that is none
std::span<const Loss> losses() noexcept;

const char* to_string(Strategy strategy) noexcept;
const char* to_string(Loss loss) noexcept;
Strategy strategy_from(const std::string& text);  ///< Error(invalid_argument) lists the legal words, nearest named
Loss loss_from(const std::string& text);

/// Does the strategy admit the loss? l1_layer admits every loss where there is one law with the same coefficients in every
/// sample (it is a completion then), and squared_error alone otherwise.
bool admits(Strategy strategy, Loss loss, bool one_shared_law = false);
bool admits_estimator(Strategy strategy, std::string_view estimator);
/// Error(invalid_argument) that names the losses (estimators) the strategy admits, and the strategies that admit the loss.
void require_admitted(Strategy strategy, Loss loss, bool one_shared_law = false);
void require_admitted(Strategy strategy, std::string_view estimator);

}  // namespace lavoisier

#endif
