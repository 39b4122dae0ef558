#ifndef LAVOISIER_TESTS_ELEMENTARY_VECTOR_HPP
#define LAVOISIER_TESTS_ELEMENTARY_VECTOR_HPP

#include <cstddef>

// Loops over the elementary functions, in a file of their own that is compiled for the widest vectors and with fused
// multiply-add at hand: the bits must be those of scalar code all the same.
namespace lavoisier::tests {

bool vector_code_runs_here();
void vector_exp(const float* x, float* y, std::size_t n);
void vector_sigmoid(const float* x, float* y, std::size_t n);
void vector_silu(const float* x, float* y, std::size_t n);
void vector_tanh(const float* x, float* y, std::size_t n);
void vector_exp(const double* x, double* y, std::size_t n);
void vector_sigmoid(const double* x, double* y, std::size_t n);
void vector_log(const double* x, double* y, std::size_t n);
void vector_log1p_exp(const double* x, double* y, std::size_t n);
void vector_cos_two_pi(const double* x, double* y, std::size_t n);

}  // namespace lavoisier::tests

#endif
