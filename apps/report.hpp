#ifndef LAVOISIER_APPS_REPORT_HPP
#define LAVOISIER_APPS_REPORT_HPP

#include "evaluation.hpp"
#include "training_log.hpp"

#include <map>
#include <string>
#include <vector>

namespace lavoisier::cli {

struct ReportContext {
  std::string domain_name, domain_title, domain_reference, domain_digest;
  std::string reference_file, subset, command_line, created;
  std::map<std::string, std::string> options;
  std::vector<TrainingRecord> training;  ///< shown where there are any
};

/// One self-contained HTML page: inline CSS and SVG, no script, nothing loaded from elsewhere.
std::string html_report(const Evaluation& evaluation, const ReportContext& context);

}  // namespace lavoisier::cli

#endif
