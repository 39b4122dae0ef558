#ifndef LAVOISIER_APPS_GLOBAL_GENERATION_HPP
#define LAVOISIER_APPS_GLOBAL_GENERATION_HPP

#include "artefact.hpp"
#include "global_terms.hpp"

#include <lavoisier/global_laws.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// Which of a domain's laws over all columns generated data are to obey. `choice`: "stated" (those that are not on request,
/// and those that need a number that was given), "all" or "none". Throws UsageError for numbers that no such law needs.
std::vector<GlobalLaw> chosen_laws(const Domain& domain, const std::string& choice,
                                   const std::map<std::string, double>& given);

/// The laws over all columns of the steps of one member, in the two phases of global_laws.hpp: every column of a step goes
/// through Workspace::run with laws_of(step), then close(), then every column through Workspace::correct, then finish().
class GlobalGeneration {
 public:
  struct Total {
    double max_absolute = 0.0, square_sum = 0.0, max_relative = 0.0;
    std::int64_t samples = 0, worst_step = -1, worst_member = -1;
  };

  /// `problem` must outlive this. Error(unsupported): the model's outputs are no Gaussian draw under its local laws.
  GlobalGeneration(std::shared_ptr<const Model> model, const GlobalProblem& problem);

  const GlobalTerms& terms() const { return *problem_.terms; }
  std::size_t rows() const noexcept { return problem_.laws.size(); }
  /// From 1, as files are numbered.
  void begin_member(std::int64_t member);
  GlobalLaws& laws_of(std::uint64_t step);
  void close();   ///< of all steps so far. Errors name law and step: rank_deficient, non_finite
  void finish();  ///< adds to the totals, and forgets these steps

  const std::vector<Total>& totals() const noexcept { return totals_; }  ///< one a law, all members so far
  std::int64_t left_out() const noexcept { return left_out_; }           ///< columns without a result
  std::string names() const;                                             ///< of the laws, a blank between them
  /// Of this member, or the largest of all so far: "NAME 1.2e-17", a comma between.
  std::string residuals(bool all = false) const;

 private:
  [[noreturn]] void fail(const Error& error, std::uint64_t step) const;

  std::shared_ptr<const Model> model_;
  const GlobalProblem& problem_;
  Grid steps_;
  std::int64_t member_ = 1, left_out_ = 0;
  std::map<std::uint64_t, GlobalLaws> open_;
  std::vector<Total> totals_;
  std::vector<double> largest_;  ///< relative residual of this member
};

}  // namespace lavoisier::cli

#endif
