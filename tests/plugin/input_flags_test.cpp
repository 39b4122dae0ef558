// Why a column was flagged: which inputs, their values and ranges.

#include "column_laws.hpp"
#include "emulator_fixture.hpp"

#include <cmath>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

template <class Real>
void names_what_is_outside(bool blocks) {
  const auto model = model_of(column_laws().build());  // trained on [-4, 4]
  Workspace workspace(model);
  constexpr std::int64_t count = 48;  // whole blocks: where fields could meet, a last one counts as full
  Fields<Real> fields(*model, count);
  const auto at = [&](std::int64_t c, std::int64_t e) -> Real& {  // of "mass", five levels
    return fields.inputs[0][static_cast<std::size_t>(5 * c + e)];
  };
  at(7, 3) = Real(4.5);
  fields.inputs[2][7] = -std::numeric_limits<Real>::infinity();
  at(8, 0) = std::numeric_limits<Real>::quiet_NaN();
  at(9, 4) = Real(-4);  // the edge is inside
  std::vector<Status> status(count, Status::internal);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  if (blocks) {  // as they lie, in blocks of 16
    arguments.block_columns = 16;
    for (auto& field : fields.input_fields) field.block_stride = 16 * field.column_stride;
    for (auto& field : fields.output_fields) field.block_stride = 16 * field.column_stride;
  }
  const auto& report = workspace.run(arguments);
  EXPECT_EQ(report.non_finite, 2);
  EXPECT_EQ(status[7], Status::non_finite);
  const auto flags = workspace.input_flags(arguments, 7);
  ASSERT_EQ(flags.size(), 2u);
  EXPECT_EQ(flags[0].input->name, "mass");
  EXPECT_EQ(flags[0].input->units, "kg m-2");
  EXPECT_EQ(flags[0].element, 3);
  EXPECT_EQ(flags[0].value, 4.5);
  EXPECT_EQ(flags[0].minimum, -4.0);
  EXPECT_EQ(flags[0].maximum, 4.0);
  EXPECT_EQ(flags[0].status, Status::out_of_range);
  EXPECT_EQ(flags[1].input->name, "sun");
  EXPECT_EQ(flags[1].element, 0);
  EXPECT_TRUE(std::isinf(flags[1].value));
  EXPECT_EQ(flags[1].status, Status::non_finite);
  const auto nan = workspace.input_flags(arguments, 8);
  ASSERT_EQ(nan.size(), 1u);
  EXPECT_TRUE(std::isnan(nan[0].value));
  EXPECT_EQ(nan[0].status, Status::non_finite);
  for (std::int64_t c = 0; c < count; ++c)
    EXPECT_EQ(workspace.input_flags(arguments, c).empty(), status[static_cast<std::size_t>(c)] == Status::ok) << c;
}

}  // namespace

TEST(InputFlags, NameWhatIsOutsideAndItsRange) {
  names_what_is_outside<double>(false);
  names_what_is_outside<double>(true);
  names_what_is_outside<float>(false);
}

TEST(InputFlags, MistakesAreRefused) {
  const auto model = model_of(column_laws().build());
  Workspace workspace(model);
  Fields<double> fields(*model, 10);
  const auto arguments = fields.arguments();
  expect_error(Status::out_of_range, "column 10: the run has columns 0 to 9",
               [&] { workspace.input_flags(arguments, 10); });
  expect_error(Status::out_of_range, "column -1", [&] { workspace.input_flags(arguments, -1); });
  fields.input_fields[0].space = MemorySpace::device;
  expect_error(Status::shape_mismatch, "'mass': expected host memory", [&] { workspace.input_flags(arguments, 0); });
}

TEST(InputFlags, ANaNColumnAmongAThousandHasItsStatusAndTheOthersTheirBits) {
  const auto model = model_of(column_laws().build());
  for (const Backend backend : {Backend::serial, Backend::openmp}) {
    WorkspaceOptions options;
    options.backend = backend;
    Workspace workspace(model, options);
    Fields<double> clean(*model, 1000), fields(*model, 1000);
    fields.inputs[1][517] = std::nan("");
    std::vector<Status> status(1000, Status::internal);
    workspace.run(clean.arguments());
    auto arguments = fields.arguments();
    arguments.status = status.data();
    EXPECT_EQ(workspace.run(arguments).non_finite, 1);
    for (std::size_t c = 0; c < 1000; ++c) EXPECT_EQ(status[c], c == 517 ? Status::non_finite : Status::ok);
    for (std::size_t v = 0; v < fields.outputs.size(); ++v) {
      const auto elements = static_cast<std::size_t>(fields.output_fields[v].elements);
      for (std::size_t e = 0; e < elements; ++e) {
        EXPECT_EQ(fields.outputs[v][517 * elements + e], Fields<double>::untouched);
        fields.outputs[v][517 * elements + e] = clean.outputs[v][517 * elements + e];
      }
    }
    EXPECT_TRUE(same_bits(fields.outputs, clean.outputs));
  }
}
