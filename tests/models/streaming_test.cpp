// Training on rows that lie on disk: the same bits as in memory, a bounded buffer, and an end without hanging whatever
// happens to the thread that reads.

#include "batch_loader.hpp"
#include "graphs.hpp"
#include "synthetic.hpp"
#include "thread_communicator.hpp"
#include "training_data.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/graph_training.hpp>
#include <lavoisier/sample_file.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include <unistd.h>

namespace lavoisier::test {
namespace {

using detail::BatchLoader;
using detail::LoadPlan;
using detail::StandardisedRows;
using Bytes = std::vector<std::byte>;

std::size_t count_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}
std::size_t threads_now() { return count_of("/proc/self/task"); }

// The loader alone
// ---------------------------------------------------------------------------------------------------------

/// Rows that are their places; counts what has been read, may fail at a place.
class Places final : public detail::SubsetRows {
 public:
  explicit Places(std::int64_t fails_at = -1) : fails_at_(fails_at) {}
  std::int64_t count() const override { return 1000; }
  std::int64_t sample(std::int64_t place) const override { return place; }
  void gather(std::span<const std::int64_t> places, StandardisedRows& to) const override {
    to.rows.assign(places.begin(), places.end());
    for (const std::int64_t place : places)
      if (place == fails_at_) throw Error(Status::io_error, "row " + std::to_string(place) + " can't be read");
    read += static_cast<std::int64_t>(places.size());
  }
  void write(std::int64_t, const StandardisedRows&) override {}
  mutable std::atomic<std::int64_t> read{0};

 private:
  std::int64_t fails_at_;
};

/// 100 requests of 10 rows.
LoadPlan hundred() {
  return {100, [](std::int64_t request, std::vector<std::int64_t>& places) {
            places.resize(10);
            std::iota(places.begin(), places.end(), 10 * request);
          }};
}

TEST(Loader, HandsOverTheRequestsInOrderWhateverTheBuffer) {
  for (const std::int64_t budget : {0, 80, 100, 800, 100000}) {
    const Places rows;
    BatchLoader loader(rows, 8, hundred(), budget);
    StandardisedRows at;
    for (std::int64_t request = 0; request < 100; ++request) {
      loader.next(at);
      ASSERT_EQ(at.count(), 10);
      ASSERT_EQ(at.rows.front(), 10 * request);
      ASSERT_EQ(at.rows.back(), 10 * request + 9);
    }
    EXPECT_EQ(rows.read, 1000);
  }
}

TEST(Loader, ReadsAheadAsFarAsItsBytesAllowAndNoFarther) {
  const Places rows;
  BatchLoader loader(rows, 8, hundred(), 3 * 80 + 79);
  for (int wait = 0; wait < 2000 && rows.read < 30; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(rows.read, 30);  // in the background, nobody having asked
  StandardisedRows at;
  for (int taken = 1; taken <= 20; ++taken) {
    loader.next(at);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_LE(rows.read, 30 + 10 * taken);
  }
  EXPECT_LT(rows.read, 1000);
}  // joined while it waits for room

TEST(Loader, ThrowsWhatReadingThrewWhenItsTurnHasCome) {
  for (const std::int64_t budget : {0, 80, 100000}) {
    const Places rows(57);
    BatchLoader loader(rows, 8, hundred(), budget);
    StandardisedRows at;
    for (int request = 0; request < 5; ++request) EXPECT_NO_THROW(loader.next(at)) << budget;
    EXPECT_ERROR(loader.next(at), Status::io_error, "row 57");
  }
}

TEST(Loader, LeavesNoThreadBehind) {
  const std::size_t before = threads_now();
  for (int i = 0; i < 200; ++i) {
    const Places rows(i % 3 == 0 ? 30 : -1);
    BatchLoader loader(rows, 8, hundred(), 160);
    StandardisedRows at;
    for (int request = 0; request < i % 3; ++request) loader.next(at);
  }
  EXPECT_EQ(threads_now(), before);
}

// Whole trainings
// ----------------------------------------------------------------------------------------------------------

TrainingOptions options_for(const std::string& name) {
  TrainingOptions options;
  options.network.hidden = {16, 16};
  options.epochs = 3;
  options.batch = 100;
  options.threads = 1;
  options.input_noise = 0.05;
  options.ema = 0.9;
  if (name == "mlp") {
    options.network.dropout = 0.1;
  } else if (name == "libtorch") {
    options.network.hidden = {128, 128};
    options.batch = 256;
  } else if (name == "max_abs") {
    options.scaling = name;
  } else if (name == "parts") {
    options.micro_batches = 3;
  } else if (name == "vae" || name == "ladder_vae") {
    options.generator.name = name;
    options.generator.latents = name == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{3, 2};
    options.loss = Loss::likelihood;
  } else {
    options.generator.name = name;
    options.loss = Loss::squared_error;
  }
  return options;
}

/// As many samples as need several pieces.
const Synthetic& problem() {
  static const Synthetic made = synthetic(6000);
  return made;
}

/// y0 + x1 y1 - 2 y2 = x0: coefficients of each sample's own.
Synthetic with_own_coefficients() {
  Synthetic made = synthetic(1500);
  made.laws[0].terms[1].coefficient = Expression::symbol("x1");
  for (std::int64_t row = 0; row < made.samples.samples; ++row) {
    const double* x = made.samples.inputs.data() + 3 * row;
    double* y = made.samples.outputs.data() + 3 * row;
    y[2] = 0.5 * (y[0] + x[1] * y[1] - x[0]);
  }
  return made;
}

SampleFile file_of(const SampleSet& samples, const std::filesystem::path& folder) {
  SampleFile file(samples.layout, folder);
  for (std::int64_t first = 0; first < samples.samples; first += 700)
    file.append(SampleSetSource(samples).read(first, std::min<std::int64_t>(700, samples.samples - first)));
  file.set_source(samples.source);
  return file;
}

Bytes in_memory(const Synthetic& given, const TrainingOptions& options) {
  return train(given.samples, given.constraints(), options).model.serialize();
}

/// Bytes that `options` need, as the refusal of too few says.
std::int64_t needed(const Synthetic& given, TrainingOptions options) {
  options.buffer_bytes = 1;
  try {
    train(given.samples, given.constraints(), options);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::invalid_argument);
    const std::string text = error.what(), before = "expected at least ";
    EXPECT_NE(text.find("buffer_bytes: " + before), std::string::npos) << text;
    return std::stoll(text.substr(text.find(before) + before.size()));
  }
  ADD_FAILURE() << "no error";
  return 0;
}

class OnDisk : public testing::TestWithParam<const char*> {};

TEST_P(OnDisk, TrainsToTheSameBits) {
  const Folder folder("streaming");
  TrainingOptions options = options_for(GetParam());
  const Bytes expected = in_memory(problem(), options);
  options.scratch = folder.path();
  const std::int64_t least = needed(problem(), options);
  const SampleFile file = file_of(problem().samples, folder.path());
  const std::size_t threads = threads_now();
  for (const std::int64_t bytes : {least, 5 * least, std::int64_t{1} << 30}) {
    options.buffer_bytes = bytes;
    EXPECT_EQ(train(file, problem().constraints(), options).model.serialize(), expected) << bytes;
  }
  options.buffer_bytes = 0;  // read from a file, rows in memory
  EXPECT_EQ(train(file, problem().constraints(), options).model.serialize(), expected);
  EXPECT_EQ(threads_now(), threads);
  EXPECT_EQ(count_of(folder.path()), 0U);  // scratch files have no names
}
INSTANTIATE_TEST_SUITE_P(All, OnDisk,
                         testing::Values("mlp", "libtorch", "max_abs", "parts", "vae", "ladder_vae", "ddpm",
                                         "flow_matching"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(OnDiskToo, CoefficientsOfEachSampleAndNoSplit) {
  const Folder folder("streaming");
  TrainingOptions options = options_for("mlp");
  options.scratch = folder.path();
  Synthetic own = with_own_coefficients();
  for (const bool split : {true, false}) {
    if (!split) {
      own.samples.subset.clear();
      options.selection = "last";
    }
    options.buffer_bytes = 0;
    const Bytes expected = in_memory(own, options);
    options.buffer_bytes = needed(own, options);
    EXPECT_EQ(in_memory(own, options), expected) << split;
  }
  options.strategy = Strategy::completion;
  EXPECT_ERROR(in_memory(own, options), Status::unsupported, "'completion'", "without a buffer");
}

TEST(OnDiskToo, ABufferThatHoldsNoBatchIsRefused) {
  TrainingOptions options = options_for("mlp");
  const std::int64_t least = needed(problem(), options);
  options.buffer_bytes = least - 1;
  EXPECT_ERROR(in_memory(problem(), options), Status::invalid_argument, "expected at least " + std::to_string(least),
               "MiB", "found " + std::to_string(least - 1));
  options.buffer_bytes = -1;
  EXPECT_ERROR(in_memory(problem(), options), Status::invalid_argument, "buffer_bytes", "found -1");
  // A larger batch needs more, a part of it less.
  options.batch = 3000;
  EXPECT_GT(needed(problem(), options), 2 * least);
  options.micro_batches = 3;
  EXPECT_LE(needed(problem(), options), least);
}

TEST(OnDiskToo, CheckpointsGoOnEitherWay) {
  const Folder folder("streaming");
  TrainingOptions options = options_for("mlp");
  const Bytes expected = in_memory(problem(), options);
  for (const bool first_on_disk : {true, false}) {
    options.checkpoint = folder.path() / (first_on_disk ? "disk" : "memory");
    options.scratch = folder.path();
    options.buffer_bytes = first_on_disk ? 100000 : 0;
    options.resume = false;
    // Within an epoch, not between two.
    std::atomic<bool> stop{false};
    const auto after_first = [&](const TrainingProgress&) { stop = true; };
    EXPECT_ERROR(train(problem().samples, problem().constraints(), options, after_first, &stop), Status::interrupted,
                 "resume");
    options.buffer_bytes = first_on_disk ? 0 : 100000;
    options.resume = true;
    EXPECT_EQ(in_memory(problem(), options), expected) << first_on_disk;
  }
}

TEST(OnDiskToo, StopsAtAnyStepWithoutHangingOrLeavingAThread) {
  const Folder folder("streaming");
  TrainingOptions options = options_for("mlp");
  options.epochs = 100000;
  options.scratch = folder.path();
  options.buffer_bytes = needed(problem(), options);
  const std::size_t threads = threads_now();
  for (int wait = 0; wait < 12; ++wait) {
    std::atomic<bool> stop{false};
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(7 * wait));
      stop = true;
    });
    EXPECT_ERROR(train(problem().samples, problem().constraints(), options, {}, &stop), Status::interrupted,
                 "training stopped before ");
    stopper.join();
    EXPECT_EQ(threads_now(), threads);
  }
  const auto throws = [](const TrainingProgress&) { throw Error(Status::internal, "the listener's own"); };
  EXPECT_ERROR(train(problem().samples, problem().constraints(), options, throws), Status::internal,
               "the listener's own");
  EXPECT_EQ(threads_now(), threads);
}

/// Samples that ask to stop when they are read for the n-th time.
class StoppingSource final : public SampleSource {
 public:
  StoppingSource(const SampleSet& set, std::int64_t last) : set_(set), last_(last) {}
  const StateLayout& layout() const override { return set_.layout(); }
  std::int64_t samples() const override { return set_.samples(); }
  bool has_split() const override { return set_.has_split(); }
  std::int64_t count(Subset subset) const override { return set_.count(subset); }
  std::string source() const override { return set_.source(); }
  SampleSet read(std::int64_t first, std::int64_t count) const override {
    if (++reads == last_) stop = true;
    return set_.read(first, count);
  }
  mutable std::int64_t reads = 0;
  mutable std::atomic<bool> stop{false};

 private:
  SampleSetSource set_;
  std::int64_t last_;
};

/// At whichever piece of the preparation: also of the scratch files' passes, which follow the last reading.
TEST(OnDiskToo, StopsWhileTheDataArePrepared) {
  const Folder folder("streaming");
  TrainingOptions options = options_for("mlp");
  options.scratch = folder.path();
  options.buffer_bytes = needed(problem(), options);
  const LinearConstraints constraints = problem().constraints();
  const StoppingSource all(problem().samples, -1);
  const detail::TrainingData data(all, constraints, true, options.scaling, {true, folder.path(), nullptr});
  ASSERT_GE(all.reads, 4);
  for (std::int64_t last = 1; last <= all.reads; ++last) {
    const StoppingSource source(problem().samples, last);
    EXPECT_ERROR(train(source, constraints, options, {}, &source.stop), Status::interrupted,
                 "while its data were prepared");
    EXPECT_EQ(source.reads, last);
  }
}

/// Cuts the process' scratch files of a folder short: they have no names, but the system shows them by their
/// descriptors.
int cut_scratch_files(const std::filesystem::path& folder) {
  int cut = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code failure;
    const std::string target = std::filesystem::read_symlink(entry.path(), failure).string();
    if (failure || target.find(folder.string()) != 0) continue;
    if (::truncate(entry.path().c_str(), 5000) == 0) ++cut;
  }
  return cut;
}

TEST(OnDiskToo, AFileThatIsCutShortEndsTheTrainingWithItsName) {
  const Folder folder("streaming");
  TrainingOptions options = options_for("mlp");
  options.scratch = folder.path();
  options.buffer_bytes = needed(problem(), options);
  const std::size_t threads = threads_now();
  int cut = 0;
  const auto cutting = [&](const TrainingProgress&) { cut = cut_scratch_files(folder.path()); };
  EXPECT_ERROR(train(problem().samples, problem().constraints(), options, cutting), Status::io_error, "training rows",
               folder.path().string(), "cut short");
  EXPECT_EQ(cut, 2);  // of training and of validation
  EXPECT_EQ(threads_now(), threads);

  // By ranks that share the training: one error, on all.
  options.micro_batches = 3;
  options.buffer_bytes = 1 << 20;
  const auto failures = on_ranks(2, [&](TrainingCommunicator& communicator) {
    train(problem().samples, problem().constraints(), options, cutting, nullptr, &communicator);
  });
  for (const auto& failure : failures) {
    ASSERT_TRUE(failure);
    EXPECT_ERROR(std::rethrow_exception(failure), Status::io_error, "cut short");
  }
  EXPECT_EQ(threads_now(), threads);
}

TEST(OnDiskToo, RanksReadTheirOwnShare) {
  const Folder folder("streaming");
  for (const char* name : {"mlp", "vae", "ddpm"}) {
    TrainingOptions options = options_for(name);
    options.micro_batches = 4;
    const Bytes expected = in_memory(problem(), options);
    options.scratch = folder.path();
    options.buffer_bytes = needed(problem(), options);
    const auto failures = on_ranks(3, [&](TrainingCommunicator& communicator) {
      EXPECT_EQ(
          train(problem().samples, problem().constraints(), options, {}, nullptr, &communicator).model.serialize(),
          expected);
    });
    for (const auto& failure : failures) EXPECT_FALSE(failure) << name;
  }
}

TEST(OnDiskToo, GraphsAreRefused) {
  TrainingOptions options;
  options.generator.name = "mpnn";
  options.buffer_bytes = 1 << 20;
  EXPECT_ERROR(train(GraphSet{}, options), Status::unsupported, "buffer_bytes", "graphs are trained in memory");
}

TEST(SampleFiles, HoldWhatWasPutInAndCheckTheRoom) {
  const Folder folder("streaming");
  const SampleSet& set = problem().samples;
  const SampleFile file = file_of(set, folder.path() / "made");
  ASSERT_EQ(file.samples(), set.samples);
  EXPECT_EQ(file.count(Subset::validation), 1500);
  const SampleSet found = file.read(690, 1400), expected = SampleSetSource(set).read(690, 1400);
  EXPECT_EQ(found.inputs, expected.inputs);
  EXPECT_EQ(found.outputs, expected.outputs);
  EXPECT_EQ(found.subset, expected.subset);
  EXPECT_EQ(found.column, expected.column);
  EXPECT_EQ(found.step, expected.step);
  EXPECT_ERROR(file.read(5999, 2), Status::out_of_range, "has 6000");
  EXPECT_NO_THROW(file.require_space(1000));
  EXPECT_ERROR(file.require_space(std::int64_t{1} << 55), Status::no_space, "samples",
               "free in " + folder.path().string());
  write_file_atomically(folder.path() / "file", std::string("no folder"));
  EXPECT_ERROR(SampleFile(set.layout, folder.path() / "file" / "x"), Status::io_error, "can't be made");
}

TEST(Pieces, HaveTheSubsetsSamplesInOrderAndAFixedSize) {
  const SampleSetSource source(problem().samples);
  EXPECT_EQ(samples_of_piece(source.layout()), 1024);
  std::vector<std::int64_t> sizes, all;
  for_each_piece(source, Subset::validation, [&](const SampleSet& piece, const std::vector<std::int64_t>& index) {
    sizes.push_back(piece.samples);
    all.insert(all.end(), index.begin(), index.end());
    EXPECT_EQ(piece.outputs, select(problem().samples, index).outputs);
  });
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{1024, 476}));
  ASSERT_EQ(all.size(), 1500U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<std::int64_t>(4 * i + 3));
  Variable wide = scalar("x", Role::input);
  wide.dimensions = {"channel"};
  EXPECT_EQ(samples_of_piece(StateLayout({{"channel", DimensionKind::channel, 1024, false}}, {wide})), 128);  // 1 MiB
  EXPECT_EQ(samples_of_piece(StateLayout({{"channel", DimensionKind::channel, 1 << 20, false}}, {wide})), 1);
}

}  // namespace
}  // namespace lavoisier::test
