#ifndef LAVOISIER_BENCH_CLOSED_FORM_HPP
#define LAVOISIER_BENCH_CLOSED_FORM_HPP

namespace lavoisier::bench {

/// Registers the benchmarks of every generator on a problem whose right answer is known. Kokkos must be initialised
/// when they run.
void register_closed_form();

}  // namespace lavoisier::bench

#endif
