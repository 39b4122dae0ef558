#include "monitor_report.hpp"

#include "monitor_log.hpp"
#include "number_text.hpp"

#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier::detail {
namespace {

MonitorTerm term_of(const Program& program, std::int32_t element, double coefficient, double value) {
  for (const auto& variable : program.outputs)
    if (element >= variable.offset && element < variable.offset + variable.elements)
      return {variable.name, element - variable.offset, coefficient, value};
  return {};  // not reached: terms were checked at load
}

MonitorClosure closure_of(const Program& program, std::size_t l, const LawTally& tally, const MonitorLaw& law) {
  MonitorClosure made;
  made.columns = tally.columns;
  made.non_finite = tally.non_finite;
  made.max_absolute = tally.max_absolute;
  if (tally.columns > 0) made.rms = std::sqrt(tally.squares.value() / static_cast<double>(tally.columns));
  made.max_relative = tally.max_relative;
  // Not "larger than": what is no number does not close either.
  made.violated = tally.non_finite > 0 || !((law.relative ? made.max_relative : made.max_absolute) <= law.tolerance);
  made.worst_column = tally.worst_column;
  made.worst_id = tally.worst_id;
  if (tally.worst_column < 0) return made;
  made.right_hand_side = tally.right_hand_side;
  const auto begin = static_cast<std::size_t>(program.laws.term_begin[l]);
  for (std::size_t t = 0; t < tally.value.size(); ++t)
    made.terms.push_back(
        term_of(program, program.laws.term_element[begin + t], tally.coefficient[t], tally.value[t]));
  return made;
}

MonitorSkill skill_of(const ProgramVariable& variable, const SkillTally& tally) {
  MonitorSkill made;
  made.name = variable.name;
  made.units = variable.units;
  made.columns = tally.columns;
  made.non_finite = tally.non_finite;
  if (tally.columns == 0) return made;
  const double columns = static_cast<double>(tally.columns);
  const double n = columns * static_cast<double>(variable.elements);
  made.bias = tally.error.value() / n;
  made.mean_absolute_error = tally.absolute_error.value() / n;
  made.rmse = std::sqrt(tally.squared_error.value() / n);
  const double squares_m = tally.emulated_squares.value(), squares_o = tally.original_squares.value();
  double m = squares_m, o = squares_o, both = tally.products.value();
  for (std::size_t e = 0; e < tally.emulated.size(); ++e) {
    const double sum_m = tally.emulated[e].value(), sum_o = tally.original[e].value();
    m -= sum_m * (sum_m / columns);
    o -= sum_o * (sum_o / columns);
    both -= sum_m * (sum_o / columns);
  }
  // What rounding leaves of numbers that do not vary is no variance.
  constexpr double rounding = 64.0 * std::numeric_limits<double>::epsilon();
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  const bool varies = o > rounding * squares_o;
  made.r_squared = varies ? 1.0 - tally.squared_error.value() / o : nothing;
  made.correlation = varies && m > rounding * squares_m ? std::clamp(both / (std::sqrt(m) * std::sqrt(o)), -1.0, 1.0)
                                                             : nothing;
  return made;
}

void set_tolerance(MonitorLaw& law, MonitorTolerance asked, double physics, bool floats) {
  law.relative = asked == MonitorTolerance::identity || physics == 0.0;
  law.tolerance = !law.relative ? physics
                  : floats      ? tolerances::identity::relative_fp32
                                : tolerances::identity::relative_fp64;
}

std::string violation(const MonitorReport& report, const MonitorLaw& law) {
  const MonitorClosure& found = law.emulated;
  std::string text = "step " + std::to_string(report.step) + ": the emulator violates law '" + law.name + "': ";
  if (found.non_finite > 0) text += "no number in " + std::to_string(found.non_finite) + " columns; ";
  if (law.relative)
    text += "relative residual " + number_text(found.max_relative) + ", expected at most " + number_text(law.tolerance);
  else
    text += "residual " + number_text(found.max_absolute) + " " + law.units + ", expected at most " +
            number_text(law.tolerance);
  if (found.worst_column >= 0)
    text += "; worst in column " + std::to_string(found.worst_column) + " (id " + std::to_string(found.worst_id) +
            "): " + terms_text(found);
  return text;
}

}  // namespace

MonitorReport report_of(const Program& program, const StepTally& tally,
                        const std::vector<MonitorTolerance>& asked, std::uint64_t step) {
  MonitorReport report;
  report.step = step;
  report.columns = tally.columns;
  report.out_of_range = tally.out_of_range;
  report.left_out = tally.left_out;
  for (std::size_t l = 0; l < program.laws.laws.size(); ++l) {
    const ProgramLaw& from = program.laws.laws[l];
    MonitorLaw law;
    law.name = from.name;
    law.units = from.units;
    set_tolerance(law, asked[l], from.physics_tolerance, tally.emulated[l].floats);
    law.emulated = closure_of(program, l, tally.emulated[l], law);
    MonitorLaw own;  // the host's outputs by the precision that they are stored in
    set_tolerance(own, asked[l], from.physics_tolerance, tally.original[l].floats);
    law.original = closure_of(program, l, tally.original[l], own);
    if (law.emulated.violated) {
      report.violated = true;
      report.message += (report.message.empty() ? "" : "\n") + violation(report, law);
    }
    report.laws.push_back(std::move(law));
  }
  for (std::size_t v = 0; v < program.outputs.size(); ++v)
    report.variables.push_back(skill_of(program.outputs[v], tally.skill[v]));
  return report;
}

}  // namespace lavoisier::detail
