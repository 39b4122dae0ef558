// A monitor over ranks: threads with a reduction of their own stand for them.

#include "monitor_fixture.hpp"

#include <sys/resource.h>

#include <barrier>
#include <csignal>
#include <mutex>
#include <thread>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

/// Sums words over `size` threads that call it together.
class Together {
 public:
  explicit Together(int size) : barrier_(size) {}
  static Status reduce(void* self, std::int64_t* words, std::size_t count) {
    auto& own = *static_cast<Together*>(self);
    {
      const std::lock_guard<std::mutex> lock(own.mutex_);
      own.sum_.resize(count, 0);
      EXPECT_EQ(own.sum_.size(), count);
      for (std::size_t i = 0; i < count; ++i) own.sum_[i] += words[i];
    }
    own.barrier_.arrive_and_wait();
    std::copy(own.sum_.begin(), own.sum_.end(), words);
    own.barrier_.arrive_and_wait();
    {
      const std::lock_guard<std::mutex> lock(own.mutex_);
      own.sum_.clear();
    }
    own.barrier_.arrive_and_wait();
    return Status::ok;
  }

 private:
  std::barrier<> barrier_;
  std::mutex mutex_;
  std::vector<std::int64_t> sum_;
};

template <class Body>
void on_ranks(int size, Body&& body) {
  Together together(size);
  std::vector<std::thread> ranks;
  for (int r = 0; r < size; ++r) ranks.emplace_back([&, r] { body(r, together); });
  for (auto& rank : ranks) rank.join();
}

}  // namespace

TEST(MonitorRanks, TheLogIsThatOfOneRankToTheByte) {
  const Scratch scratch;
  for (const ModelFile& file : {column_laws().build(), ModelBuilder::ocean().build()}) {
    Step step(model_of(file));
    step.own[0][140] = std::nan("");
    const auto log = [&](const char* name) {
      MonitorOptions options;
      options.log = scratch.file(name);
      return options;
    };
    {
      Monitor whole(step.model, log("one.csv"));
      step.add(whole, 0, 300);
      EXPECT_EQ(whole.end_step(6), Status::ok);
    }
    const std::string expected = text_of(scratch.file("one.csv"));
    for (const int size : {1, 2, 5}) {  // of five, the last has no column
      on_ranks(size, [&](int rank, Together& together) {
        Monitor monitor(step.model, rank == 0 ? log("ranks.csv") : MonitorOptions{});
        const std::int64_t share = size == 5 ? 75 : 300 / size, first = rank * share;
        if (first < 300) step.add(monitor, first, share);
        EXPECT_EQ(monitor.end_step(6, Status::ok, Together::reduce, &together), Status::ok);
        EXPECT_EQ(monitor.report().columns, 299);
      });
      EXPECT_EQ(text_of(scratch.file("ranks.csv")), expected) << size;
      fs::remove(scratch.file("ranks.csv"));
    }
    fs::remove(scratch.file("one.csv"));
  }
}

TEST(MonitorRanks, NobodyHasAColumn) {
  const auto model = model_of(ModelBuilder::ocean().build());
  on_ranks(3, [&](int, Together& together) {
    Monitor monitor(model);
    EXPECT_EQ(monitor.end_step(0, Status::ok, Together::reduce, &together), Status::ok);
    EXPECT_EQ(monitor.report().laws[0].emulated.worst_column, -1);
    EXPECT_EQ(monitor.report().laws[0].emulated.columns, 0);
  });
}

TEST(MonitorRanks, AViolationOnOneRankIsEveryRanks) {
  Step step(model_of(ModelBuilder::ocean().build()));
  step.fields.outputs[2][250] += 0.25;
  MonitorOptions options;
  options.stop = true;
  on_ranks(2, [&](int rank, Together& together) {
    Monitor monitor(step.model, options);
    step.add(monitor, 150 * rank, 150);
    EXPECT_EQ(monitor.end_step(0, Status::ok, Together::reduce, &together), Status::law_violated);
    EXPECT_EQ(monitor.report().laws[0].emulated.worst_id, step.ids[250]);
    EXPECT_EQ(monitor.report().laws[0].emulated.terms[0].value, step.fields.outputs[2][250]);
  });
}

TEST(MonitorRanks, AFailureOfOneRankIsEveryRanks) {
  Step step(model_of(ModelBuilder::ocean().build()));
  on_ranks(3, [&](int rank, Together& together) {
    Monitor monitor(step.model);
    step.add(monitor, 100 * rank, 100);
    EXPECT_EQ(monitor.end_step(0, rank == 1 ? Status::io_error : Status::ok, Together::reduce, &together),
              Status::io_error);
    EXPECT_NE(monitor.report().message.find("1 of the ranks failed before (io_error)"), std::string::npos);
    step.add(monitor, 100 * rank, 100);  // and then it goes on
    EXPECT_EQ(monitor.end_step(1, Status::ok, Together::reduce, &together), Status::ok);
    EXPECT_EQ(monitor.report().columns, 299);
  });
  on_ranks(2, [&](int, Together& together) {  // the same columns twice
    Monitor monitor(step.model);
    step.add(monitor, 0, 100);
    EXPECT_EQ(monitor.end_step(0, Status::ok, Together::reduce, &together), Status::invalid_argument);
    EXPECT_NE(monitor.report().message.find("is given by 2 ranks"), std::string::npos);
  });
  Monitor monitor(step.model);
  EXPECT_EQ(monitor.end_step(0, Status::no_space), Status::no_space);
  EXPECT_EQ(monitor.end_step(0, Status::ok, [](void*, std::int64_t*, std::size_t) { return Status::interrupted; }),
            Status::interrupted);
}

TEST(MonitorRanks, APrecisionOfOneRankIsEveryRanks) {
  Step step(model_of(ModelBuilder::ocean().build()));
  std::vector<float> single(step.fields.outputs[0].begin(), step.fields.outputs[0].end());  // FSR: in the first law
  auto mixed = step.fields.output_fields;
  mixed[0].data = single.data();
  mixed[0].precision = Precision::f32;
  on_ranks(2, [&](int rank, Together& together) {
    RunArguments a = step.fields.arguments();
    a.status = nullptr;
    std::vector<std::uint8_t> mask(300, 0);
    for (std::size_t c = 0; c < 300; ++c) mask[c] = static_cast<int>(c % 2) == rank && c != 17;
    a.mask = mask.data();
    if (rank == 1) a.outputs = mixed.data();
    Monitor monitor(step.model);
    monitor.add(a);
    EXPECT_EQ(monitor.end_step(0, Status::ok, Together::reduce, &together), Status::ok);
    EXPECT_EQ(monitor.report().laws[0].tolerance, 5e-7);
    EXPECT_EQ(monitor.report().laws[1].tolerance, 1e-14);
    EXPECT_FALSE(monitor.report().violated);
  });
}

TEST(MonitorRanks, ALogThatOneRankCannotWriteIsEveryRanksStatus) {
  const Scratch scratch;
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.log = scratch.file("log.csv");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  on_ranks(3, [&](int rank, Together& together) {
    Monitor monitor(step.model, rank == 1 ? options : MonitorOptions{});
    step.add(monitor, 100 * rank, 100);
    EXPECT_EQ(monitor.end_step(0, Status::ok, Together::reduce, &together), Status::no_space) << rank;
    EXPECT_EQ(monitor.report().columns, 299);
    const char* const expected = rank == 1 ? "cannot write it" : "the log of 1 of the ranks could not be written";
    EXPECT_NE(monitor.report().message.find(expected), std::string::npos) << monitor.report().message;
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
}

TEST(MonitorRanks, AReductionThatThrowsHasFailed) {
  Step step(model_of(ModelBuilder::ocean().build()));
  Monitor monitor(step.model);
  const auto ended = [&](Reduce reduce) {
    step.add(monitor, 0, 100);
    return monitor.end_step(0, Status::ok, reduce);
  };
  EXPECT_EQ(ended([](void*, std::int64_t*, std::size_t) -> Status { throw std::runtime_error("no such rank"); }),
            Status::internal);
  EXPECT_NE(monitor.report().message.find("failed (internal): it threw \"no such rank\""), std::string::npos);
  EXPECT_EQ(ended([](void*, std::int64_t*, std::size_t) -> Status { throw Error(Status::interrupted, "by hand"); }),
            Status::interrupted);
  EXPECT_EQ(ended([](void*, std::int64_t*, std::size_t) -> Status { throw 7; }), Status::internal);
  EXPECT_EQ(ended(nullptr), Status::ok);
  EXPECT_EQ(monitor.report().columns, 99);
}
