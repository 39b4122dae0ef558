#include "sample_kernel.hpp"

namespace lavoisier::detail {

// One sample in a few needs it: compiled once, not in every loop over a batch.
template class SampleKernel<-1, DoubleDouble>;

}  // namespace lavoisier::detail
