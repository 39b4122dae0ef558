#define LAVOISIER_KERNEL_TABLE fused_kernels_avx512
#define LAVOISIER_KERNEL_NAME "avx512"
#include "fused_kernels.inl"
