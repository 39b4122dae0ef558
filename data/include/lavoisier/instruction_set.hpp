#ifndef LAVOISIER_INSTRUCTION_SET_HPP
#define LAVOISIER_INSTRUCTION_SET_HPP

// Which of several tables of kernels, one an instruction set, this process uses. All of them give the same bits.

#include <cstddef>
#include <span>

/// Where kernels for AVX2 and AVX-512 are compiled beside the baseline's (lavoisier_add_kernels in CMake).
#if defined(__x86_64__) && defined(__GNUC__)
#define LAVOISIER_HAVE_X86_64_LEVELS 1
#endif

namespace lavoisier::detail {

/// What this processor runs: 0 the baseline, 1 also AVX2 and FMA, 2 also AVX-512 F, DQ, VL, BW.
int instruction_level() noexcept;

/// Index of the table to use among `names`, best first: the first, or what LAVOISIER_INSTRUCTION_SET asks for.
/// Error(invalid_argument) names those that this processor runs.
int chosen_instruction_set(std::span<const char* const> names);

/// The tables that this processor can run, best first; returns how many.
template <class Table>
int runnable_tables(const Table* baseline, const Table* avx2, const Table* avx512, const Table* (&tables)[3]) noexcept {
  const int level = instruction_level();
  int count = 0;
  if (level >= 2 && avx512 != nullptr) tables[count++] = avx512;
  if (level >= 1 && avx2 != nullptr) tables[count++] = avx2;
  if (baseline != nullptr) tables[count++] = baseline;
  return count;
}

/// The one of `count` tables to use; each has its `name`.
template <class Table>
const Table& chosen_table(const Table* const (&tables)[3], int count) {
  const char* names[3] = {};
  for (int i = 0; i < count; ++i) names[i] = tables[i]->name;
  return *tables[chosen_instruction_set({names, static_cast<std::size_t>(count)})];
}

}  // namespace lavoisier::detail

#endif
