#ifndef LAVOISIER_MODELS_CHECKPOINT_HPP
#define LAVOISIER_MODELS_CHECKPOINT_HPP

#include <lavoisier/model_file.hpp>
#include <lavoisier/training.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Where a training stands between two steps: all that its continuation depends on.
struct TrainingState {
  std::int64_t epoch = 0;          ///< of the next step
  std::int64_t step_in_epoch = 0;
  std::int64_t step = 0;           ///< counted over all epochs
  double loss_sum = 0.0;           ///< of this epoch's rows so far
  double seconds = 0.0;
  std::vector<float> weights, first_moment, second_moment, average;
  std::vector<float> best;         ///< weights of the best epoch so far; empty before the first
  std::vector<TrainingProgress> history;
};

std::filesystem::path checkpoint_file(const std::filesystem::path& folder);

/// Writes folder/checkpoint.safetensors (a model file of the best weights so far with the state beside them): atomic,
/// with a digest. Makes the folder if need be.
void write_checkpoint(const std::filesystem::path& folder, ModelFile model, const TrainingState& state, bool finished);

/// Reads the file's bytes. `expected` (options, data, version) must agree with what the checkpoint says, entry by entry,
/// else Error(invalid_argument) names the entries that differ.
TrainingState read_checkpoint(std::span<const std::byte> bytes, const std::filesystem::path& path,
                              const std::map<std::string, std::string>& expected);

/// Refuses to start anew over an unfinished checkpoint.
void require_no_unfinished_checkpoint(const std::filesystem::path& folder);

}  // namespace lavoisier::detail

#endif
