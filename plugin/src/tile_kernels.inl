// Included once by each tile_kernels_<level>.cpp, which is compiled for that level. Everything but the table is local.

#include "tile_kernels.hpp"

#include <lavoisier/elementary.hpp>

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
#include <immintrin.h>
#endif

// Whole bodies are inlined: vectorised, and no out-of-line copy of somebody else's inline function is left behind.
#define LAVOISIER_KERNEL __attribute__((flatten))
#define LAVOISIER_LOCAL inline __attribute__((always_inline))
#define LAVOISIER_LANES _Pragma("GCC ivdep")

namespace lavoisier::detail {
namespace {

#include "tile_kernels_vector.inl"

#include "tile_kernels_dense.inl"

#include "tile_kernels_convolution.inl"

#include "tile_kernels_elementwise.inl"

#include "tile_kernels_laws.inl"

}  // namespace

const TileKernels LAVOISIER_KERNEL_TABLE = {
    LAVOISIER_KERNEL_NAME, standardize, single,        dense,          convolution, silu,          relu,
    tanh,                  sigmoid,     add,           multiply,       add_channel, norm,          time_embedding,
    gru_gates,             gaussian_head, box_muller,  gaussian_draw,  scalar,      constrain,     closure,
    single_pass,           factorise};

}  // namespace lavoisier::detail
