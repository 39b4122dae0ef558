#include "expect_error.hpp"

#include <lavoisier/law.hpp>
#include <lavoisier/ragged.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

namespace {

using namespace lavoisier;
using tests::expect_error;

Variable variable(const char* name, Role role, std::vector<std::string> dimensions) {
  Variable v;
  v.name = name;
  v.units = "1";
  v.role = role;
  v.dimensions = std::move(dimensions);
  return v;
}

// Two molecules: water (3 atoms, 2 bonds) and a lone ion (1 atom, no bond).
RaggedSamples two_graphs() {
  RaggedSamples s;
  s.layout = StateLayout({{"atom", DimensionKind::atom, 4, true},
                          {"bond", DimensionKind::bond, 3, true},
                          {"xyz", DimensionKind::channel, 3, false}},
                         {variable("total_charge", Role::input, {}), variable("number", Role::input, {"atom"}),
                          variable("position", Role::input, {"atom", "xyz"}), variable("order", Role::input, {"bond"}),
                          variable("charge", Role::output, {"atom"}), variable("flow", Role::output, {"bond"})});
  s.samples = 2;
  s.offsets = {{"atom", {0, 3, 4}}, {"bond", {0, 2, 2}}};
  s.values = {{"total_charge", {0.0, 1.0}},
              {"number", {8, 1, 1, 11}},
              {"position", {0, 0, 0, 0.76, 0.59, 0, -0.76, 0.59, 0, 5, 5, 5}},
              {"order", {1, 1}},
              {"charge", {-0.8, 0.4, 0.4, 1.0}},
              {"flow", {0.4, 0.4}}};
  s.indices = {{"bond_from", "bond", "atom", {0, 0}}, {"bond_to", "bond", "atom", {1, 2}}};
  return s;
}

ModelFile graph_model(const RaggedSamples& samples) {
  ModelFile file;
  file.description.layout = samples.layout;
  Law charge;
  charge.name = "charge";
  charge.equation = "sum(atom, charge) = total_charge";
  charge.units = "1";
  charge.terms = {{"charge", Expression(1.0)}};
  charge.right_hand_side = Expression::symbol("total_charge");
  Law electrons = charge;
  electrons.name = "weighted";
  electrons.terms = {{"charge", Expression::symbol("number") / Expression(2.0)}};
  electrons.right_hand_side = Expression::sum("atom", Expression::symbol("number")) * Expression(0.1);
  file.description.laws = {charge, electrons};
  const auto inputs = file.description.layout.elements(Role::input);
  const std::vector<double> low(static_cast<std::size_t>(inputs), -100.0), high(static_cast<std::size_t>(inputs), 100.0);
  file.add(Tensor::from("input.minimum", {inputs}, std::span<const double>(low)));
  file.add(Tensor::from("input.maximum", {inputs}, std::span<const double>(high)));
  samples.add_to(file, "example");
  return file;
}

TEST(Ragged, TwoGraphsGoThroughTheModelFileAndBack) {
  const RaggedSamples written = two_graphs();
  const ModelFile file = graph_model(written);
  const ModelFile back = ModelFile::parse(file.serialize(), "test");
  EXPECT_EQ(back.description, file.description);
  EXPECT_EQ(back.tensor("example.offsets.atom").i64()[2], 4);
  const RaggedSamples read =
      RaggedSamples::from(back, "example", {{"bond_from", "bond", "atom", {}}, {"bond_to", "bond", "atom", {}}});
  EXPECT_EQ(read, written);

  for (std::int64_t sample = 0; sample < 2; ++sample) {
    for (std::size_t l = 0; l < 2; ++l) {
      const auto value_of = [&](const Expression& e, const RaggedSamples& from) {
        return e.evaluate([&](const std::string& name) { return from.value(name, sample); });
      };
      const Law& before = file.description.laws[l];
      const Law& after = back.description.laws[l];
      EXPECT_EQ(value_of(before.terms[0].coefficient, written).values, value_of(after.terms[0].coefficient, read).values);
      EXPECT_EQ(value_of(before.right_hand_side, written).values, value_of(after.right_hand_side, read).values);
    }
    // The first law holds for the samples themselves.
    const auto charge = Expression::sum("atom", Expression::symbol("charge"))
                            .evaluate_scalar([&](const std::string& name) { return read.value(name, sample); });
    EXPECT_NEAR(charge, read.value("total_charge", sample).values[0], 1e-15);
  }
  const auto coefficient = back.description.laws[1].terms[0].coefficient.evaluate(
      [&](const std::string& name) { return read.value(name, 0); });
  EXPECT_EQ(coefficient.extents, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(coefficient.values, (std::vector<double>{4, 0.5, 0.5}));
}

TEST(Ragged, ValuesOfOneSample) {
  const auto s = two_graphs();
  EXPECT_EQ(s.extent("atom", 0), 3);
  EXPECT_EQ(s.extent("bond", 1), 0);
  EXPECT_EQ(s.extent("xyz", 1), 3);
  const auto position = s.value("position", 1);
  EXPECT_EQ(position.extents, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(position.values, (std::vector<double>{5, 5, 5}));
  EXPECT_TRUE(s.value("order", 1).values.empty());
  expect_error(Status::out_of_range, [&] { s.value("order", 2); }, "2");
  expect_error(Status::not_found, [&] { s.value("mass", 0); }, "mass");
}

TEST(Ragged, ValidationNamesTheCulprit) {
  const auto refused = [](Status status, auto change, const std::string& part) {
    auto s = two_graphs();
    EXPECT_NO_THROW(s.validate());
    change(s);
    expect_error(status, [&] { s.validate(); }, part);
  };
  refused(Status::out_of_range, [](RaggedSamples& s) { s.offsets[0].offsets = {0, 5, 4}; }, "capacity is 4");
  refused(Status::out_of_range, [](RaggedSamples& s) { s.offsets[1].offsets = {0, 2, 1}; }, "decrease at sample 1");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.offsets[0].offsets = {1, 3, 4}; }, "begin with 1");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.offsets[0].offsets = {0, 4}; }, "found 2");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.offsets[0].offsets.clear(); }, "nothing");
  refused(Status::not_found, [](RaggedSamples& s) { s.offsets.pop_back(); }, "'bond'");
  refused(Status::invalid_argument, [](RaggedSamples& s) { s.offsets.push_back(s.offsets[0]); }, "twice");
  refused(Status::invalid_argument, [](RaggedSamples& s) { s.offsets.push_back({"xyz", {0, 3, 6}}); }, "'xyz'");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.values["charge"].pop_back(); }, "'charge' has 3");
  refused(Status::not_found, [](RaggedSamples& s) { s.values["chrage"] = {}; }, "'charge'");
  refused(Status::out_of_range, [](RaggedSamples& s) { s.indices[1].indices[1] = 3; }, "'bond_to' 1 of sample 0");
  refused(Status::out_of_range, [](RaggedSamples& s) { s.indices[0].indices[0] = -1; }, "atom -1");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.indices[0].indices.push_back(0); }, "3 indices");
  refused(Status::not_found, [](RaggedSamples& s) { s.indices[0].target = "ring"; }, "'ring'");
  refused(Status::shape_mismatch, [](RaggedSamples& s) { s.samples = -1; }, "-1");
  expect_error(Status::unsupported, [] {
    auto s = two_graphs();
    s.layout = StateLayout({{"atom", DimensionKind::atom, 4, true}, {"xyz", DimensionKind::channel, 3, false}},
                           {variable("charge", Role::output, {"xyz", "atom"})});
    s.offsets.pop_back();
    s.indices.clear();
    s.values = {{"charge", {}}};
    s.validate();
  }, "only the first may be ragged");
}

}  // namespace
