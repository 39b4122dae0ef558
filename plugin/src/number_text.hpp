#ifndef LAVOISIER_PLUGIN_NUMBER_TEXT_HPP
#define LAVOISIER_PLUGIN_NUMBER_TEXT_HPP

#include <charconv>
#include <string>

namespace lavoisier::detail {

/// The shortest text that reads back as the same number, whatever the locale: "1004.64", "nan".
inline std::string number_text(double x) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

}  // namespace lavoisier::detail

#endif
