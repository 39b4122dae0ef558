#include "sample_kernel_members.hpp"

namespace lavoisier::detail {

template class SampleKernel<-1, DoubleDouble>;
template class SampleKernel<-1>;
template class SampleKernel<1>;

}  // namespace lavoisier::detail
