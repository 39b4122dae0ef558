// A host's constants and coordinates in place of the model file's: compared first, then in every number of the laws.

#include "emulator_fixture.hpp"
#include "graph_models.hpp"
#include "graph_oracle.hpp"

#include <cmath>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr double file_cp = 1004.64, host_cp = 1004.6400402;  // 4e-8 apart
constexpr int levels = 5;

/// cp/g sum over levels of mass heating = flux - cp dry
ModelBuilder column(double cp = file_cp, double g = 9.80665) {
  ModelBuilder b;
  b.dimensions = {{"level", DimensionKind::level, levels, false}};
  b.input("mass", "kg m-2", {"level"}).input("dry", "1");
  b.output("heating", "W m-2", {"level"}).output("flux");
  b.constants = {{"cp", "J kg-1 K-1", cp}, {"g", "m s-2", g}, {"peak", "W m-2", 1.0}, {"none", "1", 0.0}};
  Law law;
  law.name = law.equation = "energy";
  law.units = "W m-2";
  law.terms = {{"heating", Expression::symbol("cp") / Expression::symbol("g") * Expression::symbol("mass")},
               {"flux", Expression(-1.0)}};
  law.right_hand_side = -(Expression::symbol("cp") * Expression::symbol("dry"));
  b.laws.push_back(law);
  return b;
}

/// The same with coefficients that all columns share.
ModelBuilder shared_column(double cp = file_cp, double g = 9.80665) {
  ModelBuilder b = column(cp, g);
  b.laws[0].terms[0].coefficient = Expression::symbol("cp") / Expression::symbol("g");
  return b;
}

std::shared_ptr<const Model> registered(const std::shared_ptr<const Model>& model, std::vector<HostConstant> constants,
                                        std::vector<HostCoordinate> coordinates = {}) {
  HostConstants host;
  host.constants = constants.data();
  host.constant_count = constants.size();
  host.coordinates = coordinates.data();
  host.coordinate_count = coordinates.size();
  return model->with_constants(host);
}

/// What a host with this cp sees: the largest relative residual of its own budget.
double own_budget(const Fields<double>& fields, double cp, bool mass_in_coefficients) {
  double worst = 0.0;
  for (std::int64_t c = 0; c < fields.columns; ++c) {
    const auto x = fields.flat(c), y = fields.flat_outputs(c);
    double residual = -y[levels] + cp * x[levels], size = std::abs(y[levels]) + std::abs(cp * x[levels]);
    for (std::size_t k = 0; k < levels; ++k) {
      const double term = cp / 9.80665 * (mass_in_coefficients ? x[k] : 1.0) * y[k];
      residual += term;
      size += std::abs(term);
    }
    worst = std::max(worst, std::abs(residual) / size);
  }
  return worst;
}

WorkspaceOptions options() {
  WorkspaceOptions made;
  made.override_stream = true;  // whatever the file's digest
  made.stream = 5;
  return made;
}

std::vector<std::vector<double>> draws(const std::shared_ptr<const Model>& model) {
  Workspace workspace(model, options());
  Fields<double> fields(*model, 70);
  EXPECT_EQ(workspace.run(fields.arguments()).columns, 70);
  return fields.outputs;
}

}  // namespace

TEST(HostConstants, LawsCloseWithTheHostsOwnNumbersOnceTheyAreRegistered) {
  for (const bool own : {true, false}) {
    const auto model = model_of((own ? column() : shared_column()).build());
    const auto bound = registered(model, {{"cp", host_cp, "J kg-1 K-1"}});
    const auto budget = [&](const std::shared_ptr<const Model>& of, double cp) {
      Workspace workspace(of);
      Fields<double> fields(*of, 200);
      workspace.run(fields.arguments());
      return own_budget(fields, cp, own);
    };
    EXPECT_LE(budget(bound, host_cp), 1e-14);
    EXPECT_LE(budget(model, file_cp), 1e-14);
    EXPECT_GT(budget(model, host_cp), 1e-10);  // not registered
    EXPECT_GT(budget(bound, file_cp), 1e-10);
  }
}

TEST(HostConstants, TheBitsAreThoseOfAModelFileWithTheHostsValues) {
  for (const bool own : {true, false}) {
    const auto made = [&](double cp, double g) {
      return model_of((own ? column(cp, g) : shared_column(cp, g)).build());
    };
    const auto bound = registered(made(file_cp, 9.80665), {{"cp", host_cp, nullptr}, {"g", 9.80665001, nullptr}});
    EXPECT_TRUE(same_bits(draws(bound), draws(made(host_cp, 9.80665001))));
    EXPECT_FALSE(same_bits(draws(bound), draws(made(file_cp, 9.80665))));
    EXPECT_TRUE(same_bits(draws(registered(bound, {})), draws(bound)));
  }
}

TEST(HostConstants, SamplingLoopsProjectOnTheHostsLaws) {
  const auto made = [](double one, bool own) {
    auto model = sample_model({"flow", "null_space", 5, own});
    model.file.description.constants.push_back({"one", "1", one});
    auto& coefficient = model.file.description.laws.at(0).terms.at(0).coefficient;
    coefficient = coefficient * Expression::symbol("one");
    return model_of(model.file);
  };
  for (const bool own : {false, true}) {
    const auto bound = registered(made(1.0, own), {{"one", 1.0 + 3e-8, "1"}});
    EXPECT_TRUE(same_bits(draws(bound), draws(made(1.0 + 3e-8, own))));
    EXPECT_FALSE(same_bits(draws(bound), draws(made(1.0, own))));
  }
}

TEST(HostConstants, TheModelSaysWhatItHas) {
  const auto model = model_of(column().build());
  const auto bound = registered(model, {{"cp", host_cp, nullptr}});
  ASSERT_EQ(bound->constants().size(), 4u);
  EXPECT_EQ(bound->constants()[0].name, "cp");
  EXPECT_EQ(bound->constants()[0].units, "J kg-1 K-1");
  EXPECT_EQ(bound->constants()[0].value, host_cp);
  EXPECT_EQ(bound->constants()[0].file_value, file_cp);
  EXPECT_EQ(bound->constants()[1].value, 9.80665);
  EXPECT_EQ(model->constants()[0].value, file_cp);  // as it was
  EXPECT_EQ(bound->digest(), model->digest());
  // Compared with the file, however often: small steps don't lead away from it.
  const auto far = registered(bound, {{"cp", file_cp * (1.0 + 9e-7), nullptr}});
  EXPECT_EQ(registered(far, {{"cp", file_cp, nullptr}})->constants()[0].value, file_cp);
  EXPECT_THROW(registered(far, {{"cp", file_cp * (1.0 + 1.8e-6), nullptr}}), Error);
}

TEST(HostConstants, EachMistakeHasItsStatus) {
  const auto model = model_of(column().build());
  const auto refuse = [&](Status status, const std::string& part, std::vector<HostConstant> constants) {
    expect_error(status, part, [&] { registered(model, constants); });
  };
  refuse(Status::out_of_range, "constant 'cp': the host has 1005 J kg-1 K-1, the model file 1004.64 J kg-1 K-1",
         {{"cp", 1005.0, "J kg-1 K-1"}});
  refuse(Status::out_of_range, "the host has nan", {{"cp", std::nan(""), nullptr}});
  refuse(Status::out_of_range, "constant 'none': the host has 1e-300, the model file 0", {{"none", 1e-300, "1"}});
  refuse(Status::not_found, "no constant 'cpp' (did you mean 'cp'?); it has cp, g, peak, none",
         {{"cpp", 1004.64, nullptr}});
  refuse(Status::unit_mismatch, "constant 'cp': expected units 'J kg-1 K-1', found 'J/kg/K'",
         {{"cp", file_cp, "J/kg/K"}});
  refuse(Status::invalid_argument, "constant 'cp' is given twice",
         {{"cp", file_cp, nullptr}, {"cp", file_cp, nullptr}});
  refuse(Status::invalid_argument, "constant 1 has no name", {{"cp", file_cp, nullptr}, {}});
  HostConstants null;
  null.constant_count = 2;
  expect_error(Status::invalid_argument, "expected 2 constants, found null", [&] { model->with_constants(null); });
  EXPECT_NO_THROW(registered(model, {{"peak", 1.0, "W/m2"}}));  // a spelling that the file accepts for these units
  // The edge: 1e-6 is in, a little more is not.
  EXPECT_NO_THROW(registered(model, {{"cp", file_cp * (1.0 + 0.999e-6), nullptr}}));
  refuse(Status::out_of_range, "constant 'cp'", {{"cp", file_cp * (1.0 + 1.001e-6), nullptr}});
}

TEST(HostConstants, CoordinatesAreComparedAndEnterTheLaws) {
  const std::vector<double> pressure{100.0, 300.0, 500.0, 700.0, 900.0};
  const auto with = [&](const std::vector<double>& values) {
    ModelBuilder b = shared_column();
    b.laws[0].terms[0].coefficient = Expression::symbol("level") / Expression::symbol("g");
    ModelFile file = b.build();
    file.add(
        Tensor::from("coordinates.level", {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
    return model_of(file);
  };
  const auto model = with(pressure);
  std::vector<double> own = pressure;
  own[3] *= 1.0 + 2e-7;
  const auto bound = registered(model, {}, {{"level", own.data(), levels}});
  EXPECT_TRUE(same_bits(draws(bound), draws(with(own))));
  EXPECT_FALSE(same_bits(draws(bound), draws(model)));
  const auto refuse = [&](Status status, const std::string& part, const std::shared_ptr<const Model>& of,
                          std::vector<HostCoordinate> coordinates) {
    expect_error(status, part, [&] { registered(of, {}, coordinates); });
  };
  std::vector<double> other = pressure;
  other[3] = 701.0;
  refuse(Status::out_of_range, "coordinate 'level', value 3: the host has 701, the model file 700", model,
         {{"level", other.data(), levels}});
  refuse(Status::shape_mismatch, "coordinate 'level': expected 5 values, found 6", model, {{"level", other.data(), 6}});
  refuse(Status::not_found, "no coordinate 'levle' (did you mean 'level'?)", model, {{"levle", own.data(), levels}});
  refuse(Status::invalid_argument, "its values are null", model, {{"level", nullptr, levels}});
  refuse(Status::not_found, "coordinate 'level': the model file carries no values of it", model_of(column().build()),
         {{"level", own.data(), levels}});
  expect_error(Status::invalid_format, "expected 5 numbers, found 4", [&] { with({1.0, 2.0, 3.0, 4.0}); });
  expect_error(Status::unsupported, "no values of a coordinate", [&] {
    ModelBuilder b = shared_column();
    b.laws[0].terms[0].coefficient = Expression::symbol("level");
    model_of(b.build());
  });
}

TEST(HostConstants, MoreLevelsThanTheHostHasAreRefusedWithBothExtents) {
  const auto model = model_of(column().build());
  Workspace workspace(model);
  for (const std::int64_t found : {3, 8}) {
    Fields<double> fields(*model, 4);
    fields.input_fields[0].elements = found;
    expect_error(Status::shape_mismatch, "'mass': expected 5 elements a column, found " + std::to_string(found),
                 [&] { workspace.run(fields.arguments()); });
  }
}
