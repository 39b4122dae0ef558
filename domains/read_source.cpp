#include "read_source.hpp"

#include <lavoisier/status.hpp>

namespace lavoisier::detail {
namespace {

const std::vector<std::string> quantities = {"mean", "contrast", "spread", "weight", "valid"};  // as in BlockQuantity
const std::vector<std::string> transforms = {"none", "sine", "cosine", "logarithm", "square_root"};  // as in Transform

/// Reads one variable's source.
class SourceParser {
 public:
  SourceParser(const Section& section, const Variable& variable, const Unit& own, const Domain& domain)
      : section_(section), variable_(variable), own_(own), domain_(domain) {}

  Source read() const {
    Source source;
    source.variable = variable_.name;
    source.units = variable_.units;
    if (!section_.has("source")) return source;
    const auto& node = section_.required("source", "");
    if (node.is_string()) {
      source.variable = *node.value<std::string>();
      return source;
    }
    if (!node.is_table()) section_.wrong_type(node, "source", "a text or a table");
    const std::string field = domain_.table ? "column" : "variable";
    std::vector<std::string> legal = {field, "axis", "index", "units", "transform", "period", "magnitude"};
    if (!domain_.table) legal.emplace_back("at");
    if (domain_.blocks) legal.insert(legal.end(), {"block", "least"});
    const Section one(section_.text(), *node.as_table(), "the source of " + variable_.name, position(node), legal);
    what(one, field, source);
    if (one.has("block")) read_quantity(one, source);
    if (one.has("least") && source.block != BlockQuantity::spread)
      one.fail(Status::invalid_format, "\"least\" goes with block = \"spread\"", "least");
    if (one.has("at")) read_indices(one, source);
    if (one.has("transform") && domain_.images && !source.axis)
      one.fail(Status::unsupported, "pixels and labels of images have no transform", "transform");
    if (one.has("transform"))
      read_transform(one, source);
    else
      no_transform(one, source);
    return source;
  }

 private:
  const Section& section_;
  const Variable& variable_;
  const Unit& own_;
  const Domain& domain_;

  void what(const Section& one, const std::string& field, Source& source) const {
    if (one.has(field) + one.has("axis") + one.has("magnitude") != 1)
      one.text().fail(Status::invalid_format,
                      fmt::format("{} needs one of \"{}\" (a {} of the file), \"axis\" (a coordinate) and \"magnitude\" "
                                  "(of several {}s)",
                                  one.name(), field, domain_.table ? "column" : "field",
                                  domain_.table ? "column" : "field"),
                      one.at());
    source.axis = one.has("axis");
    source.index = one.boolean("index");
    if (source.index && !source.axis) one.fail(Status::invalid_format, "\"index\" goes with an axis", "index");
    if (one.has("magnitude")) {
      if (domain_.images) one.fail(Status::unsupported, "images have no magnitudes", "magnitude");
      source.variable.clear();
      source.magnitude = one.strings("magnitude", "");
      if (source.magnitude.size() < 2)
        one.fail(Status::invalid_format, "a magnitude is of at least two components", "magnitude");
      if (variable_.role == Role::output)
        one.fail(Status::invalid_format, "an output cannot be a magnitude: it could not be undone", "magnitude");
      if (own_.has_origin())
        one.fail(Status::unit_mismatch,
                 fmt::format("a magnitude has units without an origin, found \"{}\"", variable_.units), "magnitude");
      return;
    }
    source.variable = one.string(source.axis ? "axis" : field, "");
    if (!source.axis) return;
    if (variable_.role == Role::output) one.fail(Status::invalid_format, "an output cannot be a coordinate", "axis");
    if (!variable_.dimensions.empty())
      one.fail(Status::invalid_format,
               fmt::format("a coordinate is one number a sample: expected no dimensions, found [{}]",
                           listed(variable_.dimensions)),
               "axis");
    const auto& all = domain_.sample_dimensions;
    if (std::find(all.begin(), all.end(), source.variable) != all.end()) return;
    const std::string near = nearest_name(source.variable, all);
    one.fail(Status::not_found,
             fmt::format("\"{}\" is no sample dimension; {}", source.variable,
                         near.empty() ? "these are " + listed(all) : "did you mean \"" + near + "\"?"),
             "axis");
  }

  void read_quantity(const Section& one, Source& source) const {
    const std::string word = one.string("block", "");
    const auto found = std::find(quantities.begin(), quantities.end(), word);
    if (found == quantities.end())
      one.fail(Status::invalid_format, fmt::format("expected one of {} for \"block\", found \"{}\"", listed(quantities), word),
               "block");
    source.block = static_cast<BlockQuantity>(found - quantities.begin() + 1);
    if (variable_.role == Role::output) one.fail(Status::invalid_format, "an output is read cell by cell", "block");
    if (source.axis) one.fail(Status::invalid_format, "\"block\" goes with a field", "block");
    const Blocks& blocks = *domain_.blocks;
    using Names = std::vector<std::string>;
    const Names around = {blocks.near_y, blocks.near_x}, cells = {blocks.y, blocks.x};
    const bool near = !blocks.near_y.empty();
    std::vector<Names> legal;
    switch (source.block) {
      case BlockQuantity::weight: legal = {cells, {blocks.y}}; break;
      case BlockQuantity::contrast: if (near) legal = {around}; break;
      case BlockQuantity::spread: if (near) legal = {{}}; break;
      default: legal = {{}}; if (near) legal.push_back(around);
    }
    if (legal.empty())
      one.fail(Status::invalid_format,
               fmt::format("a {} is over a neighbourhood: declare a dimension with source = {{ neighbours = ... }} for both "
                           "dimensions of the blocks",
                           word),
               "block");
    if (std::find(legal.begin(), legal.end(), variable_.dimensions) == legal.end()) {
      std::string expected;
      for (const Names& names : legal) expected += fmt::format("{}[{}]", expected.empty() ? "" : " or ", listed(names));
      section_.fail(Status::shape_mismatch,
                    fmt::format("block = \"{}\": expected dimensions = {}, found [{}]", word, expected,
                                listed(variable_.dimensions)),
                    section_.has("dimensions") ? "dimensions" : "source");
    }
    const bool share = source.block == BlockQuantity::weight || source.block == BlockQuantity::valid;
    if (share && !own_.same_as(Unit()))
      section_.fail(Status::unit_mismatch,
                    fmt::format("a share of area: expected units = \"1\", found \"{}\"", variable_.units), "units");
    if (source.block == BlockQuantity::spread) source.least = one.has("least") ? one.positive("least", "") : 0.0;
  }

  void read_indices(const Section& one, Source& source) const {
    if (source.axis) one.fail(Status::invalid_format, "\"at\" goes with a field", "at");
    for (const auto& entry : one.entries("at")) {
      const auto index = entry.value->value<std::int64_t>();
      if (!entry.value->is_integer() || *index < 0)
        one.text().fail(Status::invalid_format,
                        fmt::format("expected an index from 0 for the file's dimension \"{}\"", entry.key),
                        position(*entry.value));
      const auto& samples = domain_.sample_dimensions;
      if (std::find(samples.begin(), samples.end(), entry.key) != samples.end())
        one.text().fail(Status::invalid_format, fmt::format("\"{}\" is a sample dimension", entry.key), entry.at);
      for (const auto& own : variable_.dimensions)
        if (domain_.file_dimensions.at(own).name == entry.key)
          one.text().fail(Status::invalid_format,
                          fmt::format("the file's dimension \"{}\" is the variable's own \"{}\"", entry.key, own),
                          entry.at);
      source.at[entry.key] = *index;
    }
    if (source.at.empty()) one.fail(Status::invalid_format, "expected at least one dimension = index", "at");
  }

  void read_transform(const Section& one, Source& source) const {
    const std::string word = one.string("transform", "");
    const auto found = std::find(transforms.begin() + 1, transforms.end(), word);
    if (found == transforms.end())
      one.fail(Status::invalid_format,
               fmt::format("expected the transform sine, cosine, logarithm or square_root, found \"{}\"", word),
               "transform");
    source.transform = static_cast<Transform>(found - transforms.begin());
    if (variable_.role == Role::output)
      one.fail(Status::invalid_format, "an output cannot have a transform: it could not be undone", "transform");
    const bool wave = source.transform == Transform::sine || source.transform == Transform::cosine;
    if (wave)
      source.period = one.positive("period", "of the argument, in its units: sine(2 pi value / period)");
    else if (one.has("period"))
      one.fail(Status::invalid_format, "\"period\" goes with a sine or a cosine", "period");
    const bool root = source.transform == Transform::square_root;
    if (!root && !own_.is_dimensionless())
      section_.fail(Status::unit_mismatch,
                    fmt::format("a {} is dimensionless: expected units = \"1\", found \"{}\"", word, variable_.units),
                    "units");
    if (source.index) {
      if (one.has("units")) one.fail(Status::invalid_format, "an index has no units", "units");
      if (root && !own_.is_dimensionless())
        section_.fail(Status::unit_mismatch,
                      fmt::format("the square root of an index is dimensionless, found \"{}\"", variable_.units), "units");
      source.units.clear();
      return;
    }
    source.units = one.string("units", "of the transform's argument");
    const Unit argument = read_unit(one.text(), source.units, one.where("units"));
    if (root && !(own_ * own_).same_as(argument))
      one.fail(Status::unit_mismatch,
               fmt::format("expected units whose square root is \"{}\" ({}), found \"{}\" ({})", variable_.units,
                           (own_ * own_).base_text(), source.units, argument.base_text()),
               "units");
  }

  void no_transform(const Section& one, Source& source) const {
    if (one.has("period")) one.fail(Status::invalid_format, "\"period\" goes with a transform", "period");
    if (one.has("units") && domain_.table && !source.axis) {
      // A table names no units: these are what its column holds.
      source.file_units = one.string("units", "");
      const Unit found = read_unit(one.text(), source.file_units, one.where("units"));
      if (!found.convertible_to(own_))
        one.fail(Status::unit_mismatch,
                 fmt::format("expected units that convert to \"{}\" ({}), found \"{}\" ({})", variable_.units,
                             own_.base_text(), source.file_units, found.base_text()),
                 "units");
    } else if (one.has("units")) {
      one.fail(Status::invalid_format, "\"units\" of a source goes with a transform; without one they are the variable's",
               "units");
    }
    if (!source.index) return;
    if (!own_.is_dimensionless())
      section_.fail(Status::unit_mismatch,
                    fmt::format("an index is dimensionless: expected units = \"1\", found \"{}\"", variable_.units),
                    "units");
    source.units.clear();
  }
};

}  // namespace

Unit read_unit(const SourceText& text, const std::string& spelling, Position at) {
  if (auto parsed = Unit::parse(spelling)) return *parsed;
  text.fail(Status::unit_mismatch, fmt::format("expected units that UDUNITS can read, found \"{}\"", spelling), at);
}

Source read_source(const Section& section, const Variable& variable, const Unit& own, const Domain& domain) {
  return SourceParser(section, variable, own, domain).read();
}

}  // namespace lavoisier::detail
