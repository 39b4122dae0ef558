#ifndef LAVOISIER_DRAW_OPTIONS_HPP
#define LAVOISIER_DRAW_OPTIONS_HPP

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/random_address.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier {

struct LawOptions : BatchOptions {
  std::vector<std::string> laws;  ///< names of the rows of A for messages; empty: "row k"
};

/// Where a batch's random numbers come from: a draw of sample s has the address (column[s], step[s], member[s], site);
/// elements and blocks are the function's own. Empty vectors: column s, step 0, member 0. Two calls that must be
/// independent differ in one of these. Errors: shape_mismatch (a vector of another length), out_of_range (site or a
/// member of 2^32 or more).
struct DrawOptions : LawOptions {
  random::Key key;
  std::vector<std::uint64_t> column, step, member;
  std::uint64_t site = 0;
};

}  // namespace lavoisier

#endif
