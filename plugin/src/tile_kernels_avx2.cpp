#define LAVOISIER_KERNEL_TABLE tile_kernels_avx2
#define LAVOISIER_KERNEL_NAME "avx2"
#include "tile_kernels.inl"
