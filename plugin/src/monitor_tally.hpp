#ifndef LAVOISIER_PLUGIN_MONITOR_TALLY_HPP
#define LAVOISIER_PLUGIN_MONITOR_TALLY_HPP

// What a monitor counts of one step. Every figure is the same for any order of the columns: sums are exact, and ties of
// a largest value go to the smallest id.

#include "tile_runner.hpp"

#include <lavoisier/exact_sum.hpp>
#include <lavoisier/status.hpp>

#include <cstdint>
#include <vector>

namespace lavoisier::detail {

struct LawTally {
  std::int64_t columns = 0, non_finite = 0;
  bool floats = false;  ///< an output that is a term of it is stored as float, in some chunk
  double max_absolute = 0.0;
  ExactSum squares;
  // The column of the largest relative residual; -1: none yet.
  std::int64_t worst_column = -1;
  std::uint64_t worst_id = 0;
  double max_relative = 0.0, right_hand_side = 0.0;
  std::vector<double> coefficient, value;  ///< one a term

  explicit LawTally(std::size_t terms = 0) : coefficient(terms), value(terms) {}
  void clear() noexcept;
  void add(const LawTally& other) noexcept;
  bool is_worse(double relative, std::uint64_t id) const noexcept {
    return worst_column < 0 || relative > max_relative || (relative == max_relative && id < worst_id);
  }
};

/// m the emulator's values, o the host's.
struct SkillTally {
  std::int64_t columns = 0, non_finite = 0;
  std::vector<ExactSum> emulated, original;  ///< sums of m and of o, one an element
  ExactSum error, absolute_error, squared_error, emulated_squares, original_squares, products;

  explicit SkillTally(std::size_t elements = 0) : emulated(elements), original(elements) {}
  void clear() noexcept;
  void add(const SkillTally& other) noexcept;
};

struct StepTally {
  std::int64_t columns = 0, out_of_range = 0, left_out = 0;
  std::vector<LawTally> emulated, original;
  std::vector<SkillTally> skill;

  explicit StepTally(const Program& program);
  void clear() noexcept;
  void add(const StepTally& other) noexcept;
};

/// A run's columns, read where they lie: `work` as of the run, its outputs those that the emulator left. `original`:
/// the host's own, or null. `status`: one a column of the fields, or null. `second`: room for the outputs of a tile.
/// Allocates nothing, throws nothing.
void tally(const Program& program, const TileLayout& layout, const TileKernels& kernels, const RunWork& work,
           const std::vector<BoundField>* original, const Status* status, std::byte* arena, double* second,
           StepTally& to) noexcept;

}  // namespace lavoisier::detail

#endif
