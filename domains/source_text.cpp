#include "source_text.hpp"

#include <algorithm>

namespace lavoisier::detail {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

std::size_t utf8_length(unsigned long code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

}  // namespace

SourceText::SourceText(std::string text, std::string origin) : text_(std::move(text)), origin_(std::move(origin)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
}

std::size_t SourceText::byte_of(Position at) const {
  if (at.line == 0 || at.line > line_starts_.size()) return text_.size();
  std::size_t byte = line_starts_[at.line - 1];
  for (std::size_t column = 1; column < at.column && byte < text_.size() && text_[byte] != '\n'; ++column) {
    ++byte;
    while (byte < text_.size() && continues_character(text_[byte])) ++byte;
  }
  return byte;
}

Position SourceText::position_of(std::size_t byte) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), byte);
  const auto line = static_cast<std::size_t>(after - line_starts_.begin());
  std::size_t column = 1;
  for (std::size_t i = line_starts_[line - 1]; i < byte && i < text_.size(); ++i)
    if (!continues_character(text_[i])) ++column;
  return {line, column};
}

Position SourceText::inside_literal(Position literal, std::size_t offset) const {
  std::size_t at = byte_of(literal);
  if (at >= text_.size()) return literal;
  const char quote = text_[at];
  if (quote != '"' && quote != '\'') return literal;
  const bool multi_line = text_.compare(at, 3, std::string(3, quote)) == 0;
  at += multi_line ? 3 : 1;
  if (multi_line) {
    if (text_.compare(at, 2, "\r\n") == 0)
      at += 2;
    else if (at < text_.size() && text_[at] == '\n')
      ++at;
  }
  std::size_t produced = 0;
  while (at < text_.size()) {
    const char next = at + 1 < text_.size() ? text_[at + 1] : '\0';
    const bool escaped = quote == '"' && text_[at] == '\\';
    if (escaped && (next == '\n' || next == '\r' || next == ' ' || next == '\t')) {
      // A backslash at the end of a line swallows the blanks that follow.
      ++at;
      while (at < text_.size() && std::string(" \t\r\n").find(text_[at]) != std::string::npos) ++at;
      continue;
    }
    if (produced >= offset) break;
    if (escaped && (next == 'u' || next == 'U')) {
      const std::size_t digits = next == 'u' ? 4 : 8;
      produced += utf8_length(std::stoul(text_.substr(at + 2, digits), nullptr, 16));
      at += 2 + digits;
    } else if (escaped) {
      at += 2;
      ++produced;
    } else {
      ++at;
      ++produced;
    }
  }
  return position_of(at);
}

void SourceText::fail(Status status, const std::string& message, Position at) const {
  std::string where = origin_;
  std::string picture;
  if (at.line > 0) {
    where += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    const std::size_t begin = byte_of({at.line, 1});
    std::size_t end = text_.find('\n', begin);
    if (end == std::string::npos) end = text_.size();
    std::string line = text_.substr(begin, end - begin);
    while (!line.empty() && line.back() == '\r') line.pop_back();
    std::string indent;
    // Tabs are kept, so that the caret stands under its column however wide they are shown.
    std::size_t column = 1;
    for (std::size_t i = 0; i < line.size() && column < at.column; ++i)
      if (!continues_character(line[i])) {
        indent += line[i] == '\t' ? '\t' : ' ';
        ++column;
      }
    picture = "\n  " + line + "\n  " + indent + "^";
  }
  throw Error(status, where + ": " + message + picture);
}

}  // namespace lavoisier::detail
