// Stopping, resuming to the same bits, and refusing what doesn't belong together.

#include "synthetic.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

namespace lavoisier::test {
namespace {

TrainingOptions options_for(const std::filesystem::path& folder) {
  TrainingOptions options;
  options.network.hidden = {16, 16};
  options.network.dropout = 0.1;
  options.epochs = 6;
  options.batch = 64;
  options.ema = 0.98;
  options.weight_decay = 0.01;
  options.threads = 1;
  options.checkpoint = folder;
  return options;
}

std::vector<std::byte> uninterrupted(const Synthetic& problem) {
  TrainingOptions options = options_for("");
  return train(problem.samples, problem.constraints(), options).model.serialize();
}

/// Trains until the listener has heard `epochs` epochs, then stops.
void stop_after(const Synthetic& problem, const TrainingOptions& options, std::int64_t epochs) {
  std::atomic<bool> stop{false};
  const auto listener = [&](const TrainingProgress& progress) { stop = progress.epoch >= epochs; };
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options, listener, &stop), Status::interrupted, "resume",
               "checkpoint.safetensors", "epoch " + std::to_string(epochs + 1) + " of 6");
}

class Resume : public testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, const char*>> {};

TEST_P(Resume, EndsInTheSameBits) {
  const auto [width, batch, engine] = GetParam();
  const Synthetic problem = synthetic();
  const Folder folder("resume");
  TrainingOptions options = options_for(folder.path());
  options.network.hidden = {width, width};
  options.batch = batch;
  TrainingOptions whole = options;
  whole.checkpoint = "";
  const ModelFile model = train(problem.samples, problem.constraints(), whole).model;
  EXPECT_EQ(model.description.provenance.at("training.engine"), engine);
  const auto expected = model.serialize();
  stop_after(problem, options, 2);
  options.resume = true;
  stop_after(problem, options, 4);
  const TrainingResult result = train(problem.samples, problem.constraints(), options);
  EXPECT_EQ(result.model.serialize(), expected);
  ASSERT_EQ(result.history.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(result.history[i].epoch, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(result.history[i].epochs, 6);
  }
  // Once more from a finished training: nothing left to do, the same model.
  EXPECT_EQ(train(problem.samples, problem.constraints(), options).model.serialize(), expected);
}
INSTANTIATE_TEST_SUITE_P(Engines, Resume, testing::Values(std::tuple(16, 64, "loops"), std::tuple(128, 256, "libtorch")),
                         [](const auto& instance) { return std::string(std::get<2>(instance.param)); });

TEST(Resume, OfASampledEstimatorEndsInTheSameBits) {
  const Synthetic problem = synthetic();
  const Folder folder("resume-sampled");
  TrainingOptions options = options_for(folder.path());
  options.loss = Loss::energy;
  options.estimator = Estimator::rao_blackwell;
  options.draws = 3;
  TrainingOptions whole = options;
  whole.checkpoint = "";
  const auto expected = train(problem.samples, problem.constraints(), whole).model.serialize();
  stop_after(problem, options, 2);
  options.resume = true;
  TrainingOptions other = options;
  other.draws = 4;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), other), Status::invalid_argument, "draws");
  EXPECT_EQ(train(problem.samples, problem.constraints(), options).model.serialize(), expected);
}

TEST(Checkpoint, WithinAnEpoch) {
  const Synthetic problem = synthetic();
  const auto expected = uninterrupted(problem);
  const Folder folder("within");
  TrainingOptions options = options_for(folder.path());
  // Stops wherever it finds itself some time into the second epoch, again and again.
  for (int run = 0; run < 100; ++run) {
    std::atomic<bool> stop{false};
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
      stop = true;
    });
    bool finished = false;
    try {
      const TrainingResult result = train(problem.samples, problem.constraints(), options, {}, &stop);
      finished = true;
      EXPECT_EQ(result.model.serialize(), expected);
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::interrupted) << error.what();
    }
    stopper.join();
    if (finished) return;
    options.resume = std::filesystem::exists(folder.path() / "checkpoint.safetensors");  // none before the first step
  }
  EXPECT_EQ(train(problem.samples, problem.constraints(), options).model.serialize(), expected);
}

TEST(Checkpoint, IsNeverAheadOfWhatTheListenerHasHeard) {
  const Synthetic problem = synthetic();
  const Folder folder("heard");
  TrainingOptions options = options_for(folder.path());
  std::vector<TrainingStart> starts;
  options.started = [&](const TrainingStart& start) { starts.push_back(start); };
  std::atomic<bool> stop{false};
  std::vector<double> rates;
  const auto listener = [&](const TrainingProgress& progress) {
    // The checkpoint of an epoch is written behind its line: killed in between, the epoch is trained, and heard, again.
    if (progress.epoch == 1) {
      EXPECT_EQ(starts.size(), 1U);
      EXPECT_FALSE(std::filesystem::exists(folder.path() / "checkpoint.safetensors"));
    }
    rates.push_back(progress.learning_rate);
    stop = progress.epoch == 2;
  };
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options, listener, &stop), Status::interrupted);
  options.resume = true;
  train(problem.samples, problem.constraints(), options, listener);
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0].epochs_done, 0);
  EXPECT_EQ(starts[1].epochs_done, 2);
  EXPECT_EQ(starts[1].threads, 1);
  EXPECT_EQ(starts[1].weights, starts[0].weights);
  // A refused training does not start.
  options.resume = false;
  options.batch = -1;
  EXPECT_THROW(train(problem.samples, problem.constraints(), options, listener), Error);
  EXPECT_EQ(starts.size(), 2U);
  // Cosine: of the last step of each of the six epochs.
  ASSERT_EQ(rates.size(), 6U);
  const std::int64_t steps = (select(problem.samples, Subset::training).samples + options_for("").batch - 1) / options_for("").batch;
  for (std::size_t i = 0; i < 6; ++i) {
    const double at = static_cast<double>(steps * static_cast<std::int64_t>(i + 1) - 1) / static_cast<double>(6 * steps);
    EXPECT_NEAR(rates[i], options.learning_rate * 0.5 * (1 + std::cos(M_PI * at)), 1e-15) << i;
  }
}

TEST(Checkpoint, OfAnotherTrainingIsRefused) {
  const Synthetic problem = synthetic();
  const Folder folder("another");
  TrainingOptions options = options_for(folder.path());
  stop_after(problem, options, 1);
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, "unfinished", "resume");
  options.resume = true;
  TrainingOptions other = options;
  other.batch = 65;
  other.strategy = Strategy::none;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), other), Status::invalid_argument,
               "option.batch: checkpoint 64, now 65", "option.strategy: checkpoint conditional, now none");
  Synthetic moved = problem;
  moved.samples.inputs[4] += 1.0;
  EXPECT_ERROR(train(moved.samples, moved.constraints(), options), Status::invalid_argument, "data.digest");
  Synthetic law = problem;
  law.laws[0].physics_tolerance = 100.0;
  law.laws[0].right_hand_side = Expression::symbol("x0") + Expression(0.5);
  EXPECT_ERROR(train(law.samples, law.constraints(), options), Status::invalid_argument, "laws.digest");
  EXPECT_NO_THROW(train(problem.samples, problem.constraints(), options));
}

TEST(Checkpoint, ThatIsMissingOrDamagedIsRefused) {
  const Synthetic problem = synthetic();
  const Folder folder("damaged");
  TrainingOptions options = options_for(folder.path());
  options.resume = true;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::not_found, "checkpoint.safetensors");
  options.resume = false;
  stop_after(problem, options, 1);
  options.resume = true;
  const std::filesystem::path file = folder.path() / "checkpoint.safetensors";
  std::vector<std::byte> bytes = read_file(file);
  bytes[bytes.size() - 9] ^= std::byte{1};
  write_file_atomically(file, bytes);
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::digest_mismatch, "checkpoint.safetensors");
}

TEST(Checkpoint, OfAFinishedTrainingIsWrittenOver) {
  const Synthetic problem = synthetic();
  const Folder folder("finished");
  TrainingOptions options = options_for(folder.path());
  train(problem.samples, problem.constraints(), options);
  options.seed = 5;
  EXPECT_NO_THROW(train(problem.samples, problem.constraints(), options));
}

TEST(Checkpoint, SurvivesDivergence) {
  const Synthetic problem = synthetic();
  const Folder folder("divergence");
  TrainingOptions options = options_for(folder.path());
  options.loss = Loss::likelihood;
  options.learning_rate = 1e30;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::non_finite, "last good state",
               "checkpoint.safetensors");
  const ModelFile kept = ModelFile::read(folder.path() / "checkpoint.safetensors");
  for (const float weight : kept.tensor("checkpoint.weights").f32()) ASSERT_TRUE(std::isfinite(weight));
}

TEST(Checkpoint, WithoutAFolderNothingIsKept) {
  const Synthetic problem = synthetic();
  const std::atomic<bool> stop{true};
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options_for(""), {}, &stop), Status::interrupted,
               "nothing is kept");
}

}  // namespace
}  // namespace lavoisier::test
