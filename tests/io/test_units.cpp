#include <lavoisier/status.hpp>
#include <lavoisier/units.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

TEST(Unit, ReadsWhatUdunitsReads) {
  for (const char* const text : {"W m-2", "W/m2", "degC", "hPa", "1", "g kg-1", "degrees_north", "%", "m s-1", "kg m-2 s-1",
                                 "hour since 0000-01-01 00:00:00", " K "})
    EXPECT_TRUE(Unit::parse(text).has_value()) << text;
  // As real files spell them: the domain's source_units are for these.
  for (const char* const text : {"W/M2", "DEG C", "GR/KG", "FRACTION OF SKY COVER", "", " ", "LOG10 #OBS"})
    EXPECT_FALSE(Unit::parse(text).has_value()) << text;
  EXPECT_EQ(Unit(" K ").text(), "K");
}

TEST(Unit, RefusesNonsenseSilently) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  try {
    const Unit unit("FRACTION OF SKY COVER");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::unit_mismatch);
    EXPECT_EQ(std::string(error.what()), "expected units that UDUNITS can read, found \"FRACTION OF SKY COVER\"");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

struct Conversion {
  std::string from, to;
  double factor, offset;
};

TEST(Unit, Converts) {
  const std::vector<Conversion> table = {
      {"W m-2", "kg s-3", 1, 0},     {"kW m-2", "W m-2", 1000, 0}, {"g kg-1", "1", 1e-3, 0}, {"hPa", "Pa", 100, 0},
      {"degC", "K", 1, 273.15},      {"K", "degC", 1, -273.15},    {"%", "1", 0.01, 0},      {"mm day-1", "m s-1", 1e-3 / 86400, 0},
      {"degree", "degrees_north", 1, 0}, {"degF", "K", 5.0 / 9.0, 459.67 * 5.0 / 9.0}};
  for (const auto& c : table) {
    const UnitConversion found = Unit(c.from).conversion_to(Unit(c.to));
    EXPECT_NEAR(found.factor, c.factor, 4e-16 * c.factor) << c.from << " to " << c.to;
    EXPECT_NEAR(found.offset, c.offset, 1e-12) << c.from << " to " << c.to;
    EXPECT_EQ(found.identity(), c.factor == 1.0 && c.offset == 0.0) << c.from << " to " << c.to;
  }
  EXPECT_EQ(Unit("degC").conversion_to(Unit("K"))(0.1), 0.1 + 273.15);
}

TEST(Unit, RefusesWhatIsNoConversionOfAQuantity) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"W m-2", "kg m-2 s-1"}, {"s", "Hz"}, {"K", "1"}, {"hPa", "lg(re 1 mW)"}, {"m", "s"}}) {
    EXPECT_FALSE(Unit(from).convertible_to(Unit(to))) << from << " to " << to;
    EXPECT_THROW(Unit(from).conversion_to(Unit(to)), Error);
  }
  try {
    Unit("W m-2").conversion_to(Unit("kg m-2 s-1"));
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "\"W m-2\" (kg s-3) cannot be converted to \"kg m-2 s-1\" (kg m-2 s-1)");
  }
}

TEST(Unit, ComparesAndMultiplies) {
  EXPECT_TRUE(Unit("W m-2").same_as(Unit("kg s-3")));
  EXPECT_FALSE(Unit("W m-2").same_as(Unit("kW m-2")));
  EXPECT_TRUE((Unit("J kg-1") * Unit("kg m-2 s-1")).same_as(Unit("W m-2")));
  EXPECT_TRUE((Unit("Pa") / Unit("m s-2")).same_as(Unit("kg m-2")));
  EXPECT_EQ((Unit("Pa") / Unit("m s-2")).text(), "kg m-2");
  EXPECT_TRUE(Unit().is_dimensionless());
  EXPECT_TRUE(Unit("%").is_dimensionless());
  EXPECT_FALSE(Unit("K").is_dimensionless());
  EXPECT_TRUE(Unit("degC").has_origin());
  EXPECT_TRUE(Unit("hour since 1990-01-01").has_origin());
  EXPECT_FALSE(Unit("K").has_origin());
  EXPECT_FALSE(Unit("g kg-1").has_origin());
}

}  // namespace
}  // namespace lavoisier::test
