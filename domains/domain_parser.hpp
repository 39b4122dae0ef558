#ifndef LAVOISIER_DOMAINS_DOMAIN_PARSER_HPP
#define LAVOISIER_DOMAINS_DOMAIN_PARSER_HPP

// From a domain file's text to a Domain, section by section: domain.cpp has the order, domain_samples.cpp where samples and
// dimensions lie, domain_variables.cpp what they hold, domain_laws.cpp what they obey.

#include <lavoisier/domain.hpp>
#include <lavoisier/units.hpp>

#include "equation.hpp"
#include "read_source.hpp"
#include "section.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::detail {

// Beyond what a sample of a field or of columns has: laws and networks over so many numbers fit no memory.
inline constexpr std::int64_t most_elements = std::int64_t{1} << 24;

/// Every error is at its place in the text. Used once.
class DomainParser {
 public:
  DomainParser(const std::string& text, const std::string& origin) : text_(text, origin) {}

  Domain parse();

 private:
  SourceText text_;
  Domain domain_;
  std::vector<Dimension> layout_dimensions_;
  std::int64_t elements_ = 0;  ///< of all variables
  std::vector<Variable> variables_;
  std::map<std::string, Position> declared_;  ///< every name of an equation
  std::map<std::string, Position> variable_positions_;
  detail::EquationContext context_;
  std::vector<std::string> names_of(Role role) const;
  bool any_of_role(Role role) const;
  Section section(const toml::node& node, const std::string& name, Position at,
                  const std::vector<std::string>& legal) const;
  Unit unit(const std::string& spelling, Position at) const { return detail::read_unit(text_, spelling, at); }

  void declare(const std::string& name, Position at);
  void head(const Section& top);
  void samples(const Section& top);
  static char character(const Section& section, const std::string& key, char otherwise);
  void empty_rule(const Section& top);
  void within(const Section& top);
  /// Which dimensions number the cells of blocks and the blocks of neighbourhoods.
  void blocks(const Section& top);
  /// Which dimensions number the nodes and edges of graphs; declares the inputs that come of them.
  void graphs(const Section& top);
  void fits_blocks(const Section& one, const Variable& variable, const Source& source) const;
  void split(const Section& top);
  void source_units(const Section& owner, const std::string& key, std::map<std::string, std::string>& into) const;
  void dimensions(const Section& top);
  FileDimension file_dimension(const Section& dimension, const std::string& name) const;
  FileDimension sample_blocks(const Section& one, const std::string& key, FileDimension::Numbers numbers) const;
  void constants(const Section& top);
  std::vector<std::string> declared_dimensions(const Section& owner) const;
  void array_constant(const Section& one, const std::string& name);
  /// Those of all variables so far.
  void count_elements(const Section& one, const Variable& variable);
  void variables(const Section& top, const std::string& key, Role role);
  /// Laws over all columns, and what they need, know cells as NetCDF files and tables have them.
  void require_plain_samples(const std::string& what, Position at) const;
  void weights(const Section& top);
  void step_values(const Section& top);
  void declare_diagnostic(const Section::Entry& entry, Variable variable, detail::Symbol::Kind kind);
  /// What step values are, in outputs of the reference: behind definitions, which they may use.
  void references(const Section& top);
  /// The weights and step values that a law names.
  std::vector<std::string> diagnostics_of(const Law& law) const;
  void checked(const Law& law, const std::string& what, Position at) const;
  /// An input that is made of inputs before it.
  Source read_value(const Section& variable, const Variable& declared, const Unit& own);

  /// An input that is made of outputs: of what, is known when they and the definitions are.
  struct OfOutputs {
    std::string name, text;
    Position literal, at;
    Unit own;
  };
  std::vector<OfOutputs> of_outputs_;
  Source read_of_outputs(const Section& variable, const Variable& declared);
  void made_of_outputs();

  // Literal spellings that mean the variable's own units travel with the model file: the plugin has no UDUNITS.
  void accept_spellings(Variable& variable, const Unit& own, const Source& source) const;
  void definitions(const Section& top);
  std::vector<std::string> pending_notes_;
  const detail::EquationContext& noting(const std::string&);
  void collect_notes(const std::string& what);
  std::string equation_text(const toml::node& node, const std::string& what) const;
  template <class Function>
  void located(const std::string& what, Position literal, const Function& function) const {
    try {
      function();
    } catch (const detail::EquationError& error) {
      text_.fail(error.status(), what + ": " + error.what(), text_.inside_literal(literal, error.offset()));
    }
  }

  void laws(const Section& top);
  std::map<std::string, Position> law_positions_;
  static bool read_scope(const Section& law);
  double read_tolerance(const Section& law) const;

  // Contradictions show as soon as the coefficients are numbers; the others are found with the data.
  void check_consistency();
};

}  // namespace lavoisier::detail

#endif
