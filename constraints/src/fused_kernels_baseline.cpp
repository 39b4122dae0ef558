#if defined(__GNUC__)
#define LAVOISIER_KERNEL_TABLE fused_kernels_baseline
#define LAVOISIER_KERNEL_NAME "baseline"
#include "fused_kernels.inl"
#endif
