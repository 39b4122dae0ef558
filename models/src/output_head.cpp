#include "output_head.hpp"

#include "dependent_choice.hpp"
#include "generator.hpp"
#include "network_plan.hpp"
#include "options.hpp"
#include "training_data.hpp"

#include <lavoisier/conditional_counts.hpp>
#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

const std::vector<std::string> family_words = {"gaussian", "mixed", "gamma", "poisson"};
const std::vector<std::string> law_words = {"log_normal", "gamma", "hurdle_log_normal", "hurdle_gamma"};

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

[[noreturn]] void refuse(const std::string& message) { throw Error(Status::invalid_argument, message); }

[[noreturn]] void refuse_word(const std::string& what, const std::string& word, const std::vector<std::string>& legal) {
  const std::string nearest = nearest_name(word, legal);
  refuse("unknown " + what + " '" + word + "'; legal: " + listed(legal) +
         (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

HeadFamily family_of(const std::string& word) {
  const auto at = std::find(family_words.begin(), family_words.end(), word);
  if (at == family_words.end()) refuse_word("head", word, family_words);
  return static_cast<HeadFamily>(at - family_words.begin());
}

bool has_atom(PositiveFamily law) {
  return law == PositiveFamily::hurdle_log_normal || law == PositiveFamily::hurdle_gamma;
}

/// "rain[2]=gamma": what stands before the last '=', and its law.
std::pair<std::string, PositiveFamily> parsed(const std::string& word) {
  const std::size_t at = word.rfind('=');
  if (at == std::string::npos || at == 0)
    refuse("positive: expected NAME=LAW, LAW one of " + listed(law_words) + ", found '" + word + "'");
  return {word.substr(0, at), positive_law_from(word.substr(at + 1))};
}

std::vector<PositiveOutput> positive_outputs(const StateLayout& layout, const TrainingOptions& options) {
  std::vector<PositiveOutput> found;
  if (family_of(options.head.family) == HeadFamily::gamma)
    for (Index element = 0; element < layout.elements(Role::output); ++element)
      found.push_back({element, PositiveFamily::gamma});
  for (const std::string& word : options.head.positive) {
    const auto [name, law] = parsed(word);
    for (const Index element : elements_of(layout, name, "positive")) found.push_back({element, law});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.element < b.element; });
  for (std::size_t i = 1; i < found.size(); ++i)
    if (found[i].element == found[i - 1].element)
      refuse("positive: output '" + element_name(layout, found[i].element) + "' is named twice");
  return found;
}

bool given_sums(const TrainingOptions& options, Index laws) {
  const HeadFamily family = family_of(options.head.family);
  return laws > 0 && options.strategy == Strategy::conditional &&
         (family == HeadFamily::gamma || family == HeadFamily::poisson);
}

/// Error of the first sample of a subset that a density refuses.
void require_reached(const std::vector<Status>& status, const std::string& message, const SampleSource& samples,
                     const StandardisedRows& rows) {
  for (std::size_t i = 0; i < status.size(); ++i)
    if (status[i] != Status::ok)
      throw Error(status[i], sample_name(samples, rows.rows[i]) + message.substr(message.find(':')));
}

void require_sums(const OutputHead& head, const SampleSource& samples, const TrainingData& data, const StandardisedRows& rows,
                  const LawOptions& options) {
  const RowMatrix& A = data.A.rows() > 0 ? data.A : rows.A;
  if (head.family == HeadFamily::poisson) {
    const RowMatrix rates = RowMatrix::Zero(rows.y.rows(), rows.y.cols());
    const CountLogDensity found = head.given_sums ? poisson_given_sum_log_density(A, rates, rows.d, rows.y, false, options)
                                                  : poisson_log_density(rates, rows.y, false, options);
    require_reached(found.status, found.message, samples, rows);
  } else if (head.given_sums) {
    GammaGivenSum law;
    law.A = A;
    law.d = rows.d;
    law.concentration = RowMatrix::Ones(rows.y.rows(), rows.y.cols());
    const GammaLogDensity found = gamma_given_sum_log_density(law, rows.y, GammaGivenSumMeasure::surface, false, options);
    require_reached(found.status, found.message, samples, rows);
  }
}

/// All rows of both subsets, a piece at a time.
void for_each_row_piece(const SampleSource& samples, TrainingData& data,
                        const std::function<void(Subset subset, const StandardisedRows& piece)>& take) {
  for (const Subset subset : {Subset::training, Subset::validation})
    read_in_order(*data.rows_of(subset), samples_of_piece(samples.layout()),
                  [&](std::int64_t, const StandardisedRows& piece) { take(subset, piece); });
}

}  // namespace

PositiveFamily positive_law_from(const std::string& word) {
  const auto at = std::find(law_words.begin(), law_words.end(), word);
  if (at == law_words.end()) refuse_word("law of a positive output", word, law_words);
  return static_cast<PositiveFamily>(at - law_words.begin());
}

const char* to_string(PositiveFamily law) noexcept {
  const auto at = static_cast<std::size_t>(law);
  return at < law_words.size() ? law_words[at].c_str() : "given";
}

void require_head(const TrainingOptions& options) {
  const HeadFamily family = family_of(options.head.family);
  const std::string name = "head '" + options.head.family + "'";
  if (family != HeadFamily::mixed && !options.head.positive.empty())
    refuse("positive: only head 'mixed' names its positive outputs, found " + name);
  if (family == HeadFamily::gaussian) return;
  if (options.generator.name != "mlp" || options.generator.fields.backbone != "mlp")
    refuse(name + ": only generator 'mlp' on backbone 'mlp' has it, found '" + options.generator.name + "' on '" +
           options.generator.fields.backbone + "'");
  if (options.network.deviation != "per_sample")
    refuse(name + " has no deviation '" + options.network.deviation + "'; legal: per_sample");
  if (options.estimator != Estimator::exact)
    refuse(name + " is not trained by estimator '" + to_string(options.estimator) + "'; legal: exact");
  const auto legal = [&](const auto& found, const auto& all, const std::string& what) {
    std::vector<std::string> words;
    for (const auto one : all) {
      if (one == found) return;
      words.emplace_back(lavoisier::to_string(one));
    }
    refuse(name + " has no " + what + " '" + lavoisier::to_string(found) + "'; legal: " + listed(words));
  };
  using S = Strategy;
  if (family != HeadFamily::mixed) {
    legal(options.loss, std::vector<Loss>{Loss::likelihood}, "loss");
    legal(options.strategy, std::vector<S>{S::none, S::conditional}, "strategy");
    return;
  }
  if (options.head.positive.empty()) refuse(name + ": expected positive outputs (NAME=LAW), found none");
  for (const std::string& word : options.head.positive) parsed(word);
  legal(options.loss, std::vector<Loss>{Loss::likelihood, Loss::crps}, "loss");
  if (options.loss == Loss::crps)
    legal(options.strategy, std::vector<S>{S::none, S::variance_projection, S::post_hoc, S::conditional},
          "loss 'crps' under the strategy");
  if (options.loss == Loss::crps && options.draws < 3)
    refuse(name + " under loss 'crps': expected 3 draws or more, found " + std::to_string(options.draws));
}

TargetRules target_rules(const StateLayout& layout, const TrainingOptions& options) {
  TargetRules rules;
  for (const std::string& name : options.unseen) {
    const std::vector<Variable> inputs = layout.with_role(Role::input);
    const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const Variable& one) { return one.name == name; });
    if (found == inputs.end()) throw Error(Status::not_found, "unseen: expected names of inputs, found '" + name + "'");
    for (Index i = 0; i < layout.elements(*found); ++i) rules.unseen.push_back(layout.offset(name) + i);
  }
  if (static_cast<Index>(rules.unseen.size()) == layout.elements(Role::input))
    throw Error(Status::invalid_argument, "unseen: the network needs an input");
  const HeadFamily family = family_of(options.head.family);
  if (family == HeadFamily::gaussian) return rules;
  if (family == HeadFamily::poisson) {
    for (Index element = 0; element < layout.elements(Role::output); ++element) rules.unshifted.push_back(element);
    rules.counts = true;
  } else {
    for (const PositiveOutput& one : positive_outputs(layout, options)) rules.unshifted.push_back(one.element);
  }
  if (family != HeadFamily::mixed)
    rules.onto = family == HeadFamily::gamma && options.strategy == Strategy::conditional ? TargetRules::Onto::shares
                                                                                          : TargetRules::Onto::nothing;
  return rules;
}

OutputHead output_head(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                       TrainingData& data) {
  OutputHead head;
  head.family = family_of(options.head.family);
  if (head.family == HeadFamily::gaussian) return head;
  head.given_sums = given_sums(options, data.laws);
  const StateLayout& layout = samples.layout();
  std::vector<PositiveOutput> positive = positive_outputs(layout, options);
  if (head.family == HeadFamily::poisson)
    for (Index element = 0; element < layout.elements(Role::output); ++element)
      positive.push_back({element, PositiveFamily::hurdle_gamma});  // 0 or more
  const bool shares = head.given_sums && head.family == HeadFamily::gamma;
  std::vector<Index> places;
  for (const PositiveOutput& one : positive) {
    const auto at = std::find(data.active.begin(), data.active.end(), one.element);
    if (at == data.active.end())
      refuse("head '" + options.head.family + "': output '" + element_name(layout, one.element) +
             "' is constant in training; expected one that varies");
    places.push_back(static_cast<Index>(at - data.active.begin()));
  }
  // A sum of 0 has shares of 0: the density knows.
  for_each_row_piece(samples, data, [&](Subset, const StandardisedRows& rows) {
    for (std::size_t i = 0; i < positive.size() && !shares; ++i)
      for (Index row = 0; row < rows.y.rows(); ++row) {
        const PositiveOutput& one = positive[i];
        const double value = rows.y(row, places[i]) * data.output_scale[one.element];
        if (value > 0.0 || (value == 0.0 && has_atom(one.law))) continue;
        refuse("output '" + element_name(layout, one.element) + "' is " + text_of(value) + " for " +
               sample_name(samples, rows.rows[static_cast<std::size_t>(row)]) + ": expected " +
               (head.family == HeadFamily::poisson ? "counts"
                : has_atom(one.law)                ? "numbers of 0 or more"
                : head.family == HeadFamily::gamma
                    ? "positive numbers"
                    : "positive numbers (0 has a chance under hurdle_log_normal and hurdle_gamma)"));
      }
  });
  if (head.family == HeadFamily::poisson) {
    head.scale = Eigen::VectorXd::Zero(static_cast<Index>(data.active.size()));
    for_each_row_piece(samples, data, [&](Subset subset, const StandardisedRows& rows) {
      for (Index row = 0; row < rows.y.rows() && subset == Subset::training; ++row) head.scale += rows.y.row(row).transpose();
    });
    head.scale /= static_cast<double>(samples.count(Subset::training));
    positive.clear();
  }
  if (!head.given_sums) head.positive = std::move(positive);
  LawOptions names;
  for (const Law& law : constraints.independent_laws()) names.laws.push_back(law.name);
  for (Index k = 0; shares && k < data.A.rows(); ++k)
    if (data.A.row(k).minCoeff() < 0.0 && data.A.row(k).maxCoeff() > 0.0)
      throw Error(Status::unsupported, "law '" + names.laws[static_cast<std::size_t>(k)] +
                                           "' has coefficients of both signs: expected a sum, of which head 'gamma' draws "
                                           "shares");
  for_each_row_piece(samples, data,
                     [&](Subset, const StandardisedRows& rows) { require_sums(head, samples, data, rows, names); });
  return head;
}

std::int64_t raw_values(const OutputHead& head, std::int64_t outputs) {
  if (head.given_sums || head.family == HeadFamily::poisson) return outputs;
  return 2 * outputs + std::count_if(head.positive.begin(), head.positive.end(),
                                     [](const PositiveOutput& one) { return has_atom(one.law); });
}

void start_head(const GeneratorContext& context, const NetworkPlan& plan, std::span<float> weights) {
  const OutputHead& head = context.head;
  const MlpOptions& network = context.options.network;
  if (head.family == HeadFamily::gaussian || network.initialization == "torch") return;
  const Parameter& bias = plan.parameters.back();
  const std::span<float> values =
      weights.subspan(static_cast<std::size_t>(bias.offset), static_cast<std::size_t>(bias.elements()));
  const auto raw_of = [&](double value) {
    const double above = value - network.floor;
    return static_cast<float>(network.parametrization == "exp" ? std::log(above) : std::log(std::expm1(above)));
  };
  std::fill(values.begin(), values.end(), 0.0F);
  if (head.family == HeadFamily::poisson) return;  // the mean counts
  const auto outputs = static_cast<std::size_t>(context.outputs);
  if (head.given_sums)
    std::fill(values.begin(), values.end(), raw_of(std::max(1.0, 2.0 * network.floor)));
  else
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(outputs), outputs, raw_of(network.initial_deviation));
}

}  // namespace lavoisier::detail
