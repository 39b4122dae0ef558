#if defined(__GNUC__)
#define LAVOISIER_KERNEL_TABLE fused_kernels_baseline
#if defined(__x86_64__)
#define LAVOISIER_KERNEL_NAME "x86-64"
#else
#define LAVOISIER_KERNEL_NAME "baseline"
#endif
#include "fused_kernels.inl"
#endif
