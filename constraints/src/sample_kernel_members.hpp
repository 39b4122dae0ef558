#ifndef LAVOISIER_SAMPLE_KERNEL_MEMBERS_HPP
#define LAVOISIER_SAMPLE_KERNEL_MEMBERS_HPP

// Every member of SampleKernel, for the files that instantiate it.

#include "sample_kernel_densities.hpp"
#include "sample_kernel_moments.hpp"
#include "sample_kernel_setup.hpp"

#endif
