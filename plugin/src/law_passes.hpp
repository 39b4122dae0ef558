#ifndef LAVOISIER_PLUGIN_LAW_PASSES_HPP
#define LAVOISIER_PLUGIN_LAW_PASSES_HPP

namespace lavoisier::detail {

/// W scaled to unit diagonal has at least its determinant, over e, as its smallest eigenvalue (the others sum to m at
/// most). The determinant is the product of the pivots' shares of their rows' entries: where it is below this, the factor
/// may be off by more than two passes take off, and the column is a suspect.
inline constexpr double suspect_determinant = 0x1.0p-20;
/// How often a suspect whose laws do not hold to the identity tolerance is passed again. If they still don't, it is
/// flagged.
inline constexpr int repeated_passes = 6;
/// Columns that a tile has at most.
inline constexpr int widest_tile = 32;
/// Relative residual beyond which a law that follows from others, and is therefore not solved for, makes a column's laws
/// contradict each other: of outputs all stored in FP64, and of others. It is a combination of the others' rounding.
inline constexpr double contradiction_fp64 = 1e-9, contradiction_fp32 = 1e-4;

}  // namespace lavoisier::detail

#endif
