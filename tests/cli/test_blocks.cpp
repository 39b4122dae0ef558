// A domain whose samples are blocks of a masked grid, from `train` over `generate`, which writes the grid, to `validate`.

#include "command.hpp"
#include "netcdf_file.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace lavoisier::testing;
using lavoisier::tests::NetcdfFile;
using lavoisier::tests::stored_values;
using nlohmann::json;

constexpr int nz = 3, ny = 9, nx = 13, fy = 2, fx = 3;  // the last row and the last column are in no block

const char* const domain_text = R"(format = 1
name = "blocks"
title = "Blocks of the tests"
samples = { dimensions = ["z", "y", "x"], column = ["y", "x"], empty = "all missing" }
split = { kind = "boxes", test = [{ z = [2.5, 4.0] }], validation = [{ z = [1.5, 2.5] }] }
dimensions.fine_y = { kind = "y", extent = 2, source = { block = "y" } }
dimensions.fine_x = { kind = "x", extent = 3, source = { block = "x" } }
dimensions.near_y = { kind = "y", extent = 3, source = { neighbours = "y" } }
dimensions.near_x = { kind = "x", extent = 3, source = { neighbours = "x" } }
inputs.coarse = { units = "m", source = { variable = "h", block = "mean" } }
inputs.contrast = { units = "m", dimensions = ["near_y", "near_x"], source = { variable = "h", block = "contrast" } }
inputs.weight = { units = "1", dimensions = ["fine_y", "fine_x"], network = false, source = { variable = "h", block = "weight" } }
outputs.height = { units = "m", dimensions = ["fine_y", "fine_x"], source = "h" }
laws.mean = "sum(fine_y, sum(fine_x, weight * height)) = coarse"
)";

std::size_t at(int z, int y, int x) { return static_cast<std::size_t>((z * ny + y) * nx + x); }

/// Some cells have no value, and at the first depth one block has none.
bool missing(int z, int y, int x) { return (y + 2 * x) % 7 == 0 || (z == 0 && y < fy && x < fx); }

struct Case {
  Folder folder;
  std::string domain = (folder / "blocks.toml").string(), data = (folder / "grid.nc").string(),
              model = (folder / "m.safetensors").string();
  std::vector<double> truth;
  Case() {
    std::ofstream(domain) << domain_text;
    write();
    const Outcome trained = run("train --domain " + domain + " --data " + data + " --strategy conditional --loss crps --hidden 8" +
                                " --epochs 3 --linear-skip --initial-deviation 0.1 --seed 1 --quiet --output " + model);
    EXPECT_EQ(trained.code, 0) << trained.err;
  }
  void write() {
    NetcdfFile file(data);
    const int z = file.dimension("z", nz), y = file.dimension("y", ny), x = file.dimension("x", nx);
    const int zs = file.variable("z", NC_DOUBLE, {z}, {{"units", "1"}});
    const int ys = file.variable("y", NC_DOUBLE, {y}, {{"units", "km"}}), xs = file.variable("x", NC_DOUBLE, {x}, {{"units", "km"}});
    const int h = file.variable("h", NC_DOUBLE, {z, y, x}, {{"units", "m"}});
    file.attribute(h, "_FillValue", NC_DOUBLE, {-1e30});
    for (int i = 0; i < nz * ny * nx; ++i) {
      const int k = i / (ny * nx), j = i / nx % ny, l = i % nx;
      truth.push_back(missing(k, j, l) ? -1e30 : 100.0 + 3.0 * j + 2.0 * l + std::sin(1.3 * i) + k);
    }
    file.write(zs, {1, 2, 3});
    file.write(ys, {0, 1, 2, 3, 4, 5, 6, 7, 8});
    std::vector<double> east;
    for (int i = 0; i < nx; ++i) east.push_back(i);
    file.write(xs, east);
    file.write(h, truth);
  }
};

const Case& made() {
  static const Case one;
  return one;
}

Outcome generate(const std::filesystem::path& to, const std::string& more, int members = 2) {
  return run("generate --model " + made().model + " --inputs " + made().data + " --members " + std::to_string(members) +
             " --seed 5 --output " + to.string() + " " + more);
}

TEST(Blocks, AreWrittenAsTheGridWithTheirMeans) {
  const Folder folder;
  const Outcome generated = generate(folder / "e", "");
  ASSERT_EQ(generated.code, 0) << generated.out << generated.err;
  for (const char* member : {"e/member_0001.nc", "e/member_0002.nc"}) {
    const std::vector<double> h = stored_values(folder / member, "height");
    ASSERT_EQ(h.size(), made().truth.size());
    EXPECT_EQ(stored_values(folder / member, "y").size(), static_cast<std::size_t>(ny));
    for (int z = 0; z < nz; ++z)
      for (int y = 0; y < ny; ++y)
        for (int x = 0; x < nx; ++x)
          EXPECT_EQ(h[at(z, y, x)] < 1e30, y < ny - 1 && x < nx - 1 && !missing(z, y, x)) << z << " " << y << " " << x;
    for (int z = 0; z < nz; ++z)
      for (int by = 0; by < ny / fy; ++by)
        for (int bx = 0; bx < nx / fx; ++bx) {
          double own = 0.0, reference = 0.0, count = 0.0;
          for (int y = by * fy; y < by * fy + fy; ++y)
            for (int x = bx * fx; x < bx * fx + fx; ++x)
              if (!missing(z, y, x)) {
                own += h[at(z, y, x)];
                reference += made().truth[at(z, y, x)];
                ++count;
              }
          if (count == 0.0) continue;
          EXPECT_NEAR(own / count, reference / count, 1e-11) << z << " " << by << " " << bx;
        }
  }
  EXPECT_NE(stored_values(folder / "e/member_0001.nc", "height"), stored_values(folder / "e/member_0002.nc", "height"));
}

TEST(Blocks, HaveTheSameBitsInChunksOfAnySize) {
  const Folder folder;
  ASSERT_EQ(generate(folder / "a", "").code, 0);
  ASSERT_EQ(generate(folder / "b", "--chunk 5").code, 0);
  EXPECT_EQ(stored_values(folder / "a/member_0002.nc", "height"), stored_values(folder / "b/member_0002.nc", "height"));
}

TEST(Blocks, AreScoredWhereTheGridHasValues) {
  const Folder folder;
  ASSERT_EQ(generate(folder / "e", "").code, 0);
  const Outcome validated = run("validate --domain " + made().domain + " --candidate " + (folder / "e").string() + " --reference " +
                                made().data + " --json " + (folder / "v.json").string() + " --html " + (folder / "v.html").string());
  ASSERT_EQ(validated.code, 0) << validated.out << validated.err;
  const json report = json::parse(content(folder / "v.json"));
  EXPECT_EQ(report["pass"], true);
  EXPECT_EQ(report["cells"], nz * (ny / fy) * (nx / fx) - 1);  // one block has no value
  EXPECT_EQ(report["candidate"]["missing_cells"], 0);
  EXPECT_LE(report["laws"][0]["max_relative"].get<double>(), 1e-14);
  // Of each cell of the blocks by itself.
  const std::vector<double> a = stored_values(folder / "e/member_0001.nc", "height"), b = stored_values(folder / "e/member_0002.nc", "height");
  for (int element = 0; element < fy * fx; ++element) {
    double squares = 0.0, count = 0.0;
    for (int z = 0; z < nz; ++z)
      for (int y = element / fx; y < ny - 1; y += fy)
        for (int x = element % fx; x < nx - 1; x += fx) {
          if (missing(z, y, x)) continue;
          const double error = 0.5 * (a[at(z, y, x)] + b[at(z, y, x)]) - made().truth[at(z, y, x)];
          squares += error * error;
          ++count;
        }
    EXPECT_NEAR(report["scores"][0]["elements"][static_cast<std::size_t>(element)]["rmse"].get<double>(), std::sqrt(squares / count), 1e-9) << element;
  }
}

TEST(Blocks, ThatMissTheirMeansAreFound) {
  const Folder folder;
  ASSERT_EQ(generate(folder / "e", "", 1).code, 0);
  int file = -1, variable = -1;
  NetcdfFile::check(nc_open((folder / "e/member_0001.nc").c_str(), NC_WRITE, &file));
  NetcdfFile::check(nc_inq_varid(file, "height", &variable));
  const std::size_t place[] = {1, 4, 4};
  double value = 0.0;
  NetcdfFile::check(nc_get_var1_double(file, variable, place, &value));
  ASSERT_LT(value, 1e30);
  value += 0.6;
  NetcdfFile::check(nc_put_var1_double(file, variable, place, &value));
  nc_close(file);
  const Outcome validated = run("validate --domain " + made().domain + " --candidate " + (folder / "e").string() + " --reference " +
                                made().data + " --json " + (folder / "v.json").string());
  EXPECT_EQ(validated.code, 3) << validated.out;
  const json law = json::parse(content(folder / "v.json"))["laws"][0];
  EXPECT_EQ(law["pass"], false);
  EXPECT_EQ(law["worst"]["cell"], 1 * 16 + 2 * 4 + 1);
}

TEST(Blocks, TellNetworksNothingOfWhatIsOfLawsAlone) {
  EXPECT_SAYS(content(made().model), "option.unseen");
  const Outcome listed = run("domains " + made().domain);
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_SAYS(listed.out, "contrast: contrast of blocks of h");
  EXPECT_SAYS(listed.out, "Split: test where 2.5 <= z < 4; validation where 1.5 <= z < 2.5; training the rest");
}

}  // namespace
