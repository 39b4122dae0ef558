#define LAVOISIER_KERNEL_TABLE network_kernels_baseline
#if defined(__x86_64__)
#define LAVOISIER_KERNEL_NAME "x86-64"
#else
#define LAVOISIER_KERNEL_NAME "baseline"
#endif
#include "network_kernels.inl"
