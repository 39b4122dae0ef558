#include "report.hpp"
namespace lavoisier::cli {
std::string html_report(const Evaluation&, const ReportContext&) { return ""; }
}
