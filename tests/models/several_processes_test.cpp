// Training by several processes: the same bits whatever their number, one end for all.

#include "network_plan.hpp"
#include "ordered_sum.hpp"
#include "synthetic.hpp"
#include "thread_communicator.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <optional>

namespace lavoisier::test {
namespace {

using detail::OrderedSum;
using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

/// The numbers of a part: of sizes from 1e-6 to 1e6, so that every order of the sum rounds differently.
Floats part_values(int part, std::int64_t length) {
  Floats values;
  for (std::int64_t i = 0; i < length; ++i) {
    const auto normal = [&](std::uint64_t site) {
      return random::normal(
          {3, 0}, {.column = static_cast<std::uint64_t>(part), .site = site, .element = static_cast<std::uint64_t>(i)});
    };
    values.push_back(static_cast<float>(normal(0) * std::pow(10.0, 3.0 * normal(1))));
  }
  return values;
}
double part_weight(int part) { return 0.1 + 0.01 * part; }

/// The documented order, straight from its words.
float tree(const std::vector<Floats>& parts, int first, int last, std::size_t i) {
  if (last - first == 1)
    return static_cast<float>(part_weight(first) * static_cast<double>(parts[static_cast<std::size_t>(first)][i]));
  const int middle = first + (last - first) / 2;
  return tree(parts, first, middle, i) + tree(parts, middle, last, i);
}

class Sums : public testing::TestWithParam<std::tuple<int, std::int64_t>> {};

TEST_P(Sums, HaveTheSameBitsForEveryNumberOfRanks) {
  const auto [parts, length] = GetParam();
  std::vector<Floats> values;
  for (int part = 0; part < parts; ++part) values.push_back(part_values(part, length));
  Floats expected, one_after_another;
  for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
    expected.push_back(tree(values, 0, parts, i));
    float sum = 0.0F;
    for (int part = 0; part < parts; ++part)  // as a plain sum has them
      sum += static_cast<float>(part_weight(part) * static_cast<double>(values[static_cast<std::size_t>(part)][i]));
    one_after_another.push_back(sum);
  }
  for (const int ranks : {1, 2, 3, 4, 5, 8}) {
    if (ranks > parts) continue;
    std::vector<Floats> found(static_cast<std::size_t>(ranks), Floats(static_cast<std::size_t>(length), -1.0F));
    const auto failures = on_ranks(ranks, [&](TrainingCommunicator& communicator) {
      OrderedSum sum(length, parts, &communicator);
      Floats& own = found[static_cast<std::size_t>(communicator.rank())];
      for (int round = 0; round < 2; ++round) {  // again with the same buffers
        int next = sum.own().first;
        sum.add_own([&](int part) -> OrderedSum::Part {
          EXPECT_EQ(part, next++);
          return {values[static_cast<std::size_t>(part)], part_weight(part)};
        });
        EXPECT_EQ(next, sum.own().last);
        sum.finish(own);
      }
    });
    for (const auto& failure : failures) ASSERT_FALSE(failure);
    for (const Floats& own : found) EXPECT_EQ(own, expected) << ranks << " ranks";
  }
  if (parts > 2 && length > 10) {
    EXPECT_NE(one_after_another, expected);
  }
}
INSTANTIATE_TEST_SUITE_P(All, Sums,
                         testing::Combine(testing::Values(1, 2, 3, 7, 8, 13), testing::Values(1, 3, 257, 40000)));

TEST(Sums, EmptyPartsAreZero) {
  OrderedSum sum(3, 4, nullptr);
  const Floats one = {1.0F, 2.0F, 3.0F};
  for (const int given : {0, 1, 3}) {
    sum.add_own([&](int part) -> OrderedSum::Part {
      return part == given ? OrderedSum::Part{one, 0.5} : OrderedSum::Part{};
    });
    Floats found(3, -1.0F);
    sum.finish(found);
    EXPECT_EQ(found, (Floats{0.5F, 1.0F, 1.5F})) << given;
  }
}

TEST(RandomNumbers, OfAPartAreThoseOfItsPlaceInTheBatch) {
  Floats factors(300), noise(300, 1.0F);
  detail::dropout_factors(factors, 0.3, 1, 2, 0);
  detail::add_input_noise(noise, 0.5, 7, 3);
  for (const std::size_t first : {1U, 15U, 16U, 39U, 160U, 290U})
    for (const std::size_t count : {1U, 10U}) {
      Floats part(count), part_noise(count, 1.0F);
      detail::dropout_factors(part, 0.3, 1, 2, 0, static_cast<std::int64_t>(first));
      detail::add_input_noise(part_noise, 0.5, 7, 3, static_cast<std::int64_t>(first));
      EXPECT_TRUE(std::equal(part.begin(), part.end(), factors.begin() + static_cast<std::ptrdiff_t>(first))) << first;
      EXPECT_TRUE(std::equal(part_noise.begin(), part_noise.end(), noise.begin() + static_cast<std::ptrdiff_t>(first)))
          << first;
    }
}

TrainingOptions options_for(const std::string& name) {
  TrainingOptions options;
  options.network.hidden = {16, 16};
  options.epochs = 3;
  options.batch = 100;
  options.input_noise = 0.05;
  options.ema = 0.98;
  options.weight_decay = 0.01;
  options.gradient_clip = 5.0;
  options.threads = 1;
  options.micro_batches = 8;
  if (name == "mlp" || name == "mlp_libtorch" || name == "estimator") options.network.dropout = 0.1;
  if (name == "mlp_libtorch") {
    options.network.hidden = {128, 128};
    options.batch = 256;
  } else if (name == "estimator") {
    options.loss = Loss::energy;
    options.estimator = Estimator::rao_blackwell;
    options.draws = 3;
  } else if (name == "vae" || name == "ladder_vae") {
    options.generator.name = name;
    options.generator.latents = name == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{3, 2};
    options.generator.kl_warm_up = 2;
    options.loss = Loss::likelihood;
  } else if (name == "ddpm" || name == "flow_matching") {
    options.generator.name = name;
    options.loss = Loss::squared_error;
  }
  return options;
}

Bytes trained(const Synthetic& problem, const TrainingOptions& options) {
  return train(problem.samples, problem.constraints(), options).model.serialize();
}

/// What each of several ranks trains.
std::vector<Bytes> trained_by(int ranks, const Synthetic& problem, const TrainingOptions& options) {
  std::vector<Bytes> models(static_cast<std::size_t>(ranks));
  const auto failures = on_ranks(ranks, [&](TrainingCommunicator& communicator) {
    models[static_cast<std::size_t>(communicator.rank())] =
        train(problem.samples, problem.constraints(), options, {}, nullptr, &communicator).model.serialize();
  });
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return models;
}

Floats weights_of(const Bytes& bytes) {
  const ModelFile model = ModelFile::parse(bytes, "memory");
  Floats weights;
  for (const Tensor& tensor : model.tensors())
    if (tensor.type == TensorType::f32) weights.insert(weights.end(), tensor.f32().begin(), tensor.f32().end());
  return weights;
}

class Generators : public testing::TestWithParam<const char*> {};

TEST_P(Generators, HaveTheSameBitsForEveryNumberOfRanks) {
  const Synthetic problem = synthetic();
  TrainingOptions options = options_for(GetParam());
  const TrainingResult alone = train(problem.samples, problem.constraints(), options);
  EXPECT_EQ(alone.model.description.provenance.at("option.micro_batches"), "8");
  const Bytes expected = alone.model.serialize();
  for (const int ranks : {1, 2, 3, 4})
    for (const Bytes& model : trained_by(ranks, problem, options)) EXPECT_TRUE(model == expected) << ranks << " ranks";
  // The number of micro-batches rounds differently, and means the same: all random numbers are those of M = 1.
  options.micro_batches = 1;
  const TrainingResult whole = train(problem.samples, problem.constraints(), options);
  EXPECT_EQ(whole.model.description.provenance.count("option.micro_batches"), 0U);
  ASSERT_EQ(whole.history.size(), alone.history.size());
  bool same = true;
  for (std::size_t i = 0; i < whole.history.size(); ++i) {
    EXPECT_NEAR(whole.history[i].training_loss, alone.history[i].training_loss,
                2e-4 * (1 + std::abs(whole.history[i].training_loss)));
    EXPECT_NEAR(whole.history[i].validation_loss, alone.history[i].validation_loss,
                2e-4 * (1 + std::abs(whole.history[i].validation_loss)));
    same = same && whole.history[i].training_loss == alone.history[i].training_loss;
  }
  EXPECT_FALSE(same);
}
INSTANTIATE_TEST_SUITE_P(All, Generators,
                         testing::Values("mlp", "mlp_libtorch", "estimator", "vae", "ladder_vae", "ddpm",
                                         "flow_matching"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(SeveralProcesses, WithAsManyMicroBatchesAsRanksTheBitsWouldDiffer) {
  const Synthetic problem = synthetic();
  TrainingOptions two = options_for("mlp"), four = two;
  two.micro_batches = 2;
  four.micro_batches = 4;
  EXPECT_NE(weights_of(trained_by(2, problem, two)[0]), weights_of(trained_by(4, problem, four)[0]));
}

TEST(SeveralProcesses, AreAtMostTheMicroBatches) {
  const Synthetic problem = synthetic();
  TrainingOptions options = options_for("mlp");
  options.micro_batches = 2;
  EXPECT_ERROR(trained_by(3, problem, options), Status::invalid_argument, "micro_batches", "processes (3), found 2");
  options.micro_batches = -1;
  EXPECT_ERROR(trained_by(1, problem, options), Status::invalid_argument, "micro_batches");
  // Unset: 8 wherever there is a communicator, 1 without; more parts than rows are no harm.
  options.micro_batches = 0;
  options.batch = 5;
  options.epochs = 1;
  const Bytes one = trained_by(1, problem, options)[0], two = trained_by(2, problem, options)[1];
  EXPECT_TRUE(one == two);
  EXPECT_EQ(ModelFile::parse(one, "memory").description.provenance.at("option.micro_batches"), "8");
  EXPECT_FALSE(one == trained(problem, options));
}

/// Trains on `ranks` until rank 0 has heard `epochs` epochs; then `stopping` is asked to stop.
void stop_after(int ranks, int stopping, const Synthetic& problem, const TrainingOptions& options,
                std::int64_t epochs) {
  std::atomic<bool> stop{false};
  std::atomic<int> heard{0};
  const auto failures = on_ranks(ranks, [&](TrainingCommunicator& communicator) {
    const auto listener = [&](const TrainingProgress& progress) {
      ++heard;
      stop = progress.epoch >= epochs;
    };
    train(problem.samples, problem.constraints(), options, listener, communicator.rank() == stopping ? &stop : nullptr,
          &communicator);
  });
  EXPECT_GE(heard, 1);
  EXPECT_LE(heard, epochs);  // rank 0 alone is listened to
  std::string message;
  for (const auto& failure : failures) {
    ASSERT_TRUE(failure);
    EXPECT_ERROR(std::rethrow_exception(failure), Status::interrupted, "checkpoint.safetensors", "resume");
    try {
      std::rethrow_exception(failure);
    } catch (const AgreedError& error) {
      if (message.empty()) message = error.what();
      EXPECT_EQ(message, error.what());
    }
  }
}

class Resume : public testing::TestWithParam<const char*> {};

TEST_P(Resume, ByAnotherNumberOfRanksEndsInTheSameBits) {
  const Synthetic problem = synthetic();
  const Folder folder("resume-ranks");
  TrainingOptions options = options_for(GetParam());
  const Bytes expected = trained(problem, options);
  options.checkpoint = folder.path();
  stop_after(4, 2, problem, options, 1);
  EXPECT_ERROR(trained_by(2, problem, options), Status::invalid_argument, "unfinished");
  options.resume = true;
  stop_after(3, 0, problem, options, 2);
  EXPECT_TRUE(trained_by(2, problem, options)[1] == expected);
  // Of other micro-batches it is another training.
  options.micro_batches = 4;
  EXPECT_ERROR(trained_by(2, problem, options), Status::invalid_argument, "option.micro_batches: checkpoint 8, now 4");
}
INSTANTIATE_TEST_SUITE_P(All, Resume, testing::Values("mlp", "vae", "ddpm"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(Resume, OnAnotherNumberOfThreadsIsRefusedWhereItWouldChangeTheBits) {
  const Synthetic problem = synthetic();
  for (const std::string name : {"mlp", "mlp_libtorch"}) {
    const Folder folder("resume-threads");
    TrainingOptions options = options_for(name);
    options.checkpoint = folder.path();
    stop_after(2, 0, problem, options, 1);
    options.resume = true;
    options.threads = 2;
    if (name == "mlp")
      EXPECT_NO_THROW(trained(problem, options));
    else
      EXPECT_ERROR(trained(problem, options), Status::invalid_argument, "training.threads: checkpoint 1, now 2");
  }
}

/// Every rank must throw the same; returns it.
std::string one_error(const std::vector<std::exception_ptr>& failures, Status status) {
  std::optional<std::string> message;
  for (const auto& failure : failures) {
    EXPECT_TRUE(failure);
    if (!failure) return {};
    try {
      std::rethrow_exception(failure);
    } catch (const AgreedError& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      if (!message) message = error.what();
      EXPECT_EQ(*message, error.what());
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not agreed: " << error.what();
    }
  }
  return message.value_or("");
}

std::string error_of_other_samples(const Synthetic& problem, const Synthetic& other, Status status) {
  return one_error(on_ranks(3,
                            [&](TrainingCommunicator& communicator) {
                              const Synthetic& own = communicator.rank() == 1 ? other : problem;
                              train(own.samples, own.constraints(), options_for("mlp"), {}, nullptr, &communicator);
                            }),
                   status);
}

TEST(SeveralProcesses, EndTogetherWhereOneHasBadOrOtherSamples) {
  const Synthetic problem = synthetic();
  Synthetic bad = problem, other = problem;
  bad.samples.inputs[7] = std::numeric_limits<double>::quiet_NaN();
  const std::string not_finite = error_of_other_samples(problem, bad, Status::non_finite);
  EXPECT_NE(not_finite.find("process 1: sample 2"), std::string::npos) << not_finite;
  other.samples.inputs[7] += 1e-9;
  const std::string differs = error_of_other_samples(problem, other, Status::invalid_argument);
  const auto digest = [&](const Synthetic& of) {
    return train(of.samples, of.constraints(), options_for("mlp")).model.description.provenance.at("data.digest");
  };
  EXPECT_NE(differs.find("process 1: "), std::string::npos) << differs;
  EXPECT_NE(differs.find("data.digest: " + digest(other) + ", of process 0 " + digest(problem)), std::string::npos)
      << differs;
}

TEST(SeveralProcesses, EndTogetherWhereTheLossDiverges) {
  const Synthetic problem = synthetic();
  const Folder folder("divergence-ranks");
  TrainingOptions options = options_for("mlp");
  options.loss = Loss::likelihood;
  options.learning_rate = 1e30;
  options.gradient_clip = 0.0;
  options.checkpoint = folder.path();
  const std::string message =
      one_error(on_ranks(4,
                         [&](TrainingCommunicator& communicator) {
                           train(problem.samples, problem.constraints(), options, {}, nullptr, &communicator);
                         }),
                Status::non_finite);
  EXPECT_NE(message.find("last good state"), std::string::npos) << message;
  EXPECT_NE(message.find("step 2 "), std::string::npos) << message;
  const ModelFile kept = ModelFile::read(folder.path() / "checkpoint.safetensors");
  for (const float weight : kept.tensor("checkpoint.weights").f32()) ASSERT_TRUE(std::isfinite(weight));
}

TEST(SeveralProcesses, EndTogetherWhereRankZeroCannotWrite) {
  const Synthetic problem = synthetic();
  const Folder folder("unwritable");
  write_file_atomically(folder.path() / "file", Bytes(1));
  TrainingOptions options = options_for("mlp");
  options.checkpoint = folder.path() / "file" / "folder";
  const auto failures = on_ranks(2, [&](TrainingCommunicator& communicator) {
    train(problem.samples, problem.constraints(), options, {}, nullptr, &communicator);
  });
  EXPECT_NE(one_error(failures, Status::io_error).find("can't be made"), std::string::npos);
}

}  // namespace
}  // namespace lavoisier::test
