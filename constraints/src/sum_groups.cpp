#include "sum_groups.hpp"

#include <cstdio>

namespace lavoisier::detail {

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.9g", value);
  return buffer;
}

std::string law_name(const LawOptions& options, std::size_t row) {
  return row < options.laws.size() ? "law '" + options.laws[row] + "'" : "row " + std::to_string(row);
}

SumGroups::SumGroups(std::size_t rows, std::size_t outputs, Kind kind, const LawOptions& options)
    : rows_(rows),
      outputs_(outputs),
      kind_(kind),
      options_(&options),
      weight_(outputs),
      row_of_(outputs),
      members_(rows) {}

Failure SumGroups::set(const double* A) {
  for (auto& members : members_) members.clear();
  for (std::size_t j = 0; j < outputs_; ++j) {
    row_of_[j] = rows_;
    for (std::size_t k = 0; k < rows_; ++k) {
      const double a = A[k * outputs_ + j];
      if (!std::isfinite(a))
        return {Status::invalid_argument, name(k) + ": its coefficient of output " + std::to_string(j) +
                                              " is not finite: expected the coefficients of a law"};
      if (a == 0.0) continue;
      if (row_of_[j] != rows_)
        return {Status::unsupported, name(k) + " and " + name(row_of_[j]) + " both hold output " + std::to_string(j) +
                                         ": expected disjoint groups"};
      row_of_[j] = k;
      weight_[j] = a;
      members_[k].push_back(j);
    }
    if (row_of_[j] == rows_)
      return {Status::invalid_argument, "output " + std::to_string(j) + " is in no law: expected every output in one"};
  }
  for (std::size_t k = 0; k < rows_; ++k) {
    const auto& group = members_[k];
    if (group.empty())
      return {Status::invalid_argument, name(k) + " is zero: expected the coefficients of a law"};
    if (kind_ != Kind::one_weight) continue;
    for (const std::size_t j : group)
      if (weight_[j] != weight_[group[0]])
        return {Status::unsupported, name(k) + " has weight " + text(weight_[group[0]]) + " on output " +
                                         std::to_string(group[0]) + " and " + text(weight_[j]) + " on output " +
                                         std::to_string(j) + ": expected one weight (the law is no multinomial)"};
  }
  return {};
}

bool is_stacked(const char* function, const RowMatrix& A, Eigen::Index samples, Eigen::Index rows,
                Eigen::Index outputs) {
  const bool stacked = samples != 1 && A.rows() == samples * rows && A.rows() != rows;
  require_shape(function, "A", A.rows(), A.cols(), stacked ? samples * rows : rows, outputs);
  return stacked;
}

void require_draw_options(const char* function, const DrawOptions& options, Eigen::Index samples) {
  const auto require_length = [&](const char* name, const std::vector<std::uint64_t>& values) {
    if (!values.empty()) require_shape(function, name, static_cast<Eigen::Index>(values.size()), 1, samples, 1);
  };
  require_length("column", options.column);
  require_length("step", options.step);
  require_length("member", options.member);
  if ((options.site >> 32) != 0)
    throw Error(Status::out_of_range,
                std::string(function) + ": site is " + std::to_string(options.site) + ", expected less than 2^32");
  for (std::size_t s = 0; s < options.member.size(); ++s)
    if ((options.member[s] >> 32) != 0)
      throw Error(Status::out_of_range, std::string(function) + ": member of sample " + std::to_string(s) + " is " +
                                            std::to_string(options.member[s]) + ", expected less than 2^32");
}

random::Sequence sequence(const DrawOptions& options, Eigen::Index s, std::uint64_t element) {
  const std::size_t at = static_cast<std::size_t>(s);
  random::Sequence result;
  result.key = options.key;
  result.at.column = options.column.empty() ? at : options.column[at];
  result.at.step = options.step.empty() ? 0 : options.step[at];
  result.at.member = options.member.empty() ? 0 : options.member[at];
  result.at.site = options.site;
  result.at.element = element;
  return result;
}

std::string first_failure(const std::vector<Failure>& failures) {
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) return "sample " + std::to_string(s) + ": " + failures[s].reason;
  return {};
}

std::vector<Status> statuses(const std::vector<Failure>& failures) {
  std::vector<Status> result(failures.size());
  for (std::size_t s = 0; s < failures.size(); ++s) result[s] = failures[s].status;
  return result;
}

}  // namespace lavoisier::detail
