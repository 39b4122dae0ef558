#include <lavoisier/strategy.hpp>

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace lavoisier {
namespace {

constexpr std::array all_losses = {Loss::likelihood, Loss::crps, Loss::squared_error};
constexpr std::array mean_losses = {Loss::squared_error};
constexpr std::array<std::string_view, 3> loss_words = {"likelihood", "crps", "squared_error"};

/// Of maps that are applied to a draw of the network's Gaussian.
constexpr std::array<std::string_view, 3> map_estimators = {"exact", "pathwise", "score_function"};
constexpr std::array<std::string_view, 2> piecewise_estimators = {"exact", "pathwise"};
constexpr std::array<std::string_view, 6> conditional_estimators = {
    "exact", "marginal_expectation", "pathwise", "score_function", "rao_blackwell", "rao_blackwell_shrunk"};

constexpr std::array<StrategyDescriptor, 8> table = {{
    {Strategy::none, "none", "", "N(mu, S); the laws do not hold", false, DensityMeasure::volume, "O(n)", all_losses,
     map_estimators},
    {Strategy::penalty, "penalty", "Beucler et al., Phys. Rev. Lett. 126 (2021)",
     "N(mu, S), trained with weight |A mu - d|^2 added to the loss; the laws do not hold", false, DensityMeasure::volume,
     "O(n), and O(n m) in training", all_losses, map_estimators},
    {Strategy::completion, "completion", "Donti et al., DC3 (2021); Beucler et al. (2021)",
     "N(P mu + ..., P S P'): n - m outputs as the network says, the m dependent ones computed", true,
     DensityMeasure::laws_surface, "O(n m)", all_losses, map_estimators},
    {Strategy::projection, "projection", "Chen et al., KKT-hPINN (2024)",
     "N(P mu + ..., P S P'), P orthogonal in standardised units", true, DensityMeasure::laws_surface, "O(n m)",
     all_losses, map_estimators},
    {Strategy::variance_projection, "variance_projection", "Hansen et al., ProbConserv (2023); ProbHardE2E (2025)",
     "N(P mu + ..., P S P'), P orthogonal in the metric diag(S)^-1: the conditional law where S is diagonal", true,
     DensityMeasure::laws_surface, "O(n m^2 + m^3)", all_losses, conditional_estimators},
    {Strategy::l1_layer, "l1_layer", "after Stoian et al., constraint layers (DRL, 2024)",
     "image of N(mu, S) under the map to the nearest point in L1 (standardised units); linear by pieces", true,
     DensityMeasure::none, "O(n m) a simplex step, a few m steps", mean_losses, piecewise_estimators},
    {Strategy::post_hoc, "post_hoc", "", "the exact conditional law of a Gaussian that was trained as none", true,
     DensityMeasure::laws_surface, "O(n m^2 + m^3) after training", all_losses, map_estimators},
    {Strategy::conditional, "conditional", "arXiv 2502.05416", "N(mu, S) given A y = d, exactly", true,
     DensityMeasure::laws_surface, "O(n m^2 + m^3)", all_losses, conditional_estimators},
}};

template <class Words>
std::string listed(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

[[noreturn]] void refuse_word(const std::string& what, const std::string& text, const std::vector<std::string>& legal) {
  std::string message = "unknown " + what + " '" + text + "'; legal: " + listed(legal);
  const std::string nearest = nearest_name(text, legal);
  if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
  throw Error(Status::invalid_argument, message);
}

std::size_t place(Loss loss) noexcept { return static_cast<std::size_t>(loss); }

}  // namespace

std::span<const StrategyDescriptor> strategies() noexcept { return table; }
std::span<const Loss> losses() noexcept { return all_losses; }

const StrategyDescriptor& descriptor(Strategy strategy) {
  for (const StrategyDescriptor& entry : table)
    if (entry.strategy == strategy) return entry;
  throw Error(Status::invalid_argument, "strategy number " + std::to_string(static_cast<int>(strategy)) +
                                            ": expected one of 0 to " + std::to_string(table.size() - 1));
}

const char* to_string(Strategy strategy) noexcept {
  for (const StrategyDescriptor& entry : table)
    if (entry.strategy == strategy) return entry.name.data();
  return "?";
}

const char* to_string(Loss loss) noexcept { return place(loss) < loss_words.size() ? loss_words[place(loss)].data() : "?"; }

Strategy strategy_from(const std::string& text) {
  std::vector<std::string> legal;
  for (const StrategyDescriptor& entry : table) {
    if (text == entry.name) return entry.strategy;
    legal.emplace_back(entry.name);
  }
  refuse_word("strategy", text, legal);
}

Loss loss_from(const std::string& text) {
  for (const Loss loss : all_losses)
    if (text == to_string(loss)) return loss;
  refuse_word("loss", text, {loss_words.begin(), loss_words.end()});
}

bool admits(Strategy strategy, Loss loss, bool one_shared_law) {
  if (strategy == Strategy::l1_layer && one_shared_law) strategy = Strategy::completion;
  const std::span<const Loss> legal = descriptor(strategy).losses;
  return std::find(legal.begin(), legal.end(), loss) != legal.end();
}

bool admits_estimator(Strategy strategy, std::string_view estimator) {
  const auto legal = descriptor(strategy).estimators;
  return std::find(legal.begin(), legal.end(), estimator) != legal.end();
}

void require_admitted(Strategy strategy, Loss loss, bool one_shared_law) {
  if (admits(strategy, loss, one_shared_law)) return;
  std::vector<std::string_view> legal, others;
  for (const Loss other : all_losses)
    if (admits(strategy, other, one_shared_law)) legal.push_back(to_string(other));
  for (const StrategyDescriptor& entry : table)
    if (admits(entry.strategy, loss, one_shared_law)) others.push_back(entry.name);
  throw Error(Status::invalid_argument,
              std::string("strategy '") + to_string(strategy) + "' has no loss '" + to_string(loss) + "'" +
                  (strategy == Strategy::l1_layer ? " with several laws, or with coefficients that differ between samples" : "") +
                  "; its losses: " + listed(legal) + "; '" + to_string(loss) + "' is a loss of: " + listed(others));
}

void require_admitted(Strategy strategy, std::string_view estimator) {
  if (admits_estimator(strategy, estimator)) return;
  throw Error(Status::invalid_argument, std::string("strategy '") + to_string(strategy) + "' has no estimator '" +
                                            std::string(estimator) + "'; its estimators: " +
                                            listed(descriptor(strategy).estimators));
}

}  // namespace lavoisier
