#include "sample_kernel_members.hpp"

namespace lavoisier::detail {

template class SampleKernel<2>;
template class SampleKernel<3>;
template class SampleKernel<4>;
template class SampleKernel<5>;
template class SampleKernel<6>;
template class SampleKernel<7>;
template class SampleKernel<8>;

}  // namespace lavoisier::detail
