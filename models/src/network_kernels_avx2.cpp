#define LAVOISIER_KERNEL_TABLE network_kernels_avx2
#define LAVOISIER_KERNEL_NAME "avx2"
#include "network_kernels.inl"
