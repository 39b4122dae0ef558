#include <lavoisier/monitor.hpp>

#include "column_selection.hpp"
#include "field_binding.hpp"
#include "floating_point_environment.hpp"
#include "log_handler.hpp"
#include "model.hpp"
#include "monitor_log.hpp"
#include "monitor_reduce.hpp"
#include "monitor_report.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace lavoisier {
namespace {

const detail::ProgramModel& program_model(const std::shared_ptr<const Model>& model) {
  const auto* found = dynamic_cast<const detail::ProgramModel*>(model.get());
  if (found == nullptr)
    throw Error(Status::invalid_argument, "a monitor needs a model made by Model::load or Model::parse");
  return *found;
}

/// What one thread needs to take a chunk.
struct Worker {
  Worker(const detail::Program& program, const detail::TileLayout& layout)
      : tally(program),
        arena(layout.bytes),
        second(static_cast<std::size_t>(program.output_elements * detail::tile_columns)),
        inputs(program.inputs.size()),
        outputs(program.outputs.size()),
        originals(program.outputs.size()) {}
  detail::StepTally tally;
  detail::AlignedBuffer<std::byte> arena;
  detail::AlignedBuffer<double> second;
  std::vector<std::int64_t> columns, sorted;
  std::vector<detail::BoundField> inputs, outputs, originals;
};

}  // namespace

struct Monitor::Implementation {
  Implementation(std::shared_ptr<const Model> owner, const MonitorOptions& asked)
      : model(std::move(owner)),
        program(program_model(model).program()),
        layout(program),
        kernels(detail::tile_kernels()),
        options(asked),
        total(program) {
    if (options.steps < -1)
      throw Error(Status::invalid_argument,
                  "steps: expected -1 (all), 0 (none) or more, found " + std::to_string(options.steps));
    const std::size_t laws = program.laws.laws.size();
    if (options.tolerances.empty()) options.tolerances.assign(laws, MonitorTolerance::identity);
    if (options.tolerances.size() != laws)
      throw Error(Status::shape_mismatch, "tolerances: expected one a law (" + std::to_string(laws) +
                                              ") or none, found " + std::to_string(options.tolerances.size()));
    for (const MonitorTolerance tolerance : options.tolerances)
      if (tolerance != MonitorTolerance::identity && tolerance != MonitorTolerance::physics)
        throw Error(Status::invalid_argument, "unknown tolerance " + std::to_string(static_cast<int>(tolerance)));
    if (options.steps != 0 && !options.log.empty()) log = std::make_unique<detail::MonitorLog>(options.log);
    active = options.steps != 0;
  }

  /// A worker that no other thread has, until it goes out of scope.
  class Lease {
   public:
    explicit Lease(Implementation& owner) : owner_(owner) {
      const std::lock_guard<std::mutex> lock(owner_.mutex);
      if (owner_.idle.empty()) {
        owner_.workers.push_back(std::make_unique<Worker>(owner_.program, owner_.layout));
        owner_.idle.reserve(owner_.workers.size());  // so that giving it back can't fail
        owner_.idle.push_back(owner_.workers.back().get());
      }
      worker_ = owner_.idle.back();
      owner_.idle.pop_back();
    }
    ~Lease() {
      const std::lock_guard<std::mutex> lock(owner_.mutex);
      owner_.idle.push_back(worker_);
    }
    Worker* operator->() const noexcept { return worker_; }

   private:
    Implementation& owner_;
    Worker* worker_ = nullptr;
  };

  void add(const RunArguments& a, const OutputField* original, std::size_t original_count) {
    Lease worker(*this);
    const std::int64_t most = std::max<std::int64_t>(a.columns, 0);
    const auto select = [&] {
      return detail::select_columns(a, most, worker->columns.data(), worker->sorted.data());
    };
    if (most == 0) {
      select();  // it has its say
      return;
    }
    // Fields first: so many columns are there, and room for them is asked for.
    detail::bind_fields_to_read(program, a, worker->inputs, worker->outputs);
    if (original_count > 0)
      detail::bind_originals_to_read(program, a, original, original_count, worker->originals);
    if (most > static_cast<std::int64_t>(worker->columns.size())) {
      worker->columns.resize(static_cast<std::size_t>(most));
      worker->sorted.resize(static_cast<std::size_t>(most));
    }
    detail::RunWork work;
    work.count = select();
    if (work.count == 0) return;
    work.inputs = worker->inputs.data();
    work.input_count = worker->inputs.size();
    work.outputs = worker->outputs.data();
    work.output_count = worker->outputs.size();
    work.columns = worker->columns.data();
    work.block_columns = a.block_columns;
    work.column_ids = a.column_ids;
    work.first_column_id = a.first_column_id;
    detail::tally(program, layout, kernels, work, original_count > 0 ? &worker->originals : nullptr, a.status,
                  worker->arena.data(), worker->second.data(), worker->tally);
  }

  Status end_step(std::uint64_t step, Status mine, Reduce reduce, void* context) {
    const detail::DefaultFloatingPoint environment;
    if (options.steps > 0 && ++ended == options.steps) active = false;
    total.clear();
    for (const auto& worker : workers) {
      total.add(worker->tally);
      worker->tally.clear();
    }
    if (const Status status = over_ranks(mine, reduce, context); status != Status::ok) {
      report.step = step;
      return status;
    }
    report = detail::report_of(program, total, options.tolerances, step);
    if (report.violated) detail::warn(report.message);
    const Status logged = over_logs(append(), reduce, context);
    return report.violated && options.stop ? Status::law_violated : logged;
  }

  /// Makes `total` that of all ranks; else there is no report but why.
  Status over_ranks(Status mine, Reduce reduce, void* context) {
    try {
      if (reduce != nullptr)
        detail::reduce_step(total, mine, reduce, context);
      else if (mine != Status::ok)
        throw Error(mine, std::string("Monitor::end_step: the host failed before (") + status_name(mine) + ")");
      return Status::ok;
    } catch (const Error& error) {
      report = {};
      report.message = error.what();
      detail::warn(report.message);
      return error.status();
    }
  }

  /// The status of the ranks' logs, so that every rank has the same.
  Status over_logs(Status logged, Reduce reduce, void* context) {
    if (reduce == nullptr) return logged;
    std::string message;
    Status all = Status::ok;
    try {
      all = detail::reduce_log_status(logged, reduce, context, message);
    } catch (const Error& error) {
      all = error.status();
      message = error.what();
      detail::warn(message);
    }
    if (!message.empty() && logged == Status::ok) report.message += (report.message.empty() ? "" : "\n") + message;
    return all;
  }

  Status append() {
    if (log == nullptr) return Status::ok;
    std::string message;
    const Status status = log->append(report, message);
    if (status == Status::ok) return status;
    detail::warn(message);
    report.message += (report.message.empty() ? "" : "\n") + message;
    return status;
  }

  std::shared_ptr<const Model> model;
  const detail::Program& program;
  detail::TileLayout layout;
  const detail::TileKernels& kernels;
  MonitorOptions options;
  std::unique_ptr<detail::MonitorLog> log;
  std::atomic<bool> active{false};
  std::int64_t ended = 0;
  std::mutex mutex;  // of the two below
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Worker*> idle;
  detail::StepTally total;
  MonitorReport report;
};

Monitor::Monitor(std::shared_ptr<const Model> model, const MonitorOptions& options)
    : implementation_(std::make_unique<Implementation>(std::move(model), options)) {}
Monitor::~Monitor() = default;
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;

bool Monitor::is_active() const noexcept { return implementation_->active.load(std::memory_order_relaxed); }

void Monitor::add(const RunArguments& emulated, const OutputField* original, std::size_t original_count) {
  if (is_active()) implementation_->add(emulated, original, original_count);
}

Status Monitor::end_step(std::uint64_t step, Status mine, Reduce reduce, void* context) {
  return is_active() ? implementation_->end_step(step, mine, reduce, context) : Status::ok;
}

const MonitorReport& Monitor::report() const noexcept { return implementation_->report; }

}  // namespace lavoisier
