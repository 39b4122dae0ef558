#define LAVOISIER_KERNEL_TABLE fused_kernels_avx2
#define LAVOISIER_KERNEL_NAME "avx2"
#include "fused_kernels.inl"
