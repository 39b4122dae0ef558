#ifndef LAVOISIER_MODELS_SUBSET_ROWS_HPP
#define LAVOISIER_MODELS_SUBSET_ROWS_HPP

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/scratch_file.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Rows of one subset in standardised units.
struct StandardisedRows {
  std::vector<std::int64_t> rows;  ///< indices in the sample set
  std::vector<float> x;            ///< rows x inputs
  RowMatrix y;                     ///< rows x active outputs, on the laws
  RowMatrix d;                     ///< rows x laws: A y = d in standardised units
  RowMatrix A;                     ///< (rows * laws) x active where coefficients differ between samples, else empty
  std::int64_t count() const { return static_cast<std::int64_t>(rows.size()); }
};

/// What each row of a subset has.
struct RowShape {
  std::int64_t inputs = 0, outputs = 0, laws = 0;  ///< outputs: the active ones
  bool own_laws = false;                           ///< coefficients of its own
  std::int64_t bytes() const;                      ///< in memory and in a scratch file
};

/// The rows of a subset wherever they lie, by their places in it (0 to count() - 1).
class SubsetRows {
 public:
  virtual ~SubsetRows() = default;
  virtual std::int64_t count() const = 0;
  virtual std::int64_t sample(std::int64_t place) const = 0;  ///< a row's index in the sample set
  /// Copies the rows at these places, in their order; keeps `to`'s memory. One thread beside the caller's may do so.
  virtual void gather(std::span<const std::int64_t> places, StandardisedRows& to) const = 0;
  /// Replaces the rows from place `first` on.
  virtual void write(std::int64_t first, const StandardisedRows& rows) = 0;
};

/// In memory: rows that it refers to.
class RowsInMemory final : public SubsetRows {
 public:
  explicit RowsInMemory(StandardisedRows& rows) : rows_(rows) {}
  RowsInMemory(StandardisedRows& rows, const RowShape& shape, std::int64_t count);  ///< makes room
  std::int64_t count() const override { return rows_.count(); }
  std::int64_t sample(std::int64_t place) const override { return rows_.rows[static_cast<std::size_t>(place)]; }
  void gather(std::span<const std::int64_t> places, StandardisedRows& to) const override;
  void write(std::int64_t first, const StandardisedRows& rows) override;

 private:
  StandardisedRows& rows_;
};

/// In a scratch file: records of one size in the order of places. Errors as of ScratchFile.
class RowsInFile final : public SubsetRows {
 public:
  /// `what`: "training rows", for messages. Error(no_space) where the folder has no room for `count` rows.
  RowsInFile(const std::filesystem::path& folder, const RowShape& shape, std::int64_t count, const std::string& what);
  std::int64_t count() const override { return count_; }
  std::int64_t sample(std::int64_t place) const override;
  /// Reads neighbours together.
  void gather(std::span<const std::int64_t> places, StandardisedRows& to) const override;
  void write(std::int64_t first, const StandardisedRows& rows) override;

 private:
  void decode(const std::byte* record, std::int64_t row, StandardisedRows& to) const;
  RowShape shape_;
  std::int64_t count_;
  ScratchFile file_;
};

}  // namespace lavoisier::detail

#endif
