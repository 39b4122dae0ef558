#ifndef LAVOISIER_DOMAINS_SHIPPED_HPP
#define LAVOISIER_DOMAINS_SHIPPED_HPP

#include <map>
#include <string>

namespace lavoisier::detail {

/// The domain files that the library carries within it, text by name; written at configure time.
const std::map<std::string, std::string>& shipped_domain_files();

}  // namespace lavoisier::detail

#endif
