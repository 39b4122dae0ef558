#define LAVOISIER_KERNEL_TABLE network_kernels_avx512
#define LAVOISIER_KERNEL_NAME "avx512"
#include "network_kernels.inl"
