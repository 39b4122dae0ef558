#ifndef LAVOISIER_TESTS_MODELS_KOKKOS_ENVIRONMENT_HPP
#define LAVOISIER_TESTS_MODELS_KOKKOS_ENVIRONMENT_HPP

#include <lavoisier/emulator.hpp>

#include <gtest/gtest.h>

namespace lavoisier::test {

/// Kokkos with two threads for a test program that draws through the plugin.
class KokkosEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    InitializeOptions options;
    options.threads = 2;
    initialize(options);
  }
  void TearDown() override { finalize(); }
};
inline const auto* const kokkos_environment = testing::AddGlobalTestEnvironment(new KokkosEnvironment);

}  // namespace lavoisier::test

#endif
