#ifndef LAVOISIER_TOLERANCES_HPP
#define LAVOISIER_TOLERANCES_HPP

namespace lavoisier::tolerances {

/// What arithmetic promises: |residual| / (sum of |terms| + |d|), 0/0 = 0, of the stored values in FP64.
namespace identity {
inline constexpr double relative_fp64 = 1e-14;  ///< fields stored as double
inline constexpr double relative_fp32 = 5e-7;   ///< fields stored as float
/// How far a host's constants and coordinates may be from the model file's, relative.
inline constexpr double host_constant = 1e-6;
/// Rows whose scaled pivot is below this are linearly dependent.
inline constexpr double rank = 1e-10;
}  // namespace identity

/// What a reference run itself closes to, float storage included. A domain file may state its own (`tolerance`),
/// in the law's units; these are the defaults that shipped domains refer to.
namespace physics {
/// W m-2. Esbensen and Kushnir publish fluxes rounded to 0.01; the largest misclosure found is 0.01002.
inline constexpr double ocean_heat_budget = 0.0101;
/// In the units of the published tables (flows up to 100 and 25): simulated streams are printed to nine digits; the
/// largest misclosures found are 9.6e-8 and 9.97e-6.
inline constexpr double chemical_process_cstr = 1e-7;
inline constexpr double chemical_process_plant = 1e-5;
/// W m-2 and kg m-2 s-1. SPEEDY's budgets close to the rounding of double: the largest misclosures found are 5.5e-12
/// and 4.1e-19.
inline constexpr double atmospheric_column_energy = 1e-11;
inline constexpr double atmospheric_column_water = 1e-18;
}  // namespace physics

}  // namespace lavoisier::tolerances

#endif
