#include <lavoisier/cell_area.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

namespace lavoisier::test {
namespace {

using Values = std::vector<double>;
constexpr double pi = std::numbers::pi;

FileAxis axis(Values values, Values bounds = {}) {
  FileAxis result;
  result.name = "axis";
  result.values = std::move(values);
  result.bounds = std::move(bounds);
  return result;
}

Values range(double first, double step, std::size_t count) {
  Values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(first + step * static_cast<double>(i));
  return values;
}

double sum(const Values& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

TEST(CellArea, OfTheSphereSumsToFourPi) {
  // With poles as centres and without; from north to south too; one row; longitudes anywhere.
  for (const Values& latitudes : {range(-90, 4, 46), range(-88, 4, 45), range(89.75, -0.5, 360), Values{12}})
    for (const Values& longitudes : {range(20, 5, 72), range(-179.5, 1, 360), range(180, -10, 36), Values{7}}) {
      const double area = sum(latitude_bands(axis(latitudes))) * sum(longitude_widths(axis(longitudes)));
      EXPECT_NEAR(area, 4 * pi, 1e-13) << latitudes.size() << " x " << longitudes.size();
    }
}

TEST(CellArea, IsThatOfHand) {
  const Values thirds = latitude_bands(axis({-60, 0, 60}));
  ASSERT_EQ(thirds.size(), 3U);
  EXPECT_DOUBLE_EQ(thirds[0], 0.5);  // from the pole to 30 S
  EXPECT_DOUBLE_EQ(thirds[1], 1.0);
  EXPECT_DOUBLE_EQ(thirds[2], 0.5);
  // A polar cap of half a cell, clipped.
  EXPECT_DOUBLE_EQ(latitude_bands(axis({-90, -86, -82}))[0], 1 - std::sin(88 * pi / 180));
  // Bounds come before centres, in either order.
  const Values bands = latitude_bands(axis({10, 50}, {0, 30, 90, 30}));
  EXPECT_DOUBLE_EQ(bands[0], 0.5);
  EXPECT_DOUBLE_EQ(bands[1], 0.5);
  EXPECT_DOUBLE_EQ(longitude_widths(axis({350, 0, 10}))[1], 10 * pi / 180);
  EXPECT_DOUBLE_EQ(longitude_widths(axis({0, 10}, {355, 5, 5, 15}))[0], 10 * pi / 180);
  EXPECT_DOUBLE_EQ(longitude_widths(axis({0, 30, 90}))[1], 45 * pi / 180) << "between midpoints";
  EXPECT_DOUBLE_EQ(longitude_widths(axis({180}, {0, 360}))[0], 2 * pi);
  const UnitConversion radians{180 / pi, 0.0};
  EXPECT_NEAR(latitude_bands(axis({-pi / 4, pi / 4}), radians)[0], 1.0, 1e-15);
  EXPECT_NEAR(longitude_widths(axis({0, pi / 2, pi}), radians)[0], pi / 2, 1e-15);
}

void expect_refused(const std::string& message, auto&& function) {
  try {
    function();
    FAIL() << "accepted: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST(CellArea, OfNonsenseIsRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused("axis \"axis\": expected latitudes from -90 to 90 degrees, found 95 (index 1)",
                 [] { latitude_bands(axis({85, 95})); });
  expect_refused("axis \"axis\": expected degrees, found a value or a bound that is no number (index 1)",
                 [&] { latitude_bands(axis({0, 1}, {-1, 0.5, nan, 1.5})); });
  expect_refused("axis \"axis\": expected cells with an area, found one from 5 to 5 degrees (index 0, value 5)",
                 [] { latitude_bands(axis({5, 5})); });
  expect_refused("axis \"axis\": expected cells that go once round at most, found 365 degrees in all",
                 [] { longitude_widths(axis(range(0, 5, 73))); });
}

}  // namespace
}  // namespace lavoisier::test
