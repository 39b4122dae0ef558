#ifndef LAVOISIER_APPS_KOKKOS_SESSION_HPP
#define LAVOISIER_APPS_KOKKOS_SESSION_HPP

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>

namespace lavoisier::cli {

/// Kokkos' lifetime within a subcommand.
struct KokkosSession {
  explicit KokkosSession(int threads) {
    InitializeOptions options;
    options.threads = threads;
    initialize(options);
  }
  ~KokkosSession() {
    try {
      finalize();
    } catch (const Error&) {
      // The results are written; there is nobody left to tell.
    }
  }
  KokkosSession(const KokkosSession&) = delete;
  KokkosSession& operator=(const KokkosSession&) = delete;
};

}  // namespace lavoisier::cli

#endif
