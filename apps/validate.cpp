#include "artefact.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "global_terms.hpp"
#include "named_paths.hpp"
#include "report.hpp"
#include "terminal.hpp"
#include "training_log.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

/// The logs of --training-log: named as asked, else by the model that they tell of.
std::vector<TrainingRecord> training_from(const Arguments& arguments) {
  std::vector<TrainingRecord> records;
  if (!arguments.has("training-log")) return records;
  for (const std::string& word : arguments.list("training-log")) {
    const auto [name, path] = named(word);
    TrainingRecord record = read_training_log(path);
    record.name = name;
    const auto output = record.start.options.find("output");
    if (record.name.empty() && output != record.start.options.end()) record.name = std::filesystem::path(output->second).stem().string();
    if (record.name.empty()) record.name = std::filesystem::path(path).stem().string();
    for (const TrainingRecord& other : records) {
      if (other.name == record.name) {
        throw UsageError(fmt::format("--training-log: {} and {} are both called '{}'; give names: NAME=FILE", other.path.string(),
                                     record.path.string(), record.name));
      }
    }
    for (const std::string& warning : record.warnings) fmt::print(stderr, "warning: {}\n", warning);
    records.push_back(std::move(record));
  }
  return records;
}

ordered_json text_or_null(const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); }

ordered_json training_json(const TrainingRecord& record) {
  ordered_json json;
  json["name"] = record.name;
  json["file"] = record.path.string();
  json["status"] = text_or_null(record.end.status);
  json["message"] = text_or_null(record.end.message);
  json["model"] = text_or_null(record.end.model);
  json["sha256"] = text_or_null(record.end.sha256);
  const LoggedEpoch& last = record.epochs.back();
  json["epochs"] = last.epochs;
  json["best_epoch"] = last.best_epoch;
  json["best_validation_loss"] = number(last.best_validation_loss);
  json["seconds"] = number(last.seconds);
  json["weights"] = record.start.weights;
  json["device"] = record.start.device;
  json["threads"] = record.start.threads;
  json["version"] = record.start.version;
  json["data"] = {{"files", record.start.data},
                  {"training", record.start.training_samples},
                  {"validation", record.start.validation_samples},
                  {"test", record.start.test_samples}};
  json["options"] = record.start.options;
  json["history"] = ordered_json::array();
  for (const LoggedEpoch& epoch : record.epochs) {
    json["history"].push_back({{"epoch", epoch.epoch},
                               {"training_loss", number(epoch.training_loss)},
                               {"validation_loss", number(epoch.validation_loss)},
                               {"learning_rate", number(epoch.learning_rate)},
                               {"seconds", number(epoch.seconds)}});
  }
  return json;
}

/// `judged`: those that count, or those on request that were not asked for.
ordered_json laws_json(const std::vector<LawStatistics>& laws, const Evaluation& evaluation, bool physics, double identity,
                       bool judged = true) {
  ordered_json list = ordered_json::array();
  for (const LawStatistics& law : laws) {
    if (law.judged != judged) continue;
    const Grid& grid = law.is_global() ? evaluation.steps : evaluation.grid;
    const LawVerdict v = judge(law, physics, identity);
    ordered_json entry;
    entry["name"] = law.law.name;
    entry["units"] = law.law.units;
    entry["max_abs"] = number(law.max_absolute);
    entry["rms"] = number(law.rms());
    entry["max_relative"] = number(law.max_relative);
    if (law.worst_cell >= 0) {
      entry["worst"] = {{law.is_global() ? "step" : "cell", law.worst_cell},
                        {"residual", law.worst_residual},
                        {"at", grid.values(law.worst_cell)}};
      if (law.worst_member > 0) entry["worst"]["member"] = law.worst_member;
      entry["worst"]["text"] = evaluation.place(law);
    } else {
      entry["worst"] = nullptr;
    }
    entry["tolerance"] = v.tolerance;
    entry["pass"] = judged ? ordered_json(v.pass) : ordered_json(nullptr);
    entry["scope"] = law.is_global() ? "global" : "local";
    entry["tolerance_kind"] = v.relative ? "relative" : "absolute";
    entry["equation"] = law.law.equation;
    entry["samples"] = law.samples;
    entry["non_finite"] = law.non_finite;
    entry["budget"] = ordered_json::array();
    for (std::size_t t = 0; t < law.terms.size(); ++t) {
      entry["budget"].push_back({{"term", law.terms[t]},
                                 {"mean", number(law.term_sum[t] / law.weight_sum)},
                                 {"mean_magnitude", number(law.term_magnitude[t] / law.weight_sum)}});
    }
    entry["mean_residual"] = number(law.residual_sum / law.weight_sum);
    list.push_back(entry);
  }
  return list;
}

void put_scores(ordered_json& entry, const ElementScore& s) {
  entry["rmse"] = number(s.rmse);
  entry["mae"] = number(s.mae);
  entry["crps"] = number(s.crps);
  entry["coverage90"] = number(s.coverage90);
  entry["bias"] = number(s.bias);
  entry["spread"] = number(s.spread);
  entry["crps_plain"] = number(s.crps_plain);
  entry["wasserstein"] = number(s.wasserstein);
  entry["reference_mean"] = number(s.reference_mean);
  entry["reference_deviation"] = number(s.reference_deviation);
  entry["crps_scaled"] = number(s.crps_scaled);
  entry["r2"] = number(s.r2);
}

ordered_json scores_json(const CandidateResult& result) {
  ordered_json list = ordered_json::array();
  for (const VariableScore& s : result.scores) {
    ordered_json entry;
    entry["variable"] = s.variable;
    entry["units"] = s.units;
    put_scores(entry, s);
    entry["rank_histogram"] = s.ranks;
    entry["pit_histogram"] = s.pit;
    if (s.elements.size() > 1) {
      entry["elements"] = ordered_json::array();
      for (const ElementScore& element : s.elements) {
        ordered_json one;
        put_scores(one, element);
        entry["elements"].push_back(one);
      }
    }
    list.push_back(entry);
  }
  return list;
}

double mean_score(const CandidateResult& result, double ElementScore::*field) {
  return mean_over_elements(result.scores, field);
}

ordered_json candidate_json(const CandidateResult& result, const Evaluation& evaluation) {
  ordered_json json;
  json["name"] = result.name;
  json["pass"] = result.pass;
  json["laws"] = laws_json(result.laws, evaluation, false, result.identity_tolerance);
  json["laws_on_request"] = laws_json(result.laws, evaluation, false, result.identity_tolerance, false);
  json["scores"] = scores_json(result);
  json["mean_scores"] = {{"rmse", number(mean_score(result, &ElementScore::rmse))},
                         {"crps", number(mean_score(result, &ElementScore::crps))},
                         {"coverage90", number(mean_score(result, &ElementScore::coverage90))},
                         {"crps_scaled", number(mean_score(result, &ElementScore::crps_scaled))},
                         {"r2", number(mean_score(result, &ElementScore::r2))}};
  json["energy_score"] = number(result.energy_score);
  json["members"] = result.members;
  json["cells"] = result.cells;
  json["missing_cells"] = result.missing;
  json["storage"] = result.stored_as_float ? "f32" : "f64";
  json["attributes"] = result.attributes;
  return json;
}

void print_laws(const Evaluation& evaluation) {
  Table table({"law", "of", "units", "largest |residual|", "rms", "largest relative", "tolerance", "", "worst at"});
  for (std::size_t column : {1, 2, 8}) table.left(column);
  const auto add = [&](const std::vector<LawStatistics>& laws, std::size_t i, const std::string& name, bool physics, double identity) {
    const LawStatistics& law = laws[i];
    const LawVerdict v = judge(law, physics, identity);
    table.add({law.law.name, name, law.law.units, scientific(law.max_absolute), scientific(law.rms()),
               scientific(law.max_relative), fmt::format("{:g} {}", v.tolerance, v.relative ? "relative" : law.law.units),
               law.judged ? verdict(v.pass) : "on request",
               fmt::format("{}{}", law.worst_member > 0 ? fmt::format("member {}, ", law.worst_member) : "",
                           evaluation.place(law))});
  };
  for (std::size_t i = 0; i < evaluation.candidates.front().laws.size(); ++i) {
    for (const CandidateResult& c : evaluation.candidates) add(c.laws, i, c.name, false, c.identity_tolerance);
    if (evaluation.has_reference) add(evaluation.reference_laws, i, "reference", true, tolerances::identity::relative_fp32);
  }
  fmt::print("Laws\n{}", table.text());

  Table budget({"budget (mean)", "of", "terms"});
  budget.left(1);
  budget.left(2);
  const auto terms = [](const LawStatistics& law) {
    std::string text;
    for (std::size_t t = 0; t < law.terms.size(); ++t) {
      if (t + 1 == law.terms.size() && law.term_magnitude[t] == 0.0) continue;
      text += (text.empty() ? "" : "   ") + fmt::format("{} {:.3f}", law.terms[t], law.term_sum[t] / law.weight_sum);
    }
    return text + fmt::format("   residual {:.2g} {}", law.residual_sum / law.weight_sum, law.law.units);
  };
  for (std::size_t i = 0; i < evaluation.candidates.front().laws.size(); ++i) {
    for (const CandidateResult& c : evaluation.candidates) budget.add({c.laws[i].law.name, c.name, terms(c.laws[i])});
    if (evaluation.has_reference) {
      budget.add({evaluation.reference_laws[i].law.name, "reference", terms(evaluation.reference_laws[i])});
    }
  }
  fmt::print("\n{}", budget.text());
}

void print_scores(const Evaluation& evaluation) {
  Table table({"variable", "of", "units", "RMSE", "bias", "CRPS", "coverage of 90 %", "spread", "Wasserstein"});
  table.left(1);
  table.left(2);
  const std::size_t n = evaluation.candidates.front().scores.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (const CandidateResult& c : evaluation.candidates) {
      const VariableScore& s = c.scores[i];
      table.add({s.variable, c.name, s.units, significant(s.rmse), significant(s.bias, 3), significant(s.crps),
                 std::isnan(s.coverage90) ? "-" : fmt::format("{:.3f}", s.coverage90), significant(s.spread),
                 significant(s.wasserstein, 3)});
    }
  }
  fmt::print("\nScores against the reference (ensemble mean's RMSE, fair CRPS, randomised PIT)\n{}", table.text());

  Table summary({"", "members", "cells", "largest relative residual", "RMSE", "CRPS", "scaled CRPS", "coverage of 90 %",
                 "energy score", "laws"});
  for (const CandidateResult& c : evaluation.candidates) {
    double relative = 0.0;
    for (const LawStatistics& law : c.laws) {
      if (law.judged) relative = std::max(relative, law.max_relative);
    }
    const double coverage = mean_score(c, &ElementScore::coverage90);
    summary.add({c.name, fmt::format("{}", c.members), fmt::format("{}", c.cells), scientific(relative),
                 significant(mean_score(c, &ElementScore::rmse)), significant(mean_score(c, &ElementScore::crps)),
                 significant(mean_score(c, &ElementScore::crps_scaled)),
                 std::isnan(coverage) ? "-" : fmt::format("{:.3f}", coverage), significant(c.energy_score), verdict(c.laws_pass)});
  }
  fmt::print("\nSummary (means over the outputs; scaled: in the reference's standard deviations)\n{}", summary.text());
}

}  // namespace

const Command& validate_command() {
  static const Command command = {
      "validate",
      "candidate against laws and a reference run",
      "lavoisier validate --domain ocean_heat_budget --candidate conditional=ensemble --baseline none=none \\\n"
      "    --reference esku_heat_budget.cdf --subset test --html report.html --json report.json",
      "",
      {
          {"domain", "NAME|FILE", "laws, variables and split", "", false},
          {"candidate", "[NAME=]PATH", "the ensemble judged: member files or a folder of them", "", true},
          {"baseline", "[NAME=]PATH", "further ensembles shown beside it; they don't change the exit code", "", true},
          {"reference", "FILE", "reference run (NetCDF; CSV for a domain of tables; image files or a folder for one of images)", "", false},
          {"inputs", "FILE", "without a reference: the file with the inputs and the grid", "", false},
          {"subset", "NAME", "cells that count: all, test, validation or training", "all", false},
          {"global", "NAME=VALUE", "a step value of the domain, for all steps, that laws over all columns need", "", true},
          {"seed", "N", "of ties in rank histograms and of randomised PITs", "0", false},
          {"training-log", "[NAME=]FILE", "logs of train --log, for the report: loss curves and options", "", true},
          {"html", "FILE", "write a report as one self-contained page", "", false},
      }};
  return command;
}

int run_validate(const Arguments& arguments) {
  const std::vector<NamedPaths> candidates = candidates_from(arguments);
  EvaluationOptions options;
  const std::string subset = arguments.choice("subset", {"all", "test", "validation", "training"});
  options.reference = arguments.text_or("reference", "");
  options.inputs = arguments.text_or("inputs", "");
  options.seed = arguments.unsigned_integer("seed");
  if (options.reference.empty() && options.inputs.empty()) throw UsageError("--reference (or --inputs) is needed");
  const Domain domain = load_domain(arguments.text("domain"));
  if (arguments.has("global")) options.step_values = given_step_values(domain, arguments.list("global"));
  if (subset != "all") {
    if (!domain.split) throw UsageError(fmt::format("--subset {}: domain '{}' has no split", subset, domain.name));
    options.subset = subset_from(subset);
  }
  for (const char* name : {"json", "html"}) {
    if (arguments.has(name)) require_writable(arguments.text(name));
  }
  const std::vector<TrainingRecord> training = training_from(arguments);
  const bool quiet = arguments.flag("quiet");
  Progress progress(quiet);
  const Evaluation evaluation = evaluate(domain, candidates, options, [&](std::int64_t done, std::int64_t all) {
    progress.update(fmt::format("compared {} of {} cells", done, all), done == all);
  });
  progress.clear();

  if (!quiet) {
    fmt::print("{}: {} cells{}\n\n", bold(domain.title.empty() ? domain.name : domain.title), evaluation.cells,
               subset == "all" ? "" : " (subset " + subset + ")");
    print_laws(evaluation);
    if (evaluation.has_reference) print_scores(evaluation);
    for (const CandidateResult& c : evaluation.candidates) {
      if (c.missing > 0) {
        fmt::print("note: {} has no values in {} of the {} cells\n", c.name, c.missing, evaluation.cells);
      }
    }
    for (const std::string& note : evaluation.notes) fmt::print("note: {}\n", note);
    for (const TrainingRecord& record : training) {
      fmt::print("training {}: {}{}\n", record.name, record.end.status.empty() ? "no end recorded" : record.end.status,
                 record.end.message.empty() ? "" : ": " + record.end.message.substr(0, record.end.message.find('\n')));
    }
    fmt::print("\n{}: {}\n", evaluation.candidates.front().name, verdict(evaluation.pass));
  }

  ordered_json json;
  json["pass"] = evaluation.pass;
  const ordered_json main = candidate_json(evaluation.candidates.front(), evaluation);
  for (const char* key : {"laws", "laws_on_request", "scores"}) json[key] = main[key];
  json["mean_scores"] = main["mean_scores"];
  json["energy_score"] = main["energy_score"];
  json["crps_estimator"] = "fair";
  json["candidate"] = main;
  for (const char* key : {"laws", "laws_on_request", "scores", "mean_scores", "energy_score"}) json["candidate"].erase(key);
  json["baselines"] = ordered_json::array();
  for (std::size_t k = 1; k < evaluation.candidates.size(); ++k) {
    json["baselines"].push_back(candidate_json(evaluation.candidates[k], evaluation));
  }
  if (evaluation.has_reference) {
    json["reference"] = {{"file", options.reference.string()},
                         {"pass", evaluation.reference_pass},
                         {"laws", laws_json(evaluation.reference_laws, evaluation, true, tolerances::identity::relative_fp32)}};
  } else {
    json["reference"] = nullptr;
  }
  if (arguments.has("training-log")) {
    json["training"] = ordered_json::array();
    for (const TrainingRecord& record : training) json["training"].push_back(training_json(record));
  }
  json["domain"] = {{"name", domain.name}, {"sha256", domain.digest}};
  json["subset"] = subset;
  json["cells"] = evaluation.cells;
  json["version"] = version();
  json["created"] = timestamp();
  json["options"] = arguments.resolved();
  write_json(arguments, json.dump(2) + "\n");

  if (arguments.has("html")) {
    ReportContext context;
    context.domain_name = domain.name;
    context.domain_title = domain.title;
    context.domain_reference = domain.reference;
    context.domain_digest = domain.digest;
    context.reference_file = options.reference.filename().string();
    context.subset = subset;
    context.command_line = arguments.command_line();
    context.created = timestamp();
    context.options = arguments.resolved();
    context.training = training;
    write_file_atomically(arguments.text("html"), html_report(evaluation, context));
    if (!quiet) fmt::print("report: {}\n", arguments.text("html"));
  }
  return evaluation.pass ? exit_ok : exit_check;
}

}  // namespace lavoisier::cli
