#include "report.hpp"

#include "svg.hpp"
#include "terminal.hpp"

#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace lavoisier::cli {
namespace {

using svg::Chart;
using svg::escaped;

constexpr std::array<const char*, 6> palette = {"#0b6e99", "#c2571a", "#5b7f2b", "#7b4b94", "#a8324a", "#5c6670"};
const char* candidate_colour(std::size_t k) { return palette[k % palette.size()]; }

const char* const style_sheet = R"(
:root{--ink:#1c2430;--soft:#5c6670;--line:#d9dee4;--paper:#fff;--tint:#f5f7f9;--good:#1a7f4b;--bad:#b3261e}
*{box-sizing:border-box}
body{margin:0;background:var(--tint);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:18px;margin:0 0 4px}h3{font-size:15px;margin:16px 0 4px}
p{margin:4px 0 10px;max-width:75em}.soft{color:var(--soft)}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:18px 20px;margin-top:18px}
.badge{display:inline-block;border-radius:4px;padding:2px 10px;font-weight:600;color:#fff;background:var(--good)}
.badge.no{background:var(--bad)}.ok{color:var(--good);font-weight:600}.no{color:var(--bad);font-weight:600}
.badge.no{color:#fff}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin-top:16px}
.card{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:12px 14px}
.card b{display:block;font-size:24px;line-height:1.2;font-weight:600}.card span{color:var(--soft);font-size:13px;display:block}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th{color:var(--soft);font-weight:600;text-align:right;border-bottom:2px solid var(--line);padding:5px 8px;vertical-align:bottom}
td{text-align:right;border-bottom:1px solid var(--line);padding:4px 8px;white-space:nowrap}
th.l,td.l{text-align:left}td.w{white-space:normal}
tr.group td{border-top:2px solid var(--line)}
code{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.dot{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:6px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:14px}
.three{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:14px}
svg{display:block;width:100%;height:auto}
svg text{font-family:inherit;fill:var(--ink)}svg .title{font-size:12.5px;font-weight:600}svg .label{font-size:11px;fill:var(--soft)}
svg .tick{font-size:10px;fill:var(--soft)}svg .grid{stroke:#e8ecf0;stroke-width:1}svg .axis{fill:none;stroke:#9aa4ae;stroke-width:1}
svg .land{fill:#d5d8dc}
details{margin-top:10px}summary{cursor:pointer;font-weight:600;color:#0b6e99}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:6px 0;font-size:13.5px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media print{body{background:#fff}section,.card{break-inside:avoid}}
)";

std::string scientific_html(double value) {
  if (std::isnan(value)) return "\u2013";
  if (value == 0.0) return "0";
  if (value >= 0.01 && value < 1e4) return fmt::format("{:.4g}", value);
  const int exponent = static_cast<int>(std::floor(std::log10(value)));
  return fmt::format("{:.1f}\u00b710<sup>{}{}</sup>", value / std::pow(10.0, exponent), exponent < 0 ? "\u2212" : "",
                     std::abs(exponent));
}

std::string number(double value, int digits = 4) {
  if (std::isnan(value)) return "\u2013";
  std::string text = fmt::format("{:.{}g}", value, digits);
  if (text[0] == '-') text = "\u2212" + text.substr(1);
  return text;
}
std::string share(double value) { return std::isnan(value) ? "\u2013" : fmt::format("{:.1f} %", 100.0 * value); }

double largest_relative(const std::vector<LawStatistics>& laws) {
  double largest = 0.0;
  for (const LawStatistics& law : laws) {
    if (law.judged) largest = std::max(largest, law.max_relative);
  }
  return largest;
}

double mean_of(const CandidateResult& c, double ElementScore::*field) { return mean_over_elements(c.scores, field); }

std::string units_of(const CandidateResult& c) {
  for (const VariableScore& s : c.scores) {
    if (s.units != c.scores.front().units) return "";
  }
  return c.scores.empty() ? "" : c.scores.front().units;
}

std::string swatch(std::size_t k, const std::string& name) {
  return fmt::format("<span class=\"dot\" style=\"background:{}\"></span>{}", candidate_colour(k), escaped(name));
}

std::string mark(bool pass) { return pass ? "<span class=\"ok\">holds</span>" : "<span class=\"no\">broken</span>"; }

std::string card(const std::string& value, const std::string& label) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>", value, label);
}

/// Name, then a description where the domain gives one.
std::string variable_title(const VariableScore& s) {
  return s.long_name.empty() ? s.variable : fmt::format("{}: {}", s.variable, s.long_name);
}

std::pair<double, double> range_of(const std::vector<const Map*>& maps, double trim) {
  std::vector<double> all;
  for (const Map* m : maps) {
    for (double v : m->values) {
      if (std::isfinite(v)) all.push_back(v);
    }
  }
  if (all.empty()) return {0.0, 1.0};
  std::sort(all.begin(), all.end());
  const auto at = [&](double p) { return all[static_cast<std::size_t>(p * static_cast<double>(all.size() - 1))]; };
  double low = at(trim), high = at(1.0 - trim);
  if (!(high > low)) high = low + (low == 0.0 ? 1.0 : std::abs(low));
  return {low, high};
}

/// The points of a curve that a chart can show. Of very many epochs means of neighbours, with their lowest and highest.
struct Curve {
  std::vector<double> x, y, low, high;  ///< low, high: empty where each epoch has its point
};
Curve curve_of(const std::vector<LoggedEpoch>& epochs, double LoggedEpoch::*field) {
  constexpr std::size_t pieces = 300, most = 1000;
  Curve curve;
  const std::size_t n = epochs.size();
  if (n <= most) {
    for (const LoggedEpoch& epoch : epochs) {
      curve.x.push_back(static_cast<double>(epoch.epoch));
      curve.y.push_back(epoch.*field);
    }
    return curve;
  }
  for (std::size_t k = 0; k < pieces; ++k) {
    const std::size_t begin = k * n / pieces, end = (k + 1) * n / pieces;
    double sum = 0.0, count = 0.0, low = std::numeric_limits<double>::quiet_NaN(), high = low;
    for (std::size_t i = begin; i < end; ++i) {
      const double value = epochs[i].*field;
      if (!std::isfinite(value)) continue;
      sum += value;
      count += 1.0;
      low = std::fmin(low, value);  // the other one where one is NaN
      high = std::fmax(high, value);
    }
    curve.x.push_back(0.5 * static_cast<double>(epochs[begin].epoch + epochs[end - 1].epoch));
    curve.y.push_back(sum / count);  // NaN where none is finite
    curve.low.push_back(low);
    curve.high.push_back(high);
  }
  return curve;
}

std::string option_of(const TrainingRecord& record, const std::string& name) {
  const auto found = record.start.options.find(name);
  return found == record.start.options.end() ? std::string() : found->second;
}

/// What a training's curves show; a bound of another generator is not the likelihood of mlp.
std::string loss_of(const TrainingRecord& record) {
  const std::string model = option_of(record, "model");
  return option_of(record, "loss") + (model.empty() || model == "mlp" ? "" : " of " + model);
}

class Page {
 public:
  Page(const Evaluation& e, const ReportContext& c)
      : e_(e), c_(c), main_(e.candidates.front()), sphere_(e.grid.latitude() >= 0 && e.grid.longitude() >= 0) {}

  std::string text() {
    header();
    laws();
    if (e_.has_reference) scores();
    maps();
    if (e_.has_reference && main_.members > 1) calibration();
    zonal();
    if (!c_.training.empty()) training();
    provenance();
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\"><title>{} \u2013 conservation report</title><style>{}</style></head>"
        "<body><main>{}</main></body></html>\n",
        escaped(title()), style_sheet, body_);
  }

 private:
  std::string title() const { return c_.domain_title.empty() ? c_.domain_name : c_.domain_title; }

  void header() {
    body_ += fmt::format("<h1>{}</h1><p class=\"soft\">Conservation and calibration report \u00b7 {} member{} \u00d7 {} cells{}{} "
                         "\u00b7 {}</p>",
                         escaped(title()), main_.members, main_.members == 1 ? "" : "s", main_.cells,
                         c_.subset == "all" ? "" : " of the " + escaped(c_.subset) + " subset",
                         e_.has_reference ? " \u00b7 reference " + escaped(c_.reference_file) : "", escaped(c_.created));
    const double worst = largest_relative(main_.laws);
    std::string sentence;
    if (main_.laws_pass) {
      const auto global = std::count_if(main_.laws.begin(), main_.laws.end(),
                                        [](const LawStatistics& law) { return law.judged && law.is_global(); });
      sentence = fmt::format("Every one of the {} generated samples obeys {}{} to {} of the laws\u2019 own terms "
                             "(required: {}).",
                             main_.cells * main_.members,
                             main_.residual.size() == 1 ? "its law" : fmt::format("all {} laws", main_.residual.size()),
                             global > 0 ? fmt::format(", and every step of every member {} over all columns,", global) : "",
                             scientific_html(worst), scientific_html(main_.identity_tolerance));
    } else {
      sentence = fmt::format("The generated samples break their laws: the largest residual is {} of the laws\u2019 own terms "
                             "(required: {}).",
                             scientific_html(worst), scientific_html(main_.identity_tolerance));
    }
    if (main_.missing > 0) {
      sentence += fmt::format(" {} of the {} cells compared have no generated value.", main_.missing, e_.cells);
    }
    if (!e_.reference_pass) sentence += " The reference itself exceeds the closure that its domain states.";
    body_ += fmt::format("<p><span class=\"badge{}\">{}</span>&ensp;{}</p>", e_.pass ? "" : " no",
                         e_.pass ? "PASSED" : "FAILED", sentence);
    body_ += "<div class=\"cards\">" + card(scientific_html(worst), "largest relative residual of any law");
    if (e_.has_reference) {
      const std::string units = escaped(units_of(main_));
      const std::string tail = units.empty() ? "" : ", " + units;
      body_ += card(number(mean_of(main_, &VariableScore::rmse), 3), "RMSE of the ensemble mean" + tail) +
               card(number(mean_of(main_, &VariableScore::crps), 3), "CRPS" + tail) +
               card(share(mean_of(main_, &VariableScore::coverage90)), "of truths inside the central 90 %") +
               card(number(main_.energy_score, 3), "energy score, standardised outputs");
    }
    body_ += "</div>";
    if (e_.candidates.size() > 1) side_by_side();
  }

  void side_by_side() {
    body_ += "<section><h2>Side by side</h2><div class=\"scroll\"><table><tr><th class=\"l\">ensemble</th><th>largest relative "
             "residual</th><th class=\"l\">laws</th><th>RMSE</th><th>CRPS</th><th>coverage of 90 %</th><th>energy score</th>"
             "<th>members</th></tr>";
    for (std::size_t k = 0; k < e_.candidates.size(); ++k) {
      const CandidateResult& c = e_.candidates[k];
      body_ += fmt::format("<tr><td class=\"l\">{}</td><td>{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
                           "<td>{}</td></tr>",
                           swatch(k, c.name), scientific_html(largest_relative(c.laws)), mark(c.laws_pass),
                           number(mean_of(c, &VariableScore::rmse)), number(mean_of(c, &VariableScore::crps)),
                           share(mean_of(c, &VariableScore::coverage90)), number(c.energy_score), c.members);
    }
    body_ += "</table></div><p class=\"soft\">Means over the outputs.</p></section>";
  }

  void law_row(const LawStatistics& law, const std::string& name, bool physics, double identity, bool group) {
    const LawVerdict v = judge(law, physics, identity);
    std::string budget;
    for (std::size_t t = 0; t < law.terms.size(); ++t) {
      if (t + 1 == law.terms.size() && law.term_magnitude[t] == 0.0) continue;
      budget += (budget.empty() ? "" : "&ensp;") + fmt::format("{}&nbsp;{}", escaped(law.terms[t]), number(law.term_sum[t] / law.weight_sum));
    }
    body_ += fmt::format(
        "<tr{}><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"l\">{}</td><td class=\"l w\">{}{}</td>"
        "<td class=\"l w\">{}</td></tr>",
        group ? " class=\"group\"" : "", name, scientific_html(law.max_absolute), scientific_html(law.rms()),
        scientific_html(law.max_relative),
        v.relative ? scientific_html(v.tolerance) + " rel." : fmt::format("{:g} {}", v.tolerance, escaped(law.law.units)),
        law.judged ? mark(v.pass) : "on request", law.worst_member > 0 ? fmt::format("member {}, ", law.worst_member) : "",
        escaped(e_.place(law)), budget);
  }

  void laws() {
    body_ += "<section><h2>Laws</h2><p class=\"soft\">Residual of each law in every generated sample, computed in double precision "
             "from the stored values. Relative: divided by the sum of the magnitudes of the law\u2019s own terms in that sample. The "
             "budget is the " + std::string(e_.grid.latitude() >= 0 ? "area-weighted " : "") + "mean of each term." +
             (main_.laws.size() > main_.residual.size()
                  ? " Laws over all columns are taken in each step of each member; those on request are required of ensembles "
                    "that were generated under them."
                  : "") + "</p>";
    for (std::size_t i = 0; i < main_.laws.size(); ++i) {
      const Law& law = main_.laws[i].law;
      body_ += fmt::format("<h3>{} <span class=\"soft\">[{}]</span>&ensp;<code>{}</code></h3>", escaped(law.name), escaped(law.units),
                           escaped(law.equation));
      body_ += "<div class=\"scroll\"><table><tr><th class=\"l\">of</th><th>largest |residual|</th><th>rms</th><th>largest relative</th>"
               "<th>tolerance</th><th class=\"l\"></th><th class=\"l\">worst at</th><th class=\"l\">budget</th></tr>";
      for (std::size_t k = 0; k < e_.candidates.size(); ++k) {
        law_row(e_.candidates[k].laws[i], swatch(k, e_.candidates[k].name), false, e_.candidates[k].identity_tolerance, false);
      }
      if (e_.has_reference) {
        law_row(e_.reference_laws[i], "<span class=\"dot\" style=\"background:#1c2430\"></span>reference", true,
                tolerances::identity::relative_fp32, false);
      }
      body_ += "</table></div>";
    }
    closure_chart();
    body_ += "</section>";
  }

  void closure_chart() {
    const auto rows = static_cast<double>(main_.laws.size());
    Chart chart(1040, 66 + 30 * rows, "Largest relative residual (logarithmic)", "", "");
    chart.left_margin(150);
    chart.x_range(-18, 1);
    chart.y_range(-0.5, rows - 0.5);
    std::vector<std::pair<double, std::string>> marks, names;
    for (int k = -18; k <= 0; k += 3) marks.emplace_back(k, fmt::format("1e{}", k));
    for (std::size_t i = 0; i < main_.laws.size(); ++i) names.emplace_back(rows - 1 - static_cast<double>(i), main_.laws[i].law.name);
    chart.x_ticks(marks);
    chart.y_ticks(names);
    const double bound = std::log10(main_.identity_tolerance);
    chart.rule_x(bound, "stroke:#b3261e;stroke-dasharray:4 3");
    chart.note(bound + 0.1, rows - 0.72, "required of the candidate", "font-size:10px;fill:#b3261e");
    for (std::size_t i = 0; i < main_.laws.size(); ++i) {
      const double y = rows - 1 - static_cast<double>(i);
      const auto place = [](double relative) { return relative > 0 ? std::log10(relative) : -18.0; };
      if (e_.has_reference) {
        chart.point(place(e_.reference_laws[i].max_relative), y, 5, "fill:#fff;stroke:#1c2430;stroke-width:2", "reference");
      }
      for (std::size_t k = e_.candidates.size(); k-- > 0;) {
        chart.point(place(e_.candidates[k].laws[i].max_relative), y, 6, fmt::format("fill:{}", candidate_colour(k)), e_.candidates[k].name);
      }
    }
    std::string legend;
    for (std::size_t k = 0; k < e_.candidates.size(); ++k) legend += swatch(k, e_.candidates[k].name) + "&emsp;";
    if (e_.has_reference) legend += "<span class=\"dot\" style=\"border:2px solid #1c2430\"></span>reference (published rounding, float storage)";
    body_ += "<div style=\"margin-top:14px\">" + chart.text() + "</div><p class=\"soft\">" + legend + "</p>";
  }

  void scores() {
    body_ += "<section><h2>Scores against the reference</h2><p class=\"soft\">RMSE and bias of the ensemble mean; CRPS by the fair "
             "estimator (unbiased in the number of members); coverage: share of truths whose randomised rank lies within the central "
             "90 %; Wasserstein distance between all generated and all reference values.</p><div class=\"scroll\"><table><tr>"
             "<th class=\"l\">variable</th><th class=\"l\">ensemble</th><th class=\"l\">units</th><th>reference mean \u00b1 sd</th>"
             "<th>RMSE</th><th>bias</th><th>CRPS</th><th>coverage of 90 %</th><th>spread</th><th>Wasserstein</th></tr>";
    for (std::size_t i = 0; i < main_.scores.size(); ++i) {
      for (std::size_t k = 0; k < e_.candidates.size(); ++k) {
        const VariableScore& s = e_.candidates[k].scores[i];
        body_ += fmt::format("<tr{}><td class=\"l w\">{}</td><td class=\"l\">{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td>"
                             "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                             k == 0 ? " class=\"group\"" : "", k == 0 ? escaped(variable_title(s)) : "",
                             swatch(k, e_.candidates[k].name), escaped(s.units),
                             number(s.reference_mean) + " \u00b1 " + number(s.reference_deviation, 3), number(s.rmse), number(s.bias, 3),
                             number(s.crps), share(s.coverage90), number(s.spread), number(s.wasserstein, 3));
      }
    }
    body_ += "</table></div></section>";
  }

  std::string draw(const Map& map, const svg::MapStyle& style) const {
    return svg::map(map.values, e_.latitudes, e_.longitudes, style);
  }

  void variable_maps(std::size_t i) {
    const VariableScore& s = main_.scores[i];
    svg::MapStyle style;
    style.units = s.units;
    style.sphere = sphere_;
    std::vector<const Map*> fields = {&main_.mean[i]};
    if (e_.has_reference) fields.push_back(&e_.reference_mean[i]);
    auto [low, high] = range_of(fields, 0.005);
    if (low < 0.0 && high > 0.0) {
      style.scale = svg::Scale::diverging;
      high = std::max(high, -low);
      low = -high;
    }
    style.low = low;
    style.high = high;
    body_ += "<div class=\"two\">";
    if (e_.has_reference) {
      style.title = fmt::format("{}: reference", s.variable);
      body_ += "<div>" + draw(e_.reference_mean[i], style) + "</div>";
    }
    style.title = fmt::format("{}: ensemble mean of {}", s.variable, main_.name);
    body_ += "<div>" + draw(main_.mean[i], style) + "</div>";
    if (e_.has_reference) {
      const auto [b0, b1] = range_of({&main_.bias[i]}, 0.01);
      style.scale = svg::Scale::diverging;
      style.high = std::max(std::abs(b0), std::abs(b1));
      style.low = -style.high;
      style.title = fmt::format("{}: bias (ensemble mean \u2212 reference)", s.variable);
      body_ += "<div>" + draw(main_.bias[i], style) + "</div>";
    }
    if (main_.members > 1) {
      style.scale = svg::Scale::sequential;
      style.low = 0.0;
      style.high = range_of({&main_.spread[i]}, 0.01).second;
      style.title = fmt::format("{}: ensemble standard deviation", s.variable);
      body_ += "<div>" + draw(main_.spread[i], style) + "</div>";
    }
    body_ += "</div>";
  }

  void maps() {
    if (e_.latitudes.size() < 2 || e_.longitudes.size() < 2) return;
    body_ += "<section><h2>Maps</h2><p class=\"soft\">Means over time of the cells compared; grey: not compared.</p>";
    // The last output closes the chain of laws in the shipped domains: the headline variable.
    const std::size_t last = main_.scores.size() - 1;
    variable_maps(last);
    if (e_.candidates.size() > 1 && !e_.candidates[1].residual.empty()) {
      std::size_t worst = 0;
      const std::vector<LawStatistics>& of = e_.candidates[1].laws;
      for (std::size_t i = 0; i < e_.candidates[1].residual.size(); ++i) {
        if (of[i].max_relative > of[worst].max_relative) worst = i;
      }
      double high = 0.0;
      for (const CandidateResult& c : e_.candidates) {
        for (double v : c.residual[worst].values) {
          if (std::isfinite(v)) high = std::max(high, v);
        }
      }
      high = std::pow(10.0, std::ceil(std::log10(std::max(high, 1e-300))));
      body_ += fmt::format("<h3>Residual of the law {} (rms over members and time)</h3><div class=\"two\">", escaped(main_.laws[worst].law.name));
      for (std::size_t k = 0; k < std::min<std::size_t>(e_.candidates.size(), 2); ++k) {
        svg::MapStyle style;
        style.title = e_.candidates[k].name;
        style.units = main_.laws[worst].law.units;
        style.logarithmic = true;
        style.low = high * 1e-16;
        style.high = high;
        style.sphere = sphere_;
        body_ += "<div>" + draw(e_.candidates[k].residual[worst], style) + "</div>";
      }
      body_ += "</div>";
    }
    for (std::size_t i = 0; i < last; ++i) {
      body_ += fmt::format("<details><summary>{}</summary>", escaped(variable_title(main_.scores[i])));
      variable_maps(i);
      body_ += "</details>";
    }
    body_ += "</section>";
  }

  void calibration() {
    body_ += fmt::format("<section><h2>Calibration</h2><p class=\"soft\">Rank of the truth among the {} members: flat where truth and "
                         "members are alike, U-shaped where the spread is too small, humped where it is too large. Grey band: where 95 % of bins fall for a "
                         "calibrated ensemble with independent cells.</p><div class=\"three\">", main_.members);
    for (const VariableScore& s : main_.scores) rank_histogram(s);
    body_ += "</div><h3>Coverage of central intervals</h3><p class=\"soft\">Share of truths inside the central interval, by randomised "
             "rank. On the diagonal: calibrated. Above: too wide. Below: too narrow.</p><div class=\"two\">";
    for (std::size_t k = 0; k < e_.candidates.size(); ++k) coverage_chart(e_.candidates[k]);
    body_ += "</div></section>";
  }

  void rank_histogram(const VariableScore& s) {
    // At most about 26 bars: neighbouring ranks together, the remainder spread by true widths.
    const std::size_t ranks = s.ranks.size();
    const std::size_t bars = std::min<std::size_t>(ranks, 17);
    std::vector<double> height(bars, 0.0), expected(bars, 0.0);
    double total = 0.0;
    for (std::size_t r = 0; r < ranks; ++r) {
      height[r * bars / ranks] += static_cast<double>(s.ranks[r]);
      expected[r * bars / ranks] += 1.0 / static_cast<double>(ranks);
      total += static_cast<double>(s.ranks[r]);
    }
    double top = 1.6;
    for (std::size_t b = 0; b < bars; ++b) top = std::max(top, 1.1 * height[b] / (expected[b] * total));
    Chart chart(340, 190, fmt::format("{} rank histogram", s.variable), "rank of the truth", "relative frequency");
    chart.x_range(0, 1);
    chart.x_ticks({{0, "low"}, {0.5, "middle"}, {1, "high"}});
    chart.y_range(0, top);
    const double p = expected.front(), band = 1.96 * std::sqrt((1.0 - p) / (p * total));
    chart.bar(0, 1, 1 - band, 1 + band, "fill:#dfe3e8");
    for (std::size_t b = 0; b < bars; ++b) {
      const auto n = static_cast<double>(bars);
      chart.bar((static_cast<double>(b) + 0.06) / n, (static_cast<double>(b) + 0.94) / n, 0, height[b] / (expected[b] * total),
                fmt::format("fill:{};fill-opacity:.8", candidate_colour(0)));
    }
    chart.rule_y(1.0, "stroke:#1c2430;stroke-dasharray:4 3");
    body_ += "<div>" + chart.text() + "</div>";
  }

  void coverage_chart(const CandidateResult& c) {
    Chart chart(500, 320, fmt::format("{}: nominal and observed coverage", c.name), "nominal", "observed");
    chart.x_range(0, 1);
    chart.y_range(0, 1);
    const std::array<double, 2> ends = {0, 1};
    chart.line(ends, ends, "stroke:#1c2430;stroke-dasharray:4 3;stroke-width:1");
    for (std::size_t i = 0; i < c.scores.size(); ++i) {
      const auto& pit = c.scores[i].pit;
      std::vector<double> x = {0.0}, y = {0.0};
      double inside = 0.0, total = 0.0;
      for (std::int64_t n : pit) total += static_cast<double>(n);
      const std::size_t half = pit.size() / 2;
      for (std::size_t j = 0; j < half; ++j) {
        inside += static_cast<double>(pit[half - 1 - j] + pit[half + j]);
        x.push_back(static_cast<double>(j + 1) / static_cast<double>(half));
        y.push_back(inside / total);
      }
      chart.line(x, y, fmt::format("stroke:{};stroke-width:1.8", palette[i % palette.size()]));
      const double ly = 0.36 - 0.065 * static_cast<double>(i % 6);
      const double lx = 0.74 - 0.3 * static_cast<double>(i / 6);
      const std::array<double, 2> key_x = {lx, lx + 0.05}, key_y = {ly, ly};
      chart.line(key_x, key_y, fmt::format("stroke:{};stroke-width:3", palette[i % palette.size()]));
      chart.note(lx + 0.07, ly - 0.013, c.scores[i].variable, "font-size:11px");
    }
    body_ += "<div>" + chart.text() + "</div>";
  }

  void zonal() {
    if (e_.latitudes.size() < 3) return;
    body_ += fmt::format("<section><h2>Zonal means</h2><p class=\"soft\">Mean over longitude and time of the cells compared. Line: ensemble "
                         "mean; band: mean of the members\u2019 5 % to 95 % quantiles in a cell{}.</p><div class=\"three\">",
                         e_.has_reference ? "; black: reference" : "");
    for (std::size_t i = 0; i < main_.scores.size(); ++i) {
      const Zonal& z = main_.zonal[i];
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (const auto* series : {&z.low, &z.high, &z.mean, &z.reference}) {
        for (double v : *series) {
          if (!std::isfinite(v)) continue;
          low = std::min(low, v);
          high = std::max(high, v);
        }
      }
      const double pad = 0.05 * std::max(high - low, 1e-12);
      Chart chart(340, 230, fmt::format("{} [{}]", main_.scores[i].variable, main_.scores[i].units), sphere_ ? "latitude" : "row", "");
      chart.x_range(sphere_ ? -90 : *std::min_element(e_.latitudes.begin(), e_.latitudes.end()),
                    sphere_ ? 90 : *std::max_element(e_.latitudes.begin(), e_.latitudes.end()));
      if (sphere_) chart.x_ticks({{-90, "90\u00b0S"}, {-60, "60\u00b0S"}, {-30, "30\u00b0S"}, {0, "0\u00b0"}, {30, "30\u00b0N"}, {60, "60\u00b0N"}, {90, "90\u00b0N"}});
      chart.y_range(low - pad, high + pad);
      chart.band(e_.latitudes, z.low, z.high, fmt::format("fill:{};fill-opacity:.22", candidate_colour(0)));
      chart.line(e_.latitudes, z.mean, fmt::format("stroke:{};stroke-width:2", candidate_colour(0)));
      if (e_.has_reference) chart.line(e_.latitudes, z.reference, "stroke:#1c2430;stroke-width:1.4;stroke-dasharray:5 3");
      body_ += "<div>" + chart.text() + "</div>";
    }
    body_ += "</div></section>";
  }

  /// A training has the colour of the ensemble of its name, else one that no other has.
  std::size_t training_colour(std::size_t k) const {
    const auto place = [&](const std::string& name) {
      for (std::size_t i = 0; i < e_.candidates.size(); ++i) {
        if (e_.candidates[i].name == name) return i;
      }
      return e_.candidates.size();
    };
    const std::size_t own = place(c_.training[k].name);
    if (own < e_.candidates.size()) return own;
    std::size_t others = 0;
    for (std::size_t i = 0; i < k; ++i) others += place(c_.training[i].name) == e_.candidates.size() ? 1 : 0;
    return e_.candidates.size() + others;
  }

  void training() {
    const bool many = std::any_of(c_.training.begin(), c_.training.end(),
                                  [](const TrainingRecord& record) { return !curve_of(record.epochs, &LoggedEpoch::training_loss).low.empty(); });
    body_ += fmt::format("<section><h2>Training</h2><p class=\"soft\">Mean loss of the samples, epoch by epoch. Line: of the validation "
                         "samples after the epoch. Dashed: of the training samples while the weights were changing. Ring: the epoch "
                         "whose weights were kept.{}</p>",
                         many ? " Of more than 1000 epochs: means of neighbouring epochs, and between which values these lie." : "");
    // Curves of different losses have no common axis.
    std::vector<std::string> losses;
    for (const TrainingRecord& record : c_.training) {
      const std::string loss = loss_of(record);
      if (std::find(losses.begin(), losses.end(), loss) == losses.end()) losses.push_back(loss);
    }
    for (const std::string& loss : losses) loss_chart(loss);
    training_table();
    options_table();
    body_ += "</section>";
  }

  void loss_chart(const std::string& loss) {
    std::vector<double> all;
    std::int64_t first = c_.training.front().epochs.front().epoch, last = first;
    bool any = false;
    std::string legend;
    for (std::size_t k = 0; k < c_.training.size(); ++k) {
      const TrainingRecord& record = c_.training[k];
      if (loss_of(record) != loss) continue;
      first = any ? std::min(first, record.epochs.front().epoch) : record.epochs.front().epoch;
      last = any ? std::max(last, record.epochs.back().epoch) : record.epochs.back().epoch;
      any = true;
      legend += swatch(training_colour(k), record.name) + "&emsp;";
      for (const LoggedEpoch& epoch : record.epochs) {
        for (double value : {epoch.training_loss, epoch.validation_loss}) {
          if (std::isfinite(value)) all.push_back(value);
        }
      }
    }
    const std::string title = loss.empty() ? "Loss" : "Loss: " + loss;
    if (all.empty()) {
      body_ += fmt::format("<p>{}: no value is finite.</p>", escaped(title));
      return;
    }
    std::sort(all.begin(), all.end());
    double low = all.front(), high = all.back();
    const bool logarithmic = low > 0.0 && high > 10.0 * low;
    std::size_t above = 0;
    if (!logarithmic) {
      // A few losses of the first epochs, far above the rest, would press the rest flat.
      const double most = all[static_cast<std::size_t>(0.95 * static_cast<double>(all.size() - 1))];
      if (high - most > 3.0 * (most - low) && most > low) {
        high = most + 0.2 * (most - low);
        above = static_cast<std::size_t>(all.end() - std::upper_bound(all.begin(), all.end(), high));
      }
    }
    double bottom = logarithmic ? std::log10(low) : low, top = logarithmic ? std::log10(high) : high;
    const double pad = top > bottom ? 0.04 * (top - bottom) : 0.1 * std::max(std::abs(top), 1e-12);
    bottom -= pad;
    top += pad;
    const auto place = [&](double value) { return std::isnan(value) ? value : std::min(logarithmic ? std::log10(value) : value, top); };

    Chart chart(1040, 340, title + (logarithmic ? " (logarithmic)" : ""), "epoch", "");
    chart.left_margin(64);
    chart.y_range(bottom, top);
    if (logarithmic) {
      std::vector<std::pair<double, std::string>> marks;
      for (double t : svg::logarithmic_ticks(std::pow(10.0, bottom), std::pow(10.0, top))) {
        marks.emplace_back(std::log10(t), svg::tick_text(t));
      }
      chart.y_ticks(marks);
    }
    const double from = static_cast<double>(first), to = static_cast<double>(last);
    chart.x_range(first == last ? from - 1 : from, first == last ? to + 1 : to + 0.01 * (to - from));
    std::vector<std::pair<double, std::string>> epochs = {{from, fmt::format("{:.0f}", from)}};
    for (double t : svg::ticks(from, to, 10)) {
      if (t == std::floor(t) && t - from > 0.03 * (to - from)) epochs.emplace_back(t, fmt::format("{:.0f}", t));
    }
    chart.x_ticks(epochs);
    for (std::size_t k = 0; k < c_.training.size(); ++k) {
      if (loss_of(c_.training[k]) == loss) loss_curves(chart, k, place);
    }
    body_ += "<div>" + chart.text() + "</div><p class=\"soft\">" + legend +
             (above == 0 ? "" : fmt::format("{} value{} above the chart.", above, above == 1 ? " lies" : "s lie")) + "</p>";
  }

  template <class Place>
  void loss_curves(Chart& chart, std::size_t k, const Place& place) const {
    const TrainingRecord& record = c_.training[k];
    const char* colour = candidate_colour(training_colour(k));
    const auto draw = [&](double LoggedEpoch::*field, const std::string& style, const char* of) {
      Curve curve = curve_of(record.epochs, field);
      for (std::vector<double>* values : {&curve.y, &curve.low, &curve.high}) {
        for (double& y : *values) y = place(y);
      }
      if (!curve.low.empty()) chart.band(curve.x, curve.low, curve.high, fmt::format("fill:{};fill-opacity:.18", colour));
      chart.line(curve.x, curve.y, fmt::format("stroke:{};{}", colour, style));
      // A line needs two points.
      if (record.epochs.size() == 1 && std::isfinite(curve.y[0])) {
        chart.point(curve.x[0], curve.y[0], 3, fmt::format("fill:{}", colour), fmt::format("{}: {}", record.name, of));
      }
    };
    draw(&LoggedEpoch::training_loss, "stroke-width:1.2;stroke-dasharray:4 3", "training");
    draw(&LoggedEpoch::validation_loss, "stroke-width:1.8", "validation");
    const LoggedEpoch& last = record.epochs.back();
    if (std::isfinite(last.best_validation_loss)) {
      chart.point(static_cast<double>(last.best_epoch), place(last.best_validation_loss), 5,
                  fmt::format("fill:#fff;stroke:{};stroke-width:2", colour),
                  fmt::format("{}: epoch {}, {}", record.name, last.best_epoch, number(last.best_validation_loss, 5)));
    }
  }

  void training_table() {
    body_ += "<div class=\"scroll\"><table><tr><th class=\"l\">training</th><th class=\"l\">end</th><th>epochs</th><th>kept epoch</th>"
             "<th>its validation loss</th><th>last training loss</th><th>time</th><th>weights</th>"
             "<th>training + validation samples</th><th class=\"l\">model</th></tr>";
    std::string messages;
    for (std::size_t k = 0; k < c_.training.size(); ++k) {
      const TrainingRecord& record = c_.training[k];
      const LoggedEpoch& last = record.epochs.back();
      const LoggedStart& start = record.start;
      const std::string& end = record.end.status;
      const char* style = end == "finished" || end == "stopped early" ? "ok" : end.empty() ? "soft" : "no";
      body_ += fmt::format(
          "<tr><td class=\"l\">{}</td><td class=\"l\"><span class=\"{}\">{}</span></td><td>{} of {}</td><td>{}</td><td>{}</td><td>{}</td>"
          "<td>{}</td><td>{}</td><td>{} + {}</td><td class=\"l w\">{}</td></tr>",
          swatch(training_colour(k), record.name), style, end.empty() ? "none recorded" : escaped(end), last.epoch, last.epochs, last.best_epoch,
          number(last.best_validation_loss, 5), number(last.training_loss, 5), duration(last.seconds), start.weights,
          start.training_samples, start.validation_samples, model_text(record));
      if (end == "failed" || end == "interrupted") {
        messages += fmt::format("<p><b>{}</b>: {}</p>", escaped(record.name), escaped(record.end.message));
      }
    }
    body_ += "</table></div>" + messages;
  }

  /// Which ensemble a training's model has made, by its digest.
  std::string model_text(const TrainingRecord& record) const {
    if (record.end.sha256.empty()) return "\u2013";
    std::string made;
    for (const CandidateResult& c : e_.candidates) {
      const auto found = c.attributes.find("lavoisier_model_sha256");
      if (found != c.attributes.end() && found->second == record.end.sha256) made += (made.empty() ? "" : ", ") + c.name;
    }
    return fmt::format("<code>{}</code> {}", escaped(record.end.sha256.substr(0, 12)),
                       made.empty() ? "(of no ensemble here)" : "(made " + escaped(made) + ")");
  }

  void options_table() {
    std::map<std::string, std::vector<std::string>> options;
    for (std::size_t k = 0; k < c_.training.size(); ++k) {
      for (const auto& [name, value] : c_.training[k].start.options) {
        std::vector<std::string>& values = options[name];
        values.resize(c_.training.size());
        values[k] = value;
      }
    }
    std::string header = "<tr><th class=\"l\">option</th>", differing, same;
    for (std::size_t k = 0; k < c_.training.size(); ++k) {
      header += fmt::format("<th class=\"l\">{}</th>", swatch(training_colour(k), c_.training[k].name));
    }
    for (const auto& [name, values] : options) {
      const bool equal = std::all_of(values.begin(), values.end(), [&](const std::string& v) { return v == values.front(); });
      std::string row = fmt::format("<tr><td class=\"l\">{}{}{}</td>", equal ? "" : "<b>", escaped(name), equal ? "" : "</b>");
      for (std::size_t k = 0; k < (equal ? 1 : values.size()); ++k) {
        row += fmt::format("<td class=\"l w\" colspan=\"{}\"><code>{}</code></td>", equal ? values.size() : 1, escaped(values[k]));
      }
      (equal ? same : differing) += row + "</tr>";
    }
    body_ += fmt::format("<details><summary>Options of the training{}</summary><div class=\"scroll\"><table>{}</tr>{}{}</table></div>"
                         "</details>",
                         c_.training.size() == 1 ? "" : "s (those that differ first)", header, differing, same);
  }

  void provenance() {
    body_ += "<section><h2>Provenance</h2><dl>";
    const auto item = [&](const std::string& key, const std::string& value, bool code = false) {
      if (value.empty()) return;
      body_ += fmt::format("<dt>{}</dt><dd>{}{}{}</dd>", escaped(key), code ? "<code>" : "", escaped(value), code ? "</code>" : "");
    };
    item("domain", c_.domain_name + " (sha256 " + c_.domain_digest + ")");
    item("reference", c_.reference_file + (c_.domain_reference.empty() ? "" : ": " + c_.domain_reference));
    for (const CandidateResult& c : e_.candidates) {
      const auto attribute = [&](const char* key) {
        const auto found = c.attributes.find(key);
        return found == c.attributes.end() ? std::string() : found->second;
      };
      item(c.name, fmt::format("{} file{}, first {}; stored as {}", c.members, c.members == 1 ? "" : "s", c.first_file,
                               c.stored_as_float ? "float" : "double"));
      item("\u2003source", attribute("source"));
      item("\u2003history", attribute("history"), true);
      item("\u2003inputs", attribute("lavoisier_inputs"));
      item("\u2003instruction set", attribute("lavoisier_instruction_set"));
    }
    item("this report", c_.command_line, true);
    std::string options;
    for (const auto& [key, value] : c_.options) options += (options.empty() ? "" : ", ") + key + " = " + value;
    item("resolved options", options);
    item("made", c_.created + ", lavoisier " + version());
    body_ += "</dl></section>";
  }

  const Evaluation& e_;
  const ReportContext& c_;
  const CandidateResult& main_;
  bool sphere_;
  std::string body_;
};

}  // namespace

std::string html_report(const Evaluation& evaluation, const ReportContext& context) {
  return Page(evaluation, context).text();
}

}  // namespace lavoisier::cli
