#ifndef LAVOISIER_ELEMENTARY_HPP
#define LAVOISIER_ELEMENTARY_HPP

// Elementary functions of our own, for host and device: only + - x / and bit operations in one written order, so that
// the same argument gives the same bits in scalar code, vector code and tails, whatever the C library.
// Contracting a*b+c to one rounding must be off (-ffp-contract=off; nvcc --fmad=false).

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__) || defined(__HIPCC__)
#define LAVOISIER_FUNCTION __host__ __device__
#else
#define LAVOISIER_FUNCTION
#endif

namespace lavoisier::elementary {

// Contract (implementation follows): each function below is branch-free or select-only where it can be, returns what
// IEEE 754 would for 0, infinities and NaN, and states its largest error in units in the last place (tested).
//   double exp(double), float exp(float)        overflow -> inf, underflow -> 0 gradually
//   double log(double)                          0 -> -inf, negative -> NaN
//   double log1p_exp(double)                    softplus, log(1 + e^x), without overflow or cancellation
//   double cos_two_pi(double u)                 u in [0, 1)
//   double sqrt(double)                         std::sqrt (correctly rounded everywhere)
//   float tanh(float), float sigmoid(float), float silu(float)
//   double sigmoid(double)

}  // namespace lavoisier::elementary

#endif
