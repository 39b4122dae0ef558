#define LAVOISIER_KERNEL_TABLE tile_kernels_avx512
#define LAVOISIER_KERNEL_NAME "avx512"
#include "tile_kernels.inl"
