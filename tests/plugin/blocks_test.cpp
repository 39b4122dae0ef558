// Columns in blocks, as (nproma, nlev, nblock) and sections of (lon, lat, lev) lie: the same bits as one stride, and
// overlap told exactly.

#include "emulator_fixture.hpp"

#include "../../plugin/src/field_lattice.hpp"

#include <set>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

ModelBuilder column_physics() {
  ModelBuilder b;
  b.dimensions = {{"level", DimensionKind::level, 5, false}};
  b.input("t", "K", {"level"}).input("p", "Pa");
  b.output("heating", "W m-2", {"level"}).output("flux", "W m-2");
  b.law("energy", {{"heating", 1.0}, {"flux", -1.0}});
  return b;
}

struct Shape {
  std::int64_t block_columns, column, block, element;  ///< strides
  std::int64_t at(std::int64_t c, std::int64_t e) const {
    return c / block_columns * block + c % block_columns * column + e * element;
  }
};

}  // namespace

TEST(Blocks, SameBitsAsOneStride) {
  const auto model = model_of(column_physics().build());
  constexpr std::int64_t columns = 37, levels = 5, nproma = 8;
  Fields<double> plain(*model, columns);
  for (const Backend backend : {Backend::serial, Backend::openmp}) {
    WorkspaceOptions options;
    options.backend = backend;
    Workspace workspace(model, options);
    workspace.run(plain.arguments());
    // (nproma, nlev, nblock) and (nproma, nblock); a section (1:7, :, :) of (9, lat, lev); blocks backwards.
    const Shape full[] = {
        {nproma, 1, nproma * levels, nproma}, {7, 1, 9, 9 * 6}, {nproma, 1, -nproma * levels, nproma}};
    const Shape flat[] = {{nproma, 1, nproma, 0}, {7, 1, 9, 0}, {nproma, 2, -2 * nproma, 0}};
    for (std::size_t s = 0; s < 3; ++s) {
      SCOPED_TRACE(s);
      constexpr std::size_t zero = 300;
      std::vector<std::vector<double>> memory(4, std::vector<double>(700, Fields<double>::untouched));
      Fields<double> blocked(*model, columns);
      const auto place = [&](auto& field, std::vector<double>& to, const std::vector<double>& from) {
        const Shape& shape = field.elements > 1 ? full[s] : flat[s];
        for (std::int64_t c = 0; c < columns && !from.empty(); ++c)
          for (std::int64_t e = 0; e < field.elements; ++e)
            to[zero + static_cast<std::size_t>(shape.at(c, e))] =
                from[static_cast<std::size_t>(c * field.elements + e)];
        field.data = to.data() + zero;
        field.column_stride = shape.column;
        field.block_stride = shape.block;
        field.element_stride = shape.element;
      };
      for (std::size_t v = 0; v < 2; ++v) place(blocked.input_fields[v], memory[v], plain.inputs[v]);
      for (std::size_t v = 0; v < 2; ++v) place(blocked.output_fields[v], memory[2 + v], {});
      auto arguments = blocked.arguments();
      arguments.block_columns = full[s].block_columns;
      EXPECT_EQ(workspace.run(arguments).columns, columns);
      for (std::size_t v = 0; v < 2; ++v) {
        auto expected = std::vector<double>(700, Fields<double>::untouched);
        OutputField field = blocked.output_fields[v];
        place(field, expected, plain.outputs[v]);
        EXPECT_EQ(expected, memory[2 + v]) << v;  // the padding is untouched
      }
    }
  }
}

TEST(Blocks, MistakesAreRefusedBeforeAnythingIsTouched) {
  const auto model = model_of(column_physics().build());
  Workspace workspace(model);
  Fields<double> fields(*model, 20);
  const auto before = fields.outputs;
  auto arguments = fields.arguments();
  arguments.block_columns = -1;
  expect_error(Status::invalid_argument, "block_columns", [&] { workspace.run(arguments); });
  arguments.block_columns = 8;  // every block stride is 0
  expect_error(Status::shape_mismatch, "between blocks", [&] { workspace.run(arguments); });
  for (auto& field : fields.output_fields) field.block_stride = 7 * field.elements;  // the eighth column twice
  expect_error(Status::shape_mismatch, "between blocks", [&] { workspace.run(arguments); });
  for (auto& field : fields.output_fields) field.block_stride = std::int64_t{1} << 60;
  expect_error(Status::shape_mismatch, "beyond any memory", [&] { workspace.run(arguments); });
  EXPECT_TRUE(same_bits(before, fields.outputs));
}

// Every answer against addresses written down one by one.
TEST(Blocks, OverlapIsToldExactly) {
  std::mt19937 generator(3);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  std::vector<char> memory(1 << 16);
  const auto bytes_of = [](const detail::FieldLattice& f, bool& twice) {
    std::set<std::intptr_t> bytes;
    for (std::int64_t b = 0; b < f.blocks; ++b)
      for (std::int64_t c = 0; c < f.columns; ++c)
        for (std::int64_t e = 0; e < f.elements; ++e)
          for (std::int64_t k = 0; k < f.width; ++k)
            twice = !bytes.insert(f.base + b * f.block + c * f.column + e * f.element + k).second || twice;
    return bytes;
  };
  int apart = 0, meeting = 0, doubled = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::int64_t block_columns = pick(0, 4),
                       columns = block_columns > 0 ? block_columns * pick(1, 4) : pick(1, 12);
    const std::int64_t column = pick(-4, 4), block = pick(-20, 20);
    const std::int64_t width = 4 * pick(1, 2);
    const auto make = [&] {
      return detail::field_lattice(memory.data() + 30000 + width * pick(0, 60), width, pick(1, 4), pick(-30, 30),
                                   column, block, columns, block_columns);
    };
    const auto a = make(), b = make();
    bool twice_a = false, twice_b = false;
    const auto bytes_a = bytes_of(a, twice_a), bytes_b = bytes_of(b, twice_b);
    ASSERT_EQ(detail::coincides(a), twice_a) << round;
    doubled += twice_a;
    if (twice_a || twice_b) continue;
    bool meet = false;
    for (const auto byte : bytes_a) meet = meet || bytes_b.count(byte) > 0;
    ASSERT_EQ(detail::overlap(a, b), meet) << round;
    (meet ? meeting : apart) += 1;
  }
  EXPECT_GT(apart, 500);
  EXPECT_GT(meeting, 500);
  EXPECT_GT(doubled, 500);
}
