#include "equation.hpp"

#include <lavoisier/column_sums.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace lavoisier::detail {
namespace {

Coefficient operator-(const Coefficient& a) {
  if (a.number) return Coefficient::of(*a.number == 0.0 ? 0.0 : -*a.number);  // no negative zero
  auto program = a.expression.program();
  if (program.back().op == ExpressionOp::negate) {
    program.pop_back();
    return Coefficient::of(Expression(std::move(program)));
  }
  return Coefficient::of(-a.expression);
}

Coefficient operator+(const Coefficient& a, const Coefficient& b) {
  if (a.number && b.number) return Coefficient::of(*a.number + *b.number);
  if (a.is(0.0)) return b;
  if (b.is(0.0)) return a;
  return Coefficient::of(a.get() + b.get());
}

Coefficient operator-(const Coefficient& a, const Coefficient& b) {
  if (a.number && b.number) return Coefficient::of(*a.number - *b.number);
  if (b.is(0.0)) return a;
  if (a.is(0.0)) return -b;
  return Coefficient::of(a.get() - b.get());
}

Coefficient operator*(const Coefficient& a, const Coefficient& b) {
  if (a.number && b.number) return Coefficient::of(*a.number * *b.number);
  if (a.is(1.0)) return b;
  if (b.is(1.0)) return a;
  if (a.is(-1.0)) return -b;
  if (b.is(-1.0)) return -a;
  if (a.is(0.0) || b.is(0.0)) return Coefficient::of(0.0);
  return Coefficient::of(a.get() * b.get());
}

Coefficient operator/(const Coefficient& a, const Coefficient& b) {
  if (a.number && b.number) return Coefficient::of(*a.number / *b.number);
  if (b.is(1.0)) return a;
  return Coefficient::of(a.get() / b.get());
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

void join(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const auto& item : more)
    if (!contains(list, item)) list.push_back(item);
}

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string outputs_of(const LinearForm& form) {
  std::vector<std::string> names;
  for (const auto& term : form.terms) join(names, {term.variable});
  return listed(names);
}

std::string with_unit(const LinearForm& form) { return form.text + " [" + form.unit.text() + "]"; }

class Parser {
 public:
  Parser(const std::string& text, const EquationContext& context) : text_(text), context_(context) {}

  LinearForm whole_expression() {
    LinearForm result = expression();
    skip_blanks();
    if (at_ < text_.size()) unexpected("an operator or the end");
    return result;
  }

  Law law(const std::string& name) {
    LinearForm left = expression();
    skip_blanks();
    const std::size_t equals = at_;
    if (at_ >= text_.size())
      fail(Status::invalid_format, "expected an equation, left = right, found no \"=\"", text_.size());
    if (text_[at_] != '=') unexpected("an operator or \"=\"");
    ++at_;
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '=') fail(Status::invalid_format, "expected one \"=\", found \"==\"", equals);
    LinearForm right = expression();
    skip_blanks();
    if (at_ < text_.size()) {
      if (text_[at_] == '=') fail(Status::invalid_format, "expected one \"=\", found a second one", at_);
      unexpected("an operator or the end");
    }
    return law_of(name, add(left, right, true, equals, "="), equals);
  }

  Law total(const std::string& name) {
    const LinearForm form = whole_expression();
    return law_of(name, form, 0);
  }

 private:
  const std::string& text_;
  const EquationContext& context_;
  std::size_t at_ = 0;
  int depth_ = 0;

  /// difference = 0.
  Law law_of(const std::string& name, const LinearForm& difference, std::size_t equals) const {
    require_one_number(difference, equals);
    Law law;
    law.name = name;
    law.equation = text_;
    law.units = difference.unit.text();
    if (context_.global) law.scope = LawScope::global;
    bool cancelled = false;
    for (const auto& term : difference.terms) {
      if (term.coefficient.is(0.0)) {
        cancelled = true;
        continue;
      }
      law.terms.push_back({term.variable, term.coefficient.get()});
    }
    if (law.terms.empty())
      fail(Status::invalid_format,
           cancelled ? "the outputs of this law cancel: nothing is left that it could constrain"
                     : "a law must hold at least one output; this one has none",
           equals);
    law.right_hand_side = (-difference.constant).get();
    return law;
  }

  void require_one_number(const LinearForm& form, std::size_t at) const {
    if (form.dimensions.empty()) return;
    if (!context_.global)
      fail(Status::invalid_format,
           fmt::format("a law is one number a sample; this one varies over {}: take sum({}, ...)", listed(form.dimensions),
                       form.dimensions.front()),
           at);
    const bool columns = contains(form.dimensions, columns_dimension);
    const std::string dimension = columns ? columns_dimension : form.dimensions.front();
    fail(Status::invalid_format,
         fmt::format("over all columns there is one number a step; here something varies over {}: take sum({}, ...){}",
                     dimension, dimension, columns ? " or mean(WEIGHT, ...)" : ""),
         at);
  }

  [[noreturn]] void fail(Status status, const std::string& message, std::size_t offset) const {
    throw EquationError(status, message, offset);
  }

  [[noreturn]] void unexpected(const std::string& expected) {
    if (at_ >= text_.size())
      fail(Status::invalid_format, "expected " + expected + ", found the end of the equation", text_.size());
    const char c = text_[at_];
    if (c == '^')
      fail(Status::invalid_format, "\"^\" is not part of the language: write a product (x * x)", at_);
    std::size_t length = 1;
    while (at_ + length < text_.size() && (static_cast<unsigned char>(text_[at_ + length]) & 0xC0U) == 0x80U) ++length;
    fail(Status::invalid_format, "expected " + expected + ", found \"" + text_.substr(at_, length) + "\"", at_);
  }

  void skip_blanks() {
    while (at_ < text_.size() && (std::isspace(static_cast<unsigned char>(text_[at_])) != 0)) ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string written(std::size_t from) const {
    std::size_t end = at_;
    while (end > from && (std::isspace(static_cast<unsigned char>(text_[end - 1])) != 0)) --end;
    return text_.substr(from, end - from);
  }

  LinearForm expression() {
    skip_blanks();
    const std::size_t begin = at_;
    LinearForm left = product();
    while (true) {
      skip_blanks();
      const std::size_t op = at_;
      if (take('+') || take('-')) {
        const LinearForm right = product();
        left = add(left, right, text_[op] == '-', op, std::string(1, text_[op]));
        left.text = written(begin);
      } else {
        return left;
      }
    }
  }

  LinearForm product() {
    skip_blanks();
    const std::size_t begin = at_;
    LinearForm left = unary();
    while (true) {
      skip_blanks();
      const std::size_t op = at_;
      if (take('*')) {
        if (at_ < text_.size() && text_[at_] == '*')
          fail(Status::invalid_format, "\"**\" is not part of the language: write a product (x * x)", op);
        left = multiply(left, unary(), op);
      } else if (take('/')) {
        left = divide(left, unary(), op);
      } else {
        return left;
      }
      left.text = written(begin);
    }
  }

  LinearForm unary() {
    skip_blanks();
    const std::size_t begin = at_;
    if (++depth_ > 200) fail(Status::invalid_format, "nested too deeply", begin);
    LinearForm result;
    if (take('-')) {
      result = unary();
      for (auto& term : result.terms) term.coefficient = -term.coefficient;
      result.constant = -result.constant;
      result.text = written(begin);
    } else if (take('+')) {
      result = unary();
      result.text = written(begin);
    } else {
      result = primary();
    }
    --depth_;
    return result;
  }

  LinearForm primary() {
    skip_blanks();
    const std::size_t begin = at_;
    if (at_ >= text_.size()) unexpected("a number, a name or \"(\"");
    const char c = text_[at_];
    if (take('(')) {
      LinearForm result = expression();
      close(begin);
      result.text = written(begin);
      return result;
    }
    if ((std::isdigit(static_cast<unsigned char>(c)) != 0) || c == '.') return number();
    if ((std::isalpha(static_cast<unsigned char>(c)) != 0) || c == '_') {
      const std::string name = identifier();
      skip_blanks();
      if (at_ < text_.size() && text_[at_] == '(') {
        if (name == "sum") return sum(begin);
        if (name == "mean" && context_.global) return mean(begin);
        if (name == "mean")
          fail(Status::invalid_format, "means are over all columns: a law with scope = \"global\" may take them", begin);
        if (const auto op = function_named(name)) {
          if (context_.reading) return function(*op, name, begin);
          fail(Status::invalid_format,
               fmt::format("a law has no function but sum; make an input of {0}(...) ([inputs.NAME] value = "
                           "\"{0}(...)\") and name that",
                           name),
               begin);
        }
        fail(Status::invalid_format,
             fmt::format("there is no function \"{}\" in equations; {}", name,
                         context_.reading ? "there are sum(dimension, expression), exp, log, sqrt, min and max"
                                          : "sum(dimension, expression) is the only one"),
             begin);
      }
      return symbol(name, begin);
    }
    unexpected("a number, a name or \"(\"");
  }

  void close(std::size_t opened) {
    if (take(')')) return;
    skip_blanks();
    if (at_ >= text_.size()) fail(Status::invalid_format, "this \"(\" is never closed", text_.find('(', opened));
    unexpected("an operator or \")\"");
  }

  std::string identifier() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && ((std::isalnum(static_cast<unsigned char>(text_[at_])) != 0) || text_[at_] == '_')) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  LinearForm number() {
    double value = 0.0;
    const char* const first = text_.data() + at_;
    const char* const last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc() || !std::isfinite(value))
      fail(Status::invalid_format, "expected a number that a double can hold", at_);
    const std::size_t begin = at_;
    at_ += static_cast<std::size_t>(end - first);
    // "2FDH" and "1.2.3" are typing errors, never products.
    if (at_ < text_.size() &&
        ((std::isalnum(static_cast<unsigned char>(text_[at_])) != 0) || text_[at_] == '_' || text_[at_] == '.'))
      unexpected("an operator after " + text_.substr(begin, at_ - begin));
    LinearForm form;
    form.constant = Coefficient::of(value);
    form.any_unit = value == 0.0;
    form.text = text_.substr(begin, at_ - begin);
    return form;
  }

  LinearForm symbol(const std::string& name, std::size_t begin) {
    const auto found = context_.symbols.find(name);
    if (found == context_.symbols.end()) {
      std::vector<std::string> names;
      for (const auto& [known, ignored] : context_.symbols) names.push_back(known);
      const std::string near = nearest_name(name, names);
      fail(Status::not_found,
           "\"" + name + "\" is not declared" +
               (near.empty() ? "; declared are " + listed(names) : "; did you mean \"" + near + "\"?"),
           begin);
    }
    const Symbol& symbol = found->second;
    if (symbol.kind == Symbol::Kind::array_constant && !context_.reading)
      fail(Status::invalid_format,
           fmt::format("\"{0}\" has a number for each {1}, and laws hold single constants: make an input of it "
                       "([inputs.NAME] value = \"... {0} ...\") and name that",
                       name, listed(symbol.dimensions)),
           begin);
    const bool weight = symbol.kind == Symbol::Kind::weight;
    if ((weight || symbol.kind == Symbol::Kind::step_value) && !context_.global)
      fail(Status::invalid_format,
           fmt::format("\"{}\" is {}: a law with scope = \"global\" may name it", name,
                       weight ? "a weight of columns" : "a number of a whole step"),
           begin);
    LinearForm form;
    if (symbol.kind == Symbol::Kind::definition) {
      form = symbol.definition;
    } else {
      form.unit = symbol.unit;
      form.spelt = true;
      form.dimensions = symbol.dimensions;
      if (symbol.kind == Symbol::Kind::output)
        form.terms.push_back({name, Coefficient::of(1.0), {}});
      else
        form.constant = Coefficient::of(Expression::symbol(name));
    }
    if (context_.global && (!form.terms.empty() || varies(form.constant, columns_dimension)))
      form.dimensions.emplace_back(columns_dimension);
    form.text = name;
    return form;
  }

  /// Whether a symbol of an expression does.
  bool varies(const Coefficient& part, const std::string& dimension) const {
    if (part.number) return false;
    const auto names = part.expression.symbols();
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      const auto found = context_.symbols.find(name);
      if (found == context_.symbols.end()) return false;
      return dimension == columns_dimension ? found->second.per_column : contains(found->second.dimensions, dimension);
    });
  }

  LinearForm sum(std::size_t begin) {
    const std::size_t open = at_;
    take('(');
    skip_blanks();
    const std::size_t where = at_;
    const std::string dimension = identifier();
    if (dimension.empty()) unexpected("the dimension to sum over");
    const bool columns = context_.global && dimension == columns_dimension;
    if (!columns && !contains(context_.dimensions, dimension)) {
      if (dimension == columns_dimension)
        fail(Status::invalid_format, "sums over columns are for laws with scope = \"global\"", where);
      const std::string near = nearest_name(dimension, context_.dimensions);
      fail(Status::not_found,
           "there is no dimension \"" + dimension + "\"" +
               (!near.empty()                  ? "; did you mean \"" + near + "\"?"
                : context_.dimensions.empty() ? "; this domain declares none"
                                              : "; declared are " + listed(context_.dimensions)),
           where);
    }
    if (!take(',')) unexpected("\",\" after the dimension");
    LinearForm form = expression();
    close(open);
    if (!contains(form.dimensions, dimension))
      fail(Status::invalid_format, form.text + " does not vary over " + dimension + ": it cannot be summed over it",
           where);
    if (columns) require_no_sum_over_columns(form, where);
    if (columns && !form.constant.is(0.0)) require_no_dimension(form, where);
    for (auto& term : form.terms) {
      const auto& own = context_.symbols.at(term.variable).dimensions;
      if (columns || contains(own, dimension))
        term.summed.insert(std::upper_bound(term.summed.begin(), term.summed.end(), dimension), dimension);
      else
        term.coefficient = Coefficient::of(Expression::sum(dimension, spread(term.coefficient, form, dimension, where)));
    }
    if (!form.constant.is(0.0))
      form.constant = Coefficient::of(Expression::sum(dimension, spread(form.constant, form, dimension, where)));
    std::erase(form.dimensions, dimension);
    form.over_columns = form.over_columns || columns;
    form.text = written(begin);
    return form;
  }

  void require_no_sum_over_columns(const LinearForm& form, std::size_t at) const {
    if (form.over_columns)
      fail(Status::invalid_format, fmt::format("{} is summed over the columns already: expected no such sum inside another",
                                               form.text),
           at);
  }

  /// A sum over columns is one number a step.
  void require_no_dimension(const LinearForm& form, std::size_t at) const {
    for (const auto& dimension : form.dimensions)
      if (dimension != columns_dimension)
        fail(Status::invalid_format,
             fmt::format("{} varies over {} too: sum over that first, then over the columns", form.text, dimension), at);
  }

  /// mean(weight, expression): units and zero point are the expression's, since the weights' shares sum to one.
  LinearForm mean(std::size_t begin) {
    const std::size_t open = at_;
    take('(');
    skip_blanks();
    const std::size_t where = at_;
    const LinearForm weight = expression();
    if (!take(',')) unexpected("\",\" after the weight");
    skip_blanks();
    const std::size_t what = at_;
    LinearForm form = expression();
    close(open);
    if (!weight.terms.empty())
      fail(Status::invalid_format,
           fmt::format("a weight cannot hold an output ({}): it is fixed before outputs are drawn", outputs_of(weight)),
           where);
    if (weight.constant.is(0.0)) fail(Status::invalid_format, "a weight of zero: there is no mean", where);
    for (const auto& dimension : weight.dimensions)
      if (dimension != columns_dimension)
        fail(Status::invalid_format, fmt::format("a weight is one number a column; {} varies over {}", weight.text, dimension),
             where);
    require_no_sum_over_columns(weight, where);
    require_no_sum_over_columns(form, what);
    if (!contains(form.dimensions, columns_dimension))
      fail(Status::invalid_format, form.text + " is the same for all columns: it has no mean over them", what);
    const Coefficient all = Coefficient::of(Expression::sum(columns_dimension, weight.constant.get()));
    for (auto& term : form.terms) {
      term.coefficient = weight.constant * term.coefficient / all;
      term.summed.insert(std::upper_bound(term.summed.begin(), term.summed.end(), columns_dimension), columns_dimension);
    }
    if (!form.constant.is(0.0)) require_no_dimension(form, what);
    if (!form.constant.is(0.0))
      form.constant = Coefficient::of(Expression::sum(columns_dimension, (weight.constant * form.constant).get())) / all;
    std::erase(form.dimensions, std::string(columns_dimension));
    form.over_columns = true;
    form.text = written(begin);
    return form;
  }

  static std::optional<ExpressionOp> function_named(const std::string& name) {
    static const std::map<std::string, ExpressionOp> table = {{"exp", ExpressionOp::exponential},
                                                              {"log", ExpressionOp::logarithm},
                                                              {"sqrt", ExpressionOp::square_root},
                                                              {"min", ExpressionOp::minimum},
                                                              {"max", ExpressionOp::maximum}};
    const auto found = table.find(name);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  }

  LinearForm function(ExpressionOp op, const std::string& name, std::size_t begin) {
    const std::size_t open = at_;
    take('(');
    skip_blanks();
    const std::size_t first = at_;
    LinearForm result = expression();
    const bool two = op == ExpressionOp::minimum || op == ExpressionOp::maximum;
    if (two) {
      skip_blanks();
      const std::size_t comma = at_;
      if (!take(',')) unexpected(fmt::format("\",\" and the second of the two operands of {}", name));
      const LinearForm second = expression();
      // In common units, as for a sum.
      const LinearForm both = add(result, second, false, comma, ",");
      const auto scaled = [&](const LinearForm& one) {
        if (one.any_unit || one.unit.same_as(both.unit)) return one.constant.get();
        return (Coefficient::of(one.unit.conversion_to(both.unit).factor) * one.constant).get();
      };
      const Expression value = Expression::function(op, {scaled(result), scaled(second)});
      result = both;
      result.constant = Coefficient::of(value);
    } else {
      if (op == ExpressionOp::square_root) {
        try {
          result.unit = result.unit.root();
        } catch (const Error& error) {
          fail(Status::unit_mismatch, error.what(), first);
        }
      } else if (!result.unit.same_as(Unit()) && !result.any_unit) {
        fail(Status::unit_mismatch,
             fmt::format("{} of {}: expected a number without units (1); divide by a constant in {}", name,
                         with_unit(result), result.unit.text()),
             first);
      }
      result.constant = Coefficient::of(Expression::function(op, {result.constant.get()}));
      result.spelt = result.any_unit = false;
    }
    close(open);
    result.text = written(begin);
    return result;
  }

  // A part of a sum must itself vary over the dimension, else how often it counts would be a matter of taste.
  Expression spread(const Coefficient& part, const LinearForm& form, const std::string& dimension, std::size_t where) {
    if (!varies(part, dimension))
      fail(Status::invalid_format,
           "a part of " + form.text + " does not vary over " + dimension + ": it cannot be summed over it", where);
    return part.get();
  }

  LinearForm add(const LinearForm& a, const LinearForm& b, bool subtract, std::size_t op, const std::string& sign) {
    LinearForm result = a;
    double factor_a = 1.0;
    double factor_b = 1.0;
    // Both in the units of the first, unless only the second's were spelt by a person.
    const bool to_second = a.any_unit || (!a.spelt && b.spelt && !b.any_unit);
    result.unit = to_second ? b.unit : a.unit;
    result.spelt = a.spelt || b.spelt;
    if (!a.any_unit && !b.any_unit && !a.unit.same_as(b.unit)) {
      if (!b.unit.convertible_to(a.unit)) {
        const std::string verb = sign == "="   ? "be equal"
                                 : sign == "-" ? "be subtracted"
                                 : sign == "," ? "be compared"
                                               : "be added";
        fail(Status::unit_mismatch,
             fmt::format("{} and {} cannot {}: {} is not {}", with_unit(a), with_unit(b), verb, b.unit.base_text(),
                         a.unit.base_text()),
             op);
      }
      const LinearForm& from = to_second ? a : b;
      const UnitConversion conversion = from.unit.conversion_to(result.unit);
      if (conversion.offset != 0.0 || a.unit.has_origin() || b.unit.has_origin())
        fail(Status::unit_mismatch,
             fmt::format("{} and {} have different zero points: declare both in the same units (values are converted "
                         "when they are read)",
                         with_unit(a), with_unit(b)),
             op);
      (to_second ? factor_a : factor_b) = conversion.factor;
      if (context_.notes != nullptr)
        context_.notes->push_back(fmt::format("{} is converted from {} to {} (times {})", from.text, from.unit.text(),
                                              result.unit.text(), conversion.factor));
    }
    result.any_unit = a.any_unit && b.any_unit;
    result.over_columns = a.over_columns || b.over_columns;
    const Coefficient scale_a = Coefficient::of(factor_a);
    const Coefficient scale_b = Coefficient::of(subtract ? -factor_b : factor_b);
    for (auto& term : result.terms) term.coefficient = scale_a * term.coefficient;
    for (const auto& term : b.terms) {
      const Coefficient more = scale_b * term.coefficient;
      const auto same = std::find_if(result.terms.begin(), result.terms.end(), [&](const LinearTerm& other) {
        return other.variable == term.variable && other.summed == term.summed;
      });
      if (same == result.terms.end())
        result.terms.push_back({term.variable, more, term.summed});
      else
        same->coefficient = same->coefficient + more;
    }
    const Coefficient own = scale_a * a.constant;
    const Coefficient more = Coefficient::of(factor_b) * b.constant;
    result.constant = subtract ? own - more : own + more;
    // Terms of different dimensions in one sum: a number beside a profile broadcasts, and a later sum would count it
    // once a level. spread() refuses that where it would matter.
    join(result.dimensions, b.dimensions);
    return result;
  }

  void check_scale(const LinearForm& form, const LinearForm& other, std::size_t op, const char* what) const {
    if (!form.unit.has_origin()) return;
    fail(Status::unit_mismatch,
         fmt::format("{} of {} and {}: the zero of {} is a convention, so the {} would mean nothing; declare it in units "
                     "without an origin (K), values are converted when they are read",
                     what, with_unit(form), with_unit(other), form.unit.text(), what),
         op);
  }

  void check_summed(const LinearForm& form, const LinearForm& factor, std::size_t op) const {
    for (const auto& term : form.terms)
      for (const auto& dimension : term.summed)
        if (contains(factor.dimensions, dimension))
          fail(Status::invalid_format,
               fmt::format("{} varies over {}, over which {} is already summed", factor.text, dimension, form.text), op);
  }

  LinearForm multiply(const LinearForm& a, const LinearForm& b, std::size_t op) {
    if (!a.terms.empty() && !b.terms.empty())
      fail(Status::invalid_format,
           fmt::format("not linear: {} * {} is a product of outputs ({} times {})", a.text, b.text, outputs_of(a),
                       outputs_of(b)),
           op);
    const bool plain_a = a.terms.empty() && a.constant.number && a.unit.same_as(Unit());
    const bool plain_b = b.terms.empty() && b.constant.number && b.unit.same_as(Unit());
    if (!plain_a && !plain_b) {
      check_scale(a, b, op, "product");
      check_scale(b, a, op, "product");
    }
    const LinearForm& linear = b.terms.empty() ? a : b;
    const LinearForm& factor = b.terms.empty() ? b : a;
    check_summed(linear, factor, op);
    LinearForm result;
    for (const auto& term : linear.terms)
      result.terms.push_back({term.variable,
                              b.terms.empty() ? term.coefficient * factor.constant : factor.constant * term.coefficient,
                              term.summed});
    result.constant = a.constant * b.constant;
    result.dimensions = a.dimensions;
    join(result.dimensions, b.dimensions);
    result.unit = plain_b ? a.unit : plain_a ? b.unit : product_unit(a.unit, b.unit, false, op);
    result.spelt = plain_b ? a.spelt : plain_a && b.spelt;
    result.any_unit = a.any_unit || b.any_unit;
    result.over_columns = a.over_columns || b.over_columns;
    return result;
  }

  LinearForm divide(const LinearForm& a, const LinearForm& b, std::size_t op) {
    if (!b.terms.empty())
      fail(Status::invalid_format,
           fmt::format("not linear: {} / {} divides by an output ({})", a.text, b.text, outputs_of(b)), op);
    if (b.constant.is(0.0)) fail(Status::invalid_format, fmt::format("{} / {} divides by zero", a.text, b.text), op);
    const bool plain_b = b.constant.number && b.unit.same_as(Unit());
    if (!plain_b) check_scale(a, b, op, "quotient");
    check_scale(b, a, op, "quotient");
    check_summed(a, b, op);
    LinearForm result;
    for (const auto& term : a.terms) result.terms.push_back({term.variable, term.coefficient / b.constant, term.summed});
    result.constant = a.constant.is(0.0) ? Coefficient::of(0.0) : a.constant / b.constant;
    result.dimensions = a.dimensions;
    join(result.dimensions, b.dimensions);
    result.unit = plain_b ? a.unit : product_unit(a.unit, b.unit, true, op);
    result.spelt = plain_b && a.spelt;
    result.any_unit = a.any_unit;
    result.over_columns = a.over_columns || b.over_columns;
    return result;
  }

  Unit product_unit(const Unit& a, const Unit& b, bool quotient, std::size_t op) const {
    try {
      return quotient ? a / b : a * b;
    } catch (const Error& error) {
      fail(Status::unit_mismatch, error.what(), op);
    }
  }
};

}  // namespace

LinearForm parse_expression(const std::string& text, const EquationContext& context) {
  return Parser(text, context).whole_expression();
}

Law parse_law(const std::string& name, const std::string& equation, const EquationContext& context) {
  return Parser(equation, context).law(name);
}

Law parse_total(const std::string& name, const std::string& text, const EquationContext& context) {
  return Parser(text, context).total(name);
}

}  // namespace lavoisier::detail
