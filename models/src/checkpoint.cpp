#include "checkpoint.hpp"

#include <lavoisier/status.hpp>

#include <system_error>

namespace lavoisier::detail {
namespace {

const std::string marker = "checkpoint";  // provenance entry: "finished" or "unfinished"

std::span<const float> floats(const ModelFile& file, const char* name) {
  return file.tensor(std::string("checkpoint.") + name).f32();
}
std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

}  // namespace

std::filesystem::path checkpoint_file(const std::filesystem::path& folder) { return folder / "checkpoint.safetensors"; }

void write_checkpoint(const std::filesystem::path& folder, ModelFile model, const TrainingState& state, bool finished) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(Status::io_error, "checkpoint folder " + folder.string() + " can't be made: " + failure.message());
  model.description.provenance[marker] = finished ? "finished" : "unfinished";
  const auto add = [&](const char* name, const std::vector<float>& values) {
    if (values.empty()) return;
    model.add(Tensor::from(std::string("checkpoint.") + name, {static_cast<std::int64_t>(values.size())},
                           std::span<const float>(values)));
  };
  add("weights", state.weights);
  add("first_moment", state.first_moment);
  add("second_moment", state.second_moment);
  add("average", state.average);
  add("best", state.best);
  const std::vector<std::int64_t> counters = {state.epoch, state.step_in_epoch, state.step,
                                              static_cast<std::int64_t>(state.history.size())};
  model.add(Tensor::from("checkpoint.counters", {4}, std::span<const std::int64_t>(counters)));
  std::vector<double> numbers = {state.loss_sum, state.seconds};
  for (const TrainingProgress& progress : state.history)
    for (const double value : {progress.training_loss, progress.validation_loss, progress.best_validation_loss,
                               static_cast<double>(progress.best_epoch), progress.seconds})
      numbers.push_back(value);
  model.add(Tensor::from("checkpoint.numbers", {static_cast<std::int64_t>(numbers.size())}, std::span<const double>(numbers)));
  model.write(checkpoint_file(folder));
}

TrainingState read_checkpoint(std::span<const std::byte> bytes, const std::filesystem::path& path,
                              const std::map<std::string, std::string>& expected) {
  const ModelFile file = ModelFile::parse(bytes, path.string());
  const auto& found = file.description.provenance;
  if (!found.count(marker)) throw Error(Status::invalid_format, path.string() + " is a model file, not a checkpoint");
  std::string differences;
  for (const auto& [name, value] : expected) {
    const auto entry = found.find(name);
    const std::string there = entry == found.end() ? "(nothing)" : entry->second;
    if (there != value) differences += "\n  " + name + ": checkpoint " + there + ", now " + value;
  }
  if (!differences.empty())
    throw Error(Status::invalid_argument, path.string() + " is of another training:" + differences);

  TrainingState state;
  state.weights = copy(floats(file, "weights"));
  state.first_moment = copy(floats(file, "first_moment"));
  state.second_moment = copy(floats(file, "second_moment"));
  if (file.has_tensor("checkpoint.average")) state.average = copy(floats(file, "average"));
  if (file.has_tensor("checkpoint.best")) state.best = copy(floats(file, "best"));
  const auto counters = file.tensor("checkpoint.counters").i64();
  const auto numbers = file.tensor("checkpoint.numbers").f64();
  if (counters.size() != 4 || counters[3] < 0 || numbers.size() != 2 + 5 * static_cast<std::size_t>(counters[3]))
    throw Error(Status::invalid_format, path.string() + ": the checkpoint's counters don't fit its history");
  state.epoch = counters[0];
  state.step_in_epoch = counters[1];
  state.step = counters[2];
  state.loss_sum = numbers[0];
  state.seconds = numbers[1];
  for (std::int64_t i = 0; i < counters[3]; ++i) {
    const double* at = numbers.data() + 2 + 5 * i;
    TrainingProgress progress;
    progress.epoch = i + 1;
    progress.training_loss = at[0];
    progress.validation_loss = at[1];
    progress.best_validation_loss = at[2];
    progress.best_epoch = static_cast<std::int64_t>(at[3]);
    progress.seconds = at[4];
    state.history.push_back(progress);
  }
  return state;
}

void require_no_unfinished_checkpoint(const std::filesystem::path& folder) {
  const std::filesystem::path path = checkpoint_file(folder);
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) return;
  const ModelFile file = ModelFile::read(path);
  const auto found = file.description.provenance.find(marker);
  if (found != file.description.provenance.end() && found->second == "finished") return;
  throw Error(Status::invalid_argument,
              path.string() + " holds an unfinished training: resume it, or remove the file to start anew");
}

}  // namespace lavoisier::detail
