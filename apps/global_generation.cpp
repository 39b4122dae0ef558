#include "global_generation.hpp"

#include "global_statistics.hpp"
#include "terminal.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {

std::vector<GlobalLaw> chosen_laws(const Domain& domain, const std::string& choice,
                                   const std::map<std::string, double>& given) {
  const auto needs = [](const GlobalLaw& law, const std::string& name) {
    return std::find(law.step_values.begin(), law.step_values.end(), name) != law.step_values.end();
  };
  if (choice == "all" && domain.global_laws.empty())
    throw UsageError(fmt::format("--global-laws all: domain '{}' states no law over all columns", domain.name));
  std::vector<GlobalLaw> result;
  for (const GlobalLaw& law : domain.global_laws) {
    const bool asked = std::any_of(given.begin(), given.end(), [&](const auto& value) { return needs(law, value.first); });
    if (choice == "all" || (choice == "stated" && (!law.on_request || asked))) result.push_back(law);
  }
  for (const auto& [name, value] : given)
    if (std::none_of(result.begin(), result.end(), [&n = name, &needs](const GlobalLaw& law) { return needs(law, n); }))
      throw UsageError(fmt::format("--global {}={}: no law over all columns that is to hold needs it", name, value));
  return result;
}

GlobalGeneration::GlobalGeneration(std::shared_ptr<const Model> model, const GlobalProblem& problem)
    : model_(std::move(model)), problem_(problem), steps_(problem.step_axes), totals_(problem.laws.size()),
      largest_(problem.laws.size(), 0.0) {
  try {
    GlobalLawsOptions options;
    options.rows = static_cast<int>(rows());
    const GlobalLaws tried(model_, options);
  } catch (const Error& error) {
    throw Error(error.status(), fmt::format("{}; --global-laws none leaves them out", error.what()));
  }
}

void GlobalGeneration::begin_member(std::int64_t member) {
  member_ = member;
  open_.clear();
  std::fill(largest_.begin(), largest_.end(), 0.0);
}

GlobalLaws& GlobalGeneration::laws_of(std::uint64_t step) {
  const auto found = open_.find(step);
  if (found != open_.end()) return found->second;
  GlobalLawsOptions options;
  options.rows = static_cast<int>(rows());
  options.first_member = static_cast<std::uint64_t>(member_ - 1);
  GlobalLaws& laws = open_.emplace(step, GlobalLaws(model_, options)).first->second;
  std::vector<double> right_hand_side;
  for (std::size_t l = 0; l < rows(); ++l) right_hand_side.push_back(terms().right_hand_side(l, step));
  laws.begin(right_hand_side.data());
  return laws;
}

void GlobalGeneration::fail(const Error& error, std::uint64_t step) const {
  std::string names;
  for (std::size_t l = 0; l < rows(); ++l) names += fmt::format("{}{} is '{}'", l == 0 ? "" : ", ", l, problem_.laws[l].law.name);
  throw Error(error.status(), fmt::format("{}: {} (global law {})", step_text(steps_, static_cast<std::int64_t>(step)),
                                          error.what(), names));
}

void GlobalGeneration::close() {
  for (auto& [step, laws] : open_) {
    try {
      laws.close();
    } catch (const Error& error) {
      fail(error, step);
    }
  }
}

void GlobalGeneration::finish() {
  for (auto& [step, laws] : open_) {
    try {
      laws.finish();
    } catch (const Error& error) {
      fail(error, step);
    }
    left_out_ += laws.left_out();
    for (std::size_t l = 0; l < rows(); ++l) {
      const GlobalClosure& closure = laws.closure(static_cast<std::uint64_t>(member_ - 1), static_cast<int>(l));
      const double residual = closure.after - terms().right_hand_side(l, step);
      Total& total = totals_[l];
      if (total.worst_step < 0 || closure.relative_after > total.max_relative) {
        total.max_relative = closure.relative_after;
        total.worst_step = static_cast<std::int64_t>(step);
        total.worst_member = member_;
      }
      largest_[l] = std::max(largest_[l], closure.relative_after);
      total.max_absolute = std::max(total.max_absolute, std::abs(residual));
      total.square_sum += residual * residual;
      ++total.samples;
    }
  }
  open_.clear();
}

std::string GlobalGeneration::names() const {
  std::string text;
  for (const GlobalLaw& law : problem_.laws) text += (text.empty() ? "" : " ") + law.law.name;
  return text;
}

std::string GlobalGeneration::residuals(bool all) const {
  std::string text;
  for (std::size_t l = 0; l < rows(); ++l)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", problem_.laws[l].law.name, scientific(all ? totals_[l].max_relative : largest_[l]));
  return text;
}

}  // namespace lavoisier::cli
