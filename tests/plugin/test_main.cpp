#include "emulator_fixture.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new lavoisier::tests::KokkosEnvironment);
  return RUN_ALL_TESTS();
}
