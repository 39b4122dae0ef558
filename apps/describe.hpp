#ifndef LAVOISIER_APPS_DESCRIBE_HPP
#define LAVOISIER_APPS_DESCRIBE_HPP

// Variables and laws in words, for `inspect` and `domains`.

#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>

#include <string>
#include <vector>

namespace lavoisier::cli {

std::string describe_variables(const StateLayout& layout);
/// Laws as equations and as rows of A, a column a variable (coefficients of a sample as expressions), with rank and
/// redundant laws.
std::string describe_laws(const StateLayout& layout, const std::vector<Law>& laws,
                          const std::vector<Constant>& constants);
/// {"variables": [...], "laws": [...], "rank": m} as JSON text.
std::string describe_json(const StateLayout& layout, const std::vector<Law>& laws,
                          const std::vector<Constant>& constants);

}  // namespace lavoisier::cli

#endif
