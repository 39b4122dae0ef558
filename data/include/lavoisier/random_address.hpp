#ifndef LAVOISIER_RANDOM_ADDRESS_HPP
#define LAVOISIER_RANDOM_ADDRESS_HPP

// What a random number depends on (DESIGN, "Randomness"): its key and its address, nothing else.

#include <cstdint>

namespace lavoisier::random {

struct Key {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< by default ModelFile::default_stream()
};

/// Address of one number. `member` and `site` < 2^32; `element` < 2^48; `block` < 2^16.
struct Address {
  std::uint64_t column = 0;
  std::uint64_t step = 0;
  std::uint64_t member = 0;
  std::uint64_t site = 0;
  std::uint64_t element = 0;
  std::uint64_t block = 0;
};

}  // namespace lavoisier::random

#endif
