#ifndef LAVOISIER_PLUGIN_LAW_PASSES_HPP
#define LAVOISIER_PLUGIN_LAW_PASSES_HPP

namespace lavoisier::detail {

/// A column with a pivot of W's factor below this share of its row's entry is a suspect: the factor may be off by more
/// than two passes take off.
inline constexpr double suspect_share = 0x1.0p-20;
/// How often a suspect is passed again. It must then hold its laws to the identity tolerance, else it is flagged.
inline constexpr int repeated_passes = 6;

}  // namespace lavoisier::detail

#endif
