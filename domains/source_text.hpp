#ifndef LAVOISIER_DOMAINS_SOURCE_TEXT_HPP
#define LAVOISIER_DOMAINS_SOURCE_TEXT_HPP

#include <lavoisier/status.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// 1-based; columns count characters, not bytes.
struct Position {
  std::size_t line = 0, column = 0;
};

/// A text file that can point at its own places.
class SourceText {
 public:
  SourceText(std::string text, std::string origin);

  const std::string& text() const noexcept { return text_; }
  const std::string& origin() const noexcept { return origin_; }

  /// Where the byte `offset` of the TOML string literal that starts at `literal` stands in the file: escapes and
  /// multi-line strings are followed.
  Position inside_literal(Position literal, std::size_t offset) const;

  /// Error with "origin:line:column: message", the line and a caret under the column.
  [[noreturn]] void fail(Status status, const std::string& message, Position at) const;

 private:
  std::string text_, origin_;
  std::vector<std::size_t> line_starts_;

  std::size_t byte_of(Position at) const;
  Position position_of(std::size_t byte) const;
};

}  // namespace lavoisier::detail

#endif
